"""One process of the web: a loop for all connections, a few threads for the program."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from .connection import Connection
from .limits import SLOT, Addresses, Limits
from .messages import API, Application, Environment, Request, Response, refusal, run

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Program:
    """What is served, and what the server must know of it."""

    application: Application
    judges_heads: Callable[[bytes, str], bool]  # may a head alone be refused? by method and path
    refusal_by_head: Callable[[Environment], Any]  # the application's answer to it, as (status, headers, body), or None
    goes_elsewhere: Callable[[bytes, str, str], bool]  # to the lane of uploads? by method, path and content type
    refused_page: Callable[[int, dict[str, str]], bytes | None]  # for browsers, by status and some headers
    behind_proxies: bool  # whose connections are not counted
    body_bytes: int


@dataclass(kw_only=True)
class Worker:
    """The loop. lane: to the process of the uploads, or from the others where this is it."""

    number: int
    program: Program
    base: Environment
    threads: int
    addresses: Addresses
    limits: Limits
    listening: socket.socket | None
    lane: socket.socket | None
    doorbells: list[tuple[socket.socket, socket.socket]]  # of each process: by which the others ask it for room
    lifeline: int  # a file that ends with the master
    grace: float
    connections: dict[Connection, None] = field(default_factory=dict)
    turned_away: dict[Connection, None] = field(default_factory=dict)  # of them
    held: int = 0
    stopping: bool = False
    loop: Any = None

    def __post_init__(self) -> None:
        self.jobs: queue.SimpleQueue[tuple[Callable[..., Any], Any] | None] = queue.SimpleQueue()
        self.counts = bool(self.limits.per_address) and not self.program.behind_proxies
        self.share = max(1, self.limits.per_address // len(self.doorbells))  # of the connections of one address
        self.opening: set[asyncio.Task[Any]] = set()

    # The whole

    def serve(self) -> None:
        """Serve until SIGTERM, or until the master is gone."""
        asyncio.run(self.main())

    async def main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.over = asyncio.Event()
        for told in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(told, self.over.set)
        self.loop.add_reader(self.lifeline, self.over.set)
        for number in range(self.threads):
            threading.Thread(target=self.work, name=f"web-{number}", daemon=True).start()
        self.open_doors()
        ticking = asyncio.create_task(self.tick())
        await self.over.wait()
        self.loop.remove_reader(self.lifeline)
        self.stopping = True
        self.close_doors()
        deadline = self.loop.time() + self.grace
        while self.connections and self.loop.time() < deadline:
            for connection in list(self.connections):
                if connection.idle and connection.lingers_until is None:
                    connection.transport.close()
            await asyncio.sleep(0.02)
        ticking.cancel()
        for connection in list(self.connections):
            connection.transport.abort()
        for _ in range(self.threads):
            self.jobs.put(None)

    async def tick(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.limits.silence_seconds / 4))
            now = self.loop.time()
            for connection in list(self.connections):
                connection.look_at_the_clock(now)

    # Connections

    def open_doors(self) -> None:
        self.loop.add_reader(self.doorbells[self.number][1], self.answer_doorbell)
        if self.listening is not None:
            self.loop.add_reader(self.listening, self.accept)
        elif self.lane is not None:
            self.loop.add_reader(self.lane, self.take_over)

    def close_doors(self) -> None:
        if self.listening is not None:
            self.loop.remove_reader(self.listening)
            self.listening.close()
        elif self.lane is not None:
            self.loop.remove_reader(self.lane)

    def accept(self) -> None:
        """Take one connection, and leave the next to whichever process is at leisure."""
        assert self.listening is not None
        try:
            client, address = self.listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # no more files
            logger.error("no connection can be taken: %s", error.strerror)
            self.drop_slowest()
            return
        self.welcome(client, address)

    def welcome(self, client: socket.socket, address: Any, *, received: bytes = b"", once: bool = False) -> None:
        client.setblocking(False)
        with suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        slot, refused = None, False
        if self.counts:
            slot = self.addresses.slot(address[0] if isinstance(address, tuple) else "")
            self.addresses.add(self.number, slot, 1)
            while self.addresses.total(slot) > self.limits.per_address:
                if self.make_room(slot, silent=self.limits.look_seconds):
                    continue
                if self.addresses.own(self.number, slot) <= self.share:  # others have more of them
                    self.ask_for_room(slot)
                elif self.make_room(slot):
                    continue
                else:
                    self.addresses.add(self.number, slot, -1)
                    slot, refused = None, True
                break
        if len(self.connections) + len(self.opening) >= self.limits.connections:
            self.drop_slowest()
        connection = Connection(self, once=once)
        connection.slot = slot
        connection.turned_away_at = self.loop.time() if refused else None
        connection.address = address[:2] if isinstance(address, tuple) else ("", 0)
        task = self.loop.create_task(self.connect(client, connection, received))
        self.opening.add(task)
        task.add_done_callback(self.opening.discard)

    async def connect(self, client: socket.socket, connection: Connection, received: bytes) -> None:
        try:
            await self.loop.connect_accepted_socket(lambda: connection, client)
        except OSError:
            client.close()
            self.forget(connection)
            return
        if received:
            connection.data_received(received)

    def add(self, connection: Connection) -> None:
        self.connections[connection] = None
        if connection.turned_away_at is not None:
            self.turn_away(connection)

    def make_room(self, slot: int, *, silent: float = 0) -> bool:
        """Turn away the oldest connection of the slot that has nothing whole under way, and has been silent for so long."""
        before = self.loop.time() - silent
        for connection in self.connections:
            if connection.slot == slot and connection.heard_at <= before and not connection.gone:
                if connection.unfinished:
                    self.turn_away(connection)
                    return True
                if connection.stuck:
                    self.forget(connection)
                    connection.transport.abort()
                    return True
        return False

    def turn_away(self, connection: Connection) -> None:
        """Count the connection no longer, and let it hear that its address has too many."""
        self.uncount(connection)
        self.turned_away[connection] = None
        if len(self.turned_away) > self.limits.turned_away:
            oldest = next(iter(self.turned_away))
            self.forget(oldest)
            oldest.transport.abort()
        connection.turn_away()

    def drop_slowest(self) -> None:
        """Cut off the oldest connection that is turned away or has nothing whole under way."""
        for connection in chain(self.turned_away, self.connections):
            if (connection.unfinished or connection.stuck) and not connection.gone:
                self.forget(connection)
                connection.drop()
                return

    def ask_for_room(self, slot: int) -> None:
        """Ask the other processes to turn away one of an address that has too many."""
        for number, (sends, _) in enumerate(self.doorbells):
            if number != self.number:
                with suppress(BlockingIOError):  # it has been asked often enough
                    sends.send(SLOT.pack(slot))

    def answer_doorbell(self) -> None:
        with suppress(BlockingIOError):
            slot = SLOT.unpack(self.doorbells[self.number][1].recv(SLOT.size))[0]
            while (
                self.addresses.total(slot) > self.limits.per_address
                and self.addresses.own(self.number, slot) > self.share
                and (self.make_room(slot, silent=self.limits.look_seconds) or self.make_room(slot))
            ):
                pass

    def forget(self, connection: Connection) -> None:
        self.connections.pop(connection, None)
        self.turned_away.pop(connection, None)
        self.uncount(connection)

    def uncount(self, connection: Connection) -> None:
        if connection.slot is not None:
            self.addresses.add(self.number, connection.slot, -1)
            connection.slot = None

    # The lane of uploads

    def goes_elsewhere(self, request: Request) -> bool:
        if self.listening is None or self.lane is None:
            return False
        kind = (request.header(b"content-type") or b"").decode("latin-1")
        return self.program.goes_elsewhere(request.method, request.path, kind)

    def hand_over(self, connection: Connection) -> None:
        """Give the connection, and what came in of it, to the process of the uploads."""
        assert self.lane is not None
        assert connection.raw is not None
        try:
            with tempfile.TemporaryFile(buffering=0) as received:
                for piece in connection.raw:
                    received.write(piece)
                client = connection.transport.get_extra_info("socket")
                socket.send_fds(self.lane, [b"u"], [client.fileno(), received.fileno()])
        except OSError as error:  # it is served here
            logger.warning("an upload could not be handed over: %s", error.strerror)
            return
        connection.deaf = True
        connection.reading = None
        connection.transport.abort()

    def take_over(self) -> None:
        assert self.lane is not None
        try:
            _, files, _, _ = socket.recv_fds(self.lane, 1, 2)
        except (BlockingIOError, InterruptedError):
            return
        if len(files) != 2:
            return
        with os.fdopen(files[1], "rb") as kept:
            kept.seek(0)
            received = kept.read()
        client = socket.socket(fileno=files[0])
        try:
            address = client.getpeername()
        except OSError:
            client.close()
            return
        self.welcome(client, address, received=received, once=True)

    # Threads

    def page_of(self, status: int, request: Request) -> bytes | None:
        """Return the page of a refusal, if a person is likely to read it."""
        if request.path.startswith(API) or b"text/html" not in (request.header(b"accept") or b""):
            return None
        names = {"HTTP_ACCEPT_LANGUAGE": b"accept-language", "HTTP_COOKIE": b"cookie"}
        headers = {key: (request.header(name) or b"").decode("latin-1") for key, name in names.items()}
        return self.program.refused_page(status, headers)

    def judges_heads(self, request: Request) -> bool:
        return self.program.judges_heads(request.method, request.path)

    def run(self, connection: Connection, request: Request) -> None:
        self.jobs.put((self.answer, (connection, request)))

    def look(self, connection: Connection, request: Request) -> None:
        self.jobs.put((self.judge, (connection, request)))

    def work(self) -> None:
        while (job := self.jobs.get()) is not None:
            function, given = job
            try:
                function(*given)
            except Exception:  # a thread that ended would be missed for good
                logger.exception("a request could not be answered")
                given[0].loop.call_soon_threadsafe(given[0].transport.abort)
            del job, function, given  # keep nothing alive while waiting

    def answer(self, connection: Connection, request: Request) -> None:
        if connection.gone:  # who asked is gone, and was promised nothing
            response = refusal(503)
        else:
            try:
                environment = request.environment(self.base, connection.address)
            except ValueError:  # an address that is none
                self.tell(connection.answer, request, refusal(400, path=request.path))
                return
            response = run(
                self.program.application, request, environment,
                memory_bytes=self.limits.memory_bytes, closes=lambda: self.stopping,
            )  # fmt: skip
        self.tell(connection.answer, request, response)

    def judge(self, connection: Connection, request: Request) -> None:
        response = None
        try:
            environment = request.environment(self.base, connection.address)
            environment["wsgi.input"] = None
            told = self.program.refusal_by_head(environment)
            if told is not None:
                status, headers, body = told
                response = run(
                    lambda _, start: (start(status, headers), [body])[1], request, environment,
                    memory_bytes=self.limits.memory_bytes, closes=lambda: True,
                )  # fmt: skip
        except Exception:
            logger.exception("a head could not be judged")
        self.tell(connection.take_verdict, request, response)

    def tell(self, function: Callable[..., None], request: Request, response: Response | None) -> None:
        with suppress(RuntimeError):  # the loop is over
            self.loop.call_soon_threadsafe(function, request, response)
