"""The journal of a client: what it was about to send, and what it was told. Only an answer of 2xx is a promise."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Told:
    """What the answers to one request came to."""

    key: str
    names: list[str]  # of the leads in it
    numbers: list[str | None]  # their external ids
    sent: int = 0
    unknown: int = 0  # sent, and no answer came
    ids: list[list[str]] = field(default_factory=list)  # of each answer of 2xx, the leads that it named
    refused: list[int] = field(default_factory=list)  # 4xx


class Journal:
    """One file, a line an event, written before the request goes out and after its answer came in."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._file = open(path, "a", buffering=1)  # noqa: SIM115  # open as long as the journal is
        self.requests: dict[int, Told] = {}
        self.actions: list[tuple[str, str, int]] = []  # lead, what was done, status; acknowledged ones only
        self.statuses: Counter[int] = Counter()
        self.seconds: list[tuple[float, float]] = []  # when an answer of 2xx came (monotonic), and how long it took

    def invoke(self, number: int, key: str, names: list[str], numbers: list[str | None]) -> None:
        with self._lock:
            told = self.requests.setdefault(number, Told(key, names, numbers))
            told.sent += 1
            self._write("invoke", number, key)

    def answered(self, number: int, status: int, ids: list[str], *, seconds: float) -> None:
        with self._lock:
            self.statuses[status] += 1
            told = self.requests[number]
            if 200 <= status < 300:
                told.ids.append(ids)
                self.seconds.append((time.monotonic(), seconds))
            elif 400 <= status < 500 and status != 429:
                told.refused.append(status)
            self._write("ok" if status < 300 else "fail", number, status, ids)

    def lost(self, number: int, why: str) -> None:
        with self._lock:
            self.requests[number].unknown += 1
            self._write("unknown", number, why)

    def acted(self, lead: str, action: str, status: int) -> None:
        with self._lock:
            self.statuses[status] += 1
            if status < 300:
                self.actions.append((lead, action, status))
            self._write("acted", lead, action, status)

    def _write(self, *words: object) -> None:
        self._file.write(json.dumps([round(time.time(), 3), *words]) + "\n")

    @property
    def acknowledged(self) -> int:
        return sum(len(told.names) for told in list(self.requests.values()) if told.ids)

    def unresolved(self) -> list[int]:
        """Return the requests to which no answer came that says what became of them."""
        return [number for number, told in self.requests.items() if not told.ids and not told.refused]

    def close(self) -> None:
        self._file.close()
