"""Reads for the reports: rows counted by the database, as plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count

from accounts import periods, schedules
from accounts.models import Account
from routing.models import Lead, Source

from .rings import Arc, arcs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the leads came from that arrived as Unqualified in a period."""

    period: str  # day, week, month
    first_day: date
    last_day: date
    start: datetime
    end: datetime  # the first instant after it
    arcs: tuple[Arc, ...]

    @property
    def total(self) -> int:
        return sum(arc.count for arc in self.arcs)


def sources(account: Account, *, period: str, on: date) -> Sources:
    """Return the ring of the period that holds the date; the same whoever asks."""
    start, end = periods.bounds(period, on, schedules.zone(account.time_zone))
    after = periods.end_of(period, on)
    return Sources(
        period=period,
        first_day=periods.start_of(period, on),
        last_day=date.fromordinal(after.toordinal() - 1),
        start=start,
        end=end,
        arcs=arcs(_by_channel(start, end), account.channels),
    )


def _by_channel(start: datetime, end: datetime) -> Counter[str]:
    """Count by source first: the index `lead_arrived_unqualified` alone answers that."""
    leads = Lead.objects.filter(arrived_unqualified=True, arrived_at__gte=start, arrived_at__lt=end)
    channels = dict(Source.objects.values_list("pk", "channel"))
    counts: Counter[str] = Counter()
    for source, count in leads.order_by().values_list("source").annotate(count=Count("*")):
        counts[channels[source]] += count
    return counts
