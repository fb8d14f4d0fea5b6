"""How fast leads are taken and routed over HTTP, as ratios against a floor measured in the same run.

    python -m benchmarks                 every row, some minutes
    python -m benchmarks --rows floor,bulk --rounds 3
    python -m benchmarks --against 1711d8b --rounds 10     this build beside that of another commit

Machines are noisy: what is compared runs by turns, and the median of the rounds' ratios counts.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection
from django.db.models import F
from django.test import Client

from accounts.models import Manager, User
from routing import audit
from routing.models import ApiKey, Decision, Lead, Member, Offer, Pipeline, Registry, Source, Stage, Trigger

from . import against, reports
from .floor import TABLES
from .harness import Load, Server, copy_database, create_database, drop_database, load, make_database, median, serving
from .stored import fill

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

    def bulk(self, server: Server, *, requests: int, leads: int, pipeline: str = "sales", clients: int = 4) -> Load:
        done = load(
            server,
            "/api/v1/leads/bulk",
            lambda _: [self.lead(n, pipeline) for n in range(leads)],
            requests=requests,
            clients=clients,
            key=self.key,
        )
        assert set(done.statuses) == {200}, done.statuses
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
            bulk = bench.bulk(product, requests=3, leads=1_000, clients=1)
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


SMALL, LARGE = 10_000, 1_000_000


def stored_leads(bench: Bench) -> Iterator[Row]:
    """The slowest of a hundred with a million leads stored against ten thousand: two databases, asked by turns."""
    trigger = Trigger.objects.get(code="sales")
    about = {
        "total": LARGE,
        "source": bench.source,
        "trigger": trigger,
        "managers": [manager.pk for manager in bench.managers],
    }
    few = f"{connection.settings_dict['NAME']}_few"
    fill(1, SMALL, **about)
    copy_database(few)
    try:
        fill(SMALL + 1, LARGE, **about)
        with serving("benchmarks.settings") as many, serving("benchmarks.settings", database=few) as little:
            for server in (many, little):
                bench.take(server, requests=WARM)
            rounds = [
                (bench.take(many, requests=1_000), bench.take(little, requests=1_000)) for _ in range(bench.rounds)
            ]
    finally:
        drop_database(few)
    yield Row(
        "p99 at 1,000,000 leads / at 10,000",
        median([a.p99 / b.p99 for a, b in rounds]),
        1.1,
        1.25,
        more_is_better=False,
        besides=f"{median([a.p99 for a, _ in rounds]) * 1000:.0f} ms; {median([b.p99 for _, b in rounds]) * 1000:.0f} ms; "
        f"CPU ratio {median([a.cpu / b.cpu for a, b in rounds]):.2f}",
    )


def memory(bench: Bench) -> Iterator[Row]:
    """A worker's memory after 100,000 leads against that after 1,000: half of the thousand one by one, half in bulk."""
    with serving("benchmarks.settings", workers=1) as product:
        bench.take(product, requests=500)
        bench.bulk(product, requests=8, leads=63)
        first = product.memory()
        for _ in range(18):
            bench.take(product, requests=500)
            bench.bulk(product, requests=50, leads=100)
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


UPLOADS, UPLOAD_ROWS, PACE = 16, 5_000, 10  # PACE: requests a second of each client


def uploads(bench: Bench) -> Iterator[Row]:
    """Intake at a steady pace, alone and while 16 people upload a table of 5,000 rows each and look at its preview."""
    cookies = [_signed_in(f"s{n}@example.com") for n in range(UPLOADS)]
    lines = "".join(f"Person {n},p{n}@example.com,+3460{n:07}\n" for n in range(UPLOAD_ROWS))
    table = ("name,email,phone\n" + lines).encode()
    with serving("benchmarks.settings") as product:
        bench.take(product, requests=WARM)
        rounds = []
        for _ in range(bench.rounds):
            over = threading.Event()
            threading.Timer(8, over.set).start()
            quiet = _paced(bench, product, over)
            over, answers = threading.Event(), []
            people = [threading.Thread(target=_upload, args=(product, c, table, answers)) for c in cookies]

            def all_done(people: list[threading.Thread] = people, over: threading.Event = over) -> None:
                for person in people:
                    person.start()
                for person in people:
                    person.join()
                over.set()

            threading.Thread(target=all_done).start()
            began = time.monotonic()
            busy = _paced(bench, product, over)
            assert answers == [200] * UPLOADS, answers
            rounds.append((quiet, busy, time.monotonic() - began))
    yield Row(
        f"p95 of intake beside {UPLOADS} uploads of {UPLOAD_ROWS:,} rows / alone",
        median([_p95(busy) / _p95(quiet) for quiet, busy, _ in rounds]),
        1.25,
        1.5,
        more_is_better=False,
        besides=f"{1000 * median([_p95(b) for _, b, _ in rounds]):.0f} ms; "
        f"{1000 * median([_p95(q) for q, *_ in rounds]):.0f} ms; uploads done in {median([s for *_, s in rounds]):.1f} s",
    )


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


