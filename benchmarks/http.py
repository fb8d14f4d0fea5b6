"""How fast leads are taken and routed over HTTP, as ratios against a floor measured in the same run.

    python -m benchmarks                 every row, some minutes
    python -m benchmarks --rows floor,bulk --rounds 3

Machines are noisy: what is compared runs by turns, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from django.db import connection

from accounts.models import Manager, User
from routing import audit
from routing.models import ApiKey, Decision, Lead, Lineup, Member, Pipeline, Registry, Source, Stage, Trigger

from . import reports
from .floor import TABLES
from .harness import Load, Server, drop_database, load, make_database, median, serving

WARM = 400  # requests before anything is measured
ROUNDS = 5


@dataclass(slots=True)
class Row:
    """One line of the table."""

    what: str
    value: float
    reach: float
    passes: float
    more_is_better: bool = True
    besides: str = ""

    @property
    def verdict(self) -> str:
        beats = (lambda bound: self.value >= bound) if self.more_is_better else (lambda bound: self.value <= bound)
        return "reached" if beats(self.reach) else "pass" if beats(self.passes) else "FALLS SHORT"

    def __str__(self) -> str:
        goals = f"reach {self.reach:g}, pass {self.passes:g}"
        return f"{self.what:<66} {self.value:8.3f}   {goals:<24} {self.verdict:<12} {self.besides}"


class Bench:
    """A set-up account and its key."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.sent = 0
        self.source = Source.objects.create(code="form", title="Form", channel="site")
        key = ApiKey(name="bench", source=self.source, scopes=["intake", "read"])
        self.key = key.renew()
        key.save()
        self.managers = [self._manager(n) for n in range(10)]
        self.pipeline("sales", self.managers)

    def _manager(self, number: int) -> Manager:
        return Manager.objects.create(
            user=User.objects.create(email=f"m{number}@example.com", name=f"Manager {number}")
        )

    def pipeline(self, code: str, managers: list[Manager], *, limit: int | None = None) -> Trigger:
        """Make a pipeline with a trigger that counts in a registry of its own."""
        pipeline = Pipeline.objects.create(code=code, title=code, position=Pipeline.objects.count())
        for position, (stage, kind) in enumerate((("new", "open"), ("accepted", "open"), ("won", "won"))):
            Stage.objects.create(pipeline=pipeline, code=stage, kind=kind, position=position)
        trigger = Trigger.objects.create(code=code, stage=pipeline.stages.get(code="new"), on=["created"], limit=limit)
        Member.objects.bulk_create(
            Member(trigger=trigger, manager=manager, coefficient=1 + n % 3, position=n)
            for n, manager in enumerate(managers)
        )
        return trigger

    def lead(self, number: int, pipeline: str = "sales") -> dict[str, object]:
        """Return the body of a new lead by a person never seen before."""
        self.sent += 1
        return {
            "name": "Demo request",
            "pipeline": pipeline,
            "contact": {"name": "Ana Ruiz", "email": f"a{self.sent}@example.com", "phone": f"+3461{self.sent:07}"},
            "budget": "1200.00",
            "currency": "EUR",
            "language": "es",
            "country": "ES",
            "product": "crm",
            "tags": ["demo"],
            "utm": {"source": "google"},
            "fields": {"employees": 240},
            "comment": "Please call in the morning.",
        }

    def take(self, server: Server, *, requests: int = 800, clients: int = 8, pipelines: int = 1) -> Load:
        names = ["sales"] if pipelines == 1 else [f"p{n}" for n in range(pipelines)]
        done = load(
            server,
            "/api/v1/leads",
            lambda n: self.lead(n, names[n % len(names)]),
            requests=requests,
            clients=clients,
            key=self.key,
        )
        assert set(done.statuses) == {201}, done.statuses
        return done

    def floor(self, server: Server, path: str, *, requests: int = 800, clients: int = 8) -> Load:
        done = load(server, path, self.lead, requests=requests, clients=clients)
        assert set(done.statuses) == {201}, done.statuses
        return done


