"""A trigger distributes: who is eligible, why not, and who gets the lead."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.services import mark_online, pause_manager
from routing.engine import Candidate
from routing.models import Decision, Lead, Member
from routing.representations import read_decision
from routing.services.intake import take_leads
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    balances,
    form,
    hold,
    ledger,
    make_account,
    make_manager,
    make_managers,
    make_schedule,
    make_source,
    make_supervisor,
    make_trigger,
    owners,
    reason,
    refusals,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db

NIGHT = MONDAY.replace(hour=3)


def test_a_new_lead_goes_to_a_member_of_the_trigger():
    ann, _ = make_manager("ann"), make_manager("max")
    make_trigger(members=[ann])
    lead = take()
    assert (lead.state, lead.responsible) == ("assigned", ann)
    assert reason(lead) == "fair_share"


def test_members_take_turns():
    make_trigger(members=[make_manager("ann"), make_manager("bob"), make_manager("cid")])
    assert owners([take() for _ in range(7)]) == "ABCABCA"


def test_coefficients_40_and_60_give_2_and_4_of_6_in_the_order_of_the_rules():
    make_trigger(members=[(make_manager("ann"), 40), (make_manager("bob"), 60)])
    assert owners([take() for _ in range(10)]) == "BABABBABAB"


def test_a_trigger_without_members_takes_all_active_managers_alike():
    make_manager("ann"), make_manager("bob"), make_manager("max", active=False)
    make_supervisor("sue")
    make_trigger()
    leads = [take() for _ in range(6)]
    assert owners(leads) == "ABABAB"
    assert refusals(leads[0]) == {"Ann": None, "Bob": None}


def test_a_new_manager_takes_part_where_a_trigger_names_no_members():
    make_manager("ann")
    make_trigger()
    assert owners([take(), take()]) == "AA"
    make_manager("bob")
    assert owners([take(), take()]) in ("AB", "BA")


def test_each_candidate_is_told_the_first_reason_why_not():
    office = make_schedule("office")
    night = {"schedule": office}
    make_trigger(
        online_only=True,
        limit=1,
        members=[
            {"manager": make_manager("inactive", active=False, **night)},
            {"manager": make_manager("paused", **night)},
            {"manager": make_manager("off", **night), "coefficient": 0},
            {"manager": make_manager("gone", skills={"language": ["en"]})},
            {"manager": make_manager("idle"), "coefficient": 0},
            {"manager": make_manager("mute", skills={"language": ["en"]})},
            {"manager": make_manager("full")},
            {"manager": make_manager("ann")},
        ],
    )
    people = {member.manager.user.name.lower(): member.manager for member in Member.objects.all()}
    pause_manager(people["inactive"], at=NIGHT - HOUR)
    pause_manager(people["paused"], at=NIGHT - HOUR)
    for name in ("inactive", "paused", "off", "idle", "mute", "full", "ann"):
        mark_online(people[name].pk, at=NIGHT)
    hold(people["full"]), hold(people["mute"])
    lead = take(at=NIGHT, language="es")
    assert refusals(lead) == {
        "Inactive": "inactive",
        "Paused": "paused",
        "Off": "off_duty",
        "Gone": "offline",
        "Idle": "coefficient_zero",
        "Mute": "no_match",
        "Full": "at_limit",
        "Ann": None,
    }
    assert owners([lead]) == "A"


def test_a_lead_that_nobody_can_take_waits_and_says_why():
    make_trigger(members=[make_manager("ann", active=False), make_manager("bob", schedule=make_schedule())])
    lead = take(at=NIGHT)
    assert (lead.state, lead.responsible) == ("waiting", None)
    assert refusals(lead) == {"Ann": "inactive", "Bob": "off_duty"}
    decision = Decision.objects.get()
    assert (decision.outcome, decision.reason, decision.chosen) == ("waiting", "nobody", None)


def test_who_has_no_schedule_is_always_on_duty():
    make_trigger(members=[make_manager("ann")])
    assert owners([take(at=NIGHT), take(at=MONDAY + 5 * DAY)]) == "AA"


def test_a_schedule_for_a_member_replaces_the_managers_own_there():
    nights = make_schedule("nights", weekly={"mon": ["00:00-06:00"]})
    ann = make_manager("ann", schedule=make_schedule("office"))
    make_trigger("night-leads", members=[{"manager": ann, "schedule": nights}])
    make_trigger("others", on_stage="sales/accepted", members=[ann])
    assert owners([take(at=NIGHT), take(at=NIGHT, stage="accepted")]) == "A-"
    assert owners([take(at=MONDAY), take(at=MONDAY, stage="accepted")]) == "-A"


def test_a_pause_ends_by_itself_at_its_minute():
    ann = make_manager("ann")
    make_trigger(members=[ann])
    pause_manager(ann, at=MONDAY, minutes=30)
    assert owners([take(at=MONDAY)]) == "-"
    assert refusals(take(at=MONDAY + 30 * MINUTE - MINUTE)) == {"Ann": "paused"}
    Lead.objects.all().update(state="idle")
    assert owners([take(at=MONDAY + 30 * MINUTE)]) == "A"


def test_online_means_seen_within_the_accounts_minutes():
    make_account(online_minutes=5)
    ann = make_manager("ann")
    make_trigger(members=[ann], online_only=True)
    assert refusals(take()) == {"Ann": "offline"}
    Lead.objects.all().update(state="idle")
    mark_online(ann.pk, at=MONDAY)
    assert owners([take(at=MONDAY + 5 * MINUTE)]) == "A"
    assert owners([take(at=MONDAY + 5 * MINUTE + MINUTE / 60)]) == "-"


def test_where_the_trigger_does_not_ask_for_it_nobody_need_be_online():
    make_trigger(members=[make_manager("ann")])
    assert owners([take()]) == "A"


@pytest.mark.parametrize(
    ("skills", "facts", "expected"),
    [
        ({"language": ["es", "en"]}, {"language": "ES"}, "A"),
        ({"language": ["en"]}, {"language": "es"}, "B"),
        ({"language": ["en"]}, {}, "A"),
        ({"region": ["ES"]}, {"region": "MD", "country": "ES"}, "A"),
        ({"region": ["FR"]}, {"region": "MD", "country": "ES"}, "B"),
        ({"product": ["crm"]}, {"product": "crm"}, "A"),
        ({"size": ["small"]}, {"fields": {"size": "small"}}, "A"),
        ({"size": ["small"]}, {"fields": {"size": "large"}}, "B"),
        ({"size": ["small"]}, {"fields": {"size": ["large", "small"]}}, "A"),
    ],
)
def test_a_lead_goes_to_who_has_the_skill_that_it_needs(skills, facts, expected):
    make_trigger(method="direct", members=[make_manager("ann", skills=skills), make_manager("bob")])
    assert owners([take(**facts)]) == expected


def test_who_is_away_neither_earns_nor_loses_a_turn():
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    assert owners([take(), take()]) == "AB"
    pause_manager(ann, at=MONDAY, minutes=60)
    assert owners([take() for _ in range(20)]) == "B" * 20
    assert balances(trigger) == {"Ann": 0, "Bob": 0}
    assert owners([take(at=MONDAY + 2 * HOUR) for _ in range(6)]) == "ABABAB"


def test_a_newcomer_is_not_flooded():
    trigger = make_trigger(members=[make_manager("ann"), make_manager("bob")])
    take_some(21)
    Member.objects.create(trigger=trigger, manager=make_manager("cid"), position=9)
    assert owners([take() for _ in range(9)]).count("C") == 3


def test_direct_gives_the_lead_to_the_first_who_can():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(method="direct", members=[{"manager": ann, "limit": 2}, bob])
    leads = [take() for _ in range(4)]
    assert owners(leads) == "AABB"
    assert reason(leads[0]) == "direct"


def test_least_loaded_gives_the_lead_to_who_holds_fewest_by_coefficient():
    ann, bob = make_manager("ann"), make_manager("bob")
    hold(ann, 2), hold(bob, 5)
    trigger = make_trigger(method="least_loaded", members=[(ann, 1), (bob, 2)])
    leads = [take() for _ in range(4)]
    assert owners(leads) == "ABAB"  # 2/1 to 5/2, 3/1 to 5/2, 3/1 to 6/2 and Ann waits longer, 4/1 to 6/2
    assert reason(leads[0]) == "least_loaded"
    assert set(balances(trigger).values()) == {0}


def test_a_stage_without_a_trigger_leaves_the_lead_idle():
    make_trigger(on_stage="sales/accepted", members=[make_manager("ann")])
    lead = take()
    assert (lead.state, lead.responsible, lead.trigger) == ("idle", None, None)
    assert not Decision.objects.exists()


def test_of_several_triggers_on_a_stage_the_lowest_priority_fires():
    make_trigger("second", priority=20, members=[make_manager("bob")])
    make_trigger("first", priority=10, members=[make_manager("ann")])
    make_trigger("third", priority=30, members=[make_manager("max")])
    lead = take()
    assert (owners([lead]), lead.trigger.code) == ("A", "first")


def test_a_trigger_fires_on_its_events_alone():
    make_trigger("moved-alone", priority=1, on=["moved"], members=[make_manager("bob")])
    make_trigger("created", priority=2, on=["created"], members=[make_manager("ann")])
    assert owners([take()]) == "A"


def test_a_decision_tells_what_it_saw():
    ann, bob = make_manager("ann"), make_manager("bob")
    hold(bob, 2)
    trigger = make_trigger(limit=5, members=[(ann, 40), (bob, 60)])
    lead = take()
    [decision] = Decision.objects.filter(lead=lead)
    assert (decision.at, decision.trigger, decision.attempt, decision.method) == (MONDAY, trigger, 1, "fair_share")
    assert (decision.turn, decision.counted, decision.chosen) == (1, True, bob)
    candidates, refusals, after = read_decision(decision)
    assert candidates == [
        Candidate(manager=ann.pk, coefficient=40, limit=5, held=0),
        Candidate(manager=bob.pk, coefficient=60, limit=5, held=2),
    ]
    assert refusals == [None, None]
    assert after == [400_000_000, -400_000_000]


def test_a_lead_that_waits_takes_no_turn():
    trigger = make_trigger(members=[make_manager("ann", schedule=make_schedule())])
    take(at=NIGHT)
    assert ledger(trigger).turn == 0
    assert balances(trigger) == {}


def queries_of(service):
    with CaptureQueriesContext(connection) as queries:
        service()
    return len(queries)


@pytest.mark.parametrize("facts", [{}, {"limit": 50}, {"online_only": True, "responsible_check": ["contact"]}])
@pytest.mark.parametrize("leads", [1, 40])
def test_the_number_of_queries_depends_neither_on_members_nor_on_leads(facts, leads, django_assert_num_queries):
    trigger = make_trigger(members=make_managers(3), **facts)
    source = make_source()
    take()  # the configuration is read
    one = form()
    expected = queries_of(lambda: take_leads([one], source_id=source.pk, at=MONDAY))
    for position, manager in enumerate([make_manager(f"n{i}") for i in range(57)], 3):
        Member.objects.create(trigger=trigger, manager=manager, position=position)
    take()
    some = [form() for _ in range(leads)]
    with django_assert_num_queries(expected):
        take_leads(some, source_id=source.pk, at=MONDAY)
