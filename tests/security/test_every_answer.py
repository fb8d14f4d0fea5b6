"""What holds for the answer of every address there is, whoever asks: headers, and that looking changes nothing."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import connection

from tests.permissions import Cast, Row, make_cast, rows

pytestmark = pytest.mark.django_db

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Written by being seen, or by the session being used: no change that anybody would be tricked into.
SEEN = {"accounts_manager": "last_seen_at", "routing_apikey": "last_used_at", "accounts_user": "last_login"}
NOT_OURS = {"django_session", "django_migrations"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def addresses() -> list[Row]:
    """Return what a browser may be made to look at: every row of the table, and the admin's common pages."""
    pages = [
        f"admin/{model._meta.app_label}/{model._meta.model_name}/{page}"
        for model in admin.site._registry
        for page in ("", "add/", "<id>/change/", "<id>/history/", "<id>/delete/", "?q=x&e=1")
    ]
    found = [row for row in rows() if row.method == "GET"]
    return found + [Row(method="GET", route=page, sends="", scope="", answers={}) for page in pages]


WRONG = ("nowhere/", "api/v1/nowhere", "admin/nowhere/", "static/nowhere.css", "me/%00/")


@pytest.mark.parametrize("actor", ["anonymous", "account", pytest.param("root", marks=pytest.mark.slow)])
def test_every_answer_tells_browsers_to_do_no_more_than_a_page_needs(cast, actor):
    errors = [Row(method="GET", route=route, sends="", scope="", answers={}) for route in WRONG]
    for row in [*rows(), *errors]:
        answer = cast.send(actor, row)
        where = f"{row} → {answer.status_code}"
        for name, value in HEADERS.items():
            assert answer.headers.get(name) == value, f"{where}: {name}"
        policy = answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy, where
        assert "default-src 'none'" in policy, where
        assert "camera=()" in answer.headers["Permissions-Policy"], where
        assert "Server" not in answer.headers, where


def test_an_answer_that_a_bug_made_has_the_headers_too(cast, monkeypatch):
    monkeypatch.setattr("routing.api.views.take_leads", lambda *_, **__: 1 / 0)
    row = next(row for row in rows() if row.method == "POST" and row.route == "api/v1/leads")
    answer = cast.send("account", row)
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "ZeroDivisionError" not in answer.content.decode()


def snapshot() -> dict[str, str]:
    """Return a digest of every table."""
    digests = {}
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        for (table,) in cursor.fetchall():
            if table not in NOT_OURS:
                without = f" - '{SEEN[table]}'" if table in SEEN else ""
                cursor.execute(
                    f"SELECT md5(coalesce(string_agg(row::text, E'\\n' ORDER BY row::text), ''))"
                    f' FROM (SELECT to_jsonb(t){without} AS row FROM "{table}" t) rows'
                )
                digests[table] = cursor.fetchone()[0]
    return digests


STAFF = [pytest.param(name, marks=pytest.mark.slow) for name in ("sue", "root")]  # they open every page of the admin


@pytest.mark.parametrize("actor", ["anonymous", "ann", *STAFF])
def test_looking_at_every_address_changes_nothing(cast, actor):
    cast.clients[actor].get("/")  # what a first look writes once, such as the account itself
    before = snapshot()
    for row in addresses():
        cast.send(actor, row)

    assert changed(before, snapshot()) == []


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [table for table in after if before.get(table) != after[table]]


def test_the_snapshot_sees_a_single_changed_value(cast):
    before = snapshot()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE routing_lead SET comment = 'changed'")
    assert changed(before, snapshot()) == ["routing_lead"]
