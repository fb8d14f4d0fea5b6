"""Duty by schedule: whether a manager is on duty at an instant, and when duty next starts or changes.

Pure arithmetic on dates, wall clocks and zones. Start reading at `Duty`. Instants are aware and answered in UTC;
wall-clock times and dates, with their zone, are used only here.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
MAX_INTERVALS = 24  # of one day
MAX_CYCLE_DAYS = 366
HORIZON = timedelta(days=400)  # what does not happen within it is answered with None
MAX_SPAN = timedelta(days=3700)  # of one call of `stretches`

# Instants outside are taken as these: days around them can then be walked without leaving what a datetime can hold.
EARLIEST = datetime(1, 1, 10, tzinfo=UTC)
LATEST = datetime(9999, 12, 20, tzinfo=UTC)


class BadInterval(ValueError):
    """The text is not HH:MM-HH:MM; the message says how to fix it."""


class BadChart(ValueError):
    """The pattern of days cannot be read; `place` says where, e.g. `weekly.mon[1]` or `cycle.days[0][1]`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


class BadZone(ValueError):
    """The name is not one of the IANA time zones on the allow-list."""


# Zones

_NOT_PLACES = {"Factory", "localtime", "posixrules"}


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    # Reads some 600 files, once a process.
    return frozenset(name for name in available_timezones() - _NOT_PLACES if not name.startswith(("posix/", "right/")))


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return the zones to choose from, sorted: without those like Etc/GMT+5, whose sign is inverted, and without
    abbreviations."""
    return tuple(sorted(name for name in _zone_names() if not name.startswith("Etc/GMT") and not is_abbreviation(name)))


def is_abbreviation(name: str) -> bool:
    """Tell whether the zone is named by letters that name no place. EST, for example, is the time of Panama all year."""
    return name != "UTC" and "/" not in name and name.upper() == name


def zone(name: str) -> ZoneInfo:
    """Return the zone with this IANA name. Raises BadZone for everything else.

    Asks the list first: opening an unknown name raises one of at least four exceptions, and may open other files.
    """
    if not isinstance(name, str) or name not in _zone_names():
        raise BadZone(f'{_quote(name)} is no time zone; use a name like "Europe/Madrid"{_alike(name)}')
    return ZoneInfo(name)


def _alike(name: object) -> str:
    """Return ` (did you mean ...)` where a zone is spelt nearly like the name."""
    if not isinstance(name, str) or not 2 < len(name) <= 64:
        return ""
    lowered = {known.lower(): known for known in zone_names()}
    found = difflib.get_close_matches(name.lower().replace(" ", "_"), lowered, n=1, cutoff=0.8)
    return f' (did you mean "{lowered[found[0]]}"?)' if found else ""


def _quote(value: object) -> str:
    """Return the value as a message can carry it: quoted, and short whatever somebody sent."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return f'"{text}"' if len(text) <= 40 else f'"{text[:40]}…"'


# Shifts and charts

_INTERVAL = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_NEARLY = re.compile(r"\s*([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*(?:-|–|—|to|\.\.)\s*([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*")


@dataclass(frozen=True, slots=True, order=True)
class Shift:
    """One interval of wall-clock time; it belongs to the date on which it starts."""

    start: int  # minutes after the midnight of its date, 0..1439
    end: int  # minutes after the same midnight, up to a day after the start; beyond 1440 it is on the next date

    def __post_init__(self) -> None:
        if not 0 <= self.start < DAY_MINUTES or not self.start < self.end <= self.start + DAY_MINUTES:
            raise BadInterval(f"a shift starts within its date and lasts up to a day, not {self.start}..{self.end}")

    def __str__(self) -> str:
        end = self.end if self.end <= DAY_MINUTES else self.end - DAY_MINUTES
        return f"{self.start // 60:02}:{self.start % 60:02}-{end // 60:02}:{end % 60:02}"


def parse_interval(text: str) -> Shift:
    """Return the shift written as HH:MM-HH:MM; an end that is not after the start is on the next date.

    Raises BadInterval.
    """
    match = _INTERVAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise BadInterval(f"{_quote(text)}: {_advice(text)}")
    start = int(match[1]) * 60 + int(match[2])
    end = int(match[3]) * 60 + int(match[4]) if match[3] else DAY_MINUTES
    return Shift(start, end if end > start else end + DAY_MINUTES)


