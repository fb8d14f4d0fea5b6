"""A database of the replay's own, beside the configured one: made, migrated, and dropped at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from django.core.management import call_command
from django.db import connection

from routing import roster
from routing.configuration import import_configuration

from .plan import Replay


@contextmanager
def fresh_database(name: str) -> Iterator[None]:
    """Create the database, point the program at it, and drop it in the end. One that a killed run left is replaced."""
    configured = connection.settings_dict["NAME"]
    if name == configured:
        raise SystemExit(f"{name} is the configured database; the replay drops its own")
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}"')
    connection.close()
    connection.settings_dict["NAME"] = name
    roster._kept = None  # versions of the configuration begin anew in every database
    try:
        call_command("migrate", interactive=False, verbosity=0)
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = configured
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.close()


def configure(replay: Replay) -> None:
    import_configuration(replay.configuration)


def address() -> str:
    """Return the address of the database for a child process."""
    facts = connection.settings_dict
    host = facts["HOST"] or facts["OPTIONS"].get("host", "")
    who = quote(facts["USER"] or "", safe="") + (f":{quote(facts['PASSWORD'], safe='')}" if facts["PASSWORD"] else "")
    if host.startswith("/") or not host:
        return f"postgres://{who}@/{facts['NAME']}?host={quote(host, safe='/')}"
    port = f":{facts['PORT']}" if facts["PORT"] else ""
    return f"postgres://{who}@{host}{port}/{facts['NAME']}"


def environment() -> dict[str, str]:
    """Return what a child process needs to work on this database with our key."""
    from django.conf import settings

    return {**os.environ, "DATABASE_URL": address(), "SECRET_KEY": settings.SECRET_KEY, "LOG_LEVEL": "WARNING"}
