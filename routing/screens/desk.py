"""What a manager's page shows: their leads, their pause, where they stand, and why decisions went as they did.

Plain values, in a number of queries that does not grow with the leads. Nothing of other people's customers is in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.translation import gettext

from accounts.models import Manager, Pause
from accounts.people.preferences import zone_beside
from accounts.time import schedules
from accounts.time.agenda import Day, days_of
from accounts.time.availability import ManagerFacts, Stretch

from .. import engine
from ..candidates import look
from ..engine import Candidate, Reason
from ..models import Activity, Decision, Lead, Load, Offer, Stage
from ..representations import Point, names_of, points_of
from ..roster import Roster, TriggerTerms
from ..timelines import EXPLAINED, DecisionInWords, explain, name_of, why_not
from ..wording import explanations, sentences
from ..wording.explanations import CandidateFacts
from ..wording.said import differences
from .who import Reach, Sent, matched_words, reaches, sent_beside

HEARD_SINCE, MOST_HEARD = timedelta(days=7), 10  # of what people send after their leads
LATEST_DECISIONS = 1_000  # among which those that concern a manager are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stage that a lead can be moved on to."""

    path: str  # "sales/accepted"
    title: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A lead as its manager sees it in a list."""

    id: UUID
    title: str
    person: str
    company: str
    reaches: tuple[Reach, ...]  # all phones, e-mails and chats of the contact
    sent: tuple[Sent, ...]  # what came with the lead and differs
    shares_with: tuple[str, ...]  # others who have a number or an address of these
    matched: str  # how the contact was found, in words
    details: tuple[str, ...]  # product, budget
    source: str
    stage: str
    arrived_at: datetime
    accept_by: datetime | None  # None: not on offer
    overdue: bool
    seconds: int  # the whole time given to accept
    onward: Step | None  # the next stage of the pipeline
    others: tuple[Step, ...]  # its other stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Something that the person of one of the manager's leads sent after it."""

    lead: UUID
    title: str
    at: datetime
    kind: str
    source: str
    said: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerStanding:
    """Where the manager stands in one trigger."""

    trigger: str
    stage: str
    registry: str
    words: str
    obstacle: str  # why they could not take a lead now; "" they could
    held: int
    limit: int | None
    share: str  # their weight, where weights differ
    headline: str  # the trigger, in a sentence
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """A decision that concerned the manager, as far as it concerns them."""

    id: int
    at: datetime
    trigger: str
    outcome: str
    words: str
    won: bool
    lead: UUID | None  # where it is theirs now
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Whether leads come to the manager now, and if not, why and until when."""

    active: bool
    paused: bool
    paused_until: datetime | None
    pause_reason: str
    on_duty: bool
    next_change: datetime | None  # of duty


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    name: str
    zone: str
    status: Status
    held: int
    offers: tuple[Card, ...]
    heard: tuple[Heard, ...]
    leads: tuple[Card, ...]
    more_leads: int
    places: tuple[TriggerStanding, ...]
    concerns: tuple[Concern, ...]
    more_concerns: bool
    days: tuple[Day, ...]


def desk_of(manager: Manager, roster: Roster, *, at: datetime, leads: int, decisions: int) -> Desk:
    """Return the manager's page. manager: joined with user and schedule. leads, decisions: how many to show."""
    person = roster.managers[manager.pk]
    zone = zone_of(manager, roster)
    stages = {stage.pk: stage for stage in Stage.objects.select_related("pipeline")}
    held = Load.objects.filter(manager=manager, stage__in=roster.active_stages).aggregate(n=Sum("leads"))["n"] or 0
    offers, kept = _cards(manager, stages, at=at, most=leads)
    triggers = [trigger for trigger in roster.triggers.values() if manager.pk in trigger.managers]
    concerns = _concerns(manager, triggers, roster, zone, most=decisions + 1)
    pause = Pause.objects.running(at=at).filter(manager=manager).first()
    return Desk(
        name=str(manager),
        zone=str(zone),
        status=_status(manager, person, pause, at=at),
        held=held,
        offers=tuple(offers),
        heard=tuple(_latest_activities(manager, at=at)),
        leads=tuple(kept),
        more_leads=max(0, held - len(offers) - len(kept)),
        places=tuple(_places(manager, triggers, roster, pause, stages, zone, at=at)),
        concerns=tuple(concerns[:decisions]),
        more_concerns=len(concerns) > decisions,
        days=tuple(days_of(manager, person.duty, zone, at=at)),
    )


def zone_of(manager: Manager, roster: Roster) -> ZoneInfo:
    return schedules.zone(manager.time_zone) if manager.time_zone else roster.zone


def _status(manager: Manager, person: ManagerFacts, pause: Pause | None, *, at: datetime) -> Status:
    return Status(
        active=manager.active,
        paused=pause is not None,
        paused_until=pause.ends_at if pause else None,
        pause_reason=pause.reason if pause else "",
        on_duty=person.duty.on_duty(at),
        next_change=person.duty.next_change(at),
    )


