"""A file, or a draft over what is stored, as values: no row is read and none is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from accounts.models import Account, Manager, User, WorkSchedule
from routing.models import Member, Pipeline, Placeholder, Registry, Source, Stage, Trigger
from routing.policy import shapes

from . import rows as items_of
from . import text
from .importing import lay_over
from .judging import judge
from .places import BadConfiguration, Errors
from .rows import KINDS, Item, Stored, Tables
from .shapes import SECTIONS, read_document
from .values import configuration_of
from .writing import Plan

FIRST_NUMBER = -(10**12)  # of what has no row: less than every number of a row, and in the order of the file


def configuration_of_file(
    source: str | bytes | Mapping[str, Any], *, over: Stored | None = None
) -> shapes.Configuration:
    """Return the configuration that the file says, or what is stored with the file laid over it.

    What is stored keeps its numbers; everything else has numbers below zero.
    Raises BadConfiguration, with every fault and its place.
    """
    errors = Errors()
    given = read_document(source if isinstance(source, Mapping) else text.read(source), errors)
    stored = over or nothing_stored()
    plan = lay_over(given, stored, users={})
    judge(plan, given, stored, errors, pruned=frozenset())
    if errors:
        raise BadConfiguration.of(errors, SECTIONS)
    return configuration_of(laid_out(plan, stored))


def nothing_stored() -> Stored:
    """Return what an empty installation has: the account, as it is by default."""
    stored = Stored(exceptions={"schedules": {}, "managers": {}})
    account = Account(pk=1)
    stored.add("account", "", account, items_of.account_item(account))
    return stored


class _Numbers:
    def __init__(self) -> None:
        self.next = FIRST_NUMBER

    def of(self, known: Model | None) -> int:
        if known is not None and known.pk is not None:
            return int(known.pk)
        self.next += 1
        return self.next


def laid_out(plan: Plan, stored: Stored) -> Stored:
    """Return the rows as they would be, were the plan written: none of them is saved."""
    numbers = _Numbers()
    items = {kind: {**stored.items[kind], **plan.items[kind]} for kind in KINDS}
    order = {kind: {key: items[kind][key] for key in plan.order[kind]} for kind in plan.order}
    items |= order
    old = stored.rows
    rows: dict[str, dict[str, Any]] = {kind: {} for kind in KINDS}
    account = Account(pk=1, second_factor=old["account"][""].second_factor)
    items_of.fill_account(account, items["account"][""])
    rows["account"][""] = account
    for code, item in items["schedules"].items():
        rows["schedules"][code] = WorkSchedule(pk=numbers.of(old["schedules"].get(code)), code=code)
        items_of.fill_schedule(rows["schedules"][code], item)
    for email, item in items["managers"].items():
        known = old["managers"].get(email)
        user = User(pk=numbers.of(known.user if known else None), email=email)
        rows["managers"][email] = Manager(pk=numbers.of(known), user=user)
        items_of.fill_manager(rows["managers"][email], item, schedules=rows["schedules"])
    for kind, model in (("sources", Source), ("pipelines", Pipeline), ("registries", Registry)):
        for position, (code, item) in enumerate(items[kind].items()):
            rows[kind][code] = model(pk=numbers.of(old[kind].get(code)), code=code)
            items_of.fill_columns(rows[kind][code], item)
            rows[kind][code].position = position
    for key, item in items["placeholders"].items():
        rows["placeholders"][key] = Placeholder(pk=numbers.of(old["placeholders"].get(key)), **item)
    for position, (path, item) in enumerate(items["stages"].items()):
        pipeline, _, code = path.partition("/")
        stage = Stage(pk=numbers.of(old["stages"].get(path)), code=code, pipeline=rows["pipelines"][pipeline])
        items_of.fill_columns(stage, item)
        stage.position = position
        rows["stages"][path] = stage
    return items_of.join_tables(_tables(items, rows, numbers, stored))


def _tables(
    items: Mapping[str, Mapping[str, Item]], rows: dict[str, dict[str, Any]], numbers: _Numbers, stored: Stored
) -> Tables:
    triggers: list[Trigger] = []
    own: list[Registry] = []
    members: list[Member] = []
    limits: list[tuple[int, int]] = []
    for code, item in items["triggers"].items():
        known = stored.rows["triggers"].get(code)
        trigger = Trigger(pk=numbers.of(known), code=code)
        items_of.fill_trigger(trigger, item, rows=rows)
        triggers.append(trigger)
        registry = Registry(pk=numbers.of(known.own_registry if known else None), code=None, trigger=trigger)
        if not isinstance(item["registry"], str):
            items_of.fill_columns(registry, item["registry"] or items_of.registry_settings(Registry()))
        own.append(registry)
        for position, member in enumerate(item["members"]):
            members.append(
                Member(
                    pk=position,
                    trigger=trigger,
                    manager=rows["managers"][member["manager"]],
                    coefficient=member["coefficient"],
                    limit=member["limit"],
                    schedule=rows["schedules"][member["schedule"]] if member["schedule"] else None,
                    position=position,
                )
            )
        limits += [(trigger.pk, rows["stages"][path].pk) for path in (item["limit"] or {}).get("stages", [])]
    exceptions = [
        items_of.exception_row(exception, **{of: rows[kind][key]})
        for kind, of in (("schedules", "schedule"), ("managers", "manager"))
        for key, item in items[kind].items()
        for exception in item["exceptions"]
    ]
    return Tables(
        account=rows["account"][""],
        users=[manager.user for manager in rows["managers"].values()],
        managers=list(rows["managers"].values()),
        schedules=list(rows["schedules"].values()),
        exceptions=exceptions,
        sources=list(rows["sources"].values()),
        placeholders=list(rows["placeholders"].values()),
        pipelines=list(rows["pipelines"].values()),
        stages=list(rows["stages"].values()),
        registries=[*rows["registries"].values(), *own],
        triggers=triggers,
        members=members,
        limit_stages=limits,
    )
