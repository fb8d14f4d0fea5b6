"""Reads for the reports: rows counted by the database, as plain values."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import Count, Min, QuerySet

from accounts import periods, schedules
from accounts.models import Account
from routing.models import Adjustment, Decision, Lead, Ledger, Lineup, Load, Offer, Source, Stage

from .fairness import Added, Place, Received, Seen
from .rings import Arc, arcs

WATCHED = timedelta(days=31)  # after the range in which leads arrived: so long their response is looked for
MOST_REASONS = 20


def rows(text: str, parameters: Mapping[str, Any], *, hashing: bool = False) -> list[tuple[Any, ...]]:
    """Run the statement; hashing: join by hash tables, whatever few rows the planner expects of a range of today."""
    with transaction.atomic(), connection.cursor() as cursor:
        # What a range holds is sorted in memory; compiling such a statement takes longer than running it.
        cursor.execute("SET LOCAL work_mem = '64MB'; SET LOCAL jit = off")
        if hashing:
            cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(text, parameters)
        return list(cursor.fetchall())


# Sources of leads


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
# What the first decision at or after each bound saw of its candidates is how they stood at the bound.
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


def received(bounds: Sequence[datetime], *, registry: int | None) -> list[Received]:
    """Return the leads that counted between the first and the last of the bounds."""
    parameters = {"bounds": list(bounds), "start": bounds[0], "end": bounds[-1], "registry": registry}
    return [Received._make(row) for row in rows(RECEIVED, parameters)]


def balances(bounds: Sequence[datetime], *, registry: int | None, at: datetime) -> dict[Place, list[Seen]]:
    """Return how everybody in the ledgers stood at each of the bounds; after the last decision they stand as today."""
    ledgers = Ledger.objects.all() if registry is None else Ledger.objects.filter(pk=registry)
    seen = {
        (ledger.pk, manager): [Seen(at, balance)] * len(bounds)
        for ledger in ledgers
        for manager, balance in zip(ledger.managers, ledger.balances, strict=True)
    }
    for registry_, manager, number, instant, balance in rows(BALANCES, {"bounds": list(bounds), "registry": registry}):
        if (registry_, manager) in seen:
            seen[registry_, manager][number - 1] = Seen(instant, balance)
    return seen


def added(since: datetime, *, registry: int | None) -> list[Added]:
    """Return what was deliberately added to balances since the instant."""
    changes = Adjustment.objects.filter(at__gte=since)
    if registry is not None:
        changes = changes.filter(registry=registry)
    return [Added._make(row) for row in changes.values_list("registry", "manager", "at", "amount")]


def lineups(ids: set[int]) -> dict[int, dict[int, int]]:
    """Return the coefficients of the managers of each line-up."""
    found = Lineup.objects.filter(pk__in=ids).values_list("pk", "managers", "coefficients")
    return {id_: dict(zip(managers, coefficients, strict=True)) for id_, managers, coefficients in found}


# Response times


class Times(NamedTuple):
    """How long leads of one kind took, in seconds."""

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
    by_manager: dict[int, Times]
    by_hour: dict[tuple[int, int], Times]  # (weekday from Monday 0, hour), account time, of arrival


# When a lead was first assigned and accepted stands in the index that finds it. What follows the range by more than a month
# is looked for no further. Working seconds are those on duty of whom accepted: by arrays of when stretches begin, when
# they end and what was worked before, side by side; without arrays the manager is always on duty.
# The seconds of all groups are gathered in one pass, and each group's sorted by itself: half the work of percentile_cont.
RESPONSES = """
WITH response AS NOT MATERIALIZED (
    SELECT source_id, coalesce(accepted_by_id, responsible_id) AS manager_id, arrived_at,
        CASE WHEN assigned_at < %(horizon)s THEN assigned_at END AS assigned_at,
        CASE WHEN accepted_at < %(horizon)s THEN accepted_at END AS accepted_at
    FROM routing_lead WHERE arrived_at >= %(start)s AND arrived_at < %(end)s
      AND (%(source)s::bigint IS NULL OR source_id = %(source)s)
      AND (%(manager)s::bigint IS NULL OR coalesce(accepted_by_id, responsible_id) = %(manager)s)
), measured AS MATERIALIZED (
    SELECT source_id, manager_id, {seconds},
        (local_hour::bigint + 72) %% 168 AS hour  -- of the week: the first day of 1970 was a Thursday
    FROM {clocked}, LATERAL (
        SELECT floor((date_part('epoch', arrived_at)
            + (SELECT %(offsets)s::int[])[width_bucket(arrived_at, (SELECT %(changes)s::timestamptz[]))]) / 3600) AS local_hour) clock
    ORDER BY {measure}  -- once for all: the seconds of each group come sorted, and to sort them again is to look at them
), summed AS MATERIALIZED (
    SELECT count(*) AS leads, {arrays} FROM measured
), gathered AS (
    {wholes}
    UNION ALL SELECT CASE grouping(source_id, manager_id, hour) WHEN 3 THEN 'source' WHEN 5 THEN 'manager' ELSE 'hour' END,
        coalesce(source_id, manager_id, hour), array_agg({measure})
    FROM measured WHERE {measure} IS NOT NULL GROUP BY GROUPING SETS ((source_id), (manager_id), (hour))
), sorted AS MATERIALIZED (
    SELECT kind, key, cardinality(seconds) AS leads, ARRAY(SELECT unnest(seconds) ORDER BY 1) AS seconds
    FROM gathered WHERE seconds IS NOT NULL
)
SELECT 'arrived', NULL::bigint, leads, NULL::float8, NULL::float8, 0 FROM summed
UNION ALL
SELECT kind, key, leads, (seconds[(leads + 1) / 2] + seconds[(leads + 2) / 2]) / 2,
    seconds[1 + place / 10] + (seconds[1 + (place + 9) / 10] - seconds[1 + place / 10]) * (place %% 10) / 10,
    width_bucket(%(target)s, seconds)