# Leads


def leads_of(manager: Manager) -> QuerySet[Any]:
    """Return the leads that the manager may see, each with its open offer."""
    offers = Offer.objects.open().filter(lead=OuterRef("pk"))
    return Lead.objects.filter(responsible=manager).annotate(
        accept_by=Subquery(offers.values("accept_by")[:1]), offered_at=Subquery(offers.values("offered_at")[:1])
    )


def _cards(manager: Manager, stages: Mapping[int, Stage], *, at: datetime, most: int) -> tuple[list[Card], list[Card]]:
    """Return what is on offer, most urgent first, and what else the manager holds, newest first."""
    active = leads_of(manager).filter(stage__kind__in=Stage.ACTIVE).select_related("contact", "company", "source")
    offered = active.filter(state=Lead.State.OFFERED).order_by("accept_by", "pk")[:most]
    kept = active.filter(state=Lead.State.ASSIGNED).order_by("-created_at", "-pk")[:most]
    found = cards([*offered, *kept], stages, at=at)
    return found[: len(offered)], found[len(offered) :]


def cards(leads: Sequence[Any], stages: Mapping[int, Stage], *, at: datetime) -> list[Card]:
    """Return leads of `leads_of` as they are listed."""
    points = points_of(lead.contact_id for lead in leads if lead.contact_id)
    names = names_of(contact for lead in leads for contact in lead.shares_with)
    return [_card(lead, stages, points.get(lead.contact_id, ()), names, at=at) for lead in leads]


def _card(
    lead: Any, stages: Mapping[int, Stage], points: Sequence[Point], names: Mapping[UUID, str], *, at: datetime
) -> Card:
    contact, accept_by = lead.contact, lead.accept_by
    onward, others = _steps(stages[lead.stage_id], stages)
    return Card(
        id=lead.pk,
        title=str(lead),
        person=contact.name if contact else "",
        company=str(lead.company) if lead.company else "",
        reaches=reaches(points),
        sent=sent_beside(lead, points),
        shares_with=tuple(names[each] for each in lead.shares_with if names.get(each)),
        matched=matched_words(lead),
        details=tuple(filter(None, (lead.product, budget(lead)))),
        source=lead.source.title or lead.source.code,
        stage=title_of(stages[lead.stage_id]),
        arrived_at=lead.created_at,
        accept_by=accept_by,
        overdue=accept_by is not None and accept_by <= at,
        seconds=int((accept_by - lead.offered_at).total_seconds()) if accept_by else 0,
        onward=onward,
        others=others,
    )


def _latest_activities(manager: Manager, *, at: datetime) -> list[Heard]:
    """Return the last things that were sent after the manager's active leads, the newest first."""
    rows = Activity.objects.filter(
        lead__responsible=manager, lead__stage__kind__in=Stage.ACTIVE, created_at__gte=at - HEARD_SINCE
    ).exclude(kind=Activity.Kind.REPEAT)
    joined = rows.select_related("lead__contact", "lead__company", "source")
    return [_activity(row) for row in joined.order_by("-created_at", "-pk")[:MOST_HEARD]]


def _activity(row: Activity) -> Heard:
    return Heard(
        lead=row.lead_id,
        title=str(row.lead),
        at=row.at,
        kind=row.get_kind_display(),
        source=(row.source.title or row.source.code) if row.source else "–",
        said=differences(row.data, row.as_sent, lead={}, lead_as_sent=row.lead.as_sent),
    )


def budget(lead: Lead) -> str:
    return f"{lead.budget:,.2f} {lead.currency}".strip().replace(".00", "") if lead.budget is not None else ""


def title_of(stage: Stage) -> str:
    return stage.title or stage.code


def _steps(stage: Stage, stages: Mapping[int, Stage]) -> tuple[Step | None, tuple[Step, ...]]:
    """Return the next open stage of the pipeline, and the others that the lead is not in."""
    line = sorted((s for s in stages.values() if s.pipeline_id == stage.pipeline_id), key=lambda s: (s.position, s.pk))
    steps = {s.pk: Step(path=str(s), title=title_of(s), kind=s.kind) for s in line if s.pk != stage.pk}
    behind = (steps[s.pk] for s in line[line.index(stage) + 1 :])
    onward = next((step for step in behind if step.kind == Stage.Kind.OPEN), None)
    return onward, tuple(step for step in steps.values() if step != onward)


# Where they stand


def _places(
    manager: Manager,
    triggers: Sequence[TriggerTerms],
    roster: Roster,
    pause: Pause | None,
    stages: Mapping[int, Stage],
    zone: ZoneInfo,
    *,
    at: datetime,
) -> list[TriggerStanding]:
    looked = look(triggers, roster, at=at)
    stretch = (pause.started_at, pause.ends_at) if pause else None
    return [_place(manager.pk, trigger, *looked[trigger.id], stretch, roster, stages, zone, at) for trigger in triggers]


