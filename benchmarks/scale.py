"""How time and disk grow with leads, managers and registries: a table with ratios.

    python -m benchmarks.scale                                  a million leads, 10,000 managers, 1,000 registries
    python -m benchmarks.scale --leads 1000000,10000000         ten million: some 20 GB of disk

Decisions are made through the services, in one process; reports are asked for as pages, of so many leads in a year. `cpu`
is of that process and PostgreSQL together.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
django.setup()

from django.db import connection  # noqa: E402  Django comes first
from django.db.models import F  # noqa: E402

from accounts.models import Manager, User  # noqa: E402
from accounts.time import clock  # noqa: E402
from routing.models import Member, Offer, Pipeline, Stage, Trigger  # noqa: E402
from routing.services.intake import take_lead, take_leads  # noqa: E402
from routing.services.sweep import sweep  # noqa: E402

from .harness import database_cpu, drop_database, make_database, median  # noqa: E402
from .http import Bench  # noqa: E402
from .reports import measure  # noqa: E402
from .stored import fill  # noqa: E402

DECISIONS, ROUNDS = 200, 5
SWEPT = 200  # offers overdue at once
TABLES = ("routing_lead", "routing_contact", "routing_decision")


@dataclass(slots=True)
class Line:
    """What one size came to."""

    what: str
    size: int
    took: float  # ms, of a decision or a page
    cpu: float  # ms
    sweep: float | None = None  # ms an offer
    disk: float | None = None  # bytes a lead


def leads(sizes: Sequence[int]) -> Iterator[Line]:
    bench = Bench(ROUNDS)
    sales = Trigger.objects.get(code="sales")
    offers = bench.pipeline("offers", bench.managers)
    Trigger.objects.filter(pk=offers.pk).update(acceptance_minutes=10, final_step="restart")
    managers = [manager.pk for manager in bench.managers]
    stored = 0
    for size in sizes:
        fill(stored + 1, size, total=max(sizes), source=bench.source, trigger=sales, managers=managers)
        stored = size
        decision, cpu = per_decision(bench, lambda _: "sales")
        yield Line("leads", size, decision, cpu, per_offer(bench), disk() / size)


def managers(sizes: Sequence[int]) -> Iterator[Line]:
    bench = Bench(ROUNDS)
    users = User.objects.bulk_create(
        User(email=f"member{n}@example.com", name=f"Member {n}") for n in range(max(sizes))
    )
    people = Manager.objects.bulk_create(Manager(user=user) for user in users)
    for size in sizes:
        bench.pipeline(f"team{size}", people[:size])
        yield Line("managers", size, *per_decision(bench, lambda _, size=size: f"team{size}"))


def registries(sizes: Sequence[int]) -> Iterator[Line]:
    """Each pipeline's trigger counts in a registry of its own."""
    bench = Bench(ROUNDS)
    codes = [f"p{n}" for n in range(max(sizes))]
    pipelines = Pipeline.objects.bulk_create(Pipeline(code=c, title=c, position=1 + n) for n, c in enumerate(codes))
    stages = Stage.objects.bulk_create(Stage(pipeline=p, code="new", kind="open", position=0) for p in pipelines)
    made = 0
    for size in sizes:
        triggers = [Trigger(code=codes[n], stage=stages[n], on=["created"]) for n in range(made, size)]
        triggers = Trigger.objects.bulk_create(triggers)
        Member.objects.bulk_create(
            Member(trigger=trigger, manager=manager, position=n)
            for trigger in triggers
            for n, manager in enumerate(bench.managers)
        )
        made = size
        yield Line("registries", size, *per_decision(bench, lambda n, size=size: codes[n % size]))


def pages(sizes: Sequence[int]) -> Iterator[Line]:
    """Each report of leads that came evenly over a year, whatever their number."""
    for number, size in enumerate(sizes):
        if number:  # the first has an empty one
            make_database()
        for page, seconds, cpu in measure(ROUNDS, size):
            yield Line(page, size, seconds * 1000, cpu * 1000)


def per_decision(bench: Bench, pipeline: Callable[[int], str]) -> tuple[float, float]:
    """Return the milliseconds of a decision by the clock and of processor time; the median of the rounds."""
    spent = []
    for _ in range(ROUNDS + 1):  # the first warms
        forms = [form(bench, pipeline(n)) for n in range(DECISIONS)]
        started = time.perf_counter(), time.process_time() + database_cpu()
        for lead in forms:
            take_lead(lead, source_id=bench.source.pk, at=clock.now())
        ended = time.perf_counter(), time.process_time() + database_cpu()
        spent.append([(b - a) / DECISIONS * 1000 for a, b in zip(started, ended, strict=True)])
    return median([clock_ for clock_, _ in spent[1:]]), median([cpu for _, cpu in spent[1:]])


def per_offer(bench: Bench) -> float:
    """Return the milliseconds of a sweep for each of the offers that it redistributes; the median of the rounds."""
    spent = []
    for _ in range(ROUNDS):
        take_leads([form(bench, "offers") for _ in range(SWEPT)], source_id=bench.source.pk, at=clock.now())
        Offer.objects.open().update(offered_at=F("offered_at") - timedelta(days=1), accept_by=F("offered_at"))
        started = time.perf_counter()
        expired = sweep(at=clock.now()).expired
        spent.append((time.perf_counter() - started) / expired * 1000)
        Offer.objects.open().update(closed_at=clock.now(), outcome=Offer.Outcome.ACCEPTED)
    return median(spent)


def form(bench: Bench, pipeline: str) -> dict[str, object]:
    return {**bench.lead(0, pipeline), "budget": None}


def disk() -> float:
    """Return the bytes of what grows with each lead, indexes included."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(pg_total_relation_size(t::regclass)) FROM unnest(%s) t", [list(TABLES)])
        return float(cursor.fetchone()[0])


def told(line: Line, first: Line) -> str:
    text = (
        f"{line.what:<24}{line.size:>11,}  {line.took:8.2f} ms, cpu {line.cpu:8.2f} ms (x {line.cpu / first.cpu:5.2f})"
    )
    if line.sweep is not None and line.disk is not None:
        text += f", sweep {line.sweep:5.2f} ms an offer, {line.disk:5.0f} bytes a lead"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", default="10000,100000,1000000")
    parser.add_argument("--managers", default="10,100,1000,10000")
    parser.add_argument("--registries", default="1,10,100,1000")
    parser.add_argument("--reports", default="100000,1000000", help="leads of a year")
    options = parser.parse_args()
    for grow, written in (
        (leads, options.leads),
        (managers, options.managers),
        (registries, options.registries),
        (pages, options.reports),
    ):
        sizes = [int(size) for size in written.split(",") if size]
        if not sizes:
            continue
        make_database()
        try:
            first: dict[str, Line] = {}
            for line in grow(sizes):
                print(told(line, first.setdefault(line.what, line)), flush=True)
        finally:
            drop_database()


if __name__ == "__main__":
    main()
