"""Response times, calculated from parallel arrays. Pure.

Instants and lengths are whole microseconds, so sums and differences are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EPOCH = datetime.fromisoformat("2000-01-01T00:00:00Z")  # of instants here, as of PostgreSQL's; a Saturday
NEVER = np.iinfo(np.int64).max  # PostgreSQL's infinity
SECOND = 1_000_000
MEASURES = {  # between which instants
    "assigned": ("arrived", "assigned"),
    "accepted": ("assigned", "accepted"),
    "whole": ("arrived", "accepted"),
}

Numbers = NDArray[np.int64]
Stretches = Sequence[tuple[datetime, datetime]]


class Times(NamedTuple):
    """Response times of one group of leads, in seconds."""

    leads: int
    median: float | None
    p90: float | None
    within: int  # leads that took no longer than the target


NO_TIMES = Times(0, None, None, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses:
    arrived: int  # leads
    whole: dict[str, Times]  # by measure
    by_source: dict[int, Times]
    by_manager: dict[int, Times]  # 0: nobody
    by_hour: dict[tuple[int, int], Times]  # (weekday from Monday 0, hour), account time, of arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class Leads:
    """Parallel arrays with one element for each lead."""

    source: Numbers
    manager: Numbers  # who accepted it, or has it; 0: nobody
    arrived: Numbers
    assigned: Numbers  # first; NEVER
    accepted: Numbers  # first; NEVER


# As COPY writes them in binary: the number of columns, then each column's length and value; a header of 19 bytes comes
# first, -1 last. https://www.postgresql.org/docs/15/sql-copy.html
COLUMNS = ("source", "manager", "arrived", "assigned", "accepted")
ROW = np.dtype([("columns", ">i2"), *((name, [("length", ">i4"), ("value", ">i8")]) for name in COLUMNS)])
HEADER, TRAILER = 19, 2


def leads_of(copied: bytes) -> Leads:
    count = (len(copied) - HEADER - TRAILER) // ROW.itemsize
    rows = np.frombuffer(copied, ROW, count=count, offset=HEADER)
    return Leads(**{name: rows[name]["value"].astype(np.int64) for name in COLUMNS})


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def responses(
    leads: Leads,
    *,
    measure: str,
    target: timedelta,
    horizon: datetime,
    offsets: Sequence[tuple[datetime, int]],
    duties: Mapping[int, Stretches] | None = None,
) -> Responses:
    """Return the response times of the leads.

    measure: of MEASURES, for all but the summary; horizon: what came to pass later did not; offsets: from when on the
    account's clocks are how many seconds ahead; duties: by manager, to count the time alone that they worked.
    """
    until = {name: getattr(leads, name) for name in ("arrived", "assigned", "accepted")}
    passed = until if duties is None else _working_time(leads.manager, until, duties)
    lengths, taken = {}, {}
    for name, (first, last) in MEASURES.items():
        taken[name] = (np.maximum(until[first], until[last]) < micros(horizon)) & (passed[first] != NEVER)
        lengths[name] = (passed[last] - passed[first])[taken[name]]
    limit, some = target // timedelta(microseconds=1), taken[measure]
    order = np.argsort(lengths[measure])
    ordered = lengths[measure][order]
    kinds = (leads.source, leads.manager, _hours(leads.arrived, offsets))
    by_source, by_manager, by_hour = (_times(kind[some][order], ordered, limit) for kind in kinds)
    return Responses(
        arrived=len(leads.arrived),
        whole={
            name: _times(np.zeros_like(each), np.sort(each), limit).get(0, NO_TIMES) for name, each in lengths.items()
        },
        by_source=by_source,
        by_manager=by_manager,
        by_hour={divmod(hour, 24): times for hour, times in by_hour.items()},
    )


def _times(keys: Numbers, ordered: Numbers, limit: int) -> dict[int, Times]:
    """Return the times of each key; ordered: the lengths of the keys' leads, the shortest first."""
    order = np.argsort(keys, kind="stable")
    found, first, leads = np.unique(keys[order], return_index=True, return_counts=True)
    lengths = ordered[order]
    median = (lengths[first + (leads - 1) // 2] + lengths[first + leads // 2]) / (2 * SECOND)
    place, tenths = np.divmod(9 * (leads - 1), 10)  # what lies between two leads is as far as it is between them
    low, high = lengths[first + place], lengths[first + place + (tenths > 0)]
    p90 = (low + (high - low) * tenths / 10) / SECOND
    within = np.diff(np.cumsum(lengths <= limit)[first + leads - 1], prepend=0)
    columns = (column.tolist() for column in (leads, median, p90, within))
    return dict(zip(found.tolist(), map(Times, *columns), strict=True))


def _hours(arrived: Numbers, offsets: Sequence[tuple[datetime, int]]) -> Numbers:
    """Return the hour of the week of each instant, from Monday's first, 0 to 167."""
    changes, ahead = zip(*offsets, strict=True)
    offset = np.array(ahead)[np.searchsorted([micros(at) for at in changes], arrived, side="right") - 1]
    hours: Numbers = ((arrived // SECOND + offset) // 3600 + 5 * 24) % 168
    return hours.astype(np.int16)  # sorted in a fraction of the time


def _working_time(
    manager: Numbers, instants: Mapping[str, Numbers], duties: Mapping[int, Stretches]
) -> dict[str, Numbers]:
    """Return how long each lead's manager had been on duty until each of its instants; NEVER: the manager is unknown."""
    worked = {name: np.full_like(instant, NEVER) for name, instant in instants.items()}
    order = np.argsort(manager, kind="stable")
    found, first = np.unique(manager[order], return_index=True)
    for one, places in zip(found.tolist(), np.split(order, first[1:]), strict=True):
        if one in duties:
            starts, ends = _edges(duties[one])
            for name, instant in instants.items():
                worked[name][places] = _on_duty(instant[places], starts, ends)
    return worked


def _edges(stretches: Stretches) -> tuple[Numbers, Numbers]:
    """Return starts and ends of the stretches, after an empty one that takes what lies before all of them."""
    edges = [(-NEVER, -NEVER), *((micros(start), micros(end)) for start, end in stretches)]
    starts, ends = np.array(edges).T
    return starts, ends


def _on_duty(instants: Numbers, starts: Numbers, ends: Numbers) -> Numbers:
    """Return the time worked until each instant: in earlier stretches, and in the one that holds it or came last."""
    before = np.cumsum(ends - starts) - (ends - starts)
    place = np.searchsorted(starts, instants, side="right") - 1
    worked: Numbers = before[place] + np.minimum(instants, ends[place]) - starts[place]
    return worked
