"""Rows as the file shows them, and back: each object is a plain item, the same from the database and from a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import Model

from accounts.models import Account, Manager, ScheduleException, User, WorkSchedule
from routing.models import Member, Pipeline, Placeholder, Registry, Source, Stage, Trigger

from .shapes import OBJECTS, exception_order, placeholder_key

Item = dict[str, Any]
T = TypeVar("T")
KINDS = (
    *("account", "schedules", "managers", "sources", "placeholders", "pipelines", "stages", "registries", "triggers"),
)


@dataclass(slots=True)
class Stored:
    """The configuration as it is in the database. Pipelines and stages stand in their order."""

    rows: dict[str, dict[str, Any]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    items: dict[str, dict[str, Item]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    exceptions: dict[str, dict[int, list[ScheduleException]]] = field(default_factory=dict)
    members: dict[int, dict[str, Member]] = field(default_factory=dict)  # of a trigger, by e-mail
    limits: dict[int, list[str]] = field(default_factory=dict)  # of a trigger: paths of the stages of its limit

    def add(self, kind: str, key: str, row: Model, item: Item) -> None:
        self.rows[kind][key] = row
        self.items[kind][key] = item


@dataclass(slots=True, kw_only=True)
class Tables:
    """The rows of the tables of configuration, in any order; those of one instant."""

    account: Account
    users: Sequence[User]
    managers: Sequence[Manager]
    schedules: Sequence[WorkSchedule]
    exceptions: Sequence[ScheduleException]
    sources: Sequence[Source]
    placeholders: Sequence[Placeholder]
    pipelines: Sequence[Pipeline]
    stages: Sequence[Stage]
    registries: Sequence[Registry]
    triggers: Sequence[Trigger]
    members: Sequence[Member]
    limit_stages: Sequence[tuple[int, int]]  # trigger, stage


def read_tables() -> Tables:
    return Tables(
        account=Account.objects.filter(pk=1).first() or Account(pk=1),
        users=list(User.objects.filter(manager__isnull=False)),
        managers=list(Manager.objects.all()),
        schedules=list(WorkSchedule.objects.all()),
        exceptions=list(ScheduleException.objects.all()),
        sources=list(Source.objects.all()),
        placeholders=list(Placeholder.objects.order_by()),
        pipelines=list(Pipeline.objects.all()),
        stages=list(Stage.objects.order_by()),
        registries=list(Registry.objects.order_by()),
        triggers=list(Trigger.objects.order_by()),
        members=list(Member.objects.order_by()),
        limit_stages=list(Trigger.limit_stages.through._default_manager.values_list("trigger_id", "stage_id")),
    )


def read_stored() -> Stored:
    """Read all of the configuration, in a fixed number of queries."""
    return join_tables(read_tables())


def join_tables(tables: Tables) -> Stored:
    """Return the rows joined with each other, each section in its order, and as items."""
    stored = Stored()
    stored.add("account", "", tables.account, account_item(tables.account))
    schedules = _add_people(stored, tables)
    for source in sorted(tables.sources, key=lambda row: row.code):
        stored.add("sources", source.code, source, source_item(source))
    for placeholder in sorted(tables.placeholders, key=lambda row: (row.kind, row.value)):
        key = placeholder_key(placeholder.kind, placeholder.value)
        stored.add("placeholders", key, placeholder, placeholder_item(placeholder))
    pipelines = {row.pk: row for row in sorted(tables.pipelines, key=lambda row: (row.position, row.pk))}
    for pipeline in pipelines.values():
        stored.add("pipelines", pipeline.code, pipeline, pipeline_item(pipeline))
    for stage in tables.stages:
        stage.pipeline = pipelines[stage.pipeline_id]
    for stage in sorted(tables.stages, key=_place_of_stage):
        stored.add("stages", str(stage), stage, stage_item(stage))
    for registry in sorted((row for row in tables.registries if row.code), key=lambda row: row.code or ""):
        stored.add("registries", registry.code or "", registry, registry_item(registry))
    _add_triggers(stored, tables, schedules)
    return stored


def _place_of_stage(stage: Stage) -> tuple[int, int, int, int]:
    return stage.pipeline.position, stage.pipeline_id, stage.position, stage.pk


def _add_people(stored: Stored, tables: Tables) -> dict[int | None, WorkSchedule]:
    of_schedules: dict[int, list[ScheduleException]] = defaultdict(list)
    of_managers: dict[int, list[ScheduleException]] = defaultdict(list)
    for row in tables.exceptions:
        if row.schedule_id is not None:
            of_schedules[row.schedule_id].append(row)
        elif row.manager_id is not None:
            of_managers[row.manager_id].append(row)
    stored.exceptions = {"schedules": of_schedules, "managers": of_managers}
    schedules: dict[int | None, WorkSchedule] = {row.pk: row for row in tables.schedules}
    for schedule in sorted(tables.schedules, key=lambda row: row.code):
        stored.add("schedules", schedule.code, schedule, schedule_item(schedule, of_schedules[schedule.pk]))
    users = {user.pk: user for user in tables.users}
    for manager in tables.managers:
        manager.user, manager.schedule = users[manager.user_id], schedules.get(manager.schedule_id)
    for manager in sorted(tables.managers, key=lambda row: row.user.email):
        stored.add("managers", manager.user.email, manager, manager_item(manager, of_managers[manager.pk]))
    return schedules


def _add_triggers(stored: Stored, tables: Tables, schedules: dict[int | None, WorkSchedule]) -> None:
    managers = {row.pk: row for row in stored.rows["managers"].values()}
    stages = {row.pk: row for row in stored.rows["stages"].values()}
    triggers = {row.pk: row for row in tables.triggers}
    registries = {row.pk: row for row in tables.registries}
    members: dict[int, dict[str, Member]] = defaultdict(dict)
    for member in sorted(tables.members, key=lambda row: (row.position, row.pk)):
        member.manager, member.schedule = managers[member.manager_id], schedules.get(member.schedule_id)
        members[member.trigger_id][member.manager.user.email] = member
    limits: dict[int, list[str]] = defaultdict(list)
    for trigger_id, stage_id in tables.limit_stages:
        limits[trigger_id].append(str(stages[stage_id]))
    stored.members, stored.limits = members, {key: sorted(paths) for key, paths in limits.items()}
    for registry in tables.registries:
        if registry.trigger_id is not None:
            registry.trigger = triggers[registry.trigger_id]  # and so it is the trigger's `own_registry`
    # If several triggers match, the lowest priority runs, then the older one; the file keeps that order.
    for trigger in sorted(
        triggers.values(), key=lambda row: (*_place_of_stage(stages[row.stage_id]), row.priority, row.pk)
    ):
        trigger.stage = stages[trigger.stage_id]
        trigger.registry = registries[trigger.registry_id] if trigger.registry_id else None
        trigger.duty = managers[trigger.duty_id] if trigger.duty_id else None
        paths = stored.limits.get(trigger.pk, [])
        item = trigger_item(trigger, str(trigger.stage), paths, members[trigger.pk].values())
        stored.add("triggers", trigger.code, trigger, item)


# The account, people and their time


ACCOUNT_COLUMNS = ("name", "time_zone", "country", "unqualified", "online_minutes", "repeat_hours", "pause_reasons")


def account_item(row: Account) -> Item:
    return {key: getattr(row, key) for key in (*ACCOUNT_COLUMNS, "channels")}


def fill_account(row: Account, item: Item) -> None:
    for key in ACCOUNT_COLUMNS:
        setattr(row, key, item[key])
    for channel, active in item["channels"].items():
        setattr(row, f"channel_{channel}", active)


def schedule_item(row: WorkSchedule, exceptions: Iterable[ScheduleException] = ()) -> Item:
    holidays = {"country": row.holiday_country, "subdivision": row.holiday_subdivision or None}
    is_cycle = row.kind == WorkSchedule.Kind.CYCLE
    return {
        "title": row.title,
        "weekly": None if is_cycle else {day: shifts for day, shifts in row.weekly.items() if shifts},
        "cycle": {"start": row.cycle_start, "days": row.cycle_days} if is_cycle else None,
        "holidays": holidays if row.holiday_country else None,
        "exceptions": exception_items(exceptions),
    }


def fill_schedule(row: WorkSchedule, item: Item) -> None:
    cycle, holidays = item["cycle"], item["holidays"] or {}
    row.title = item["title"]
    row.kind = WorkSchedule.Kind.CYCLE if cycle else WorkSchedule.Kind.WEEKLY
    row.weekly = item["weekly"] or {}
    row.cycle_start = cycle["start"] if cycle else None
    row.cycle_days = cycle["days"] if cycle else []
    row.holiday_country = holidays.get("country") or ""
    row.holiday_subdivision = holidays.get("subdivision") or ""


def exception_items(rows: Iterable[ScheduleException]) -> list[Item]:
    return sorted(map(exception_item, rows), key=exception_order)


def exception_item(row: ScheduleException) -> Item:
    kind = str(row.kind)
    return {"from": row.first_day, "to": row.last_day, kind: True if kind == "off" else row.intervals}


def exception_row(item: Item, **of: Any) -> ScheduleException:
    kind = next(key for key in ScheduleException.Kind.values if key in item)
    intervals = [] if kind == "off" else item[kind]
    return ScheduleException(first_day=item["from"], last_day=item["to"], kind=kind, intervals=intervals, **of)


def manager_item(row: Manager, exceptions: Iterable[ScheduleException] = ()) -> Item:
    return {
        "name": row.user.name,
        "schedule": row.schedule.code if row.schedule else None,
        "offset": row.offset,
        "time_zone": row.time_zone,
        "active": row.active,
        "skills": row.skills,
        "exceptions": exception_items(exceptions),
    }


def fill_manager(row: Manager, item: Item, *, schedules: dict[str, WorkSchedule]) -> None:
    row.user.name = item["name"]
    row.schedule = schedules[item["schedule"]] if item["schedule"] else None
    for key in ("offset", "time_zone", "active", "skills"):
        setattr(row, key, item[key])


# Sources, pipelines, registries: their columns have the names of the file


def columns(row: Model, keys: Iterable[str]) -> Item:
    values = {key: getattr(row, key) for key in keys}
    return {key: str(value) if isinstance(value, str) else value for key, value in values.items()}


def fill_columns(row: Model, item: Item) -> None:
    for key, value in item.items():
        setattr(row, key, value)


def source_item(row: Source) -> Item:
    return columns(row, ("title", "channel", "active", "country", "double_click", "known"))


def placeholder_item(row: Placeholder) -> Item:
    return columns(row, ("kind", "value", "identifies"))


def pipeline_item(row: Pipeline) -> Item:
    return columns(row, ("title",))


def stage_item(row: Stage) -> Item:
    return columns(row, ("title", "kind"))


def registry_item(row: Registry) -> Item:
    return {"title": row.title, **registry_settings(row)}


def registry_settings(row: Registry) -> Item:
    return columns(row, ("accounting", "reset", "refund_missed"))


# Triggers

# Columns of a trigger whose name in the file is another.
TRIGGER_NAMES = {
    "limit": "limit.leads",
    "responsible_check": "responsible_check.of",
    "acceptance_minutes": "acceptance.minutes",
    "acceptance_clock": "acceptance.clock",
    "max_attempts": "acceptance.max_attempts",
    "final_step": "acceptance.finally",
    "on_pause": "acceptance.on_pause",
}
SAME_NAMES = ("priority", "method", "online_only", "if_nobody", "set_fields")


def trigger_item(
    row: Trigger, stage: str | None = None, limits: list[str] | None = None, members: Iterable[Member] = ()
) -> Item:
    own = registry_settings(row.own_registry) if row.pk else {}
    limited = row.limit is not None or limits
    return {
        "stage": stage,
        "on": sorted(row.on, key=Trigger.Event.values.index),
        **columns(row, SAME_NAMES),
        "registry": row.registry.code
        if row.registry
        else own
        if own != registry_settings(Registry()) and own
        else None,
        "limit": {"leads": row.limit, "stages": limits or []} if limited else None,
        "responsible_check": responsible_check_item(row) if row.responsible_check else None,
        "also_assign": sorted(row.also_assign, key=Trigger.Related.values.index),
        "acceptance": acceptance_item(row) if row.acceptance_minutes is not None else None,
        "duty": row.duty.user.email if row.duty else None,
        "members": [member_item(member) for member in members],
    }


def responsible_check_item(row: Trigger) -> Item:
    return {"of": row.responsible_check, "available": row.responsible_available, "count": row.responsible_count}


def acceptance_item(row: Trigger) -> Item:
    return {
        "minutes": row.acceptance_minutes,
        "clock": str(row.acceptance_clock),
        "max_attempts": row.max_attempts,
        "finally": str(row.final_step),
        "on_pause": str(row.on_pause),
    }


def fill_trigger(row: Trigger, item: Item, *, rows: dict[str, dict[str, Any]]) -> None:
    row.stage = rows["stages"][item["stage"]]
    row.registry = rows["registries"][item["registry"]] if isinstance(item["registry"], str) else None
    row.duty = rows["managers"][item["duty"]] if item["duty"] else None
    fill_terms(row, item)


def fill_terms(row: Trigger, item: Item) -> None:
    """Fill what refers to nothing else."""
    row.on, row.also_assign = item["on"], item["also_assign"]
    fill_columns(row, {key: item[key] for key in SAME_NAMES})
    row.limit = item["limit"]["leads"] if item["limit"] else None
    check = item["responsible_check"] or responsible_check_item(Trigger())
    row.responsible_check, row.responsible_available, row.responsible_count = (
        check["of"],
        check["available"],
        check["count"],
    )
    asked = item["acceptance"] or acceptance_item(Trigger())
    row.acceptance_minutes, row.acceptance_clock, row.max_attempts = (
        asked["minutes"],
        asked["clock"],
        asked["max_attempts"],
    )
    row.final_step, row.on_pause = asked["finally"], asked["on_pause"]


def member_item(row: Member) -> Item:
    return {
        "manager": row.manager.user.email,
        "coefficient": row.coefficient,
        "limit": row.limit,
        "schedule": row.schedule.code if row.schedule else None,
    }


# The document


def document(stored: Stored) -> dict[str, Any]:
    """Return what is stored as the file has it, in a stable order."""
    items = stored.items
    stages = by_pipeline(items["stages"])
    return {
        "version": 1,
        "account": _as_null(items["account"][""]),
        "schedules": [_entry("code", code, _schedule(item)) for code, item in items["schedules"].items()],
        "managers": [_entry("email", email, item) for email, item in items["managers"].items()],
        "sources": [_entry("code", code, item) for code, item in items["sources"].items()],
        "placeholders": list(items["placeholders"].values()),
        "pipelines": [
            _entry(
                "code",
                code,
                item
                | {
                    "stages": [
                        _entry("code", path.removeprefix(f"{code}/"), stage)
                        for path, stage in stages.get(code, {}).items()
                    ]
                },
            )
            for code, item in items["pipelines"].items()
        ],
        "registries": [_entry("code", code, item) for code, item in items["registries"].items()],
        "triggers": [_entry("code", code, _trigger(item)) for code, item in items["triggers"].items()],
    }


def _entry(name: str, key: str, item: Item) -> Item:
    return {name: key, **_as_null(item)}


def _as_null(item: Item) -> Item:
    return {key: None if value == "" else value for key, value in item.items()}


def _schedule(item: Item) -> Item:
    """Return the schedule without the one of weekly and cycle that it is not."""
    return {key: value for key, value in item.items() if key not in ("weekly", "cycle") or value is not None}


def _trigger(item: Item) -> Item:
    """Return the trigger with its keys in the order in which people think of them."""
    return {key: item.get(key, []) for key in OBJECTS["triggers"]}  # `when` has no column: there are no conditions


def by_pipeline(stages: Mapping[str, T]) -> dict[str, dict[str, T]]:
    found: dict[str, dict[str, T]] = defaultdict(dict)
    for path, stage in stages.items():
        found[path.partition("/")[0]][path] = stage
    return dict(found)
