"""A migrated database that test databases are copied from, made once for all runs that have the same migrations.

Its name ends in a digest of all that made it, so another migration means another template. It is built under another name
and renamed when it is whole: one that was broken off is never used. Advisory locks see to the rest: one process builds
while the others wait, and a template that somebody is about to copy is not removed.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.management import _get_all_permissions
from django.core.management import call_command
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.models.signals import post_migrate

LONGEST_NAME = 63  # bytes: of PostgreSQL
LOCKS = 0x1EAD  # the first half of our advisory locks


class NoTemplate(Exception):
    """The server does not let us make a template: each test database is migrated by itself. The message says why."""


def migrate() -> None:
    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)


@contextmanager
def template(prefix: str, *, fill: Callable[[], None] = migrate) -> Iterator[str]:
    """Give the name of a database with all migrations applied; while the block runs, nobody removes it.

    fill: what makes the tables, over Django's connection.
    """
    if settings.BEHIND_PGBOUNCER:  # it gives each transaction another session
        raise NoTemplate("locks of a session do not work behind PgBouncer")
    with connection._nodb_cursor() as cursor:
        try:
            name = find_or_build(cursor, prefix, fill)
        except (OperationalError, ProgrammingError) as error:
            raise NoTemplate(str(error).strip()) from error
        yield name


def find_or_build(cursor: Any, prefix: str, fill: Callable[[], None]) -> str:
    cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
    name = f"{prefix[: LONGEST_NAME - 40]}_template_{digest(cursor)}"
    lock(cursor, "pg_advisory_lock_shared", name)  # until the session ends
    if not exists(cursor, name):
        lock(cursor, "pg_advisory_lock", "build")
        if not exists(cursor, name):
            build(cursor, name, fill)
        lock(cursor, "pg_advisory_unlock", "build")
    remove_others(cursor, name)
    return name


def digest(cursor: Any) -> str:
    """Return a short name for all that decides what a migrated database holds."""
    cursor.execute("SELECT version(), current_user")
    found = hashlib.sha256(repr(cursor.fetchone()).encode())
    files = {Path(inspect.getfile(receiver)) for receiver in post_migrate._live_receivers(apps)[0]}
    for app in apps.get_app_configs():
        module, _ = MigrationLoader.migrations_module(app.label)
        found_at = find_spec(module) if module else None
        for folder in (found_at.submodule_search_locations or []) if found_at else []:
            files |= set(Path(folder).glob("*.py"))
    for path in sorted(files):
        found.update(f"\n{path.parent.parent.name}/{path.name}\n".encode() + path.read_bytes())
    for model in apps.get_models(include_auto_created=True):  # permissions and content types are made from these
        found.update(repr((model._meta.label, model._meta.db_table, _get_all_permissions(model._meta))).encode())
    return found.hexdigest()[:16]


def lock(cursor: Any, function: str, name: str) -> bool:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], signed=True)
    cursor.execute(f"SELECT {function}(%s, %s)", [LOCKS, key])
    return cursor.fetchone()[0] is not False


def exists(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
    return cursor.fetchone() is not None


def build(cursor: Any, name: str, fill: Callable[[], None]) -> None:
    """Fill an empty database, and give it its name when all is done."""
    draft = f"{name}_draft"
    cursor.execute(f'DROP DATABASE IF EXISTS "{draft}" WITH (FORCE)')  # of a run that was killed
    cursor.execute(f'CREATE DATABASE "{draft}"')
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = draft
    try:
        fill()
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
    cursor.execute(f'ALTER DATABASE "{draft}" WITH ALLOW_CONNECTIONS false')  # who looks into it would hold up a copy
    cursor.execute(f'ALTER DATABASE "{draft}" RENAME TO "{name}"')


def remove_others(cursor: Any, name: str) -> None:
    """Drop the templates, and drafts, of other migrations that nobody is about to copy."""
    prefix = name.rpartition("_")[0] + "_"
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
    for other in {found.removesuffix("_draft") for (found,) in cursor.fetchall()} - {name}:
        if lock(cursor, "pg_try_advisory_lock", other):
            cursor.execute(f'DROP DATABASE IF EXISTS "{other}" WITH (FORCE)')
            cursor.execute(f'DROP DATABASE IF EXISTS "{other}_draft" WITH (FORCE)')
            lock(cursor, "pg_advisory_unlock", other)
