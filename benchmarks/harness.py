"""What the benchmarks stand on: a database of their own, web servers, clients, and the processor time of all of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

TICKS = os.sysconf("SC_CLK_TCK")
WORKERS, THREADS = 2, 4


def make_database() -> None:
    """Make the benchmarks' database anew, migrated and empty."""
    create_database()
    call_command("migrate", verbosity=0)


def create_database() -> None:
    """Make the benchmarks' database anew, without any table."""
    drop_database()
    with maintenance() as cursor:
        cursor.execute(f'CREATE DATABASE "{settings.DATABASES["default"]["NAME"]}"')


def drop_database(name: str | None = None) -> None:
    connections.close_all()
    with maintenance() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name or settings.DATABASES["default"]["NAME"]}" WITH (FORCE)')


@contextmanager
def maintenance() -> Iterator[Any]:
    """Lend a cursor outside any transaction, on the server's own database."""
    with connection._nodb_cursor() as cursor:  # what Django's own test runner uses
        yield cursor


@dataclass(slots=True)
class Server:
    """A web server under load."""

    port: int
    process: subprocess.Popen[bytes]

    def pids(self) -> list[int]:
        return [self.process.pid, *descendants(self.process.pid)]

    def cpu(self) -> float:
        """Return the seconds of processor time that the server's processes have used."""
        return sum(map(cpu_of, self.pids()))

    def memory(self) -> float:
        """Return the resident memory of the largest worker, in MiB."""
        return max(resident(pid) for pid in self.pids()[1:] or self.pids())


def copy_database(name: str) -> None:
    """Make a copy of the benchmarks' database as it stands."""
    connections.close_all()
    with maintenance() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{settings.DATABASES["default"]["NAME"]}"')


@contextmanager
def serving(
    settings_module: str, *, workers: int = WORKERS, threads: int = THREADS, database: str | None = None
) -> Iterator[Server]:
    """Run the web server with these settings on a free port of loopback; database: another one than the settings'."""
    port = free_port()
    command = [
        sys.executable, "-m", "leadrouter.server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", str(workers), "--threads", str(threads),
    ]  # fmt: skip
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings_module, "SECRET_KEY": settings.SECRET_KEY}
    environment["BENCH_DATABASE"] = database or settings.DATABASES["default"]["NAME"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=sys.stderr)
    try:
        wait_for(port, process)
        yield Server(port, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            time.sleep(2)  # the port is open before the workers have loaded the program
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the web server did not start")


# --- Processor time and memory of other processes ----------------------------------------------------------------------


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := stat_of(int(entry.name))):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        following = children.get(queue.pop(), [])
        found += following
        queue += following
    return found


def stat_of(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def cpu_of(pid: int) -> float:
    stat = stat_of(pid)
    return (int(stat[11]) + int(stat[12])) / TICKS if stat else 0.0


def resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def database_cpu() -> float:
    """Return the seconds of processor time of the PostgreSQL server: the postmaster's, its children's, the ended ones'."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = stat_of(cursor.fetchone()[0])
    if not backend:
        return 0.0
    postmaster = int(backend[1])
    stat = stat_of(postmaster)
    ended = (int(stat[13]) + int(stat[14])) / TICKS if stat else 0.0
    return ended + sum(map(cpu_of, [postmaster, *descendants(postmaster)]))


# --- Clients ----------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Load:
    """What one run of clients came to."""

    seconds: float
    web: float  # seconds of processor time
    database: float
    latencies: list[float] = field(repr=False)  # seconds
    statuses: dict[int, int]

    @property
    def count(self) -> int:
        return len(self.latencies)

    @property
    def rate(self) -> float:
        return self.count / self.seconds

    @property
    def cpu(self) -> float:
        """Return the milliseconds of processor time a request, web and database together."""
        return (self.web + self.database) / self.count * 1000

    @property
    def p99(self) -> float:
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


Body = Callable[[int], dict[str, Any] | list[dict[str, Any]]]


def load(
    server: Server,
    path: str,
    body: Body | None,
    *,
    requests: int,
    clients: int,
    key: str = "",
    method: str = "POST",
    headers: Callable[[], str] = str,
) -> Load:
    """Send so many requests from so many clients, each over a connection of its own, each its next when answered.

    headers: further lines of the head of each request, each with its end of line.
    """
    before = server.cpu(), database_cpu()
    started = time.monotonic()
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    share = [range(number, requests, clients) for number in range(clients)]
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    if key:
        head += f"Authorization: Bearer {key}\r\n"
    threads = [
        threading.Thread(target=client, args=(server, head, headers, body, numbers, latencies, statuses))
        for numbers in share
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - started
    return Load(seconds, server.cpu() - before[0], database_cpu() - before[1], latencies, statuses)


def client(
    server: Server,
    head: str,
    headers: Callable[[], str],
    body: Body | None,
    numbers: Sequence[int],
    latencies: list[float],
    statuses: dict[int, int],
) -> None:
    """Speak HTTP by hand: a library would take from the two processors what the server needs."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb")
    for number in numbers:
        content = json.dumps(body(number), separators=(",", ":")).encode() if body else b""
        started = time.perf_counter()
        connection.sendall(f"{head}{headers()}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        status = int(stream.readline().split()[1])
        answered = {}
        while (line := stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            answered[name.lower()] = value
        if status != 204:
            read_body(stream, answered)
        latencies.append(time.perf_counter() - started)
        statuses[status] = statuses.get(status, 0) + 1
    connection.close()


def read_body(stream: IO[bytes], headers: dict[bytes, bytes]) -> None:
    if b"content-length" in headers:
        stream.read(int(headers[b"content-length"]))
        return
    while length := int(stream.readline(), 16):  # in chunks, the last one empty
        stream.read(length + 2)
    stream.readline()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)
