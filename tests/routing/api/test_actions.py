"""Accept, decline, move, reassign; managers, their pauses, and how they stood at another instant."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from accounts.models import Account, Manager, Pause, WorkSchedule
from accounts.time import clock
from routing.api import views
from routing.models import HandOver, Lead, Offer, Task
from routing.services import hand_over
from routing.services.sweep import sweep

from .world import LEAD, World


@pytest.fixture
def lead(world: World) -> str:
    return str(world.api().post("leads", LEAD).json()["id"])


# Leads


def test_a_manager_accepts_once(world: World, lead: str) -> None:
    accepted = world.api("ann").post(f"leads/{lead}/accept").json()
    assert (accepted["state"], accepted["accept_by"], accepted["responsible"]["name"]) == ("assigned", None, "Ann")
    again = world.api("ann").post(f"leads/{lead}/accept")
    assert (again.status_code, again.json()["code"]) == (409, "offer-closed")


def test_an_offer_out_of_time_is_closed(world: World, lead: str) -> None:
    past = clock.now() - timedelta(seconds=1)
    Offer.objects.update(accept_by=past, offered_at=past)
    for verb in ("accept", "decline"):
        assert world.api("ann").post(f"leads/{lead}/{verb}").status_code == 409
    assert Lead.objects.get().state == "offered"


def test_who_declines_sees_to_whom_it_went_and_then_no_more(world: World, lead: str) -> None:
    declined = world.api("ann").post(f"leads/{lead}/decline", {"reason": "on a call"})
    assert declined.json()["responsible"]["email"] == "bob@example.com"
    assert Offer.objects.get(outcome="declined").reason == "on a call"
    assert world.api("ann").get(f"leads/{lead}").status_code == 404
    assert world.api("bob").get(f"leads/{lead}").status_code == 200


def test_a_supervisor_and_the_account_answer_for_others(world: World, lead: str) -> None:
    assert world.api("sue").post(f"leads/{lead}/decline").json()["responsible"]["name"] == "Bob"
    assert world.api("account").post(f"leads/{lead}/accept").json()["state"] == "assigned"


@pytest.mark.parametrize("stage", ["sales/accepted", "accepted"])
def test_moving_a_lead_accepts_it(world: World, lead: str, stage: str) -> None:
    moved = world.api("ann").post(f"leads/{lead}/move", {"stage": stage}).json()
    assert (moved["stage"], moved["state"]) == ("sales/accepted", "assigned")


@pytest.mark.parametrize(
    "body",
    [{}, {"stage": None}, {"stage": "nope"}, {"stage": "x/y"}, {"stage": 5}, {"stage": ""}, {"stage": "a\u0000"}],
)
def test_a_move_needs_a_stage_that_exists(world: World, lead: str, body: dict[str, Any]) -> None:
    answer = world.api().post(f"leads/{lead}/move", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/stage")
    assert Lead.objects.get().stage == world.stages["new"]


def test_a_lead_given_by_hand_counts_only_when_asked(world: World, lead: str) -> None:
    def balance() -> int:
        return int(world.api().get("managers/bob@example.com").json()["balances"]["all-sales"])

    before = balance()
    given = world.api().post(f"leads/{lead}/reassign", {"manager": "Bob@Example.com"}).json()
    assert (given["responsible"]["name"], given["state"], balance()) == ("Bob", "assigned", before)
    world.api().post(f"leads/{lead}/reassign", {"manager": "bob@example.com", "count": True, "reason": "asked for"})
    assert balance() == before - 1_000_000_000


@pytest.mark.parametrize(
    "body", [{}, {"manager": None}, {"manager": "x"}, {"manager": "sue@example.com"}, {"manager": []}]
)
def test_a_lead_is_given_to_a_manager_only(world: World, lead: str, body: dict[str, Any]) -> None:
    answer = world.api().post(f"leads/{lead}/reassign", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/manager")


def test_count_is_true_or_false(world: World, lead: str) -> None:
    answer = world.api().post(f"leads/{lead}/reassign", {"manager": "bob@example.com", "count": "yes"})
    assert answer.json()["errors"][0]["pointer"] == "/count"


def test_an_inactive_manager_is_given_nothing(world: World, lead: str) -> None:
    world.managers["bob"].active = False
    world.managers["bob"].save()
    assert world.api().post(f"leads/{lead}/reassign", {"manager": "bob@example.com"}).status_code == 409


def test_a_junk_lead_is_credited_back_once_and_with_a_reason(world: World, lead: str) -> None:
    def balance() -> int:
        return int(world.api().get("managers/ann@example.com").json()["balances"]["all-sales"])

    before = balance()
    for reason in (" ", None):
        nothing = world.api("sue").post(f"leads/{lead}/credit-back", {"reason": reason})
        assert (nothing.status_code, nothing.json()["errors"][0]["pointer"], balance()) == (400, "/reason", before)
    assert world.api("sue").post(f"leads/{lead}/credit-back", {"reason": "junk"}).json()["id"] == lead
    assert balance() == before + 1_000_000_000
    assert world.api("sue").post(f"leads/{lead}/credit-back", {"reason": "junk"}).status_code == 409
    assert balance() == before + 1_000_000_000


def test_contact_and_company_go_along_with_a_lead_given_by_hand(world: World) -> None:
    lead = world.api().post("leads", {**LEAD, "company": {"name": "Ruiz SL"}}).json()["id"]
    body = {"manager": "bob@example.com", "also": ["contact", "company", "tasks"]}
    Task.objects.create(lead_id=lead, title="Call")
    assert world.api().post(f"leads/{lead}/reassign", {"manager": "bob@example.com"}).status_code == 200
    assert Lead.objects.get().contact.responsible is None  # type: ignore[union-attr]
    assert world.api("sue").post(f"leads/{lead}/reassign", body).status_code == 200
    [now] = Lead.objects.all()
    assert now.contact
    assert now.company
    for row in (now.contact, now.company, Task.objects.get()):
        assert str(row.responsible) == "Bob"


@pytest.mark.parametrize(
    "also", [["contacts"], ["contact", "contact_leads"], ["contact", 5], "contact,tasks", {"contact": True}]
)
def test_what_cannot_go_along_is_refused_and_nothing_changes(world: World, lead: str, also: Any) -> None:
    answer = world.api().post(f"leads/{lead}/reassign", {"manager": "bob@example.com", "also": also})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"].startswith("/also")
    assert str(Lead.objects.get().responsible) == "Ann"


def test_a_manager_takes_nothing_along_by_hand(world: World, lead: str) -> None:
    body = {"manager": "ann@example.com", "also": ["contact"]}
    assert world.api("ann").post(f"leads/{lead}/reassign", body).status_code == 403


@pytest.mark.parametrize("verb", ["accept", "decline", "move", "reassign", "credit-back"])
@pytest.mark.parametrize("body", [b"[]", b"5", b"{", b"\xff", b'{"reason": 5, "stage": 5, "manager": 5}'])
def test_a_strange_body_changes_nothing(world: World, lead: str, verb: str, body: bytes) -> None:
    if verb != "accept":  # which reads no body
        assert world.api().post(f"leads/{lead}/{verb}", body).status_code == 400
        assert Lead.objects.get().state == "offered"


# Managers


def test_managers_are_told_with_duty_load_and_balance(world: World, lead: str) -> None:
    page = world.api().get("managers").json()
    assert (page["next"], page["previous"]) == (None, None)
    assert page["results"][0] == {
        "email": "ann@example.com",
        "name": "Ann",
        "active": True,
        "on_duty": True,
        "available": True,
        "reason": None,
        "next_start": None,
        "next_change": None,
        "paused_until": None,
        "online": False,
        "last_seen_at": None,
        "seen_seconds_ago": None,
        "held": 1,
        "balances": {"all-sales": -500_000_000},
    }
    world.api().post(f"leads/{lead}/move", {"stage": "won"})
    assert world.api().get("managers/ann@example.com").json()["held"] == 0


def test_a_manager_is_online_when_seen_and_it_is_told_how_long_ago(world: World) -> None:
    assert world.api("ann").get("managers/ann@example.com").json()["seen_seconds_ago"] in range(60)
    Manager.objects.filter(pk=world.managers["ann"].pk).update(last_seen_at=clock.now() - timedelta(minutes=6))
    ann = world.api().get("managers/ann@example.com").json()
    assert (ann["online"], ann["seen_seconds_ago"] // 60, ann["last_seen_at"] is None) == (False, 6, False)
    Account.objects.update(online_minutes=7)
    assert world.api().get("managers/ann@example.com").json()["online"] is True


def test_duty_is_told_for_another_instant(world: World) -> None:
    Account.objects.update(time_zone="Europe/Madrid")
    office = WorkSchedule.objects.create(code="office", title="Office", weekly={"mon": ["09:00-18:00"]})
    world.managers["ann"].schedule = office
    world.managers["ann"].save()
    at = {
        "2026-03-02T09:00:00": (True, None, "2026-03-09T08:00:00Z", "2026-03-02T17:00:00Z"),
        "2026-03-02T17:00:00Z": (False, "off_duty", "2026-03-09T08:00:00Z", "2026-03-09T08:00:00Z"),
        "2026-03-02T07:59:59Z": (False, "off_duty", "2026-03-02T08:00:00Z", "2026-03-02T08:00:00Z"),
    }
    for written, expected in at.items():
        ann = world.api().get(f"managers/ann@example.com?at={written}").json()
        assert (ann["on_duty"], ann["reason"], ann["next_start"], ann["next_change"]) == expected


@pytest.mark.parametrize("at", ["now", "", "2026-02-30", "1950-01-01", "%00"])
def test_at_is_an_instant(world: World, at: str) -> None:
    assert world.api().get(f"managers?at={at}").json()["errors"][0]["pointer"] == "/at"


def test_pauses_are_told_as_they_ran(world: World) -> None:
    now, ann = clock.now(), world.managers["ann"]
    Pause.objects.create(
        manager=ann,
        started_at=now - timedelta(hours=3),
        ends_at=now - timedelta(hours=1),
        ended_at=now - timedelta(hours=2),
    )
    told = {
        hours: world.api()
        .get(f"managers/ann@example.com?at={(now - timedelta(hours=hours)).isoformat()[:19]}Z")
        .json()["reason"]
        for hours in (4, 2.5, 1.5, 0.5)
    }
    assert told == {4: None, 2.5: "paused", 1.5: None, 0.5: None}


def test_a_pause_of_minutes_ends_by_itself(world: World) -> None:
    paused = world.api("ann").post("managers/ann@example.com/pause", {"minutes": 30, "reason": "lunch"}).json()
    assert (paused["available"], paused["reason"]) == (False, "paused")
    pause = Pause.objects.get()
    assert (pause.reason, pause.by) == ("lunch", world.users["ann"])
    assert pause.ends_at is not None
    assert pause.ends_at - pause.started_at == timedelta(minutes=30)
    assert paused["paused_until"] == pause.ends_at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("body", [None, {}, {"minutes": None}])
def test_a_pause_without_minutes_lasts_until_resumed(world: World, body: object) -> None:
    paused = world.api().post("managers/ann@example.com/pause", body).json()
    assert (paused["reason"], paused["paused_until"]) == ("paused", None)
    resumed = world.api().post("managers/ann@example.com/resume").json()
    assert (resumed["available"], resumed["reason"]) == (True, None)
    assert world.api().post("managers/ann@example.com/resume").status_code == 200


def test_who_pauses_gives_back_open_offers(world: World, lead: str) -> None:
    world.api("ann").post("managers/ann@example.com/pause")
    assert world.api().get(f"leads/{lead}").json()["responsible"]["email"] == "bob@example.com"


@pytest.mark.parametrize(
    "body",
    [{"minutes": value} for value in (0, -1, 1.5, "30", True, 525_601, 10**30, [])]
    + [{"reason": 5}, {"reason": "x" * 201}],
)
def test_any_other_pause_is_refused(world: World, body: dict[str, Any]) -> None:
    assert world.api().post("managers/ann@example.com/pause", body).status_code == 400
    assert not Pause.objects.exists()


@pytest.mark.parametrize(
    "email", ["nobody@example.com", "sue@example.com", "%00@x", "a%2Fb@example.com", "é@example.com"]
)
def test_who_is_no_manager_is_404(world: World, email: str) -> None:
    assert world.api().get(f"managers/{email}").status_code == 404
    assert world.api().post(f"managers/{email}/pause").status_code == 404


@pytest.mark.parametrize("email", ["ANN@example.com", "ann%40example.com"])
def test_an_address_may_be_written_as_addresses_are(world: World, email: str) -> None:
    assert world.api().get(f"managers/{email}").json()["email"] == "ann@example.com"


def test_an_address_with_a_slash_is_one_address(world: World) -> None:
    world.users["ann"].email = "a/b@example.com"
    world.users["ann"].save()
    assert world.api().get("managers/a%2Fb@example.com").json()["email"] == "a/b@example.com"
    assert world.api().post("managers/a/b@example.com/pause").json()["reason"] == "paused"


def test_managers_page_by_email(world: World) -> None:
    first = world.api().get("managers?limit=1").json()
    second = world.api().get(first["next"]).json()
    assert [m["email"] for m in (*first["results"], *second["results"])] == ["ann@example.com", "bob@example.com"]
    assert second["next"] is None
    assert world.api().get(second["previous"]).json()["results"] == first["results"]


def test_the_list_of_managers_takes_a_fixed_number_of_statements(
    world: World, django_assert_max_num_queries: Any
) -> None:
    world.api().get("managers")
    with django_assert_max_num_queries(4):
        world.api().get("managers")


# Hand-overs


def test_a_managers_leads_are_handed_over_after_a_preview_and_undone(world: World, lead: str) -> None:
    api = world.api("sue")
    seen = api.post("managers/ann@example.com/hand-over", {"preview": True}).json()
    assert (seen["id"], seen["received"], seen["stayed"]) == (None, {"bob@example.com": 1}, 0)
    assert api.get(f"leads/{lead}").json()["responsible"]["name"] == "Ann"
    done = api.post("managers/ann@example.com/hand-over", {"also": ["tasks"], "reason": "leaves"}).json()
    assert done["results"] == seen["results"]
    assert done["results"][0] | {"name": ""} == {
        "lead": lead,
        "name": "",
        "stage": "sales/new",
        "to": "bob@example.com",
        "reason": "fair_share",
        "undone": None,
    }
    assert api.get(f"leads/{lead}").json()["responsible"]["name"] == "Bob"
    assert api.get(f"hand-overs/{done['id']}").json() == done
    undone = api.post(f"hand-overs/{done['id']}/undo").json()
    assert (undone["results"][0]["undone"], undone["undone_at"] is None) == ("back", False)
    assert api.get(f"leads/{lead}").json()["responsible"]["name"] == "Ann"
    assert api.post(f"hand-overs/{done['id']}/undo").status_code == 409


def test_a_hand_over_of_many_leads_is_taken_and_its_progress_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "AT_ONCE", 1)
    for _ in range(3):
        lead = world.api().post("leads", LEAD).json()["id"]
        world.api().post(f"leads/{lead}/reassign", {"manager": "ann@example.com"})
    answer = world.api("sue").post("managers/ann@example.com/hand-over", {"to": "bob@example.com"})
    begun = answer.json()
    assert (answer.status_code, begun["done"], begun["leads"], begun["finished_at"]) == (202, 1, 3, None)
    sweep(at=clock.now())
    done = world.api("sue").get(f"hand-overs/{begun['id']}").json()
    assert (done["done"], done["received"], done["finished_at"] is None) == (3, {"bob@example.com": 3}, False)
    answer = world.api("sue").post(f"hand-overs/{begun['id']}/undo")
    assert (answer.status_code, answer.json()["undone_at"]) == (202, None)
    sweep(at=clock.now())
    assert world.api("sue").get(f"hand-overs/{begun['id']}").json()["undone_at"]


def test_a_hand_over_whose_answer_fails_is_not_begun(world: World, lead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise OperationalError("the database went away")

    monkeypatch.setattr(views, "hand_over_document", broken)
    assert world.api("sue").post("managers/ann@example.com/hand-over").status_code == 503
    assert not HandOver.objects.exists()
    assert world.api().get(f"leads/{lead}").json()["responsible"]["name"] == "Ann"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"to": "nobody@example.com"}, "/to"),
        ({"stages": ["nope"]}, "/stages"),
        ({"stages": "sales/new"}, "/stages"),
        ({"also": ["money"]}, "/also"),
        ({"preview": "yes"}, "/preview"),
    ],
)
def test_a_strange_hand_over_changes_nothing(world: World, lead: str, body: dict[str, Any], pointer: str) -> None:
    answer = world.api().post("managers/ann@example.com/hand-over", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert world.api().get(f"leads/{lead}").json()["responsible"]["name"] == "Ann"


def test_leads_are_not_handed_over_to_the_manager_who_has_them(world: World, lead: str) -> None:
    assert world.api().post("managers/ann@example.com/hand-over", {"to": "ann@example.com"}).status_code == 409


def test_who_had_the_offer_a_moment_ago_is_told_that_it_is_over(world: World, lead: str) -> None:
    world.api("ann").post(f"leads/{lead}/decline", {"reason": "busy"})
    for verb in ("accept", "decline"):
        answer = world.api("ann").post(f"leads/{lead}/{verb}", {})
        assert (answer.status_code, answer.json()["code"]) == (409, "offer-closed")
    assert world.api("ann").post(f"leads/{lead}/move", {"stage": "won"}).status_code == 404
    assert world.api("bob").post(f"leads/{lead}/accept").json()["state"] == "assigned"
