"""Lists: pages, filters, and that a strange parameter never passes for a known one."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from routing.models import Lead

from .world import LEAD, World


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [lead["id"] for lead in answer.json()["results"]]


def take(world: World, number: int = 1, actor: str = "account", **facts: Any) -> list[str]:
    results = world.api(actor).post("leads/bulk", [{**LEAD, **facts}] * number).json()["results"]
    return [line["lead"]["id"] for line in results]


# Pages


def test_pages_follow_each_other_both_ways_and_hold_every_lead_once(world: World) -> None:
    taken = [*take(world, 5), *take(world, 4)]  # leads of one request have one instant
    api, pages, url = world.api(), [], "leads?limit=2"
    while url:
        answer = api.get(url)
        pages.append(ids(answer))
        last, url = answer, answer.json()["next"]
    expected = [str(pk) for pk in Lead.objects.order_by("-created_at", "-id").values_list("pk", flat=True)]
    assert [lead for page in pages for lead in page] == expected
    assert sorted(expected) == sorted(taken)
    back = []
    while url := last.json()["previous"]:
        last = api.get(url)
        back.append(ids(last))
    assert back == pages[-2::-1]
    assert api.get("leads?limit=2").json()["previous"] is None


def test_leads_that_come_meanwhile_move_no_page(world: World) -> None:
    before = take(world, 4)
    first = world.api().get("leads?limit=2")
    take(world, 3)
    second = world.api().get(first.json()["next"])
    assert sorted([*ids(first), *ids(second)]) == sorted(before)


def test_links_keep_the_filters(world: World) -> None:
    take(world, 3, "key_a")
    take(world, 3, "key_b")
    first = world.api().get("leads?limit=2&source=landing&state=offered")
    second = world.api().get(first.json()["next"])
    assert len(ids(first) + ids(second)) == 3
    assert {lead["source"] for lead in second.json()["results"]} == {"landing"}


@pytest.mark.parametrize("limit", ["0", "-1", "true", "501", "", "1.5", "1e2", "x", "٥", " 5", "99999", "+5"])
def test_any_other_limit_is_refused(world: World, limit: str) -> None:
    for path in ("leads", "managers"):
        answer = world.api().get(f"{path}?limit={quote(limit)}")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/limit")


def test_a_page_holds_up_to_500(world: World) -> None:
    take(world, 501)
    assert len(ids(world.api().get("leads"))) == 50
    assert len(ids(world.api().get("leads?limit=500"))) == 500


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


AT, ID = "2026-03-02T10:00:00+00:00", "0195a1b2-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "=",
        "é",
        "A" * 5000,
        cursor(),
        cursor("n"),
        cursor("n", AT),
        cursor("q", AT, ID),
        cursor("n", AT, 5),
        cursor("n", AT, "x"),
        cursor("n", "2026-03-02T10:00:00", ID),
        cursor("n", "9999-01-01T00:00:00+00:00", ID),
        cursor("n", AT, ID, 1),
        cursor("n", None, None),
        cursor({}, AT, ID),
        "W" * 8,
        base64.urlsafe_b64encode(b"[" * 1000).decode(),
        base64.urlsafe_b64encode(b'{"a":1}').decode(),
    ],
)
def test_a_strange_cursor_is_refused(world: World, text: str) -> None:
    answer = world.api().get(f"leads?cursor={quote(text, safe='%')}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


def test_a_cursor_opens_nothing_that_is_not_the_callers(world: World) -> None:
    take(world, 3, "key_a")
    link = world.api("key_a").get("leads?limit=1").json()["next"]
    assert ids(world.api("key_b").get(link)) == []


def test_a_list_takes_a_fixed_number_of_statements(world: World, django_assert_num_queries: Any) -> None:
    take(world, 30, "key_a")
    for actor, statements in (("account", 6), ("key_a", 6)):
        world.api(actor).get("leads?limit=2")
        for limit in (2, 30):
            with django_assert_num_queries(statements):
                world.api(actor).get(f"leads?limit={limit}")


# Filters


def test_each_filter_narrows_the_list(world: World) -> None:
    [a] = take(world, actor="key_a", external_id="7")
    [b] = take(world, actor="key_b", external_id="8")
    [idle] = take(world, actor="key_b", unqualified=True)
    at = {lead["id"]: lead["created_at"] for lead in world.api().get("leads").json()["results"]}
    owner = {a: "ann@example.com", b: "bob@example.com"}
    expected = {
        "state=offered": {a, b},
        "state=idle": {idle},
        "state=waiting": set(),
        "stage=sales/new": {a, b},
        "stage=sales/won": set(),
        "pipeline=sales": {a, b, idle},
        "source=landing": {a},
        "external_id=8": {b},
        "external_id=nope": set(),
        f"responsible={owner[a]}": {a},
        f"responsible={owner[b].upper()}": {b},
        f"created_after={at[b]}": {b, idle},
        f"created_before={at[b]}": {a},
        f"created_after={quote(at[b])}&created_before={quote(at[idle])}": {b},
        "state=offered&source=hotline": {b},
    }
    assert {query: set(ids(world.api().get(f"leads?{query}"))) for query in expected} == expected


@pytest.mark.parametrize(
    "query",
    [
        "state=Offered",
        "state=",
        "stage=new",
        "stage=sales/nope",
        "pipeline=nope",
        "source=nope",
        "responsible=nobody@example.com",
        "created_after=yesterday",
        "created_before=1969-01-01",
        "created_after=99999999999999999999",
        "page=2",
        "offset=1",
        "order=id",
        "q=x",
        "format=api",
        "responsible__user__password__startswith=x",
        "manager__user__password__startswith=a",
        "state__in=idle",
        "id=1",
        "state=idle&state=waiting",
        "limit=1&limit=2",
        "external_id=%00",
        "external_id=" + "x" * 501,
        "%00=1",
        "x" * 3000 + "=1",
    ],
)
def test_an_unknown_filter_or_value_is_refused(world: World, query: str) -> None:
    answer = world.api().get(f"leads?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"]


@pytest.mark.parametrize(
    "path", ["leads/{id}?x=1", "leads/{id}/decisions?x=1", "managers?x=1", "managers/ann@example.com?x=1"]
)
def test_no_address_takes_an_unknown_parameter(world: World, path: str) -> None:
    [lead] = take(world)
    assert world.api().get(path.format(id=lead)).json()["errors"][0]["pointer"] == "/x"


def test_a_plus_sign_that_nobody_escaped_is_understood(world: World) -> None:
    take(world)
    assert len(ids(world.api().get("leads?created_after=2020-01-01T00:00:00+01:00"))) == 1


def test_who_sees_little_is_not_told_which_sources_and_managers_there_are(world: World) -> None:
    for query in ("source=nope", "source=hotline", "responsible=nobody@example.com", "responsible=bob@example.com"):
        assert ids(world.api("key_a").get(f"leads?{query}")) == []


# One lead


@pytest.mark.parametrize(
    "lead_id", ["1", "x", ID, ID.replace("-", ""), "{" + ID + "}", "%00", "a" * 3000, "..%2f..", ID + "x"]
)
def test_what_is_no_lead_is_404(world: World, lead_id: str) -> None:
    for path in ("", "/decisions"):
        assert world.api().get(f"leads/{lead_id}{path}").status_code == 404
    for verb in ("accept", "decline", "move", "reassign", "credit-back"):
        assert world.api().post(f"leads/{lead_id}/{verb}", {}).status_code == 404


def test_an_id_may_be_written_in_capitals(world: World) -> None:
    [lead] = take(world)
    assert world.api().get(f"leads/{lead.upper()}").json()["id"] == lead


def test_decisions_are_told_oldest_first_with_every_candidate(world: World) -> None:
    [lead] = take(world)
    world.api().post(f"leads/{lead}/decline", {"reason": "busy"})
    first, second = world.api().get(f"leads/{lead}/decisions").json()["results"]
    assert (first["attempt"], first["chosen"], first["outcome"]) == (1, "ann@example.com", "assigned")
    assert (second["attempt"], second["chosen"]) == (2, "bob@example.com")
    ann, bob = second["candidates"]
    assert (ann["manager"], ann["eligible"], ann["reason"]) == ("ann@example.com", False, "already_tried")
    assert (bob["manager"], bob["eligible"], bob["reason"], bob["coefficient"]) == ("bob@example.com", True, None, 1)
    assert set(bob) == {
        *("manager", "eligible", "reason", "coefficient", "held", "limit", "balance_before", "balance_after")
    }
    page = world.api().get(f"leads/{lead}/decisions?limit=1").json()
    assert page["results"] == [first]
    assert world.api().get(page["next"]).json()["results"] == [second]


# The link that accepts


def test_a_lead_on_offer_is_read_with_the_link_that_accepts_it_by_who_may_accept(world: World) -> None:
    [lead] = take(world)
    links = {
        actor: world.api(actor).get(f"leads/{lead}").json().get("accept_link") for actor in ("account", "ann", "sue")
    }
    assert len(set(links.values())) == 1
    assert links["ann"].startswith("http://testserver/accept/")
    listed = world.api("ann").get("leads").json()["results"]
    assert listed[0]["accept_link"] == links["ann"]
    assert "accept_link" not in world.api("key_a").get("leads").json()["results"]
    world.key("reader", user=world.users["ann"], scopes=["read"])
    assert "accept_link" not in world.api("reader").get(f"leads/{lead}").json()
    world.api("ann").client.post(links["ann"])
    assert world.api("ann").get(f"leads/{lead}").json()["state"] == "assigned"
    assert "accept_link" not in world.api("ann").get(f"leads/{lead}").json()
