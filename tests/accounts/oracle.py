"""A second opinion on duty, slow and plain: it marks every minute of a timeline and looks at the marks.

It shares no code with accounts/time/schedules.py, and goes the other way round: it never asks a zone for the offset of a
wall-clock time, only for the offset in force at an instant, and finds out by itself which instants show a given time on
the wall. It knows nothing of `fold`. Instants are whole minutes since 1970 in UTC, wall-clock times are minutes since
1970 on the wall.

A case is plain data, in the words of the published schedule cases:
    {"zone", "schedule": {"type": "weekly", "days": {...}} or {"type": "cycle", "anchor", "days": [...]} or None,
     "offset": days by which the cycle starts later, "exceptions": [...] of the schedule, "own": [...] of the manager}
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

DAY = 24 * 60
HORIZON = 400 * DAY
EPOCH = date(1970, 1, 1)
NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def answers(case: dict[str, Any], at: datetime) -> tuple[bool, datetime | None, datetime | None]:
    """Return (on_duty, next_start, next_change) of the case at the instant."""
    return Timeline(case, at, at).answers(at)


class Timeline:
    """The minutes from a few days before the first instant to 400 days after the last, each marked: on duty or not."""

    def __init__(self, case: dict[str, Any], first: datetime, last: datetime) -> None:
        self.begin = _minute(first) - 5 * DAY
        self.marks = bytearray(_minute(last) - self.begin + HORIZON + 5 * DAY)
        steps = _steps(case["zone"], self.begin, self.begin + len(self.marks))
        day = EPOCH + timedelta(days=self.begin // DAY - 3)
        for _ in range(len(self.marks) // DAY + 6):
            for text in _worked_on(case, day):
                start, end = _resolved(text, day, steps)
                self._mark(start - self.begin, end - self.begin)
            day += timedelta(days=1)

    def _mark(self, start: int, end: int) -> None:
        start, end = max(start, 0), min(end, len(self.marks))
        if start < end:
            self.marks[start:end] = b"\x01" * (end - start)

    def answers(self, at: datetime) -> tuple[bool, datetime | None, datetime | None]:
        here = _minute(at) - self.begin
        on_duty = self.marks[here] == 1
        change = self.marks.find(0 if on_duty else 1, here)
        off = self.marks.find(0, here)  # a start needs somebody off duty before it
        start = self.marks.find(1, off) if off >= 0 else -1
        return on_duty, self._instant(start, at), self._instant(change, at)

    def stretches(self, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
        """Return the runs of marked minutes between two instants on whole minutes."""
        found, position, stop = [], _minute(first) - self.begin, _minute(last) - self.begin
        while (start := self.marks.find(1, position, stop)) >= 0:
            end = self.marks.find(0, start, stop)
            position = end if end >= 0 else stop
            found.append((_datetime(start + self.begin), _datetime(position + self.begin)))
        return found

    def worked(self, at: datetime, until: datetime) -> timedelta:
        """Return how long duty was between two instants."""
        first, last = _minute(at), _minute(until)
        # Whole minutes by counting marks; then what is too much of the first minute, and missing of the last.
        marked = timedelta(minutes=self.marks.count(1, first - self.begin, last - self.begin))
        ragged_start = (at - _datetime(first)) * self.marks[first - self.begin]
        return marked - ragged_start + (until - _datetime(last)) * self.marks[last - self.begin]

    def _instant(self, index: int, at: datetime) -> datetime | None:
        if index < 0:
            return None
        instant = _datetime(self.begin + index)
        return instant if instant - at <= timedelta(days=400) else None


def changes(zone: str, year: int) -> list[datetime]:
    """Return the instants of the year at which the zone's clocks are changed."""
    return [_datetime(change) for change, _ in _steps_of_year(zone, year)[1:]]


def _worked_on(case: dict[str, Any], day: date) -> list[str]:
    """Return the intervals that start on the date: the schedule's, and what the exceptions make of them."""
    intervals = _regular(case["schedule"], case.get("offset", 0), day)
    for level in (case.get("exceptions", []), case.get("own", [])):
        today = [e for e in level if _covers(e, day)]
        if [e for e in today if e["kind"] != "extra"]:
            intervals = []
        for extra in [e for e in today if e["kind"] == "extra"]:
            intervals = intervals + extra["intervals"]
    return intervals


