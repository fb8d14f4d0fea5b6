"""Deadlines by working time follow the working time: days off, hours and schedules that change move those of open offers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db.models import OuterRef, Subquery

from routing import engine
from routing import roster as rosters
from routing.locks import in_transaction, lock_leads
from routing.models import Decision, LeadEvent, Offer
from routing.roster import Roster, TriggerTerms

AT_ONCE = 500  # offers in one transaction
# So long after a change of the configuration an offer may still be committed that was decided before it.
SETTLED_AFTER = timedelta(minutes=1)
_followed: tuple[int, datetime] | None = None  # the version of the configuration, and since when; of this process


class MovedDeadline(NamedTuple):
    """An open offer whose time to accept ends at another instant now."""

    offer: int
    lead: UUID
    manager: int
    before: datetime
    after: datetime


def follow_working_time(*, at: datetime) -> int:
    """Move the deadlines of open offers to where the working time of today puts them; return how many.

    A deadline is so many working minutes after the offer, as many as were asked then. If that would be over by now, all of
    them count anew, but the deadline is not later than it was.
    """
    global _followed
    roster = rosters.current()
    if _followed is None or _followed[0] != roster.version:
        _followed = (roster.version, at)
    elif at >= _followed[1] + SETTLED_AFTER:
        return 0
    moved = list(_deadlines_to_move(roster, at=at))
    done = sum(_move(moved[start : start + AT_ONCE], at=at) for start in range(0, len(moved), AT_ONCE))
    if done < len(moved):  # somebody is about to answer the others: they are looked at again
        _followed = (roster.version, at)
    return done


def _deadlines_to_move(roster: Roster, *, at: datetime) -> Iterator[MovedDeadline]:
    triggers = [terms.id for terms in roster.triggers.values() if terms.clock == "working"]
    decision = Decision.objects.filter(lead=OuterRef("lead"), at=OuterRef("offered_at"), chosen=OuterRef("manager"))
    offers = (
        Offer.objects.open().filter(trigger__in=triggers).annotate(version=Subquery(decision.values("version")[:1]))
    )
    rows = list(offers.values_list("pk", "lead_id", "manager_id", "trigger_id", "offered_at", "accept_by", "version"))
    then = rosters.rosters_of({row[-1] for row in rows if row[-1] is not None}, roster) if rows else {}
    asked: dict[tuple[int, int | None], TriggerTerms] = {}
    for offer, lead, manager, trigger, offered_at, before, version in rows:
        if (trigger, version) not in asked:
            asked[trigger, version] = _terms(roster.triggers[trigger], then.get(version))
        terms = asked[trigger, version]
        if terms.clock != "working" or terms.minutes is None:
            continue
        after = engine.deadline(terms, manager, at=offered_at) or before
        if after <= at < before:
            after = min(before, engine.deadline(terms, manager, at=at) or before)
        if after != before:
            yield MovedDeadline(offer, lead, manager, before, after)


def _terms(trigger: TriggerTerms, then: Roster | None) -> TriggerTerms:
    """Return the trigger with the time that it asked for when it decided. then: the configuration that decided, if known."""
    old = then.triggers.get(trigger.id) if then else None
    return replace(trigger, minutes=old.minutes, clock=old.clock) if old and old.minutes else trigger


@in_transaction
def _move(moved: Sequence[MovedDeadline], *, at: datetime) -> int:
    """Move the deadlines of those whose leads nobody holds just now, and tell it in the leads' stories."""
    held = {lead.pk for lead in lock_leads((each.lead for each in moved), skip_locked=True)}
    wanted = {each.offer: each for each in moved if each.lead in held}
    offers = list(Offer.objects.open().filter(pk__in=wanted))
    for offer in offers:
        offer.accept_by = wanted[offer.pk].after
    Offer.objects.bulk_update(offers, ["accept_by"])
    LeadEvent.objects.bulk_create(
        LeadEvent(
            lead_id=each.lead,
            at=at,
            kind=LeadEvent.Kind.DEADLINE_MOVED,
            data={"manager": each.manager, "from": each.before.isoformat(), "to": each.after.isoformat()},
        )
        for each in (wanted[offer.pk] for offer in offers)
    )
    return len(held)
