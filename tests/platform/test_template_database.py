"""The database that test databases are copied from: built once, whole, and of these migrations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests import template_database
from tests.template_database import NoTemplate, template

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
PREFIX = "test_of_templates"


@pytest.fixture(autouse=True)
def clean(transactional_db: None) -> Iterator[None]:
    yield
    with connection._nodb_cursor() as cursor:
        for name in names():
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def names() -> list[str]:
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY 1", [PREFIX])
        return [name for (name,) in cursor.fetchall()]


def table(*, broken: bool = False, calls: list[int] | None = None) -> Callable[[], None]:
    """Return what fills a template with one table, and may break off half-way."""

    def fill() -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE whole (); SELECT pg_sleep(0.2)")
        if calls is not None:
            calls.append(1)
        if broken:
            raise KeyboardInterrupt

    return fill


def made(prefix: str = PREFIX, **how: object) -> str:
    try:
        with template(prefix, fill=table(**how)) as name:
            return name
    finally:
        connection.close()


def test_of_all_who_need_it_at_once_one_builds_it():
    calls: list[int] = []
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: made(calls=calls), range(4)))
    assert calls == [1]
    assert names() == [found[0]]
    assert set(found) == set(names())
    assert made(calls=calls) == found[0]
    assert calls == [1], "it is kept for the runs to come"


def test_it_can_be_copied_by_several_at_once_and_nobody_can_look_into_it():
    name = made()

    def copy(number: int) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'CREATE DATABASE "{PREFIX}_copy{number}" TEMPLATE "{name}"')
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(copy, range(4)))
    assert len(names()) == 5
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT datallowconn FROM pg_database WHERE datname = %s", [name])
        assert cursor.fetchone() == (False,)


def test_one_that_was_broken_off_is_never_used():
    with pytest.raises(KeyboardInterrupt):
        made(broken=True)
    assert [name for name in names() if not name.endswith("_draft")] == []
    calls: list[int] = []
    assert [made(calls=calls)] == names(), "built from the beginning, and the half of it is gone"
    assert calls == [1]


def test_those_of_other_migrations_go_but_not_while_somebody_copies_them(monkeypatch):
    digests = iter(["first", "second", "third"])
    monkeypatch.setattr(template_database, "digest", lambda cursor: next(digests))
    with template(PREFIX, fill=table()) as first:
        second = made()
        assert names() == [first, second]
    assert [made()] == names()


def test_other_migrations_mean_another_digest(monkeypatch, settings, tmp_path):
    def digest() -> str:
        with connection.cursor() as cursor:
            return template_database.digest(cursor)

    before = digest()
    assert digest() == before
    folder = tmp_path / "other_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {"reports": "other_migrations"}
    without = digest()
    assert without != before
    migration = folder / "0001_one.py"
    migration.write_text("NUMBER = 1")
    one = digest()
    assert one != without
    migration.write_text("NUMBER = 2")
    assert digest() not in {one, without, before}


def test_who_may_not_make_databases_is_told_so(monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolcreaterole, current_user FROM pg_roles WHERE rolname = current_user")
        superuser, may_create, _ = cursor.fetchone()
        if not (superuser or may_create):
            pytest.skip("this role cannot make another one")
        cursor.execute("DROP ROLE IF EXISTS test_of_templates_limited; CREATE ROLE test_of_templates_limited LOGIN")
    try:
        monkeypatch.setitem(connection.settings_dict, "USER", "test_of_templates_limited")
        with pytest.raises(NoTemplate, match="permission denied to create database"):
            made()
        assert names() == []
    finally:
        monkeypatch.undo()
        with connection.cursor() as cursor:
            cursor.execute("DROP ROLE test_of_templates_limited")