def _signed_in(email: str) -> str:
    """Return the cookies of a session of an administrator."""
    user = User.objects.create_superuser(email=email, password=None, name=email)
    browser = Client(headers={"host": "localhost"})
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    browser.get("/admin/routing/leadimport/add/")
    return "; ".join(f"{name}={cookie.value}" for name, cookie in browser.cookies.items() if cookie.value)


def _paced(bench: Bench, server: Server, over: threading.Event) -> list[float]:
    """Send leads from two clients at a steady pace until it is over; return how long each answer took."""
    taken: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        due = time.monotonic()
        while not over.is_set():
            due += 1 / PACE
            time.sleep(max(0, due - time.monotonic()))
            began = time.perf_counter()
            headers = {"Authorization": f"Bearer {bench.key}", "Content-Type": "application/json", "Host": "localhost"}
            connection.request("POST", "/api/v1/leads", json.dumps(bench.lead(0)), headers)
            answer = connection.getresponse()
            answer.read()
            taken.append(time.perf_counter() - began)
            assert answer.status == 201, answer.status
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(2)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    return taken


def _upload(server: Server, cookie: str, table: bytes, answers: list[int]) -> None:
    """Upload a table as a browser does, and look at what would become of it."""
    token = dict(part.split("=", 1) for part in cookie.split("; "))["csrftoken"]
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    fields = b"".join(
        part % pair for pair in ((b"csrfmiddlewaretoken", token.encode()), (b"encoding", b""), (b"delimiter", b""))
    )
    file = b'--x\r\nContent-Disposition: form-data; name="file"; filename="t.csv"\r\nContent-Type: text/csv\r\n\r\n'
    headers = {"Cookie": cookie, "Host": "localhost", "Content-Type": "multipart/form-data; boundary=x"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.request("POST", "/admin/routing/leadimport/add/", fields + file + table + b"\r\n--x--\r\n", headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status == 302:
        connection.request("GET", answer.headers["Location"], headers={"Cookie": cookie, "Host": "localhost"})
        answer = connection.getresponse()
        answer.read()
    answers.append(answer.status)
    connection.close()


OVERDUE = 10_000


def overdue_offers(bench: Bench) -> Iterator[Row]:
    """Ten thousand offers out of time at once: one sweep alone, then two at the same moment."""
    managers = [bench._manager(n) for n in range(20, 40)]
    registry = Registry.objects.create(code="missed", refund_missed=True)
    trigger = bench.pipeline("offers", managers)
    facts = {"acceptance_minutes": 10, "acceptance_clock": "working", "final_step": "restart", "registry": registry}
    Trigger.objects.filter(pk=trigger.pk).update(**facts, also_assign=["contact", "company", "tasks"])
    with serving("benchmarks.settings") as product:
        bench.bulk(product, requests=OVERDUE // 500, leads=500, pipeline="offers", clients=1)
    alone, twice = _swept(sweeps=1), _swept(sweeps=2)
    yield Row(
        f"seconds until {OVERDUE:,} overdue offers are redistributed, one sweep",
        alone[0],
        30,
        60,
        more_is_better=False,
        besides=f"two sweeps {twice[0]:.1f} s",
    )
    yield Row(
        "of them missed, or redistributed twice by two sweeps",
        abs(OVERDUE - alone[1]) + abs(OVERDUE - twice[1]) + sum(1 for _ in audit.violations(decisions=False)),
        0,
        0,
        more_is_better=False,
    )


def _swept(*, sweeps: int) -> tuple[float, int]:
    """Let all open offers run out; return the seconds until the sweeps are done, and how many were redistributed."""
    Offer.objects.open().update(offered_at=F("offered_at") - timedelta(days=1), accept_by=F("offered_at"))
    command = [sys.executable, "manage.py", "sweep"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    closed = Offer.objects.filter(outcome=Offer.Outcome.TIMED_OUT).count()
    started = time.monotonic()
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(sweeps)]
    for process in running:
        assert process.wait() == 0
    seconds = time.monotonic() - started
    assert Offer.objects.open().count() == OVERDUE
    return seconds, Offer.objects.filter(outcome=Offer.Outcome.TIMED_OUT).count() - closed


ROWS: dict[str, Callable[[Bench], Iterator[Row]]] = {
    "floor": against_the_floor,
    "registries": one_hot_registry,
    "members": many_members,
    "bulk": in_bulk,
    "promises": promises,
    "memory": memory,
    "stored": stored_leads,
    "reports": every_report,
    "overdue": overdue_offers,
    "uploads": uploads,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help=f"some of {','.join(ROWS)}; with --against, of {','.join(against.ROWS)}")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--against", metavar="COMMIT", help="compare with the build of that commit")
    options = parser.parse_args(arguments)
    possible = against.ROWS if options.against else ROWS
    rows = options.rows.split(",") if options.rows else list(possible)
    if unknown := set(rows) - set(possible):
        parser.error(f"--rows: {', '.join(sorted(unknown))}: not one of {', '.join(possible)}")
    if options.against:
        create_database()  # that the processor time of the database can be asked for
        try:
            against.compare(options.against, rows, options.rounds)
        finally:
            drop_database()
        return 0
    short = 0
    for name in rows:
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
