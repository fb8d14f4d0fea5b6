"""Sweep: handle what is due. It works only from rows, so any number of sweeps may run, late or at once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from uuid import UUID

from django.db.models import Func, QuerySet, TextField

from routing import roster as rosters
from routing.exceptions import Busy
from routing.locks import ConfigurationChanged, in_transaction, lock_leads
from routing.models import Heartbeat, Lead, Offer

from .assignment import record
from .deadlines import follow_working_time
from .distribution import able, cases_of, distribute, still_waiting
from .hand_over import continue_hand_overs
from .imports import continue_imports
from .offers import close_offers
from .setbacks import is_fault_of_a_lead, isolate_failures, suspect

logger = logging.getLogger(__name__)

HANDED_OVER = 4  # blocks of hand-overs in one sweep
IMPORTED = 4  # blocks of imports in one sweep: deadlines come first, and again soon


@dataclass(slots=True)
class Swept:
    """What one sweep did."""

    expired: int = 0  # offers out of time
    given_back: int = 0  # open offers of who pauses or is inactive
    assigned: int = 0  # leads that waited


def sweep(*, at: datetime) -> Swept:
    """Move deadlines that follow working time, redistribute offers that ended or whose manager is away, assign waiting leads."""
    started, swept = monotonic(), Swept()
    suspect(at=at)
    _follow_working_time(at=at)  # ahead of what is overdue: a day off may have moved it
    swept.expired = _close(Offer.objects.overdue(at=at).order_by("accept_by"), Offer.Outcome.TIMED_OUT, at=at)
    swept.given_back = _close(Offer.objects.stranded(at=at).order_by("pk"), Offer.Outcome.WITHDRAWN, at=at)
    swept.assigned = sum(_assign_waiting(trigger, at=at) for trigger in _triggers_waited_for())
    beat("sweep", at=at, took_seconds=round(monotonic() - started, 3))
    continue_hand_overs(at=at, blocks=HANDED_OVER)
    continue_imports(at=at, blocks=IMPORTED)
    return swept


def _follow_working_time(*, at: datetime) -> None:
    try:
        follow_working_time(at=at)
    except Busy:
        pass  # the next sweep goes on
    except Exception as error:
        if not is_fault_of_a_lead(error):
            raise
        logger.exception("deadlines do not follow the working time", extra={"action": "deadlines_failed"})


def _close(offers: QuerySet[Offer], outcome: Offer.Outcome, *, at: datetime) -> int:
    def close(leads: Sequence[UUID]) -> int:
        ids = offers.order_by().filter(lead__in=leads).values_list("pk", flat=True)
        try:
            return close_offers(ids, outcome, at=at, skip_locked=True)
        except Busy:
            return 0  # the next sweep finds them

    return sum(isolate_failures(offers.values_list("lead_id", flat=True).iterator(), close, at=at))


def beat(name: str, *, at: datetime, took_seconds: float | None = None) -> None:
    """Record that something that must run is running."""
    Heartbeat.objects.update_or_create(name=name, defaults={"at": at, "took_seconds": took_seconds})


def _triggers_waited_for() -> list[int]:
    return list(Lead.objects.waiting().order_by("trigger_id").values_list("trigger_id", flat=True).distinct())


def _assign_waiting(trigger_id: int, *, at: datetime) -> int:
    """Assign what waits for the trigger, best score first, then oldest; leads that another sweep holds are passed by."""
    roster = rosters.current()
    trigger = roster.triggers[trigger_id]
    assigned, judged, writes = 0, set[UUID](), dict[UUID, str]()
    try:
        who = able(trigger, roster, at=at)
        fruitless = _fruitless_leads(trigger_id, (roster.version, who), at=at)
        rows = Lead.objects.waiting().filter(trigger=trigger_id).best_first().values_list("pk", LAST_WRITE)
        ids = (id_ for id_, write in rows.iterator() if fruitless.get(id_) != writes.setdefault(id_, write))
        batches = isolate_failures(ids, partial(_assign_batch, trigger_id=trigger_id, judged=judged, at=at), at=at)
        while able(trigger, roster, at=at):
            assigned += next(batches)
    except StopIteration:
        if not assigned and judged and able(trigger, roster, at=at) == who:
            _fruitless[trigger_id] = FruitlessLeads(
                (roster.version, who), fruitless | {id_: writes[id_] for id_ in judged}, at
            )
    except (Busy, ConfigurationChanged):
        pass  # the next sweep goes on
    except Exception as error:
        if not is_fault_of_a_lead(error):
            raise
        logger.exception("trigger %s cannot distribute", trigger_id, extra={"action": "trigger_failed"})
    return assigned


@dataclass(frozen=True, slots=True)
class FruitlessLeads:
    """Leads that the available members cannot take: they lack a skill or already had it, or no attempts are left."""

    who: tuple[int, frozenset[int]]  # version of the configuration, and who was able to take leads
    leads: dict[UUID, str]  # each with the transaction that wrote it: an edited lead is looked at again
    at: datetime


LAST_WRITE = Func(template="routing_lead.xmin::text", output_field=TextField())
FRUITLESS_FOR = timedelta(minutes=1)  # then they are looked at again: a contact may have got another owner
_fruitless: dict[int, FruitlessLeads] = {}  # by trigger; of this process, which only spares it work


def _fruitless_leads(trigger_id: int, who: tuple[int, frozenset[int]], *, at: datetime) -> dict[UUID, str]:
    """Return the leads that need no look: the last one was in vain, and nobody else has become able since."""
    last = _fruitless.get(trigger_id)
    fresh = last is not None and last.who == who and last.at <= at < last.at + FRUITLESS_FOR
    return last.leads if last is not None and fresh else {}


@in_transaction
def _assign_batch(ids: Sequence[UUID], *, trigger_id: int, judged: set[UUID], at: datetime) -> int:
    roster = rosters.current()
    cases = cases_of(still_waiting(lock_leads(ids, skip_locked=True), [trigger_id]), roster)
    if not cases:
        return 0
    distributed = distribute(sorted(cases, key=lambda c: c.best_first), roster, at=at, first=True)
    record(distributed, roster, at=at)
    judged.update(case.id for case in cases)  # not where a decision failed: that is tried again
    return sum(verdict.manager is not None for verdict in distributed.verdicts)
