"""Who may do what: docs/permissions.md, row by row. An address or a method without a row fails.

Everybody asks each address once; what was answered serves all tests here: that it is what the table says, that it has the
headers of every answer, and that looking changed nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client, RequestFactory

from routing.models import Lead, Source
from tests.effort import by_night
from tests.permissions import (
    ACTORS,
    ROLES,
    SIGN_IN,
    VERBS,
    WRONG,
    Cast,
    Crawl,
    Row,
    admin_pages,
    admin_rows,
    changed,
    looks,
    make_cast,
    routes,
    rows,
    said,
    snapshot,
    taken_back,
)  # fmt: skip
from tests.routing.api.world import ALL

pytestmark = pytest.mark.django_db
ROWS = rows()
API_ROWS = [row for row in ROWS if row.route.startswith("api/v1/")]
STRANGERS = ("anonymous", "revoked", "expired", "dan", "source_off", "wrong_secret")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.fixture
def _django_db_helper(crawl: Crawl) -> None:
    """Stand in for pytest-django's, which would give each test a transaction of its own: here the module has one."""


@pytest.fixture(scope="module")
def crawl(django_db_setup: None, django_db_blocker: Any) -> Iterator[Crawl]:
    """Give the people, and what they were answered, to all tests of this module; nothing of it stays."""
    with django_db_blocker.unblock():
        with taken_back():
            yield Crawl(make_cast())
        connection.close()


@pytest.fixture
def cast(crawl: Crawl) -> Iterator[Cast]:
    """Give the people to one test, which may change what it likes."""
    world = replace(crawl.cast.world, keys={**crawl.cast.world.keys})
    with taken_back():
        yield replace(crawl.cast, world=world, clients={**crawl.cast.clients})


def test_every_address_has_a_row() -> None:
    assert routes() == {row.route for row in ROWS}, "docs/permissions.md names each address once for each method"


def test_a_row_stands_once() -> None:
    assert len({(row.method, row.route) for row in ROWS}) == len(ROWS)


# Whose answers differ most; the others' by `make test-slow`.
BY_DAY = ("anonymous", "source", "owner", "supervisor", "superuser")
ASKERS = [pytest.param(BY_DAY, id="by day"), pytest.param([*ACTORS], id="everybody", marks=pytest.mark.slow)]
HEADINGS = [name if name in BY_DAY else pytest.param(name, marks=pytest.mark.slow) for name in ACTORS]


@pytest.mark.parametrize("heading", HEADINGS)
def test_everybody_is_answered_as_the_table_says(crawl: Crawl, heading: str) -> None:
    wrong = [
        f"{row}: {heading} is answered {answer}, the table says {expected}"
        for row in ROWS
        if (expected := row.answers.get(heading))
        and (answer := crawl.answer(ACTORS[heading], row).status) not in expected.split(" or ")
    ]
    assert not wrong


@pytest.mark.parametrize("heading", HEADINGS)
def test_looking_at_every_address_changes_nothing(crawl: Crawl, heading: str) -> None:
    actor = ACTORS[heading]
    crawl.answer(actor, next(row for row in ROWS if row.method == "GET"))
    assert crawl.changed[actor] == []


LOOKERS = ["ann", *(pytest.param(name, marks=pytest.mark.slow) for name in ("anonymous", "sue", "root"))]


@pytest.mark.parametrize("actor", LOOKERS)
def test_looking_at_every_page_of_the_admin_changes_nothing(crawl: Crawl, actor: str) -> None:
    assert crawl.look(actor, admin_pages()) == []


REFUSED = {"401", "403", "404", SIGN_IN}


@pytest.mark.parametrize("heading", [heading for heading in ACTORS if heading not in ("account", "superuser")])
def test_what_is_refused_changes_nothing(cast: Cast, heading: str) -> None:
    actor = ACTORS[heading]
    asked = [row for row in ROWS if row.method != "GET" and row.answers.get(heading) in REFUSED]
    cast.clients[actor].get("/")
    before = snapshot()
    for row in asked:
        assert said(cast.send(actor, row)) in REFUSED, row
    assert asked
    assert changed(before, snapshot()) == []


def test_a_single_changed_value_would_be_seen(cast: Cast) -> None:
    before = snapshot()
    Lead.objects.update(comment="changed")
    assert sorted(changed(before, snapshot())) == ["routing_lead", "routing_leadedit"]


@pytest.mark.parametrize("headings", ASKERS)
def test_every_answer_tells_browsers_to_do_no_more_than_a_page_needs(crawl: Crawl, headings: Collection[str]) -> None:
    for asked in ROWS:
        for heading in asked.answers.keys() & headings:
            crawl.answer(ACTORS[heading], asked)
    crawl.look("anonymous", looks(*WRONG))
    for (actor, row), answer in crawl.answers.items():
        where = f"{row} of {actor} → {answer.status}"
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, f"{where}: {name}"
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, where
        assert "default-src 'none'" in policy, where
        assert "camera=()" in answer.headers["Permissions-Policy"], where
        assert "Server" not in answer.headers, where


