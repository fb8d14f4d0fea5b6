"""A lead of somebody known goes to who looks after them already."""

import pytest

from accounts.services import pause_manager, resume_manager
from routing.models import Company, Contact, Decision, LeadEvent
from routing.services.assignment import reassign
from routing.services.intake import take_lead, take_leads
from routing.services.offers import accept_offer, decline_offer
from routing.services.stages import qualify_lead
from routing.services.sweep import sweep
from tests.factories import (
    MONDAY,
    asking_acceptance,
    balances,
    form,
    hold,
    ledger,
    make_company,
    make_contact,
    make_manager,
    make_schedule,
    make_source,
    make_trigger,
    owners,
    reason,
    received,
    refusals,
    stage,
    take,
)

pytestmark = pytest.mark.django_db

LEAD = 1_000_000_000
ANA = {"email": "ana@client.example"}


@pytest.fixture
def team():
    """Return Ann and Bob, members, and Max, who belongs to another team."""
    return make_manager("ann"), make_manager("bob"), make_manager("max")


def known(manager, *, company_of=None):
    """Make Ana known as a contact of the manager, and her company as another's."""
    company = make_company(responsible=company_of) if company_of else None
    return make_contact(responsible=manager, company=company)


def take_ana(**facts):
    return take(contact=ANA, company={"name": "Ruiz SL"}, **facts)


def test_off_a_known_contact_makes_no_difference(team):
    known(team[2])
    make_trigger(members=team[:2])
    assert owners([take_ana()]) == "A"


def test_the_contacts_manager_gets_the_lead_member_or_not(team):
    known(team[2])
    make_trigger(members=team[:2], responsible_check=["contact"])
    lead = take_ana()
    assert (owners([lead]), reason(lead), lead.state) == ("M", "responsible", "assigned")
    assert refusals(lead) == {"Ann": None, "Bob": None, "Max": "coefficient_zero"}


@pytest.mark.parametrize(
    ("order", "expected"),
    [(["contact", "company"], "B"), (["company", "contact"], "M"), (["contact"], "B"), (["company"], "M")],
)
def test_the_trigger_sets_the_order(team, order, expected):
    _, bob, other = team
    known(bob, company_of=other)
    make_trigger(members=team[:2], responsible_check=order)
    assert owners([take_ana()]) == expected


def test_a_contact_without_manager_leaves_it_to_the_company(team):
    known(None, company_of=team[2])
    make_trigger(members=team[:2], responsible_check=["contact", "company"])
    assert owners([take_ana()]) == "M"


def test_nobody_known_leaves_it_to_the_method(team):
    make_trigger(members=team[:2], responsible_check=["contact", "company"])
    lead = take_ana()
    assert (owners([lead]), reason(lead)) == ("A", "fair_share")


def test_who_is_active_gets_it_off_duty_paused_or_full(team):
    ann, bob, _ = team
    bob.schedule = make_schedule()
    bob.save()
    known(bob)
    hold(bob, 5)
    pause_manager(bob, at=MONDAY)
    make_trigger(members=[ann, bob], limit=1, responsible_check=["contact"])
    assert owners([take_ana(at=MONDAY.replace(hour=22))]) == "B"


def test_who_is_no_longer_active_does_not(team):
    _, bob, _ = team
    known(bob)
    make_trigger(members=team[:2], responsible_check=["contact"])
    bob.active = False
    bob.save()
    lead = take_ana()
    assert (owners([lead]), reason(lead)) == ("A", "fair_share")


@pytest.mark.parametrize("why", ["paused", "off duty"])
def test_the_trigger_may_ask_that_they_are_available(team, why):
    ann, bob, _ = team
    known(bob)
    if why == "paused":
        pause_manager(bob, at=MONDAY)
    else:
        bob.schedule = make_schedule(weekly={})
        bob.save()
    make_trigger(members=[ann, bob], responsible_check=["contact"], responsible_available=True)
    assert owners([take_ana()]) == "A"


