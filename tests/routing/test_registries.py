"""Registries: where fairness is counted, how, and what is put in or taken out by hand."""

from datetime import UTC, datetime

import pytest

from routing.engine import LEAD
from routing.exceptions import Conflict, NotFound
from routing.models import Adjustment, Lead, LeadEvent, Ledger, Member, Trigger, new_id
from routing.services.assignment import credit_back, reassign
from routing.services.offers import accept_offer, decline_offer
from routing.services.sweep import sweep
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    balances,
    ledger,
    make_account,
    make_contact,
    make_lead,
    make_manager,
    make_pipeline,
    make_registry,
    make_supervisor,
    make_trigger,
    outcomes,
    owners,
    reason,
    received,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db


def in_turn(number):
    """Take leads for two pipelines, one after the other."""
    return [take(pipeline=("sales", "support")[i % 2]) for i in range(number)]


def test_a_registry_shared_by_triggers_of_two_pipelines_counts_over_both():
    team = [make_manager("ann"), make_manager("bob")]
    book = make_registry("all-sales")
    make_trigger("sales", registry=book, members=team)
    make_trigger("support", registry=book, on_stage="support/new", members=team)
    assert owners(in_turn(6)) == "ABABAB"
    assert ledger(book).turn == 6


def test_else_each_trigger_counts_in_its_own():
    team = [make_manager("ann"), make_manager("bob")]
    sales = make_trigger("sales", members=team)
    support = make_trigger("support", on_stage="support/new", members=team)
    assert owners(in_turn(6)) == "AABBAA"
    assert (ledger(sales).turn, ledger(support).turn) == (3, 3)


def test_balances_always_add_up_to_what_was_put_in_on_purpose():
    ann, bob, cid = make_manager("ann"), make_manager("bob"), make_manager("cid")
    trigger = make_trigger(members=[(ann, 3), (bob, 2), (cid, 2)])
    leads = take_some(11)
    assert sum(balances(trigger).values()) == 0
    credit_back(leads[0].pk, at=MONDAY)
    assert sum(balances(trigger).values()) == LEAD == ledger(trigger).added
    reassign(leads[1].pk, cid.pk, at=MONDAY, count=True)
    assert sum(balances(trigger).values()) == 0 == ledger(trigger).added
    take_some(5)
    assert sum(balances(trigger).values()) == 0


