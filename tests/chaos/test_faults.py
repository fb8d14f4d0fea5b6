"""One fault after the other in a real installation, each with its figure: what is promised while it lasts, and after."""

from __future__ import annotations

import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.effort import by_night
from tests.platform.processes import until

from .clients import Api, NoAnswer, NotSent, body_of
from .installation import Installation, Part, installed

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]

SLOW_MACHINE = 3.0  # figures of docs/reliability.md, times this: tests run beside others
numbers = count(10_000_000)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with installed(webs=2, workers=1, beats=2) as installation:
        yield installation


_clients: list[Api] = []


def client(installation: Installation, *ports: int) -> Api:
    """Return a client of these webs, of all without any; it is closed after the test."""
    _clients.append(Api(list(ports) or installation.ports, installation.key, seed=len(_clients), timeout=60))
    return _clients[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _clients:
        _clients.pop().close()


@pytest.fixture(autouse=True)
def well(installation: Installation) -> None:
    """Begin with everything running, nobody paused and nobody full."""
    installation.wait_until_ready()
    won = "UPDATE routing_lead SET stage_id = s.id FROM routing_stage s WHERE s.code = 'won' AND s.pipeline_id ="
    installation.execute(
        "UPDATE routing_offer SET closed_at = now(), outcome = 'withdrawn' WHERE closed_at IS NULL;"
        "UPDATE accounts_pause SET ended_at = now() WHERE ended_at IS NULL;"
        "UPDATE routing_lead SET state = 'idle', responsible_id = NULL WHERE state IN ('waiting', 'offered');"
        f"{won} (SELECT pipeline_id FROM routing_stage WHERE id = routing_lead.stage_id)"
    )


def take(api: Api, pipeline: str = "service") -> tuple[int, float, dict[str, object]]:
    """Send one lead; return status, seconds and the answer."""
    started = time.monotonic()
    status, headers, document = api.call("POST", "leads", body_of(next(numbers), pipeline))
    document = document or {}
    return status, time.monotonic() - started, {**document, "headers": headers}


def some(installation: Installation, number: int, pipeline: str = "service") -> list[float]:
    """Take some leads, one after the other; return how long each took."""
    api = client(installation)
    taken = [take(api, pipeline) for _ in range(number)]
    assert [status for status, *_ in taken] == [201] * number
    assert {answer["state"] for *_, answer in taken} <= {"assigned", "offered"}
    return sorted(seconds for _, seconds, _ in taken)


def age(installation: Installation, name: str) -> float:
    """Return how long ago something that must run was seen running."""
    statement = "SELECT extract(epoch FROM clock_timestamp() - at) FROM routing_heartbeat WHERE name = %s"
    return float(installation.value(statement, name))


def starts(installation: Installation) -> dict[str, int]:
    """Return how often each part was started that is not hurt here."""
    return {name: part.starts for name, part in installation.parts.items() if name not in ("redis", "postgresql")}


def settled(installation: Installation, *, seconds: float = 60) -> None:
    """Wait until worker and sweep have been seen after now."""
    before = time.monotonic()
    assert until(
        lambda: all(age(installation, name) < time.monotonic() - before for name in ("sweep", "worker")),
        seconds=seconds * SLOW_MACHINE,
    ), installation.logs()


# Redis


def test_leads_are_taken_and_assigned_while_redis_is_away_flushed_or_full(installation):
    before, begun = some(installation, 30), starts(installation)
    with installation.without("redis"):
        away = some(installation, 30)
        api = client(installation)
        started = time.monotonic()
        assert api.call("POST", "managers/m08@example.com/pause", {"minutes": 1})[0] == 200
        pause = time.monotonic() - started
        assert "offers out of time" in installation.manage("sweep")
    installation.redis().flushall()
    flushed = some(installation, 30)
    assert until(lambda: installation.redis().config_set("maxmemory", "1"), seconds=10)
    full = some(installation, 30)
    installation.redis().config_set("maxmemory", "0")
    settled(installation)
    again = {name for name, times in starts(installation).items() if times != begun[name]}
    assert again <= {"worker1"}, (
        installation.logs()
    )  # Celery may end a worker that loses a full broker; it is started again
    medians = [round(seconds[15] * 1000) for seconds in (before, away, flushed, full)]
    print(f"\nintake, median ms: before {medians[0]}, Redis away {medians[1]}, flushed {medians[2]}, full {medians[3]}")
    assert max(medians[1:]) - medians[0] <= 50 * SLOW_MACHINE
    assert pause <= 1.5 * SLOW_MACHINE


# PostgreSQL


def hurt(installation: Installation, how: str) -> None:
    part = installation.parts["postgresql"]
    if how == "killed":
        part.kill()
    elif how == "restarted":
        part.end(signal.SIGINT)
    else:
        installation.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'leadrouter'"
        )


