"""The import: read the file, lay it over what is stored, judge the whole, write the difference.

One transaction, all or nothing. Both sides are brought to the same plain items (rows.py), so what the report says is
changed is what is written, and a file that says what is stored writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

from django.db import OperationalError, transaction
from django.utils.translation import gettext

from accounts.models import Account, ConfigurationVersion, Manager, User, WorkSchedule
from routing.exceptions import Busy
from routing.locks import DEADLOCK, FOREIGN_KEY, LOCK_TIMEOUT, UNIQUE, retry, sqlstate
from routing.models import Member, Pipeline, Placeholder, Registry, Source, Stage, Trigger

from . import rows as items_of
from . import text
from .judging import judge
from .places import MOST_TOLD, BadConfiguration, Errors
from .pruning import prune_unnamed
from .report import ONE, Change, ImportReport, differences, same
from .rows import KINDS, Item, Stored, by_pipeline, read_stored
from .shapes import SECTIONS, NamedObject, ParsedFile, read_document
from .writing import Plan, write_plan

# Somebody saved the same row in the admin, or a lead came for what was being removed: look again, and do it whole.
OVERTAKEN = {DEADLOCK, UNIQUE, FOREIGN_KEY}

# What the file gives of these is laid over what is stored of them, key by key; every other value is one whole.
LAID_OVER = ("channels", "cycle", "limit", "responsible_check", "acceptance", "registry")


def import_configuration(
    source: str | bytes | Mapping[str, Any], *, dry_run: bool = False, prune: bool = False
) -> ImportReport:
    """Make the stored configuration what the file says, and tell what that adds, changes and leaves.

    source: the YAML text, or the document that was read from it.
    dry_run: do all of it, and take it back.
    prune: in the sections that the file has, remove what it does not name.
    Raises BadConfiguration, with every fault, and Busy; nothing was written then.
    """
    document = source if isinstance(source, Mapping) else text.read(source)
    return retry(partial(_import, document, dry_run=dry_run, prune=prune), codes=OVERTAKEN)


@transaction.atomic
def _import(document: object, *, dry_run: bool, prune: bool) -> ImportReport:
    lock_configuration()
    errors = Errors()
    given = read_document(document, errors)
    if len(errors) >= MOST_TOLD:
        raise BadConfiguration.of(errors, SECTIONS)  # no more are told, so what it refers to is not judged
    stored = read_stored()
    refuse_too_much(new_objects(given, stored), given)
    plan = lay_over(given, stored, users=_users(given, stored))
    refuse_too_much(objects_to_write(plan, stored), given)
    judge(plan, given, stored, errors, pruned=given.sections if prune else frozenset())
    if errors:
        raise BadConfiguration.of(errors, SECTIONS)
    report = _report(plan, given, stored, dry_run=dry_run)
    report.invitations = write_plan(plan, stored)
    if prune:
        prune_unnamed(given, stored, report, errors)
    if errors:
        raise BadConfiguration.of(errors, SECTIONS)
    if dry_run:
        report.invitations = dict.fromkeys(report.invitations, "when it is imported")
        transaction.set_rollback(True)
    return report


def lock_configuration() -> None:
    """Wait for whoever is changing the configuration, and let others wait. Raises Busy.

    Every change of configuration writes this row (a database trigger does), so whoever holds it is alone.
    """
    try:
        ConfigurationVersion.objects.bulk_create([ConfigurationVersion(pk=1, version=0)], ignore_conflicts=True)
        ConfigurationVersion.objects.select_for_update().get(pk=1)
    except OperationalError as error:
        if sqlstate(error) != LOCK_TIMEOUT:
            raise
        raise Busy(gettext("Somebody else is changing the configuration. Try again.")) from error


# How much may change at once, so that none who waits for it waits long: a trigger takes as long as ten sources
MOST_CHANGED = 10_000
WEIGHTS = {"managers": 2, "pipelines": 2, "triggers": 10}  # of all else: 1; of exceptions two count as one


def new_objects(given: ParsedFile, stored: Stored) -> dict[str, list[str]]:
    return {kind: [key for key in given.named[kind] if key not in stored.items[kind]] for kind in KINDS}


def objects_to_write(plan: Plan, stored: Stored) -> dict[str, list[str]]:
    return {
        kind: [key for key, item in items.items() if not same(stored.items[kind].get(key), item)]
        for kind, items in plan.items.items()
    }


def refuse_too_much(touched: Mapping[str, list[str]], given: ParsedFile) -> None:
    """Raise BadConfiguration when the file adds and changes more than fits in one import."""
    amount = 0
    for kind, keys in touched.items():
        amount += WEIGHTS.get(kind, 1) * len(keys)
        for key in keys:
            fields = given.named[kind][key].fields
            amount += len(fields.get("members") or ()) + len(fields.get("exceptions") or ()) // 2
    if amount <= MOST_CHANGED:
        return
    counts = ", ".join(f"{len(keys):,} {kind}" for kind, keys in touched.items() if keys)
    message = (
        f"the file adds or changes too much at once: {counts}. With their members and exceptions that counts as"
        f" {amount:,}, and {MOST_CHANGED:,} is the most; split the file"
    )
    raise BadConfiguration([("", message)])


# Laying the file over what is stored


def lay_over(given: ParsedFile, stored: Stored, *, users: dict[str, User]) -> Plan:
    """Return every object that the file names as it will be. users: who will be managers and are users already."""
    plan = Plan()
    for kind in KINDS:
        for key, named in given.named[kind].items() if kind in given.named else ():
            base = stored.items[kind].get(key) or default_item(kind, named, users)
            plan.items[kind][key] = laid_over(base, named.fields, kind)
    plan.users = users
    for kind, order in (("pipelines", list(given.named["pipelines"])), ("stages", list(given.named["stages"]))):
        plan.order[kind] = arrange(list(stored.items[kind]), order)
    return plan


def _users(given: ParsedFile, stored: Stored) -> dict[str, User]:
    """Return those who will be managers and are users already, by e-mail."""
    emails = [email for email in given.named["managers"] if email not in stored.rows["managers"]]
    return User.objects.in_bulk(emails, field_name="email")


def default_item(kind: str, named: NamedObject, users: Mapping[str, User]) -> Item:
    """Return an object of the kind as it is when the file says nothing of it but its key."""
    makers: dict[str, Callable[[], Item]] = {
        "account": lambda: items_of.account_item(Account()),
        "schedules": lambda: items_of.schedule_item(WorkSchedule(title=named.key)) | {"weekly": None},
        "managers": lambda: items_of.manager_item(Manager(user=users.get(named.key) or User(email=named.key))),
        "sources": lambda: items_of.source_item(Source(title=named.key)),
        "placeholders": lambda: items_of.placeholder_item(Placeholder()),
        "pipelines": lambda: items_of.pipeline_item(Pipeline(title=named.key)),
        "stages": lambda: items_of.stage_item(Stage()),
        "registries": lambda: items_of.registry_item(Registry()),
        # The two events that are recommended.
        "triggers": lambda: items_of.trigger_item(Trigger(on=Trigger.Event.values)),
    }
    return makers[kind]()


def laid_over(base: Item, fields: Mapping[str, Any], kind: str) -> Item:
    """Return the item with what the file gives; an omitted key leaves the value, null sets it."""
    item = deepcopy(base)
    for key, value in fields.items():
        if key == "members":
            item[key] = _members(base[key], value)
        elif key in LAID_OVER and isinstance(value, dict):
            below = base[key] if isinstance(base[key], dict) else NOTHING_YET[key]
            item[key] = {**below, **value}
            if item[key] in SAID_AS_NULL:
                item[key] = None
        elif key in item:
            item[key] = value
    if kind == "schedules" and fields.get("weekly") is not None and "cycle" not in fields:
        item["cycle"] = None  # what was a cycle becomes a week
    if kind == "schedules" and fields.get("cycle") is not None and "weekly" not in fields:
        item["weekly"] = None
    return item


# What a value that was null has beside the keys that the file gives.
NOTHING_YET: dict[str, Item] = {
    "cycle": {"start": None, "days": []},
    "limit": {"leads": None, "stages": []},
    "responsible_check": {"of": [], "available": False, "count": False},
    "acceptance": items_of.acceptance_item(Trigger()),
    "registry": items_of.registry_settings(Registry()),
}


# What limits nothing and checks nobody is stored as nothing.
SAID_AS_NULL = ({"leads": None, "stages": []}, *(check | {"of": []} for check in (
    {"available": available, "count": count} for available in (False, True) for count in (False, True)
)))  # fmt: skip


def _members(stored: list[Item], given: Mapping[str, NamedObject]) -> list[Item]:
    known = {member["manager"]: member for member in stored}
    new = items_of.columns(Member(), ("coefficient", "limit")) | {"schedule": None}
    return [{"manager": email, **(known.get(email) or new), **named.fields} for email, named in given.items()]


def arrange(stored: list[str], named: Collection[str]) -> list[str]:
    """Return the order in which all stand afterwards.

    Those that the file names stand among themselves as in the file; those that it does not name keep their places; a
    new one follows the one before it in the file, or precedes the one after it, or is the last.
    """
    known, in_file = set(stored), set(named)
    moved = iter([key for key in named if key in known])
    behind: dict[str | None, list[str]] = {None: []}  # the new ones behind one that is known, or ahead of all of them
    last = first = None
    for key in named:
        if key in known:
            last, first = key, first or key
            behind[key] = []
        else:
            behind[last].append(key)
    order: list[str] = []
    for place in stored:
        key = next(moved) if place in in_file else place
        order += [*(behind[None] if key == first else ()), key, *behind.get(key, ())]
    return order if first else order + behind[None]


# The report


def _report(plan: Plan, given: ParsedFile, stored: Stored, *, dry_run: bool) -> ImportReport:
    report = ImportReport(dry_run=dry_run)
    orders = by_pipeline(dict.fromkeys(stored.items["stages"])), by_pipeline(dict.fromkeys(plan.order["stages"]))
    for kind in KINDS:
        for key, item in plan.items[kind].items():
            old = stored.items[kind].get(key)
            if old is None:
                plan.added[kind].append(key)
                report.changes.append(Change("add", ONE[kind], key))
                continue
            fields = differences(old, item)
            if fields:
                plan.changed[kind].append(key)
            if kind == "pipelines":
                fields |= _order_change(key, *orders)
            if fields:
                report.changes.append(Change("change", ONE[kind], key, fields))
            else:
                report.left.append((ONE[kind], key))
        report.unnamed += [(ONE[kind], key) for key in stored.items[kind] if key not in plan.items[kind]]
    before = list(stored.items["pipelines"])
    after = [key for key in plan.order["pipelines"] if key in stored.items["pipelines"]]
    if before != after:
        report.changes.append(Change("change", "pipeline order", "", {"order": (before, after)}))
    return report


def _order_change(
    pipeline: str, stored: Mapping[str, Mapping[str, None]], planned: Mapping[str, Mapping[str, None]]
) -> dict[str, tuple[Any, Any]]:
    """Return the change of the order in which the stages of a pipeline stand that were there before."""
    before = stored.get(pipeline, {})
    after = [path for path in planned.get(pipeline, ()) if path in before]
    prefix = f"{pipeline}/"
    names = [path.removeprefix(prefix) for path in before], [path.removeprefix(prefix) for path in after]
    return {"order of stages": names} if names[0] != names[1] else {}
