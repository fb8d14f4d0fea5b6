"""Who is on duty, worked out a second time from the configuration and nothing else of the program.

It reads the wall clock, so it is right wherever no shift begins or ends in an hour that a clock change skips or
repeats.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from .plan import Replay

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)


class Duty:
    """The duty of everybody in a replay's configuration. Nobody has exceptions, pauses or a zone of their own."""

    def __init__(self, replay: Replay) -> None:
        self.zone = ZoneInfo(replay.configuration["account"]["time_zone"])
        self.holidays = replay.holidays
        self.schedules = {schedule["code"]: schedule for schedule in replay.configuration["schedules"]}
        self.people = {m["email"]: (m.get("schedule"), m.get("offset", 0)) for m in replay.configuration["managers"]}
        self._on_duty = lru_cache(maxsize=4096)(self._look)

    def on_duty(self, email: str, at: datetime) -> bool:
        return self._on_duty(self.people[email], at)

    def _look(self, person: tuple[str | None, int], at: datetime) -> bool:
        code, offset = person
        if code is None:
            return True
        wall = at.astimezone(self.zone).replace(tzinfo=None)
        return any(
            start <= wall < end
            for day in (wall.date() - DAY, wall.date())
            for start, end in self._shifts(self.schedules[code], day, offset)
        )

    def turns(self, first: datetime, last: datetime) -> list[datetime]:
        """Return the instants at which somebody's duty begins or ends."""
        days = [first.date() + DAY * n for n in range(-2, (last - first).days + 3)]
        walls = {
            edge
            for code, offset in set(self.people.values())
            if code is not None
            for day in days
            for shift in self._shifts(self.schedules[code], day, offset)
            for edge in shift
        }
        return sorted(wall.replace(tzinfo=self.zone).astimezone(UTC) for wall in walls)

    def _shifts(self, schedule: dict[str, Any], day: date, offset: int) -> Iterator[tuple[datetime, datetime]]:
        if "holidays" in schedule and day in self.holidays:
            return
        for interval in self._intervals(schedule, day, offset):
            start, end = (_wall(day, text) for text in interval.split("-"))
            yield start, end if end > start else end + DAY

    def _intervals(self, schedule: dict[str, Any], day: date, offset: int) -> list[str]:
        if "weekly" in schedule:
            return list(schedule["weekly"].get(WEEKDAYS[day.weekday()], []))
        cycle = schedule["cycle"]
        return list(cycle["days"][(day - cycle["start"]).days % len(cycle["days"]) - offset % len(cycle["days"])])


def _wall(day: date, text: str) -> datetime:
    hours, minutes = map(int, text.split(":"))
    return datetime.combine(day, time()) + timedelta(hours=hours, minutes=minutes)
