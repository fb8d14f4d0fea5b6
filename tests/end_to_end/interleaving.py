"""A small isolation tester: services in connections of their own, which go on step by step in a given order.

A step ends before a service begins, before it locks a lead, a ledger or a manager's pauses, and before it commits. A
service whose turn comes while PostgreSQL makes it wait for another one is passed by, as in PostgreSQL's own isolation
tester.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import Queue
from typing import Any

from django.db import connection, connections

from routing.exceptions import Refused

Work = Callable[[], object]

LOCKS = ("FOR NO KEY UPDATE", "leadrouter_lock_ledger", "pg_advisory_xact_lock")
FINISH_SECONDS = 60


def is_blocked(pid: int) -> bool:
    """Return whether this server process waits for a lock that another one holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
        return bool(cursor.fetchone()[0])


class Session:
    """One connection that does one work after another, each step when it is told to."""

    def __init__(self) -> None:
        self.pid = 0
        self.result: object = None
        self._works: Queue[Work | None] = Queue()
        self._go = threading.Semaphore(0)
        self._rests = threading.Event()  # at a step, or done
        self._free = False
        self.done = True
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        self._rests.wait(FINISH_SECONDS)

    def _live(self) -> None:
        own = connections["default"]
        with own.cursor() as cursor:
            cursor.execute(
                "SET lock_timeout = '60s'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
            )
            cursor.execute("SET synchronous_commit = off; SELECT pg_backend_pid()")
            self.pid = cursor.fetchone()[0]
        commit = own._commit
        own._commit = lambda: (self._step(), commit())  # type: ignore[method-assign]
        self._rests.set()
        with own.execute_wrapper(self._before):
            while (work := self._works.get()) is not None:
                self._step()
                self.result = self._outcome(work)
                self.done = True
                self._rests.set()
        connections.close_all()

    def _outcome(self, work: Work) -> str:
        try:
            work()
        except Refused as refusal:
            return refusal.code
        except Exception as error:  # whatever a user would see as a failure
            return f"ERROR {type(error).__name__}: {error}"
        return "done"

    def _before(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if any(lock in sql for lock in LOCKS) and not sql.startswith("PREPARE"):
            self._step()
        return execute(sql, params, many, context)

    def _step(self) -> None:
        if not self._free:
            self._rests.set()
            self._go.acquire()

    def begin(self, work: Work) -> None:
        """Take up the work, and rest before it begins."""
        self.done, self._free = False, False
        self._go = threading.Semaphore(0)
        self._rests.clear()
        self._works.put(work)
        self._rests.wait(FINISH_SECONDS)

    def advance(self) -> None:
        """Go one step further, unless the session is done or waits for another one."""
        if self.done or not self._rests.is_set():
            return
        self._rests.clear()
        self._go.release()
        while not self._rests.wait(0.004):
            if is_blocked(self.pid):
                return

    def run_free(self) -> None:
        self._free = True
        self._go.release()

    def finish(self) -> str:
        while not self.done:
            assert self._rests.wait(FINISH_SECONDS), "it does not come to an end"
            if not self.done:
                self._rests.clear()
                self._go.release()
        return str(self.result)

    def end(self) -> None:
        self._works.put(None)
        self._thread.join(FINISH_SECONDS)


@contextmanager
def sessions(number: int) -> Iterator[list[Session]]:
    """Lend so many sessions."""
    lent = [Session() for _ in range(number)]
    try:
        yield lent
    finally:
        for session in lent:
            session.end()


def interleave(lent: Sequence[Session], works: Sequence[Work], order: Sequence[int]) -> list[str]:
    """Run the works at the same time, a step of one and a step of another as the order says; return their outcomes."""
    taking_part = lent[: len(works)]
    for session, work in zip(taking_part, works, strict=True):
        session.begin(work)
    for number in order:
        taking_part[number].advance()
    for session in taking_part:
        session.run_free()
    return [session.finish() for session in taking_part]


def orders(steps: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every order of so many steps of each session."""
    if not any(steps):
        yield ()
    for number, left in enumerate(steps):
        if left:
            rest = [*steps[:number], left - 1, *steps[number + 1 :]]
            yield from ((number, *order) for order in orders(rest))
