"""Clients that write down what they do: senders of leads, managers who work, a supervisor who interferes."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from .journal import Journal

TIMEOUT = 12  # seconds for an answer; less than a part may be stopped for
BULK_EVERY, BULK_SIZE = 25, 8  # requests
KEY_ONLY_EVERY = 3  # requests: the others number their leads as well
PIPELINES = ("sales", "sales", "sales", "service", "service", "partners")
REGULARS = 15  # contacts that come again and again, to the partners


class NotSent(Exception):
    """Nobody listens there. The request did not leave."""


class NoAnswer(Exception):
    """The request left, and no whole answer came: what became of it nobody knows."""


Answer = tuple[int, dict[str, str], Any]  # status, headers in lower case, body


class Api:
    """One connection to one of the webs; another one is tried where nobody listens."""

    def __init__(self, ports: list[int], key: str, *, seed: int, timeout: float = TIMEOUT) -> None:
        self.ports, self.key, self.timeout = ports, key, timeout
        self.random = random.Random(seed)
        self.connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Raises NotSent, NoAnswer."""
        connection = self.connection or self._connected()
        self.connection = None
        content = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        try:
            connection.request(method, f"/api/v1/{path}", content, headers)
            response = connection.getresponse()
            read = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoAnswer(type(error).__name__) from None
        if not response.will_close:
            self.connection = connection
        document = json.loads(read) if read.startswith((b"{", b"[")) else None
        return response.status, {name.lower(): value for name, value in response.getheaders()}, document

    def _connected(self) -> http.client.HTTPConnection:
        for port in self.random.sample(self.ports, len(self.ports)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self.timeout)
            try:
                connection.connect()
            except OSError:
                continue
            return connection
        raise NotSent

    def close(self) -> None:
        if self.connection:
            self.connection.close()
            self.connection = None


def body_of(number: int, pipeline: str) -> dict[str, Any]:
    regular = pipeline == "partners" and number % 4 == 0
    person = f"regular{number % REGULARS}" if regular else f"person{number}"
    lead = {"name": f"chaos-{number}", "source": "form", "pipeline": pipeline}
    return {**lead, "contact": {"name": person, "email": f"{person}@client.example"}}


def request_of(number: int) -> tuple[str, list[dict[str, Any]]]:
    """Return the path and the leads of a request: by key alone, by number, or many at once."""
    if number % BULK_EVERY == 0:
        leads = [body_of(number * 1_000_000 + n, "sales") for n in range(BULK_SIZE)]
        return "leads/bulk", leads
    lead = body_of(number, PIPELINES[number % len(PIPELINES)])
    if number % KEY_ONLY_EVERY:
        lead["external_id"] = f"x{number}"
    return "leads", [lead]


def send(api: Api, journal: Journal, number: int) -> bool:
    """Send one request once; return whether its outcome is known now."""
    path, leads = request_of(number)
    body = leads if path == "leads/bulk" else leads[0]
    journal.invoke(number, f"key-{number}", [x["name"] for x in leads], [x.get("external_id") for x in leads])
    started = time.monotonic()
    try:
        status, _, document = api.call("POST", path, body, **{"Idempotency-Key": f"key-{number}"})
    except (NotSent, NoAnswer) as error:
        journal.lost(number, repr(error))
        return False
    ids = []
    if status < 300:
        ids = [line["lead"]["id"] for line in document["results"]] if path == "leads/bulk" else [document["id"]]
    journal.answered(number, status, ids, seconds=time.monotonic() - started)
    return status < 500 and status != 429


