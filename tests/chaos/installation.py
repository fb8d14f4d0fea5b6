"""A real installation on one machine: several webs, workers and beats, a PostgreSQL and a Redis of their own.

Each part is a process as an operator's supervisor starts it: who dies is started again. What tests ask of the database
they ask over a connection of their own, beside the program.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import redis

from leadrouter.development import private_services
from tests.data import REPOSITORY
from tests.platform.processes import House, free_port, house, status, until

CONFIGURATION = Path(__file__).with_name("configuration.yaml")
SERVICES = """
import json
from leadrouter.development.private_services import PostgreSQL, Redis, redis_socket, sockets_folder, service_user, make_folder, VAR
from leadrouter.development.private_services import LOGS, make_private_folder
for folder in (VAR, LOGS, VAR / "run"):
    make_folder(folder)
make_private_folder(sockets_folder(), service_user())
services = PostgreSQL(), Redis()
for service in services:
    service.prepare()
print(json.dumps({
    **{service.name: [service.command(), service.user()] for service in services},
    "sockets": str(sockets_folder()), "redis_socket": str(redis_socket()),
}))
"""
READY_SECONDS = 120  # a busy machine starts slowly
WEB = "leadrouter.server --host 127.0.0.1 --port {port} --workers 1 --threads 4 --grace 8"
WORKER = (
    "celery -A leadrouter.celery worker --pool threads --concurrency 2 --without-gossip --without-mingle"
    " --loglevel WARNING --hostname {name}@chaos"
)
BEAT = "celery -A leadrouter.celery beat --pidfile= --loglevel WARNING"


@dataclass
class Part:
    """A process of the installation, and when it may be started again."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    user: str | None = None
    cwd: Path = REPOSITORY
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True  # the supervisor starts it again
    not_before: float = 0.0  # monotonic
    starts: int = 0
    unexpected: int = 0  # deaths that nobody ordered
    ordered: bool = field(default=True)

    @property
    def kind(self) -> str:
        return self.name.rstrip("0123456789")

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.cwd, env=self.environment, user=self.user, extra_groups=[] if self.user else None,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=private_services.die_with_parent(signal.SIGKILL),
            )  # fmt: skip
        self.starts += 1
        self.ordered = False

    def signal(self, number: signal.Signals) -> None:
        """Send the signal to the process and its children."""
        assert self.process is not None
        for pid in [self.process.pid, *children_of(self.process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, *, down: float = 0.5) -> None:
        """End it without a word; it stays down for so many seconds at least."""
        self.end(signal.SIGKILL, down=down)

    def end(self, number: signal.Signals, *, down: float = 0.5) -> None:
        self.ordered, self.not_before = True, time.monotonic() + down
        if number is signal.SIGKILL:
            self.signal(number)
        elif self.process is not None:
            self.process.send_signal(number)


def children_of(pid: int) -> list[int]:
    """Return the process's children and theirs."""
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split()):
                found += [child, *children_of(child)]
    return found


