"""Statements of the way of a lead, which each connection parses and plans once: half of what they cost is planning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import orjson
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connection, connections

PLACEHOLDER = re.compile(r"%\((\w+)\)s")


class Statement:
    """One SQL statement with `%(name)s` for its parameters."""

    def __init__(self, name: str, text: str, **types: str) -> None:
        """name: unique in a session. types: PostgreSQL's, of each parameter."""
        self.text = text
        self.name = f"leadrouter_{name}"
        positions = {parameter: f"${number}" for number, parameter in enumerate(types, 1)}
        body = PLACEHOLDER.sub(lambda match: positions[match[1]], text).replace("%%", "%")
        self.preparation = (
            f"PREPARE {self.name} ({', '.join(types.values())}) AS {body}"
            if types
            else f"PREPARE {self.name} AS {body}"
        )
        values = ", ".join(f"%({parameter})s" for parameter in types)
        self.call = f"EXECUTE {self.name} ({values})" if types else f"EXECUTE {self.name}"


def array(numbers: Iterable[int | None]) -> str:
    """Return whole numbers as PostgreSQL writes an array; a thousand of them are many, so it is left to a library."""
    return f"{{{orjson.dumps(list(numbers))[1:-1].decode()}}}"


def numbers(*arrays: str) -> list[list[int]]:
    """Return the whole numbers of arrays as PostgreSQL writes them."""
    values: list[list[int]] = orjson.loads(f"[{','.join(arrays)}]".replace("{", "[").replace("}", "]"))
    return values


def run(*statements: Statement | None, **parameters: Any) -> list[tuple[Any, ...]]:
    """Run the statements in one round trip, and return the rows of the last one, if it has any.

    Each sees what was committed before it began. Behind PgBouncer, where the next transaction may meet another session,
    they are planned each time.
    """
    database = connections[DEFAULT_DB_ALIAS]
    message = _message(statements, database)
    with database.cursor() as cursor:
        cursor.execute(message, parameters)
        return cursor.fetchall() if cursor.description else []


def run_later(*statements: Statement | None, **parameters: Any) -> None:
    """Run statements that answer nothing together with the next ones, or with the commit; their errors come up there."""
    database: Any = connections[DEFAULT_DB_ALIAS]
    database.send_later(_message(statements, database), parameters)  # of leadrouter/postgresql


def run_first(*statements: Statement, **parameters: Any) -> list[tuple[Any, ...]]:
    """Run the first statements of a request: they are the health check of a connection kept since the last one.

    One that died meanwhile, with its server say, is replaced. That spares every request a `SELECT 1`.
    """
    connection.health_check_done = True  # type: ignore[attr-defined]  # the stubs do not know it
    try:
        return run(*statements, **parameters)
    except (DatabaseError, InterfaceError):
        if connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return run(*statements, **parameters)


def _message(statements: Iterable[Statement | None], database: Any) -> str:
    """Return the statements as one text, each prepared in this session."""
    wanted = [statement for statement in statements if statement is not None]
    if settings.BEHIND_PGBOUNCER:
        return "; ".join(statement.text for statement in wanted)
    database.ensure_connection()
    # The names live as long as the session, and so does this note: a reconnection makes a new object.
    prepared = _prepared.setdefault(database.connection, set())
    for statement in wanted:
        if statement.name not in prepared:
            with database.cursor() as cursor:
                cursor.execute(statement.preparation)
            prepared.add(statement.name)
    return "; ".join([statement.call for statement in wanted])


_prepared: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