class Crowd:
    """All clients of a run, each in a thread of its own."""

    def __init__(self, ports: list[int], key: str, journal: Journal, *, requests: int, rate: float, seed: int) -> None:
        self.ports, self.key, self.journal, self.seed = ports, key, journal, seed
        self.requests, self.rate = requests, rate
        self.over = threading.Event()  # no new requests
        self.quiet = threading.Event()  # nobody works any more
        self._next = 0
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._threads: list[threading.Thread] = []
        self._senders: list[threading.Thread] = []

    def start(self, *, senders: int, workers: int) -> None:
        self._started = time.monotonic()
        self._senders = [self._thread(self.sender, number) for number in range(senders)]
        self._threads = [self._thread(self.manager, 100 + number) for number in range(workers)]
        self._threads.append(self._thread(self.supervisor, 200))

    def _thread(self, work: Callable[[Api], None], number: int) -> threading.Thread:
        def run() -> None:
            with closing(Api(self.ports, self.key, seed=self.seed * 1000 + number)) as api:
                work(api)

        thread = threading.Thread(target=run, name=f"client-{number}", daemon=True)
        thread.start()
        return thread

    @property
    def sent(self) -> int:
        return self._next

    @property
    def done(self) -> bool:
        return not any(thread.is_alive() for thread in self._senders)

    def _take(self) -> int | None:
        """Return the number of the next request, when its time has come; None: there is no more."""
        with self._lock:
            if self._next >= self.requests or self.over.is_set():
                return None
            self._next += 1
            number = self._next
        pause = self._started + number / self.rate - time.monotonic()
        if pause > 0:
            self.over.wait(pause)
        return number

    def sender(self, api: Api) -> None:
        while (number := self._take()) is not None:
            for _ in range(4):  # what is not known then is left for the end
                if send(api, self.journal, number) or self.over.wait(api.random.uniform(0.1, 1.0)):
                    break

    def manager(self, api: Api) -> None:
        """Do what managers do: accept, decline, work, win; races with each other and the sweep are meant."""
        while not self.quiet.is_set():
            state = api.random.choice(("offered", "assigned", "assigned"))
            leads = self._page(api, f"leads?state={state}&limit=40")
            api.random.shuffle(leads)
            for lead in leads[:12]:
                if self.quiet.is_set():
                    return
                self._work(api, lead)
            self.quiet.wait(0.5 if leads else 1.0)

    def _page(self, api: Api, path: str) -> list[Any]:
        try:
            status, _, document = api.call("GET", path)
        except (NotSent, NoAnswer):
            return []
        return document["results"] if status == 200 else []

    def _work(self, api: Api, lead: dict[str, Any]) -> None:
        dice = api.random.random()
        if lead["stage"].endswith("/won"):
            return
        if lead["state"] == "offered":
            if lead["id"][-1] in "01" or dice < 0.25:
                return  # one of eight is answered by nobody: it runs out of time
            action = "accept" if dice < 0.7 else "decline" if dice < 0.85 else "move"
        else:
            action = "accept" if dice < 0.05 else "move"
        self._act(api, lead["id"], action, {"stage": "won"} if action == "move" else {})

    def _act(self, api: Api, lead: str, action: str, body: dict[str, Any]) -> None:
        try:
            status, _, _ = api.call("POST", f"leads/{lead}/{action}", body)
        except (NotSent, NoAnswer):
            return
        self.journal.acted(lead, action, status)

    def supervisor(self, api: Api) -> None:
        """Pause somebody, bring somebody back, give a lead to somebody by hand; at the end bring all back."""
        people = [f"m{number:02}@example.com" for number in range(1, 9)]
        while not self.quiet.wait(api.random.uniform(1, 3)):
            person = api.random.choice(people)
            dice = api.random.random()
            if dice < 0.7:
                path, body = (f"{person}/pause", {"minutes": 1}) if dice < 0.35 else (f"{person}/resume", {})
                self._page_post(api, f"managers/{path}", body)
                continue
            for lead in self._page(api, "leads?state=offered&limit=5")[:1]:
                self._act(api, lead["id"], "reassign", {"manager": person, "count": dice < 0.85})

    def _page_post(self, api: Api, path: str, body: dict[str, Any]) -> None:
        try:
            status, _, _ = api.call("POST", path, body)
        except (NotSent, NoAnswer):
            return
        self.journal.statuses[status] += 1

    def finish(self) -> None:
        self.over.set()
        self.quiet.set()
        for thread in self._threads + self._senders:
            thread.join(60)
