"""Hand over the leads of a manager who leaves or ends a shift: previewed, in bounded transactions, undone within a day.

The request does the first transaction, and the worker the others. They work from rows: a worker that is killed goes on.

The trigger of the lead's stage decides, else the one that distributed it last; or all leads go to one person. What
counts in registries is said in docs/rules.md, "Hand-overs".
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.db.models import QuerySet, prefetch_related_objects
from django.utils.translation import gettext

from accounts.models import User
from routing import engine
from routing.candidates import gather_candidates
from routing.engine import Case, Finally, Reason, Verdict
from routing.exceptions import Busy, Conflict, NotFound
from routing.locks import in_transaction, lock_leads, retry, sqlstate
from routing.models import Company, Contact, Decision, HandedLead, HandOver, Lead, LeadEvent, Offer, Task
from routing.roster import Roster, TriggerTerms, current

from .assignment import follow, gain_by_hand, record, take_back_turns
from .distribution import cases_of, distribute

AT_ONCE = 200  # leads in one transaction
MODELS: dict[str, type[Task] | type[Contact] | type[Company]] = {
    HandOver.Along.TASKS: Task,
    HandOver.Along.CONTACT: Contact,
    HandOver.Along.COMPANY: Company,
}

NO_TRIGGER, FAILED = "no_trigger", "failed"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HandOverLine:
    """The manager one lead goes to, or nobody, and why."""

    lead: Lead
    to: int | None
    why: str


def preview_hand_over(
    manager_id: int, *, at: datetime, to: int | None = None, stages: Collection[int] = ()
) -> list[HandOverLine]:
    """Return who would get which lead now. Nothing is written or locked. Raises Conflict, Busy."""
    return retry(lambda: _preview(manager_id, current(), at=at, to=to, stages=stages))


@in_transaction
def hand_over(
    manager_id: int,
    *,
    at: datetime,
    by: User | None = None,
    to: int | None = None,
    stages: Collection[int] = (),
    also: Collection[str] = (),
    reason: str = "",
) -> HandOver:
    """Begin to give the manager's leads of these stages (none: all active ones) to others; return the batch.

    The first AT_ONCE leads are given now. If there are more, the worker goes on (`continue_hand_over`).
    to: who gets all of them; None: the triggers decide. also: HandOver.Along, as far as it is the manager's.
    Raises Conflict.
    """
    _check(manager_id, to, current())
    batch = HandOver.objects.create(
        manager_id=manager_id,
        to_id=to,
        stages=sorted(stages),
        also=sorted(also),
        reason=reason,
        by=by,
        at=at,
        leads=_leads_of(manager_id, stages).count(),
    )
    _go_on(batch, at=at)
    return batch


@in_transaction
def undo_hand_over(batch_id: UUID, *, at: datetime, by: User | None = None) -> HandOver:
    """Begin to return the leads that have not moved on since; once, within a day. A hand-over that is going on ends.

    The first AT_ONCE leads are returned now. If there are more, the worker goes on.
    Raises NotFound, Conflict.
    """
    batch = HandOver.objects.select_for_update(of=("self",), no_key=True).filter(pk=batch_id).first()
    if batch is None:
        raise NotFound(gettext("No such hand-over."))
    if not batch.may_be_undone(at=at):
        raise Conflict(
            gettext("This hand-over was already undone.")
            if batch.undo_began_at
            else gettext("A hand-over can be undone only within a day.")
        )
    if not batch.manager.active:
        raise Conflict(gettext("The manager is not active."))
    batch.undo_began_at, batch.undone_by = at, by
    batch.save(update_fields=["undo_began_at", "undone_by"])
    _go_on(batch, at=at)
    return batch


def continue_hand_overs(*, at: datetime, blocks: int) -> None:
    """Give or return the next leads of the hand-overs that are going on, oldest first."""
    for batch_id in HandOver.objects.running().order_by("at").values_list("pk", flat=True):
        while blocks and continue_hand_over(batch_id, at=at):
            blocks -= 1


def continue_hand_over(batch_id: UUID, *, at: datetime) -> bool:
    """Give or return the next leads of a hand-over; tell whether there may be more."""
    try:
        return _continue(batch_id, at=at)
    except Busy:
        return False  # the next sweep goes on
    except Exception as error:
        if isinstance(error, DatabaseError | InterfaceError) and sqlstate(error) is None:
            raise  # the database went away
        logger.exception("leads of hand-over %s failed together", batch_id, extra={"action": "hand_over_failed"})
    try:
        return _continue(batch_id, at=at, most=1)
    except Busy:
        return False
    except Exception:
        logger.exception("a lead of hand-over %s failed", batch_id, extra={"action": "hand_over_lead_failed"})
        return _leave_next(batch_id)


@in_transaction
def _continue(batch_id: UUID, *, at: datetime, most: int | None = None) -> bool:
    batch = HandOver.objects.running().select_for_update(of=("self",), no_key=True).filter(pk=batch_id).first()
    return batch is not None and _go_on(batch, at=at, most=most)


def _go_on(batch: HandOver, *, at: datetime, most: int | None = None) -> bool:
    """Give or return the next leads of the locked batch; tell whether there may be more."""
    most = most or AT_ONCE
    undoing = batch.undo_began_at is not None
    more = (_undo_some(batch, at=at, most=most) if undoing else _hand_over_some(batch, at=at, most=most)) == most
    if not more:
        ended = "undone_at" if undoing else "finished_at"
        setattr(batch, ended, at)
        batch.save(update_fields=[ended])
    return more


@in_transaction
def _leave_next(batch_id: UUID) -> bool:
    """Leave the next lead, which fails alone, where it is."""
    batch = HandOver.objects.running().select_for_update(of=("self",), no_key=True).filter(pk=batch_id).first()
    if batch is None:
        return False
    if batch.undo_began_at is not None:
        line = _to_return(batch).first()
        return bool(line and HandedLead.objects.filter(pk=line.pk).update(undone=HandedLead.Undone.LEFT))
    lead = _to_give(batch).first()
    if lead is None:
        return False
    HandedLead.objects.create(batch=batch, lead=lead, stage_id=lead.stage_id, why=FAILED)
    return True


# Which leads, and by which trigger


def _check(manager_id: int, to: int | None, roster: Roster) -> None:
    if to is not None and (to == manager_id or to not in roster.managers or not roster.managers[to].active):
        raise Conflict(gettext("Choose another manager, who must be active."))


def _leads_of(manager_id: int, stages: Collection[int]) -> QuerySet[Lead]:
    leads = Lead.objects.active().filter(responsible=manager_id).best_first()
    return leads.filter(stage__in=stages) if stages else leads


def _by_trigger(leads: Iterable[Lead], roster: Roster) -> dict[int | None, list[Lead]]:
    """Group the leads by the trigger that decides on them, in the order in which registries are locked."""
    parts: dict[int | None, list[Lead]] = defaultdict(list)
    for lead in leads:
        facts = lead.facts
        on_stage = roster.rule_for(lead.stage_id, "moved", facts) or roster.rule_for(lead.stage_id, "created", facts)
        parts[on_stage.id if on_stage else lead.trigger_id].append(lead)
    return dict(
        sorted(parts.items(), key=lambda part: (roster.triggers[part[0]].registry if part[0] else 0, part[0] or 0))
    )


def _terms(trigger: TriggerTerms, leaving: int) -> TriggerTerms:
    """Return the trigger as it decides on a hand-over: without acceptance, and without contacts, companies and tasks."""
    if_nobody = Finally.WAIT if trigger.duty == leaving else trigger.if_nobody
    return replace(trigger, minutes=None, max_attempts=None, also_assign=[], if_nobody=if_nobody)


def _cases(leads: Sequence[tuple[Lead, int]], roster: Roster, leaving: int) -> list[Case]:
    """Return the leads as cases of a new round, in which only the one who leaves is passed by."""
    terms = {trigger: _terms(roster.triggers[trigger], leaving) for _, trigger in leads}
    return [
        replace(case, terms=terms[case.terms.id], round=case.round + 1, attempt=0, tried=frozenset({leaving}))
        for case in cases_of(leads, roster)
    ]


def _line(lead: Lead, verdict: Verdict) -> HandOverLine:
    return HandOverLine(lead, verdict.manager, verdict.decision.reason.value)


# The preview


def _preview(
    manager_id: int, roster: Roster, *, at: datetime, to: int | None, stages: Collection[int]
) -> list[HandOverLine]:
    _check(manager_id, to, roster)
    leads = list(_leads_of(manager_id, stages).select_related("contact", "company"))
    if to is not None:
        return [HandOverLine(lead, to, Reason.BY_HAND) for lead in leads]
    parts = [
        part
        for start in range(0, len(leads), AT_ONCE)
        for part in _by_trigger(leads[start : start + AT_ONCE], roster).items()
    ]
    order = [(lead, trigger) for trigger, part in parts for lead in part]  # in which they will be decided
    decided = [(lead, trigger) for lead, trigger in order if trigger is not None]
    verdicts: list[Verdict] = []
    if decided:
        triggers = [roster.triggers[id_] for id_ in dict.fromkeys(trigger for _, trigger in decided)]
        gathered = gather_candidates(triggers, roster, at=at, lock=False)
        verdicts = engine.run(_cases(decided, roster, manager_id), gathered.teams, at=at)
    return _lines(order, verdicts)


def _lines(order: Sequence[tuple[Lead, int | None]], verdicts: Iterable[Verdict]) -> list[HandOverLine]:
    """Return where each lead goes. verdicts: on those that have a trigger, in the same order."""
    following = iter(verdicts)
    return [
        HandOverLine(lead, None, NO_TRIGGER) if trigger is None else _line(lead, next(following))
        for lead, trigger in order
    ]


# Doing it


def _to_give(batch: HandOver) -> QuerySet[Lead]:
    return _leads_of(batch.manager_id, batch.stages).exclude(
        pk__in=HandedLead.objects.filter(batch=batch).values("lead")
    )


def _hand_over_some(batch: HandOver, *, at: datetime, most: int) -> int:
    """Hand over the next leads of the batch; return how many were looked at."""
    roster = current()
    if batch.to_id is not None and not roster.managers[batch.to_id].active:
        return 0  # they left meanwhile: the leads stay
    ids = list(_to_give(batch)[:most].values_list("pk", flat=True))
    locked = [lead for lead in lock_leads(ids) if lead.responsible_id == batch.manager_id]
    leads = sorted(locked, key=lambda lead: ids.index(lead.pk))
    lines = _by_hand(leads, batch, batch.to_id, at=at) if batch.to_id else _decide(leads, batch, roster, at=at)
    _write(lines, batch, at=at)
    return len(ids)


def _by_hand(leads: Sequence[Lead], batch: HandOver, to: int, *, at: datetime) -> list[HandOverLine]:
    Lead.objects.filter(pk__in=[lead.pk for lead in leads]).update(responsible=to, state=Lead.State.ASSIGNED)
    prefetch_related_objects(leads, "trigger")
    follow([gain_by_hand(lead, to) for lead in leads], at=at, by=batch.by)
    return [HandOverLine(lead, to, Reason.BY_HAND) for lead in leads]


def _decide(leads: Sequence[Lead], batch: HandOver, roster: Roster, *, at: datetime) -> list[HandOverLine]:
    order = [(lead, trigger) for trigger, part in _by_trigger(leads, roster).items() for lead in part]
    decided = [(lead, trigger) for lead, trigger in order if trigger is not None]
    if not decided:
        return _lines(order, [])
    found = distribute(_cases(decided, roster, batch.manager_id), roster, at=at, first=True)
    # What nobody could take stays where it is: it has a responsible, and so it does not wait.
    record(found._replace(verdicts=[v for v in found.verdicts if v.manager is not None]), roster, at=at)
    return _lines(order, found.verdicts)


def _write(lines: Sequence[HandOverLine], batch: HandOver, *, at: datetime) -> None:
    """Write what became of each lead, with what goes along, in the batch and in the leads' stories."""
    given = [line for line in lines if line.to is not None]
    Offer.objects.filter(lead__in=[line.lead.pk for line in given]).close(Offer.Outcome.WITHDRAWN, at=at)
    decisions = dict(
        Decision.objects.filter(lead__in=[line.lead.pk for line in given], at=at)
        .order_by("id")
        .values_list("lead", "pk")
    )
    along = _hand_along(given, batch, at=at)
    HandedLead.objects.bulk_create(
        HandedLead(
            batch=batch,
            lead=line.lead,
            stage_id=line.lead.stage_id,
            to_id=line.to,
            why=line.why,
            decision_id=decisions.get(line.lead.pk),
            along=along.get(line.lead.pk, {}),
        )
        for line in lines
    )
    told = {"from": batch.manager_id, "hand_over": str(batch.pk), "reason": batch.reason}
    LeadEvent.objects.bulk_create(
        LeadEvent(lead=x.lead, at=at, kind=LeadEvent.Kind.HANDED_ALL, by_id=batch.by_id, data=told | {"to": x.to})
        for x in given
    )


