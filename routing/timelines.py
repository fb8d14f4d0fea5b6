"""Decisions as people read them: who could take the lead, who could not and why. A fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import add
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.db.models.fields.json import KT
from django.utils.translation import gettext

from accounts.models import Pause
from accounts.people.preferences import zone_beside

from . import engine, representations
from .engine import LEAD, Candidate, LeadFacts, Reason
from .models import Activity, Adjustment, Decision, Lead, LeadEdit, LeadEvent, Offer
from .representations import LEAD_ANSWERS
from .roster import Roster, rosters_of
from .wording import explanations
from .wording.explanations import CandidateFacts
from .wording.said import differences

EXPLAINED = (
    "lead__contact",
    "lead__company",
    "lineup",
    "registry__trigger",
)  # what a decision is joined with to be explained
MOST_TOLD = 100  # candidates of one decision that are told one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateInWords:
    """One candidate of a decision, in words and figures."""

    manager: int
    name: str
    chosen: bool
    eligible: bool
    words: str
    coefficient: int
    held: int
    limit: int | None
    before: float  # balance in leads
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInWords:
    id: int
    lead: UUID
    title: str  # of the lead
    at: datetime
    trigger: str
    registry: str
    method: str
    reason: str
    attempt: int
    assigned: bool
    chosen: int | None
    words: str  # what it came to, in a sentence
    candidates: tuple[CandidateInWords, ...]
    untold: int  # candidates beyond those told

    def of(self, manager_id: int) -> CandidateInWords | None:
        """Return what it says of one manager, or None: they were no candidate."""
        return next((told for told in self.candidates if told.manager == manager_id), None)


def explain(
    decisions: Iterable[Decision], roster: Roster, *, zone: ZoneInfo, of: int | None = None
) -> list[DecisionInWords]:
    """Explain decisions, each joined as EXPLAINED says.

    of: tell no more than what concerns this manager.
    """
    rows = list(decisions)
    then = Then(pauses=_pauses(rows), rosters=_rosters(rows, roster), edits=_edits(rows))
    return [_explain(row, roster, then, zone, of) for row in rows]


def why_not(decision: DecisionInWords, manager_id: int) -> str:
    """Return why the lead did not go to the manager, or why it did."""
    told = decision.of(manager_id)
    return told.words if told else explanations.not_a_member(decision.trigger)


Pauses = dict[int, list[tuple[datetime, datetime | None, datetime | None]]]
ASKED_THEN = {Reason.OFF_DUTY, Reason.NO_MATCH}  # refusals that only the schedules and skills of then explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """What was otherwise when decisions were made."""

    pauses: Pauses
    rosters: dict[int, Roster]  # by version; those that are needed
    edits: dict[
        UUID, list[tuple[int, dict[str, Any]]]
    ]  # of leads, newest first: the last decision before, values before

    def roster(self, row: Decision, now: Roster) -> Roster:
        """Return the configuration that decided; of a decision that does not say which, that of today."""
        return self.rosters.get(row.version, now) if row.version is not None else now

    def lead(self, row: Decision) -> dict[str, Any]:
        """Return the lead as the decision saw it."""
        values = dict(vars(row.lead))
        for last_decision, before in self.edits.get(row.lead_id, ()):
            if last_decision >= row.pk:
                values |= before
        return values


def _rosters(rows: Sequence[Decision], roster: Roster) -> dict[int, Roster]:
    needed = {row.version for row in rows if row.version is not None and ASKED_THEN & {*row.refusals.values()}}
    return rosters_of(needed, roster) if needed - {roster.version} else {}


def _edits(rows: Sequence[Decision]) -> dict[UUID, list[tuple[int, dict[str, Any]]]]:
    found: dict[UUID, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    unfit = {row.lead_id for row in rows if Reason.NO_MATCH in row.refusals.values()}
    if unfit:
        edits = LeadEdit.objects.filter(lead__in=unfit, last_decision__isnull=False).order_by("-id")
        for lead_id, last_decision, before in edits.values_list("lead_id", "last_decision", "before"):
            found[lead_id].append((last_decision or 0, before))
    return found


def _pauses(rows: Sequence[Decision]) -> Pauses:
    """Return the pauses of everybody who was on one when one of the decisions was made."""
    paused = {
        row.lineup.managers[int(place)]
        for row in rows
        for place, refusal in row.refusals.items()
        if refusal == Reason.PAUSED
    }
    found: Pauses = defaultdict(list)
    if not rows:
        return found
    first, last = min(row.at for row in rows), max(row.at for row in rows)
    pauses = Pause.objects.filter(Q(ended_at=None) | Q(ended_at__gt=first), manager__in=paused, started_at__lte=last)
    for manager_id, start, ends_at, ended_at in pauses.values_list("manager_id", "started_at", "ends_at", "ended_at"):
        found[manager_id].append((start, ends_at, ended_at))
    return found


def _explain(row: Decision, roster: Roster, then: Then, zone: ZoneInfo, of: int | None) -> DecisionInWords:
    reason, trigger = Reason(row.reason), roster.triggers[row.trigger_id]
    seen, after = _candidates_then(row, roster, then)
    why = partial(explanations.why, reason=reason, at=row.at, zone=zone, beside=zone_beside())
    told = [
        _candidate_in_words(c.manager, s, c.balance, balance, why(s))
        for c, s, balance in zip(representations.candidates_of(row), seen, after, strict=True)
        if of is None or c.manager == of or s.chosen
    ]
    shown = [t for n, t in enumerate(told) if n < MOST_TOLD or t.chosen or t.manager == of]
    return DecisionInWords(
        id=row.pk,
        lead=row.lead_id,
        title=row.lead.name or str(row.lead_id),
        at=row.at,
        trigger=trigger.code,
        registry=row.registry.label,
        method=row.method,
        reason=row.reason,
        attempt=row.attempt,
        assigned=row.chosen_id is not None,
        chosen=row.chosen_id,
        words=explanations.outcome(seen, reason=reason),
        candidates=tuple(shown),
        untold=len(told) - len(shown),
    )


def _candidate_in_words(manager: int, seen: CandidateFacts, before: int, after: int, words: str) -> CandidateInWords:
    return CandidateInWords(
        manager=manager,
        name=seen.name,
        chosen=seen.chosen,
        eligible=seen.refusal is None,
        words=words,
        coefficient=seen.coefficient,
        held=seen.held,
        limit=seen.limit,
        before=before / LEAD,
        after=after / LEAD,
    )


def _candidates_then(row: Decision, roster: Roster, then: Then) -> tuple[list[CandidateFacts], list[int]]:
    """Return the candidates as the words need them, and their balances after the decision."""
    candidates, refusals, after = representations.read_decision(row)
    owed = _dues(row, candidates, after)
    able = [amount for amount, refusal in zip(owed, refusals, strict=True) if refusal is None]
    tied = row.reason == Reason.FAIR_SHARE and sum(amount > max(able) - engine.REMAINDERS for amount in able) > 1
    people = []
    for c, refusal, amount in zip(candidates, refusals, owed, strict=True):
        back_at, endless = _back(row, c.manager, refusal, then.roster(row, roster), then.pauses)
        people.append(
            CandidateFacts(
                name=name_of(c.manager, roster),
                refusal=refusal,
                chosen=c.manager == row.chosen_id,
                coefficient=c.coefficient,
                held=c.held,
                limit=c.limit,
                owed=amount,
                received=c.received,
                tied=tied,
                back_at=back_at,
                endless=endless,
                lacks=_lacks(then.lead(row), c.manager, then.roster(row, roster)) if refusal is Reason.NO_MATCH else "",
            )
        )
    return people, after


def _dues(row: Decision, candidates: Sequence[Candidate], after: Sequence[int]) -> list[int]:
    """Return what was owed to each: by fair share with their share of this lead, before the chosen paid."""
    if row.reason != Reason.FAIR_SHARE:
        return [c.balance for c in candidates]
    paid = [LEAD if row.counted and c.manager == row.chosen_id else 0 for c in candidates]
    return list(map(add, after, paid))


def name_of(manager_id: int, roster: Roster) -> str:
    person = roster.managers.get(manager_id)
    return (person.name or person.email) if person else gettext("a deleted manager")


def _back(
    row: Decision, manager_id: int, refusal: Reason | None, roster: Roster, pauses: Pauses
) -> tuple[datetime | None, bool]:
    """Return when they were expected back at the time, and whether their pause had no end.

    roster: of then. Of a decision that does not know its version it is that of today; where that says otherwise of the
    instant than the decision, nothing is told.
    """
    if refusal is Reason.PAUSED:
        for start, ends_at, ended_at in pauses.get(manager_id, ()):
            if start <= row.at and (ended_at is None or row.at < ended_at) and (ends_at is None or row.at < ends_at):
                return ends_at, ends_at is None
    if refusal is Reason.OFF_DUTY and manager_id in roster.managers:
        members = roster.triggers[row.trigger_id].members if row.trigger_id in roster.triggers else ()
        schedule = next((m.schedule for m in members if m.manager == manager_id), None)
        duty = roster.managers[manager_id].duty_by(schedule)
        if not duty.on_duty(row.at):
            return duty.next_start(row.at), False
    return None, False


def _lacks(lead: dict[str, Any], manager_id: int, roster: Roster) -> str:
    """Return the skills that the lead needs and the manager lacks. roster: of then."""
    facts = LeadFacts.of(lead)
    needs, asked = facts.needs, facts.asked
    skills = roster.skills.get(manager_id, {})
    lacking = [skill for skill, has in skills.items() if not engine.matches({skill: has}, needs)]
    # A region is also asked for by a country without one.
    return ", ".join(f"{skill} {', '.join(asked.get(skill) or asked['country'])}" for skill in lacking)


# What happened to one lead


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened to a lead."""

    at: datetime
    kind: str  # one of KINDS
    words: str
    by: str = ""
    decision: DecisionInWords | None = None
    said: tuple[tuple[str, str], ...] = ()  # what somebody sent, by title


