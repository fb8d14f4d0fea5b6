"""The nemesis: from a seed it kills, stops, restarts and cuts off the parts of an installation, one hit after another."""

from __future__ import annotations

import heapq
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count

import psycopg2
import redis

from .installation import Installation, Part, children_of

LONGEST_STOP = {"web": 14.0, "worker": 20.0, "beat": 20.0, "redis": 6.0}  # seconds; a stopped web may hold a registry


class Nemesis:
    """Deals hits from a shuffled deck, so that each comes about as often as any other."""

    def __init__(self, installation: Installation, *, seed: int) -> None:
        self.installation = installation
        self.random = random.Random(seed)
        self.table: Counter[tuple[str, str]] = Counter()  # (target, action) -> hits
        self._deck: list[tuple[str, str]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []  # what goes on again, and when
        self._numbers = count()

    ACTIONS: dict[tuple[str, str], str] = {
        **{
            (kind, action): action
            for kind in ("web", "worker", "beat", "redis")
            for action in ("kill", "stop", "restart")
        },
        ("web", "kill child"): "kill_child",
        ("redis", "flush"): "flush",
        ("postgresql", "kill"): "kill",
        ("postgresql", "restart"): "restart",
        ("postgresql", "kill backend"): "kill_backend",
        ("postgresql", "stop backend"): "stop_backend",
        ("postgresql", "cut connections"): "cut_connections",
    }

    @property
    def hits(self) -> int:
        return sum(self.table.values())

    def hit(self) -> None:
        """Hit one target; in one case of ten another one with it."""
        for _ in range(2 if self.random.random() < 0.1 else 1):
            if not self._deck:
                self._deck = self.random.sample(sorted(self.ACTIONS), len(self.ACTIONS))
            target, action = self._deck.pop()
            part = self.random.choice(self.installation.of(target))
            if part.alive:
                getattr(self, self.ACTIONS[target, action])(part)
                self.table[target, action] += 1

    def go_on(self) -> None:
        """Continue what was stopped long enough."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()

    def leave(self) -> None:
        """Continue everything that is stopped."""
        while self._later:
            heapq.heappop(self._later)[2]()

    def _after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), what))

    # What it does

    def kill(self, part: Part) -> None:
        part.kill(down=self.random.choice((0.0, 0.5, 2.0, 5.0)))

    def restart(self, part: Part) -> None:
        # PostgreSQL by SIGINT ends its connections at once; it would wait for them on SIGTERM.
        part.end(signal.SIGINT if part.kind == "postgresql" else signal.SIGTERM, down=0.2)
        if part.kind != "postgresql":
            self._after(15, lambda process=part.process: process.kill())  # type: ignore[misc]  # as an operator would

    def stop(self, part: Part) -> None:
        part.signal(signal.SIGSTOP)
        process = part.process
        assert process is not None

        def go_on() -> None:
            if part.process is process:
                part.signal(signal.SIGCONT)

        self._after(self.random.uniform(1, LONGEST_STOP[part.kind]), go_on)

    def kill_child(self, part: Part) -> None:
        assert part.process is not None
        for pid in children_of(part.process.pid)[-1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def flush(self, part: Part) -> None:
        with suppress(redis.RedisError), self.installation.redis() as client:
            client.flushall()

    def _backends(self) -> list[int]:
        try:
            rows = self.installation.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'leadrouter' AND backend_type = 'client backend'"
            )
        except psycopg2.Error:
            return []
        return [pid for (pid,) in rows]

    def kill_backend(self, part: Part) -> None:
        """Kill one server process: PostgreSQL ends all others and recovers."""
        for pid in self.random.sample(backends, 1) if (backends := self._backends()) else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop_backend(self, part: Part) -> None:
        """Stop one server process, with the locks that it holds."""
        for pid in self.random.sample(backends, 1) if (backends := self._backends()) else ():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
            self._after(self.random.uniform(1, 8), lambda pid=pid: self._continue(pid))  # type: ignore[misc]

    def _continue(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def cut_connections(self, part: Part) -> None:
        with suppress(psycopg2.Error):
            self.installation.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'leadrouter' AND random() < %s",
                self.random.choice((0.2, 1.0)),
            )
