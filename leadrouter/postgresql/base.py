"""Django's PostgreSQL in fewer round trips: BEGIN goes out with the first statement of a transaction, and what nobody
waits for (`send_later`) with the next one, or with COMMIT.

Who holds the lock of a registry holds up all who decide in it: between the last write and the commit there is then
neither a way to the database and back nor a wait for the interpreter. See docs/decisions/0012.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.utils import debug_transaction
from psycopg2 import extensions  # type: ignore[import-untyped]

BEGIN, COMMIT, ROLLBACK = b"BEGIN", b"COMMIT", b"ROLLBACK"
Parameters = Sequence[Any] | Mapping[str, Any] | None


class Cursor(extensions.cursor):
    """Sends what waits ahead of each statement, in one message."""

    def __init__(self, ahead: list[bytes], *args: Any) -> None:
        super().__init__(*args)
        self.ahead = ahead  # of all cursors of the connection

    def execute(self, query: Any, vars: Parameters = None) -> None:
        if self.ahead and self.name:  # the driver makes a DECLARE of what it is given
            self.send_ahead()
        elif self.ahead:
            query, vars = b"; ".join([*self.ahead, self.mogrify(query, vars)]), None
            self.ahead.clear()
        super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        self.send_ahead()
        super().executemany(query, vars_list)

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        self.send_ahead()
        super().copy_expert(sql, file, size)

    def send_ahead(self) -> None:
        """Send what waits by itself: what follows is no plain statement."""
        if self.ahead:
            message = b"; ".join(self.ahead)
            self.ahead.clear()
            with self.connection.cursor() as cursor:
                cursor.execute(message)


class DatabaseWrapper(base.DatabaseWrapper):
    """The driver stays in its autocommit mode; transactions begin and end by statements of ours."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ahead: list[bytes] = []  # BEGIN, and statements that nobody waits for

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        self.ahead.clear()  # it was meant for the connection before
        connection.cursor_factory = partial(Cursor, self.ahead)
        return connection

    def send_later(self, query: str, parameters: Parameters = None) -> None:
        """Run a statement with the next one, or with the commit; its errors come up there. Outside a transaction: now."""
        if not self.in_atomic_block:
            with self.cursor() as cursor:
                cursor.execute(query, parameters)
            return
        with self.wrap_database_errors, self.connection.cursor() as cursor:
            self.ahead.append(cursor.mogrify(query, parameters))

    # What Django asks of a backend that begins transactions by a statement; of its own it is SQLite that does.

    def _start_transaction_under_autocommit(self) -> None:
        self.ahead.append(BEGIN)

    def _commit(self) -> None:
        if self.ahead == [BEGIN]:  # nothing was asked in the transaction
            self.ahead.clear()
        if self.ahead or self._in_transaction():
            self._end(COMMIT)

    def _rollback(self) -> None:
        self.ahead.clear()
        if self._in_transaction():
            self._end(ROLLBACK)

    def _in_transaction(self) -> bool:
        """Tell whether the server has one of ours open; Celery's beat commits even without one, or a connection."""
        return self.connection and self.connection.info.transaction_status != extensions.TRANSACTION_STATUS_IDLE

    def _end(self, statement: bytes) -> None:
        with debug_transaction(self, statement.decode()), self.wrap_database_errors, self.connection.cursor() as cursor:
            cursor.execute(statement)

    def _savepoint_rollback(self, sid: str) -> None:
        self.ahead.clear()  # the savepoint itself took along what waited before it
        super()._savepoint_rollback(sid)  # type: ignore[misc]  # the stubs do not know it
