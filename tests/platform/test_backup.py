"""A backup is only one when it was restored: the drill, into an empty database, with every promise looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg2
import pytest
from django.conf import settings
from django.db import connection

from leadrouter import backups
from routing.models import Contact, Lead
from tests.data import REPOSITORY
from tests.factories import asking_acceptance, make_manager, make_trigger, take_some

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def server(statement: str) -> None:
    """Run a statement on the server, outside any transaction."""
    other = psycopg2.connect(**reached(), dbname="postgres")
    other.autocommit = True
    with other.cursor() as cursor:
        cursor.execute(statement)
    other.close()


def reached() -> dict[str, Any]:
    """Return how the server of the tests is reached."""
    facts = connection.get_connection_params()
    return {name: facts[name] for name in ("host", "port", "user", "password") if facts.get(name)}


@pytest.fixture
def empty() -> Iterator[str]:
    name = f"restored_{os.getpid()}"
    server(f"CREATE DATABASE {name}")
    yield name
    server(f"DROP DATABASE {name} WITH (FORCE)")


def manage(*arguments: str, database: str) -> subprocess.CompletedProcess[str]:
    address = f"postgres:///{database}?{urlencode(reached())}"
    environment = os.environ | {"DATABASE_URL": address, "SECRET_KEY": settings.SECRET_KEY}
    if settings.PRIVATE:  # the programs of the private server are not in PATH
        folder = Path(backups.program("pg_dump")).parent
        environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip


def test_what_was_backed_up_is_restored_whole_and_every_promise_is_kept_in_it(tmp_path, empty):
    make_trigger(members=[make_manager("ann"), make_manager("bob")], **asking_acceptance())
    take_some(50)
    dump = tmp_path / "leadrouter.dump"
    name = connection.settings_dict["NAME"]
    made = manage("backup", str(dump), database=name)
    assert made.returncode == 0, made.stderr
    assert dump.stat().st_mode & 0o077 == 0, "it holds everybody's data"
    restored = manage("restore", str(dump), database=empty)
    assert restored.returncode == 0, restored.stderr
    assert "Restored" in restored.stdout
    counted = (
        "from routing.models import *; print(Lead.objects.count(), Contact.objects.count(), Decision.objects.count())"
    )
    told = manage("shell", "--no-imports", "-c", counted, database=empty)
    assert told.stdout.split()[-3:] == [str(Lead.objects.count()), str(Contact.objects.count()), "50"], told.stderr
    again = manage("restore", str(dump), database=empty)
    assert again.returncode == 1
    assert "not empty" in again.stderr


def test_a_broken_promise_in_a_backup_is_told(tmp_path, empty):
    make_trigger(members=[make_manager("ann")])
    take_some(3)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE routing_load SET leads = 9")
    backups.back_up(tmp_path / "bad.dump", database=connection.get_connection_params())
    restored = manage("restore", str(tmp_path / "bad.dump"), database=empty)
    assert restored.returncode == 1
    assert "a load that is not the number of leads held" in restored.stderr


def test_a_backup_that_fails_leaves_no_file_of_its_name(tmp_path):
    target = tmp_path / "x.dump"
    with pytest.raises(backups.BackupFailed):
        backups.back_up(target, database={**connection.get_connection_params(), "dbname": "no_such_database"})
    assert list(tmp_path.iterdir()) == []
