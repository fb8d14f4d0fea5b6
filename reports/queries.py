"""Reads for the reports: rows counted by the database, as plain values."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Min, QuerySet

from accounts.models import Account
from accounts.time import periods, schedules
from routing import policy
from routing.models import (
    Activity,
    Adjustment,
    Decision,
    Lead,
    Ledger,
    Lineup,
    Load,
    Offer,
    Source,
    Stage,
    waiting_since,
)

from .fairness import Addition, Balance, Place, Received
from .rings import Arc, arcs

MOST_REASONS = 20


def rows(text: str, parameters: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
    with transaction.atomic(), connection.cursor() as cursor:
        # The rows of a range are sorted in memory; compiling (JIT) such a statement takes longer than running it.
        cursor.execute("SET LOCAL work_mem = '64MB'; SET LOCAL jit = off")
        cursor.execute(text, parameters)
        return list(cursor.fetchall())


# Sources of leads


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The sources of leads that arrived as Unqualified in a period."""

    period: str  # day, week, month
    first_day: date
    last_day: date
    start: datetime
    end: datetime  # the first instant after it
    arcs: tuple[Arc, ...]

    @property
    def total(self) -> int:
        return sum(arc.count for arc in self.arcs)


def sources(account: Account | policy.Account, *, period: str, on: date) -> Sources:
    """Return the ring of the period that contains the date; the same for every user."""
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


# Fairness

# Arrays of instants stand in a SELECT of their own: it runs once, while a constant of text is read anew for every row.
# The line-ups of each registry, found by leaps over the index `decision_counted_by_lineup` and not by reading all of it.
LINEUPS = """
WITH RECURSIVE pair AS (
    (SELECT registry_id, lineup_id FROM routing_decision WHERE counted ORDER BY registry_id, lineup_id LIMIT 1)
    UNION ALL
    SELECT following.* FROM pair, LATERAL (
        SELECT registry_id, lineup_id FROM routing_decision
        WHERE counted AND (registry_id, lineup_id) > (pair.registry_id, pair.lineup_id)
        ORDER BY registry_id, lineup_id LIMIT 1) following
)
"""
WANTED = "(%(registry)s::bigint IS NULL OR pair.registry_id = %(registry)s)"
RECEIVED = f"""
{LINEUPS}
SELECT pair.registry_id, got.method, pair.lineup_id, got.chosen_id, got.bucket, got.leads FROM pair, LATERAL (
    SELECT method, chosen_id, width_bucket(at, (SELECT %(bounds)s::timestamptz[])) - 1 AS bucket, count(*) AS leads
    FROM routing_decision WHERE counted AND registry_id = pair.registry_id AND lineup_id = pair.lineup_id
      AND at >= %(start)s AND at < %(end)s
    GROUP BY 1, 2, 3) got
WHERE {WANTED}
"""  # nosec B608  # of the constants above
# The balances that the first decision at or after a bound saw are those at the bound.
BALANCES = f"""
{LINEUPS}
SELECT DISTINCT ON (pair.registry_id, candidate.manager, bound.n) pair.registry_id, candidate.manager, bound.n, seen.at,
    candidate.balance
FROM pair CROSS JOIN unnest(%(bounds)s::timestamptz[]) WITH ORDINALITY bound (at, n) CROSS JOIN LATERAL (
    SELECT at, turn, balances FROM routing_decision
    WHERE counted AND registry_id = pair.registry_id AND lineup_id = pair.lineup_id AND at >= bound.at
    ORDER BY at, turn LIMIT 1) seen
JOIN routing_lineup lineup ON lineup.id = pair.lineup_id
CROSS JOIN LATERAL unnest(lineup.managers, seen.balances) candidate (manager, balance)
WHERE {WANTED}
ORDER BY pair.registry_id, candidate.manager, bound.n, seen.at, seen.turn
"""  # nosec B608  # of the constants above


def receipts(bounds: Sequence[datetime], *, registry: int | None) -> list[Received]:
    """Return the leads that counted between the first and the last of the bounds."""
    parameters = {"bounds": list(bounds), "start": bounds[0], "end": bounds[-1], "registry": registry}
    return [Received._make(row) for row in rows(RECEIVED, parameters)]


