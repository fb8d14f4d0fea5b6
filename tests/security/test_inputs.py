"""What comes in does only what it may: no field that is nobody's to send, no key that is told from another by time."""

from __future__ import annotations

import hmac

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from routing.api import authentication
from routing.models import Lead
from tests.admin_pages import filled
from tests.factories import make_supervisor
from tests.routing.api.world import LEAD, World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


NOT_THEIRS = {
    "id": "01999999-1111-7111-8111-123456789012",
    "state": "assigned",
    "responsible": {"email": "bob@example.com"},
    "responsible_id": 1,
    "score": 999_999,
    "round": 7,
    "attempt": 7,
    "created_at": "2001-01-01T00:00:00Z",
    "accept_by": "2001-01-01T00:00:00Z",
    "decision": {"trigger": "x"},
    "trigger": "new-leads",
    "arrived_unqualified": True,
    "is_staff": True,
    "stage_id": 5,
    "channel": "phone",
}


@pytest.mark.parametrize("name", NOT_THEIRS)
def test_a_field_that_is_nobodys_to_send_changes_nothing(world, name):
    api = world.api("key_a")
    plain = api.post("leads", {**LEAD, "external_id": "plain"}).json()
    answer = api.post("leads", {**LEAD, "external_id": "sent", name: NOT_THEIRS[name]})
    if answer.status_code == 400:
        return
    lead, other = (Lead.objects.get(external_id=number) for number in ("sent", "plain"))
    assert str(lead.pk) != NOT_THEIRS["id"]
    assert (lead.state, lead.score, lead.round, lead.attempt, lead.stage_id, lead.arrived_unqualified) == (
        other.state, other.score, other.round, other.attempt, other.stage_id, other.arrived_unqualified
    )  # fmt: skip
    assert lead.created_at.year > 2001
    assert answer.json()["channel"] == plain["channel"] == "site"


def test_a_form_of_the_admin_reads_no_field_that_it_does_not_show(client):
    sue = make_supervisor()
    client.force_login(sue)
    address = "/admin/accounts/user/add/"
    extra = {"is_staff": "on", "is_superuser": "on", "groups": ["3"], "password": "x", "sessions_ended": "9"}
    client.post(address, filled(client, address) | {"email": "new@example.com", "name": "New"} | extra)
    new = User.objects.get(email="new@example.com")
    assert (new.is_staff, new.is_superuser, new.groups.count(), new.sessions_ended) == (False, False, 0, 0)


WRONG_KEYS = {
    "unknown beginning": "lr_000000000000_" + "x" * 43,
    "wrong ending": None,  # a known beginning
    "another shape": "not-a-key-at-all",
    "not ASCII": "lr_ключ_ключ",
    "empty": "",
    "long": "lr_" + "a" * 5_000,
}


@pytest.mark.parametrize("kind", WRONG_KEYS)
def test_every_wrong_key_costs_one_look_up_and_one_comparison(world, kind, monkeypatch):
    """So that time tells nothing of which keys there are: each way through is the same."""
    compared: list[tuple[bytes, bytes]] = []
    really = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return really(one, other)

    monkeypatch.setattr(authentication.hmac, "compare_digest", compare)
    key = WRONG_KEYS[kind]
    world.keys["wrong"] = world.keys["key_a"][:-3] + "zzz" if key is None else key
    with CaptureQueriesContext(
        connection,
    ) as queries:
        answer = world.api("wrong").get("leads")
    assert answer.status_code == 401
    assert len([query for query in queries if query["sql"].startswith("EXECUTE leadrouter_by_prefix")]) == 1
    (pair,) = compared
    assert {len(side) for side in pair} == {64}, "digests of one length, whatever was sent"