def _advice(text: object) -> str:
    """Say how to write what was probably meant."""
    near = _NEARLY.fullmatch(text) if isinstance(text, str) and len(text) <= 40 else None
    if near is not None:
        better = f"{near[1]:0>2}:{near[2] or '00'}-{near[3]:0>2}:{near[4] or '00'}"
        if _INTERVAL.fullmatch(better):
            return f'write it as "{better}"'
    return 'an interval is HH:MM-HH:MM, from 00:00 to 24:00, for example "09:00-18:00"'


@dataclass(frozen=True, slots=True)
class Chart:
    """A pattern of days that repeats for ever, in both directions: a week, or a cycle from a start date."""

    days: tuple[tuple[Shift, ...], ...]  # of a week beginning on Monday, or of the cycle
    start: date | None = None  # the date of the cycle's first day: a phase, not a first day of work; None: a week

    def __post_init__(self) -> None:
        if not self.days or (self.start is None and len(self.days) != len(WEEKDAYS)):
            raise BadChart("weekly" if self.start is None else "cycle.days", "a week has 7 days, a cycle at least one")

    def first_ordinal(self, offset_days: int = 0) -> int:
        """Return the ordinal of a date on which the pattern is at its first day."""
        # date(1, 1, 1), ordinal 1, is a Monday.
        return 1 if self.start is None else self.start.toordinal() + offset_days

    def shifts_on(self, day: date, offset_days: int = 0) -> tuple[Shift, ...]:
        """Return the regular shifts that start on the date.

        offset_days: this manager's cycle starts that many days after the chart's start date, so with an offset of 2
            the 3rd of the month has what the chart says for the 1st. A week has no phase to shift: there it is ignored.
        """
        # Python's modulo is never negative, so the cycle runs backwards from its start as well. Calendar days are
        # counted, not steps of 24 hours.
        return self.days[(day.toordinal() - self.first_ordinal(offset_days)) % len(self.days)]


def parse_weekly(weekly: Mapping[str, Sequence[str]]) -> Chart:
    """Return the chart of {"mon": ["09:00-13:00", "14:00-18:00"], ...}; a weekday left out is a day off.

    Raises BadChart.
    """
    if not isinstance(weekly, Mapping):
        raise BadChart("weekly", 'weekdays with their intervals are needed, like {"mon": ["09:00-18:00"]}')
    for weekday in weekly:
        if weekday not in WEEKDAYS:
            raise BadChart("weekly", f"{_quote(weekday)} is no weekday; use {', '.join(WEEKDAYS)}")
    return Chart(tuple(_parse_day(weekly.get(weekday, ()), f"weekly.{weekday}") for weekday in WEEKDAYS))


def parse_cycle(start: date, days: Sequence[Sequence[str]]) -> Chart:
    """Return the chart of a cycle of days, e.g. 2/2: [["09:00-21:00"], ["09:00-21:00"], [], []].

    Raises BadChart.
    """
    if not isinstance(start, date):
        raise BadChart("cycle.start", f"{_quote(start)} is no date; write it as 2026-01-05")
    if not isinstance(days, list | tuple) or not 1 <= len(days) <= MAX_CYCLE_DAYS:
        raise BadChart("cycle.days", f"a cycle is a list of 1 to {MAX_CYCLE_DAYS} days, each a list of intervals")
    return Chart(tuple(_parse_day(day, f"cycle.days[{number}]") for number, day in enumerate(days)), start)


def _parse_day(intervals: object, place: str) -> tuple[Shift, ...]:
    if not isinstance(intervals, list | tuple):
        raise BadChart(place, 'a list of intervals is needed, like ["09:00-18:00"]; a day off is []')
    if len(intervals) > MAX_INTERVALS:
        raise BadChart(place, f"a day has at most {MAX_INTERVALS} intervals, not {len(intervals)}")
    shifts = []
    for number, text in enumerate(intervals):
        try:
            shifts.append(parse_interval(text))
        except BadInterval as error:
            raise BadChart(f"{place}[{number}]", str(error)) from None
    return tuple(sorted(shifts))


