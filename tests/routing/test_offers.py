"""Acceptance: accepted, declined, out of time, given back, and what follows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Manager
from accounts.services import pause_manager
from routing.exceptions import NotAllowed, NotFound, OfferClosed
from routing.models import Adjustment, Decision, Lead, Offer, Task, new_id
from routing.services.assignment import reassign
from routing.services.offers import accept_offer, decline_offer, give_back_offers
from routing.services.stages import move_lead
from routing.services.sweep import Swept, sweep
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    balances,
    fresh,
    make_contact,
    make_manager,
    make_registry,
    make_schedule,
    make_supervisor,
    make_trigger,
    open_offer,
    outcomes,
    owners,
    reason,
    refusals,
    stage,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db

DEADLINE = MONDAY + 10 * MINUTE


@pytest.fixture
def ann():
    return make_manager("ann")


@pytest.fixture
def bob():
    return make_manager("bob")


@pytest.fixture
def trigger(ann, bob):
    return make_trigger(members=[ann, bob], **asking_acceptance())


def test_a_lead_is_offered_until_its_deadline(trigger, ann):
    lead = take()
    assert (lead.state, lead.responsible, lead.attempt) == ("offered", ann, 1)
    offer = open_offer(lead)
    assert (offer.manager, offer.offered_at, offer.accept_by) == (ann, MONDAY, DEADLINE)


def test_an_accepted_lead_is_assigned_for_good(trigger, ann):
    lead = take()
    accepted = accept_offer(lead.pk, at=DEADLINE - MINUTE, by=ann.user)
    assert (accepted.state, accepted.responsible) == ("assigned", ann)
    assert outcomes(lead) == ["accepted"]
    assert sweep(at=MONDAY + DAY) == Swept()
    assert owners([lead]) == "A"


def test_an_offer_is_accepted_once(trigger):
    lead = take()
    accept_offer(lead.pk, at=MONDAY)
    for answer in (accept_offer, decline_offer):
        with pytest.raises(OfferClosed):
            answer(lead.pk, at=MONDAY)
    assert outcomes(lead) == ["accepted"]


@pytest.mark.parametrize("answer", [accept_offer, decline_offer])
def test_at_its_deadline_an_offer_is_over(trigger, answer):
    lead = take()
    with pytest.raises(OfferClosed):
        answer(lead.pk, at=DEADLINE)
    assert outcomes(lead) == [""]  # the sweep closes it


@pytest.mark.parametrize("answer", [accept_offer, decline_offer])
def test_only_who_has_the_offer_answers_it(trigger, bob, answer):
    lead = take()
    with pytest.raises(NotAllowed):
        answer(lead.pk, at=MONDAY, by=bob.user)
    assert fresh(lead).state == "offered"


@pytest.mark.parametrize("answer", [accept_offer, decline_offer])
def test_what_does_not_exist_cannot_be_answered(answer):
    with pytest.raises(NotFound):
        answer(new_id(), at=MONDAY)


def test_a_declined_lead_goes_to_the_next_at_once(trigger, ann, bob):
    lead = take()
    declined = decline_offer(lead.pk, at=MONDAY + MINUTE, reason="no time", by=ann.user)
    assert (declined.state, declined.responsible, declined.attempt) == ("offered", bob, 2)
    assert outcomes(lead) == ["declined", ""]
    assert Offer.objects.get(outcome="declined").reason == "no time"
    assert refusals(lead) == {"Ann": "already_tried", "Bob": None}
    assert open_offer(lead).accept_by == MONDAY + 11 * MINUTE


def test_out_of_time_a_lead_goes_to_the_next(trigger, bob):
    lead = take()
    assert sweep(at=DEADLINE - MINUTE / 60) == Swept()
    assert sweep(at=DEADLINE) == Swept(expired=1)
    assert (fresh(lead).state, owners([lead])) == ("offered", "B")
    assert outcomes(lead) == ["timed_out", ""]
    assert list(Decision.objects.values_list("attempt", flat=True)) == [1, 2]


def test_a_sweep_twice_is_a_sweep_once(trigger):
    lead = take()
    sweep(at=DEADLINE)
    assert sweep(at=DEADLINE) == Swept()
    assert outcomes(lead) == ["timed_out", ""]


def test_after_an_outage_all_overdue_offers_are_handled_in_one_sweep(ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance())
    leads = take_some(30)
    assert sweep(at=MONDAY + 3 * DAY).expired == 30
    assert not Offer.objects.overdue(at=MONDAY + 3 * DAY).exists()
    assert set(Lead.objects.values_list("state", flat=True)) == {"offered"}
    assert owners(leads).count("A") == 15


def test_a_trigger_that_asks_for_no_acceptance_makes_no_offer(ann):
    make_trigger(members=[ann])
    lead = take()
    assert lead.state == "assigned"
    assert outcomes(lead) == []


def test_moving_a_lead_on_accepts_it(trigger, ann):
    lead = take()
    moved = move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY, by=ann.user)
    assert (moved.state, moved.responsible) == ("assigned", ann)
    assert outcomes(lead) == ["accepted"]


def test_out_of_time_moving_a_lead_does_not_accept_it(trigger, ann):
    lead = take()
    with pytest.raises(OfferClosed):
        move_lead(lead.pk, stage("sales/accepted").pk, at=DEADLINE, by=ann.user)
    assert fresh(lead).stage.code == "new"
    assert outcomes(lead) == [""]


# Working time


def test_by_working_time_minutes_run_while_the_manager_works(bob):
    ann = make_manager("ann", schedule=make_schedule())  # 09:00-18:00
    make_trigger(members=[ann, bob], **asking_acceptance(30, acceptance_clock="working"))
    evening = MONDAY.replace(hour=17, minute=50)
    lead = take(at=evening)
    assert open_offer(lead).accept_by == MONDAY.replace(hour=9, minute=20) + DAY
    sweep(at=evening + 2 * HOUR)
    assert outcomes(lead) == [""]
    sweep(at=MONDAY.replace(hour=9, minute=20) + DAY)
    assert outcomes(lead)[0] == "timed_out"


def test_by_working_time_a_members_own_schedule_counts():
    nights = make_schedule("nights", weekly={"mon": ["22:00-23:00"], "tue": ["22:00-23:00"]})
    ann = make_manager("ann", schedule=make_schedule())
    make_trigger(members=[{"manager": ann, "schedule": nights}], **asking_acceptance(30, acceptance_clock="working"))
    lead = take(at=MONDAY.replace(hour=22, minute=50))
    assert open_offer(lead).accept_by == MONDAY.replace(hour=22, minute=20) + DAY


def test_who_always_works_has_working_time_by_the_wall_clock(ann):
    make_trigger(members=[ann], **asking_acceptance(30, acceptance_clock="working"))
    assert open_offer(take()).accept_by == MONDAY + 30 * MINUTE


# The last step


def declined_by_all(lead, *, times, at=MONDAY):
    for _ in range(times):
        decline_offer(lead.pk, at=at)
    return fresh(lead)


def test_when_none_is_left_a_lead_waits(trigger):
    lead = declined_by_all(take(), times=2)
    assert (lead.state, lead.responsible) == ("waiting", None)
    assert refusals(lead) == {"Ann": "already_tried", "Bob": "already_tried"}
    assert sweep(at=MONDAY + DAY) == Swept()


def test_a_lead_that_all_declined_goes_to_who_joins(trigger):
    lead = declined_by_all(take(), times=2)
    trigger.members.create(manager=make_manager("cid"), position=3)
    assert sweep(at=MONDAY + DAY).assigned == 1
    assert (owners([lead]), fresh(lead).state) == ("C", "offered")


def test_finally_duty_takes_it_and_needs_not_accept(ann, bob):
    boss = make_manager("dora")
    trigger = make_trigger(members=[ann, bob], duty=boss, **asking_acceptance(final_step="duty"))
    lead = declined_by_all(take(), times=2)
    assert (lead.state, lead.responsible, reason(lead)) == ("assigned", boss, "duty")
    assert outcomes(lead) == ["declined", "declined"]
    assert "Dora" not in balances(trigger)


def test_finally_keep_leaves_it_with_the_last(ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(final_step="keep"))
    lead = declined_by_all(take(), times=2)
    assert (lead.state, lead.responsible, reason(lead)) == ("assigned", bob, "keep")
    assert sweep(at=MONDAY + DAY) == Swept()


def test_finally_restart_begins_a_new_round(ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(final_step="restart"))
    lead = declined_by_all(take(), times=2)
    assert (lead.state, lead.round, lead.attempt) == ("offered", 2, 1)
    lead = declined_by_all(lead, times=2)
    assert (lead.state, lead.round, lead.attempt) == ("offered", 3, 1)
    assert owners([lead]) in "AB"


def test_a_new_round_without_anybody_waits(ann):
    make_trigger(members=[ann], **asking_acceptance(final_step="restart"))
    lead = take()
    pause_manager(ann, at=MONDAY, minutes=60)
    assert give_back_offers(ann.pk, at=MONDAY) == 1
    assert fresh(lead).state == "waiting"
    assert sweep(at=MONDAY + HOUR).assigned == 1
    assert owners([lead]) == "A"


@pytest.mark.parametrize(("final_step", "state", "who"), [("duty", "assigned", "D"), ("keep", "assigned", "B")])
def test_after_max_attempts_the_last_step_follows(ann, bob, final_step, state, who):
    team = [ann, bob, make_manager("cid")]
    facts = asking_acceptance(final_step=final_step, max_attempts=2)
    make_trigger(members=team, duty=make_manager("dora"), **facts)
    lead = declined_by_all(take(), times=2)
    assert (lead.state, owners([lead])) == (state, who)


def test_after_max_attempts_a_lead_waits(ann, bob):
    make_trigger(members=[ann, bob, make_manager("cid")], **asking_acceptance(max_attempts=2))
    lead = declined_by_all(take(), times=2)
    assert (lead.state, lead.responsible, reason(lead)) == ("waiting", None, "nobody")
    assert refusals(lead)["Cid"] is None


def test_after_max_attempts_a_sweep_leaves_the_lead_waiting(ann, bob):
    make_trigger(members=[ann, bob, make_manager("cid")], **asking_acceptance(max_attempts=1))
    lead = take()
    sweep(at=DEADLINE)
    assert (fresh(lead).state, outcomes(lead)) == ("waiting", ["timed_out"])


def test_after_max_attempts_a_new_round_may_begin(ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(max_attempts=1, final_step="restart"))
    lead = declined_by_all(take(), times=1)
    assert (lead.state, lead.round, lead.attempt) == ("offered", 2, 1)


def test_who_is_on_duty_but_no_longer_active_gets_nothing(ann):
    boss = make_manager("dora", active=False)
    make_trigger(members=[ann], duty=boss, **asking_acceptance(final_step="duty"))
    assert declined_by_all(take(), times=1).state == "waiting"


def test_if_nobody_is_eligible_duty_takes_it():
    boss = make_manager("dora")
    make_trigger(members=[make_manager("ann", active=False)], if_nobody="duty", duty=boss, **asking_acceptance())
    lead = take()
    assert (lead.state, lead.responsible, reason(lead)) == ("assigned", boss, "duty")
    assert outcomes(lead) == []


def test_a_member_on_duty_for_what_nobody_took_is_asked_first(ann, bob):
    make_trigger(members=[ann, bob], duty=ann, **asking_acceptance(final_step="duty"))
    lead = declined_by_all(take(), times=2)
    assert (lead.state, lead.responsible) == ("assigned", ann)


# Pauses


def test_who_pauses_gives_back_open_offers_at_once(trigger, ann):
    leads = take_some(4)
    accept_offer(leads[0].pk, at=MONDAY)
    assert owners(leads) == "ABAB"
    pause_manager(ann, at=MONDAY)
    assert give_back_offers(ann.pk, at=MONDAY) == 1
    assert owners(leads) == "ABBB"  # the accepted one stays
    assert outcomes(leads[2]) == ["withdrawn", ""]
    assert refusals(leads[2]) == {"Ann": "paused", "Bob": None}


def test_a_trigger_may_let_who_pauses_keep_offers(ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(on_pause="keep"))
    lead = take()
    pause_manager(ann, at=MONDAY)
    assert give_back_offers(ann.pk, at=MONDAY) == 0
    assert (owners([lead]), outcomes(lead)) == ("A", [""])


def test_a_sweep_gives_back_what_whoever_paused_did_not(trigger, ann):
    lead = take()
    pause_manager(ann, at=MONDAY)
    assert sweep(at=MONDAY).given_back == 1
    assert (owners([lead]), outcomes(lead)) == ("B", ["withdrawn", ""])
    assert sweep(at=MONDAY).given_back == 0


def test_a_sweep_leaves_offers_to_who_may_keep_them_or_got_them_on_the_pause(ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(on_pause="keep"))
    lead = take()
    pause_manager(ann, at=MONDAY)
    assert sweep(at=MONDAY).given_back == 0
    assert owners([lead]) == "A"


def test_a_sweep_gives_back_the_offers_of_an_inactive_manager(trigger, ann):
    lead = take()
    Manager.objects.filter(pk=ann.pk).update(active=False)
    assert sweep(at=MONDAY).given_back == 1
    assert owners([lead]) == "B"


def test_a_new_round_is_for_all_alike_whoever_has_the_contact_by_now(ann, bob):
    options = asking_acceptance(final_step="restart")
    make_trigger(members=[ann, bob], responsible_check=["contact"], **options)
    make_contact(responsible=bob)
    lead = take(contact={"email": "ana@client.example"})
    for _ in range(2):
        decline_offer(lead.pk, at=MONDAY)
    reasons = [d.reason for d in Decision.objects.filter(lead=lead).order_by("id")]
    assert reasons == ["responsible", "fair_share", "fair_share"]


def test_given_back_with_nobody_else_a_lead_waits_for_the_pause_to_end():
    ann = make_manager("ann")
    make_trigger(members=[ann], **asking_acceptance())
    lead = take()
    pause_manager(ann, at=MONDAY, minutes=30)
    give_back_offers(ann.pk, at=MONDAY)
    assert fresh(lead).state == "waiting"


# What else may happen to an offer


def test_a_lead_given_by_hand_is_no_longer_on_offer(trigger, bob):
    lead = take()
    reassign(lead.pk, bob.pk, at=MONDAY, by=make_supervisor())
    with pytest.raises(OfferClosed):
        accept_offer(lead.pk, at=MONDAY)
    assert (outcomes(lead), owners([lead])) == (["withdrawn"], "B")


def test_an_old_customers_manager_is_asked_to_accept_as_well(ann, bob):
    make_contact("ana@client.example", responsible=bob)
    make_trigger(members=[ann, bob], responsible_check=["contact"], **asking_acceptance())
    lead = take(contact={"email": "ana@client.example"})
    assert (lead.state, owners([lead]), reason(lead)) == ("offered", "B", "responsible")
    decline_offer(lead.pk, at=MONDAY)
    assert (owners([lead]), reason(lead)) == ("A", "fair_share")


def test_a_lead_never_has_two_open_offers(trigger):
    leads = take_some(6)
    for minutes in range(0, 60, 5):
        sweep(at=MONDAY + minutes * MINUTE)
    for lead in leads:
        assert len(Offer.objects.open().filter(lead=lead)) <= 1
    assert not Task.objects.exists()


def sweep_of(leads: int) -> int:
    """Return how many statements a sweep takes in which so many offers run out."""
    take_some(leads)
    with CaptureQueriesContext(connection) as queries:
        assert sweep(at=MONDAY + DAY).expired == leads
    Offer.objects.open().update(closed_at=MONDAY + DAY, outcome="accepted")
    Lead.objects.update(state="assigned")
    return len(queries)


def test_a_sweep_takes_as_many_statements_for_forty_leads_as_for_four():
    office = make_schedule()
    managers = [make_manager(name, schedule=office) for name in ("ann", "bob", "cid")]
    make_trigger(
        members=managers,
        registry=make_registry(refund_missed=True),
        also_assign=["contact", "company", "tasks", "contact_leads", "company_leads"],
        acceptance_clock="working",
        **asking_acceptance(),
    )
    sweep_of(1)  # the line-up is written down once
    few, many = sweep_of(4), sweep_of(40)
    assert few == many
    assert Adjustment.objects.filter(kind="refund").count() == 45


def test_an_offer_ends_no_sooner_than_it_began_and_the_next_one_follows_it():
    """Who acts on a lead may have waited for its lock while it was offered anew."""
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], **asking_acceptance())
    lead = take(at=MONDAY)
    give_back_offers(ann.pk, at=MONDAY - MINUTE)
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY - 2 * MINUTE)
    first, second = Offer.objects.filter(lead=lead).order_by("pk")
    assert first.offered_at == first.closed_at == second.offered_at == second.closed_at == MONDAY
