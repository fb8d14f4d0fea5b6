"""The only place that takes locks, in this order: leads by id, ledgers by registry, managers by id.

Taking them in another order can end in a deadlock. A transaction that meets one all the same, or finds that what it had
read has changed, is run again as a whole.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DatabaseError, Error, transaction
from django.utils.translation import gettext

from .exceptions import Busy
from .models import Lead
from .prepared_statements import Statement, run

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

ATTEMPTS = 6
DEADLOCK, SERIALIZATION, UNIQUE, FOREIGN_KEY, LIMIT_TAKEN = "40P01", "40001", "23505", "23503", "LR001"
LOCK_TIMEOUT, CANCELED = "55P03", "57014"  # canceled by `statement_timeout`: a long queue can be many short waits
# Try again if meanwhile another registry reached a limit, another request created the lead or contact, or the contact was
# merged with another.
RETRIED = {DEADLOCK, SERIALIZATION, UNIQUE, FOREIGN_KEY, LIMIT_TAKEN}

PATIENCE = Statement("patience", "SELECT set_config('lock_timeout', %(patience)s, true)", patience="text")
LOCK_LEDGER = Statement(
    "lock_ledger", "SELECT FROM routing_ledger WHERE registry_id = %(registry)s FOR NO KEY UPDATE", registry="bigint"
)
LOCK_LEDGERS = Statement(
    "lock_ledgers",
    "SELECT FROM routing_ledger WHERE registry_id = ANY (%(registries)s) ORDER BY registry_id FOR NO KEY UPDATE",
    registries="bigint[]",
)
LOCK_MANAGERS = Statement(
    "lock_managers",
    "SELECT FROM accounts_manager WHERE id = ANY (%(managers)s) ORDER BY id FOR NO KEY UPDATE",
    managers="bigint[]",
)


class ConfigurationChanged(Exception):
    """The configuration changed after it was read and before the lock was taken. Nothing was written."""


def retry(work: Callable[[], T], *, codes: Collection[str] = RETRIED) -> T:
    """Run the work, and run all of it again if another transaction interfered: up to six times.

    work: one transaction, or reads. codes: SQLSTATEs after which another attempt may succeed.
    Raises Busy after the sixth time, or after waiting longer than `lock_timeout` or `statement_timeout`.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except ConfigurationChanged:
            if attempt == ATTEMPTS:
                raise Busy(gettext("The configuration keeps changing. Try again.")) from None
        except DatabaseError as error:
            code = sqlstate(error)
            if code in (LOCK_TIMEOUT, CANCELED):
                raise Busy(gettext("Others are using the same records. Try again.")) from error
            if code not in codes or attempt == ATTEMPTS:
                raise
            time.sleep(random.uniform(0, 0.01 * 2**attempt))
    raise AssertionError("unreachable")


def in_transaction(service: Callable[P, T]) -> Callable[P, T]:
    """Run the service in one durable transaction, and retry it. Raises Busy."""

    @wraps(service)
    def run_with_retries(*args: P.args, **kwargs: P.kwargs) -> T:
        def work() -> T:
            with transaction.atomic(durable=True):
                return service(*args, **kwargs)

        return retry(work)

    return run_with_retries


def with_answer(service: Callable[P, R], answer: Callable[[R], T]) -> Callable[P, T]:
    """Return the service so that it builds its answer in its own transaction: if building fails, nothing is done.

    service: one that is `in_transaction`. answer: makes the answer of what the service returned.
    """
    inner: Callable[P, R] = service.__wrapped__  # type: ignore[attr-defined]

    @in_transaction
    def both(*args: P.args, **kwargs: P.kwargs) -> T:
        return answer(inner(*args, **kwargs))

    return both


def wait_no_longer_than(patience: timedelta) -> None:
    """Limit how long this transaction waits for each of its locks."""
    run(PATIENCE, patience=f"{patience // timedelta(milliseconds=1)}ms")


def sqlstate(error: Error) -> str | None:
    return getattr(error.__cause__, "pgcode", None)


def lock_ledgers(registries: Collection[int]) -> None:
    """Lock several registries in their order before their triggers run in another order. One registry needs no order."""
    if len(registries) > 1:
        run(LOCK_LEDGERS, registries=list(registries))


def lock_leads(ids: Iterable[object], *, skip_locked: bool = False) -> list[Lead]:
    """Lock leads, in the order of their ids, and return them; those that are gone or held elsewhere are left out."""
    rows = Lead.objects.select_for_update(of=("self",), no_key=True, skip_locked=skip_locked)
    return list(rows.filter(pk__in=list(ids)).order_by("pk").select_related("contact", "company"))
