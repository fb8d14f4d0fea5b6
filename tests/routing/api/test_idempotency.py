"""Idempotency-Key: the same request twice is one request."""

import json
from typing import Any

import pytest

from routing.models import IntakeRequest, Lead, RefusedIntake

from .world import LEAD, World

BODIES: dict[str, Any] = {"leads": LEAD, "leads/bulk": [LEAD, 5, {**LEAD, "budget": "x"}]}


@pytest.mark.parametrize("path", BODIES)
def test_a_repeated_request_gets_the_first_answer(world: World, path: str) -> None:
    first = world.api().post(path, BODIES[path], idempotency_key="k1")
    again = world.api().post(path, BODIES[path], idempotency_key="k1")
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["Content-Type"] == "application/json"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert Lead.objects.count() == 1


@pytest.mark.parametrize("path", BODIES)
def test_another_body_under_the_same_key_is_422_and_changes_nothing(world: World, path: str) -> None:
    world.api().post(path, BODIES[path], idempotency_key="k1")
    other = json.loads(json.dumps(BODIES[path]).replace("Demo", "Other"))
    answer = world.api().post(path, other, idempotency_key="k1")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert Lead.objects.count() == 1


def test_the_answer_stays_the_first_whatever_became_of_the_lead(world: World) -> None:
    first = world.api().post("leads", LEAD, idempotency_key="k1")
    world.api().post(f"leads/{first.json()['id']}/accept")
    assert world.api().post("leads", LEAD, idempotency_key="k1").content == first.content


def test_blanks_and_the_order_of_keys_make_no_other_body(world: World) -> None:
    first = world.api().post("leads", b'{"name":"A","contact":{"phone":"+12025550123"}}', idempotency_key="k1")
    again = world.api().post("leads", b'{"contact": {"phone":"+12025550123"},\n"name":"A" }', idempotency_key="k1")
    assert again.json() == first.json()
    other = world.api().post("leads", b'{"name":"A","contact":{"phone":12025550123}}', idempotency_key="k1")
    assert other.status_code == 422


def test_keys_of_one_owner_are_not_those_of_another(world: World) -> None:
    answers = [
        world.api(actor).post("leads", LEAD, idempotency_key="k1") for actor in ("account", "key_a", "key_b", "sue")
    ]
    assert {answer.status_code for answer in answers} == {201}
    assert Lead.objects.count() == 4


def test_two_keys_of_one_source_share_their_idempotency_keys(world: World) -> None:
    world.key("second", source=world.sources["landing"])
    first = world.api("key_a").post("leads", LEAD, idempotency_key="k1")
    assert world.api("second").post("leads", LEAD, idempotency_key="k1").json() == first.json()


def test_the_routes_do_not_share_keys(world: World) -> None:
    world.api().post("leads", LEAD, idempotency_key="k1")
    assert world.api().post("leads/bulk", [LEAD], idempotency_key="k1").json()["results"][0]["status"] == 201


@pytest.mark.parametrize("body", [{"name": "nobody"}, {**LEAD, "budget": "x"}, {**LEAD, "pipeline": "nope"}])
def test_a_refused_lead_does_not_use_up_its_key(world: World, body: dict[str, Any]) -> None:
    assert world.api().post("leads", body, idempotency_key="k1").status_code == 400
    assert not IntakeRequest.objects.exists()
    assert world.api().post("leads", LEAD, idempotency_key="k1").status_code == 201


def test_a_bulk_request_without_a_good_lead_does_not_use_up_its_key(world: World) -> None:
    assert world.api().post("leads/bulk", [5], idempotency_key="k1").status_code == 200
    assert world.api().post("leads/bulk", [LEAD], idempotency_key="k1").json()["results"][0]["status"] == 201


@pytest.mark.parametrize("key", ["", "a" * 256, "with blank", "tab\t", "schlüssel", "\x7f"])
def test_a_key_is_1_to_255_visible_ascii_characters(world: World, key: str) -> None:
    answer = world.api().post("leads", LEAD, idempotency_key=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-idempotency-key")
    assert not Lead.objects.exists()


@pytest.mark.parametrize("key", ["a", "a" * 255, '"quoted"', "!~{}%00"])
def test_any_such_key_serves(world: World, key: str) -> None:
    first = world.api().post("leads", LEAD, idempotency_key=key)
    assert world.api().post("leads", LEAD, idempotency_key=key).content == first.content
    assert Lead.objects.count() == 1


def test_a_known_external_id_under_a_key_is_answered_200_again(world: World) -> None:
    lead = {**LEAD, "external_id": "7"}
    first = world.api("key_a").post("leads", lead)
    second = world.api("key_a").post("leads", lead, idempotency_key="k1")
    third = world.api("key_a").post("leads", lead, idempotency_key="k1")
    assert [answer.status_code for answer in (first, second, third)] == [201, 200, 200]
    assert third.headers["Idempotent-Replayed"] == "true"
    assert first.json() == second.json() == third.json()


def test_the_journal_keeps_the_items_of_a_request_once(world: World) -> None:
    for _ in range(2):
        world.api().post("leads/bulk", [LEAD, 5], idempotency_key="k1")
    assert RefusedIntake.objects.count() == 1


def test_nobody_is_told_an_answer_before_they_are_known(world: World) -> None:
    world.api().post("leads", LEAD, idempotency_key="k1")
    assert world.api("revoked").post("leads", LEAD, idempotency_key="k1").status_code == 401
