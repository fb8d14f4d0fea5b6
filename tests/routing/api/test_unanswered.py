"""What cannot be answered is not done: a deed whose answer fails is taken back, and a repetition does it once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from accounts.models import Pause
from routing import representations
from routing.api import duty, responses, views
from routing.models import Adjustment, Lead, LeadEvent, Offer

from .world import LEAD, Api, World

pytestmark = pytest.mark.django_db


class Broken:
    """Makes the first call fail, as a statement that times out or a bug would."""

    def __init__(self, function: Callable[..., Any], error: Exception) -> None:
        self.function, self.error, self.calls = function, error, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise self.error
        return self.function(*args, **kwargs)


@pytest.fixture(params=[RuntimeError("a bug"), OperationalError("the database went away")], ids=["bug", "database"])
def error(request: pytest.FixtureRequest) -> Exception:
    error: Exception = request.param
    return error


def failed(api: Api, path: str, body: Any = None) -> None:
    """Send what is not answered with a success; check_answer would not let a 500 pass."""
    headers = {"authorization": f"Bearer {api.key}"}
    answer = api.client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
    assert answer.status_code in (500, 503)


def test_a_lead_whose_answer_fails_is_not_kept(world: World, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(responses, "answer_as_json", Broken(responses.answer_as_json, error))
    failed(world.api(), "leads", LEAD)
    assert not Lead.objects.exists()
    assert world.api().post("leads", LEAD).status_code == 201
    assert Lead.objects.count() == 1


def test_leads_of_a_bulk_request_whose_answer_fails_are_not_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(views, "answer_as_json", Broken(views.answer_as_json, error))
    failed(world.api(), "leads/bulk", [LEAD, LEAD])
    assert not Lead.objects.exists()
    assert world.api().post("leads/bulk", [LEAD, LEAD]).status_code == 200
    assert Lead.objects.count() == 2


def test_a_lead_known_before_whose_answer_cannot_be_read_leaves_no_key_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    sent = {**LEAD, "external_id": "7"}
    world.api("key_a").post("leads", sent)
    monkeypatch.setattr(responses, "mask", Broken(responses.mask, error))
    failed(world.api("key_a"), "leads", sent)
    assert world.api("key_a").post("leads", sent).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "done"),
    [
        ("accept", None, lambda: Offer.objects.filter(outcome=Offer.Outcome.ACCEPTED)),
        ("decline", {"reason": "no"}, lambda: Offer.objects.filter(outcome=Offer.Outcome.DECLINED)),
        ("move", {"stage": "accepted"}, lambda: LeadEvent.objects.filter(kind=LeadEvent.Kind.MOVED)),
        ("reassign", {"manager": "bob@example.com", "count": True}, lambda: Adjustment.objects.all()),
        ("credit-back", {"reason": "junk"}, lambda: Adjustment.objects.all()),
    ],
)
def test_a_deed_whose_answer_fails_is_not_done_and_a_repetition_does_it_once(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, path: str, body: Any, done: Callable[[], Any]
) -> None:
    lead = world.api().post("leads", LEAD).json()["id"]
    monkeypatch.setattr(representations, "lead_document", Broken(representations.lead_document, error))
    failed(world.api(), f"leads/{lead}/{path}", body)
    assert not done().exists()
    assert world.api().post(f"leads/{lead}/{path}", body).status_code == 200
    assert done().count() == 1


def test_a_pause_whose_answer_fails_is_not_begun(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(duty, "_document", Broken(duty._document, error))
    failed(world.api(), "managers/ann@example.com/pause")
    assert not Pause.objects.exists()
    assert world.api().post("managers/ann@example.com/pause").json()["reason"] == "paused"
    monkeypatch.setattr(duty, "_document", Broken(duty._document, error))
    failed(world.api(), "managers/ann@example.com/resume")
    assert Pause.objects.filter(ended_at=None).exists()
    assert world.api().post("managers/ann@example.com/resume").json()["available"] is True


def test_a_pause_is_answered_when_offers_cannot_be_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    world.api().post("leads", LEAD)

    def broken(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr("routing.services.offers._redistribute", broken)
    assert world.api().post("managers/ann@example.com/pause").json()["reason"] == "paused"
    assert Offer.objects.open().exists(), "the sweep gives it back"


def test_a_pause_is_answered_when_it_cannot_be_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.api().post("leads", LEAD)
    working, calls = duty._document, []

    def broken(*args: Any) -> Any:
        calls.append(args)
        if len(calls) > 1:
            raise OperationalError("the database went away")
        return working(*args)

    monkeypatch.setattr(duty, "_document", broken)
    paused = world.api().post("managers/ann@example.com/pause").json()
    assert (paused["reason"], len(calls)) == ("paused", 2)
