"""Is the configuration sound as it will be: does what is referred to exist, and what do the models say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from accounts.models import Manager, User, WorkSchedule
from routing.models import Member, Pipeline, Placeholder, Registry, Source, Stage, Trigger

from . import rows as items_of
from .places import Errors, Node, quote
from .report import same
from .rows import Item, Stored, by_pipeline
from .shapes import NamedObject, ParsedFile, note_faults
from .writing import Plan


def judge(plan: Plan, given: ParsedFile, stored: Stored, errors: Errors, *, pruned: Collection[str]) -> None:
    """Add to the errors whatever is wrong with the objects that the file names.

    pruned: the sections in which only what the file names will remain.
    """
    known = Known(plan, given, stored, pruned)
    for key, named in given.named["account"].items():
        _judge_account(stored.rows["account"][key], plan.items["account"][key], named, stored)
    for kind, judge_one in (
        ("schedules", _judge_schedule),
        ("managers", _judge_manager),
        ("sources", _judge_source),
        ("placeholders", _judge_placeholder),
        ("pipelines", _judge_pipeline),
        ("stages", _judge_stage),
        ("registries", _judge_registry),
        ("triggers", _judge_trigger),
    ):
        for key, named in given.named[kind].items():
            judge_one(plan.items[kind][key], named, known)
    _judge_kinds_of_stages(plan, given, known)
    _judge_lent_codes(plan, given, stored, pruned)


class Known:
    """What may be referred to, and what is new or changed and so must please its model."""

    def __init__(self, plan: Plan, given: ParsedFile, stored: Stored, pruned: Collection[str]) -> None:
        self.plan, self.stored = plan, stored
        self.keys: dict[str, set[str]] = {}
        for kind in ("schedules", "managers", "stages", "registries"):
            remains = set() if kind in pruned else set(stored.items[kind])
            self.keys[kind] = remains | set(plan.items[kind])
        if "pipelines" in pruned:
            self.keys["stages"] = {path for path in self.keys["stages"] if not _is_pruned(path, given)}

    def differs(self, kind: str, key: str) -> bool:
        old = self.stored.items[kind].get(key)
        return old is None or not same(old, self.plan.items[kind][key])

    def is_new(self, kind: str, key: str) -> bool:
        return key not in self.stored.items[kind]

    def check(self, kind: str, what: str, key: str | None, place: Node) -> None:
        """Note a reference to something that will not be there."""
        if key is None or key in self.keys[kind]:
            return
        if key in self.stored.items[kind]:
            place.note(f"no {what} {quote(key)} afterwards: the file does not name it, so it is pruned")
            return

        def message() -> str:
            # Two addresses are alike by their domain, and that says nothing.
            better = place.errors.meant(key, self.keys[kind]) if kind != "managers" else None
            return f"no {what} {quote(key)}" + (f'; did you mean "{better}"?' if better else "")

        place.note(message)


def _is_pruned(path: str, given: ParsedFile) -> bool:
    pipeline = given.named["pipelines"].get(path.partition("/")[0])
    return path not in given.named["stages"] and (pipeline is None or pipeline.gives("stages"))


def _judge_account(row: Any, item: Item, named: NamedObject, stored: Stored) -> None:
    if not same(stored.items["account"][""], item):
        items_of.fill_account(row, item)
        note_faults(row, named.node, names={})


def _judge_schedule(item: Item, named: NamedObject, known: Known) -> None:
    if not known.differs("schedules", named.key) or named.is_unreadable("weekly") or named.is_unreadable("cycle"):
        return
    if (item["weekly"] is None) == (item["cycle"] is None):
        both = item["weekly"] is not None
        named.node.note('has "weekly" and "cycle"; it can be only one' if both else 'needs "weekly" or "cycle"')
        return
    if item["cycle"] and item["cycle"]["start"] is None:
        start = named.place_of("cycle").at("start")
        if start.value is None:
            start.note("missing; write the date on which the cycle begins, as 2026-01-05")
        return
    if not named.whole:
        return  # the intervals that were refused are not in it
    row = WorkSchedule(code=named.key)
    items_of.fill_schedule(row, item)
    names = {"cycle_days": "cycle.days", "cycle_start": "cycle.start", "holiday_country": "holidays.country"}
    note_faults(row, named.node, names=names | {"holiday_subdivision": "holidays.subdivision"})


def _judge_manager(item: Item, named: NamedObject, known: Known) -> None:
    known.check("schedules", "schedule", item["schedule"], named.place_of("schedule"))
    if not known.differs("managers", named.key):
        return
    row = Manager(
        user=User(email=named.key, name=item["name"]), **{k: item[k] for k in ("offset", "time_zone", "skills")}
    )
    note_faults(row.user, named.node, names={}, exclude=["password"])
    note_faults(row, named.node, names={}, exclude=["user", "schedule"])


def _judge_source(item: Item, named: NamedObject, known: Known) -> None:
    if known.is_new("sources", named.key) and not named.gives("channel"):
        named.place_of("channel").note(f"missing; use {' or '.join(Source.Channel.values)}")
    elif known.differs("sources", named.key):
        note_faults(Source(code=named.key, **item), named.node, names={})


def _judge_placeholder(item: Item, named: NamedObject, known: Known) -> None:
    if known.differs("placeholders", named.key):
        note_faults(Placeholder(**item), named.node, names={})


def _judge_pipeline(item: Item, named: NamedObject, known: Known) -> None:
    if known.differs("pipelines", named.key):
        note_faults(Pipeline(code=named.key, **item), named.node, names={})


def _judge_stage(item: Item, named: NamedObject, known: Known) -> None:
    if known.differs("stages", named.key):
        code = named.key.partition("/")[2]
        note_faults(Stage(code=code, **item), named.node, names={}, exclude=["pipeline"])


def _judge_registry(item: Item, named: NamedObject, known: Known) -> None:
    if known.differs("registries", named.key):
        note_faults(Registry(code=named.key, **item), named.node, names={}, exclude=["trigger"])


# Triggers


def _judge_trigger(item: Item, named: NamedObject, known: Known) -> None:
    place = named.place_of
    if item["stage"] is None and not named.gives("stage"):
        place("stage").note('missing; write it as "pipeline/stage"')
    known.check("stages", "stage", item["stage"], place("stage"))
    if isinstance(item["registry"], str):
        known.check("registries", "registry", item["registry"], place("registry"))
    known.check("managers", "manager", item["duty"], place("duty"))
    _judge_limit_stages(item, named, known)
    _judge_members(item, named, known)
    if known.differs("triggers", named.key):
        _judge_terms(item, named)


def _judge_limit_stages(item: Item, named: NamedObject, known: Known) -> None:
    written = named.fields.get("limit") or {}
    place = named.place_of("limit")
    stages = place.at("stages")
    in_file = stages.value if "stages" in written and isinstance(place.value, dict) else []
    numbers = {path: number for number, path in reversed(list(enumerate(in_file))) if isinstance(path, str)}
    for path in (item["limit"] or {}).get("stages", []):
        known.check("stages", "stage", path, stages.at(numbers[path]) if path in numbers else stages)


def _judge_members(item: Item, named: NamedObject, known: Known) -> None:
    old = {member["manager"]: member for member in known.stored.items["triggers"].get(named.key, {}).get("members", [])}
    given: dict[str, NamedObject] = named.fields.get("members") or {}
    for member in item["members"]:
        email = member["manager"]
        place = given[email].node if email in given else named.place_of("members")
        known.check("managers", "manager", email, place.at("manager") if email in given else place)
        known.check("schedules", "schedule", member["schedule"], place.at("schedule") if email in given else place)
        if email in given and not same(old.get(email), member):
            row = Member(coefficient=member["coefficient"], limit=member["limit"])
            note_faults(row, place, names={}, exclude=["trigger", "manager", "schedule"])


def _judge_terms(item: Item, named: NamedObject) -> None:
    """Judge what the trigger says of itself."""
    acceptance = item["acceptance"]
    if acceptance and acceptance["minutes"] is None:
        if named.place_of("acceptance").at("minutes").value is not None:
            return
        named.place_of("acceptance").note('"minutes" is missing; or write acceptance: null, to ask for none')
        return
    wants = [key for key in ("if_nobody",) if item[key] == "duty"] + ["finally"] * bool(
        acceptance and acceptance["finally"] == "duty"
    )
    if wants and item["duty"] is None and not named.is_unreadable("duty"):
        named.place_of("duty").note(
            f'"{wants[-1]}: duty" needs the manager on duty for such leads; write their e-mail here'
        )
    row = Trigger(code=named.key)
    items_of.fill_terms(row, item)
    note_faults(row, named.node, names=items_of.TRIGGER_NAMES, exclude=["stage", "on", "registry", "duty"])


# What concerns several objects


def _judge_kinds_of_stages(plan: Plan, given: ParsedFile, known: Known) -> None:
    """A pipeline has one unqualified stage at most, and an open one for the leads that name none."""
    stored = by_pipeline(known.stored.items["stages"])
    planned = by_pipeline(known.stored.items["stages"] | plan.items["stages"])
    for code, pipeline in given.named["pipelines"].items():
        before = stored.get(code, {})
        stages = {path: item for path, item in planned.get(code, {}).items() if path in known.keys["stages"]}
        if not pipeline.whole or (not known.is_new("pipelines", code) and stages == before):
            continue
        kinds = Counter(item["kind"] for item in stages.values())
        if kinds["unqualified"] > 1:
            found = ", ".join(path.partition("/")[2] for path, item in stages.items() if item["kind"] == "unqualified")
            pipeline.place_of("stages").note(f"one stage of a pipeline is unqualified, not several: {found}")
        if not kinds["open"]:
            message = "a stage of kind open is missing; leads that name no stage go to the first of them"
            pipeline.place_of("stages").note(message)


def _judge_lent_codes(plan: Plan, given: ParsedFile, stored: Stored, pruned: Collection[str]) -> None:
    """A trigger that counts in its own registry lends it its code; no other registry can have it."""
    registries = (set() if "registries" in pruned else set(stored.items["registries"])) | set(plan.items["registries"])
    triggers = ({} if "triggers" in pruned else stored.items["triggers"]) | plan.items["triggers"]
    for code in sorted(registries & set(triggers)):
        if isinstance(triggers[code]["registry"], str) or _is_stored_so(code, stored):
            continue
        if code in given.named["triggers"]:
            place = given.named["triggers"][code].place_of("registry")
        else:
            place = given.named["registries"][code].place_of("code")
        place.note(
            f'trigger "{code}" counts in its own registry, which has its code, and there is a registry "{code}"; '
            "give one of the two another code, or let the trigger count in a registry with a code"
        )


def _is_stored_so(code: str, stored: Stored) -> bool:
    """Tell whether it is stored so already: then it is not for this import to mend."""
    trigger = stored.items["triggers"].get(code)
    return code in stored.items["registries"] and trigger is not None and not isinstance(trigger["registry"], str)
