"""Fairness: leads received compared with leads due. Pure.

By fair share a decision credits the eligible and debits who gets the lead, so what was due in a period follows from the
balances at its two ends: due = received + balance at the end − balance at the start − what was deliberately added.
By totals everybody with a coefficient is due their part of each lead, present or not. Other methods aim at no share.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import NamedTuple

LEAD = 1_000_000_000  # one lead in billionths, the unit of balances

Place = tuple[int, int]  # registry, manager


class Received(NamedTuple):
    """Leads that counted in a registry, by line-up, method and manager."""

    registry: int
    method: str
    lineup: int
    manager: int
    bucket: int  # from 0
    leads: int


class Balance(NamedTuple):
    """A balance at an instant."""

    at: datetime
    balance: int  # billionths of a lead


class Addition(NamedTuple):
    """What was deliberately added to a balance: a lead credited back, one given by hand."""

    registry: int
    manager: int
    at: datetime
    amount: int  # billionths of a lead


@dataclass(frozen=True, slots=True, kw_only=True)
class FairnessFigures:
    """The figures of one manager in one registry."""

    registry: int
    manager: int
    received: int  # leads
    due: float | None  # leads; None: nothing aimed at a share
    distances: Sequence[float]  # due − received since the start, at the end of each bucket, in leads
    balance: float  # leads owed at the end

    @property
    def worst(self) -> float:
        """Return the largest difference at the end of any bucket, with its sign."""
        return max(self.distances, key=abs, default=0.0)


def standings(
    received: Iterable[Received],
    lineups: Mapping[int, Mapping[int, int]],
    balances: Mapping[Place, Sequence[Balance]],
    added: Iterable[Addition],
    *,
    buckets: int,
) -> Iterator[FairnessFigures]:
    """Yield everybody's standing, by registry and manager.

    lineups: manager -> coefficient, by line-up. balances: as seen at the start and at the end of each bucket.
    """
    got, fair, totals, aimed = _count_leads(received, lineups, buckets)
    extra: dict[Place, list[Addition]] = defaultdict(list)
    for change in added:
        extra[change.registry, change.manager].append(change)
    moved = {place for place, seen in balances.items() if len({one.balance for one in seen}) > 1}
    for place in sorted({*got, *totals, *moved}):
        owed = _growth(balances.get(place, ()), extra[place], buckets)
        due = [f + o + t for f, o, t in zip(fair[place], owed, totals[place], strict=True)]
        aims = place[0] in aimed
        yield FairnessFigures(
            registry=place[0],
            manager=place[1],
            received=sum(got[place]),
            due=sum(due) if aims else None,
            distances=list(accumulate(d - g for d, g in zip(due, got[place], strict=True))) if aims else (),
            balance=balances[place][-1].balance / LEAD if place in balances else 0.0,
        )


Counts = dict[Place, list[int]]
Parts = dict[Place, list[float]]


def _count_leads(
    received: Iterable[Received], lineups: Mapping[int, Mapping[int, int]], buckets: int
) -> tuple[Counts, Counts, Parts, set[int]]:
    """Return leads received; those paid for by a balance; leads due by totals; and the registries that aim at a share."""
    got: Counts = defaultdict(lambda: [0] * buckets)
    fair: Counts = defaultdict(lambda: [0] * buckets)
    due: Parts = defaultdict(lambda: [0.0] * buckets)
    aimed = set()
    for row in received:
        got[row.registry, row.manager][row.bucket] += row.leads
        if row.method == "fair_share":
            fair[row.registry, row.manager][row.bucket] += row.leads
        elif row.method == "totals":
            whole = sum(lineups[row.lineup].values()) or 1
            for manager, coefficient in lineups[row.lineup].items():
                due[row.registry, manager][row.bucket] += row.leads * coefficient / whole
        if row.method in ("fair_share", "totals"):
            aimed.add(row.registry)
    return got, fair, due, aimed


def _growth(seen: Sequence[Balance], added: Sequence[Addition], buckets: int) -> list[float]:
    """Return the growth of the balance in each bucket, without what was deliberately added."""
    if not seen:
        return [0.0] * buckets
    grown = []
    for before, after in pairwise(seen):
        deliberate = sum(change.amount for change in added if before.at <= change.at < after.at)
        grown.append((after.balance - before.balance - deliberate) / LEAD)
    return grown
