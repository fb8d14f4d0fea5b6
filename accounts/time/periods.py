"""Day, week and month in the account's time, as instants. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def start_of(period: str, on: date) -> date:
    """Return the first date of the day, week (from Monday) or month that holds the date."""
    if period == "week":
        return on - timedelta(days=on.weekday())
    return on.replace(day=1) if period == "month" else on


def end_of(period: str, on: date) -> date:
    """Return the first date after the period that holds the date."""
    start = start_of(period, on)
    if period == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days={"day": 1, "week": 7}[period])


def midnight(on: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which the date begins in the zone, in UTC; where midnight is skipped, the end of the gap."""
    return datetime.combine(on, time(), zone).astimezone(UTC)


def began_at(period: str, at: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the period that holds `at` began, in UTC."""
    return midnight(start_of(period, at.astimezone(zone).date()), zone)


def bounds(period: str, on: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the instants, in UTC, between which the period that holds the date runs: [start, end)."""
    return midnight(start_of(period, on), zone), midnight(end_of(period, on), zone)


def offsets(start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[datetime, int]]:
    """Return from when on the zone's clocks are how many seconds ahead of UTC: at the start, and at each change."""
    found = [(start, _offset(start, zone))]
    for hours in range(24, 24 * ((end - start).days + 2), 24):
        if _offset(start + timedelta(hours=hours), zone) != found[-1][1]:
            quarters = (start + timedelta(hours=hours - 24, minutes=15 * n) for n in range(1, 97))
            whole = (_quarter(at) for at in quarters)
            change = next(at for at in whole if _offset(at, zone) != found[-1][1])
            found.append((change, _offset(change, zone)))
    return found


def _offset(at: datetime, zone: ZoneInfo) -> int:
    return round((at.astimezone(zone).utcoffset() or timedelta()).total_seconds())


def _quarter(at: datetime) -> datetime:
    """Return the quarter of an hour, in UTC, that holds the instant: clocks change at one."""
    return at.replace(minute=at.minute - at.minute % 15, second=0, microsecond=0)
