"""What each caller sees of leads and managers. Who may ask for what is the table of docs/permissions.md."""

from django.test import Client

from routing.models import Lead

from .world import LEAD, Api, World

ACTORS = ("account", "key_a", "key_b", "ann", "bob", "sue", "max")


def lead_of_a(world: World) -> str:
    answer = world.api("key_a").post("leads", LEAD)
    assert answer.json()["responsible"]["email"] == "ann@example.com"
    return str(answer.json()["id"])


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
