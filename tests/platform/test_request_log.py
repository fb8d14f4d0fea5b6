"""What the log says of requests, and that it says nothing of people."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings as configured
from django.test import Client

from leadrouter.celery import app
from leadrouter.request_log import mask
from routing.models import Lead
from tests.routing.api.world import LEAD, World, make_world

EMAIL, PHONE, DIGITS, PASSWORD = "canary@secret.example", "+34 611 222 333", "611222333", "kestrel-password-1"


@pytest.fixture
def world(db: None) -> World:
    return make_world()


class Log:
    """The lines that a process would write, in the format of the settings."""

    def __init__(self) -> None:
        facts = dict(configured.LOGGING["formatters"]["json"])
        facts.pop("()")
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(structlog.stdlib.ProcessorFormatter(**facts))

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    found, root = Log(), logging.getLogger()
    before = root.level
    root.addHandler(found.handler)
    root.setLevel(logging.DEBUG)
    yield found
    root.removeHandler(found.handler)
    root.setLevel(before)


def test_a_request_keeps_the_id_that_the_proxy_gave_it_and_gets_one_where_it_has_none(world):
    api = world.api("key_a")
    assert api.get("leads", x_request_id="abc-1.2_3").headers["X-Request-ID"] == "abc-1.2_3"
    first, second = (api.get("leads").headers["X-Request-ID"] for _ in range(2))
    assert first != second
    assert len(first) == 32


@pytest.mark.parametrize("given", ["a\r\nSet-Cookie: x=1", "<script>", "", "x" * 65, "наш"])
def test_an_id_that_could_break_a_line_is_replaced(world, given):
    answer = Client().get("/healthz", headers={"x-request-id": given})
    assert answer.headers["X-Request-ID"] != given
    assert len(answer.headers["X-Request-ID"]) == 32


def test_every_line_of_a_request_has_its_id_and_the_leads_it_was_about(world, log, settings):
    settings.LOG_REQUESTS = True
    taken = world.api("key_a").post("leads", LEAD, x_request_id="req-1")
    world.api().post(f"leads/{taken.json()['id']}/accept", x_request_id="req-2")
    told = {line["request_id"]: line for line in log.lines if line.get("action") == "request"}
    lead = str(Lead.objects.get().pk)
    assert told["req-1"]["leads"] == told["req-2"]["leads"] == [lead]
    assert (told["req-1"]["method"], told["req-1"]["status"]) == ("POST", 201)
    assert told["req-2"]["route"].endswith("accept")


def test_without_being_asked_only_requests_that_fail_or_are_slow_have_a_line(world, log, settings):
    world.api("key_a").get("leads")
    assert [line for line in log.lines if line.get("action") == "request"] == []
    settings.SLOW_REQUEST_SECONDS = 0
    world.api("key_a").get("leads")
    assert [line["level"] for line in log.lines if line.get("action") == "request"] == ["warning"]


def test_nobodys_data_is_in_the_log_whatever_happens(world, log, settings, monkeypatch):
    settings.LOG_REQUESTS = True
    lead = {"name": f"Offer {EMAIL}", "contact": {"name": "Rosa", "email": EMAIL, "phone": PHONE}, "comment": PHONE}
    api = world.api("key_a")
    assert api.post("leads", lead).status_code == 201
    assert api.post("leads", {**lead, "budget": EMAIL}).status_code == 400
    assert api.post("leads", b'{"contact": {"email": "' + EMAIL.encode()).status_code == 400
    assert api.get(f"leads?responsible={EMAIL}").status_code in (200, 400)
    assert world.api().get(f"managers/{EMAIL}").status_code == 404
    secret = f"{world.keys['key_a'][:-3]}xyz"
    assert api.get("leads", authorization=f"Bearer {secret}").status_code == 401
    client = Client(raise_request_exception=False)
    client.get(f"/nowhere/{EMAIL}/")
    for _ in range(6):
        client.post("/", {"username": EMAIL, "password": PASSWORD})
    monkeypatch.setattr("routing.api.views.answer_leads", fail_with_everything)
    key = {"authorization": f"Bearer {world.keys['key_a']}"}
    broken = client.post("/api/v1/leads", lead, content_type="application/json", headers=key)
    assert broken.status_code == 500
    assert EMAIL not in broken.content.decode()
    assert "RuntimeError" in log.text, "the crash itself is told"
    for mark in (EMAIL, PHONE, DIGITS, PASSWORD, secret, world.keys["key_a"]):
        assert mark not in log.text, mark


def fail_with_everything(*_: Any, **__: Any) -> None:
    raise RuntimeError(f"Key (email_key)=({EMAIL}) and {PHONE} and 611222333")


def test_one_event_is_one_line_whatever_people_write(world, log):
    logging.getLogger("test").warning("odd: %s", 'a\r\n{"event": "forged"}\x1b[2J\u2028b')
    assert len(log.text.rstrip("\n").split("\n")) == 1
    assert json.loads(log.text)["event"].startswith("odd: a\r\n")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("mail to ana@client.example failed", "mail to [e-mail] failed"),
        ("call +34 600 000 000 now", "call [phone] now"),
        ("number 600000000", "number [number]"),
        ("redis://:secret@redis:6379/1", "redis://[login]@redis:6379/1"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [token]"),
        ("key lr_0123456789ab_SECRET-secret", "key lr_0123456789ab_[key]"),
        ("DETAIL:  Key (name)=(Ana) exists.", "DETAIL: [left out]"),
        ("lead 01999999-1111-7111-8111-123456789012 at 2026-03-02 10:00:00+00:00", None),
        ("registry 12: the balance of manager 7 is 500000", None),
    ],
)
def test_what_looks_like_a_person_or_a_key_is_masked_and_ids_are_not(written, kept):
    assert mask(written) == (written if kept is None else kept)
    assert mask({"inner": [written]}) == {"inner": [written if kept is None else kept]}


def test_jobs_carry_ids_and_nothing_else():
    for name, task in app.tasks.items():
        if name.split(".")[0] in ("routing", "accounts", "reports", "leadrouter"):
            code = task.run.__wrapped__.__code__ if hasattr(task.run, "__wrapped__") else task.run.__code__
            arguments = code.co_varnames[: code.co_argcount]
            assert all(argument in ("self", "pk", "go_on") or argument.endswith("_id") for argument in arguments), name