@dataclass(frozen=True, slots=True)
class DayException:
    """Dates with hours that differ from the chart."""

    first: date
    last: date  # included
    off: bool  # the regular shifts that start on these dates are taken away
    extra: tuple[Shift, ...] = ()  # these are added on each of the dates, and stay whatever is taken away

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"the last date, {self.last}, is before the first, {self.first}")


# Duty


class DutyState(NamedTuple):
    """A manager's duty at an instant; it does not change before `next_change`."""

    on_duty: bool
    next_start: datetime | None  # None: not within 400 days
    next_change: datetime | None  # None: not within 400 days


class _Window(NamedTuple):
    """The turns of duty in a part of the timeline: start, end, start, end, ..."""

    since: datetime  # what is known holds in [since, until)
    until: datetime
    edges: list[datetime]  # ascending; of those outside [since, until) nothing is believed


Holidays = Callable[[int], frozenset[date]] | Container[date]

_ALWAYS = Chart(((Shift(0, DAY_MINUTES),),) * len(WEEKDAYS))
_DAY_ZERO = EARLIEST - timedelta(days=EARLIEST.toordinal() - 1)  # the midnight of ordinal 1
_LAST_ORDINAL = LATEST.toordinal() + 7
# Days to look ahead: most answers lie within the first; a long leave, or a chart that never turns, needs the last. What
# that has beyond the horizon spares a manager who never turns from being worked out anew at every call.
_LOOKS = (5, 32, 128, HORIZON.days + 64)


