"""A manager's days as a page shows them: hours of work, what makes a day special, pauses. Two queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils.translation import gettext

from ..models import Manager, Pause, ScheduleException
from . import holidays, periods
from .schedules import Duty, Shift

Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a day, drawn as hundredths of it."""

    start: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of a manager, in their zone."""

    day: date
    today: bool
    hours: tuple[str, ...]  # "09:00–18:00"; none: a day off
    remarks: tuple[str, ...]  # "public holiday"
    work: tuple[Piece, ...]
    pauses: tuple[Piece, ...]
    now: float | None  # where the instant is drawn; None: on another day


def days_of(manager: Manager, duty: Duty, zone: ZoneInfo, *, at: datetime, weeks: int = 2) -> list[Day]:
    """Return the days of this week and those after it, now to ten minutes. manager: joined with their schedule."""
    at = at.replace(minute=at.minute // 10 * 10, second=0, microsecond=0)  # what is drawn does not change all the time
    today = at.astimezone(zone).date()
    first = periods.start_of("week", today)
    days = [first + timedelta(days=n) for n in range(7 * weeks)]
    edges = [periods.midnight(day, zone) for day in [*days, days[-1] + timedelta(days=1)]]
    exceptions = _exceptions(manager, days)
    pauses = _pauses(manager, edges, at=at)
    work = duty.stretches(edges[0], edges[-1])
    return [
        Day(
            day=day,
            today=day == today,
            hours=tuple(map(hours, duty.shifts_on(day))),
            remarks=tuple(_remarks(day, manager, exceptions)),
            work=pieces(work, start, end),
            pauses=pieces(pauses, start, end),
            now=_share(at, start, end) if day == today else None,
        )
        for day, start, end in zip(days, edges, edges[1:], strict=False)
    ]


def hours(shift: Shift) -> str:
    """Return a shift as people write it: 09:00–18:00."""
    return gettext("all day") if (shift.start, shift.end) == (0, 1440) else str(shift).replace("-", "–")


def _exceptions(manager: Manager, days: Sequence[date]) -> list[ScheduleException]:
    of_both = Q(manager=manager) | Q(schedule=manager.schedule_id) if manager.schedule_id else Q(manager=manager)
    return list(ScheduleException.objects.filter(of_both, first_day__lte=days[-1], last_day__gte=days[0]))


def _pauses(manager: Manager, edges: Sequence[datetime], *, at: datetime) -> list[Stretch]:
    """Return past and present pauses; one that has no end yet is drawn until now."""
    running = Q(ended_at=None) | Q(ended_at__gt=edges[0])
    rows = Pause.objects.filter(running, manager=manager, started_at__lt=edges[-1])
    stretches = rows.values_list("started_at", "ends_at", "ended_at")
    return [(start, min(filter(None, (ends_at, ended_at)), default=at)) for start, ends_at, ended_at in stretches]


def _remarks(day: date, manager: Manager, exceptions: Sequence[ScheduleException]) -> list[str]:
    schedule = manager.schedule
    found = []
    if schedule and schedule.holiday_country:
        subdivision = schedule.holiday_subdivision or None
        if day in holidays.public_holidays(schedule.holiday_country, subdivision, day.year):
            found.append(gettext("public holiday"))
    found += [_remark(e) for e in exceptions if e.first_day <= day <= e.last_day]
    return found


def _remark(exception: ScheduleException) -> str:
    words = {
        ScheduleException.Kind.OFF: gettext("day off"),
        ScheduleException.Kind.EXTRA: gettext("extra hours"),
        ScheduleException.Kind.HOURS: gettext("changed hours"),
    }[ScheduleException.Kind(exception.kind)]
    return words if exception.manager_id else gettext("%(what)s (everybody)") % {"what": words}


def pieces(stretches: Sequence[Stretch], start: datetime, end: datetime) -> tuple[Piece, ...]:
    """Return the parts of the stretches that lie within [start, end), drawn."""
    clipped = [(max(first, start), min(last, end)) for first, last in stretches]
    return tuple(
        Piece(start=_share(first, start, end), width=round(_share(last, start, end) - _share(first, start, end), 2))
        for first, last in clipped
        if first < last
    )


def _share(at: datetime, start: datetime, end: datetime) -> float:
    return round(100 * ((at - start) / (end - start)), 2)