def balances(bounds: Sequence[datetime], *, registry: int | None, at: datetime) -> dict[Place, list[Balance]]:
    """Return everybody's balance at each of the bounds; after the last decision, today's balance."""
    ledgers = Ledger.objects.all() if registry is None else Ledger.objects.filter(pk=registry)
    seen = {
        (ledger.pk, manager): [Balance(at, balance)] * len(bounds)
        for ledger in ledgers
        for manager, balance in zip(ledger.managers, ledger.balances, strict=True)
    }
    for registry_, manager, number, instant, balance in rows(BALANCES, {"bounds": list(bounds), "registry": registry}):
        if (registry_, manager) in seen:
            seen[registry_, manager][number - 1] = Balance(instant, balance)
    return seen


def adjustments(since: datetime, *, registry: int | None) -> list[Addition]:
    changes = Adjustment.objects.filter(at__gte=since)
    if registry is not None:
        changes = changes.filter(registry=registry)
    return [Addition._make(row) for row in changes.values_list("registry", "manager", "at", "amount")]


def lineups(ids: set[int]) -> dict[int, dict[int, int]]:
    found = Lineup.objects.filter(pk__in=ids).values_list("pk", "managers", "coefficients")
    return {id_: dict(zip(managers, coefficients, strict=True)) for id_, managers, coefficients in found}


# Response times

# One index holds all that is read. COPY is the shortest way: nothing is written out in digits and read again.
ARRIVED = """
COPY (
    SELECT source_id, coalesce(accepted_by_id, responsible_id, 0), arrived_at,
        coalesce(assigned_at, 'infinity'), coalesce(accepted_at, 'infinity')
    FROM routing_lead WHERE arrived_at >= %(start)s AND arrived_at < %(end)s
      AND (%(source)s::bigint IS NULL OR source_id = %(source)s)
      AND (%(manager)s::bigint IS NULL OR coalesce(accepted_by_id, responsible_id) = %(manager)s)
) TO STDOUT (FORMAT binary)
"""


def arrivals(*, start: datetime, end: datetime, source: int | None, manager: int | None) -> bytes:
    """Return the leads that arrived in [start, end) as PostgreSQL copies them: see `responses.leads_of`."""
    copied = io.BytesIO()
    parameters = {"start": start, "end": end, "source": source, "manager": manager}
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(cursor.mogrify(ARRIVED, parameters), copied)
    return copied.getvalue()


# Redistribution


class Offers(NamedTuple):
    """The outcomes of one trigger's offers to one manager."""

    manager: int
    trigger: int
    outcome: str  # of Offer.Outcome; "" is open
    offers: int


Narrowed = Mapping[str, Any]  # columns of a filter


def offers(*, start: datetime, end: datetime, **narrowed: int | None) -> list[Offers]:
    """Return the outcomes of offers made in [start, end)."""
    found = _offers(start, end, narrowed).order_by().values_list("manager", "trigger", "outcome")
    return [Offers._make(row) for row in found.annotate(count=Count("*"))]


def offers_a_lead(*, start: datetime, end: datetime, **narrowed: int | None) -> dict[int, int]:
    """Return how many leads were offered once, twice, and so on in [start, end)."""
    each = _offers(start, end, narrowed).order_by().values("lead").annotate(times=Count("*")).values("times")
    query, parameters = each.query.sql_with_params()
    text = f"SELECT times, count(*) FROM ({query}) one GROUP BY times ORDER BY times"  # nosec B608  # SQL of the ORM
    return dict(rows(text, parameters))


def decline_reasons(*, start: datetime, end: datetime, **narrowed: int | None) -> list[tuple[str, int]]:
    """Return the reasons for declining, most frequent first."""
    declined = _offers(start, end, narrowed).filter(outcome=Offer.Outcome.DECLINED).order_by()
    found = declined.values_list("reason").annotate(count=Count("*")).order_by("-count", "reason")
    return list(found[:MOST_REASONS])


def _offers(start: datetime, end: datetime, narrowed: Narrowed) -> QuerySet[Offer]:
    wanted = {name: value for name, value in narrowed.items() if value is not None}
    return Offer.objects.filter(offered_at__gte=start, offered_at__lt=end, **wanted)


# Conversion