def timeline(lead: Lead, roster: Roster, *, zone: ZoneInfo, most: int = 100) -> list[Moment]:
    """Return what happened to a lead, oldest first; of each kind the latest where there are many.

    lead: joined with its source.
    """
    decisions = Decision.objects.filter(lead=lead).select_related(*EXPLAINED).order_by("-id")[:most]
    closed = Offer.objects.filter(lead=lead, closed_at__isnull=False).order_by("-id")[:most]
    events = LeadEvent.objects.filter(lead=lead).select_related("by").order_by("-id")[:most]
    # A credit back is an event of the lead already.
    adjusted = (
        Adjustment.objects.filter(lead=lead).exclude(kind=Adjustment.Kind.CREDIT_BACK).select_related("by")[:most]
    )
    activities = Activity.objects.filter(lead=lead).select_related("source").order_by("-at", "-pk")[:most]
    came = gettext("Arrived from %(source)s.") % {"source": lead.source.title or lead.source.code}
    moments = [Moment(at=lead.created_at, kind="arrived", words=came)]
    moments += [
        Moment(at=d.at, kind="decision", words=d.words, decision=d) for d in explain(decisions, roster, zone=zone)
    ]
    moments += [_answer(offer, roster) for offer in closed]
    moments += [_event(event, roster, zone) for event in events]
    moments += [_adjustment(adjustment, roster) for adjustment in adjusted]
    moments += [_activity(activity, lead) for activity in activities]
    return sorted(moments, key=lambda moment: (moment.at, KINDS.index(moment.kind)))


