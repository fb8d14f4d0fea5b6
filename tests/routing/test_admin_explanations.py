"""What the admin says of decisions and standings, in words that people read."""

import pytest

from accounts.models import Pause
from accounts.services import pause_manager, resume_manager
from accounts.time import clock
from routing import engine
from routing.admin.configuration import standings
from routing.models import Decision, Registry
from routing.representations import read_decision
from routing.services.assignment import credit_back, reassign
from tests.factories import (
    HOUR,
    MINUTE,
    MONDAY,
    make_manager,
    make_registry,
    make_schedule,
    make_supervisor,
    make_trigger,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sue(client):
    supervisor = make_supervisor()
    client.force_login(supervisor)
    return supervisor


def text(client, address):
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_a_lead_tells_of_everybody_why_or_why_not(client, sue):
    ann, bob, cid = make_manager("ann"), make_manager("bob"), make_manager("cid")
    dot = make_manager("dot", schedule=make_schedule(weekly={"tue": ["09:00-18:00"]}))
    make_trigger(members=[ann, {"manager": bob, "limit": 0}, cid, dot])
    pause_manager(ann, at=MONDAY, minutes=90)
    lead = take(at=MONDAY)
    page = text(client, f"/admin/routing/lead/{lead.pk}/change/")
    assert "Cid got it: nobody else could take it." in page
    for words in ("paused until 11:30", "0 of 0 leads", "off duty, next on duty Tue 3 Mar, 09:00"):
        assert words in page
    assert "chosen: was owed 1 lead" in page


def test_a_pause_is_told_as_it_was_known_when_it_was_decided(client, sue):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob])
    pause_manager(ann, at=MONDAY, minutes=90)
    lead = take(at=MONDAY + MINUTE)
    resume_manager(ann, at=MONDAY + 2 * MINUTE)
    pause_manager(ann, at=MONDAY + HOUR)
    assert Pause.objects.count() == 2
    assert "paused until 11:30" in text(client, f"/admin/routing/lead/{lead.pk}/change/")


def test_why_not_is_answered_for_any_manager(client, sue):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann])
    lead = take(at=MONDAY)
    address = f"/admin/routing/lead/{lead.pk}/change/"
    assert "not a member of the trigger new-leads" in text(client, f"{address}?why={bob.pk}")
    assert "not a member" not in text(client, f"{address}?why={ann.pk}")
    for nonsense in ("x", "9" * 40, ""):
        assert client.get(address, {"why": nonsense}).status_code == 200


def test_due_is_the_sum_of_the_shares_of_all_leads_that_one_could_have_taken(sue):
    """Read from the ledger alone, it is what adding up every decision gives, to the billionth."""
    ann, bob, cid = make_manager("ann"), make_manager("bob"), make_manager("cid")
    trigger = make_trigger(members=[(ann, 3), (bob, 2), (cid, 2)], registry=make_registry())
    take_some(5, at=MONDAY)
    pause_manager(bob, at=MONDAY + MINUTE)
    leads = take_some(4, at=MONDAY + 2 * MINUTE)
    resume_manager(bob, at=MONDAY + 3 * MINUTE)
    credit_back(leads[0].pk, at=MONDAY + 4 * MINUTE, by=sue, reason="junk")
    reassign(leads[1].pk, bob.pk, at=MONDAY + 5 * MINUTE, by=sue, count=True)
    take_some(6, at=MONDAY + 6 * MINUTE)
    due = dict.fromkeys((ann.pk, bob.pk, cid.pk), 0)
    for decision in Decision.objects.all():
        for candidate, _, after in zip(*read_decision(decision), strict=True):
            paid = engine.LEAD if candidate.manager == decision.chosen_id else 0
            due[candidate.manager] += after + paid - candidate.balance
    rows = standings(trigger.registry)["standings"]
    assert {row["manager"].pk: round(row["due"] * engine.LEAD) for row in rows} == due
    assert sum(row["received"] for row in rows) == 15
    assert {row["manager"].pk: row["adjusted"] for row in rows}[bob.pk] == -1


def test_a_registry_shows_its_last_decisions(client, sue):
    registry = make_registry()
    make_trigger(members=[make_manager("ann")], registry=registry)
    lead = take(at=MONDAY)
    page = text(client, f"/admin/routing/registry/{registry.pk}/change/")
    assert "Ann got it" in page
    assert f"/admin/routing/lead/{lead.pk}/change/" in page
    assert Registry.objects.count() == 2  # and the trigger's own


def test_decisions_of_a_manager_who_is_gone_from_the_trigger_are_told_still(client, sue):
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    pause_manager(bob, at=clock.now())
    lead = take(at=clock.now())
    trigger.members.filter(manager=bob).delete()
    assert "paused until resumed" in text(client, f"/admin/routing/lead/{lead.pk}/change/")


def test_the_page_of_a_decision_says_what_came_of_it_as_people_read_it(client, sue):
    make_trigger(members=[make_manager("ann")])
    take()
    page = text(client, f"/admin/routing/decision/{Decision.objects.get().pk}/change/")
    assert "assigned" in page
    assert "assigned&#x27;" not in page