FROM sorted, LATERAL (SELECT 9 * (leads - 1) AS place) p90
"""
ARRAY = "array_agg({measure}) FILTER (WHERE {measure} IS NOT NULL) AS {measure}"
WHOLE = "SELECT '{measure}' AS kind, NULL::bigint AS key, {measure} AS seconds FROM summed"
MEASURES = {  # between which instants
    "assigned": ("arrived_at", "assigned_at"),
    "accepted": ("assigned_at", "accepted_at"),
    "whole": ("arrived_at", "accepted_at"),
}
WALL = "date_part('epoch', {end} - {start}) AS {measure}"
WORKING = "worked_until_{end} - worked_until_{start} AS {measure}"
# Seconds on duty until an instant: what was worked before the stretch that holds it or came last, and its own part.
WORKED = """CASE before_{instant} WHEN 0 THEN 0
        ELSE before[before_{instant}] + least(date_part('epoch', {instant}), ends[before_{instant}]) - starts[before_{instant}]
        END AS worked_until_{instant}"""
ON_DUTY = """(
        SELECT source_id, manager_id, arrived_at, {worked} FROM (
            SELECT response.*, duty.*, {places} FROM response
            LEFT JOIN json_to_recordset(%(duties)s) AS duty (manager bigint, starts float8[], ends float8[], before float8[])
                ON duty.manager = response.manager_id OFFSET 0  -- a place is found once, not wherever it is named
        ) placed OFFSET 0  -- nor is what was worked until then
    ) on_duty"""
INSTANTS = ("arrived_at", "assigned_at", "accepted_at")
CLOCKED = ON_DUTY.format(
    worked=", ".join(WORKED.format(instant=instant) for instant in INSTANTS),
    places=", ".join(f"width_bucket(date_part('epoch', {one}), starts) AS before_{one}" for one in INSTANTS),
)
Stretches = Sequence[tuple[datetime, datetime]]


def responses(
    *,
    start: datetime,
    end: datetime,
    zone: ZoneInfo,
    measure: str,
    target: float,
    source: int | None = None,
    manager: int | None = None,
    duties: Mapping[int, Stretches] | None = None,
) -> Responses:
    """Return how long the leads took that arrived in [start, end).

    measure: of MEASURES, for all but the summary; target: seconds; duties: by manager, to count working seconds alone.
    """
    between = WALL if duties is None else WORKING
    text = RESPONSES.format(
        seconds=", ".join(between.format(start=a, end=b, measure=name) for name, (a, b) in MEASURES.items()),
        clocked="response" if duties is None else CLOCKED,
        arrays=", ".join(ARRAY.format(measure=name) for name in MEASURES),
        wholes=" UNION ALL ".join(WHOLE.format(measure=name) for name in MEASURES),
        measure=measure,
    )
    parameters: dict[str, Any] = {"start": start, "end": end, "horizon": end + WATCHED, "target": target, "source": source,
                  "manager": manager, "duties": json.dumps([_side_by_side(*duty) for duty in (duties or {}).items()])}  # fmt: skip
    parameters["changes"], parameters["offsets"] = map(list, zip(*periods.offsets(start, end, zone), strict=True))
    found: dict[str, dict[Any, Times]] = defaultdict(dict)
    for kind, key, *times in rows(text, parameters, hashing=True):
        found[kind][key] = Times(*times)
    return Responses(
        arrived=found["arrived"][None].leads,
        whole={name: found[name].get(None, NO_TIMES) for name in MEASURES},
        by_source=found["source"],
        by_manager=found["manager"],
        by_hour={divmod(hour, 24): times for hour, times in found["hour"].items()},
    )


def _side_by_side(manager: int, stretches: Stretches) -> dict[str, Any]:
    """Return the stretches of duty as arrays of seconds, with what was worked before each."""
    lengths = [(end - start).total_seconds() for start, end in stretches]
    return {
        "manager": manager,
        "starts": [start.timestamp() for start, _ in stretches],
        "ends": [end.timestamp() for _, end in stretches],
        "before": list(accumulate(lengths, initial=0.0))[:-1],
    }


# Redistribution


class Offers(NamedTuple):
    """What became of the offers to one manager by one trigger."""

    manager: int
    trigger: int
    outcome: str  # of Offer.Outcome; "" is open
    offers: int


Narrowed = Mapping[str, Any]  # columns of a filter


def offers(*, start: datetime, end: datetime, **narrowed: int | None) -> list[Offers]:
    """Return what became of the offers made in [start, end)."""
    found = _offers(start, end, narrowed).order_by().values_list("manager", "trigger", "outcome")
    return [Offers._make(row) for row in found.annotate(count=Count("*"))]


def offers_a_lead(*, start: datetime, end: datetime, **narrowed: int | None) -> dict[int, int]:
    """Return how many leads were offered once, twice, and so on in [start, end)."""
    each = _offers(start, end, narrowed).order_by().values("lead").annotate(times=Count("*")).values("times")
    query, parameters = each.query.sql_with_params()
    text = f"SELECT times, count(*) FROM ({query}) one GROUP BY times ORDER BY times"  # nosec B608  # SQL of the ORM
    with connection.cursor() as cursor:
        cursor.execute(text, parameters)
        return dict(cursor.fetchall())


def decline_reasons(*, start: datetime, end: datetime, **narrowed: int | None) -> list[tuple[str, int]]:
    """Return what managers said when they declined, the most frequent first."""
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
    """Return where the leads stand today that arrived in [start, end)."""
    kinds = dict(Stage.objects.values_list("pk", "kind"))
    wanted = {name: value for name, value in narrowed.items() if value is not None}
    leads = Lead.objects.filter(arrived_at__gte=start, arrived_at__lt=end, **wanted).order_by()
    found = leads.values_list("source", "responsible", "stage").annotate(count=Count("*"))
    return [Outcome(source, manager, kinds[stage], count) for source, manager, stage, count in found]


# Workload


def assigned(*, start: datetime, end: datetime) -> dict[int, int]:
    """Return how many times each manager was given a lead in [start, end)."""
    found = Decision.objects.filter(outcome="assigned", at__gte=start, at__lt=end).order_by()
    return {manager: count for manager, count in found.values_list("chosen").annotate(count=Count("*")) if manager}


def loads() -> dict[int, dict[int, int]]:
    """Return the leads that managers hold now, by stage."""
    held: dict[int, dict[int, int]] = defaultdict(dict)
    for manager, stage, leads in Load.objects.filter(leads__gt=0).values_list("manager", "stage", "leads"):
        held[manager][stage] = leads
    return held


# Waiting leads


class Waiting(NamedTuple):
    """Leads of one trigger that wait."""

    trigger: int
    leads: int
    oldest: datetime


def waiting(*, start: datetime, end: datetime) -> list[Waiting]:
    """Return the leads that came in [start, end) and wait, by trigger."""
    leads = Lead.objects.waiting().filter(created_at__gte=start, created_at__lt=end).order_by()
    found = leads.values_list("trigger").annotate(count=Count("*"), oldest=Min("created_at"))
    return [Waiting._make(row) for row in found.order_by("trigger")]


# What the last decision saw is why a lead waits; a lead counts once for each reason that any of its candidates had.
REASONS = """
WITH waiting AS (
    SELECT lead.id, decision.reason, decision.refusals FROM routing_lead lead LEFT JOIN LATERAL (
        SELECT reason, refusals FROM routing_decision WHERE lead_id = lead.id ORDER BY id DESC LIMIT 1) decision ON true
    WHERE lead.state = 'waiting' AND lead.created_at >= %(start)s AND lead.created_at < %(end)s
)
SELECT refusal.reason, count(DISTINCT id), count(*) FROM waiting, LATERAL (
    SELECT value AS reason FROM jsonb_each_text(refusals)
    UNION ALL SELECT coalesce(waiting.reason, 'undecided') WHERE waiting.reason IS DISTINCT FROM 'nobody') refusal
GROUP BY 1 ORDER BY 2 DESC, 1
"""


def waiting_reasons(*, start: datetime, end: datetime) -> list[tuple[str, int, int]]:
    """Return why leads wait: reason, leads for which somebody had it, candidates who had it."""
    return [(reason, leads, times) for reason, leads, times in rows(REASONS, {"start": start, "end": end})]