def against_the_floor(bench: Bench) -> Iterator[Row]:
    """Rate and processor time against the floor, at 8 and 32 clients."""
    with serving("benchmarks.settings") as product, serving("benchmarks.floor_settings") as floor:
        bench.take(product, requests=WARM)
        bench.floor(floor, "/sql", requests=WARM)
        bench.floor(floor, "/orm", requests=WARM)
        rounds = [
            (
                bench.take(product),
                bench.floor(floor, "/sql"),
                bench.floor(floor, "/orm"),
                bench.take(product, clients=32),
                bench.floor(floor, "/sql", clients=32),
            )
            for _ in range(bench.rounds)
        ]
    eight, sql, orm, many, sql_many = ([r[i] for r in rounds] for i in range(5))

    def said(loads: list[Load]) -> str:
        web, database = (median([getattr(x, of) / x.count * 1000 for x in loads]) for of in ("web", "database"))
        return f"{median([x.rate for x in loads]):.0f}/s, CPU {web:.2f} + {database:.2f} ms"

    yield Row(
        "intake with decision / floor, 8 clients: rate",
        median([a.rate / b.rate for a, b in zip(eight, sql, strict=True)]),
        0.6,
        0.45,
        besides=f"{said(eight)}; floor {said(sql)}",
    )
    yield Row(
        "intake with decision / DRF + serializer + ORM: CPU a lead",
        median([a.cpu / b.cpu for a, b in zip(eight, orm, strict=True)]),
        0.65,
        1.0,
        more_is_better=False,
        besides=f"ORM {said(orm)}",
    )
    yield Row(
        "(32 clients / 8 clients) / the floor's own",
        median([(a32.rate / a8.rate) / (f32.rate / f8.rate) for a8, f8, _, a32, f32 in rounds]),
        0.9,
        0.8,
        besides=f"32 clients: {said(many)}; floor {said(sql_many)}",
    )


def one_hot_registry(bench: Bench) -> Iterator[Row]:
    """All leads through one registry against ten registries."""
    for n in range(10):
        bench.pipeline(f"p{n}", bench.managers)
    with serving("benchmarks.settings") as product:
        bench.take(product, requests=WARM, pipelines=10)
        rounds = [(bench.take(product), bench.take(product, pipelines=10)) for _ in range(bench.rounds)]
    yield Row("one hot registry / ten registries, 8 clients", median([a.rate / b.rate for a, b in rounds]), 0.85, 0.7)


def many_members(bench: Bench) -> Iterator[Row]:
    """A thousand members of one trigger against ten."""
    people = [bench._manager(n) for n in range(1_000, 2_000)]
    bench.pipeline("crowd", people)
    with serving("benchmarks.settings") as product:
        rounds = []
        for n in range(bench.rounds + 1):
            few = bench.take(product, requests=400)
            crowd = load(
                product, "/api/v1/leads", lambda n: bench.lead(n, "crowd"), requests=400, clients=8, key=bench.key
            )
            if n:  # the first warms
                rounds.append((crowd, few))
    few_cpu, crowd_cpu = median([b.cpu for _, b in rounds]), median([a.cpu for a, _ in rounds])
    yield Row(
        "CPU per decision: 1,000 members / 10",
        median([a.cpu / b.cpu for a, b in rounds]),
        1.3,
        2.0,
        more_is_better=False,
        besides=f"{crowd_cpu:.2f} ms; {few_cpu:.2f} ms",
    )


