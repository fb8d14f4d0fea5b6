"""Leads move between stages; a stage's trigger distributes what comes in."""

import pytest

from routing.exceptions import NotFound, OfferClosed
from routing.models import LeadEvent, new_id
from routing.services.offers import decline_offer
from routing.services.stages import move_lead
from tests.factories import (
    MONDAY,
    asking_acceptance,
    fresh,
    make_lead,
    make_manager,
    make_supervisor,
    make_trigger,
    outcomes,
    owners,
    reason,
    refusals,
    stage,
    take,
)

pytestmark = pytest.mark.django_db


def move(lead, path, **facts):
    return move_lead(lead.pk, stage(path).pk, at=MONDAY, **facts)


def test_a_trigger_distributes_what_is_moved_into_its_stage():
    make_trigger(on_stage="sales/accepted", members=[make_manager("ann")])
    lead = make_lead()
    moved = move(lead, "sales/accepted")
    assert (moved.state, owners([lead]), moved.stage.code) == ("assigned", "A", "accepted")
    assert reason(lead) == "fair_share"


def test_a_trigger_on_created_does_not():
    make_trigger(on_stage="sales/accepted", on=["created"], members=[make_manager("ann")])
    assert move(make_lead(), "sales/accepted").state == "idle"


def test_a_move_is_written_in_the_leads_story():
    sue = make_supervisor()
    lead = make_lead()
    move(lead, "sales/won", by=sue)
    event = LeadEvent.objects.get(lead=lead)
    assert (event.kind, event.by, event.data) == ("moved", sue, {"from": "sales/new", "to": "sales/won", "reason": ""})


def test_a_move_says_why():
    lead = make_lead()
    move(lead, "sales/lost", reason="no budget")
    assert LeadEvent.objects.get(lead=lead).data["reason"] == "no budget"


def test_the_fields_that_a_trigger_changes_are_written_in_the_leads_story():
    make_trigger(on_stage="sales/accepted", members=[make_manager("ann")], set_fields={"taken": None, "plan": "gold"})
    lead = make_lead(fields={"taken": "Bob", "size": 3})
    move(lead, "sales/accepted")
    assert fresh(lead).fields == {"taken": None, "plan": "gold", "size": 3}
    event = LeadEvent.objects.get(lead=lead, kind="fields_set")
    assert event.data == {
        "trigger": "new-leads",
        "from": {"taken": "Bob", "plan": None},
        "to": {"taken": None, "plan": "gold"},
    }


def test_fields_changed_as_a_lead_comes_in_are_written_in_its_story_too():
    make_trigger(members=[make_manager("ann")], set_fields={"taken": None, "plan": "gold"})
    changed, same = take(fields={"taken": "Bob"}), take(fields={"taken": None, "plan": "gold"})
    event = LeadEvent.objects.get()
    assert (event.lead, event.kind, event.at) == (changed, "fields_set", MONDAY)
    assert event.data["from"] == {"taken": "Bob", "plan": None}
    assert fresh(same).fields == fresh(changed).fields == {"taken": None, "plan": "gold"}


def test_a_manager_moves_a_lead_only_while_it_is_theirs():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], **asking_acceptance())
    lead = take()
    decline_offer(lead.pk, at=MONDAY)  # it went on after Ann's page was shown
    with pytest.raises(OfferClosed):
        move(lead, "sales/accepted", by=ann.user, theirs=True)
    assert fresh(lead).stage == stage("sales/new")
    assert move(lead, "sales/accepted", by=bob.user, theirs=True).state == "assigned"


def test_a_lead_that_stays_where_it_is_is_not_distributed_anew():
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    lead = take()
    move(lead, "sales/new")
    assert owners([lead]) == "A"
    assert not LeadEvent.objects.exists()


def test_without_a_trigger_a_lead_keeps_its_manager():
    make_trigger(members=[make_manager("ann")])
    lead = take()
    assert move(lead, "support/new").state == "assigned"
    assert owners([lead]) == "A"


def test_a_moved_lead_begins_a_new_round():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], **asking_acceptance())
    make_trigger("accepted", on_stage="sales/accepted", method="direct", members=[ann, bob], **asking_acceptance())
    lead = take()
    decline_offer(lead.pk, at=MONDAY)
    moved = move(lead, "sales/accepted")
    assert (owners([lead]), moved.state, moved.round, moved.attempt) == ("A", "offered", 2, 1)
    assert refusals(lead) == {"Ann": None, "Bob": None}
    assert outcomes(lead) == ["declined", "accepted", ""]


def test_a_trigger_sets_fields_of_what_is_created_and_moved():
    make_trigger("created", set_fields={"taken": None, "step": 1}, members=[make_manager("ann")])
    make_trigger("moved", on_stage="sales/accepted", set_fields={"step": 2}, members=[make_manager("bob")])
    lead = take(fields={"taken": "2026-01-01", "employees": 240, "step": 0})
    assert lead.fields == {"taken": None, "employees": 240, "step": 1}
    assert move(lead, "sales/accepted").fields == {"taken": None, "employees": 240, "step": 2}


def test_a_lead_that_nobody_takes_has_its_fields_set_all_the_same():
    make_trigger(set_fields={"taken": None}, members=[make_manager("ann", active=False)])
    assert take().fields == {"taken": None}


def test_fields_that_a_trigger_sets_are_seen_by_its_distribution():
    make_trigger(
        set_fields={"size": "large"}, members=[make_manager("ann", skills={"size": ["small"]}), make_manager("bob")]
    )
    assert owners([take(fields={"size": "small"})]) == "B"


def test_moved_into_a_stage_where_nobody_can_take_it_a_lead_waits():
    make_trigger(members=[make_manager("ann")])
    make_trigger("accepted", on_stage="sales/accepted", members=[make_manager("bob", active=False)])
    lead = take()
    moved = move(lead, "sales/accepted")
    assert (moved.state, moved.responsible, moved.trigger.code) == ("waiting", None, "accepted")


def test_what_does_not_exist_is_not_moved():
    lead = make_lead()
    with pytest.raises(NotFound):
        move_lead(new_id(), stage("sales/won").pk, at=MONDAY)
    with pytest.raises(NotFound):
        move_lead(lead.pk, 0, at=MONDAY)
    assert fresh(lead).stage.code == "new"


def test_a_move_distributes_by_the_lowest_priority_that_asks_for_moves():
    make_trigger("created", priority=1, on=["created"], on_stage="sales/accepted", members=[make_manager("ann")])
    make_trigger("moved", priority=2, on=["moved"], on_stage="sales/accepted", members=[make_manager("bob")])
    lead = make_lead()
    move(lead, "sales/accepted")
    assert owners([lead]) == "B"