def test_balances_belong_to_people_whatever_becomes_of_members_and_triggers():
    ann, bob = make_manager("ann"), make_manager("bob")
    book = make_registry()
    trigger = make_trigger(registry=book, members=[ann, bob])
    take()
    before = balances(book)
    assert before == {"Ann": -LEAD // 2, "Bob": LEAD // 2}
    Member.objects.filter(manager=bob).delete()
    trigger.title = "edited"
    trigger.save()
    Member.objects.create(trigger=trigger, manager=bob, coefficient=7, position=2)
    make_trigger("another", on_stage="sales/accepted", registry=book, members=[ann, bob])
    assert balances(book) == before


def test_a_manager_credited_back_junk_leads_gets_others_for_them():
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    sue = make_supervisor()
    leads = [take() for _ in range(4)]
    assert owners(leads) == "ABAB"
    adjustment = credit_back(leads[0].pk, at=MONDAY, by=sue, reason="junk")
    assert (adjustment.manager.user.name, adjustment.amount, adjustment.by) == ("Ann", LEAD, sue)
    event = LeadEvent.objects.get(lead=leads[0])
    assert (event.kind, event.by) == ("credited_back", sue)
    assert event.data == {"manager": adjustment.manager_id, "registry": "new-leads", "reason": "junk"}
    credit_back(leads[2].pk, at=MONDAY, by=sue, reason="junk")
    assert owners([take() for _ in range(4)]) == "AABA"


def test_a_lead_is_credited_back_once():
    make_trigger(members=[make_manager("ann")])
    lead = take()
    credit_back(lead.pk, at=MONDAY)
    with pytest.raises(Conflict):
        credit_back(lead.pk, at=MONDAY)
    assert Adjustment.objects.count() == 1


def test_a_lead_that_never_counted_is_not_credited_back():
    ann = make_manager("ann")
    make_contact("ana@client.example", responsible=ann)
    make_trigger(members=[ann], responsible_check=["contact"])
    lead = take(contact={"email": "ana@client.example"})
    with pytest.raises(Conflict):
        credit_back(lead.pk, at=MONDAY)
    with pytest.raises(Conflict):
        credit_back(make_lead().pk, at=MONDAY)
    with pytest.raises(NotFound):
        credit_back(new_id(), at=MONDAY)


def test_a_lead_given_by_hand_costs_no_turn():
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    sue = make_supervisor()
    lead = take()
    before = balances(trigger)
    reassign(lead.pk, bob.pk, at=MONDAY, by=sue, reason="knows them")
    assert (owners([lead]), balances(trigger)) == ("B", before)
    event = LeadEvent.objects.get(lead=lead)
    assert (event.kind, event.by) == ("reassigned", sue)
    assert event.data == {"from": ann.pk, "to": bob.pk, "counted": False, "reason": "knows them"}
    assert owners([take() for _ in range(3)]) == "BAB"


def test_a_lead_given_by_hand_counts_where_the_supervisor_ticks_it():
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    lead = take()
    reassign(lead.pk, bob.pk, at=MONDAY, count=True)
    assert balances(trigger) == {"Ann": -LEAD // 2, "Bob": -LEAD // 2}
    assert received(trigger)["Bob"] == 1
    assert Adjustment.objects.get().kind == "by_hand"


def test_a_lead_that_no_trigger_distributed_can_be_given_but_not_counted():
    ann = make_manager("ann")
    lead = make_lead()
    with pytest.raises(Conflict):
        reassign(lead.pk, ann.pk, at=MONDAY, count=True)
    assert reassign(lead.pk, ann.pk, at=MONDAY).state == "assigned"


def test_a_lead_is_not_given_to_who_is_not_active():
    lead = make_lead()
    with pytest.raises(Conflict):
        reassign(lead.pk, make_manager("ann", active=False).pk, at=MONDAY)
    assert owners([lead]) == "-"


def test_giving_a_lead_by_hand_withdraws_its_offer():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], **asking_acceptance())
    lead = take()
    assert reassign(lead.pk, bob.pk, at=MONDAY).state == "assigned"
    assert outcomes(lead) == ["withdrawn"]
    sweep(at=MONDAY + HOUR)
    assert owners([lead]) == "B"


def test_a_waiting_lead_given_by_hand_waits_no_longer():
    ann = make_manager("ann", active=False)
    bob = make_manager("bob")
    make_trigger(members=[ann])
    lead = take()
    reassign(lead.pk, bob.pk, at=MONDAY)
    ann.active = True
    ann.save()
    assert sweep(at=MONDAY).assigned == 0
    assert owners([lead]) == "B"


# Declined and out of time


