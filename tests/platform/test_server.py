"""The web server: what it makes of clients that are slow, odd or many, and that an honest one notices nothing of them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.data import REPOSITORY

from .processes import free_port, status, until

HOST = b"Host: localhost\r\n"
CLIENTS: list[Client] = []
LIMITS = {
    "head_seconds": 1, "silence_seconds": 1, "body_seconds": 6, "send_seconds": 2, "linger_seconds": 2, "idle_seconds": 3,
    "body_bytes": 1 << 20, "memory_bytes": 4_096, "per_address": 12, "look_seconds": 0.1,
}  # fmt: skip


@contextmanager
def serving(*, proxies: bool = False, environment: dict[str, str] | None = None, **limits: Any) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.platform.small_server", str(port), json.dumps(LIMITS | limits),
         "yes" if proxies else "no"],
        cwd=REPOSITORY, env=os.environ | (environment or {}), stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        assert until(lambda: status(f"http://127.0.0.1:{port}/") == 200, seconds=30)
        yield port
    finally:
        process.terminate()
        try:
            assert process.wait(15) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as found:
        yield found


@pytest.fixture(autouse=True)
def leave_nothing_open() -> Iterator[None]:
    yield
    while CLIENTS:
        CLIENTS.pop().socket.close()


class Client:
    """Speaks as it is told, byte by byte. The end of the test closes it."""

    def __init__(self, port: int, *, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15, source_address=(source, 0))
        self.received = b""
        CLIENTS.append(self)

    def send(self, content: bytes) -> Client:
        self.socket.sendall(content)
        return self

    def read(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next answer."""
        while b"\r\n\r\n" not in self.received:
            self._more()
        head, self.received = self.received.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(self.received) < length:
            self._more()
        body, self.received = self.received[:length], self.received[length:]
        return int(lines[0].split()[1]), headers, body

    def _more(self) -> None:
        piece = self.socket.recv(65_536)
        if not piece:
            raise EOFError(self.received)
        self.received += piece

    def is_closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def ask(port: int, content: bytes) -> tuple[int, dict[str, str], bytes]:
    return Client(port).send(content).read()


def told(port: int, content: bytes) -> dict[str, Any]:
    code, _, body = ask(port, content)
    assert code == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def post(path: bytes, length: int, *, more: bytes = b"") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + more + b"Content-Length: %d\r\n\r\n" % length


# Slow clients


@pytest.mark.slow
@pytest.mark.parametrize(
    "beginning", [post(b"/", 2_000), post(b"/", 2_000) + b"x" * 1_000, b"POST / HTT", post(b"/", 9)[:-2]]
)
def test_who_falls_silent_is_told_408_and_let_go(port, beginning):
    client, began = Client(port).send(beginning), time.monotonic()
    code, headers, _ = client.read()
    assert (code, headers["connection"]) == (408, "close")
    assert 0.9 <= time.monotonic() - began < 4
    assert client.is_closed()


@pytest.mark.slow
def test_who_sends_fewer_than_500_bytes_a_second_is_told_408(port):
    client = Client(port).send(post(b"/", 100_000))
    with suppress(ConnectionError):
        for _ in range(30):
            client.send(b"x" * 20)
            time.sleep(0.1)
    assert client.read()[0] == 408


@pytest.mark.slow
def test_who_is_steady_but_never_done_is_told_408(port):
    client, began = Client(port).send(post(b"/", 1 << 20)), time.monotonic()
    with suppress(ConnectionError):
        while time.monotonic() - began < 9:
            client.send(b"x" * 100)
            time.sleep(0.1)
    assert client.read()[0] == 408


@pytest.mark.slow
def test_an_honest_two_kilobytes_over_four_seconds_are_taken():
    with serving(silence_seconds=10) as port:
        client = Client(port).send(post(b"/", 2_000))
        for _ in range(20):
            time.sleep(0.2)
            client.send(b"x" * 100)
        code, _, body = client.read()
    assert (code, json.loads(body)["length"]) == (200, 2_000)


def test_the_head_alone_is_refused_before_its_body_is_there(port):
    client, began = Client(port).send(post(b"/api/leads", 2_000) + b"{"), time.monotonic()
    code, headers, _ = client.read()
    assert (code, headers["connection"]) == (401, "close")
    assert time.monotonic() - began < 0.9
    assert client.is_closed()


