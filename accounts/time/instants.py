"""Instants as people and programs write them."""

from __future__ import annotations

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


def written(instant: datetime | None) -> str | None:
    """Return the instant as programs read it: 2026-03-02T09:00:00Z."""
    if instant is None:
        return None
    return instant.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"
