"""Who is available at an instant, or the reason why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from . import holidays, schedules
from .models import Account, Manager, Pause, ScheduleException, WorkSchedule

Stretch = tuple[datetime, datetime | None]  # [start, end); None: open


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A manager as availability sees them. Made once for each version of the configuration."""

    id: int
    email: str
    name: str
    active: bool
    skills: dict[str, list[str]]
    duty: schedules.Duty  # by the manager's own schedule
    duties: Duties  # by any other
    pauses: tuple[Stretch, ...] = ()

    def paused(self, at: datetime) -> Stretch | None:
        """Return the pause that runs at the instant."""
        return next((p for p in self.pauses if p[0] <= at and (p[1] is None or at < p[1])), None)

    def unavailable(self, at: datetime, *, schedule_id: int | None = None) -> str | None:
        """Return the first reason why not available: inactive, paused, off_duty; or None.

        schedule_id: a schedule that replaces the manager's own.
        """
        if not self.active:
            return "inactive"
        if self.paused(at):
            return "paused"
        return None if self.duty_by(schedule_id).on_duty(at) else "off_duty"

    def at_work(
        self, first: datetime, last: datetime, *, schedule_id: int | None = None
    ) -> list[tuple[datetime, datetime]]:
        """Return when within [first, last) they are on duty and not paused, as things stand."""
        work = self.duty_by(schedule_id).stretches(first, last)
        for began, ends in self.pauses:
            before = [(start, min(end, began)) for start, end in work if start < began]
            work = before + [(max(start, ends), end) for start, end in work if ends is not None and end > ends]
        return work

    def duty_by(self, schedule_id: int | None) -> schedules.Duty:
        return self.duty if schedule_id is None else self.duties(self.id, schedule_id)

    def unchanged_until(self, at: datetime, *, schedule_id: int | None = None) -> datetime | None:
        """Return the next instant at which `unavailable` may answer otherwise; None: not within 400 days."""
        turns = [end for pause in self.pauses for end in pause if end is not None and end > at]
        change = self.duty_by(schedule_id).next_change(at)
        return min([*turns, change] if change else turns, default=None)


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


def load_people(account: Account, *, at: datetime | None = None) -> dict[int, Person]:
    """Read all managers, in a fixed number of queries.

    at: take the pauses as they ran at that instant, past ones included; None: those that are not over.
    """
    managers = list(Manager.objects.select_related("user"))
    duties = Duties(managers, zone=account.time_zone)
    pauses: dict[int, list[Stretch]] = defaultdict(list)
    rows = Pause.objects.filter(ended_at=None) if at is None else Pause.objects.filter(started_at__lte=at)
    for manager_id, start, *ends in rows.values_list("manager_id", "started_at", "ends_at", "ended_at"):
        pauses[manager_id].append((start, min((end for end in ends if end), default=None)))
    return {
        manager.pk: Person(
            id=manager.pk,
            email=manager.user.email,
            name=manager.user.name,
            active=manager.active,
            skills=manager.skills,
            duty=duties(manager.pk, manager.schedule_id),
            duties=duties,
            pauses=tuple(pauses[manager.pk]),
        )
        for manager in managers
    }


def is_online(last_seen_at: datetime | None, *, at: datetime, minutes: int) -> bool:
    """Tell whether somebody seen then is online at the instant."""
    return last_seen_at is not None and at - last_seen_at <= timedelta(minutes=minutes)
