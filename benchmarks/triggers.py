"""What it costs that leads of one request come by several triggers: alternating between two ÷ all by one.

    python -m leadrouter.development up -- python -m benchmarks.triggers [--rounds N] [--leads N] [--triggers N]

In one process without a server, by turns in one run; processor time of this process and of its PostgreSQL session, so that
a busy machine changes little. Prints milliseconds a lead and the ratio, and ends with 1 when the ratio is above 1.2.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from statistics import median
from typing import Any

import django

MOST = 1.2
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--leads", type=int, default=400)
    parser.add_argument("--triggers", type=int, default=2)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    django.setup()
    from benchmarks.harness import drop_database, make_database  # Django comes first

    make_database()
    try:
        ratio = measure(options.rounds, options.leads, options.triggers)
    finally:
        drop_database()
    return 0 if ratio <= MOST else 1


def measure(rounds: int, leads: int, triggers: int) -> float:
    """Take the same number of leads by one trigger and by several, by turns; return the ratio of the medians."""
    source, stages = prepare(triggers)
    costs: dict[str, list[float]] = {"one": [], "several": []}
    for number in range(rounds + 1):  # the first plans the statements
        for name, places in (
            (("one", stages[:1]), ("several", stages))
            if number % 2
            else (
                ("several", stages),
                ("one", stages[:1]),
            )
        ):
            cost = take(leads, places, source)
            if number:
                costs[name].append(cost)
    one, several = (1_000 * median(costs[name]) / leads for name in ("one", "several"))
    print(f"one trigger {one:.2f} ms a lead, {triggers} triggers in turn {several:.2f} ms: ratio {several / one:.2f}")
    return several / one


def prepare(triggers: int) -> tuple[int, list[str]]:
    from accounts.models import Manager, User
    from routing.models import Member, Pipeline, Source, Stage, Trigger

    team = [Manager.objects.create(user=User.objects.create(email=f"m{n}@example.com")) for n in range(10)]
    pipeline = Pipeline.objects.create(code="sales", title="Sales")
    for number in range(triggers):
        stage = Stage.objects.create(pipeline=pipeline, code=f"s{number}", kind="open", position=number)
        trigger = Trigger.objects.create(code=f"t{number}", stage=stage, on=["created"])
        Member.objects.bulk_create(Member(trigger=trigger, manager=m, position=p) for p, m in enumerate(team))
    source = Source.objects.create(code="form", title="Form", channel="site")
    return source.pk, [f"s{number}" for number in range(triggers)]


def take(leads: int, stages: list[str], source: int) -> float:
    """Take leads whose stages go round; return the seconds of processor that it took."""
    from accounts.time import clock
    from routing.services.intake import take_leads

    take.sent = getattr(take, "sent", 0) + leads  # type: ignore[attr-defined]
    forms: list[dict[str, Any]] = [
        {"stage": stages[n % len(stages)], "contact": {"email": f"p{take.sent - n}@example.com"}}  # type: ignore[attr-defined]
        for n in range(leads)
    ]
    began = processor()
    take_leads(forms, source_id=source, at=clock.now())
    return processor() - began


def processor() -> float:
    """Return the processor time of this process and of its session."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [session] = cursor.fetchone()
    return time.process_time() + time_of(session)


def time_of(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:  # nanoseconds; `stat` counts hundredths
            return int(file.read().split()[0]) / 1e9
    except OSError:  # another machine's, or a kernel without it
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