class Installation:
    """All parts, who starts them again, and what a test may ask of them."""

    def __init__(self, home: House, *, webs: int, workers: int, beats: int, settings: str, **environment: str) -> None:
        self.home = home
        facts = json.loads(self._output("-c", SERVICES))
        self.sockets = facts["sockets"]
        self.environment = home.environment(
            DATABASE_URL=f"postgres://leadrouter@/leadrouter?host={self.sockets}",
            CACHE_URL=f"unix://{facts['redis_socket']}?db=1",
            CELERY_BROKER_URL=f"redis+socket://{facts['redis_socket']}?virtual_host=2",
            SECRET_KEY="of-an-installation-that-lives-for-minutes-" + "x" * 20,
            DJANGO_SETTINGS_MODULE=settings,
            **environment,
        )
        self.redis_socket = facts["redis_socket"]
        self.ports = [free_port() for _ in range(webs)]
        self.parts: dict[str, Part] = {}
        plain = private_services.plain_environment()
        for name in ("postgresql", "redis"):
            command, user = facts[name]
            self._add(name, command, environment=plain, user=user, cwd=Path("/"))
        self.parts["postgresql"].command += ["-c", "track_commit_timestamp=on"]  # the checker's order of events
        for number, port in enumerate(self.ports, 1):
            self._add(f"web{number}", [sys.executable, "-m", *WEB.format(port=port).split()])
        for number in range(1, workers + 1):
            self._add(f"worker{number}", [sys.executable, "-m", *WORKER.format(name=f"w{number}").split()])
        for number in range(1, beats + 1):
            self._add(f"beat{number}", [sys.executable, "-m", *BEAT.split()])
        self.key = ""
        self.page = ""  # that says all is well; "": as the parts that are wanted allow
        self._over = threading.Event()
        # A child dies with the thread that started it, so one thread starts all, and lives as long as they may.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor")

    def _add(self, name: str, command: list[str], *, environment: dict[str, str] | None = None, **more: Any) -> None:
        log = self.home.var / "logs" / f"{name}.log"
        self.parts[name] = Part(name, command, environment or self.environment, log, **more)

    def _output(self, *arguments: str, **environment: str) -> str:
        done = self.home.run(*arguments, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    # Starting and stopping

    def start(self) -> None:
        """Start everything, migrate, configure, and wait until it is ready."""
        for name in ("postgresql", "redis"):
            self._start(self.parts[name])
        assert until(self.database_answers, seconds=READY_SECONDS), private_services.tail(self.parts["postgresql"].log)
        self.execute("CREATE DATABASE leadrouter", database="postgres")
        self.manage("migrate", "--no-input", "--verbosity", "0")
        self.manage("config", "import", str(CONFIGURATION))
        self.key = self.manage("apikey", "Chaos", "--scope", "intake,read,manage").split()[-1]
        for part in self.parts.values():
            if not part.alive and part.wanted:
                self._start(part)
        self._supervisor.start()
        self.wait_until_ready()

    def _start(self, part: Part) -> None:
        self._starter.submit(part.start).result()

    def _supervise(self) -> None:
        while not self._over.wait(0.1):
            for part in self.parts.values():
                if part.alive or not part.wanted:
                    continue
                if not part.ordered:
                    part.unexpected += 1
                    part.ordered, part.not_before = True, time.monotonic() + 0.5
                if time.monotonic() >= part.not_before:
                    self._start(part)

    def stop(self) -> None:
        self._over.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        for part in reversed(self.parts.values()):
            if part.process is not None:
                part.signal(signal.SIGKILL)
                part.process.wait()
        self._starter.shutdown()

    def wait_until_ready(self, *, seconds: float = READY_SECONDS) -> None:
        """Wait until each web says that all is well, or answers at least where nobody sweeps."""
        wanted = {part.kind for part in self.parts.values() if part.wanted}
        page = self.page or ("readyz" if {"worker", "beat"} <= wanted else "healthz")
        for port in self.ports:
            address = f"http://127.0.0.1:{port}/{page}"
            assert until(lambda a=address: status(a) == 200, seconds=seconds), self.logs()

    def of(self, kind: str) -> list[Part]:
        return [part for part in self.parts.values() if part.kind == kind]

    @contextmanager
    def without(self, *kinds: str) -> Iterator[None]:
        """Keep these parts away until the block ends."""
        parts = [part for kind in kinds for part in self.of(kind)]
        for part in parts:
            part.wanted = False
            if part.alive:
                part.kill()
                assert part.process is not None
                part.process.wait()
        try:
            yield
        finally:
            for part in parts:
                part.ordered, part.wanted, part.not_before = True, True, 0.0

    def logs(self) -> str:
        return "\n".join(f"--- {p.name}\n{private_services.tail(p.log)}" for p in self.parts.values())

    # Asking

    def manage(self, *arguments: str) -> str:
        return self._output("manage.py", *arguments, **self.environment, DATABASE_STATEMENT_TIMEOUT="0")

    def connect(self, database: str = "leadrouter") -> Any:
        connection = psycopg2.connect(
            host=self.sockets, user="leadrouter", dbname=database, connect_timeout=3, application_name="chaos"
        )
        connection.autocommit = True
        return connection

    def execute(self, statement: str, *parameters: object, database: str = "leadrouter") -> list[tuple[Any, ...]]:
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def value(self, statement: str, *parameters: object) -> Any:
        return self.execute(statement, *parameters)[0][0]

    def database_answers(self) -> bool:
        try:
            self.execute("SELECT 1", database="postgres")
        except psycopg2.Error:
            return False
        return True

    def redis(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=self.redis_socket, socket_timeout=5, db=2)


@contextmanager
def installed(
    *, webs: int = 2, workers: int = 1, beats: int = 1, settings: str = "leadrouter.settings",
    prepare: Callable[[Installation], None] | None = None, **environment: str,
) -> Iterator[Installation]:  # fmt: skip
    """Give a running installation, and leave nothing of it behind. prepare: what is done before the first start."""
    with ExitStack() as stack:
        home = stack.enter_context(house("leadrouter-chaos-"))
        installation = Installation(
            home, webs=webs, workers=workers, beats=beats, settings=settings, SWEEP_SECONDS="5", **environment
        )
        stack.callback(installation.stop)
        if prepare:
            prepare(installation)
        installation.start()
        yield installation
