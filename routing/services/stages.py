"""Move leads between stages; a stage's trigger distributes what is moved into it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext

from accounts.models import User
from routing.exceptions import Conflict, NotFound, OfferClosed
from routing.locks import in_transaction
from routing.models import Lead, LeadEvent, Offer, Stage
from routing.roster import Roster, TriggerTerms, current

from .assignment import change_of_fields, follow, gain_by_hand, lock_lead, record
from .distribution import cases_of, distribute


@in_transaction
def move_lead(
    lead_id: UUID, stage_id: int, *, at: datetime, by: User | None = None, reason: str = "", theirs: bool = False
) -> Lead:
    """Move the lead into the stage; the manager who has it on offer thereby accepts it.

    A trigger on the stage distributes the lead anew. Without one a waiting lead no longer waits.
    theirs: the user may move it only while the lead is theirs.
    Raises NotFound; OfferClosed when the time to accept is over, or the lead went to somebody else meanwhile.
    """
    roster = current()
    lead = _lock(lead_id, stage_id, roster)
    if theirs and not (by and lead.responsible and lead.responsible.user_id == by.pk):
        raise OfferClosed(gettext("The lead went to somebody else."))
    if lead.stage_id != stage_id:
        at = _enter(lead, stage_id, roster, at=at, by=by, reason=reason)
        trigger = roster.rule_for(stage_id, "moved", lead.facts)
        if trigger is not None:
            _fire(trigger, lead, roster, at=at)
    return Lead.objects.get(pk=lead.pk)


@in_transaction
def qualify_lead(
    lead_id: UUID, stage_id: int, *, at: datetime, manager_id: int | None = None, by: User | None = None
) -> Lead:
    """Move an unqualified lead into a stage: to this manager, or to the one that the stage's trigger chooses.

    Raises NotFound; Conflict when the lead is no longer unqualified, or the manager is not active.
    """
    roster = current()
    lead = _lock(lead_id, stage_id, roster)
    if roster.stages[lead.stage_id].kind != Stage.Kind.UNQUALIFIED:
        raise Conflict(gettext("This lead is no longer unqualified."))
    if manager_id is not None and not (manager_id in roster.managers and roster.managers[manager_id].active):
        raise Conflict(gettext("The manager is not active."))
    before = lead.responsible_id
    at = _enter(lead, stage_id, roster, at=at, by=by)
    trigger = roster.rule_for(stage_id, "moved", lead.facts)
    if manager_id is not None:
        lead.give(manager_id, at=at)
        lead.save(update_fields=Lead.GIVEN)
        data = {"from": before, "to": manager_id, "counted": False, "reason": ""}
        LeadEvent.objects.create(lead=lead, at=at, kind=LeadEvent.Kind.REASSIGNED, by=by, data=data)
        follow([gain_by_hand(lead, manager_id, trigger=trigger)], at=at, by=by)
    elif trigger is not None:
        _fire(trigger, lead, roster, at=at)
    return Lead.objects.get(pk=lead.pk)


def _lock(lead_id: UUID, stage_id: int, roster: Roster) -> Lead:
    if stage_id not in roster.stages:
        raise NotFound(gettext("No such stage."))
    return lock_lead(lead_id)


def _enter(lead: Lead, stage_id: int, roster: Roster, *, at: datetime, by: User | None, reason: str = "") -> datetime:
    """Move the lead into the stage and record it; nobody is chosen. Return when it entered."""
    at = _accept_by_moving(lead, at=at, by=by)
    data = {"from": roster.stages[lead.stage_id].path, "to": roster.stages[stage_id].path, "reason": reason}
    lead.stage_id = stage_id
    if lead.state != Lead.State.ASSIGNED:
        lead.state = Lead.State.ASSIGNED if lead.responsible_id else Lead.State.IDLE
    lead.save(update_fields=["stage", "state"])
    LeadEvent.objects.create(lead=lead, at=at, kind=LeadEvent.Kind.MOVED, by=by, data=data)
    return at


def _accept_by_moving(lead: Lead, *, at: datetime, by: User | None) -> datetime:
    """Close an open offer; return when, for it may have been made while the move waited for the lock."""
    offer = Offer.objects.open().filter(lead=lead).first()
    if offer is None:
        return at
    if offer.accept_by <= at and by is not None and by.pk == offer.manager.user_id:
        raise OfferClosed(gettext("The time to accept this lead has run out."))
    outcome = Offer.Outcome.ACCEPTED if offer.accept_by > at else Offer.Outcome.WITHDRAWN
    Offer.objects.filter(pk=offer.pk).close(outcome, at=at)
    return max(at, offer.offered_at)


def _fire(trigger: TriggerTerms, lead: Lead, roster: Roster, *, at: datetime) -> None:
    """Begin a new round: whoever had the lead in another stage may have it here."""
    data = change_of_fields(lead.fields, trigger)
    lead.round, lead.attempt, lead.fields = lead.round + 1, 0, {**lead.fields, **trigger.set_fields}
    lead.save(update_fields=["round", "attempt", "fields"])
    if data:
        LeadEvent.objects.create(lead=lead, at=at, kind=LeadEvent.Kind.FIELDS_SET, data=data)
    record(distribute(cases_of([(lead, trigger.id)], roster), roster, at=at), roster, at=at)
