"""A small installation with everybody who may call: Ann and Bob are managers, Sue their supervisor, Max is neither."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Account, Manager, User
from accounts.time import clock
from routing.models import ApiKey, Member, Pipeline, Registry, Source, Stage, Trigger

ALL = ["intake", "read", "manage"]
GROUPS = {"ann": "Managers", "bob": "Managers", "sue": "Supervisors", "max": ""}
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
        self._new_key(actor, scopes, **owner).save()
        return self.keys[actor]

    def add_keys(self, owners: dict[str, dict[str, Any]]) -> None:
        ApiKey.objects.bulk_create(self._new_key(actor, None, **owner) for actor, owner in owners.items())

    def _new_key(self, actor: str, scopes: list[str] | None, **owner: Any) -> ApiKey:
        row = ApiKey(name=actor, scopes=scopes or ALL, **owner)
        self.keys[actor] = row.renew()
        return row


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


def make_world() -> World:
    """Make it by as few statements as may be: hundreds of tests begin with one."""
    world = World()
    Account.get()
    channels = {"landing": "site", "hotline": "phone", "api": "api"}
    sources = [  # the same lead is sent again and again here
        Source(code=code, title=code.title(), channel=channel, double_click=False) for code, channel in channels.items()
    ]
    world.sources = {source.code: source for source in Source.objects.bulk_create(sources)}
    sales = Pipeline.objects.create(code="sales", title="Sales")
    kinds = {"inbox": "unqualified", "new": "open", "accepted": "open", "won": "won", "lost": "lost"}
    stages = [
        Stage(pipeline=sales, code=code, kind=kind, position=position)
        for position, (code, kind) in enumerate(kinds.items())
    ]
    world.stages = {stage.code: stage for stage in Stage.objects.bulk_create(stages)}
    make_people(world)
    world.trigger = Trigger.objects.create(
        code="new-leads",
        stage=world.stages["new"],
        on=["created", "moved"],
        registry=Registry.objects.create(code="all-sales", title="All sales"),
        acceptance_minutes=10,
    )
    Member.objects.bulk_create(
        Member(trigger=world.trigger, manager=manager, position=position)
        for position, manager in enumerate(world.managers.values())
    )
    people = {name: {"user": user} for name, user in world.users.items()}
    now = clock.now()
    world.add_keys(
        {"account": {}, "key_a": {"source": world.sources["landing"]}, "key_b": {"source": world.sources["hotline"]}}
        | people
        | {"revoked": {"revoked_at": now}, "expired": {"expires_at": now - timedelta(seconds=1)}}
    )
    return world


def make_people(world: World) -> None:
    password = make_password("secret-pass")
    users = [User(email=f"{name}@example.com", name=name.title(), password=password) for name in GROUPS]
    world.users = dict(zip(GROUPS, User.objects.bulk_create(users), strict=True))
    groups = {group.name: group.pk for group in Group.objects.all()}
    User.groups.through.objects.bulk_create(
        User.groups.through(user_id=user.pk, group_id=groups[GROUPS[name]])
        for name, user in world.users.items()
        if GROUPS[name]
    )
    managers = [Manager(user=world.users[name]) for name in ("ann", "bob")]
    world.managers = dict(zip(("ann", "bob"), Manager.objects.bulk_create(managers), strict=True))
