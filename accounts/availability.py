"""Who is available at an instant, or the reason why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Least

from . import holidays, schedules
from .models import Account, Manager, Pause, ScheduleException, WorkSchedule

Stretch = tuple[datetime, datetime | None]  # [start, end); None: open


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A manager as availability sees them. Made once for each version of the configuration.

    Pauses are not part of it: they come and go many times a day, and are read when they are needed.
    """

    id: int
    email: str
    name: str
    active: bool
    skills: dict[str, list[str]]
    duty: schedules.Duty  # by the manager's own schedule
    duties: Duties  # by any other

    def unavailable(self, at: datetime, *, paused: bool, schedule_id: int | None = None) -> str | None:
        """Return the first reason why not available: inactive, paused, off_duty; or None.

        paused: whether a pause runs at the instant. schedule_id: a schedule that replaces the manager's own.
        """
        if not self.active:
            return "inactive"
        if paused:
            return "paused"
        return None if self.duty_by(schedule_id).on_duty(at) else "off_duty"

    def at_work(
        self, first: datetime, last: datetime, *, pause: Stretch | None, schedule_id: int | None = None
    ) -> list[tuple[datetime, datetime]]:
        """Return when within [first, last) they are on duty and not on this pause."""
        work = self.duty_by(schedule_id).stretches(first, last)
        if pause is None:
            return work
        began, ends = pause
        before = [(start, min(end, began)) for start, end in work if start < began]
        return before + [(max(start, ends), end) for start, end in work if ends is not None and end > ends]

    def duty_by(self, schedule_id: int | None) -> schedules.Duty:
        return self.duty if schedule_id is None else self.duties(self.id, schedule_id)

    def unchanged_until(self, at: datetime, *, schedule_id: int | None = None) -> datetime | None:
        """Return the next instant at which `unavailable` may answer otherwise, pauses aside; None: not within 400 days."""
        return self.duty_by(schedule_id).next_change(at)


class Duties:
    """Compiles the duty of a manager by a schedule, once."""

    def __init__(self, managers: Iterable[Manager], *, zone: str) -> None:
        self.zone = zone
        self.managers = {manager.pk: manager for manager in managers}
        self.schedules = {schedule.pk: schedule for schedule in WorkSchedule.objects.all()}
        self.of_manager: dict[int, list[schedules.DayException]] = defaultdict(list)
        self.of_schedule: dict[int, list[schedules.DayException]] = defaultdict(list)
        for row in ScheduleException.objects.all():
            if row.manager_id is not None:
                self.of_manager[row.manager_id].append(row.value)
            elif row.schedule_id is not None:
                self.of_schedule[row.schedule_id].append(row.value)
        self.compiled: dict[tuple[int, int | None], schedules.Duty] = {}

    def __call__(self, manager_id: int, schedule_id: int | None) -> schedules.Duty:
        key = (manager_id, schedule_id)
        if key not in self.compiled:
            self.compiled[key] = self._compile(
                self.managers[manager_id], self.schedules[schedule_id] if schedule_id else None
            )
        return self.compiled[key]

    def _compile(self, manager: Manager, schedule: WorkSchedule | None) -> schedules.Duty:
        return schedules.Duty(
            manager.time_zone or self.zone,
            schedule.chart if schedule else None,
            offset=manager.offset,
            schedule_exceptions=tuple(self.of_schedule[schedule.pk]) if schedule else (),
            manager_exceptions=tuple(self.of_manager[manager.pk]),
            holidays=holidays_of(schedule) if schedule else None,
        )


def holidays_of(schedule: WorkSchedule) -> Callable[[int], frozenset[date]] | None:
    """Return the holidays that the schedule follows, by year."""
    if not schedule.holiday_country:
        return None
    return partial(holidays.public_holidays, schedule.holiday_country, schedule.holiday_subdivision or None)


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


def load_people(account: Account) -> dict[int, Person]:
    """Read all managers, in a fixed number of queries."""
    managers = list(Manager.objects.select_related("user"))
    duties = Duties(managers, zone=account.time_zone)
    return {
        manager.pk: Person(
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
    """Tell whether somebody seen then is online at the instant."""
    return last_seen_at is not None and at - last_seen_at <= timedelta(minutes=minutes)
