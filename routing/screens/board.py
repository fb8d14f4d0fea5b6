"""What the supervisors' board shows: who can take leads now, what waits and why, what is on offer, who got what today.

Plain values, in a number of queries that grows with neither leads nor managers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext

from accounts.models import Manager, Pause
from accounts.time import periods
from accounts.time.availability import is_online

from .. import engine
from ..candidates import look
from ..engine import Candidate
from ..models import Decision, Lead, Load, Offer, Stage, waiting_since
from ..roster import Roster, TriggerTerms
from ..timelines import name_of
from ..wording import explanations
from .desk import age, title_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """A trigger in which a manager is at the limit."""

    trigger: str
    words: str  # "10 of 10 leads"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerNow:
    id: int
    name: str
    email: str
    state: str  # ready, paused, off_duty, inactive
    paused_until: datetime | None
    pause_reason: str
    next_change: datetime | None  # of duty
    online: bool
    seen_minutes: int | None  # since they were last seen; None: never
    held: int
    full: tuple[Full, ...]
    received: int  # leads today
    taken: int  # of the offers of today: accepted
    missed: int  # declined, or out of time


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A lead that nobody could take."""

    id: UUID
    title: str
    stage: str
    trigger: str
    minutes: int  # since it began to wait
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An open offer."""

    id: UUID
    title: str
    manager: str
    attempt: int
    accept_by: datetime
    seconds: int
    overdue: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many managers are what."""

    ready: int  # could take a lead: active, not paused, on duty
    paused: int
    off_duty: int
    online: int
    full: int  # ready, and at the limit in some trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    zone: str
    managers: tuple[ManagerNow, ...]
    counts: Counts
    waiting: tuple[Waiting, ...]
    waiting_count: int
    offers: tuple[Pending, ...]
    offers_count: int
    most_received: int

    @property
    def by_received(self) -> list[ManagerNow]:
        """Return who got leads today, or could have, most leads first."""
        some = [c for c in self.managers if c.received or c.state != "inactive"]
        return sorted(some, key=lambda c: -c.received)


def board_of(roster: Roster, *, at: datetime, most: int) -> Board:
    """Return the board. most: how many waiting leads and open offers to show."""
    stages = {stage.pk: stage for stage in Stage.objects.select_related("pipeline")}
    looked = look(list(roster.triggers.values()), roster, at=at)
    managers = _managers(roster, looked, at=at)
    return Board(
        zone=str(roster.zone),
        managers=tuple(managers),
        counts=_counts(managers),
        waiting=tuple(_waiting(roster, looked, stages, at=at, most=most)),
        waiting_count=Lead.objects.waiting().count(),
        offers=tuple(_pending(roster, at=at, most=most)),
        offers_count=Offer.objects.open().count(),
        most_received=max((c.received for c in managers), default=0),
    )


STATES = ("ready", "paused", "off_duty", "inactive")  # those whom leads reach before those whom none do
Looked = Mapping[int, tuple[int, list[Candidate]]]


# Managers


def _managers(roster: Roster, looked: Looked, *, at: datetime) -> list[ManagerNow]:
    today = _today(roster, at=at)
    pauses = {pause.manager_id: pause for pause in Pause.objects.running(at=at)}
    last_seen = dict(Manager.objects.values_list("pk", "last_seen_at"))
    full = _full(roster, looked)
    found = []
    for manager in roster.managers.values():
        pause, seen_at = pauses.get(manager.id), last_seen.get(manager.id)
        found.append(
            ManagerNow(
                id=manager.id,
                name=name_of(manager.id, roster),
                email=manager.email,
                state=manager.unavailable(at, paused=pause is not None) or "ready",
                paused_until=pause.ends_at if pause else None,
                pause_reason=pause.reason if pause else "",
                next_change=manager.duty.next_change(at),
                online=is_online(seen_at, at=at, minutes=roster.account.online_minutes),
                seen_minutes=age(at - seen_at) if seen_at else None,
                full=full.get(manager.id, ()),
                **{column: counts.get(manager.id, 0) for column, counts in today.items()},
            )
        )
    return sorted(found, key=lambda c: (STATES.index(c.state), c.name.casefold(), c.id))


