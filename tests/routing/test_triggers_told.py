"""A trigger in the admin: what it does in words, what cannot work, who would get a lead."""

from datetime import UTC, datetime

import pytest
from django.db import InternalError

from routing import roster
from routing.configuration_warnings import coverage_gaps, faults
from routing.models import Decision, Lead, Ledger, Trigger
from routing.screens.dry_run import try_on
from tests.factories import (
    DAY,
    HOUR,
    MONDAY,
    asking_acceptance,
    hold,
    make_account,
    make_company,
    make_contact,
    make_manager,
    make_registry,
    make_schedule,
    make_supervisor,
    make_trigger,
    take,
)

pytestmark = pytest.mark.django_db
NIGHT = datetime(2026, 3, 2, 23, 0, tzinfo=UTC)


@pytest.fixture
def sue(client):
    sue = make_supervisor()
    client.force_login(sue)
    return sue


def words(at=MONDAY) -> list[str]:
    return [fault.words for fault in faults(roster.current(), at=at)]


def tried(trigger, at=MONDAY, **sample):
    current = roster.current()
    return try_on(current.triggers[trigger.pk], current, sample, at=at)


# What cannot work


def test_a_sound_trigger_has_no_fault():
    make_trigger(members=[make_manager("ann"), make_manager("bob", schedule=make_schedule())])
    assert words() == []


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: make_trigger(members=[make_manager(active=False)]), "no member is active"),
        (lambda: make_trigger(), "no member is active"),
        (lambda: make_trigger(members=[(make_manager(), 0)]), "all coefficients are 0"),
        (lambda: make_trigger(members=[make_manager()], limit=0), "the limit is 0"),
        (
            lambda: make_trigger(members=[make_manager(schedule=make_schedule(weekly={}))]),
            "no member is ever on duty",
        ),
        (
            lambda: make_trigger(members=[make_manager()], if_nobody="duty", duty=make_manager("eva", active=False)),
            "Eva is on duty for leads that nobody took, but not active",
        ),
        (
            lambda: make_trigger(
                members=[make_manager()], **asking_acceptance(final_step="duty", duty=make_manager("eva", active=False))
            ),
            "Eva is on duty for leads that nobody took, but not active",
        ),
    ],
)
def test_where_leads_find_nobody_it_is_said_first(make, expected):
    trigger = make()
    found = faults(roster.current(), at=MONDAY)
    assert expected in found[0].words
    assert (found[0].grave, found[0].model, found[0].id) == (True, "routing.trigger", trigger.pk)


def test_members_who_cannot_take_part_are_named():
    bob = make_manager("bob", schedule=make_schedule(weekly={}))
    make_trigger(members=[make_manager("ann"), bob, make_manager("cid", active=False)])
    assert words() == [
        "new-leads: Cid is a member but not active.",
        "new-leads: Bob is never on duty because the schedule has no hours for them.",
    ]


def test_triggers_of_the_same_priority_are_rivals_only_on_a_shared_event():
    ann = make_manager()
    make_trigger("first", members=[ann])
    second = make_trigger("second", members=[ann], on=["moved"])
    assert words() == ["first: second has the same stage, event and priority. Only the older trigger runs."]
    Trigger.objects.filter(pk=second.pk).update(priority=11)
    assert words() == []


def test_a_trigger_that_is_turned_off_has_no_faults():
    make_trigger(members=[make_manager(active=False)], on=[])
    assert words() == []


def test_the_hours_that_nobody_covers_are_found():
    make_account(time_zone="UTC")
    early, late = (
        make_schedule("early", weekly={"mon": ["08:00-12:00"]}),
        make_schedule("late", weekly={"mon": ["11:00-20:00"]}),
    )
    make_trigger(members=[make_manager("ann", schedule=early), make_manager("bob", schedule=late)])
    current = roster.current()
    [trigger] = current.triggers.values()
    assert coverage_gaps(trigger, current, {}, at=MONDAY) == [(MONDAY.replace(hour=20), MONDAY + DAY)]
    make_trigger("always", members=[make_manager("cid")], on_stage="sales/accepted")
    current = roster.current()
    assert coverage_gaps(list(current.triggers.values())[-1], current, {}, at=MONDAY) == []


def test_who_is_on_a_pause_covers_no_hour_of_it():
    make_account(time_zone="UTC")
    ann = make_manager("ann", schedule=make_schedule("early", weekly={"mon": ["08:00-12:00"]}))
    make_trigger(members=[ann])
    current = roster.current()
    [trigger] = current.triggers.values()
    for pause, free in ((None, HOUR * 2), ((MONDAY, MONDAY + HOUR), 0 * HOUR), ((MONDAY, None), 0 * HOUR)):
        gaps = coverage_gaps(trigger, current, {ann.pk: pause} if pause else {}, at=MONDAY)
        assert gaps[0][0] == MONDAY + free
    assert coverage_gaps(trigger, current, {ann.pk: (MONDAY, MONDAY + HOUR)}, at=MONDAY) == [
        (MONDAY, MONDAY + HOUR),
        (MONDAY + 2 * HOUR, MONDAY + DAY),
    ]


# Trying