def _covers(exception: dict[str, Any], day: date) -> bool:
    first = exception["date"] if "date" in exception else exception["from"]
    last = exception["date"] if "date" in exception else exception["to"]
    return bool(first <= day.isoformat() <= last)  # ISO dates of four-digit years sort as text


def _regular(schedule: dict[str, Any] | None, offset: int, day: date) -> list[str]:
    if schedule is None:
        return ["00:00-24:00"]
    if schedule["type"] == "weekly":
        return list(schedule["days"].get(NAMES[day.weekday()], []))
    count = len(schedule["days"])
    number = (day - date.fromisoformat(schedule["anchor"])).days - offset
    if number < 0:  # whole cycles forward, until the number is that of a day after the anchor
        number += count * (-number // count + 1)
    return list(schedule["days"][number - number // count * count])


def _resolved(text: str, day: date, steps: list[tuple[int, int]]) -> tuple[int, int]:
    """Return start and end of the interval as instants; they may be empty or the wrong way round."""
    begin, finish = text.split("-")
    midnight = (day - EPOCH).days * DAY
    start, end = midnight + _of_day(begin), midnight + _of_day(finish)
    if _of_day(finish) <= _of_day(begin):
        end += DAY
    return min(_instants(start, steps)), max(_instants(end, steps))


def _of_day(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _instants(wall: int, steps: list[tuple[int, int]]) -> list[int]:
    """Return the instants at which the clock on the wall shows this time; in a gap the one after moving forward."""
    found = []
    for position, (since, offset) in enumerate(steps):
        until = steps[position + 1][0] if position + 1 < len(steps) else None
        instant = wall - offset
        if instant >= since and (until is None or instant < until):
            found.append(instant)
    if found:
        return found
    for position in range(1, len(steps)):
        change, after = steps[position]
        before = steps[position - 1][1]
        if change + before <= wall < change + after:
            # Forward by the length of the gap, which is where the clock would be had it not been put forward.
            return [change + (wall - (change + before))]
    raise AssertionError(f"no instant for the wall-clock minute {wall}")


def _steps(zone: str, begin: int, end: int) -> list[tuple[int, int]]:
    """Return (instant, offset in minutes from then on) for the timeline, with some room on both sides."""
    begin, end = begin - 10 * DAY, end + 10 * DAY
    steps: list[tuple[int, int]] = []
    for year in range(_datetime(begin).year, _datetime(end).year + 1):
        for change, offset in _steps_of_year(zone, year):
            if not steps or steps[-1][1] != offset:
                steps.append((change, offset))
    # Keep those in force within, for speed: the one before `begin` and all up to `end`.
    before = [step for step in steps if step[0] <= begin][-1:] or steps[:1]
    return before + [step for step in steps if before[0][0] < step[0] <= end]


@lru_cache(maxsize=4000)
def _steps_of_year(zone: str, year: int) -> list[tuple[int, int]]:
    """Return the offset at the beginning of the year, and every change in it, found by looking at each hour."""
    begin, end = _minute(datetime(year, 1, 1, tzinfo=UTC)), _minute(datetime(year + 1, 1, 1, tzinfo=UTC))
    steps = [(begin, _offset(zone, begin))]
    for hour in range(begin, end, 60):
        if _offset(zone, hour + 60) != steps[-1][1]:
            for minute in range(hour, hour + 61):
                if minute < end and _offset(zone, minute) != steps[-1][1]:
                    steps.append((minute, _offset(zone, minute)))
    return steps


def _offset(zone: str, minute: int) -> int:
    local = datetime.fromtimestamp(minute * 60, ZoneInfo(zone))
    shown = datetime(local.year, local.month, local.day, local.hour, local.minute, local.second, tzinfo=UTC)
    seconds = int(shown.timestamp()) - minute * 60
    assert seconds % 60 == 0, f"{zone} was off by seconds in that year: the oracle counts minutes"
    return seconds // 60


def _minute(at: datetime) -> int:
    return int(at.timestamp() // 60)


def _datetime(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
