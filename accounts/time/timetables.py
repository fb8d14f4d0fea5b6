"""Managers and their working time as plain values: what availability is worked out from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

from . import holidays, schedules

Stretch = tuple[datetime, datetime | None]  # [start, end); None: open


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """A work schedule: a week or a cycle, the holidays that it follows, its exceptions."""

    weekly: Mapping[str, Sequence[str]] | None  # None: a cycle
    cycle_start: date | None = None
    cycle_days: Sequence[Sequence[str]] = ()
    holiday_country: str = ""
    holiday_subdivision: str = ""
    exceptions: tuple[schedules.DayException, ...] = ()

    def chart(self) -> schedules.Chart:
        """Raises schedules.BadChart."""
        if self.weekly is not None:
            return schedules.parse_weekly(self.weekly)
        if self.cycle_start is None:
            raise schedules.BadChart("cycle.start", "a cycle needs the date on which it starts")
        return schedules.parse_cycle(self.cycle_start, self.cycle_days)

    def holidays(self) -> Callable[[int], frozenset[date]] | None:
        """Return the holidays that the schedule follows, by year."""
        if not self.holiday_country:
            return None
        return partial(holidays.public_holidays, self.holiday_country, self.holiday_subdivision or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What of the working time is the manager's own, whatever the schedule."""

    zone: str
    offset: int = 0
    exceptions: tuple[schedules.DayException, ...] = ()


class Duties:
    """Compiles the duty of a manager by a schedule, once."""

    def __init__(self, managers: Mapping[int, Habits], timetables: Mapping[int, Timetable]) -> None:
        self.managers, self.timetables = managers, timetables
        self.charts: dict[int, schedules.Chart] = {}
        self.compiled: dict[tuple[int, int | None], schedules.Duty] = {}

    def __call__(self, manager_id: int, schedule_id: int | None) -> schedules.Duty:
        """schedule_id: None is always on duty."""
        key = (manager_id, schedule_id)
        if key not in self.compiled:
            self.compiled[key] = self._compile(self.managers[manager_id], schedule_id)
        return self.compiled[key]

    def _compile(self, manager: Habits, schedule_id: int | None) -> schedules.Duty:
        if schedule_id is None:
            return schedules.Duty(manager.zone, None, offset=manager.offset, manager_exceptions=manager.exceptions)
        timetable = self.timetables[schedule_id]
        if schedule_id not in self.charts:
            self.charts[schedule_id] = timetable.chart()
        return schedules.Duty(
            manager.zone,
            self.charts[schedule_id],
            offset=manager.offset,
            schedule_exceptions=timetable.exceptions,
            manager_exceptions=manager.exceptions,
            holidays=timetable.holidays(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerFacts:
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

    def next_duty_change(self, at: datetime, *, schedule_id: int | None = None) -> datetime | None:
        """Return the next instant at which `unavailable` may answer otherwise, pauses aside; None: not within 400 days."""
        return self.duty_by(schedule_id).next_change(at)