@pytest.mark.parametrize("how", ["killed", "restarted", "cut off"])
def test_connections_heal_by_themselves(installation, how):
    some(installation, 4)
    begun = starts(installation)
    process = installation.parts["postgresql"].process
    hurt(installation, how)
    assert how == "cut off" or until(lambda: process.poll() is not None, seconds=30)
    assert until(installation.database_answers, seconds=60)
    up = time.monotonic()
    for port in installation.ports:
        api = client(installation, port)
        assert until(lambda api=api: answers(api), seconds=5 * SLOW_MACHINE), installation.logs()
    web = time.monotonic() - up
    settled(installation, seconds=15)
    print(
        f"\nPostgreSQL {how}: both webs took leads {web:.1f} s after it was up, the sweep {time.monotonic() - up:.1f} s"
    )
    assert starts(installation) == begun, installation.logs()


def answers(api: Api) -> bool:
    try:
        return take(api)[0] == 201
    except (NotSent, NoAnswer):
        return False


# Workers


def test_what_waited_while_nobody_worked_is_assigned_by_the_first_sweep(installation):
    api = client(installation)
    people = ["m07@example.com", "m08@example.com"]
    with installation.without("worker", "beat"):
        for person in people:
            assert api.call("POST", f"managers/{person}/pause", {})[0] == 200
        taken = [take(api, "partners") for _ in range(60)]
        assert {answer["state"] for *_, answer in taken} == {"waiting"}
        for person in people:
            assert api.call("POST", f"managers/{person}/resume", {})[0] == 200
        assert waiting(installation) == 60
        half = [answer["id"] for *_, answer in taken[:30]]
        installation.execute("UPDATE routing_lead SET state = 'idle' WHERE id = ANY (%s::uuid[])", half)
        installation.manage("sweep")  # it alone does the work of worker and beat
        assert waiting(installation) == 0
        trigger = installation.value("SELECT id FROM routing_trigger WHERE code = 'partners'")
        installation.execute(
            "UPDATE routing_lead SET state = 'waiting', trigger_id = %s WHERE id = ANY (%s::uuid[])", trigger, half
        )
    started = time.monotonic()
    assert until(lambda: waiting(installation) == 0, seconds=40 * SLOW_MACHINE), installation.logs()
    print(f"\n30 leads that waited were assigned {time.monotonic() - started:.1f} s after worker and beat were started")


def waiting(installation: Installation) -> int:
    return int(installation.value("SELECT count(*) FROM routing_lead WHERE state = 'waiting'"))


# Restarts


class Load:
    """Senders as a proxy in front of the webs would be: a connection a request, the next web where one does not listen."""

    def __init__(
        self, installation: Installation, *, clients: int, pause: float = 0.0, timeout: float = 60, key: str = ""
    ) -> None:
        self.installation, self.pause, self.timeout = installation, pause, timeout
        self.key = key or installation.key
        self.statuses: Counter[object] = Counter()
        self.missing: list[str] = []  # headers that an answer should have had
        self.ids: list[str] = []
        self.seconds: list[float] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(clients)]

    def _send(self, number: int) -> None:
        api = Api(self.installation.ports, self.key, seed=number, timeout=self.timeout)
        while not self._over.wait(self.pause):
            try:
                status, seconds, answer = take(api)
            except (NotSent, NoAnswer) as failure:
                self.statuses[repr(failure)] += 1
                continue
            api.close()
            self.statuses[status] += 1
            self.seconds.append(seconds)
            if status == 201:
                self.ids.append(str(answer["id"]))
            elif "retry-after" not in answer["headers"]:  # type: ignore[operator]
                self.missing.append(f"{status} without Retry-After")

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(self.timeout + 30)

    def lost(self) -> int:
        """Return how many of the acknowledged leads are not there."""
        there = self.installation.value("SELECT count(*) FROM routing_lead WHERE id = ANY (%s::uuid[])", self.ids)
        return len(self.ids) - int(there)


def test_rolling_restarts_fail_no_intake(installation):
    longest = 0.0
    with Load(installation, clients=4, pause=0.1) as load:
        for part in [p for p in installation.parts.values() if p.kind in ("web", "worker", "beat")]:
            longest = max(longest, restart(installation, part))
    print(f"\nrolling restart: {dict(load.statuses)}; longest from SIGTERM to the end {longest:.1f} s")
    assert set(load.statuses) == {201}
    assert load.statuses[201] > 20
    assert load.lost() == 0
    assert longest <= 30