class Duty:
    """The duty of one manager: chart, zone, exceptions and holidays, ready to be asked.

    chart: None is a manager without a schedule, always on duty: the chart 00:00-24:00 every day, from which the
        exceptions take away as from any other.
    offset: see `Chart.shifts_on`.
    holidays: a function year → dates, or anything that knows `date in holidays`: off on those dates.

    The hours of a date are decided in this order; what applies to the manager comes last and wins:

    1. the chart's regular shifts;
    2. none of them, where the date is a holiday or an exception of the schedule says off;
    3. and the extra shifts of the schedule's exceptions;
    4. nothing of all this, where an exception of the manager says off: who is on leave does not work the company's
       extra Saturday;
    5. and the extra shifts of the manager's exceptions.

    So within each level `extra` wins over `off`, in whatever order the exceptions are given. A shift is taken away or
    kept as a whole, by the date on which it starts: the rest of a night that began the day before stays.

    A time that a clock change skips moves forward by the length of the gap; of a time that occurs twice a start takes
    the first and an end the second. Duty is [start, end); shifts that touch or overlap are one stretch.

    Any aware instant may be asked about; a naive one raises ValueError. May be shared by threads: what is remembered is
    built aside, and put in place by one assignment.
    """

    __slots__ = ("_days", "_first_ordinal", "_holidays", "_manager", "_schedule", "_seamless", "_window", "_zone")

    def __init__(
        self,
        zone: str,
        chart: Chart | None,
        offset: int = 0,
        *,
        schedule_exceptions: Sequence[DayException] = (),
        manager_exceptions: Sequence[DayException] = (),
        holidays: Holidays | None = None,
    ) -> None:
        """Raises BadZone."""
        chart = _ALWAYS if chart is None else chart
        self._zone = _zone(zone)
        self._days = chart.days
        self._first_ordinal = chart.first_ordinal(offset)
        self._seamless = _is_seamless(chart)
        self._schedule = tuple(schedule_exceptions)
        self._manager = tuple(manager_exceptions)
        self._holidays = holidays
        self._window: _Window | None = None

    def on_duty(self, at: datetime) -> bool:
        at = _utc(at)
        # After a start there is an odd number of edges behind, after an end an even one; an edge itself is behind.
        return bisect_right(self._window_at(at).edges, at) % 2 == 1

    def next_start(self, at: datetime) -> datetime | None:
        """Return the first instant strictly later at which duty begins, or None when there is none within 400 days."""
        return self._next_edge(_utc(at), starts_only=True)

    def next_change(self, at: datetime) -> datetime | None:
        """Return the first instant strictly later at which duty begins or ends, or None when not within 400 days."""
        return self._next_edge(_utc(at), starts_only=False)

    def state(self, at: datetime) -> DutyState:
        """Return the three answers at once; keep it until its `next_change` instead of asking again."""
        at = _utc(at)
        return DutyState(self.on_duty(at), self.next_start(at), self.next_change(at))

    def stretches(self, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
        """Return the duty within [first, last) as ascending, disjoint, clipped [start, end) pairs.

        Raises ValueError for more than about ten years at once.
        """
        first, last = _utc(first), _utc(last)
        if last <= first:
            return []
        if last - first > MAX_SPAN:
            raise ValueError(f"at most {MAX_SPAN.days} days at once")
        window = self._window
        if window is None or not window.since <= first <= last <= window.until:
            # Not kept: a page that shows a month must not push out what every decision needs.
            window = self._build(first, (last - first).days + 1)
        return _clip(window.edges, first, last)

    def working_minutes_after(self, at: datetime, minutes: int) -> datetime | None:
        """Return when that many minutes of duty have passed, or None when not within 400 days.

        15 working minutes from Friday 17:55 end on Monday, ten minutes after duty begins. No minutes have passed at
        once, on duty or not.
        """
        if minutes < 0:
            raise ValueError("minutes cannot be negative")
        at = _utc(at)
        if minutes > HORIZON.days * DAY_MINUTES:
            return None
        limit = _limit(at)
        for window in self._windows(at):
            end = _instant_after(_clip(window.edges, at, window.until), at, timedelta(minutes=minutes))
            if end is not None:
                return end if end <= limit else None
            if window.until > limit:
                break
        return None

    def shifts_on(self, day: date) -> tuple[Shift, ...]:
        """Return the wall-clock shifts that start on the date, exceptions included."""
        regular = self._days[(day.toordinal() - self._first_ordinal) % len(self._days)]
        return tuple(sorted(self._with_exceptions(day, regular, self._schedule, self._manager)))

    # What is below walks days; everything above only reads edges.

    def _next_edge(self, at: datetime, *, starts_only: bool) -> datetime | None:
        limit = _limit(at)
        for window in self._windows(at):
            edges = window.edges
            index = bisect_right(edges, at)
            if starts_only and index % 2:
                index += 1
            if index < len(edges) and edges[index] < window.until:
                return edges[index] if edges[index] <= limit else None
            if window.until > limit:
                break
        return None

    def _window_at(self, at: datetime) -> _Window:
        window = self._window
        if window is None or not window.since <= at < window.until:
            self._window = window = self._build(at, _LOOKS[0])
        return window

    def _windows(self, at: datetime) -> Iterator[_Window]:
        """Yield ever wider windows around the instant, beginning with what is known already."""
        window = self._window_at(at)
        yield window
        for days in _LOOKS[1:]:
            if window.until - at < timedelta(days):
                self._window = window = self._build(at, days)
                yield window

    def _build(self, at: datetime, days: int) -> _Window:
        """Return the window from before the instant to so many days after it."""
        # Offsets are less than a day, and a shift ends before the second midnight after its date's own. So shifts of
        # the dates before `first` have ended by the midnight UTC of `first + 2`, and those after `last` begin later
        # than the one of `last`.
        first = at.toordinal() - 3
        last = min(at.toordinal() + days + 2, _LAST_ORDINAL)
        return _Window(_midnight(first + 2), _midnight(last), _edges(self._shift_instants(first, last)))

    def _shift_instants(self, first: int, last: int) -> list[tuple[datetime, datetime]]:
        """Return the shifts of these dates as pairs of instants; those that a clock change has left empty are out."""
        schedule, manager = _touching(self._schedule, first, last), _touching(self._manager, first, last)
        plain = not schedule and not manager and self._holidays is None
        if plain and self._seamless:
            # Clocks open no hole between shifts that touch: an end is never earlier than a start at the same time.
            return [(_midnight(first), _midnight(last + 1))]
        pairs = []
        for ordinal in range(first, last + 1):
            shifts = self._days[(ordinal - self._first_ordinal) % len(self._days)]
            if not plain:
                shifts = self._with_exceptions(date.fromordinal(ordinal), shifts, schedule, manager)
            for shift in shifts:
                start = _start_instant(self._zone, _midnight(ordinal) + timedelta(0, 60 * shift.start))
                end = _end_instant(self._zone, _midnight(ordinal) + timedelta(0, 60 * shift.end))
                if start < end:
                    pairs.append((start, end))
        return pairs

    def _with_exceptions(
        self,
        day: date,
        shifts: tuple[Shift, ...],
        schedule: Sequence[DayException],
        manager: Sequence[DayException],
    ) -> tuple[Shift, ...]:
        if self._is_holiday(day):
            shifts = ()
        return _apply(manager, day, _apply(schedule, day, shifts))

    def _is_holiday(self, day: date) -> bool:
        if self._holidays is None:
            return False
        return day in (self._holidays(day.year) if callable(self._holidays) else self._holidays)


_zone = zone  # in `Duty` the word means the argument


def _is_seamless(chart: Chart) -> bool:
    """Tell whether each shift is relieved by the next to the minute, day and night and for ever."""
    walls = sorted(
        (number * DAY_MINUTES + shift.start, number * DAY_MINUTES + shift.end)
        for number, day in enumerate(chart.days)
        for shift in day
    )
    starts, ends = [start for start, _ in walls], [end for _, end in walls]
    return bool(walls) and ends == starts[1:] + [start + len(chart.days) * DAY_MINUTES for start in starts[:1]]


def _touching(exceptions: Sequence[DayException], first: int, last: int) -> list[DayException]:
    """Return the exceptions that concern these dates; most windows meet none."""
    first_day, last_day = date.fromordinal(first), date.fromordinal(last)
    return [exception for exception in exceptions if exception.first <= last_day and first_day <= exception.last]


def _apply(exceptions: Sequence[DayException], day: date, shifts: tuple[Shift, ...]) -> tuple[Shift, ...]:
    """Return the shifts of the date after the exceptions of one level: first what is off, then what is extra."""
    here = [exception for exception in exceptions if exception.first <= day <= exception.last]
    if not here:
        return shifts
    if any(exception.off for exception in here):
        shifts = ()
    return shifts + tuple(shift for exception in here for shift in exception.extra)


def _edges(pairs: list[tuple[datetime, datetime]]) -> list[datetime]:
    """Return starts and ends in turn, touching and overlapping pairs joined."""
    edges: list[datetime] = []
    for start, end in sorted(pairs):
        if edges and start <= edges[-1]:
            edges[-1] = max(edges[-1], end)
        else:
            edges += (start, end)
    return edges


def _clip(edges: list[datetime], first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
    """Return the part of the stretches that lies in [first, last)."""
    index = bisect_right(edges, first) // 2 * 2
    pairs = []
    while index < len(edges) and edges[index] < last:
        pairs.append((max(first, edges[index]), min(last, edges[index + 1])))
        index += 2
    return pairs


def _instant_after(stretches: list[tuple[datetime, datetime]], at: datetime, span: timedelta) -> datetime | None:
    """Return when so much of the stretches has passed, or None when they hold less."""
    if not span:
        return at
    for start, end in stretches:
        if end - start >= span:
            return start + span
        span -= end - start
    return None


# From the wall clock to UTC. A wall-clock time is carried as a datetime that says UTC: adding to it and subtracting
# from it is then plain arithmetic, and `ZoneInfo.utcoffset` reads the clock's figures and `fold`, not the label.


def _midnight(ordinal: int) -> datetime:
    return _DAY_ZERO + timedelta(ordinal - 1)


def _start_instant(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return the instant of a start: the first of two; in a gap the offset before the jump moves it forward."""
    return wall - _offset(zone, wall)


def _end_instant(zone: ZoneInfo, wall: datetime) -> datetime:
    """Return the instant of an end: the second of two; in a gap the same as of a start.

    The later instant has the smaller offset: after the change where a time occurs twice, before it where it is skipped.
    """
    return wall - min(_offset(zone, wall), _offset(zone, wall.replace(fold=1)))


def _offset(zone: ZoneInfo, wall: datetime) -> timedelta:
    return zone.utcoffset(wall) or timedelta(0)


def _utc(at: datetime) -> datetime:
    """Return the instant in UTC, within EARLIEST..LATEST. Raises ValueError for a naive one."""
    if at.tzinfo is not UTC:
        if at.utcoffset() is None:
            raise ValueError("an instant needs its zone; this datetime has none")
        try:
            at = at.astimezone(UTC)
        except OverflowError:
            return EARLIEST if at.year < LATEST.year else LATEST
    return min(max(at, EARLIEST), LATEST)


def _limit(at: datetime) -> datetime:
    """Return the last instant that still counts as within 400 days."""
    return LATEST if at > LATEST - HORIZON else at + HORIZON
