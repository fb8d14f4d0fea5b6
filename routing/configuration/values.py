"""Rows as the values of `routing.policy`, whoever made the rows: the database, a file, the history."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import Account, Manager, ScheduleException, WorkSchedule
from routing.models import Member, Pipeline, Placeholder, Registry, Source, Trigger
from routing.policy import shapes

from .rows import Stored, read_stored


def read_configuration() -> shapes.Configuration:
    """Return the configuration that is stored, in a fixed number of queries."""
    return configuration_of(read_stored())


def configuration_of(stored: Stored) -> shapes.Configuration:
    rows = stored.rows
    of_schedules, of_managers = stored.exceptions["schedules"], stored.exceptions["managers"]
    return shapes.Configuration(
        account=_account(rows["account"][""]),
        schedules=tuple(_schedule(row, of_schedules.get(row.pk, ())) for row in rows["schedules"].values()),
        managers=tuple(_manager(row, of_managers.get(row.pk, ())) for row in rows["managers"].values()),
        sources=tuple(map(_source, rows["sources"].values())),
        placeholders=tuple(map(_placeholder, rows["placeholders"].values())),
        pipelines=tuple(_pipeline(row, stored) for row in rows["pipelines"].values()),
        registries=tuple(map(_registry, rows["registries"].values())),
        triggers=tuple(_trigger(row, stored) for row in rows["triggers"].values()),
    )


def _account(row: Account) -> shapes.Account:
    return shapes.Account(
        name=row.name,
        time_zone=row.time_zone,
        country=row.country,
        unqualified=row.unqualified,
        online_minutes=row.online_minutes,
        repeat_hours=row.repeat_hours,
        pause_reasons=tuple(row.pause_reasons),
        channels=row.channels,
    )


def _exceptions(rows: Iterable[ScheduleException]) -> tuple[shapes.ExceptionDays, ...]:
    found = (
        shapes.ExceptionDays(first=row.first_day, last=row.last_day, kind=str(row.kind), intervals=tuple(row.intervals))
        for row in rows
    )
    return tuple(sorted(found, key=lambda days: (days.first, days.last, days.kind, days.intervals)))


def _schedule(row: WorkSchedule, exceptions: Iterable[ScheduleException]) -> shapes.Schedule:
    is_cycle = row.kind == WorkSchedule.Kind.CYCLE
    return shapes.Schedule(
        id=row.pk,
        code=row.code,
        title=row.title,
        weekly=None if is_cycle else {day: tuple(shifts) for day, shifts in row.weekly.items() if shifts},
        cycle_start=row.cycle_start if is_cycle else None,
        cycle_days=tuple(tuple(day) for day in row.cycle_days) if is_cycle else (),
        holiday_country=row.holiday_country,
        holiday_subdivision=row.holiday_subdivision,
        exceptions=_exceptions(exceptions),
    )


def _manager(row: Manager, exceptions: Iterable[ScheduleException]) -> shapes.Manager:
    return shapes.Manager(
        id=row.pk,
        email=row.user.email,
        name=row.user.name,
        active=row.active,
        schedule=row.schedule.code if row.schedule else None,
        offset=row.offset,
        time_zone=row.time_zone,
        skills=row.skills,
        exceptions=_exceptions(exceptions),
    )


def _source(row: Source) -> shapes.Source:
    return shapes.Source(
        id=row.pk,
        code=row.code,
        title=row.title,
        channel=str(row.channel),
        active=row.active,
        country=row.country,
        double_click=row.double_click,
        takes_activities=row.takes_activities,
    )


def _placeholder(row: Placeholder) -> shapes.Placeholder:
    return shapes.Placeholder(kind=str(row.kind), value=row.value, identifies=row.identifies)


def _pipeline(row: Pipeline, stored: Stored) -> shapes.Pipeline:
    stages = (stage for stage in stored.rows["stages"].values() if stage.pipeline_id == row.pk)
    return shapes.Pipeline(
        id=row.pk,
        code=row.code,
        title=row.title,
        stages=tuple(
            shapes.Stage(id=stage.pk, code=stage.code, title=stage.title, kind=str(stage.kind)) for stage in stages
        ),
    )


def _registry(row: Registry) -> shapes.Registry:
    return shapes.Registry(
        id=row.pk,
        code=row.code,
        title=row.title,
        accounting=str(row.accounting),
        reset=str(row.reset),
        refund_missed=row.refund_missed,
    )


def _member(row: Member) -> shapes.Member:
    return shapes.Member(
        manager=row.manager.user.email,
        coefficient=row.coefficient,
        limit=row.limit,
        schedule=row.schedule.code if row.schedule else None,
    )


def _trigger(row: Trigger, stored: Stored) -> shapes.Trigger:
    return shapes.Trigger(
        id=row.pk,
        code=row.code,
        stage=str(row.stage),
        on=frozenset(map(str, row.on)),
        priority=row.priority,
        method=str(row.method),
        registry=str(row.registry.code) if row.registry else _registry(row.own_registry),
        limit=row.limit,
        limit_stages=tuple(stored.limits.get(row.pk, ())),
        online_only=row.online_only,
        responsible_check=tuple(map(str, row.responsible_check)),
        responsible_available=row.responsible_available,
        responsible_count=row.responsible_count,
        also_assign=tuple(map(str, row.also_assign)),
        minutes=row.acceptance_minutes,
        clock=str(row.acceptance_clock),
        max_attempts=row.max_attempts,
        final_step=str(row.final_step),
        on_pause=str(row.on_pause),
        if_nobody=str(row.if_nobody),
        duty=row.duty.user.email if row.duty else None,
        set_fields=row.set_fields,
        members=tuple(map(_member, stored.members.get(row.pk, {}).values())),
    )