def restart(installation: Installation, part: Part) -> float:
    """End a part as a deploy does, and wait for the one that follows; return how long its end took."""
    process, started = part.process, time.monotonic()
    part.end(signal.SIGTERM, down=0)
    assert until(lambda: process.poll() is not None, seconds=40)
    ended = time.monotonic() - started
    assert until(lambda: part.alive and part.process is not process, seconds=60)
    if part.kind == "web":
        port = installation.ports[int(part.name[3:]) - 1]
        api = client(installation, port)
        assert until(lambda: answers(api), seconds=60)
    return ended


# Overload


def test_more_than_can_be_served_is_refused_politely_and_what_is_taken_is_kept(installation):
    calm = some(installation, 20)
    with Load(installation, clients=120) as load:
        time.sleep(15)
    recovered, api = time.monotonic(), client(installation)
    assert until(lambda: max(take(api)[1] for _ in range(5)) < max(1.0, 3 * calm[-1]), seconds=30 * SLOW_MACHINE)
    recovered = time.monotonic() - recovered
    slowest = sorted(load.seconds)[int(len(load.seconds) * 0.99)]
    print(f"\n120 at once: {dict(load.statuses)}, p99 {slowest:.1f} s; calm again after {recovered:.1f} s")
    assert set(load.statuses) <= {201, 429, 503}
    assert load.missing == []
    assert load.lost() == 0


def test_a_flood_is_cut_off_exactly_at_the_limit_of_its_key(installation):
    limit, seconds = 300, 15
    key = installation.manage("apikey", "Flood", "--scope", "intake").split()[-1]
    installation.execute(f"UPDATE routing_apikey SET requests_per_minute = {limit} WHERE name = 'Flood'")
    left = 60 - time.time() % 60
    time.sleep(left if left < seconds + 5 else 0)  # one minute counts all of it
    with Load(installation, clients=40, key=key) as load:
        time.sleep(seconds)
    slowest = sorted(load.seconds)[int(len(load.seconds) * 0.99)]
    print(f"\na flood beyond {limit} a minute: {dict(load.statuses)}, p99 {slowest:.2f} s")
    assert set(load.statuses) == {201, 429}
    assert abs(load.statuses[201] - limit) <= limit / 100
    assert load.missing == []
    assert load.lost() == 0


# Clocks


@contextmanager
def wrong_clock(installation: Installation, library: Path, offset: int, *kinds: str) -> Iterator[None]:
    """Let these parts believe another time, by so many seconds."""
    parts = [part for kind in kinds for part in installation.of(kind)]
    right = {part.name: part.environment for part in parts}

    def again(environment: Callable[[Part], dict[str, str]]) -> None:
        for part in parts:
            process, part.environment = part.process, environment(part)
            part.kill(down=0)
            assert until(lambda p=part, old=process: p.alive and p.process is not old, seconds=60)
        installation.wait_until_ready()

    again(lambda part: part.environment | {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)})
    try:
        yield
    finally:
        again(lambda part: right[part.name])


@pytest.mark.skipif(not shutil.which("cc"), reason="a wrong clock is made with a C compiler")
@pytest.mark.thorough
@pytest.mark.parametrize("offset", by_night([-3_600, 86_400], by_day=[-3_600]))
def test_wrong_clocks_of_hosts_change_nothing(installation, offset, tmp_path):
    library = installation.home.var / "wrong_clock.so"
    source = Path(__file__).with_name("wrong_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    with wrong_clock(installation, library, offset, "web", "worker", "beat"):
        believed = installation.home.run(
            "-c", "import time; print(time.time())", LD_PRELOAD=str(library), CLOCK_OFFSET=str(offset)
        ).stdout
        assert abs(float(believed) - time.time() - offset) < 30  # the clock is wrong indeed
        some(installation, 10, "sales")
        first = runs(installation)
        time.sleep(20)
        ticks = runs(installation) - first
        [(early, late, offered)] = installation.execute("""
            SELECT count(*) FILTER (WHERE closed_at < accept_by AND outcome = 'timed_out'),
                   count(*) FILTER (WHERE abs(extract(epoch FROM accept_by - offered_at) - 60) > 1
                                    OR abs(extract(epoch FROM clock_timestamp() - offered_at)) > 120), count(*)
            FROM routing_offer WHERE closed_at IS NULL OR outcome = 'timed_out' AND offered_at > now() - interval '2 minutes'
            """)
    print(
        f"\nclocks {offset:+} s: {ticks} sweeps in 20 s, {early} of {offered} offers ended early, {late} at odd times"
    )
    assert offered >= 10
    assert (early, late) == (0, 0)
    assert 2 <= ticks <= 5


def runs(installation: Installation) -> int:
    statement = "SELECT total_run_count FROM django_celery_beat_periodictask WHERE name = 'sweep'"
    return int(installation.value(statement))