@pytest.mark.parametrize("headings", ASKERS)
def test_no_answer_is_kept_but_static_files_and_calendars(crawl: Crawl, headings: Collection[str]) -> None:
    """A browser that is shared, or a proxy, must not show what was made for one reader to the next."""
    for asked in ROWS:
        for heading in asked.answers.keys() & headings:
            crawl.answer(ACTORS[heading], asked)
    crawl.look("anonymous", looks(*WRONG))
    for (actor, row), answer in crawl.answers.items():
        where, kept = f"{row} of {actor} → {answer.status}", answer.headers["Cache-Control"]
        if answer.status == "200" and row.route.startswith("calendar/"):
            assert kept == "private, max-age=900", where
            continue
        assert "no-store" in kept, f"{where}: {kept}"
        if row.route.startswith("api/v1/"):
            varies = {name.strip().lower() for name in answer.headers["Vary"].split(",")}
            assert {"authorization", "x-api-key"} <= varies, f"{where}: {varies}"


def test_a_static_file_may_be_kept(client: Client) -> None:
    answer = client.get("/static/leadrouter/icon.svg")
    assert b"".join(answer.streaming_content)  # to its end: the client closes it, and leaves the connection open
    assert answer.status_code == 200
    assert "no-store" not in answer.headers["Cache-Control"]


@pytest.mark.thorough
@pytest.mark.parametrize("actor", by_night(["anonymous", "account", "ann", "root"], by_day=["account", "root"]))
def test_options_is_answered_everywhere_and_never_by_a_crash(cast: Cast, actor: str) -> None:
    for row in {replace(row, method="OPTIONS", sends="") for row in ROWS}:
        status = cast.send(actor, row).status_code
        assert status < 500, f"{row} → {status}"
        if row.route.startswith("api/"):
            assert status in (401, 405), f"{row} → {status}"


def test_an_answer_that_a_bug_made_has_the_headers_too(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.api.views.answer_leads", lambda *_, **__: 1 / 0)
    row = next(row for row in ROWS if row.method == "POST" and row.route == "api/v1/leads")
    answer = cast.send("account", row)
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "ZeroDivisionError" not in answer.content.decode()


def test_a_method_without_a_row_is_refused(cast: Cast) -> None:
    """So that a new method of an old address cannot go unnoticed. The admin's pages take any."""
    listed = {(row.method, row.route) for row in ROWS}
    for route in sorted({row.route for row in ROWS if not row.route.startswith("admin")}):
        actor = "account" if route.startswith("api/v1/") else "root"
        for method in METHODS:
            if (method, route) not in listed:
                row = Row(method=method, route=route, sends="", scope="", answers={})
                assert cast.ask(actor, row) == "405", row


# The API


def test_strangers_get_the_same_401_whatever_the_reason(cast: Cast) -> None:
    Source.objects.filter(code="hotline").update(active=False)
    keys = cast.world.keys
    keys |= {"source_off": keys["key_b"], "wrong_secret": keys["account"][:-1] + "~"}
    cast.clients |= dict.fromkeys(("source_off", "wrong_secret"), cast.clients["anonymous"])
    before = Lead.objects.values_list("state", "responsible", "stage").get()
    for row in API_ROWS:
        answers = [cast.send(stranger, row) for stranger in STRANGERS]
        assert {answer.status_code for answer in answers} == {401}, row
        assert len({answer.content for answer in answers}) == 1, row
        assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}, row
    assert Lead.objects.values_list("state", "responsible", "stage").get() == before


def test_a_key_needs_the_scope_of_the_call(cast: Cast) -> None:
    for scope in ALL:
        cast.world.key(f"without {scope}", scopes=[other for other in ALL if other != scope])
        cast.world.key(f"with {scope}", scopes=[scope])
        cast.clients |= dict.fromkeys((f"without {scope}", f"with {scope}"), cast.clients["anonymous"])
    for row in API_ROWS:
        refused = cast.send(f"without {row.scope}", row)
        assert (refused.status_code, refused.json()["code"]) == (403, "not-allowed"), row
        assert cast.ask(f"with {row.scope}", row) == row.answers["account"], row


# The admin


def test_every_model_of_the_admin_has_a_row() -> None:
    assert {model._meta.label_lower for model in admin.site._registry} == set(admin_rows())


def test_the_admin_lets_each_role_do_what_the_table_says(cast: Cast) -> None:
    found = {}
    for model, page in admin.site._registry.items():
        found[model._meta.label_lower] = letters = {}
        for role in ROLES:
            request = RequestFactory().get("/")
            request.user = cast.world.users[ACTORS[role]]
            may = [letter for letter, verb in VERBS.items() if getattr(page, f"has_{verb}_permission")(request)]
            letters[role] = "".join(may) or "–"
    assert found == admin_rows()


def test_the_admin_shows_its_lists_to_whom_the_table_says(cast: Cast) -> None:
    for model, letters in admin_rows().items():
        row = Row(method="GET", route=f"admin/{model.replace('.', '/')}/", sends="", scope="", answers={})
        assert [cast.ask(actor, row) for actor in ("anonymous", "ann", "dan")] == [SIGN_IN] * 3, model
        # The account has one row, and its list leads there.
        expected = {"200", "302"} if "v" in letters["supervisor"] else {"403"}
        assert cast.ask("sue", row) in expected, model


def test_an_address_without_a_row_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.permissions._routes", lambda *_: ["api/v1/new", "admin/routing/lead/add/"])
    assert routes() - {row.route for row in ROWS} == {"api/v1/new"}


def test_what_an_actor_did_is_taken_back(cast: Cast) -> None:
    [accept] = [row for row in ROWS if row.route.endswith("accept")]
    assert cast.ask("ann", accept) == "200"
    assert Lead.objects.get().state == "offered"
    with taken_back():
        Lead.objects.all().update(name="gone")
    assert Lead.objects.get().name != "gone"
