"""Offers: accept, decline, give back, time out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.utils.translation import gettext

from accounts.models import User
from routing.exceptions import NotAllowed, OfferClosed
from routing.locks import in_transaction, lock_leads, lock_ledgers, wait_no_longer_than
from routing.models import Lead, Offer, Trigger
from routing.roster import current

from .assignment import lock_lead, record, refund
from .distribution import cases_of, distribute

SOON = timedelta(milliseconds=100)


@in_transaction
def accept_offer(lead_id: UUID, *, at: datetime, by: User | None = None, offer_id: int | None = None) -> Lead:
    """Accept the lead for the manager it is offered to.

    by: who accepts; None: anybody who may. offer_id: only this offer, not a later one of the lead.
    Raises NotFound, OfferClosed, NotAllowed.
    """
    lead = lock_lead(lead_id)
    offer = _open_offer(lead, by=by)
    if offer_id not in (None, offer.pk):
        raise OfferClosed(gettext("This offer is closed."))
    if offer.accept_by <= at:
        raise OfferClosed(gettext("The time to accept this lead has run out."))
    _close(offer, Offer.Outcome.ACCEPTED, at=at)
    lead.state = Lead.State.ASSIGNED
    lead.save(update_fields=["state"])
    return lead


@in_transaction
def decline_offer(lead_id: UUID, *, at: datetime, reason: str = "", by: User | None = None) -> Lead:
    """Decline the lead for the manager it is offered to, and distribute it again at once.

    Raises NotFound, OfferClosed, NotAllowed.
    """
    lead = lock_lead(lead_id)
    offer = _open_offer(lead, by=by)
    if offer.accept_by <= at:
        raise OfferClosed(gettext("The time to accept this lead has run out."))
    _redistribute([offer], [lead], Offer.Outcome.DECLINED, at=at, reason=reason)
    return Lead.objects.get(pk=lead.pk)


def give_back_offers(manager_id: int, *, at: datetime) -> int:
    """Redistribute the open offers of a manager who pauses, unless the trigger keeps them; return how many.

    Raises Busy soon: a pause does not wait for locks, and the sweep gives the offers back too.
    """
    offers = Offer.objects.open().filter(manager=manager_id, trigger__on_pause=Trigger.OnPause.REDISTRIBUTE)
    ids = list(offers.values_list("pk", flat=True))
    return close_offers(ids, Offer.Outcome.WITHDRAWN, at=at, patience=SOON) if ids else 0


@in_transaction
def close_offers(
    ids: Iterable[int],
    outcome: Offer.Outcome,
    *,
    at: datetime,
    skip_locked: bool = False,
    patience: timedelta | None = None,
) -> int:
    """Close the offers that are still open, and distribute their leads again; return how many.

    patience: how long to wait for a lock; None: the usual time.
    """
    if patience is not None:
        wait_no_longer_than(patience)
    wanted = dict(Offer.objects.filter(pk__in=list(ids)).values_list("lead_id", "pk"))
    leads = lock_leads(wanted, skip_locked=skip_locked)
    still = Offer.objects.open().filter(pk__in=[wanted[lead.pk] for lead in leads])
    if outcome == Offer.Outcome.TIMED_OUT:
        still = still.overdue(at=at)  # a deadline may have moved meanwhile
    offers = {o.lead_id: o for o in still}
    leads = [lead for lead in leads if lead.pk in offers]
    _redistribute([offers[lead.pk] for lead in leads], leads, outcome, at=at)
    return len(leads)


def _open_offer(lead: Lead, *, by: User | None) -> Offer:
    offer = Offer.objects.open().filter(lead=lead).select_related("manager").first()
    if offer is None:
        raise OfferClosed(gettext("This lead is not on offer."))
    if by is not None and by.pk != offer.manager.user_id:
        if Offer.objects.filter(lead=lead, manager__user=by).exists():
            raise OfferClosed(gettext("Your offer is closed. The lead went to somebody else."))
        raise NotAllowed(gettext("This lead is offered to somebody else."))
    return offer


def _close(offer: Offer, outcome: Offer.Outcome, *, at: datetime, reason: str = "") -> None:
    if not Offer.objects.filter(pk=offer.pk).close(outcome, at=at, reason=reason):
        raise OfferClosed


def _redistribute(
    offers: Sequence[Offer], leads: Sequence[Lead], outcome: Offer.Outcome, *, at: datetime, reason: str = ""
) -> None:
    """Close the offers of these locked leads, and run each one's trigger again."""
    Offer.objects.filter(pk__in=[o.pk for o in offers]).close(outcome, at=at, reason=reason)
    at = max([at, *(o.offered_at for o in offers)])  # one may have been made while this waited for the lock
    roster = current()
    again = [(lead, offer.trigger_id) for offer, lead in zip(offers, leads, strict=True)]
    again.sort(key=lambda each: (roster.triggers[each[1]].registry, each[1]))
    lock_ledgers({roster.triggers[trigger].registry for _, trigger in again})
    managers = {offer.lead_id: offer.manager_id for offer in offers}
    missed: dict[int, dict[UUID, int]] = defaultdict(dict)  # by registry
    for lead, trigger in again:
        if roster.triggers[trigger].refund_missed:
            missed[roster.triggers[trigger].registry][lead.pk] = managers[lead.pk]
    for registry, let_go in missed.items():
        refund(let_go, registry, at=at)
    if again:
        record(distribute(cases_of(again, roster), roster, at=at), roster, at=at)
