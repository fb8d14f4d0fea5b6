"""POST /leads and /leads/bulk: what is taken, what is refused, and that nothing is lost."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from accounts.time import clock
from routing.models import Activity, Lead, Offer, RefusedIntake, Source

from .world import LEAD, World

REACH = {"contact": {"email": "ann@example.org"}}


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.content
    return {error["pointer"]: error["code"] for error in answer.json()["errors"]}


# One lead


def test_a_lead_is_answered_with_its_decision(world: World) -> None:
    sent = {
        "external_id": "form-18-7741",
        "source": "landing",
        "pipeline": "sales",
        "stage": "new",
        "name": "Demo request",
        "contact": {"name": "Ana Ruiz", "email": "ana@example.com", "phone": "+34 600 010 100", "chat": None},
        "company": {"name": "Ruiz SL", "domain": "ruiz.example"},
        "budget": "1200.00",
        "currency": "EUR",
        "language": "es",
        "country": "ES",
        "region": None,
        "postal_code": None,
        "product": "crm",
        "tags": ["demo"],
        "utm": {"source": "google"},
        "fields": {"employees": 240},
        "comment": "…",
        "arrived_at": None,
    }
    answer = world.api().post("leads", sent)
    lead = answer.json()
    assert answer.status_code == 201
    same = ("external_id", "source", "name", "budget", "currency", "language", "country", "tags", "utm", "fields")
    assert {key: lead[key] for key in same} == {key: sent[key] for key in same}
    assert (lead["channel"], lead["pipeline"], lead["stage"], lead["state"]) == (
        "site",
        "sales",
        "sales/new",
        "offered",
    )
    assert lead["responsible"] == {"email": "ann@example.com", "name": "Ann"}
    assert lead["decision"] == {
        "trigger": "new-leads",
        "reason": "fair_share",
        "registry": "all-sales",
        "at": lead["created_at"],
    }
    assert lead["accept_by"].endswith("Z")
    assert lead["contact"]["email"] == "ana@example.com"
    read = world.api().get(f"leads/{lead['id']}").json()
    assert "/accept/" in read.pop("accept_link")  # made when it is asked for, and no part of the first answer
    assert read == lead


def test_the_same_external_id_is_the_first_lead_unchanged(world: World) -> None:
    first = world.api("key_a").post("leads", {**LEAD, "external_id": "7"})
    second = world.api("key_a").post("leads", {**LEAD, "external_id": "7", "name": "Other", "tags": ["x"]})
    other = world.api("key_b").post("leads", {**LEAD, "external_id": "7"})
    assert [answer.status_code for answer in (first, second, other)] == [201, 200, 201]
    assert second.json() == first.json()
    assert other.json()["id"] != first.json()["id"]
    assert (Lead.objects.count(), Offer.objects.count()) == (2, 2)


def test_unqualified_leads_enter_the_unqualified_stage(world: World) -> None:
    lead = world.api().post("leads", {**LEAD, "unqualified": True}).json()
    assert (lead["stage"], lead["state"], lead["responsible"], lead["decision"]) == ("sales/inbox", "idle", None, None)


def test_without_a_source_it_is_the_accounts_api_source(world: World) -> None:
    lead = world.api().post("leads", LEAD).json()
    assert (lead["source"], lead["channel"]) == ("api", "api")


def test_the_accounts_api_source_comes_into_being_when_first_needed(world: World) -> None:
    world.sources["api"].delete()
    assert world.api().post("leads", LEAD).json()["source"] == "api"


@pytest.mark.parametrize("path", ["leads", "leads/", "leads/bulk", "leads/bulk/"])
def test_a_path_serves_with_and_without_its_last_slash(world: World, path: str) -> None:
    assert world.api().post(path, [LEAD] if "bulk" in path else LEAD).status_code in (200, 201)


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "text/html"},
        {"accept": "application/xml;q=0.9, */*;q=0.1"},
        {"accept": "nonsense"},
        {"content_type": "text/plain"},
        {"content_type": ""},
        {"content_type": "application/json; charset=utf-8"},
        {"content_type": "application/vnd.api+json"},
        {"content_type": "application/x-www-form-urlencoded"},
    ],
)
def test_headers_lose_no_lead(world: World, headers: dict[str, str]) -> None:
    answer = world.api().post("leads", LEAD, **headers)
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "reach",
    [
        {"contact": {"email": "a@example.org"}},
        {"contact": {"phone": "+34600010100"}},
        {"contact": {"phone": 34600010100}},
        {"contact": {"chat": "@ann"}},
        {"name": "Ann", "company": {"name": "Ruiz SL"}},
    ],
)
def test_one_way_to_reach_somebody_is_enough(world: World, reach: dict[str, Any]) -> None:
    assert world.api().post("leads", reach).status_code == 201


@pytest.mark.parametrize("body", [{}, {"name": "x"}, {"contact": {}}, {"contact": None, "company": {"name": "x"}}])
def test_nobody_to_reach_is_refused(world: World, body: dict[str, Any]) -> None:
    assert "/contact" in errors(world.api().post("leads", body))


def test_unknown_fields_are_passed_over_and_set_nothing(world: World) -> None:
    sent = {
        **LEAD,
        "gclid": "x",
        "state": "assigned",
        "responsible": "bob@example.com",
        "score": 99,
        "id": "1",
        "role": 1,
    }
    lead = world.api().post("leads", {**sent, "contact": {**LEAD["contact"], "responsible_id": 2}}).json()  # type: ignore[dict-item]
    assert (lead["state"], lead["score"], lead["responsible"]["email"]) == ("offered", 0, "ann@example.com")
    assert "gclid" not in lead
    assert len(lead["id"]) == 36


WRONG_TYPES: list[Any] = [5, 1.5, True, "text", [], ["x"], {"a": 1}]
TAKES: dict[str, tuple[type, ...]] = {
    "external_id": (str, int),
    "postal_code": (str, int),
    "unqualified": (bool,),
    "contact": (dict,),
    "company": (dict,),
    "tags": (list,),
    "utm": (dict,),
    "fields": (dict,),
    **dict.fromkeys(("name", "language", "region", "product", "comment"), (str,)),
    "contact/email": (str,),
    "contact/phone": (str, int),
    "contact/chat": (str,),
    "contact/name": (str,),
    "company/name": (str,),
    "company/domain": (str,),
}


@pytest.mark.parametrize("place", TAKES)
def test_a_wrong_type_is_refused_with_its_place_and_never_turned_into_a_right_one(world: World, place: str) -> None:
    base: dict[str, Any] = {"name": "x", "contact": {"chat": "@ann"}, "company": {"name": "y"}}
    for value in WRONG_TYPES:
        outer, _, inner = place.partition("/")
        answer = world.api().post("leads", base | {outer: {**base[outer], inner: value} if inner else value})
        if type(value) in TAKES[place]:
            assert f"/{place}" not in (errors(answer) if answer.status_code == 400 else {}), value
        else:
            assert f"/{place}" in errors(answer), value


@pytest.mark.parametrize("place", TAKES)
def test_null_is_as_good_as_absent(world: World, place: str) -> None:
    outer, _, inner = place.partition("/")
    lead = {"name": "x", "contact": {"email": "a@x.example"}, "company": {"name": "y"}}
    answer = world.api().post("leads", lead | {outer: {**lead.get(outer, {}), inner: None} if inner else None})  # type: ignore[dict-item]
    assert answer.status_code == 201


LENGTHS = {
    "external_id": 255,
    "name": 500,
    "language": 35,
    "region": 200,
    "postal_code": 32,
    "product": 200,
    "contact/name": 500,
    "contact/email": 500,
    "contact/phone": 200,
    "contact/chat": 500,
    "company/name": 500,
    "company/domain": 255,
}


@pytest.mark.parametrize(("place", "length"), LENGTHS.items())
def test_what_is_too_long_is_refused_and_never_cut(world: World, place: str, length: int) -> None:
    outer, _, inner = place.partition("/")
    lead: dict[str, Any] = {"name": "x", "contact": {"chat": "@ann"}, "company": {"name": "y"}}
    for text, status in (("é" * length, 201), ("é" * (length + 1), 400)):
        answer = world.api().post("leads", lead | {outer: {**lead.get(outer, {}), inner: text} if inner else text})
        assert answer.status_code == status
        if status == 201:
            stored = world.api().get(f"leads/{answer.json()['id']}").json()
            assert (stored[outer][inner] if inner else stored[outer]) == text
        else:
            assert errors(answer) == {f"/{place}": "too-long"}


@pytest.mark.parametrize(
    ("budget", "stored"),
    [
        ("0", "0.00"),
        ("1200.5", "1200.50"),
        (1200, "1200.00"),
        (0.1, "0.10"),
        (1200.10, "1200.10"),
        (999999999999.99, "999999999999.99"),
        ("999999999999.99", "999999999999.99"),
        (-0.0, "0.00"),
        ("", None),
        (None, None),
    ],
)
def test_a_budget_is_kept_to_the_cent(world: World, budget: object, stored: str | None) -> None:
    lead = world.api().post("leads", {**LEAD, "budget": budget})
    assert lead.status_code == 201, lead.content
    assert world.api().get(f"leads/{lead.json()['id']}").json()["budget"] == stored


@pytest.mark.parametrize(
    "budget",
    [
        "12.345",
        12.345,
        "-1",
        -1,
        "1e3",
        "NaN",
        "Infinity",
        "1,200.00",
        " 1",
        "١٢",
        "1000000000000",
        1000000000000.0,
        10**40,
        True,
        "12.",
        ".5",
        [],
        {},
        "0x10",
        1e-07,
        5e-324,
        "1_000",
    ],
)
def test_any_other_budget_is_refused_and_never_rounded(world: World, budget: object) -> None:
    assert errors(world.api().post("leads", {**LEAD, "budget": budget})) == {"/budget": "invalid-number"}


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("2025-06-01T00:00:00+14:00", "2025-05-31T10:00:00Z"),
        ("2025-06-01T00:00:00Z", "2025-06-01T00:00:00Z"),
        ("2025-06-01 00:00:00z", "2025-06-01T00:00:00Z"),
        ("2025-06-01T10:00", "2025-06-01T08:00:00Z"),  # Madrid
        ("2025-06-01", "2025-05-31T22:00:00Z"),
        ("2025-06-01T10:00:00.123456789+0200", "2025-06-01T08:00:00.123456Z"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("2025-03-30T02:30:00", "2025-03-30T01:30:00Z"),  # skipped in Madrid: moves on by the gap
        ("2025-10-26T02:30:00", "2025-10-26T00:30:00Z"),  # occurs twice: the first
    ],
)
def test_an_instant_is_read_with_its_offset_or_in_the_accounts_zone(world: World, written: str, stored: str) -> None:
    from accounts.models import Account

    Account.objects.update(time_zone="Europe/Madrid")
    lead = world.api().post("leads", {**LEAD, "arrived_at": written})
    assert lead.status_code == 201, lead.content
    assert lead.json()["arrived_at"] == stored


@pytest.mark.parametrize(
    "written",
    [
        "yesterday",
        "2025-13-01",
        "2025-02-30T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2101-01-01T00:00:00Z",
        1748736000,
        True,
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2025-06-01T25:00:00Z",
        "2025-06-01T10:00:60Z",
        "20250601T100000Z",
        "2025-W22-7",
        "٢٠٢٥-06-01",
        "2025-06-01T10:00:00+99:00",
        " 2025-06-01",
        [],
        {},
        "2025-06-01T",
    ],
)
def test_any_other_instant_is_refused(world: World, written: object) -> None:
    assert errors(world.api().post("leads", {**LEAD, "arrived_at": written})) == {"/arrived_at": "invalid-time"}


def test_a_sender_may_be_a_day_ahead_and_no_more(world: World) -> None:
    now = clock.now()
    for ahead, status in ((timedelta(hours=23), 201), (timedelta(hours=25), 400)):
        answer = world.api().post("leads", {**LEAD, "arrived_at": (now + ahead).isoformat()})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("place", "value", "code"),
    [
        ("/tags", ["x"] * 51, "too-many-items"),
        ("/tags/1", ["x", None], "invalid-text"),
        ("/tags/0", ["x" * 201], "too-long"),
        ("/fields", {str(i): i for i in range(201)}, "too-many-keys"),
        ("/fields", {"k" * 201: 1}, "too-long"),
        ("/fields/plan/1", {"plan": [1, {"k" * 300_000: 1}]}, "too-long"),
        ("/utm", {"k" * 201: "x"}, "too-long"),
        ("/currency", "EURO", "too-long"),
        ("/currency", "€", "invalid-currency"),
        ("/country", "1A", "invalid-country"),
    ],
)
def test_what_is_too_much_or_no_code_is_refused(world: World, place: str, value: object, code: str) -> None:
    name = place.split("/")[1]
    assert errors(world.api().post("leads", {**LEAD, name: value})) == {place: code}


def test_half_characters_are_refused_with_their_place_and_control_characters_go(world: World) -> None:
    raw = b'{"name":"A","contact":{"phone":"+12025550140"},"comment":"\\udc00"}'
    assert world.api().post("leads", raw).json()["code"] == "invalid-text"
    raw = b"""{"name":"A\\u0000","contact":{"phone":"+12025550140"},"comment":"a\\u0000b\\r\\nc",
        "fields":{"x":["\\u0007y"]}}"""
    lead = world.api().post("leads", raw).json()
    assert (lead["name"], lead["comment"], lead["fields"]) == ("A", "ab\nc", {"x": ["y"]})
    raw = b'{"external_id":"a\\u0000","contact":{"phone":"+12025550140"}}'
    assert errors(world.api().post("leads", raw)) == {"/external_id": "invalid-text"}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"pipeline": "nope"}, "/pipeline"),
        ({"stage": "nope"}, "/stage"),
        ({"source": "nope"}, "/source"),
        ({"source": "landing\u0000"}, "/source"),
    ],
)
def test_what_the_configuration_does_not_know_is_refused(world: World, body: dict[str, str], pointer: str) -> None:
    assert pointer in errors(world.api().post("leads", {**LEAD, **body}))


def test_leads_of_an_inactive_source_are_refused(world: World) -> None:
    world.sources["landing"].active = False
    world.sources["landing"].save()
    assert "/source" in errors(world.api().post("leads", {**LEAD, "source": "landing"}))


def test_every_fault_is_named_at_once(world: World) -> None:
    answer = world.api().post("leads", {"contact": {"phone": [], "email": {}}, "budget": "x", "tags": 5})
    assert set(errors(answer)) == {"/contact/phone", "/contact/email", "/budget", "/tags"}
    assert answer.json()["code"] == "invalid-request"


def test_an_api_without_a_pipeline_says_what_is_missing(world: World) -> None:
    from routing.models import Member, Pipeline, Stage, Trigger

    for model in (Member, Trigger, Stage, Pipeline):
        model.objects.all().delete()  # type: ignore[attr-defined]
    assert "/pipeline" in errors(world.api().post("leads", LEAD))


# Many leads


def test_a_bad_item_does_not_spoil_the_others(world: World) -> None:
    items = [LEAD, 5, {"name": "nobody"}, {**LEAD, "budget": "1.234"}, None, [], {**LEAD, "external_id": "7"}]
    answer = world.api().post("leads/bulk", [*items, {**LEAD, "external_id": "7"}])
    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [line["index"] for line in results] == list(range(8))
    assert [line["status"] for line in results] == [201, 400, 400, 400, 400, 400, 201, 200]
    assert results[6]["lead"]["id"] == results[7]["lead"]["id"]
    assert results[1]["error"]["code"] == "not-an-object"
    assert results[3]["error"]["errors"][0]["pointer"] == "/budget"
    for line in results:
        assert set(line) == {"index", "status", "lead" if line["status"] < 300 else "error"}
        assert "error" not in line or line["error"]["status"] == 400
    assert Lead.objects.count() == 2


def test_bulk_decides_as_one_by_one_does(world: World) -> None:
    results = world.api().post("leads/bulk", [LEAD] * 4).json()["results"]
    assert [line["lead"]["responsible"]["name"] for line in results] == ["Ann", "Bob", "Ann", "Bob"]


def test_ndjson_is_taken_line_by_line(world: World) -> None:
    lines = [json.dumps(LEAD), "", "{broken", json.dumps(LEAD), "5"]
    answer = world.api().post("leads/bulk", "\n".join(lines).encode(), content_type="application/x-ndjson")
    assert [line["status"] for line in answer.json()["results"]] == [201, 400, 201, 400]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not-a-list"),
        (b"5", 400, "not-a-list"),
        (b'"x"', 400, "not-a-list"),
        (b"[", 400, "invalid-json"),
        (b"[" + b"{}," * 1000 + b"{}]", 400, "too-many-items"),
        (b"[" + b" " * (16 << 20) + b"]", 413, "too-large"),
    ],
)
def test_what_is_no_list_of_leads_is_refused_whole(world: World, body: bytes, status: int, code: str) -> None:
    answer = world.api().post("leads/bulk", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_empty_list_is_no_leads(world: World) -> None:
    assert world.api().post("leads/bulk", []).json() == {"results": []}


def test_a_thousand_leads_take_a_fixed_number_of_statements(world: World, django_assert_max_num_queries: Any) -> None:
    world.api("key_a").post("leads/bulk", [LEAD])
    with django_assert_max_num_queries(25):
        answer = world.api("key_a").post("leads/bulk", [{**LEAD, "external_id": str(i)} for i in range(1000)])
    assert {line["status"] for line in answer.json()["results"]} == {201}
    with django_assert_max_num_queries(25):
        again = world.api("key_a").post("leads/bulk", [{**LEAD, "external_id": str(i)} for i in range(1000)])
    assert {line["status"] for line in again.json()["results"]} == {200}


# The journal


def test_a_refused_body_is_kept_with_its_problem(world: World) -> None:
    body = b'{"name": "Ann", "contact": {"phone": ["x"]}}'
    answer = world.api("key_a").post("leads", body)
    row = RefusedIntake.objects.get()
    assert (bytes(row.body), row.size, row.problem) == (body, len(body), answer.json())
    assert (row.source, row.code, row.content_type) == (world.sources["landing"], "invalid-phone", "application/json")
    assert row.key is not None
    assert row.key.name == "key_a"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("leads", b"undefined", "invalid-json"),
        ("leads", b"[]", "not-an-object"),
        ("leads", b"{}", "invalid-lead"),
        ("leads", b'{"name": "' + b"x" * (1 << 20) + b'"}', "too-large"),
        ("leads/bulk", b"{]", None),
        ("leads", b"\xff\xfe\x00", "invalid-encoding"),
    ],
)
def test_every_kind_of_refusal_is_kept_cut_at_64_kib(world: World, path: str, body: bytes, code: str | None) -> None:
    world.api().post(path, body)
    row = RefusedIntake.objects.get()
    assert bytes(row.body) == (body[: 64 << 10] if path == "leads" else b'"{]"') or row.code == "invalid-json"
    assert code in (row.code, None)
    if path == "leads":
        assert row.size == len(body)


def test_bad_items_of_a_bulk_request_are_kept_each(world: World) -> None:
    world.api("key_a").post("leads/bulk", [LEAD, {"name": "nobody"}, {**LEAD, "tags": 5}])
    assert [json.loads(bytes(row.body)) for row in RefusedIntake.objects.order_by("pk")] == [
        {"name": "nobody"},
        {**LEAD, "tags": 5},
    ]


def test_a_bulk_request_refuses_a_lead_with_a_long_key_as_it_would_be_refused_alone(world: World) -> None:
    bad = {**LEAD, "fields": {"plan": {"k" * 300_000: 1}}}
    kept, refused = world.api().post("leads/bulk", [{**LEAD, "fields": {"k" * 200: 1}}, bad]).json()["results"]
    assert kept["status"] == 201
    assert refused["error"] == world.api().post("leads", bad).json()
    detail = f"This cannot be stored: a key has at most 200 characters, but “{'k' * 40}…” has 300,000."
    assert [(e["pointer"], e["code"], e["detail"]) for e in refused["error"]["errors"]] == [
        ("/fields/plan", "too-long", detail)
    ]


def test_what_strangers_send_is_not_kept(world: World) -> None:
    world.api("revoked").post("leads", b"rubbish")
    assert not RefusedIntake.objects.exists()


def test_the_answer_is_given_even_when_the_journal_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def broken(*args: object, **options: object) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(RefusedIntake.objects, "bulk_create", broken)
    assert world.api().post("leads", b"rubbish").status_code == 400
    assert [line["status"] for line in world.api().post("leads/bulk", [5, LEAD]).json()["results"]] == [400, 201]


def test_a_bug_is_answered_without_a_word_of_it_and_its_lead_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.test import Client

    from routing.api import views

    def bug(*args: object, **options: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(views, "answer_leads", bug)
    answer = Client(raise_request_exception=False).post(
        "/api/v1/leads",
        LEAD,
        content_type="application/json",
        headers={"authorization": f"Bearer {world.keys['account']}"},
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert b"secret" not in answer.content
    assert json.loads(bytes(RefusedIntake.objects.get().body)) == LEAD


def test_the_sender_is_told_who_it_is_and_what_they_sent(world: World) -> None:
    first = {"contact": {"name": "Eva", "email": "eva.ros@example.com", "phone": "+34 600 010 101"}}
    second = {
        "contact": {"email": "Eva.Ros@example.com", "phone": "+34 699 020 202 ext. 5", "chat": "@eva"},
        "company": {},
    }
    for actor in ("account", "key_a"):
        world.api(actor).post("leads", first)
        lead = world.api(actor).post("leads", second).json()
        if actor == "account":
            assert lead["matched_by"] == "email"
            assert [point["phone"] for point in lead["contact"]["phones"]] == ["+34699020202", "+34600010101"]
            assert lead["contact"]["phone_extension"] == "5"
        else:  # others have told of her, too
            assert (lead["matched_by"], lead["contact"]["name"]) == (None, "")
            assert [point["phone"] for point in lead["contact"]["phones"]] == ["+34699020202"]
        assert lead["as_sent"] == second
        assert lead["shares_with"] == []
    only_theirs = {"contact": {"name": "Tom", "email": "tom@example.com"}}
    world.api("key_a").post("leads", only_theirs)
    lead = world.api("key_a").post("leads", {"contact": {"email": "tom@example.com", "phone": "+34600000009"}}).json()
    assert (lead["matched_by"], lead["contact"]["name"]) == ("email", "Tom")
    assert world.api("key_a").get(f"leads/{lead['id']}").json() == lead


@pytest.mark.parametrize(
    "address", ['"a\x00b"@example.com', "a\x01b@example.com", '"a\tb"@example.com', "a\nb@example.com"]
)
def test_a_control_character_never_makes_another_address_of_one(world: World, address: str) -> None:
    known = world.api().post("leads", {"contact": {"email": "ab@example.com"}}).json()
    lead = world.api().post("leads", {"contact": {"email": address, "phone": "+34600000001"}}).json()
    assert lead["contact"]["id"] != known["contact"]["id"]
    assert (lead["contact"]["email"], lead["contact"]["email_valid"]) == (
        re.sub(r"[\x00-\x1f]", "\ufffd", address),
        False,
    )
    assert lead["as_sent"]["contact"] == {"email": address, "phone": "+34600000001", "email_valid": False}
    found = world.api().get(f"leads/{lead['id']}").json()
    assert {key: found[key] for key in lead} == lead


# Sent again


def click(world: World, actor: str, **facts: Any) -> Any:
    return world.api(actor).post("leads", {**LEAD, **facts})


@pytest.fixture
def clicks(world: World) -> World:
    Source.objects.update(double_click=True)
    return world


@pytest.mark.parametrize("actor", ["account", "key_a", "sue"])
def test_a_double_click_is_answered_200_with_the_first_lead(clicks: World, actor: str) -> None:
    source = {} if actor == "key_a" else {"source": "landing"}
    first = click(clicks, actor, **source)
    again = click(clicks, actor, utm={"source": "google"}, **source)
    assert (first.status_code, again.status_code) == (201, 200)
    body = again.json()
    assert body["duplicate_of"] == body["id"] == first.json()["id"]
    assert "duplicate_of" not in first.json()
    [kept] = clicks.api("account").get(f"leads/{body['id']}/activities").json()["results"]
    assert body["activity"] == {key: kept[key] for key in ("id", "kind", "at")}
    assert (kept["kind"], kept["source"], kept["external_id"]) == ("repeat", "landing", None)
    assert kept["data"] == {
        "name": "Demo request",
        "utm": {"source": "google"},
        "contact": LEAD["contact"],
        "company": None,
    }


def test_in_a_list_a_double_click_is_a_line_with_200(clicks: World) -> None:
    lines = clicks.api().post("leads/bulk", [LEAD, LEAD, {**LEAD, "comment": "More"}]).json()["results"]
    assert [line["status"] for line in lines] == [201, 200, 201]
    assert lines[1]["lead"]["duplicate_of"] == lines[0]["lead"]["id"]
    assert Lead.objects.count() == 2


def test_who_may_not_read_the_lead_is_told_that_it_is_kept_and_no_more(clicks: World) -> None:
    Source.objects.filter(code="hotline").update(known="event")
    lead = click(clicks, "key_a").json()["id"]
    answer = click(clicks, "key_b", comment="When do you call?")
    assert (answer.status_code, set(answer.json())) == (200, {"activity"})
    assert clicks.api("key_b").get(f"leads/{lead}/activities").status_code == 404
    assert clicks.api("key_a").get(f"leads/{lead}/activities").json()["results"] == []  # another source sent it
    [kept] = clicks.api("account").get(f"leads/{lead}/activities").json()["results"]
    assert (kept["kind"], kept["data"]["comment"]) == ("call", "When do you call?")
    again = {click(clicks, who, source="landing").status_code for who in ("ann", "bob")}
    assert again == {200}
    other = "bob" if Lead.objects.get().responsible.user.email.startswith("ann") else "ann"
    assert set(click(clicks, other, source="landing").json()) == {"activity", "duplicate_of"}


def test_the_answer_to_a_double_click_is_replayed(clicks: World) -> None:
    click(clicks, "account")
    body = [LEAD, LEAD]
    first = clicks.api().post("leads/bulk", body, idempotency_key="k")
    again = clicks.api().post("leads/bulk", body, idempotency_key="k")
    assert again.content == first.content
    assert Activity.objects.count() == 1


def test_activities_are_listed_oldest_first_page_by_page(clicks: World) -> None:
    Source.objects.filter(code="landing").update(known="event")
    lead = click(clicks, "key_a").json()["id"]
    for number in range(5):
        click(clicks, "key_a", comment=f"{number}")
    seen: list[str] = []
    address = f"leads/{lead}/activities?limit=2"
    while address:
        page = clicks.api("key_a").get(address).json()
        seen += [each["data"]["comment"] for each in page["results"]]
        address = page["next"]
    assert seen == ["0", "1", "2", "3", "4"]
    assert clicks.api("key_a").get(f"leads/{lead}/activities?state=x").status_code == 400