def test_of_contact_and_company_the_first_who_is_available_gets_it(team):
    _, bob, other = team
    known(bob, company_of=other)
    pause_manager(bob, at=MONDAY)
    make_trigger(members=team[:2], responsible_check=["contact", "company"], responsible_available=True)
    assert owners([take_ana()]) == "M"


def test_available_means_online_where_the_trigger_asks_for_it(team):
    known(team[1])
    make_trigger(members=team[:2], online_only=True, responsible_check=["contact"], responsible_available=True)
    assert take_ana().state == "waiting"


def test_an_old_customer_costs_nobody_a_turn(team):
    known(team[0])
    trigger = make_trigger(members=team[:2], responsible_check=["contact"])
    for _ in range(5):
        take_ana()
    assert (ledger(trigger).turn, balances(trigger)) == (0, {})
    assert owners([take(), take()]) == "AB"
    assert set(Decision.objects.filter(reason="responsible").values_list("counted", flat=True)) == {False}


def test_the_trigger_may_have_them_counted(team):
    known(team[0])
    trigger = make_trigger(members=team[:2], responsible_check=["contact"], responsible_count=True)
    take_ana(), take_ana()
    assert balances(trigger) == {"Ann": -LEAD, "Bob": LEAD}
    assert received(trigger) == {"Ann": 2, "Bob": 0}
    assert owners([take(), take()]) == "BB"


def test_counted_for_who_is_no_member_they_pay_all_the_same(team):
    known(team[2])
    trigger = make_trigger(members=team[:2], responsible_check=["contact"], responsible_count=True)
    take_ana()
    assert balances(trigger) == {"Ann": LEAD // 2, "Bob": LEAD // 2, "Max": -LEAD}


def test_what_they_declined_is_not_offered_to_them_again(team):
    known(team[1])
    make_trigger(members=team[:2], responsible_check=["contact"], **asking_acceptance())
    lead = take_ana()
    decline_offer(lead.pk, at=MONDAY)
    assert owners([lead]) == "A"


def test_a_lead_held_by_an_old_customers_manager_counts_under_their_limit(team):
    ann, _, _ = team
    known(ann)
    make_trigger(members=[ann], limit=2, responsible_check=["contact"])
    assert owners([take_ana(), take(), take()]) == "AA-"


def test_the_answer_says_so(team):
    known(team[1])
    make_trigger(members=team[:2], responsible_check=["contact"])
    taken = take_lead(form(contact=ANA), source_id=make_source().pk, at=MONDAY)
    assert taken.document["responsible"] == {"email": "bob@example.com", "name": "Bob"}
    assert taken.document["decision"]["reason"] == "responsible"


# The first who gets a lead of somebody for good


def responsibles():
    return {
        kind: model.objects.get().responsible and model.objects.get().responsible.user.name
        for kind, model in (("contact", Contact), ("company", Company))
    }


def test_the_first_to_get_a_lead_becomes_responsible_where_the_trigger_looks(team):
    make_trigger(members=team[:2], responsible_check=["contact", "company"])
    first = take_ana()
    assert (owners([first]), responsibles()) == ("A", {"contact": "Ann", "company": "Ann"})
    told = LeadEvent.objects.filter(lead=first, kind="handed_along").order_by("id")
    assert [(e.data["object"], e.data["from"], e.data["to"]) for e in told] == [
        ("contact", None, team[0].pk),
        ("company", None, team[0].pk),
    ]
    second = take_ana()
    assert (owners([second]), reason(second)) == ("A", "responsible")


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ([], {"contact": None, "company": None}),
        (["contact"], {"contact": "Ann", "company": None}),
        (["company"], {"contact": None, "company": "Ann"}),
    ],
)
def test_only_of_what_the_trigger_looks_at(team, check, expected):
    make_trigger(members=team[:2], responsible_check=check)
    take_ana()
    assert responsibles() == expected


