"""Instants as people and programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo


class BadInstant(ValueError):
    """The text is no instant; the message says how to write one."""


def read_instant(text: str, zone: ZoneInfo) -> datetime:
    """Return the instant that is written as ISO 8601, in UTC; without an offset it is on the zone's clock."""
    try:
        instant = datetime.fromisoformat(text.strip())
        return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInstant(f'"{text}" is no instant; write it as 2026-03-02T09:00:00Z') from None


def to_iso(instant: datetime | None) -> str | None:
    """Return the instant as programs read it: 2026-03-02T09:00:00Z."""
    if instant is None:
        return None
    return instant.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


# More than one place calls its time so, and they mean different times; or they do in another half of the year.
SHARED_NAMES = frozenset({"CST", "CDT", "PST", "PDT", "IST", "IDT"})
CONTINENTS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


def zone_name(there: datetime) -> str:
    """Return what is written behind a time in a zone: CET, where only one time is called so; else the city or the offset."""
    name = there.tzname() or ""
    if name.isalpha() and name not in SHARED_NAMES:
        return name
    continent, _slash, city = getattr(there.tzinfo, "key", "").partition("/")
    repeated = there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()  # the clock shows it twice
    if name in SHARED_NAMES and continent in CONTINENTS and not repeated:
        return city.rpartition("/")[2].replace("_", " ")
    sign, hours, minutes = re.fullmatch(r".*([+-])(\d\d):(\d\d)", there.isoformat(timespec="minutes")).groups()  # type: ignore[union-attr]
    return f"UTC{sign}{int(hours)}".replace("-", "−") + (f":{minutes}" if minutes != "00" else "")
