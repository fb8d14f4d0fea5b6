"""Bad and hostile inputs: every case of the sample that comes in through the API, and strings that break programs."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from typing import Any

import pytest
from django.db import connections

from routing.intake import text
from routing.models import Lead, Offer, RefusedIntake
from tests.data import data_path
from tests.effort import by_night
from tests.routing.api.world import LEAD, Api, World, make_world

PATHS = {"intake_single": "leads", "intake_bulk": "leads/bulk"}
# Where the code that an answer carries is another one than the sample proposes.
OTHER_CODES = {"BS-28": "unauthorized"}


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def cases(*kinds: str) -> list[Any]:
    try:
        sample = json.loads(data_path("bad_inputs_sample.json").read_text("utf-8"))
    except pytest.skip.Exception as absent:
        return [pytest.param(None, marks=pytest.mark.skip(reason=str(absent)))]
    return [pytest.param(case, id=case["id"]) for case in sample["cases"] if case["path_kind"] in kinds]


def bytes_of(body: dict[str, Any], key: str) -> bytes:
    if "json" in body:
        return json.dumps(body["json"], ensure_ascii=False, separators=(",", ":")).replace("{VALID}", key).encode()
    if "base64" in body:
        return base64.b64decode(body["base64"])
    if "concat" in body:
        return "".join(piece * times for piece, times in body["concat"]).encode()
    return str(body["text"]).encode()


def headers_of(case: dict[str, Any], key: str) -> dict[str, str]:
    return {
        name.lower().replace("-", "_"): value.replace("{VALID}", key) for name, value in case.get("headers", {}).items()
    }


@pytest.mark.parametrize("case", cases("intake_single", "intake_bulk"))
def test_a_bad_input_is_answered_as_expected(world: World, case: dict[str, Any], caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    key, expect = world.keys["key_a"], case["expect"]
    sent = bytes_of(case["body"], key)
    api = Api(key if case["auth"] == "key" else None)
    began = time.monotonic()
    answer = api.post(PATHS[case["path_kind"]], sent, **headers_of(case, key))
    took = time.monotonic() - began
    assert answer.status_code in expect["status"], answer.content
    assert took < 2
    check_outcome(case, answer, sent)
    check_logs(caplog.text, key)
    assert world.api("key_a").post("leads", {"contact": {"email": "next@example.org"}}).status_code == 201


def check_outcome(case: dict[str, Any], answer: Any, sent: bytes) -> None:
    kind = case["expect"]["class"]
    if case["path_kind"] == "intake_bulk" and answer.status_code == 200:
        lines = answer.json()["results"]
        assert len(lines) == len(json.loads(sent))
        assert Lead.objects.count() == sum("lead" in line for line in lines)
        assert RefusedIntake.objects.count() == sum("error" in line for line in lines)
    elif answer.status_code < 300:
        assert kind in ("created", "accept_or_reject")
        assert Lead.objects.count() == 1
        nothing_was_cut(json.loads(sent), answer.json())
    else:
        assert kind in ("rejected", "accept_or_reject", "auth_error")
        assert (Lead.objects.count(), Offer.objects.count()) == (0, 0)
        assert answer.json()["code"] == OTHER_CODES.get(case["id"], case["expect"]["problem"])
        assert RefusedIntake.objects.count() == (0 if kind == "auth_error" else 1)


def nothing_was_cut(sent: dict[str, Any], lead: dict[str, Any]) -> None:
    """What was sent is there: but for control characters, which no text holds."""
    for name in ("name", "comment", "fields", "tags"):
        if name in sent:
            assert lead[name] == text.clean_json(sent[name])
    for name in ("role", "is_staff", "gclid"):
        assert name not in lead


def check_logs(logged: str, key: str) -> None:
    for secret in (key, "+12025550123", "12025550140", "ann@example.com", "Anna Test"):
        assert secret not in logged


# Repetitions


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("case", cases("idempotent_replay"))
def test_a_repetition_is_answered_as_expected(case: dict[str, Any]) -> None:
    world, body = make_world(), case["body"]
    if "concurrent" in body:
        answers = at_once(world, body["steps"][0], body["concurrent"])
    else:
        answers = [step_answer(world, step) for step in body["steps"]]
    assert answers[-1].status_code in case["expect"]["status"]
    if case["expect"]["class"] == "conflict":
        assert answers[-1].json()["code"] == case["expect"]["problem"]
    else:
        assert len({answer.content for answer in answers}) == 1
    assert Lead.objects.count() == 1


def step_answer(world: World, step: dict[str, Any]) -> Any:
    headers = {"idempotency_key": step["key"]} if "key" in step else {}
    return world.api("key_a").post("leads", step["json"], **headers)


def at_once(world: World, step: dict[str, Any], number: int) -> list[Any]:
    answers: list[Any] = []

    def send() -> None:
        try:
            answers.append(step_answer(world, step))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == number
    return answers


# Strings that break programs


def naughty_strings() -> list[str]:
    strings: list[str] = json.loads(data_path("naughty_strings/blns.json").read_text("utf-8"))
    return strings


@pytest.mark.slow
def test_naughty_strings_are_kept_as_they_are_or_refused(world: World) -> None:
    strings = naughty_strings()
    leads = [
        {
            "external_id": str(number),
            "name": string,
            "contact": {"name": string, "chat": f"@ann{number}"},
            "company": {"name": string},
            "comment": string,
            "tags": [string],
            "fields": {string: string, "list": [string]},
        }
        for number, string in enumerate(strings)
    ]
    results = world.api("key_a").post("leads/bulk", leads).json()["results"]
    kept = 0
    for string, line in zip(strings, results, strict=True):
        if line["status"] == 400:
            assert {error["code"] for error in line["error"]["errors"]} <= {"too-long", "invalid-text"}, string
            continue
        kept += 1
        lead = world.api("key_a").get(f"leads/{line['lead']['id']}").json()
        many, one = text.clean(string, multiline=True), text.clean(string, multiline=False)
        assert (lead["name"], lead["comment"], lead["tags"]) == (one, many, [one])
        assert lead["fields"] == {one: many, "list": [many]}
    assert kept > len(strings) * 0.98


@pytest.mark.thorough
def test_a_naughty_string_in_any_place_of_a_request_is_no_server_error(world: World) -> None:
    from urllib.parse import quote

    for string in naughty_strings()[:: by_night(7, by_day=69)]:
        quoted = quote(string, safe="")
        for path in (f"leads/{quoted}", f"leads?external_id={quoted}", f"leads?{quoted}=1", f"managers/{quoted}@x.y"):
            assert world.api().get(path).status_code in (200, 400, 404)
        for name in ("source", "pipeline", "stage", "external_id", "language", "product"):
            assert world.api().post("leads", {**LEAD, name: string}).status_code in (200, 201, 400)
