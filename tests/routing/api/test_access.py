"""Who may do what: every address × everybody who may call. An address without a row here fails."""

from typing import Any

import pytest
from django.test import Client

from routing.api.urls import PLACES
from routing.models import Lead

from .world import ALL, LEAD, Api, World

ACTORS = ("account", "key_a", "key_b", "ann", "bob", "sue", "max")
STRANGERS = ("anonymous", "revoked", "expired", "deactivated", "source_off", "wrong_secret")

# The lead came from source A and is offered to Ann. Statuses in the order of ACTORS.
OWN = (200, 200, 404, 200, 404, 200, 404)
MANAGER_ANN = (200, 200, 200, 200, 404, 200, 404)
TABLE: dict[tuple[str, str], tuple[tuple[int, ...], Any]] = {
    ("GET", "leads"): ((200,) * 7, None),
    ("POST", "leads"): ((201,) * 7, LEAD),
    ("POST", "leads/bulk"): ((200,) * 7, [LEAD]),
    ("GET", "leads/<str:lead_id>"): (OWN, None),
    ("GET", "leads/<str:lead_id>/decisions"): (OWN, None),
    ("POST", "leads/<str:lead_id>/accept"): (OWN, None),
    ("POST", "leads/<str:lead_id>/decline"): (OWN, {"reason": "busy"}),
    ("POST", "leads/<str:lead_id>/move"): (OWN, {"stage": "sales/accepted"}),
    ("POST", "leads/<str:lead_id>/reassign"): ((200, 200, 404, 403, 403, 200, 403), {"manager": "bob@example.com"}),
    ("GET", "managers"): ((200,) * 7, None),
    ("GET", "managers/<email:email>"): (MANAGER_ANN, None),
    ("POST", "managers/<email:email>/pause"): (MANAGER_ANN, {"minutes": 5}),
    ("POST", "managers/<email:email>/resume"): (MANAGER_ANN, None),
}
SCOPE = {
    ("POST", "leads"): "intake",
    ("POST", "leads/bulk"): "intake",
    **{row: "read" for row in TABLE if row[0] == "GET"},
}


def address(place: str, lead_id: str) -> str:
    return place.replace("<str:lead_id>", lead_id).replace("<email:email>", "ann@example.com")


def lead_of_a(world: World) -> str:
    answer = world.api("key_a").post("leads", LEAD)
    assert answer.json()["responsible"]["email"] == "ann@example.com"
    return str(answer.json()["id"])


def send(api: Api, row: tuple[str, str], lead_id: str, body: Any) -> Any:
    method, place = row
    return api.get(address(place, lead_id)) if method == "GET" else api.post(address(place, lead_id), body)


def test_every_address_has_its_rows() -> None:
    rows = {(method, place) for place, view in PLACES.items() for method in view.scopes}
    assert rows == set(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
@pytest.mark.parametrize("actor", ACTORS)
def test_everybody_gets_what_the_table_says(world: World, row: tuple[str, str], actor: str) -> None:
    statuses, body = TABLE[row]
    lead_id = lead_of_a(world)
    assert send(world.api(actor), row, lead_id, body).status_code == statuses[ACTORS.index(actor)]


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
def test_strangers_get_the_same_401_whatever_the_reason(world: World, row: tuple[str, str]) -> None:
    lead_id = lead_of_a(world)
    world.users["bob"].is_active = False
    world.users["bob"].save()
    world.sources["hotline"].active = False
    world.sources["hotline"].save()
    world.keys |= {
        "deactivated": world.keys["bob"],
        "source_off": world.keys["key_b"],
        "wrong_secret": world.keys["account"][:-1] + "~",
    }
    before = Lead.objects.values_list("state", "responsible", "stage").get()
    answers = [send(world.api(stranger), row, lead_id, TABLE[row][1]) for stranger in STRANGERS]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}
    assert Lead.objects.values_list("state", "responsible", "stage").get() == before


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
def test_a_key_needs_the_scope_of_the_call(world: World, row: tuple[str, str]) -> None:
    lead_id = lead_of_a(world)
    needed = SCOPE.get(row, "manage")
    world.key("without", scopes=[scope for scope in ALL if scope != needed])
    world.key("with", scopes=[needed])
    refused = send(world.api("without"), row, lead_id, TABLE[row][1])
    assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed")
    assert send(world.api("with"), row, lead_id, TABLE[row][1]).status_code in (200, 201)


