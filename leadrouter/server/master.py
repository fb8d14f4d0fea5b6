"""The process that opens the port and keeps the others running. It loads the program once, before it divides itself."""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any, NoReturn

from .limits import Addresses, Limits
from .messages import base_environment
from .worker import Program, Worker

logger = logging.getLogger(__name__)

TOLD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # to end
MOST_FILES = 20_000
UPLOADS_NICE = 10  # who uploads a table waits for those who bring leads


def arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m leadrouter.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2, help="processes; one more takes uploads")
    parser.add_argument("--threads", type=int, default=4, help="of each process")
    parser.add_argument("--backlog", type=int, default=1024)
    parser.add_argument("--grace", type=float, default=25, help="seconds to finish in when told to end")
    return parser.parse_args(given)


def main(given: list[str]) -> int:
    options = arguments(given)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadrouter.settings")
    try:
        listening = listen(options.host, options.port, options.backlog)
    except OSError as error:
        print(f"{options.host}:{options.port} cannot be opened: {error.strerror}", file=sys.stderr)
        return 1
    allow_files()
    from leadrouter import doors  # the program: loaded once, shared by all

    return Master(options, listening, doors.program()).run()


def listen(host: str, port: int, backlog: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if host == "::":
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listening.bind((host, port))
    listening.listen(backlog)
    listening.setblocking(False)
    return listening


def allow_files() -> None:
    """Allow as many open files as there may be connections, as far as the system does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Master:
    def __init__(
        self,
        options: argparse.Namespace,
        listening: socket.socket,
        program: Program,
        limits: Limits | None = None,
    ) -> None:
        self.options = options
        self.listening = listening
        self.program = program
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        most = Limits().connections
        if files != resource.RLIM_INFINITY:
            most = min(most, max(64, files // 2))
        self.limits = limits or Limits(connections=most, body_bytes=program.body_bytes)
        self.addresses = Addresses(options.workers + 1)
        self.lane_in, self.lane_out = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.doorbells = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(options.workers + 1)]
        for end in (self.lane_in, self.lane_out, *(end for pair in self.doorbells for end in pair)):
            end.setblocking(False)
        self.lifeline, self.life = os.pipe()
        self.children: dict[int, int] = {}  # number by process
        self.over = False

    def run(self) -> int:
        for told in TOLD:
            signal.signal(told, self.stop)
        pauses: dict[int, float] = {}
        for number in range(self.options.workers + 1):
            self.start(number)
        while self.children:
            try:
                process, _ = os.wait()
            except ChildProcessError:
                break
            number = self.children.pop(process, -1)
            if number < 0 or self.over:
                continue
            self.addresses.forget(number)
            now = time.monotonic()
            if now - pauses.get(number, 0) < 1:
                time.sleep(1)
            pauses[number] = now
            print(f"web process {number} ended; starting it again", file=sys.stderr, flush=True)
            self.start(number)
        return 0

    def start(self, number: int) -> None:
        if self.over:
            return
        # No signal may come in between: the child would answer it as the master, and the master not know the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, TOLD)
        process = os.fork()
        if process:
            self.children[process] = number
            signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD)
        else:
            self.become(number)

    def become(self, number: int) -> NoReturn:
        """Be a process of the web until it ends."""
        status = 1
        try:
            os.close(self.life)
            for told in TOLD:
                signal.signal(told, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, TOLD)
            uploads = number == self.options.workers
            lane: Any = self.lane_out if uploads else self.lane_in
            if uploads:
                self.listening.close()
                with suppress(OSError):
                    os.nice(UPLOADS_NICE)
            Worker(
                number=number,
                program=self.program,
                base=base_environment(self.options.host, self.options.port),
                threads=1 if uploads else self.options.threads,
                addresses=self.addresses,
                limits=self.limits,
                listening=None if uploads else self.listening,
                lane=lane,
                doorbells=self.doorbells,
                lifeline=self.lifeline,
                grace=self.options.grace,
            ).serve()
            status = 0
        except BaseException:
            logger.exception("a web process failed")
        finally:
            with suppress(Exception):
                sys.stderr.flush()
            os._exit(status)

    def stop(self, *_: object) -> None:
        """Tell all to finish; who does not is ended."""
        if not self.over:
            self.over = True
            self.listening.close()
            signal.signal(signal.SIGALRM, self.kill)
            signal.alarm(int(self.options.grace) + 2)
        self.tell(signal.SIGTERM)

    def kill(self, *_: object) -> None:
        self.tell(signal.SIGKILL)

    def tell(self, number: signal.Signals) -> None:
        for process in list(self.children):
            with suppress(ProcessLookupError):
                os.kill(process, number)