def _today(roster: Roster, *, at: datetime) -> dict[str, dict[int, int]]:
    """Return what each manager holds, got today, and what became of the offers of today."""
    began_at = periods.began_at("day", at, roster.zone)
    held = Load.objects.filter(stage__in=roster.active_stages).values_list("manager").annotate(n=Sum("leads"))
    got = Decision.objects.filter(at__gte=began_at, outcome=Decision.Outcome.ASSIGNED).values_list("chosen")
    offered = Offer.objects.filter(offered_at__gte=began_at).values_list("manager")
    missed = Q(outcome__in=[Offer.Outcome.DECLINED, Offer.Outcome.TIMED_OUT])
    answers = offered.annotate(
        taken=Count("pk", filter=Q(outcome=Offer.Outcome.ACCEPTED)), missed=Count("pk", filter=missed)
    )
    taken_and_missed = list(answers.values_list("manager", "taken", "missed"))
    return {
        "held": dict(held.values_list("manager", "n")),
        "received": dict(got.annotate(n=Count("lead", distinct=True)).values_list("chosen", "n")),
        "taken": {manager: taken for manager, taken, _ in taken_and_missed},
        "missed": {manager: lost for manager, _, lost in taken_and_missed},
    }


def _full(roster: Roster, looked: Looked) -> dict[int, tuple[Full, ...]]:
    """Return the triggers in which each manager is at the limit."""
    full: dict[int, tuple[Full, ...]] = {}
    for rule_id, (_, candidates) in looked.items():
        for c in candidates:
            if c.limit is not None and c.held >= c.limit:
                told = Full(trigger=roster.triggers[rule_id].code, words=explanations.full(c.held, c.limit))
                full[c.manager] = (*full.get(c.manager, ()), told)
    return full


def _counts(managers: Sequence[ManagerNow]) -> Counts:
    return Counts(
        ready=sum(c.state == "ready" for c in managers),
        paused=sum(c.state == "paused" for c in managers),
        off_duty=sum(c.state == "off_duty" for c in managers),
        online=sum(c.online for c in managers),
        full=sum(bool(c.full) and c.state == "ready" for c in managers),
    )


# Leads


def _waiting(roster: Roster, looked: Looked, stages: Mapping[int, Stage], *, at: datetime, most: int) -> list[Waiting]:
    """Return the waiting leads in the order in which they will be assigned, and why nobody takes them now."""
    waiting = Lead.objects.waiting().select_related("contact", "company").annotate(since=waiting_since())
    leads = list(waiting.best_first()[:most])
    tried: dict[UUID, set[int]] = defaultdict(set)
    had = Offer.objects.filter(lead__in=[lead.pk for lead in leads], round=F("lead__round"))
    for lead_id, manager_id in had.values_list("lead_id", "manager_id"):
        tried[lead_id].add(manager_id)
    return [
        Waiting(
            id=lead.pk,
            title=str(lead),
            stage=title_of(stages[lead.stage_id]),
            trigger=roster.triggers[lead.trigger_id].code,
            minutes=age(at - lead.since),  # type: ignore[attr-defined]  # annotated
            why=_why(lead, roster.triggers[lead.trigger_id], looked[lead.trigger_id][1], tried[lead.pk]),
        )
        for lead in leads
        if lead.trigger_id
    ]


def _why(lead: Lead, trigger: TriggerTerms, candidates: Sequence[Candidate], tried: set[int]) -> str:
    """Return why nobody takes the lead now, summed up."""
    if not engine.attempts_left(attempt=lead.attempt, max_attempts=trigger.max_attempts):
        return gettext("It has no attempts left. Move it or reassign it.")
    needs = lead.facts.needs
    refusals = [engine.refusal(_as_found(c, trigger, needs, tried)) for c in candidates]
    if None in refusals:
        return gettext("It will be assigned within seconds.")
    why = explanations.summarise([refusal for refusal in refusals if refusal])
    return gettext("Nobody can take it: %(why)s.") % {"why": why}


def _as_found(c: Candidate, trigger: TriggerTerms, needs: Mapping[str, frozenset[str]], tried: set[int]) -> Candidate:
    """Return a candidate as one lead finds them: whether they have its skills, whether they had it before."""
    fits = engine.matches(trigger.skills_by_id.get(c.manager, {}), needs)
    return c._replace(matches=fits, tried=c.manager in tried)


def _pending(roster: Roster, *, at: datetime, most: int) -> list[Pending]:
    offers = Offer.objects.open().select_related("lead__contact", "lead__company").order_by("accept_by", "pk")[:most]
    return [
        Pending(
            id=offer.lead_id,
            title=str(offer.lead),
            manager=name_of(offer.manager_id, roster),
            attempt=offer.lead.attempt,
            accept_by=offer.accept_by,
            seconds=int((offer.accept_by - offer.offered_at).total_seconds()),
            overdue=offer.accept_by <= at,
        )
        for offer in offers
    ]