def test_lists_hold_only_what_the_caller_may_see(world: World) -> None:
    lead_id = lead_of_a(world)
    seen = {actor: [lead["id"] for lead in world.api(actor).get("leads").json()["results"]] for actor in ACTORS}
    sees = ("account", "key_a", "ann", "sue")
    assert seen == {actor: [lead_id] if actor in sees else [] for actor in ACTORS}
    shown = {actor: [m["email"][:3] for m in world.api(actor).get("managers").json()["results"]] for actor in ACTORS}
    assert shown == {
        **{key: ["ann", "bob"] for key in ("account", "key_a", "key_b", "sue")},
        "ann": ["ann"],
        "bob": ["bob"],
        "max": [],
    }


def test_the_key_of_a_source_sees_no_managers_unless_it_may_manage(world: World) -> None:
    world.key("form", source=world.sources["landing"], scopes=["intake", "read"])
    assert world.api("form").get("managers").status_code == 403
    assert world.api("form").get("managers/ann@example.com").status_code == 403


def test_the_key_of_a_source_takes_leads_of_no_other(world: World) -> None:
    refused = world.api("key_a").post("leads", {**LEAD, "source": "hotline"})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/source"


def test_the_key_of_a_source_is_not_told_what_others_told_of_a_person(world: World) -> None:
    world.api("key_b").post(
        "leads", {"name": "x", "contact": {"name": "Anna Secret", "email": "a@x.example", "phone": "+12025550123"}}
    )
    taken = world.api("key_a").post("leads", {"name": "y", "contact": {"phone": "+12025550123"}}).json()
    assert taken["contact"]["name"] == ""
    assert taken["contact"]["email"] is None
    read = world.api("key_a").get(f"leads/{taken['id']}")
    assert b"Secret" not in read.content
    assert b"a@x.example" not in read.content
    assert b"Secret" not in world.api("key_a").get("leads").content
    assert world.api("account").get(f"leads/{taken['id']}").json()["contact"]["name"] == "Anna Secret"


def test_a_manager_cannot_read_anothers_lead_by_its_external_id(world: World) -> None:
    sent = {**LEAD, "source": "landing", "external_id": "7"}
    lead_id = world.api("account").post("leads", sent).json()["id"]
    answer = world.api("bob").post("leads", sent)
    assert answer.status_code == 403
    assert lead_id not in answer.content.decode()
    [line] = world.api("bob").post("leads/bulk", [sent]).json()["results"]
    assert (line["status"], line["error"]["code"]) == (400, "not-allowed")
    assert world.api("ann").post("leads", sent).json()["id"] == lead_id


def test_a_supervisor_may_pause_others_and_give_leads_by_hand(world: World) -> None:
    lead_id = lead_of_a(world)
    given = world.api("sue").post(f"leads/{lead_id}/reassign", {"manager": "bob@example.com"}).json()
    assert (given["responsible"]["email"], given["state"]) == ("bob@example.com", "assigned")
    assert world.api("sue").post("managers/bob@example.com/pause").json()["reason"] == "paused"


# Sessions


def test_a_session_serves_as_a_key_does(world: World) -> None:
    lead_id = lead_of_a(world)
    ann, bob = Client(raise_request_exception=False), Client(raise_request_exception=False)
    ann.force_login(world.users["ann"])
    bob.force_login(world.users["bob"])
    assert Api(client=ann).get(f"leads/{lead_id}").status_code == 200
    assert Api(client=bob).get(f"leads/{lead_id}").status_code == 404
    assert Api(client=ann).post(f"leads/{lead_id}/accept").json()["state"] == "assigned"


def test_what_a_session_writes_needs_its_csrf_token(world: World) -> None:
    lead_id = lead_of_a(world)
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(world.users["ann"])
    api = Api(client=client)
    assert api.get(f"leads/{lead_id}").status_code == 200
    assert api.post(f"leads/{lead_id}/accept").status_code == 403
    assert Lead.objects.get().state == "offered"
    client.cookies["csrftoken"] = "a" * 32
    assert api.post(f"leads/{lead_id}/accept", x_csrftoken="a" * 32).status_code == 200


def test_a_key_needs_no_csrf_token(world: World) -> None:
    api = Api(world.keys["account"], Client(enforce_csrf_checks=True, raise_request_exception=False))
    assert api.post("leads", LEAD).status_code == 201
