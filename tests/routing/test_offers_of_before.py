"""Offers in flight at an upgrade: the release before moved contact, company, tasks and leads with the offer itself."""

import pytest
from django.db import connection

from accounts.models import Manager
from routing.models import Decision, LeadEvent, Offer, Task
from routing.services.assignment import Gain, follow
from routing.services.offers import accept_offer, decline_offer
from routing.services.stages import move_lead
from tests.factories import (
    DAY,
    MINUTE,
    MONDAY,
    asking_acceptance,
    fresh,
    make_company,
    make_contact,
    make_lead,
    make_manager,
    make_task,
    make_trigger,
    open_offer,
    outcomes,
    owners,
    stage,
    take,
)

pytestmark = pytest.mark.django_db

ALL = ["contact", "company", "tasks", "contact_leads", "company_leads"]
LATER = MONDAY + MINUTE


@pytest.fixture
def world():
    """Return a lead that the release before offered to Ann, with all that it took along."""
    ann, bob, other = make_manager("ann"), make_manager("bob"), make_manager("max")
    trigger = make_trigger(members=[ann, bob], also_assign=ALL, **asking_acceptance())
    company, contact = make_company(responsible=other), make_contact(responsible=other)
    waiting = take(contact={"email": "ana@client.example"})
    rows = {
        "accepted": make_lead(contact=contact, state="assigned", responsible=other),
        "idle": make_lead(contact=contact),
        "offered": waiting,
        "nobodys": make_lead(company=company),
    }
    lead = take(contact={"email": "ana@client.example"}, company={"name": "Ruiz SL"})
    task = make_task(lead, responsible=other)
    offer = open_offer(lead)
    follow([Gain(lead.pk, offer.manager_id, contact.pk, company.pk, ALL, [])], at=offer.offered_at)
    world = {**rows, "lead": lead, "contact": contact, "company": company, "task": task, "trigger": trigger}
    assert owners(list(rows.values())) == "BBBB"
    return world


def whose(world):
    for name in ("contact", "company", "task"):
        world[name].refresh_from_db()
    return "".join(world[name].responsible.user.name[0] for name in ("contact", "company", "task"))


def test_accepted_all_of_it_stays_and_is_told_once(world):
    before = LeadEvent.objects.count()
    accept_offer(world["lead"].pk, at=LATER)
    assert (whose(world), owners([world[n] for n in ("accepted", "idle", "offered", "nobodys")])) == ("BBB", "BBBB")
    assert LeadEvent.objects.count() == before


def test_declined_it_goes_back_to_whom_it_was_taken_from(world):
    decline_offer(world["lead"].pk, at=LATER)
    assert whose(world) == "MMM"
    assert owners([world["accepted"], world["lead"]]) == "MA"
    assert [fresh(world[name]).state for name in ("accepted", "idle", "nobodys")] == ["assigned", "idle", "idle"]
    assert fresh(world["offered"]).state in ("waiting", "offered")  # it had been on offer: it is distributed again
    told = LeadEvent.objects.filter(lead=world["lead"], kind="handed_along", at=LATER)
    assert sorted(e.data["object"] for e in told) == ["company", "contact", "task"]
    assert LeadEvent.objects.filter(lead=world["accepted"]).latest("id").kind == "handed_back"


def test_what_moved_on_since_stays_where_it_is(world):
    ann = Manager.objects.get(user__name="Ann")
    for row in (world["contact"], world["task"]):
        row.responsible = ann
        row.save(update_fields=["responsible"])
    decline_offer(world["lead"].pk, at=LATER)
    assert whose(world) == "AMA"


def test_processes_of_the_release_before_accept_offers_of_this_one():
    ann, other = make_manager("ann"), make_manager("max")
    make_trigger(members=[ann], also_assign=["contact", "tasks"], **asking_acceptance())
    contact = make_contact(responsible=other)
    lead = take(contact={"email": "ana@client.example"})
    make_task(lead, responsible=other)
    Offer.objects.filter(lead=lead).close(Offer.Outcome.ACCEPTED, at=LATER)  # that was all of it
    contact.refresh_from_db()
    assert (contact.responsible, Task.objects.get().responsible) == (ann, ann)


def test_a_day_after_the_upgrade_nobody_looks_for_it_any_more():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substring(pg_get_triggerdef(oid) FROM 'offered_at < ''([^'']+)''')::timestamptz"
            " BETWEEN now() - interval '30 days' AND now() + interval '1 day' FROM pg_trigger WHERE tgname = 'give_back'"
        )
        assert cursor.fetchone() == (True,)
    ann, other = make_manager("ann"), make_manager("max")
    make_trigger(members=[ann], **asking_acceptance())
    contact = make_contact(responsible=other)
    at = MONDAY + 4_000 * DAY
    lead = take(at=at, contact={"email": "ana@client.example"})
    follow([Gain(lead.pk, ann.pk, contact.pk, None, ["contact"], [])], at=at)
    decline_offer(lead.pk, at=at)
    contact.refresh_from_db()
    assert (outcomes(lead), contact.responsible) == (["declined"], ann)


def test_who_accepted_by_moving_it_and_lets_the_next_offer_go_keeps_what_followed():
    ann, other = make_manager("ann"), make_manager("max")
    make_trigger(members=[ann], also_assign=["contact"], **asking_acceptance())
    make_trigger("next", on_stage="sales/accepted", members=[ann], **asking_acceptance())
    contact = make_contact(responsible=other)
    lead = take(contact={"email": "ana@client.example"})
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY)
    decline_offer(lead.pk, at=LATER)
    contact.refresh_from_db()
    assert (outcomes(lead), contact.responsible) == (["accepted", "declined"], ann)
    assert Decision.objects.filter(lead=lead).count() == 3