def test_a_head_with_a_right_key_waits_for_its_body(port):
    client = Client(port).send(post(b"/api/leads", 4, more=b"Authorization: Bearer right\r\n"))
    time.sleep(0.5)
    code, _, body = client.send(b"body").read()
    assert (code, json.loads(body)["body"]) == (200, "body")


def test_too_large_a_body_is_refused_by_its_length_and_while_it_comes(port):
    began = time.monotonic()
    assert ask(port, post(b"/api/leads", (1 << 20) + 1))[0] == 413
    client = Client(port).send(b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
    with suppress(ConnectionError):
        for _ in range(20):
            client.send(b"%x\r\n" % 100_000 + b"x" * 100_000 + b"\r\n")
    assert client.read()[0] == 413
    assert time.monotonic() - began < 3


def test_a_browser_is_shown_a_page_of_the_refusal_and_a_program_is_not(port):
    browser = b"Accept: text/html,*/*;q=0.8\r\nAccept-Language: ru\r\n"
    code, headers, body = ask(port, post(b"/form", (1 << 20) + 1, more=browser))
    assert (code, headers["content-type"], body) == (413, "text/html; charset=utf-8", b"413 in ru")
    for path, more, kind in (
        (b"/api/x", browser, "application/problem+json"),
        (b"/form", b"", "text/plain; charset=utf-8"),
    ):
        assert ask(port, post(path, (1 << 20) + 1, more=more))[1]["content-type"] == kind


def test_who_sends_all_before_reading_hears_the_refusal(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", b"x" * (8 << 20))
    assert connection.getresponse().status == 413
    connection.close()


def test_stalled_clients_keep_nobody_waiting(port):
    stalled = [Client(port, source=f"127.0.0.{2 + n % 100}").send(post(b"/", 50)) for n in range(100)]
    for _ in range(20):
        began = time.monotonic()
        assert ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200
        assert time.monotonic() - began < 1
    assert len(stalled) == 100


@pytest.mark.slow
def test_who_takes_nothing_of_a_large_answer_keeps_no_thread_and_is_dropped(port):
    readers = []
    for _ in range(8):
        client = Client(port)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        readers.append(client.send(b"GET /big?400 HTTP/1.1\r\n" + HOST + b"\r\n"))
    time.sleep(1)
    assert ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200
    assert until(lambda: established(port) == 0, seconds=10)
    assert len(readers) == 8


@pytest.mark.slow
def test_who_leaves_the_end_of_an_answer_in_the_buffer_of_a_closing_connection_is_dropped(port):
    readers = []
    for number in range(1, 64):  # of these lengths some fill what the system keeps, and little more
        client = Client(port, source=f"127.0.5.{number}")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        asked = b"GET /big?%d HTTP/1.1\r\n" % number + HOST + b"Connection: close\r\n\r\n"
        readers.append(client.send(asked))
    time.sleep(1)
    assert until(lambda: established(port) == 0, seconds=15)
    assert len(readers) == 63


def established(port: int) -> int:
    """Count the connections that the server holds open."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(1 for line in lines if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01")


# Many clients


def open_ones(clients: list[Client]) -> int:
    """Count the connections that the server has neither refused nor closed."""
    count = 0
    for client in clients:
        client.socket.setblocking(False)
        try:
            client.socket.recv(1_000)
        except BlockingIOError:
            count += 1
        except OSError:
            pass
        client.socket.settimeout(15)
    return count


@pytest.mark.slow
def test_one_address_has_so_many_connections_and_the_newest_is_served():
    with serving(head_seconds=20, silence_seconds=20) as port:
        clients = []
        for _ in range(40):
            clients.append(Client(port).send(b"POST / HT"))
            time.sleep(0.005)
        time.sleep(0.3)
        assert 10 <= open_ones(clients) <= 12
        assert ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200
        others = Client(port, source="127.0.0.9").send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert others.read()[0] == 200


GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def refused(client: Client) -> None:
    """Read what a client hears whose address has too many connections: a whole answer, and no reset behind it."""
    code, headers, body = client.read()
    assert (code, headers["connection"], headers["retry-after"]) == (429, "close", "5")
    assert len(body) == int(headers["content-length"])
    assert client.socket.recv(1) == b""


def hears(client: Client) -> bool:
    client.socket.setblocking(False)
    try:
        return bool(client.socket.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False
    finally:
        client.socket.settimeout(15)


@pytest.mark.slow
def test_beyond_what_an_address_may_have_requests_under_way_are_finished_and_others_told_429(port):
    busy = [
        Client(port).send(b"GET /sleep?2 HTTP/1.1\r\n" + HOST + b"\r\n") for _ in range(60)
    ]  # enough for each process
    time.sleep(0.3)  # each is with a thread, or waits for one, or is refused
    more = [Client(port) for _ in range(8)]
    time.sleep(0.3)  # they have sent nothing yet
    for client, asked in zip(more, [GET, post(b"/", 900_000) + b"x" * 900_000] * 4, strict=True):
        client.send(asked)
    for client in more:
        refused(client)
    codes = Counter(client.read()[0] for client in busy)
    assert codes.keys() == {200, 429}
    assert 12 <= codes[200] <= 12 + 2 * 4  # a process takes its share, whatever the others have


@pytest.mark.slow
def test_an_idle_connection_gives_way_and_what_it_asks_next_is_told_429_as_the_path_says():
    with serving(idle_seconds=60, turned_away_seconds=5) as port:
        idle = [Client(port).send(GET) for _ in range(12)]
        assert [client.read()[0] for client in idle] == [200] * 12
        time.sleep(0.3)
        assert ask(port, GET)[0] == 200
        for client in idle:
            client.send(b"GET /api/v1/leads HTTP/1.1\r\n" + HOST + b"\r\n")
        answers = [client.read() for client in idle]
        assert sorted(code for code, _, _ in answers) == [200] * 11 + [429]
        [(headers, body)] = [(headers, body) for code, headers, body in answers if code == 429]
        assert headers["content-type"] == "application/problem+json"
        assert json.loads(body)["code"] == "too-many-connections"


@pytest.mark.slow
@pytest.mark.parametrize("beginning", [b"", b"POST / HT", post(b"/", 50) + b"x"])
def test_a_silent_connection_gives_way_and_hears_why(beginning):
    with serving(head_seconds=20, silence_seconds=20, turned_away_seconds=1) as port:
        silent = [Client(port).send(beginning) for _ in range(12)]
        time.sleep(0.3)
        newer = [Client(port).send(GET) for _ in range(3)]
        assert [client.read()[0] for client in newer] == [200] * 3
        assert until(lambda: sum(map(hears, silent)) == 3, seconds=5)
        for client in filter(hears, silent):
            refused(client)


@pytest.mark.slow
def test_of_a_crowd_at_one_address_each_hears_an_answer(port):
    codes: Counter[object] = Counter()

    def clients() -> None:
        for _ in range(40):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
            try:
                connection.request("POST", "/", b"x" * 1_000)
                codes[connection.getresponse().status] += 1
            except (OSError, http.client.HTTPException) as error:
                codes[repr(error)] += 1
            connection.close()

    threads = [threading.Thread(target=clients) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes.keys() == {200, 429}
    assert codes.total() == 1_200


@pytest.mark.slow
def test_only_so_many_wait_to_hear_that_there_is_no_room():
    with serving(head_seconds=20, turned_away=5, turned_away_seconds=20) as port:
        clients = []
        for _ in range(60):
            clients.append(Client(port))
            time.sleep(0.005)
        assert until(lambda: established(port) <= 12 + 2 * 5, seconds=5)
        assert open_ones(clients[-8:]) == 8
        assert ask(port, GET)[0] == 200


@pytest.mark.slow
def test_behind_proxies_connections_are_not_counted():
    with serving(proxies=True, head_seconds=20) as port:
        clients = [Client(port).send(b"POST / HT") for _ in range(40)]
        time.sleep(0.3)
        assert open_ones(clients) == 40


@pytest.mark.slow
def test_of_too_many_connections_those_that_stall_go_first():
    with serving(proxies=True, head_seconds=20, connections=10) as port:
        clients = [Client(port).send(b"POST / HT") for _ in range(60)]
        for _ in range(5):
            assert ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 200
        assert open_ones(clients) <= 20


# HTTP


def test_a_request_reaches_the_program_as_it_was_sent(port):
    found = told(
        port,
        post(b"/a%20b/%C3%A9?x=%201&y", 3, more=b"X-Thing: a\r\nx-thing: b\r\nCookie: a=1\r\nCookie: b=2\r\n") + b"abc",
    )
    assert found["PATH_INFO"].encode("latin-1").decode() == "/a b/é"
    assert (found["QUERY_STRING"], found["REQUEST_METHOD"], found["body"]) == ("x=%201&y", "POST", "abc")
    assert (found["HTTP_X_THING"], found["HTTP_COOKIE"], found["CONTENT_LENGTH"]) == ("a,b", "a=1; b=2", "3")
    assert (found["REMOTE_ADDR"], found["HTTP_HOST"]) == ("127.0.0.1", "localhost")


def test_a_header_with_an_underscore_passes_for_no_other(port):
    found = told(port, b"GET / HTTP/1.1\r\n" + HOST + b"X_Forwarded_For: 1.2.3.4\r\nContent_Length: 5\r\n\r\n")
    assert "HTTP_X_FORWARDED_FOR" not in found
    assert found["length"] == 0


def test_a_chunked_body_has_its_length_and_its_trailers_say_nothing(port):
    chunks = b"5\r\nabcde\r\n3;x=y\r\nfgh\r\n0\r\nAuthorization: Bearer late\r\nX-Late: 1\r\n\r\n"
    found = told(port, b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
    assert (found["body"], found["CONTENT_LENGTH"]) == ("abcdefgh", "8")
    assert not {"HTTP_X_LATE", "HTTP_AUTHORIZATION", "HTTP_TRANSFER_ENCODING"} & found.keys()


def test_a_body_beyond_what_is_kept_in_memory_comes_whole(port):
    assert told(port, post(b"/", 900_000) + b"x" * 900_000)["length"] == 900_000


def test_requests_sent_ahead_are_answered_in_their_order(port):
    asked = b"".join(b"GET /%d HTTP/1.1\r\n" % n + HOST + b"\r\n" for n in range(20))
    asked += post(b"/20", 3) + b"abc" + b"GET /21 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    client = Client(port).send(asked)
    assert [json.loads(client.read()[2])["PATH_INFO"] for _ in range(22)] == [f"/{n}" for n in range(22)]
    assert client.is_closed()


@pytest.mark.slow
def test_a_connection_is_kept_and_idle_ones_go(port):
    client = Client(port)
    for _ in range(3):
        assert client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n").read()[1].get("connection") is None
    began = time.monotonic()
    assert client.is_closed()
    assert 2 < time.monotonic() - began < 8


def test_http_1_0_is_answered_and_closed(port):
    client = Client(port).send(b"GET / HTTP/1.0\r\n\r\n")
    assert client.read()[1]["connection"] == "close"
    assert client.is_closed()
    kept = Client(port).send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert kept.read()[1]["connection"] == "keep-alive"


def test_100_continue_comes_when_the_head_is_right_and_the_refusal_when_not(port):
    expecting = b"Expect: 100-continue\r\n"
    client = Client(port).send(post(b"/", 3, more=expecting))
    assert client.read()[0] == 100
    assert client.send(b"abc").read()[0] == 200
    assert ask(port, post(b"/api/", 3, more=expecting))[0] == 401
    right = Client(port).send(post(b"/api/", 3, more=expecting + b"Authorization: Bearer right\r\n"))
    assert right.read()[0] == 100
    assert right.send(b"abc").read()[0] == 200
    assert ask(port, post(b"/", 3, more=b"Expect: everything\r\n"))[0] == 417


def test_who_sends_all_and_closes_its_half_is_answered(port):
    client = Client(port).send(b"GET /sleep?0.3 HTTP/1.1\r\n" + HOST + b"\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.read()[0] == 200
    assert client.is_closed()


CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (post(b"/", 5, more=CHUNKED) + b"0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5, 5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length : 5\r\n\r\nabcde", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + CHUNKED + b"\r\n0x1\r\na\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-Thing: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505),
        (b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"nonsense\r\n\r\n", 400),
        (b"GET http://[x/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: a\r\n" % n for n in range(150)) + b"\r\n", 431),
    ],
)  # fmt: skip
def test_what_two_servers_might_read_in_two_ways_is_refused_and_the_connection_closed(port, asked, code):
    client = Client(port).send(asked)
    assert client.read()[0] == code
    assert client.is_closed()


def test_an_offer_of_another_protocol_is_not_taken(port):
    client = Client(port).send(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n")
    code, headers, _ = client.read()
    assert (code, headers["connection"]) == (200, "close")


def test_head_and_204_have_no_body(port):
    client = Client(port).send(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
    client.send(b"GET /none HTTP/1.1\r\n" + HOST + b"\r\n" + b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    while b"\r\n\r\n" not in client.received:
        client._more()
    head, client.received = client.received.split(b"\r\n\r\n", 1)
    assert b"content-length:" in head
    assert b"content-length: 0" not in head
    assert [client.read()[0] for _ in range(2)] == [204, 200]


def test_a_bug_is_a_500_and_a_broken_header_is_not_sent(port):
    assert ask(port, b"GET /boom HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 500
    code, headers, _ = ask(port, b"GET /split HTTP/1.1\r\n" + HOST + b"\r\n")
    assert code == 500
    assert "x-more" not in headers


def test_a_whole_address_goes_before_the_host_and_no_address_ends_a_thread(port):
    found = told(port, b"GET http://other.example:81/a?b HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (found["HTTP_HOST"], found["PATH_INFO"], found["QUERY_STRING"]) == ("other.example:81", "/a", "b")
    for _ in range(6):  # more than there are threads
        assert ask(port, b"GET http://[x/ HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 400
    assert told(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")["PATH_INFO"] == "/"


def test_a_large_answer_comes_whole(port):
    code, headers, body = ask(port, b"GET /big?100 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert (code, headers["content-length"], len(body)) == (200, str(100 * 65_536), 100 * 65_536)


# Uploads


FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"


def test_an_upload_goes_to_a_process_of_its_own_that_gives_way(port):
    found = told(port, post(b"/", 20_000, more=FORM) + b"x" * 20_000)
    assert (found["length"], found["nice"]) == (20_000, min(19, os.nice(0) + 10))
    assert told(port, post(b"/", 3) + b"abc")["nice"] == os.nice(0)


@pytest.mark.slow
def test_uploads_take_their_turns_and_keep_nobody_waiting(port):
    uploads = [Client(port).send(post(b"/sleep?0.4", 4, more=FORM) + b"abcd") for _ in range(6)]
    time.sleep(0.1)
    began = time.monotonic()
    assert told(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")["length"] == 0
    assert time.monotonic() - began < 0.3
    assert [client.read()[0] for client in uploads] == [200] * 6
    assert time.monotonic() - began > 1.8


def test_a_slow_upload_is_judged_as_any_body(port):
    client = Client(port).send(post(b"/", 4_000, more=FORM) + b"x")
    assert client.read()[0] == 408


# A full disk


@pytest.mark.parametrize("asked", [post(b"/", 500_000) + b"x" * 500_000, b"GET /big?50 HTTP/1.1\r\n" + HOST + b"\r\n"])
def test_without_room_for_a_body_or_an_answer_the_client_is_told_507(full_disk, asked):
    code, _, body = ask(full_disk, asked)
    assert code == 507
    assert b"no space left" in body
    assert told(full_disk, post(b"/", 3) + b"abc")["body"] == "abc"


@pytest.fixture(scope="module")
def full_disk(tmp_path_factory) -> Iterator[int]:
    """Give a server whose temporary folder holds some kilobytes."""
    folder = tmp_path_factory.mktemp("small")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        with serving(environment={"TMPDIR": str(folder)}) as found:
            yield found
    finally:
        subprocess.run(["umount", folder], check=True)


# Processes


@pytest.mark.slow
def test_a_process_that_ends_is_started_again_and_its_connections_forgotten():
    with serving(head_seconds=20) as port:
        for _ in range(10):
            Client(port).send(b"POST / HT")
        time.sleep(0.2)
        for pid in _children_of_listener(port):
            os.kill(pid, signal.SIGKILL)
        assert until(lambda: status(f"http://127.0.0.1:{port}/") == 200, seconds=10)
        more = [Client(port).send(b"POST / HT") for _ in range(10)]
        time.sleep(0.3)
        assert open_ones(more) == 10


def _children_of_listener(port: int) -> list[int]:
    words = f"tests.platform.small_server\0{port}\0".encode()
    found = [int(entry) for entry in os.listdir("/proc") if entry.isdecimal() and _runs(entry, words)]
    return [pid for pid in found if _parent(pid) in found]


def _runs(pid: str, words: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return words in file.read()
    except OSError:
        return False


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rsplit(")", 1)[1].split()[1])


@pytest.mark.slow
def test_told_to_end_it_finishes_what_it_does():
    with serving() as port:
        client = Client(port).send(b"GET /sleep?1 HTTP/1.1\r\n" + HOST + b"\r\n")
        time.sleep(0.3)
    code, headers, _ = client.read()
    assert (code, headers["connection"]) == (200, "close")
