"""Setbacks: a lead that makes the sweep fail is tried alone, later and less often, and in the end set aside.

It does not hold up the others.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.db.models import F

from routing.exceptions import Busy
from routing.locks import ConfigurationChanged, sqlstate
from routing.models import Lead, Setback, SweepBatch

logger = logging.getLogger(__name__)

Work = Callable[[Sequence[UUID]], int]  # on leads that may have changed since; returns how many it concerned

BATCH = 100  # leads in one transaction, for which new leads of the same registry wait
PAUSES = tuple(map(timedelta, (0, 0, 0, 0), (5, 30, 120, 600)))  # days, seconds after each try that failed
MOST_TRIES = len(PAUSES) + 1
# Classes of SQLSTATE: the connection, resources, an operator's intervention (but not a statement's time limit), a crash,
# a serialisation failure, a lock. A connection that broke has no code.
NO_LEADS_FAULT = ("08", "53", "57P", "58", "40", "55P")
LONGEST_BATCH = timedelta(minutes=2)  # a batch older than this has no sweep any more


def isolate_failures(leads: Iterable[UUID], work: Work, *, at: datetime) -> Iterator[int]:
    """Do the work in batches; if a batch fails, do it for each of its leads alone. Yield the results.

    Leads with a setback are left out until their next try is due. Raises Busy and ConfigurationChanged as the work does.
    """
    setbacks = set(Setback.objects.values_list("lead_id", flat=True))
    due = Setback.objects.due(at=at).order_by("attempts").values_list("lead_id", flat=True) if setbacks else ()
    again: set[UUID] = set()

    def fresh() -> Iterator[UUID]:
        for lead in leads:
            if lead not in setbacks:
                yield lead
            else:
                again.add(lead)

    for batch in _batches(fresh()):
        yield _together(batch, work, at=at)
    for lead in due:  # fewest failures first: the worst may kill this process
        if lead in again:
            yield _alone(lead, work, at=at)


def _batches(leads: Iterator[UUID]) -> Iterator[list[UUID]]:
    while batch := list(islice(leads, BATCH)):
        yield batch


def _together(leads: Sequence[UUID], work: Work, *, at: datetime) -> int:
    batch = SweepBatch.objects.create(leads=leads, begun_at=at)  # committed: it survives this process
    try:
        done = work(leads)
    except Exception as error:
        batch.delete()
        if not is_fault_of_a_lead(error):
            raise
        logger.exception("%s leads could not be distributed together", len(leads), extra={"action": "batch_failed"})
        return sum(_alone(lead, work, at=at) for lead in leads)
    batch.delete()
    return done


def _alone(lead: UUID, work: Work, *, at: datetime) -> int:
    setback = _count(lead, at=at)
    try:
        done = work([lead])
    except Exception as error:
        if not is_fault_of_a_lead(error):
            Setback.objects.filter(pk=lead).update(attempts=F("attempts") - 1, next_try_at=at, set_aside_at=None)
            raise
        logger.exception("lead %s: try %s failed", lead, setback.attempts, extra={"action": "lead_failed"})
        Setback.objects.filter(pk=lead).update(error=f"{type(error).__name__}: {error}"[:500])
        return 0
    setback.delete()
    return done


def _count(lead: UUID, *, at: datetime) -> Setback:
    """Count the try before it is made, so that a lead that kills its worker is counted too."""
    setback, _ = Setback.objects.get_or_create(lead_id=lead, defaults={"next_try_at": at})
    if not setback.attempts:
        setback.error = "The worker died while it tried this lead."
    setback.attempts += 1
    if setback.attempts >= MOST_TRIES:
        setback.set_aside_at = at
    else:
        setback.next_try_at = at + PAUSES[setback.attempts - 1] * random.uniform(0.8, 1.2)  # nosec B311  # no secret
    setback.save()
    return setback


def is_fault_of_a_lead(error: Exception) -> bool:
    """Tell whether one lead may be to blame: not if a lock or the database was unavailable."""
    if isinstance(error, DatabaseError | InterfaceError):
        code = sqlstate(error)
        return code is not None and not code.startswith(NO_LEADS_FAULT)
    return not isinstance(error, Busy | ConfigurationChanged)


def suspect(*, at: datetime) -> None:
    """Give setbacks to the leads of batches whose sweep never ended, and delete setbacks that were overcome."""
    for batch in SweepBatch.objects.filter(begun_at__lt=at - LONGEST_BATCH):
        there = Lead.objects.filter(pk__in=batch.leads).values_list("pk", flat=True)
        suspects = [
            Setback(lead_id=lead, next_try_at=at, error="The worker died while it tried this lead.") for lead in there
        ]
        Setback.objects.bulk_create(suspects, ignore_conflicts=True)
        batch.delete()
    Setback.objects.overcome().delete()


def try_again(leads: Iterable[UUID] | None = None, *, at: datetime) -> int:
    """Let the next sweep try leads that were set aside as if for the first time; None: all. Return how many."""
    setbacks = Setback.objects.set_aside()
    if leads is not None:
        setbacks = setbacks.filter(pk__in=list(leads))
    return setbacks.update(attempts=0, next_try_at=at, set_aside_at=None)
