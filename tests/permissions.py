"""docs/permissions.md read as a table, and the people it speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Manager, User
from accounts.time import clock
from routing.models import HandOver
from routing.services.merging import merge_contacts

from .factories import make_contact
from .routing.api.world import LEAD, World, make_world

TABLE = Path(__file__).resolve().parent.parent / "docs" / "permissions.md"
ACTORS = {  # heading → actor; of the pages' table `any key` stands for all whom a page does not know
    "anonymous": "anonymous",
    "any key": "account",
    "source": "key_a",
    "other source": "key_b",
    "account": "account",
    "manager's key": "key of ann",
    "owner": "ann",
    "other manager": "bob",
    "supervisor": "sue",
    "administrator": "ada",
    "superuser": "root",
    "revoked": "revoked",
    "expired": "expired",
    "deactivated": "dan",
}
ROLES = ("supervisor", "administrator", "superuser")
VERBS = {"v": "view", "a": "add", "c": "change", "d": "delete"}
SIGN_IN = "sign-in"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One address and method: what is sent, the scope a key needs, and what everybody is answered."""

    method: str
    route: str
    sends: str
    scope: str
    answers: dict[str, str] = field(hash=False)  # heading → status, or `sign-in`

    def __str__(self) -> str:
        return f"{self.method} /{self.route}"