def in_bulk(bench: Bench) -> Iterator[Row]:
    """A thousand leads in one request against a thousand requests."""
    with serving("benchmarks.settings") as product:
        bench.take(product, requests=WARM)
        rounds = []
        for _ in range(bench.rounds):
            bulk = load(
                product,
                "/api/v1/leads/bulk",
                lambda _: [bench.lead(n) for n in range(1_000)],
                requests=3,
                clients=1,
                key=bench.key,
            )
            assert set(bulk.statuses) == {200}, bulk.statuses
            rounds.append((bulk, bench.take(product, requests=1_000, clients=1), bench.take(product, requests=1_000)))
    yield Row(
        "bulk of 1,000 / the same one by one, 8 clients: leads/s",
        median([1_000 * a.rate / c.rate for a, _, c in rounds]),
        10,
        5,
        besides=f"{median([1_000 * a.rate for a, *_ in rounds]):.0f} leads/s; "
        f"/ one client: {median([1_000 * a.rate / b.rate for a, b, _ in rounds]):.1f}",
    )


def promises(bench: Bench) -> Iterator[Row]:
    """10,000 leads from 32 clients: how exact, and is anything lost, doubled, or past a limit."""
    managers = [bench._manager(n) for n in range(100, 112)]
    trigger = bench.pipeline("exact", managers)
    limited = bench.pipeline("limited", managers, limit=1_100)
    before = Lead.objects.count()
    with serving("benchmarks.settings") as product:
        for code in ("exact", "limited"):
            load(
                product,
                "/api/v1/leads",
                lambda n, code=code: bench.lead(n, code),
                requests=10_000 if code == "exact" else 2_000,
                clients=32,
                key=bench.key,
            )
    lost = before + 12_000 - Lead.objects.count()
    doubled = Decision.objects.filter(trigger=trigger).count() - 10_000
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM routing_member m JOIN (SELECT manager_id, sum(leads) AS held FROM routing_load GROUP BY 1) l"
            " USING (manager_id) WHERE m.trigger_id = %s AND l.held > greatest(1100, (SELECT count(*) FROM routing_decision d"
            " WHERE d.chosen_id = m.manager_id AND d.trigger_id = %s))",
            [limited.pk, trigger.pk],
        )
        over = cursor.fetchone()[0]
    broken = list(audit.violations(decisions=False))
    for line in broken:
        print("  ", line)
    yield Row(
        "distance from the exact share, 32 clients, 10,000 leads", worst_distance(trigger), 1, 2, more_is_better=False
    )
    yield Row(
        "limit overruns, lost, doubled, broken promises",
        over + abs(lost) + abs(doubled) + len(broken),
        0,
        0,
        more_is_better=False,
    )


def worst_distance(trigger: Trigger) -> float:
    """Return by how many leads anybody was ever away from the exact share; all are eligible all the time."""
    members = dict(Member.objects.filter(trigger=trigger).values_list("manager", "coefficient"))
    total, received, worst = sum(members.values()), Counter[int](), 0.0
    turns = Decision.objects.filter(trigger=trigger, counted=True).order_by("turn").values_list("chosen", flat=True)
    for n, chosen in enumerate(turns, 1):
        received[chosen] += 1
        worst = max(worst, *(abs(received[m] - n * c / total) for m, c in members.items()))
    return worst


# A million leads as intake would have left them; what is held is spread over the managers, most of it closed long ago.
STORED = """
INSERT INTO routing_contact (id, name, email, phone, chat, email_key, phone_key, created_at)
SELECT gen_random_uuid(), 'Stored', 's' || n || '@example.org', '', '', 's' || n || '@example.org', NULL, now()
FROM generate_series(%(first)s, %(last)s) n;
INSERT INTO routing_lead (id, source_id, external_id, name, contact_id, stage_id, state, responsible_id, score, currency, language,
    country, region, postal_code, product, tags, utm, fields, comment, arrived_unqualified, arrived_at, created_at,
    trigger_id, round, attempt)
SELECT gen_random_uuid(), %(source)s, 'stored-' || n, 'Stored', c.id, CASE WHEN n %% 20 = 0 THEN %(open)s ELSE %(won)s END, 'assigned',
    (%(managers)s)[1 + n %% array_length(%(managers)s, 1)], 0, '', '', '', '', '', '', '{}', '{}', '{}', '', false,
    now() - n * interval '20 seconds', now() - n * interval '20 seconds', %(trigger)s, 1, 0
FROM generate_series(%(first)s, %(last)s) n JOIN routing_contact c ON c.email_key = 's' || n || '@example.org';
INSERT INTO routing_decision (lead_id, at, trigger_id, registry_id, method, attempt, outcome, chosen_id, reason, turn, counted,
    lineup_id, held, balances, last_turns, refusals)
SELECT id, created_at, %(trigger)s, %(registry)s, 'fair_share', 1, 'assigned', responsible_id, 'fair_share', 0, false,
    (SELECT min(id) FROM routing_lineup), %(managers)s, %(managers)s, %(managers)s, '{}'
FROM routing_lead JOIN generate_series(%(first)s, %(last)s) n ON external_id = 'stored-' || n WHERE source_id = %(source)s
"""