def test_a_trial_decides_as_a_real_lead_is_decided():
    trigger = make_trigger(members=[(make_manager("ann"), 40), (make_manager("bob"), 60)])
    for _ in range(7):
        outcome = tried(trigger)
        assert outcome.chosen == take().responsible.user.name
        decided = Decision.objects.latest("id")
        assert [row.before for row in sorted(outcome.rows, key=lambda row: row.name)] == [
            balance / 10**9 for balance in decided.balances
        ]


def test_a_trial_writes_nothing(django_assert_max_num_queries):
    trigger = make_trigger(members=[make_manager("ann"), make_manager("bob")], **asking_acceptance())
    before = Ledger.objects.values().get()
    tried(trigger)
    with django_assert_max_num_queries(14) as queries:
        outcome = tried(trigger, email="ana@client.example")
    assert outcome.accept_by is not None
    assert not [q for q in queries.captured_queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert (Ledger.objects.values().get(), Lead.objects.count(), Decision.objects.count()) == (before, 0, 0)


def test_the_database_itself_refuses_to_write_in_a_trial(monkeypatch):
    trigger = make_trigger(members=[make_manager()])

    def careless(*_: object, **__: object) -> None:
        Ledger.objects.update(turn=5)

    monkeypatch.setattr("routing.screens.dry_run.gather_candidates", careless)
    with pytest.raises(InternalError, match="read-only"):
        tried(trigger)


def test_a_trial_may_be_of_another_time():
    trigger = make_trigger(members=[make_manager("ann", schedule=make_schedule()), make_manager("bob")])
    assert {row.name: row.eligible for row in tried(trigger, at=NIGHT).rows} == {"Ann": False, "Bob": True}
    assert tried(trigger, at=NIGHT).chosen == "Bob"


def test_a_trial_says_why_the_others_cannot():
    ann = make_manager("ann", skills={"language": ["es"]})
    bob = make_manager("bob")
    trigger = make_trigger(members=[ann, bob], limit=2)
    hold(bob, 2)
    rows = {row.name: row.words for row in tried(trigger, language="es").rows}
    assert rows["Bob"] == "2 of 2 leads"
    nobody = tried(trigger, language="ru")
    assert nobody.chosen == ""
    assert nobody.words == "It waits: 1 lacks a skill it needs, 1 full."


def test_old_customers_are_known_in_a_trial():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_company(domain="ruiz.example", domain_key="ruiz.example", responsible=bob)
    trigger = make_trigger(members=[ann], responsible_check=["company"])
    outcome = tried(trigger, domain="https://www.ruiz.example/")
    assert (outcome.chosen, outcome.reason) == ("Bob", "responsible")


# The pages


def test_an_old_customer_is_known_by_phone_as_well():
    make_account(country="ES")
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob], responsible_check=["contact"])
    make_contact("", phone="+34600010100", responsible=bob)
    for phone in ("+34 600 010 100", "600 01 01 00"):
        outcome = tried(trigger, phone=phone)
        assert outcome.chosen == "Bob"
        assert outcome.words == "Bob would get it: already responsible for the customer."


@pytest.mark.parametrize("at", [("9999-12-31", "23:59:59"), ("0001-01-01", "00:00:00"), ("1999-12-31", "10:00")])
def test_a_trial_of_a_time_beyond_all_schedules_is_refused_beside_the_field(client, sue, at):
    make_account(time_zone="Europe/Madrid")
    trigger = make_trigger(members=[make_manager("ann", schedule=make_schedule())])
    answer = client.post(f"/admin/routing/trigger/{trigger.pk}/try/", {"at_0": at[0], "at_1": at[1], "fields": "{}"})
    assert answer.status_code == 200
    assert "at" in answer.context["form"].errors


def test_the_list_and_the_page_tell_what_a_trigger_does(client, sue):
    trigger = make_trigger(members=[(make_manager("ann"), 40), (make_manager("bob", active=False), 60)])
    sentence = "Leads created in or moved into Sales: new go to 2 managers by coefficient."
    listed = client.get("/admin/routing/trigger/").content.decode()
    page = client.get(f"/admin/routing/trigger/{trigger.pk}/change/").content.decode()
    for text in (sentence, "Bob is a member but not active."):
        assert text in listed
        assert text in page
    assert "40 %" in page
    assert "60 %" in page


def test_the_list_of_triggers_takes_no_more_queries_for_more_of_them(client, sue, django_assert_max_num_queries):
    for number in range(12):
        make_trigger(f"t{number}", members=[make_manager(f"m{number}")], registry=make_registry(f"r{number}"))
    client.get("/admin/routing/trigger/")
    with django_assert_max_num_queries(11):
        client.get("/admin/routing/trigger/")


def test_a_trigger_is_tried_on_its_page(client, sue):
    trigger = make_trigger(members=[make_manager("ann")])
    address = f"/admin/routing/trigger/{trigger.pk}/try/"
    assert "outcome" not in client.get(address).context
    page = client.post(address, {"language": "es", "fields": "{}"}).content.decode()
    assert "Ann would get it: nobody else could take it." in page
    make_trigger("before", members=[make_manager("bob")], priority=1)
    page = client.post(address, {"fields": "{}"}).content.decode()
    assert "On this stage, the trigger before comes first" in page
    assert client.post(address, {"country": "Spain", "fields": "[]"}).context["form"].errors.keys() == {
        "country",
        "fields",
    }
    assert client.get("/admin/routing/trigger/999999/try/").status_code == 403
    assert Lead.objects.count() == 0