def _tables() -> Iterator[tuple[list[str], list[list[str]]]]:
    """Yield the tables of the page: headings, and rows of cells."""
    for block in re.findall(r"(?m)(?:^\|.*\n)+", TABLE.read_text(encoding="utf-8")):
        cells = [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        yield cells[0], cells[2:]


@cache
def rows() -> list[Row]:
    """Return the tables of addresses."""
    return [
        _row(dict(zip(headings, line, strict=True)))
        for headings, lines in _tables()
        if headings[0] == "method"
        for line in lines
    ]


def _row(cells: dict[str, str]) -> Row:
    return Row(
        method=cells["method"],
        route=cells["address"].removeprefix("/"),
        sends=cells["sends"],
        scope=cells.get("scope", ""),
        answers={heading: answer for heading, answer in cells.items() if heading in ACTORS},
    )


def admin_rows() -> dict[str, dict[str, str]]:
    """Return the table of the admin: model → role → letters of VERBS."""
    _, lines = next(table for table in _tables() if table[0][0] == "model")
    return {model: dict(zip(ROLES, letters, strict=True)) for model, *letters in lines}


# The addresses there are


def routes() -> set[str]:
    """Return every address of the project, but the common pages of the admin's models; those of the API without a slash."""
    found = {route for route in _routes(get_resolver().url_patterns) if not _is_common_admin_page(route)}
    return {route for route in found if not (route.startswith("api/") and route.removesuffix("/") in found - {route})}


def _routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        else:
            yield normal(route)


def normal(route: str) -> str:
    """Return the route without what a regular expression has around it."""
    return re.sub(r"[\^$]", "", re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", route.replace("/?$", "")))


COMMON = re.compile(r"/(add/|<path:object_id>/((history(/<[^/]*>)?|delete|change)/)?)?")


def _is_common_admin_page(route: str) -> bool:
    """Tell whether it is one that every model's admin has: its rights are the model's row."""
    bases = [f"admin/{model._meta.app_label}/{model._meta.model_name}" for model in admin.site._registry]
    return any(route.startswith(base) and COMMON.fullmatch(route.removeprefix(base)) for base in bases)


# Those who ask


@dataclass
class Cast:
    """Everybody of ACTORS, and a lead of the first source that is offered to Ann."""

    world: World
    lead_id: str
    hand_over_id: str
    merging: dict[str, str]  # contacts to merge, and a merge
    clients: dict[str, Client]

    def ask(self, actor: str, row: Row) -> str:
        """Return what the actor is answered: the status, or `sign-in`. Nothing of it stays."""
        with taken_back():
            return said(self.send(actor, row))

    def send(self, actor: str, row: Row, **headers: str) -> Any:
        """Return the answer; cookies stay as they were."""
        if key := self.world.keys.get(actor):
            headers.setdefault("authorization", f"Bearer {key}")
        kind = "application/json" if row.route.startswith("api/") else "application/x-www-form-urlencoded"
        body = self._filled(row.sends, row.route)
        client = self.clients[actor]
        cookies = deepcopy(client.cookies)
        try:
            return client.generic(
                row.method, "/" + self._filled(row.route, row.route), body, content_type=kind, headers=headers
            )
        finally:
            client.cookies = cookies

    def _filled(self, text: str, route: str) -> str:
        """Put what the world has in place of the parameters of a route: `<lead_id>`, `<str:lead_id>`."""
        known = {"lead_id": self.lead_id, "manager_id": str(self.world.managers["ann"].pk), "email": "ann@example.com"}
        known |= {**self.merging, "hand_over_id": self.hand_over_id, "batch_id": self.hand_over_id, **PARAMETERS}
        if "<" in text and (match := re.match(r"admin/(\w+)/(\w+)/", route)):
            known["object_id"] = known["id"] = str(_first_of(*match.groups()))

        def value(match: re.Match[str]) -> str:
            assert match[1] in known, f"tests/permissions.py: give PARAMETERS a value for {match[1]}"
            return known[match[1]]

        return re.sub(r"<(?:\w+:)?(\w+)>", value, text)


def said(response: Any) -> str:
    """Return the status of an answer, or `sign-in`."""
    address = response.headers.get("Location", "")
    signs_in = response.status_code == 302 and (address.startswith(("/?", "/admin/login")) or address == "/")
    return SIGN_IN if signs_in else str(response.status_code)


PARAMETERS = {  # what stands in addresses besides leads and managers
    "name": "reassign",
    "kind": "csv",
    "uidb64": "MQ",
    "token": "none",
    "url": "nowhere",
    "app_label": "routing",
    "content_type_id": "1",
    "object_id": "1",
    "passkey_id": "1",
}


def _first_of(app_label: str, model_name: str) -> object:
    model = next(m for m in admin.site._registry if (m._meta.app_label, m._meta.model_name) == (app_label, model_name))
    return model._default_manager.values_list("pk", flat=True).first() or 1


@contextmanager
def taken_back() -> Iterator[None]:
    """Undo what happens inside; services that must begin a transaction of their own may."""
    savepoint = transaction.atomic()
    savepoint._from_testcase = True  # type: ignore[attr-defined]
    with savepoint:
        yield
        transaction.set_rollback(True)


def make_cast() -> Cast:
    world = make_world()
    for name, group in (("ada", "Administrators"), ("dan", "Managers")):
        world.users[name] = User.objects.create_user(f"{name}@example.com", name=name.title(), is_active=name != "dan")
        world.users[name].groups.add(Group.objects.get(name=group))
    Manager.objects.create(user=world.users["dan"], active=False)
    world.users["root"] = User.objects.create_superuser("root@example.com")
    User.objects.filter(email__in=["sue@example.com", "ada@example.com"]).update(is_staff=True)
    world.key("dan", user=world.users["dan"])
    keys = {name: world.keys[name] for name in ("account", "key_a", "key_b", "revoked", "expired", "dan")}
    answer = world.api("key_a").post("leads", LEAD).json()
    assert answer["responsible"]["email"] == "ann@example.com"
    assert world.api("key_a").post("leads", {"name": "Cannot be reached"}).status_code == 400
    world.keys = {**keys, "key of ann": world.keys["ann"]}
    batch = HandOver.objects.create(manager=world.managers["ann"], at=clock.now())
    ana, eva, tom, uma = (make_contact(f"{name}@merged.example") for name in ("ana", "eva", "tom", "uma"))
    merge = merge_contacts.__wrapped__(tom.pk, uma.pk, at=clock.now())  # type: ignore[attr-defined]
    merging = {"contact_id": str(ana.pk), "other_id": str(eva.pk), "merge_id": str(merge.pk)}
    clients = {actor: _client(world, actor) for actor in ACTORS.values()}
    return Cast(world=world, lead_id=answer["id"], hand_over_id=str(batch.pk), merging=merging, clients=clients)


def _client(world: World, actor: str) -> Client:
    client = Client(raise_request_exception=False)
    if actor in world.users:
        client.force_login(world.users[actor])
    return client


# What everybody is answered


@dataclass(frozen=True)
class Answer:
    """What is kept of an answer: the status, `sign-in` for the way to the sign-in page, and the headers."""

    status: str
    headers: Mapping[str, str]


WRONG = ("nowhere/", "api/v1/nowhere", "admin/nowhere/", "static/nowhere.css", "me/%00/")
# Written by being seen, or by the session being used: no change that anybody would be tricked into.
SEEN = {"accounts_manager": "last_seen_at", "routing_apikey": "last_used_at", "accounts_user": "last_login"}
NOT_OURS = {"django_session", "django_migrations", "accounts_onlinetime"}


@dataclass
class Crawl:
    """Asks each address once for each actor, and keeps what was answered for all tests that look at it."""

    cast: Cast
    answers: dict[tuple[str, Row], Answer] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)  # actor → tables that looking at the rows changed

    def answer(self, actor: str, row: Row) -> Answer:
        """Return what the actor is answered to a row of the table. Nothing that was sent stays."""
        if (actor, row) not in self.answers:
            if row.method == "GET":
                self.changed[actor] = self.look(actor, [found for found in rows() if found.method == "GET"])
            else:
                with taken_back():
                    self._keep(actor, row)
        return self.answers[actor, row]

    def look(self, actor: str, addresses: list[Row]) -> list[str]:
        """Have the actor look at all of these, one after the other; return the tables that are no longer what they were."""
        with taken_back():
            self.cast.clients[actor].get("/")  # what a first look writes once, such as the account itself
            before = snapshot()
            for row in addresses:
                self._keep(actor, row)
            return changed(before, snapshot())

    def _keep(self, actor: str, row: Row) -> None:
        response = self.cast.send(actor, row)
        self.answers[actor, row] = Answer(said(response), dict(response.headers))


def looks(*routes: str) -> list[Row]:
    return [Row(method="GET", route=route, sends="", scope="", answers={}) for route in routes]


def admin_pages() -> list[Row]:
    """Return the pages that every model's admin has."""
    pages = ("", "add/", "<id>/change/", "<id>/history/", "<id>/delete/", "?q=x&e=1")
    models = [model._meta for model in admin.site._registry]
    return looks(*(f"admin/{model.app_label}/{model.model_name}/{page}" for model in models for page in pages))


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


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [table for table in after if before.get(table) != after[table]]