def _hand_along(lines: Sequence[HandOverLine], batch: HandOver, *, at: datetime) -> dict[UUID, dict[str, list[str]]]:
    """Give open tasks, contacts and companies of the one who leaves to those who get the leads; return what went."""
    went: dict[UUID, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    had_nobody = LeadEvent.objects.filter(
        lead__in=[line.lead.pk for line in lines], kind=LeadEvent.Kind.HANDED_ALONG, at=at, data__from=None
    )
    for lead, data in had_nobody.values_list("lead_id", "data"):  # they became responsible with the lead (`follow`)
        went[lead][data["object"]].append(data["id"])
    events: list[LeadEvent] = []
    for kind in batch.also:
        belongings: list[tuple[Any, HandOverLine]] = list(_belongings(kind, lines, batch.manager_id))
        for row, line in belongings:
            row.responsible_id = line.to
            went[line.lead.pk][kind].append(str(row.pk))
            data = {"object": kind.removesuffix("s"), "id": str(row.pk), "from": batch.manager_id, "to": line.to}
            events.append(
                LeadEvent(lead=line.lead, at=at, kind=LeadEvent.Kind.HANDED_ALONG, by_id=batch.by_id, data=data)
            )
        MODELS[HandOver.Along(kind)]._default_manager.bulk_update([row for row, _ in belongings], ["responsible"])
    LeadEvent.objects.bulk_create(events)
    return went


def _belongings(
    kind: str, lines: Sequence[HandOverLine], leaving: int
) -> Iterable[tuple[Task | Contact | Company, HandOverLine]]:
    """Yield what of this kind belongs to the leads and to the one who leaves, each with the lead that it goes with."""
    if kind == HandOver.Along.TASKS:
        by_lead = {line.lead.pk: line for line in lines}
        for task in Task.objects.open().filter(lead__in=list(by_lead), responsible=leaving):
            yield task, by_lead[task.lead_id]
        return
    model: type[Contact] | type[Company] = Contact if kind == HandOver.Along.CONTACT else Company
    first: dict[UUID, HandOverLine] = {}  # of several leads of one contact it goes with the first
    for line in lines:
        first.setdefault(getattr(line.lead, f"{kind}_id"), line)
    known = model._default_manager.select_for_update(no_key=True).order_by("pk")
    for row in known.filter(pk__in=[pk for pk in first if pk], responsible=leaving):
        yield row, first[row.pk]


# Undoing it


def _to_return(batch: HandOver) -> QuerySet[HandedLead]:
    return HandedLead.objects.filter(batch=batch, to__isnull=False, undone="").select_related("decision__lineup")


def _undo_some(batch: HandOver, *, at: datetime, most: int) -> int:
    """Return the next leads of the batch; tell how many were looked at."""
    lines = list(_to_return(batch)[:most])
    leads = {lead.pk: lead for lead in lock_leads(line.lead_id for line in lines)}
    back = [line for line in lines if line.lead_id in leads and _is_where_it_was_put(leads[line.lead_id], line)]
    left = {line.pk for line in lines} - {line.pk for line in back}
    HandedLead.objects.filter(pk__in=left).update(undone=HandedLead.Undone.LEFT)
    HandedLead.objects.filter(pk__in=[line.pk for line in back]).update(undone=HandedLead.Undone.BACK)
    Lead.objects.filter(pk__in=[line.lead_id for line in back]).update(responsible=batch.manager_id)
    _bring_back_along(back, batch, at=at)
    take_back_turns([line.decision for line in back if line.decision], at=at, by=batch.undone_by)
    told = {"to": batch.manager_id, "hand_over": str(batch.pk)}
    LeadEvent.objects.bulk_create(
        LeadEvent(
            lead_id=x.lead_id,
            at=at,
            kind=LeadEvent.Kind.HANDED_BACK,
            by_id=batch.undone_by_id,
            data=told | {"from": x.to_id},
        )
        for x in back
    )
    return len(lines)


def _is_where_it_was_put(lead: Lead, line: HandedLead) -> bool:
    return (lead.responsible_id, lead.stage_id, lead.state) == (line.to_id, line.stage_id, Lead.State.ASSIGNED)


def _bring_back_along(lines: Iterable[HandedLead], batch: HandOver, *, at: datetime) -> None:
    went: dict[tuple[str, int | None], dict[str, UUID]] = defaultdict(dict)
    for line in lines:
        for kind, ids in line.along.items():
            went[kind, line.to_id] |= dict.fromkeys(ids, line.lead_id)
    events: list[LeadEvent] = []
    for (kind, to), leads in went.items():
        theirs = MODELS[HandOver.Along(kind)]._default_manager.filter(pk__in=list(leads), responsible=to)
        for pk in map(str, theirs.values_list("pk", flat=True)):
            data = {"object": kind.removesuffix("s"), "id": pk, "from": to, "to": batch.manager_id}
            by = batch.undone_by_id
            events.append(LeadEvent(lead_id=leads[pk], at=at, kind=LeadEvent.Kind.HANDED_ALONG, by_id=by, data=data))
        theirs.update(responsible=batch.manager_id)
    LeadEvent.objects.bulk_create(events)