def _place(
    manager: int,
    trigger: TriggerTerms,
    turn: int,
    candidates: list[Candidate],
    pause: Stretch | None,
    roster: Roster,
    stages: Mapping[int, Stage],
    zone: ZoneInfo,
    at: datetime,
) -> TriggerStanding:
    mine = next(c for c in candidates if c.manager == manager)
    able = [c for c in candidates if engine.refusal(c) is None]
    line = [able[i].manager for i in engine.line(able, method=trigger.method, turn=turn)] if able else []
    seen = candidate_facts(mine, trigger, roster, pause, at=at)
    told = trigger_facts(trigger, roster, stages)
    return TriggerStanding(
        trigger=trigger.code,
        stage=title_of(stages[trigger.stage]),
        registry=trigger.registry_label,
        words=explanations.standing(
            seen,
            method=trigger.method,
            place=line.index(manager) + 1 if manager in line else None,
            line=len(line),
        ),
        obstacle=explanations.why(seen, reason=trigger.method, at=at, zone=zone, beside=zone_beside())
        if seen.refusal
        else "",
        held=mine.held,
        limit=mine.limit,
        share=_share(mine, trigger),
        headline=sentences.headline(told),
        details=tuple(sentences.details(told)),
    )


def candidate_facts(
    c: Candidate,
    trigger: TriggerTerms,
    roster: Roster,
    pause: Stretch | None,
    *,
    at: datetime,
    refusal: Reason | None = None,
) -> CandidateFacts:
    """Return a candidate as they are now, for the words. pause: the one that they are on."""
    refusal = refusal or engine.refusal(c)
    manager = roster.managers[c.manager]
    back_at = pause[1] if pause else None
    if refusal is Reason.OFF_DUTY:
        schedule = next((m.schedule for m in trigger.members if m.manager == c.manager), None)
        back_at = manager.duty_by(schedule).next_start(at)
    return CandidateFacts(
        name=name_of(c.manager, roster),
        refusal=refusal,
        coefficient=c.coefficient,
        held=c.held,
        limit=c.limit,
        owed=c.balance,
        received=c.received,
        back_at=back_at,
        endless=pause is not None and pause[1] is None,
    )


def trigger_facts(trigger: TriggerTerms, roster: Roster, stages: Mapping[int, Stage]) -> sentences.TriggerFacts:
    everybody = [m.coefficient for m in trigger.members]
    return sentences.TriggerFacts(
        stage=title_of(stages[trigger.stage]),
        on=trigger.on,
        method=trigger.method.value,
        coefficients=everybody,
        online_only=trigger.online_only,
        limit=max((m.limit for m in trigger.members if m.limit is not None), default=None),
        responsible_check=trigger.responsible_check,
        minutes=trigger.minutes,
        clock=trigger.clock,
        max_attempts=trigger.max_attempts,
        final_step=trigger.final_step,
        if_nobody=trigger.if_nobody,
        duty=name_of(trigger.duty, roster) if trigger.duty else "",
    )


def _share(mine: Candidate, trigger: TriggerTerms) -> str:
    if len(set(trigger.coefficients)) == 1 or not sum(trigger.coefficients):
        return ""
    percent = round(100 * mine.coefficient / sum(trigger.coefficients))
    return gettext("Your coefficient is %(mine)d: if everybody is available, you get %(percent)d %% of the leads.") % {
        "mine": mine.coefficient,
        "percent": percent,
    }


# Decisions


def _concerns(
    manager: Manager, triggers: Sequence[TriggerTerms], roster: Roster, zone: ZoneInfo, *, most: int
) -> list[Concern]:
    """Return the last decisions of the manager's triggers, and those that gave them a lead otherwise."""
    latest = Decision.objects.order_by("-id").values("id")[:LATEST_DECISIONS]
    mine = Q(trigger__in=[trigger.id for trigger in triggers]) | Q(chosen=manager)
    rows = Decision.objects.filter(mine, pk__in=latest).select_related(*EXPLAINED).order_by("-id")[:most]
    decisions = list(rows)
    told = explain(decisions, roster, zone=zone, of=manager.pk)
    return [_concern(row, decision, manager.pk) for row, decision in zip(decisions, told, strict=True)]


def _concern(row: Decision, decision: DecisionInWords, manager: int) -> Concern:
    mine = row.lead.responsible_id == manager
    return Concern(
        id=row.pk,
        at=decision.at,
        trigger=decision.trigger,
        outcome=decision.words,
        words=why_not(decision, manager),
        won=decision.chosen == manager,
        lead=row.lead_id if mine else None,
        title=str(row.lead) if mine else "",
    )


def age(span: timedelta) -> int:
    return int(span.total_seconds() // 60)
