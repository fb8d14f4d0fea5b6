"""Send leads through the real API: a server of our own on a free port of this host, with a key of our own."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from routing.models import ApiKey

from .database import environment
from .plan import Arrival

CLIENTS = 4
START_SECONDS = 60


@dataclass
class Sent:
    """What the API answered."""

    leads: int = 0
    seconds: float = 0.0
    states: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def send(arrivals: list[Arrival]) -> Sent:
    """Post the leads, the first of them twice, and read the decisions of some."""
    sent = Sent(leads=len(arrivals))
    key = _key()
    with server() as port, ThreadPoolExecutor(CLIENTS) as clients:
        began = time.perf_counter()
        answers = list(clients.map(lambda a: call(port, key, "POST", "/api/v1/leads", body_of(a)), arrivals))
        sent.seconds = time.perf_counter() - began
        for arrival, (status, lead) in zip(arrivals, answers, strict=True):
            _judge(arrival, status, lead, sent)
        if not sent.violations:
            _ask_again(port, key, arrivals, answers, sent)
    return sent


def body_of(arrival: Arrival) -> dict[str, Any]:
    return {**arrival.form, "arrived_at": arrival.at.isoformat()}


def _judge(arrival: Arrival, status: int, lead: Any, sent: Sent) -> None:
    if status != 201 or lead.get("external_id") != arrival.number:
        sent.violations.append(f"HTTP: lead {arrival.number} was answered {status}: {str(lead)[:300]}")
        return
    sent.states[lead["state"]] = sent.states.get(lead["state"], 0) + 1
    if (lead["responsible"] is None) != (lead["state"] in ("waiting", "idle")):
        sent.violations.append(f"HTTP: lead {arrival.number} is {lead['state']}, responsible {lead['responsible']}")
    if datetime.fromisoformat(lead["arrived_at"]).astimezone(UTC) != arrival.at:
        sent.violations.append(f"HTTP: lead {arrival.number} arrived at {arrival.at}, not {lead['arrived_at']}")


def _ask_again(port: int, key: str, arrivals: list[Arrival], answers: list[Any], sent: Sent) -> None:
    for arrival, (_, lead) in list(zip(arrivals, answers, strict=True))[:20]:
        status, again = call(port, key, "POST", "/api/v1/leads", body_of(arrival))
        if status != 200 or again.get("id") != lead["id"]:
            sent.violations.append(f"HTTP: lead {arrival.number} sent twice was answered {status}: {str(again)[:300]}")
        status, decisions = call(port, key, "GET", f"/api/v1/leads/{lead['id']}/decisions")
        rows = decisions.get("results", []) if isinstance(decisions, dict) else decisions
        if status != 200 or (
            lead["decision"] is not None and (not rows or rows[0]["reason"] != lead["decision"]["reason"])
        ):
            sent.violations.append(
                f"HTTP: the decisions of {arrival.number} were answered {status}: {str(decisions)[:300]}"
            )


def _key() -> str:
    row = ApiKey(name="replay", scopes=[ApiKey.Scope.INTAKE, ApiKey.Scope.READ])
    key = row.renew()
    row.save()
    return key


def call(port: int, key: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text


@contextmanager
def server() -> Iterator[int]:
    """Run the web until the block ends; yield its port."""
    port = free_port()
    command = [
        sys.executable, "-m", "leadrouter.server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--threads", str(CLIENTS),
    ]  # fmt: skip
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for_answer(process, port)
            yield port
        except Exception:
            log.seek(0)
            print(log.read().decode(errors="replace")[-4000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_answer(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            call(port, "", "GET", "/api/v1/leads")
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server did not answer within {START_SECONDS} seconds")
