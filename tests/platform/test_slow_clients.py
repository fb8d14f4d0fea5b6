"""What `make run` starts, with hundreds of clients that stop in the middle of a body."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from .processes import House, free_port, house, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/net/tcp").exists(), reason="calls from many addresses of loopback, as Linux has them"
    ),
]

SECONDS = 14.0  # longer than a silent body is waited for
BODY = json.dumps({"pipeline": "sales", "contact": {"name": "Ana", "email": "ana@example.com"}}).encode()
CONFIGURATION = Path(__file__).parents[1] / "chaos" / "configuration.yaml"


@pytest.fixture(scope="module")
def home() -> Iterator[House]:
    with house() as home:
        yield home


def ask(port: int, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, float]:
    """Return the status, and after how many seconds it was there."""
    began = time.monotonic()
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        answer.read()
    return answer.status, time.monotonic() - began


def stall(port: int, key: str, over: threading.Event, held: list[socket.socket]) -> None:
    """Begin 200 bodies from one address and 200 from others, and begin anew whichever the server lets go."""
    lines = ["POST /api/v1/leads HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Content-Length: 2000"]
    heads = ["\r\n".join([*lines, *more, "", "{"]).encode() for more in ([], [f"Authorization: Bearer {key}"])]
    number = 0
    while not over.is_set():
        number += 1
        source = "127.0.0.1" if number % 2 else f"127.0.{1 + number // 2 % 2}.{1 + number // 2 % 200}"
        with suppress(OSError):
            client = socket.create_connection(("127.0.0.1", port), timeout=2, source_address=(source, 0))
            held.append(client)
            client.sendall(heads[number // 2 % 2])
        if number > 400:
            held.pop(0).close()
            over.wait(0.02)


def test_two_hundred_stalled_clients_and_two_hundred_from_elsewhere_keep_nobody_waiting(home):
    port, over, held = free_port(), threading.Event(), []
    with ExitStack() as stack:
        home.run("manage.py", "migrate", "-v0")  # which takes longer than a start may on a busy machine
        stack.enter_context(running(home, port=port))
        home.run("manage.py", "config", "import", str(CONFIGURATION))
        key = home.run("manage.py", "apikey", "Form", "--scope", "intake").stdout.split()[-1]
        assert ask(port, "POST", "/api/v1/leads", BODY, Authorization=f"Bearer {key}")[0] == 201  # and warm
        stalling = threading.Thread(target=stall, args=(port, key, over, held))
        stalling.start()
        stack.callback(lambda: [client.close() for client in held])
        stack.callback(stalling.join)
        stack.callback(over.set)
        worst, ended = 0.0, time.monotonic() + SECONDS
        while time.monotonic() < ended:
            status, seconds = ask(port, "GET", "/healthz")
            assert status == 200
            worst = max(worst, seconds)
            status, seconds = ask(port, "POST", "/api/v1/leads", BODY, Authorization=f"Bearer {key}")
            assert status in (200, 201)
            worst = max(worst, seconds)
            time.sleep(0.05)
        assert len(held) >= 400
    print(f"worst answer beside stalled clients: {worst:.3f} s")
    assert worst < 1
