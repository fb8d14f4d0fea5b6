"""Who may do what: docs/permissions.md, row by row. An address or a method without a row fails."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import RequestFactory

from routing.models import Lead
from tests.permissions import ACTORS, ROLES, SIGN_IN, VERBS, Cast, Row, admin_rows, make_cast, routes, rows, taken_back
from tests.routing.api.world import ALL

ROWS = rows()
API_ROWS = [row for row in ROWS if row.route.startswith("api/v1/")]
STRANGERS = ("anonymous", "revoked", "expired", "dan", "source_off", "wrong_secret")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def test_every_address_has_a_row() -> None:
    assert routes() == {row.route for row in ROWS}, "docs/permissions.md names each address once for each method"


def test_a_row_stands_once() -> None:
    assert len({(row.method, row.route) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("part", ["api/v1/", "admin", ""])
def test_everybody_is_answered_as_the_table_says(cast: Cast, part: str) -> None:
    wrong = [
        f"{row}: {heading} is answered {answer}, the table says {expected}"
        for row in ROWS
        if part == next(start for start in ("api/v1/", "admin", "") if row.route.startswith(start))
        for heading, expected in row.answers.items()
        if (answer := cast.ask(ACTORS[heading], row)) not in expected.split(" or ")
    ]
    assert not wrong


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
    keys = cast.world.keys
    cast.world.sources["hotline"].active = False
    cast.world.sources["hotline"].save()
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