# Of one instant: what led to a decision comes before it, and what went along with the lead after it.
KINDS = ("arrived", "event", "offer", "decision", "along", "activity")


def _activity(activity: Activity, lead: Lead) -> Moment:
    beside: dict[str, Any] = {name: answer(getattr(lead, name)) for name, _path, answer in LEAD_ANSWERS}
    said = differences(
        activity.data,
        activity.as_sent,
        lead=beside if activity.kind == Activity.Kind.REPEAT else {},
        lead_as_sent=lead.as_sent,
    )
    return Moment(at=activity.at, kind="activity", words=activity_words(activity, differs=bool(said)), said=said)


def activity_words(activity: Activity, *, differs: bool = True) -> str:
    """Say what came after the lead, and why it is no lead. activity: joined with its source."""
    if activity.kind == Activity.Kind.REPEAT:
        words = (
            gettext("Sent twice within 10 minutes from %(source)s: one lead. This was different:")
            if differs
            else gettext("Sent twice within 10 minutes from %(source)s: one lead.")
        )
    else:
        words = gettext("Heard from again, from %(source)s (%(kind)s): an activity of this open lead, and no new lead.")
    source = activity.source
    return words % {
        "source": (source.title or source.code) if source else "–",
        "kind": activity.get_kind_display(),
    }


def _answer(offer: Offer, roster: Roster) -> Moment:
    words = {
        Offer.Outcome.ACCEPTED: gettext("%(name)s accepted it."),
        Offer.Outcome.DECLINED: gettext("%(name)s declined it: %(reason)s")
        if offer.reason
        else gettext("%(name)s declined it."),
        Offer.Outcome.TIMED_OUT: gettext("%(name)s did not accept it in time."),
        Offer.Outcome.WITHDRAWN: gettext("The offer to %(name)s was withdrawn."),
    }[Offer.Outcome(offer.outcome)]
    told = words % {"name": name_of(offer.manager_id, roster), "reason": offer.reason}
    assert offer.closed_at is not None  # nosec B101  # closed offers only
    return Moment(at=offer.closed_at, kind="offer", words=told)


