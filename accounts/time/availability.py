"""Who is available at an instant, or the reason why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Least

from ..models import Account, Manager, Pause, ScheduleException, WorkSchedule
from . import schedules
from .timetables import Duties, Habits, ManagerFacts, Stretch, Timetable

__all__ = ["ManagerFacts", "Stretch", "holidays_of", "is_online", "load_people", "pauses_at", "pauses_running"]


def pauses_running(at: datetime, *, past: bool) -> QuerySet[Any]:
    """Return the pauses that run at the instant, each with `until`; None: until resumed.

    past: the instant is not now, so pauses that were ended since count too, with the end that they had.
    """
    running = Pause.objects.running(at=at)
    if past:
        running = Pause.objects.filter(
            Q(ends_at=None) | Q(ends_at__gt=at), Q(ended_at=None) | Q(ended_at__gt=at), started_at__lte=at
        )
    return running.annotate(until=Least("ends_at", "ended_at"))  # NULL is no instant


def pauses_at(at: datetime, *, past: bool = False) -> dict[int, Stretch]:
    """Return who is on a pause at the instant, and from when until when, in one query."""
    rows = pauses_running(at, past=past).values_list("manager_id", "started_at", "until")
    return {manager: (start, until) for manager, start, until in rows}


def timetable_of(schedule: WorkSchedule, exceptions: tuple[schedules.DayException, ...] = ()) -> Timetable:
    is_cycle = schedule.kind == WorkSchedule.Kind.CYCLE
    return Timetable(
        weekly=None if is_cycle else schedule.weekly,
        cycle_start=schedule.cycle_start,
        cycle_days=schedule.cycle_days,
        holiday_country=schedule.holiday_country,
        holiday_subdivision=schedule.holiday_subdivision,
        exceptions=exceptions,
    )


def holidays_of(schedule: WorkSchedule) -> Callable[[int], frozenset[date]] | None:
    """Return the holidays that the schedule follows, by year."""
    return timetable_of(schedule).holidays()


def load_people(account: Account) -> dict[int, ManagerFacts]:
    """Read all managers, in a fixed number of queries."""
    managers = list(Manager.objects.select_related("user"))
    of_manager: dict[int | None, list[schedules.DayException]] = defaultdict(list)
    of_schedule: dict[int | None, list[schedules.DayException]] = defaultdict(list)
    for row in ScheduleException.objects.all():
        (of_schedule[row.schedule_id] if row.manager_id is None else of_manager[row.manager_id]).append(row.value)
    duties = Duties(
        {
            m.pk: Habits(zone=m.time_zone or account.time_zone, offset=m.offset, exceptions=tuple(of_manager[m.pk]))
            for m in managers
        },
        {s.pk: timetable_of(s, tuple(of_schedule[s.pk])) for s in WorkSchedule.objects.all()},
    )
    return {
        manager.pk: ManagerFacts(
            id=manager.pk,
            email=manager.user.email,
            name=manager.user.name,
            active=manager.active,
            skills=manager.skills,
            duty=duties(manager.pk, manager.schedule_id),
            duties=duties,
        )
        for manager in managers
    }


def is_online(last_seen_at: datetime | None, *, at: datetime, minutes: int) -> bool:
    return last_seen_at is not None and at - last_seen_at <= timedelta(minutes=minutes)