def test_a_lead_that_was_let_go_stays_counted():
    trigger = make_trigger(members=[make_manager("ann"), make_manager("bob")], **asking_acceptance())
    lead = take()
    decline_offer(lead.pk, at=MONDAY)
    # Two turns: Ann paid one, and then Bob, who was alone in the second.
    assert balances(trigger) == {"Ann": -LEAD // 2, "Bob": LEAD // 2}
    assert ledger(trigger).turn == 2


@pytest.mark.parametrize("how", ["declined", "timed_out"])
def test_a_registry_may_refund_what_was_let_go(how):
    ann, bob = make_manager("ann"), make_manager("bob")
    book = make_registry(refund_missed=True)
    make_trigger(members=[ann, bob], registry=book, **asking_acceptance())
    lead = take()
    if how == "declined":
        decline_offer(lead.pk, at=MONDAY)
    else:
        sweep(at=MONDAY + 10 * MINUTE)
    assert outcomes(lead) == [how, ""]
    assert balances(book) == {"Ann": LEAD // 2, "Bob": LEAD // 2}
    assert received(book) == {"Ann": 0, "Bob": 1}
    assert ledger(book).added == LEAD
    assert Adjustment.objects.get().kind == "refund"


def test_what_never_counted_is_not_refunded():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_contact("ana@client.example", responsible=ann)
    book = make_registry(refund_missed=True)
    make_trigger(members=[ann, bob], registry=book, responsible_check=["contact"], **asking_acceptance())
    lead = take(contact={"email": "ana@client.example"})
    assert reason(lead) == "responsible"
    decline_offer(lead.pk, at=MONDAY)
    assert owners([lead]) == "B"
    assert ledger(book).added == 0
    assert not Adjustment.objects.exists()


def test_an_accepted_lead_is_not_refunded():
    book = make_registry(refund_missed=True)
    make_trigger(members=[make_manager("ann"), make_manager("bob")], registry=book, **asking_acceptance())
    lead = take()
    accept_offer(lead.pk, at=MONDAY)
    sweep(at=MONDAY + DAY)
    assert ledger(book).added == 0


# Totals


def totals(**facts):
    return make_registry("totals", accounting="totals", **facts)


def test_totals_even_out_so_who_was_away_catches_up():
    ann, bob = make_manager("ann"), make_manager("bob", active=False)
    book = totals()
    make_trigger(members=[ann, bob], registry=book)
    assert owners([take() for _ in range(3)]) == "AAA"
    bob.active = True
    bob.save()
    leads = [take() for _ in range(5)]
    assert owners(leads) == "BBBAB"
    assert reason(leads[0]) == "totals"
    assert received(book) == {"Ann": 4, "Bob": 4}
    assert set(balances(book).values()) == {0}


def test_totals_go_by_coefficient():
    make_trigger(members=[(make_manager("ann"), 1), (make_manager("bob"), 3)], registry=totals())
    assert sorted(owners(take_some(8))) == list("AABBBBBB")


# In Madrid: 2026-03-01 is a Sunday and the first of March, so 2026-02-28 23:00 UTC is when week, month and day turn.
@pytest.mark.parametrize(
    ("reset", "before", "after"),
    [
        ("day", datetime(2026, 3, 3, 22, 59, 59, tzinfo=UTC), datetime(2026, 3, 3, 23, 0, tzinfo=UTC)),
        ("week", datetime(2026, 3, 8, 22, 59, 59, tzinfo=UTC), datetime(2026, 3, 8, 23, 0, tzinfo=UTC)),
        # The clocks change on 29 March: midnight of the 1st of April is two hours ahead of UTC.
        ("month", datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC), datetime(2026, 3, 31, 22, 0, tzinfo=UTC)),
    ],
)
def test_totals_begin_anew_with_the_period_in_account_time(reset, before, after):
    make_account(time_zone="Europe/Madrid")
    ann, bob = make_manager("ann"), make_manager("bob", active=False)
    book = totals(reset=reset)
    make_trigger(members=[ann, bob], registry=book)
    [take(at=before) for _ in range(3)]
    bob.active = True
    bob.save()
    assert owners([take(at=before)]) == "B"
    assert received(book) == {"Ann": 3, "Bob": 1}
    assert owners([take(at=after) for _ in range(4)]) == "ABAB"  # level again
    assert received(book) == {"Ann": 2, "Bob": 2}


def test_totals_that_never_reset_go_on():
    make_trigger(members=[make_manager("ann"), make_manager("bob")], registry=(book := totals()))
    take(), take(at=MONDAY + 400 * DAY), take(at=MONDAY + 800 * DAY)
    assert received(book) == {"Ann": 2, "Bob": 1}


def test_in_totals_a_credit_back_changes_what_was_received():
    make_trigger(members=[make_manager("ann"), make_manager("bob")], registry=(book := totals()))
    first, _ = take(), take()
    credit_back(first.pk, at=MONDAY)
    assert received(book) == {"Ann": 0, "Bob": 1}
    assert ledger(book).added == 0
    assert owners([take()]) == "A"


def test_a_new_trigger_has_a_book_of_its_own():
    make_pipeline()
    trigger = make_trigger()
    assert trigger.own_registry.label == "new-leads"
    assert Ledger.objects.get(registry=trigger.own_registry).turn == 0
    Trigger.objects.all().delete()
    assert not Ledger.objects.exists()


def test_leads_of_an_old_customer_cost_nobody_a_turn():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_contact("ana@client.example", responsible=ann)
    make_trigger(members=[ann, bob], responsible_check=["contact"])
    old = [take(contact={"email": "ana@client.example"}) for _ in range(3)]
    assert owners(old) == "AAA"
    assert owners([take() for _ in range(4)]) == "ABAB"
    assert Lead.objects.filter(state="assigned").count() == 7


def test_a_lead_given_by_hand_that_counted_can_be_credited_back():
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    lead = take()
    reassign(lead.pk, bob.pk, at=MONDAY, by=make_supervisor(), count=True)
    before = balances(trigger)["Bob"]
    credit_back(lead.pk, at=MONDAY, by=None, reason="junk")
    assert balances(trigger)["Bob"] == before + LEAD