def _adjustment(adjustment: Adjustment, roster: Roster) -> Moment:
    words = {
        Adjustment.Kind.BY_HAND: gettext("It was assigned by hand and cost %(name)s a turn."),
        Adjustment.Kind.REFUND: gettext(
            "%(name)s got the turn back: the registry does not count leads that were declined or timed out."
        ),
    }.get(Adjustment.Kind(adjustment.kind), gettext("The balance of %(name)s was adjusted (%(kind)s)."))
    told = words % {"name": name_of(adjustment.manager_id, roster), "kind": adjustment.get_kind_display()}
    return Moment(at=adjustment.at, kind="event", words=told, by=str(adjustment.by or ""))


def _event(event: LeadEvent, roster: Roster, zone: ZoneInfo) -> Moment:
    by = str(event.by) if event.by else ""
    kind = "along" if event.kind == LeadEvent.Kind.HANDED_ALONG else "event"
    return Moment(at=event.at, kind=kind, words=" ".join(filter(None, _event_words(event, roster, zone))), by=by)


def _event_words(event: LeadEvent, roster: Roster, zone: ZoneInfo) -> tuple[str, str]:
    """Return what happened, and the reason that somebody gave for it."""
    facts: dict[str, Any] = event.data
    Kind = LeadEvent.Kind
    words = {
        Kind.MOVED: gettext("Moved from %(from)s to %(to)s."),
        Kind.REASSIGNED: gettext("Assigned to %(name)s by hand."),
        Kind.HANDED_OVER: gettext("Handed over to %(name)s with a related lead."),
        Kind.HANDED_ALONG: _along_words(facts),
        Kind.HANDED_ALL: gettext("Handed over to %(name)s with all leads of a manager."),
        Kind.CREDITED_BACK: gettext("%(name)s got the turn back."),
        Kind.FIELDS_SET: gettext("The trigger %(trigger)s changed fields: %(fields)s."),
        Kind.DEADLINE_MOVED: gettext(
            "The working time of %(name)s changed: the lead is to be accepted by %(to)s, no longer by %(from)s."
        ),
    }.get(Kind(event.kind), f"{event.get_kind_display().capitalize()}.")
    whom = facts.get("manager") or facts.get("to")
    if event.kind == Kind.DEADLINE_MOVED:
        facts = facts | {key: _moment(facts[key], at=event.at, zone=zone) for key in ("from", "to")}
    told = {
        "name": name_of(whom, roster) if isinstance(whom, int) else "–",
        "from": facts.get("from"),
        "to": facts.get("to"),
        "trigger": facts.get("trigger"),
        "object": _object(facts.get("object")),
        "fields": ", ".join(facts["to"]) if isinstance(facts.get("to"), dict) else "",
    }
    return words % told, str(facts.get("reason") or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Succession:
    """A contact or company that somebody became responsible for, or nobody."""

    at: datetime
    former: str
    name: str
    lead: UUID  # with which it came
    by: str


def successions(id_: UUID, roster: Roster, *, most: int = 100) -> list[Succession]:
    """Return who was responsible for a contact or company, oldest first; the latest where there are many."""
    events = LeadEvent.objects.annotate(what=KT("data__id")).filter(kind=LeadEvent.Kind.HANDED_ALONG, what=str(id_))
    return [
        Succession(
            at=event.at,
            former=name_of(event.data["from"], roster) if event.data["from"] else "",
            name=name_of(event.data["to"], roster) if event.data["to"] else "",
            lead=event.lead_id,
            by=str(event.by or ""),
        )
        for event in reversed(events.select_related("by").order_by("-at", "-id")[:most])
    ]


def _along_words(facts: dict[str, Any]) -> str:
    if facts.get("from") is None:
        return gettext("%(object)s is now the responsibility of %(name)s.")
    if facts.get("to") is None:
        return gettext("%(object)s is again nobody's responsibility.")
    return gettext("%(object)s was also handed over to %(name)s.")


def _moment(instant: str, *, at: datetime, zone: ZoneInfo) -> str:
    return explanations.moment(datetime.fromisoformat(instant), at=at, zone=zone, beside=zone_beside())


def _object(kind: object) -> str:
    names = {"contact": gettext("The contact"), "company": gettext("The company"), "task": gettext("An open task")}
    return names.get(str(kind), gettext("Something related"))
