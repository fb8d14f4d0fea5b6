"""Duty as people look at it: weeks of days with what is worked on them, and why a day is not as the chart says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from .schedules import Chart, DayException, Duty, Holidays

WEEK = 7


class Why(StrEnum):
    """What made a day what it is."""

    CHART = "chart"
    HOLIDAY = "holiday"
    EXCEPTION = "exception"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that decides when one manager works."""

    zone: str
    chart: Chart | None  # None: always on duty
    offset: int = 0
    schedule_exceptions: Sequence[DayException] = ()
    manager_exceptions: Sequence[DayException] = ()
    holidays: Holidays | None = None

    def duty(self) -> Duty:
        """Raises BadZone."""
        return Duty(
            self.zone,
            self.chart,
            self.offset,
            schedule_exceptions=self.schedule_exceptions,
            manager_exceptions=self.manager_exceptions,
            holidays=self.holidays,
        )

    def why(self, day: date) -> Why:
        """Return what made the day what it is: an exception wins over a holiday, as it does for the hours."""
        if any(e.first <= day <= e.last for e in (*self.schedule_exceptions, *self.manager_exceptions)):
            return Why.EXCEPTION
        if self.holidays is None:
            return Why.CHART
        found = self.holidays(day.year) if callable(self.holidays) else self.holidays
        return Why.HOLIDAY if day in found else Why.CHART


@dataclass(frozen=True, slots=True)
class Day:
    """One date, and the shifts that start on it."""

    date: date
    shifts: tuple[str, ...]  # HH:MM-HH:MM
    why: Why


def weeks_of(plan: Plan, first: date, weeks: int) -> list[list[Day]]:
    """Return so many weeks of days from the Monday of the week that holds the date."""
    duty = plan.duty()
    monday = first - timedelta(days=first.weekday())
    days = [monday + timedelta(days=n) for n in range(WEEK * weeks)]
    filled = [Day(day, tuple(map(str, duty.shifts_on(day))), plan.why(day)) for day in days]
    return [filled[start : start + WEEK] for start in range(0, len(filled), WEEK)]


Stretch = tuple[datetime, datetime]


def gaps(duties: Sequence[Sequence[Stretch]], first: datetime, last: datetime) -> list[Stretch]:
    """Return the parts of [first, last) in which nobody is on duty. duties: of each manager, ascending and disjoint."""
    open_from, found = first, []
    for start, end in sorted(stretch for duty in duties for stretch in duty):
        if start > open_from:
            found.append((open_from, start))
        open_from = max(open_from, end)
    if open_from < last:
        found.append((open_from, last))
    return found


def staffing(
    duties: Sequence[Sequence[Stretch]], first: datetime, last: datetime
) -> list[tuple[datetime, datetime, int]]:
    """Return [first, last) in parts, each with how many are on duty in it."""
    turns: dict[datetime, int] = {first: 0, last: 0}
    for duty in duties:
        for start, end in duty:
            turns[start] = turns.get(start, 0) + 1
            turns[end] = turns.get(end, 0) - 1
    edges, parts, here = sorted(turns), [], 0
    for start, end in pairwise(edges):
        here += turns[start]
        parts.append((start, end, here))
    return parts
