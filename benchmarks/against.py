"""This build against that of another commit: `python -m benchmarks --against COMMIT`.

Both serve at once, each from a database of its own, and are asked by turns; which is asked first changes with each round.
Every figure is the median of the rounds' ratios, with the lowest and the highest. Below 1 is better, but for rates.
"""

from __future__ import annotations

import html
import itertools
import re
import statistics
import urllib.request
from collections.abc import Callable
from typing import Any

from .builds import ROOT, Build, checked_out, running
from .harness import Load, load

numbers = itertools.count(1)
PEOPLE = 200  # who write again and again


def lead(person: int, pipeline: str = "team") -> dict[str, Any]:
    """Return a lead by the person of that number."""
    return {
        "name": "Demo request",
        "pipeline": pipeline,
        "contact": {"name": "Ana Ruiz", "email": f"a{person}@example.com", "phone": f"+3461{person:07}"},
        "budget": "1200.00",
        "currency": "EUR",
        "language": "es",
        "country": "ES",
        "product": "crm",
        "tags": ["demo"],
        "utm": {"source": "google"},
        "fields": {"employees": 240},
        "comment": f"Please call in the morning of day {next(numbers)}.",
    }


def take(build: Build, body: Callable[[int], Any], *, requests: int = 400, clients: int = 8, **asked: Any) -> Load:
    done = load(build.server, "/api/v1/leads", body, requests=requests, clients=clients, key=build.key, **asked)
    assert set(done.statuses) == {201}, (build.name, done.statuses)
    return done


def new_people(build: Build) -> Load:
    return take(build, lambda _: lead(next(numbers) + PEOPLE))


def known_people(build: Build) -> Load:
    return take(build, lambda number: lead(number % PEOPLE))


def with_keys(build: Build) -> Load:
    """Take leads by new people, each with an `Idempotency-Key`."""
    return take(build, lambda _: lead(next(numbers) + PEOPLE), headers=lambda: f"Idempotency-Key: {next(numbers)}\r\n")


def bulk(build: Build, pipelines: tuple[str, ...] = ("team",)) -> Load:
    def body(_: int) -> list[dict[str, Any]]:
        return [lead(next(numbers) + PEOPLE, pipelines[n % len(pipelines)]) for n in range(1_000)]

    done = load(build.server, "/api/v1/leads/bulk", body, requests=2, clients=1, key=build.key)
    assert set(done.statuses) == {200}, (build.name, done.statuses)
    return done


def bulk_by_turns(build: Build) -> Load:
    return bulk(build, ("team", "other"))


def polls(page: str) -> Callable[[Build], Load]:
    """Return what asks a page for news when there are none."""

    def ask(build: Build) -> Load:
        cookie = build.manager if page == "/me/" else build.chief
        address = f"http://127.0.0.1:{build.server.port}{page}"
        asked = urllib.request.Request(address, headers={"Cookie": cookie, "Host": "localhost"})
        with urllib.request.urlopen(asked) as answer:
            [poll] = re.findall(r'id="live"[^>]* hx-get="([^"]+)"', answer.read().decode())
        headers = f"Cookie: {cookie}\r\nHX-Request: true\r\n"
        done = load(
            build.server, html.unescape(poll), None, requests=60, clients=2, method="GET", headers=lambda: headers
        )
        assert set(done.statuses) == {204}, (page, build.name, done.statuses)
        return done

    return ask


ROWS: dict[str, Callable[[Build], Load]] = {
    "new": new_people,
    "known": known_people,
    "keys": with_keys,
    "bulk": bulk,
    "turns": bulk_by_turns,
    "me": polls("/me/"),
    "board": polls("/board/"),
}


def compare(commit: str, rows: list[str], rounds: int) -> None:
    """Print a line a row: rate and processor time of this build ÷ the other's."""
    with checked_out(commit) as other, running(ROOT, "this") as this, running(other, "that") as that:
        for row in rows:
            measured: list[tuple[Load, Load]] = []
            for number in range(rounds + 1):
                turns = (this, that) if number % 2 else (that, this)
                loads = {build.name: ROWS[row](build) for build in turns}
                if number:  # the first warms
                    measured.append((loads["this"], loads["that"]))
            rate = told([a.rate / b.rate for a, b in measured])
            cpu = told([a.cpu / b.cpu for a, b in measured])
            ours, theirs = (shares(loads) for loads in zip(*measured, strict=True))
            print(f"{row:<8} rate × {rate}   CPU × {cpu}   {ours}; {theirs} ms a request", flush=True)


def shares(loads: tuple[Load, ...]) -> str:
    """Tell the median of the processor time a request, in the web and in the database."""
    web, database = (
        statistics.median(getattr(done, part) / done.count * 1000 for done in loads) for part in ("web", "database")
    )
    return f"{web:.2f} + {database:.2f}"


def told(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.2f} to {max(ratios):.2f})"
