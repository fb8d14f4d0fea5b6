"""A small installation with everybody who may call: Ann and Bob are managers, Sue their supervisor, Max is neither."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Account, Manager, User
from accounts.time import clock
from routing.models import ApiKey, Member, Pipeline, Registry, Source, Stage, Trigger

ALL = ["intake", "read", "manage"]
LEAD = {"name": "Demo request", "contact": {"name": "Anna Test", "phone": "+12025550123"}}


@dataclass
class World:
    keys: dict[str, str] = field(default_factory=dict)  # actor → the key in clear
    managers: dict[str, Manager] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    stages: dict[str, Stage] = field(default_factory=dict)
    trigger: Trigger | None = None

    def api(self, actor: str = "account") -> Api:
        return Api(self.keys.get(actor))

    def key(self, actor: str, *, scopes: list[str] | None = None, **owner: Any) -> str:
        row = ApiKey(name=actor, scopes=scopes or ALL, **owner)
        self.keys[actor] = row.renew()
        row.save()
        return self.keys[actor]


class Api:
    """A client with a key. Every answer is checked for what no answer may be."""

    def __init__(self, key: str | None = None, client: Client | None = None) -> None:
        self.key = key
        self.client = client or Client(raise_request_exception=False)

    def get(self, path: str, **headers: Any) -> Any:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: Any) -> Any:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.send("POST", path, raw, **headers)

    def send(
        self, method: str, path: str, body: bytes = b"", *, content_type: str = "application/json", **headers: Any
    ) -> Any:
        if self.key is not None:
            headers.setdefault("authorization", f"Bearer {self.key}")
        path = path if path.startswith(("http", "/api")) else f"/api/v1/{path}"
        response = self.client.generic(
            method,
            path,
            body,
            content_type=content_type,
            headers={name.replace("_", "-"): v for name, v in headers.items()},
        )
        check_answer(response)
        return response


def check_answer(response: Any) -> None:
    """No 5xx but a stated 503, never HTML; a refusal is a problem document and tells nothing of the inside."""
    content_type = response.headers.get("Content-Type", "")
    assert response.status_code < 500 or response.status_code == 503, response.content
    assert "html" not in content_type
    if response.status_code >= 400:
        assert content_type == "application/problem+json", content_type
        problem = response.json()
        assert {"type", "title", "status", "detail", "code"} <= problem.keys()
        assert problem["status"] == response.status_code
        for secret in ("Traceback", "SELECT", "psycopg", "/site-packages/"):
            assert secret not in response.content.decode()


def make_manager(world: World, name: str) -> Manager:
    user = User.objects.create_user(f"{name.lower()}@example.com", "secret-pass", name=name)
    user.groups.add(Group.objects.get(name="Managers"))
    world.users[name.lower()] = user
    world.managers[name.lower()] = manager = Manager.objects.create(user=user)
    return manager


def make_world() -> World:
    world = World()
    Account.get()
    for code, channel in (("landing", "site"), ("hotline", "phone"), ("api", "api")):
        world.sources[code] = Source.objects.create(code=code, title=code.title(), channel=channel)
    sales = Pipeline.objects.create(code="sales", title="Sales")
    for position, (code, kind) in enumerate(
        [("inbox", "unqualified"), ("new", "open"), ("accepted", "open"), ("won", "won"), ("lost", "lost")]
    ):
        world.stages[code] = Stage.objects.create(pipeline=sales, code=code, kind=kind, position=position)
    ann, bob = make_manager(world, "Ann"), make_manager(world, "Bob")
    sue = world.users["sue"] = User.objects.create_user("sue@example.com", "secret-pass", name="Sue")
    sue.groups.add(Group.objects.get(name="Supervisors"))
    world.users["max"] = User.objects.create_user("max@example.com", "secret-pass", name="Max")
    world.trigger = Trigger.objects.create(
        code="new-leads",
        stage=world.stages["new"],
        on=["created", "moved"],
        registry=Registry.objects.create(code="all-sales", title="All sales"),
        acceptance_minutes=10,
    )
    for position, manager in enumerate((ann, bob)):
        Member.objects.create(trigger=world.trigger, manager=manager, position=position)
    make_keys(world)
    return world


def make_keys(world: World) -> None:
    now = clock.now()
    world.key("account")
    world.key("key_a", source=world.sources["landing"])
    world.key("key_b", source=world.sources["hotline"])
    for name in ("ann", "bob", "sue", "max"):
        world.key(name, user=world.users[name])
    world.key("revoked", revoked_at=now)
    world.key("expired", expires_at=now - timedelta(seconds=1))
