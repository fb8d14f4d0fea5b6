"""Possible duplicates and merges by the API: for supervisors and the account's keys."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from accounts.time import clock
from routing.models import Contact, PossibleDuplicate
from routing.services.duplicates import look_for_duplicates

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(world: Any) -> Any:
    return world.api("account")


def come(api: Any, name: str, email: str) -> str:
    lead = api.post("leads", {"contact": {"name": name, "email": email}, "postal_code": "28013"})
    assert lead.status_code == 201
    return str(lead.json()["contact"]["id"])


@pytest.fixture
def rosas(api: Any) -> list[str]:
    names = ["Rosa Gómez", "GOMEZ ROSA", "Rosa Gomez Vidal"]
    ids = [come(api, name, f"rosa{number}@client.example") for number, name in enumerate(names)]
    while look_for_duplicates(at=clock.now()):
        pass
    return ids


def test_pairs_are_listed_with_their_reasons_newest_first_and_by_contact(api: Any, rosas: list[str]) -> None:
    page = api.get("duplicates?limit=2").json()
    assert [set(pair) for pair in page["results"]] == [{"id", "contacts", "reasons", "found_at"}] * 2
    rest = api.get(page["next"]).json()
    assert (rest["next"], len(rest["results"])) == (None, 1)
    mine = api.get(f"duplicates?contact={rosas[0]}").json()["results"]
    assert [pair["reasons"] for pair in mine if rosas[1] in str(pair)] == [["same_name", "same_postal_code"]]
    assert len(mine) == 2
    assert all(rosas[0] in [contact["id"] for contact in pair["contacts"]] for pair in mine)
    PossibleDuplicate.objects.update(dismissed_at=clock.now())
    assert api.get("duplicates").json()["results"] == []


@pytest.mark.parametrize("contact", ["x", "00000000-0000-0000-0000-000000000001", ""])
def test_an_unknown_contact_is_refused(api: Any, contact: str) -> None:
    answer = api.get(f"duplicates?contact={contact}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "unknown-contact"
    assert api.get("duplicates?state=open").status_code == 400


def test_a_merge_is_answered_with_its_id_and_undone_once(api: Any, rosas: list[str]) -> None:
    one, other, _ = rosas
    answer = api.post(f"contacts/{one}/merge", {"contact": other})
    assert answer.status_code == 200
    merge = answer.json()
    assert (merge["contact"], merge["merged"], merge["undone_at"]) == (one, other, None)
    assert come(api, "", "rosa1@client.example") == one
    gone = api.get(f"duplicates?contact={other}")
    assert gone.status_code == 410
    assert one in gone.json()["detail"]
    for path, body in (
        (f"contacts/{one}/merge", other),
        (f"contacts/{other}/merge", one),
        (f"contacts/{one}/merge", one),
    ):
        assert api.post(path, {"contact": body}).status_code == 409
    undone = api.post(f"merges/{merge['id']}/undo")
    assert undone.status_code == 200
    assert undone.json()["undone_at"]
    assert api.post(f"merges/{merge['id']}/undo").status_code == 409
    assert come(api, "", "rosa1@client.example") == other


def test_what_is_not_there_is_named(api: Any, rosas: list[str]) -> None:
    one, other, _ = rosas
    assert api.post(f"contacts/{uuid4()}/merge", {"contact": one}).status_code == 404
    assert api.post("contacts/x/merge", {"contact": one}).status_code == 404
    assert api.post(f"merges/{uuid4()}/undo").status_code == 404
    for body in ({}, {"contact": None}, {"contact": str(uuid4())}, {"contact": "x"}, {"contact": 7}):
        answer = api.post(f"contacts/{one}/merge", body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "contact"
    assert Contact.objects.filter(pk__in=[one, other]).count() == 2


@pytest.mark.parametrize("actor", ["key_a", "ann", "max"])
def test_keys_of_sources_and_managers_may_not(world: Any, rosas: list[str], actor: str) -> None:
    api = world.api(actor)
    assert api.get("duplicates").status_code == 403
    assert api.get(f"duplicates?contact={rosas[0]}").status_code == 403
    assert api.post(f"contacts/{rosas[0]}/merge", {"contact": rosas[1]}).status_code == 403
    assert api.post(f"contacts/{uuid4()}/merge", {"contact": rosas[1]}).status_code == 403
    assert api.post(f"merges/{uuid4()}/undo").status_code == 403


def test_a_supervisor_who_lost_the_permission_may_look_and_not_merge(world: Any, rosas: list[str]) -> None:
    assert world.api("sue").post(f"contacts/{rosas[0]}/merge", {"contact": rosas[1]}).status_code == 200
    world.users["sue"].groups.get().permissions.remove(
        *world.users["sue"].groups.get().permissions.filter(codename="merge_contact")
    )
    assert world.api("sue").get("duplicates").status_code == 200
    assert world.api("sue").post(f"contacts/{rosas[0]}/merge", {"contact": rosas[2]}).status_code == 403