def stored_leads(bench: Bench) -> Iterator[Row]:
    """The slowest of a hundred with a million leads stored against ten thousand."""
    small = fill_and_measure(bench, 1, 10_000)
    large = fill_and_measure(bench, 10_001, 1_000_000)
    yield Row(
        "p99 at 1,000,000 leads / at 10,000",
        median([x.p99 for x in large]) / median([x.p99 for x in small]),
        1.1,
        1.25,
        more_is_better=False,
        besides=f"{median([x.p99 for x in large]) * 1000:.0f} ms; "
        f"CPU ratio {median([x.cpu for x in large]) / median([x.cpu for x in small]):.2f}",
    )


def fill_and_measure(bench: Bench, first: int, last: int) -> list[Load]:
    trigger = Trigger.objects.get(code="sales")
    stages = {stage.code: stage.pk for stage in Stage.objects.filter(pipeline__code="sales")}
    managers = [manager.pk for manager in bench.managers]
    Lineup.objects.get_or_create(
        digest="stored", defaults={"managers": managers, "coefficients": managers, "limits": managers}
    )
    parameters = {
        "first": first,
        "last": last,
        "source": bench.source.pk,
        "open": stages["accepted"],
        "won": stages["won"],
        "managers": managers,
        "trigger": trigger.pk,
        "registry": Registry.objects.get(trigger=trigger).pk,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(STORED, parameters)
        cursor.execute("ANALYZE")
        cursor.execute("CHECKPOINT")
    with serving("benchmarks.settings") as product:
        bench.take(product, requests=WARM)
        return [bench.take(product, requests=1_000) for _ in range(bench.rounds)]


def memory(bench: Bench) -> Iterator[Row]:
    """A worker's memory after 100,000 leads against that after 1,000."""
    with serving("benchmarks.settings", workers=1) as product:
        bench.take(product, requests=1_000)
        first = product.memory()
        bench.take(product, requests=99_000)
        last = product.memory()
    yield Row(
        "memory of a web worker after 100,000 leads / after 1,000",
        last / first,
        1.05,
        1.1,
        more_is_better=False,
        besides=f"{last:.0f} MiB; {first:.0f} MiB",
    )


def every_report(bench: Bench) -> Iterator[Row]:
    """The pages of reports with a million leads of one year stored."""
    make_database()
    for page, seconds, busy in reports.measure(bench.rounds):
        yield Row(
            f"ms of the report: {page}",
            1000 * seconds,
            300,
            1_000,
            more_is_better=False,
            besides=f"processor {1000 * busy:.0f} ms",
        )


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "floor": against_the_floor,
    "registries": one_hot_registry,
    "members": many_members,
    "bulk": in_bulk,
    "promises": promises,
    "memory": memory,
    "stored": stored_leads,
    "reports": every_report,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help="some of: %(default)s")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    short = 0
    for name in options.rows.split(","):
        make_database()
        with ExitStack() as stack:
            stack.callback(drop_database)
            with connection.cursor() as cursor:
                cursor.execute(TABLES)
            for row in ROWS[name](Bench(options.rounds)):
                print(row, flush=True)
                short += row.verdict == "FALLS SHORT"
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
