"""Two who get leads of one contact at the same moment, on real connections: one becomes responsible, and it is told once.

Seen red with leadrouter_follow without `FOR NO KEY UPDATE` and its look at whether somebody is responsible by now: both are
told to have become so, in the orders in which the second waits for the first.
"""

from __future__ import annotations

import os
import random

import pytest
from django.db import connection

from routing import audit
from routing.models import Company, Contact, Lead, LeadEvent, Offer
from routing.services.deadlines import follow_working_time
from routing.services.intake import take_lead
from routing.services.offers import accept_offer
from tests.effort import by_night
from tests.factories import (
    DAY,
    MINUTE,
    MONDAY,
    asking_acceptance,
    form,
    make_company,
    make_contact,
    make_exception,
    make_manager,
    make_schedule,
    make_source,
    make_trigger,
    take,
)

from .interleaving import interleave, orders, sessions

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.thorough, pytest.mark.timeout(600)]

ANA, RUIZ = {"email": "ana@client.example"}, {"name": "Ruiz SL"}
EVERY = list(orders([4, 4]))
ORDERS = random.Random(int(os.environ.get("SEED", 1))).sample(EVERY, by_night(len(EVERY), by_day=8))
CLEAN = """
DELETE FROM routing_leadevent; DELETE FROM routing_offer; DELETE FROM routing_decision; DELETE FROM routing_lead;
UPDATE routing_contact SET responsible_id = NULL; UPDATE routing_company SET responsible_id = NULL;
UPDATE routing_ledger SET turn = 0, managers = '{}', balances = '{}', received = '{}', last_turns = '{}', added = 0;
"""


@pytest.fixture
def lent():
    with sessions(2) as lent:
        yield lent


@pytest.fixture
def ana():
    """Return Ana, whom nobody is responsible for, as nobody is for her company."""
    return make_contact(company=make_company())


def clean():
    with connection.cursor() as cursor:
        cursor.execute(CLEAN)


def two_offered():
    """Take two leads of Ana; they are on offer to two managers. Return how these accept."""
    clean()
    leads = [take(contact=ANA, company=RUIZ) for _ in range(2)]
    assert len({lead.responsible_id for lead in leads}) == 2
    return leads, [lambda lead=lead: accept_offer(lead.pk, at=MONDAY + MINUTE) for lead in leads]


def became_responsible():
    """Return who is responsible for contact and company, after looking whether the story says the same."""
    now = (Contact.objects.get().responsible_id, Company.objects.get().responsible_id)
    told = {kind: LeadEvent.objects.filter(kind="handed_along", data__object=kind) for kind in ("contact", "company")}
    assert [[(e.data["from"], e.data["to"]) for e in told[kind]] for kind in told] == [[(None, who)] for who in now]
    return now


def test_of_two_who_accept_at_once_one_becomes_responsible(lent, ana):
    make_trigger(
        members=[make_manager("ann"), make_manager("bob")],
        responsible_check=["contact", "company"],
        **asking_acceptance(),
    )
    winners = set()
    for order in ORDERS:
        leads, works = two_offered()
        assert interleave(lent, works, order) == ["done", "done"], order
        contact, company = became_responsible()
        assert contact == company, order
        assert contact in {lead.responsible_id for lead in leads}
        assert set(Lead.objects.values_list("state", flat=True)) == {"assigned"}
        winners.add(contact)
    assert len(winners) == 2  # not because one is always first
    assert list(audit.violations(decisions=False)) == []


def test_of_two_new_leads_that_go_by_different_registries_one_makes_their_manager_responsible(lent, ana):
    source = make_source()
    for code, name in (("new", "ann"), ("accepted", "bob")):
        make_trigger(code, on_stage=f"sales/{code}", members=[make_manager(name)], responsible_check=["contact"])

    def sending(stage):
        sent = form(contact=ANA, pipeline="sales", stage=stage)
        return lambda: take_lead(sent, source_id=source.pk, at=MONDAY)

    for order in ORDERS:
        clean()
        assert interleave(lent, [sending("new"), sending("accepted")], order) == ["done", "done"], order
        told = LeadEvent.objects.get(kind="handed_along")
        assert (told.data["from"], told.data["to"]) == (None, Contact.objects.get().responsible_id)


def test_of_two_who_accept_at_once_and_take_the_persons_leads_along_one_has_them_all(lent, ana):
    make_trigger(
        members=[make_manager("ann"), make_manager("bob")],
        also_assign=["contact", "contact_leads"],
        **asking_acceptance(),
    )
    for order in ORDERS[:4]:
        _, works = two_offered()
        assert sorted(interleave(lent, works, order)) == ["done", "offer-closed"], order
        [owner] = set(Lead.objects.values_list("responsible", flat=True))
        assert Contact.objects.get().responsible_id == owner
        assert sorted(Offer.objects.values_list("outcome", flat=True)) == ["accepted", "withdrawn"]
        assert list(audit.violations(decisions=False)) == []


def test_a_deadline_that_moves_while_the_lead_is_accepted(lent):
    ann = make_manager("ann", schedule=make_schedule())
    make_trigger(members=[ann], **asking_acceptance(60 * 20, acceptance_clock="working"))
    for order in ORDERS:
        clean()
        lead = take()
        off = make_exception(ann, on=(MONDAY + DAY).date())
        works = [lambda: follow_working_time(at=MONDAY), lambda lead=lead: accept_offer(lead.pk, at=MONDAY)]
        assert interleave(lent, works, order) == ["done", "done"], order
        offer = Offer.objects.get()
        moved = LeadEvent.objects.filter(kind="deadline_moved").exists()
        assert (offer.outcome, offer.accept_by) == ("accepted", MONDAY.replace(hour=12) + (3 if moved else 2) * DAY)
        off.delete()
