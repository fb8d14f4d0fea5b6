"""When a lead was first assigned and accepted, kept on it: the same as its decisions, events and offers say."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.db import connection

from accounts.services import pause_manager, resume_manager
from routing import audit
from routing.exceptions import Refused
from routing.models import Lead, Offer
from routing.services.assignment import reassign
from routing.services.hand_over import hand_over, undo_hand_over
from routing.services.offers import accept_offer, decline_offer
from routing.services.stages import move_lead, qualify_lead
from routing.services.sweep import sweep
from tests.effort import by_night
from tests.factories import (
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    fresh,
    make_lead,
    make_manager,
    make_supervisor,
    make_trigger,
    stage,
    take,
)

pytestmark = pytest.mark.django_db

# What the report of response times once worked out itself.
TOLD = """
WITH assigned AS (
    SELECT lead_id, min(at) AS at FROM (
        SELECT lead_id, at FROM routing_decision WHERE outcome = 'assigned'
        UNION ALL SELECT lead_id, at FROM routing_leadevent WHERE kind IN ('reassigned', 'handed_over')) one
    GROUP BY lead_id
), accepted AS (
    SELECT DISTINCT ON (lead_id) lead_id, manager_id, closed_at AS at FROM routing_offer WHERE outcome = 'accepted'
    ORDER BY lead_id, closed_at
)
SELECT lead.id, assigned.at, accepted.at, accepted.manager_id FROM routing_lead lead
LEFT JOIN assigned ON assigned.lead_id = lead.id LEFT JOIN accepted ON accepted.lead_id = lead.id
"""


def told():
    with connection.cursor() as cursor:
        cursor.execute(TOLD)
        return {id_: tuple(facts) for id_, *facts in cursor.fetchall()}


def kept():
    return {
        id_: tuple(facts) for id_, *facts in Lead.objects.values_list("pk", "assigned_at", "accepted_at", "accepted_by")
    }


def instants(lead):
    found = fresh(lead)
    return found.assigned_at, found.accepted_at, found.accepted_by_id


def lived(seed: int, days: int = 120) -> None:
    """Let leads come, and everything happen to them that may, at random; requests overtake each other now and then."""
    dice = random.Random(seed)
    people = [make_manager(name) for name in ("ann", "bob", "cid")]
    sue = make_supervisor()
    make_trigger(members=people, limit=9, also_assign=["contact", "contact_leads"], **asking_acceptance(10))
    make_trigger("second", on_stage="sales/accepted", on=["moved"], members=people[:2], **asking_acceptance(10))
    make_trigger("third", on_stage="service/new", members=people, max_attempts=2)
    stages = [stage(path) for path in ("sales/inbox", "sales/new", "sales/accepted", "sales/won", "service/new")]
    batches = []

    def come(at):
        pipeline = dice.choice(["sales", "service"])
        take(
            at=at,
            pipeline=pipeline,
            unqualified=dice.random() < 0.3,
            contact={"email": f"c{dice.randrange(9)}@client.example"},
        )

    def hand(at):
        batches.append(hand_over(dice.choice(people).pk, at=at, to=dice.choice([None, people[0].pk])))

    def wait_or_come_back(at):
        dice.choice([pause_manager, resume_manager])(dice.choice(people), at=at)

    what_happens = [
        (12, come),
        (8, lambda at: accept_offer(dice.choice(offered).pk, at=at)),
        (4, lambda at: decline_offer(dice.choice(offered).pk, at=at)),
        (5, lambda at: move_lead(dice.choice(leads).pk, dice.choice(stages).pk, at=at)),
        (2, lambda at: reassign(dice.choice(leads).pk, dice.choice(people).pk, at=at, by=sue)),
        (3, lambda at: qualify_lead(dice.choice(leads).pk, stages[1].pk, at=at, manager_id=dice.choice([None, people[1].pk]))),
        (4, lambda at: sweep(at=at)),
        (1, hand),
        (1, lambda at: undo_hand_over(dice.choice(batches).pk, at=at, by=sue)),
        (2, wait_or_come_back),
    ]  # fmt: skip
    at = MONDAY
    come(at)
    for _ in range(days):
        leads = list(Lead.objects.order_by("pk"))
        offered = [lead for lead in leads if lead.state == "offered"]
        at += timedelta(seconds=dice.randrange(0, 200))
        [(_, happen)] = dice.choices(what_happens, weights=[weight for weight, _ in what_happens])
        with suppress(Refused, IndexError):
            happen(at - timedelta(seconds=dice.choice([0, 0, 0, 45])))


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(by_night(6, by_day=2)))
def test_what_a_lead_says_is_what_its_story_says(seed):
    lived(seed)
    assert kept() == told()
    assert sum(accepted is not None for _, accepted, _ in kept().values()) > 3
    assert list(audit.violations(decisions=False)) == []


def test_leads_from_before_are_filled_from_their_stories():
    lived(7)
    before = kept()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("UPDATE routing_lead SET assigned_at = NULL, accepted_at = NULL, accepted_by_id = NULL")
    assert kept() != before
    migration = import_module("routing.migrations.0013_fill_first_instants")
    migration.AT_ONCE = 7
    for _ in range(2):  # interrupted and begun again
        migration.fill(None, SimpleNamespace(connection=connection))
        assert kept() == before


def test_filling_corrects_what_came_in_between():
    ann = make_manager()
    make_trigger(members=[ann])
    lead = take(at=MONDAY)
    Lead.objects.filter(pk=lead.pk).update(assigned_at=None)
    reassign(lead.pk, ann.pk, at=MONDAY + HOUR)
    assert instants(lead)[0] == MONDAY + HOUR
    import_module("routing.migrations.0013_fill_first_instants").fill(None, SimpleNamespace(connection=connection))
    assert instants(lead)[0] == MONDAY


def test_who_gets_it_later_changes_neither():
    ann, bob = make_manager(), make_manager("bob")
    make_trigger(members=[ann], **asking_acceptance())
    lead = take(at=MONDAY)
    accept_offer(lead.pk, at=MONDAY + MINUTE)
    reassign(lead.pk, bob.pk, at=MONDAY + HOUR)
    move_lead(lead.pk, stage("sales/won").pk, at=MONDAY + 2 * HOUR)
    assert instants(lead) == (MONDAY, MONDAY + MINUTE, ann.pk)


def test_a_request_that_came_first_and_is_heard_last_is_the_first():
    ann, bob = make_manager(), make_manager("bob")
    trigger = make_trigger(members=[ann, bob], **asking_acceptance())
    lead = make_lead()
    reassign(lead.pk, ann.pk, at=MONDAY + HOUR)
    reassign(lead.pk, bob.pk, at=MONDAY + MINUTE)
    assert instants(lead)[0] == MONDAY + MINUTE
    for manager, at in ((ann, MONDAY + 3 * HOUR), (bob, MONDAY + 2 * HOUR)):
        facts = {"trigger": trigger, "round": 1, "offered_at": at, "accept_by": at + HOUR}
        offer = Offer.objects.create(lead=lead, manager=manager, **facts)
        Offer.objects.filter(pk=offer.pk).update(outcome="accepted", closed_at=at + MINUTE)
    assert instants(lead)[1:] == (MONDAY + 2 * HOUR + MINUTE, bob.pk)


def test_code_that_knows_nothing_of_it_leaves_no_gap():
    """The old code beside the new schema."""
    ann = make_manager()
    taken = make_lead(state="assigned", responsible=ann)
    idle = make_lead()
    assert instants(taken)[0] == taken.created_at
    Lead.objects.filter(pk=idle.pk).update(responsible=ann, state="assigned")
    assert instants(idle)[0] is not None


def test_a_lead_that_nobody_has_was_not_assigned():
    make_trigger(members=[{"manager": make_manager(), "limit": 0}])
    assert instants(take(at=MONDAY)) == (None, None, None)


@pytest.mark.parametrize(
    "change", [{"assigned_at": MONDAY + HOUR}, {"assigned_at": None}, {"accepted_at": MONDAY}, {"accepted_at": None}]
)
def test_the_audit_sees_an_instant_that_is_not_that_of_the_story(change):
    make_trigger(members=[make_manager()], **asking_acceptance())
    lead = take(at=MONDAY)
    accept_offer(lead.pk, at=MONDAY + MINUTE)
    assert list(audit.violations(decisions=False)) == []
    Lead.objects.filter(pk=lead.pk).update(**change)
    [found] = audit.violations(decisions=False)
    assert str(lead.pk) in found