class Outcome(NamedTuple):
    """Leads of one source that one manager has in stages of one kind."""

    source: int
    manager: int | None
    kind: str  # of Stage.Kind
    leads: int


def outcomes(*, start: datetime, end: datetime, **narrowed: int | None) -> list[Outcome]:
    """Return where leads that arrived in [start, end) stand today."""
    kinds = dict(Stage.objects.values_list("pk", "kind"))
    wanted = {name: value for name, value in narrowed.items() if value is not None}
    leads = Lead.objects.filter(arrived_at__gte=start, arrived_at__lt=end, **wanted).order_by()
    found = leads.values_list("source", "responsible", "stage").annotate(count=Count("*"))
    return [Outcome(source, manager, kinds[stage], count) for source, manager, stage, count in found]


def activities(*, start: datetime, end: datetime, source: int | None, responsible: int | None) -> Counter[int]:
    """Return what came in [start, end) after leads and is an activity of them, by source."""
    wanted = {"source": source, "lead__responsible": responsible}
    narrowed = {name: value for name, value in wanted.items() if value is not None}
    found = Activity.objects.filter(at__gte=start, at__lt=end, source__isnull=False, **narrowed).order_by()
    return Counter(dict(found.values_list("source").annotate(count=Count("*"))))


# Workload


def assignments(*, start: datetime, end: datetime) -> dict[int, dict[int, int]]:
    """Return how many times each trigger gave a lead to each manager in [start, end)."""
    found = Decision.objects.filter(outcome="assigned", at__gte=start, at__lt=end).order_by()
    given: dict[int, dict[int, int]] = defaultdict(dict)
    for trigger, manager, count in found.values_list("trigger", "chosen").annotate(count=Count("*")):
        given[trigger][manager] = count
    return given


def loads() -> dict[int, dict[int, int]]:
    held: dict[int, dict[int, int]] = defaultdict(dict)
    for manager, stage, leads in Load.objects.filter(leads__gt=0).values_list("manager", "stage", "leads"):
        held[manager][stage] = leads
    return held


# Waiting leads


class Waiting(NamedTuple):
    """Waiting leads of one trigger."""

    trigger: int
    leads: int
    oldest: datetime  # since when the first of them waits


def waiting(*, start: datetime, end: datetime, **narrowed: int | None) -> list[Waiting]:
    """Return the waiting leads created in [start, end), by trigger."""
    wanted = {name: value for name, value in narrowed.items() if value is not None}
    leads = Lead.objects.waiting().filter(created_at__gte=start, created_at__lt=end, **wanted).order_by()
    found = leads.annotate(since=waiting_since()).values_list("trigger").annotate(count=Count("*"), oldest=Min("since"))
    return [Waiting._make(row) for row in found.order_by("trigger")]


# What the last decision saw is why a lead waits; a lead counts once for each reason that any of its candidates had.
REASONS = """
WITH waiting AS (
    SELECT lead.id, decision.reason, decision.refusals FROM routing_lead lead LEFT JOIN LATERAL (
        SELECT reason, refusals FROM routing_decision WHERE lead_id = lead.id ORDER BY id DESC LIMIT 1) decision ON true
    WHERE lead.state = 'waiting' AND lead.created_at >= %(start)s AND lead.created_at < %(end)s
      AND (%(source)s::bigint IS NULL OR lead.source_id = %(source)s)
      AND (%(trigger)s::bigint IS NULL OR lead.trigger_id = %(trigger)s)
)
SELECT refusal.reason, count(DISTINCT id), count(*) FROM waiting, LATERAL (
    SELECT value AS reason FROM jsonb_each_text(refusals)
    UNION ALL SELECT coalesce(waiting.reason, 'undecided') WHERE waiting.reason IS DISTINCT FROM 'nobody') refusal
GROUP BY 1 ORDER BY 2 DESC, 1
"""


def waiting_reasons(
    *, start: datetime, end: datetime, source: int | None, trigger: int | None
) -> list[tuple[str, int, int]]:
    """Return why leads wait: the reason, the leads with it, the candidates with it."""
    parameters = {"start": start, "end": end, "source": source, "trigger": trigger}
    return [(reason, leads, times) for reason, leads, times in rows(REASONS, parameters)]