def test_an_offer_makes_nobody_responsible_and_accepting_it_does(team):
    make_trigger(members=team[:2], responsible_check=["contact"], **asking_acceptance())
    lead = take_ana()
    assert responsibles()["contact"] is None
    decline_offer(lead.pk, at=MONDAY)
    assert (owners([lead]), responsibles()["contact"]) == ("B", None)
    accept_offer(lead.pk, at=MONDAY)
    assert responsibles() == {"contact": "Bob", "company": None}


def test_whoever_is_responsible_already_stays_so(team):
    ann, bob, other = team
    known(other)
    other.active = False  # nor does a manager who left: a supervisor decides about their customers
    other.save()
    make_trigger(members=[ann, bob], responsible_check=["contact"])
    assert owners([take_ana()]) == "A"
    assert responsibles()["contact"] == "Max"


def test_the_second_who_accepts_does_not_become_responsible(team):
    make_trigger(members=team[:2], responsible_check=["contact"], **asking_acceptance())
    first, second = take_ana(), take_ana()
    assert owners([first, second]) == "AB"
    accept_offer(second.pk, at=MONDAY)
    accept_offer(first.pk, at=MONDAY)
    assert responsibles()["contact"] == "Bob"


@pytest.mark.parametrize("step", ["duty", "keep"])
def test_who_gets_it_in_the_end_without_accepting_becomes_responsible(team, step):
    ann, _, other = team
    make_trigger(members=[ann], responsible_check=["contact"], duty=other, **asking_acceptance(final_step=step))
    lead = take_ana()
    decline_offer(lead.pk, at=MONDAY)
    assert responsibles()["contact"] == {"duty": "Max", "keep": "Ann"}[step]


def test_assigned_by_hand_they_become_responsible_where_its_trigger_looks(team):
    make_trigger(members=team[:2], responsible_check=["contact"], **asking_acceptance())
    reassign(take_ana().pk, team[2].pk, at=MONDAY)
    assert responsibles() == {"contact": "Max", "company": None}


def test_qualified_by_hand_they_become_responsible_where_the_triggers_stage_looks(team):
    make_trigger(members=team[:2], responsible_check=["company"])
    lead = take_ana(unqualified=True)
    assert lead.stage == stage("sales/inbox")
    qualify_lead(lead.pk, stage("sales/new").pk, manager_id=team[2].pk, at=MONDAY)
    assert responsibles() == {"contact": None, "company": "Max"}


def test_a_lead_that_waited_makes_who_gets_it_responsible(team):
    pause_manager(team[0], at=MONDAY)
    make_trigger(members=team[:1], responsible_check=["contact"])
    take_ana()
    assert responsibles()["contact"] is None
    resume_manager(team[0], at=MONDAY)
    sweep(at=MONDAY)
    assert responsibles()["contact"] == "Ann"


def test_leads_of_somebody_new_in_one_request_go_to_the_first_who_got_one(team):
    make_trigger(members=team[:2], responsible_check=["contact"])
    taken = take_leads([form(), form(contact=ANA), form(contact=ANA)], source_id=make_source().pk, at=MONDAY)
    assert "".join(each.document["responsible"]["name"][0] for each in taken) == "ABB"
    assert Contact.objects.get(email=ANA["email"]).responsible == team[1]


def test_leads_of_one_person_in_one_request_go_to_one_manager(team):
    make_trigger(members=team[:2], responsible_check=["contact", "company"], also_assign=["contact", "company"])
    ana, colleague = {"contact": ANA, "company": {"name": "Ruiz SL"}}, {"company": {"name": "Ruiz SL"}}
    forms = [form(**facts) for facts in ({}, ana, {}, ana, colleague, {})]
    taken = take_leads(forms, source_id=make_source().pk, at=MONDAY)
    assert "".join(each.document["responsible"]["name"][0] for each in taken) == "ABABBB"


def test_counted_for_who_is_no_member_the_book_goes_on_where_it_stood(team):
    known(team[2])
    trigger = make_trigger(members=team[:2], responsible_check=["contact"], responsible_count=True)
    take_ana(), take_ana()
    assert balances(trigger) == {"Ann": LEAD, "Bob": LEAD, "Max": -2 * LEAD}
    assert received(trigger)["Max"] == 2
