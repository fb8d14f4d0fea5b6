"""Move leads between stages; a stage's trigger distributes what is moved into it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from accounts.models import User
from routing.exceptions import NotFound, OfferClosed
from routing.locks import in_transaction
from routing.models import Lead, LeadEvent, Offer
from routing.roster import Roster, Rule, current

from .assignment import locked_lead, record
from .distribution import cases_of, distribute


@in_transaction
def move_lead(lead_id: UUID, stage_id: int, *, at: datetime, by: User | None = None, reason: str = "") -> Lead:
    """Move the lead into the stage; for the manager who has it offered that is to accept it.

    A trigger on the stage distributes the lead anew. Without one a waiting lead no longer waits.
    Raises NotFound; OfferClosed when the manager's time to accept is over.
    """
    roster = current()
    if stage_id not in roster.stages:
        raise NotFound("No such stage.")
    lead = locked_lead(lead_id)
    if lead.stage_id == stage_id:
        return lead
    _accept_by_moving(lead, at=at, by=by)
    data = {"from": roster.stages[lead.stage_id].path, "to": roster.stages[stage_id].path, "reason": reason}
    lead.stage_id = stage_id
    if lead.state != Lead.State.ASSIGNED:
        lead.state = Lead.State.ASSIGNED if lead.responsible_id else Lead.State.IDLE
    lead.save(update_fields=["stage", "state"])
    LeadEvent.objects.create(lead=lead, at=at, kind=LeadEvent.Kind.MOVED, by=by, data=data)
    rule = roster.rules_on.get((stage_id, "moved"))
    if rule is not None:
        _fire(rule, lead, roster, at=at)
    return Lead.objects.get(pk=lead.pk)


def _accept_by_moving(lead: Lead, *, at: datetime, by: User | None) -> None:
    offer = Offer.objects.open().filter(lead=lead).first()
    if offer is None:
        return
    if offer.accept_by <= at and by is not None and by.pk == offer.manager.user_id:
        raise OfferClosed("The time to accept this lead is over.")
    outcome = Offer.Outcome.ACCEPTED if offer.accept_by > at else Offer.Outcome.WITHDRAWN
    Offer.objects.open().filter(pk=offer.pk).update(closed_at=at, outcome=outcome)


def _fire(rule: Rule, lead: Lead, roster: Roster, *, at: datetime) -> None:
    """Begin a new round: whoever had the lead in another stage may have it here."""
    before = {name: lead.fields.get(name) for name in rule.set_fields}
    lead.round, lead.attempt, lead.fields = lead.round + 1, 0, {**lead.fields, **rule.set_fields}
    lead.save(update_fields=["round", "attempt", "fields"])
    if before != rule.set_fields:
        data = {"trigger": rule.code, "from": before, "to": rule.set_fields}
        LeadEvent.objects.create(lead=lead, at=at, kind=LeadEvent.Kind.FIELDS_SET, data=data)
    book, verdicts = distribute(cases_of([lead], rule), rule, roster, at=at)
    record(verdicts, rule, book, at=at)
