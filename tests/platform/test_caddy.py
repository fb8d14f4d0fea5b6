"""Caddy with the shipped file, TLS and all, before what `make run` starts: bodies, addresses, limits, its own log.

LEADROUTER_CADDY names another program than the installed one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.data import REPOSITORY

from .processes import House, free_port, house, running, until

CADDY = os.environ.get("LEADROUTER_CADDY") or shutil.which("caddy")
SHIPPED = REPOSITORY / "ops" / "Caddyfile"
CONFIGURATION = Path(__file__).parents[1] / "chaos" / "configuration.yaml"
LEAD = {"pipeline": "sales", "contact": {"name": "Ana", "email": "ana@example.com"}}
PASSWORD = "unguessable-1"
NAME = "leads.localhost"  # the web is known to Caddy by another

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CADDY is None, reason="There is no Caddy here; apt-get install caddy"),
    pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="looks at connections as Linux shows them"),
]


def version() -> tuple[int, ...]:
    told = subprocess.run([str(CADDY), "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", told)
    assert found, told
    return tuple(map(int, found.groups()))


def for_loopback(*, web: int, http_port: int, https_port: int) -> str:
    """Return the shipped file with other addresses, and with older words for a Caddy that is too old for it."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.count("\n{\n") == 1
    ports = f"\n{{\n\tadmin off\n\tskip_install_trust\n\thttp_port {http_port}\n\thttps_port {https_port}\n"
    text = text.replace("\n{\n", ports).replace("reverse_proxy web:8000", f"reverse_proxy localhost:{web}")
    if version() < (2, 6, 4):
        text = text.replace("request_buffers 1MiB", "buffer_requests\n\t\tbuffer_responses")
        text = text.replace("response_buffers 1MiB", "max_buffer_size 1MiB")
    return text


@dataclass
class Proxied:
    """The addresses of a running installation behind Caddy, and what Caddy logs."""

    home: House
    web: int
    http_port: int
    https_port: int
    log: Path
    key: str

    @contextmanager
    def connection(self, source: str = "127.0.0.1", seconds: float = 30) -> Iterator[ssl.SSLSocket]:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.https_port), timeout=seconds, source_address=(source, 0))
        with context.wrap_socket(plain, server_hostname=NAME) as client:
            yield client

    def ask(self, method: str, path: str, body: Any = None, source: str = "127.0.0.1", **headers: str) -> Any:
        """Return the answer, with its body as `text`."""
        with self.connection(source) as client:
            talk = http.client.HTTPSConnection(NAME, self.https_port)
            talk.sock = client
            headers.setdefault("Host", f"{NAME}:{self.https_port}")
            talk.request(method, path, body, headers)
            answer = talk.getresponse()
            answer.text = answer.read().decode(errors="replace")  # type: ignore[attr-defined]
            return answer

    def take(self, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        return self.ask("POST", "/api/v1/leads", json.dumps(LEAD), **sent)

    def sign_in(self, password: str, source: str, **headers: str) -> int:
        """Return the status of one try to sign in as a browser would."""
        page = self.ask("GET", "/", source=source)
        cookie = page.headers["Set-Cookie"].split(";")[0]
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert found
        form = urlencode({"csrfmiddlewaretoken": found[1], "username": "sue@example.com", "password": password})
        sent = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", **headers}
        origin = f"https://{NAME}:{self.https_port}"
        return int(self.ask("POST", "/", form, source=source, Origin=origin, Referer=origin + "/", **sent).status)

    def reaching_the_web(self) -> int:
        """Return how many connections Caddy has to the web."""
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return sum(line.split()[2].endswith(f":{self.web:04X}") and line.split()[3] == "01" for line in lines)


@contextmanager
def caddy(folder: Path, text: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    (folder / "Caddyfile").write_text(text)
    log = folder / "log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_DATA_HOME": str(folder), "DOMAIN": NAME}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [str(CADDY), "run", "--adapter", "caddyfile", "--config", "Caddyfile"],
            cwd=folder, env=environment | {"XDG_CONFIG_HOME": str(folder)}, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield process, log
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("caddy")
    web, http_port, https_port = free_port(), free_port(), free_port()
    settings = {
        "HTTPS": "true",
        "BEHIND_PROXY": "true",
        "ALLOWED_HOSTS": f"{NAME},127.0.0.1",
        "CSRF_TRUSTED_ORIGINS": f"https://{NAME}:{https_port}",
    }
    with house() as home:
        home.run("manage.py", "migrate", "-v0")
        with running(home, port=web, **settings):
            home.run("manage.py", "config", "import", str(CONFIGURATION))
            key = home.run("manage.py", "apikey", "Form", "--scope", "intake").stdout.split()[-1]
            home.run(
                "manage.py", "shell", "-v0", "-c",
                f"from accounts.models import User; User.objects.create_superuser('sue@example.com', '{PASSWORD}')",
            )  # fmt: skip
            text = for_loopback(web=web, http_port=http_port, https_port=https_port)
            with caddy(folder, text) as (process, log):
                found = Proxied(home, web, http_port, https_port, log, key)

                def answers() -> bool:
                    assert process.poll() is None, log.read_text()
                    with contextlib.suppress(OSError):
                        return bool(found.ask("GET", "/healthz").status == 200)
                    return False

                assert until(answers, seconds=60), log.read_text()
                yield found


def test_the_shipped_file_is_whole_and_says_from_which_caddy_on(tmp_path):
    text = SHIPPED.read_text(encoding="utf-8")
    assert "Caddy 2.6.4" in text
    if version() < (2, 6, 4):
        pytest.skip("This Caddy is older than the file asks for; the other tests give it the older words.")
    (tmp_path / "Caddyfile").write_text(text)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "DOMAIN": "leads.example.com"}
    for command in (["validate", "--adapter", "caddyfile", "--config"], ["fmt", "--diff"]):
        done = subprocess.run(
            [str(CADDY), *command, "Caddyfile"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARN" not in (done.stdout + done.stderr).upper().replace("WARNING: MAXIMUM", ""), done.stderr


def test_leads_are_taken_and_people_sign_in_as_over_https(proxied):
    answer = proxied.take(**{"X-Request-ID": "made-up"})
    assert answer.status == 201, answer.text
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["X-Request-ID"])
    assert "max-age=" in answer.headers["Strict-Transport-Security"]
    page = proxied.ask("GET", "/")
    assert page.status == 200
    assert "Secure" in page.headers["Set-Cookie"]
    assert proxied.sign_in(PASSWORD, "127.0.0.1") == 302
    with closing(http.client.HTTPConnection("127.0.0.1", proxied.http_port, timeout=30)) as plain:
        plain.request("GET", "/me/", headers={"Host": NAME})
        assert plain.getresponse().status == 308


def test_of_whoever_comes_by_another_name_nothing_is_answered(proxied):
    with proxied.connection() as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert b"alive" not in client.recv(65_536).partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/metrics/", "/readyz", "/readyz/", "//metrics", "/metrics//", "/./metrics", "/x/../metrics", "/%6detrics",
        "/metrics?x=1", "/METRICS", "/metrics%2f", "/metrics;x", "/readyz%00", f"https://{NAME}/metrics",
    ],
)  # fmt: skip
def test_what_is_for_machines_inside_stays_inside(proxied, path):
    answer = proxied.ask("GET", path)
    assert answer.status in (400, 404), answer.text
    assert "leadrouter_" not in answer.text
    assert '"database"' not in answer.text


# Bodies


def test_a_body_reaches_the_web_when_it_is_whole(proxied):
    body = json.dumps(LEAD | {"comment": "x" * 1_500}).encode()
    before = proxied.reaching_the_web()
    with proxied.connection() as client:
        head = f"POST /api/v1/leads HTTP/1.1\r\nHost: {NAME}:{proxied.https_port}\r\nConnection: close\r\n"
        head += f"Authorization: Bearer {proxied.key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        client.sendall(head.encode())
        for place in range(0, len(body), 200):
            client.sendall(body[place : place + 200])
            time.sleep(0.4)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.status == 201, answer.read()
    stalled = []
    with contextlib.ExitStack() as stack:
        for number in range(100):
            client = stack.enter_context(proxied.connection(f"127.0.{1 + number // 50}.{1 + number % 50}"))
            client.sendall(head.encode() + body[:100])
            stalled.append(client)
        assert proxied.reaching_the_web() <= before + 4, "their bodies are waited for before the web is asked"
        taken = []
        for _ in range(10):
            began = time.monotonic()
            assert proxied.ask("GET", "/healthz").status == 200
            assert proxied.take().status in (200, 201)
            taken.append(time.monotonic() - began)
        assert median(taken) < 3


def test_the_connections_of_caddy_are_not_counted_as_those_of_one_client(proxied):
    """Beyond the first mebibyte a body goes on to the web, so each of these is a connection of Caddy's."""
    head = f"POST /api/v1/leads/bulk HTTP/1.1\r\nHost: {NAME}:{proxied.https_port}\r\nContent-Length: 9000000\r\n"
    head += f"Authorization: Bearer {proxied.key}\r\nContent-Type: application/json\r\n\r\n["
    clients: list[ssl.SSLSocket] = []
    over = threading.Event()

    def send_slowly() -> None:
        while not over.wait(1):
            for client in list(clients):
                with contextlib.suppress(OSError):
                    client.sendall(b" " * 8_000)

    with contextlib.ExitStack() as stack:
        sender = threading.Thread(target=send_slowly)
        for number in range(70):
            client = stack.enter_context(proxied.connection(f"127.0.4.{1 + number}"))
            client.sendall(head.encode() + b" " * (1 << 20))
            clients.append(client)
            if number == 0:
                sender.start()
        stack.callback(sender.join)
        stack.callback(over.set)
        assert until(lambda: proxied.reaching_the_web() > 64, seconds=20)
        assert proxied.ask("GET", "/healthz").status == 200
        assert proxied.take().status in (200, 201)
        assert proxied.reaching_the_web() > 64, "none of them was sent away for it"


def test_a_body_without_a_length_is_taken_and_one_that_is_too_long_is_not(proxied):
    def pieces() -> Iterator[bytes]:
        body = json.dumps(LEAD).encode()
        yield body[:10]
        yield body[10:]

    sent = {"Authorization": f"Bearer {proxied.key}", "Content-Type": "application/json"}
    assert proxied.ask("POST", "/api/v1/leads", pieces(), **sent).status in (200, 201)
    with proxied.connection() as client:
        head = f"POST /api/v1/leads HTTP/1.1\r\nHost: {NAME}:{proxied.https_port}\r\nContent-Length: {18 << 20}\r\n"
        client.sendall(
            (head + f"Authorization: Bearer {proxied.key}\r\nContent-Type: application/json\r\n\r\n").encode()
        )
        with contextlib.suppress(OSError):
            for _ in range(18):
                client.sendall(b" " * (1 << 20))
        if version() >= (2, 6, 4):  # an older one says 502
            answer = http.client.HTTPResponse(client)
            answer.begin()
            assert answer.status == 413
    assert proxied.take().status in (200, 201)


# Addresses


def test_wrong_passwords_count_for_the_client_and_not_for_the_proxy(proxied):
    tries = [proxied.sign_in("wrong", "127.0.3.1", **{"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(5)]
    assert tries == [200, 200, 200, 200, 429], "a made-up address is no new try"
    assert proxied.sign_in(PASSWORD, "127.0.3.1", **{"X-Forwarded-For": "203.0.113.9"}) == 429
    assert proxied.sign_in(PASSWORD, "127.0.3.2") == 302, "who comes from elsewhere is let in"
    assert proxied.sign_in(PASSWORD, "127.0.3.2", **{"X-Forwarded-For": "127.0.3.1"}) == 302


def test_a_made_up_protocol_or_host_is_not_believed(proxied):
    with closing(http.client.HTTPConnection("127.0.0.1", proxied.http_port, timeout=30)) as plain:
        plain.request("GET", "/", headers={"Host": NAME, "X-Forwarded-Proto": "https"})
        assert plain.getresponse().status == 308
    page = proxied.ask("GET", "/", **{"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"})
    assert page.status == 200, "it came over https, whatever it says"
    assert "evil.example" not in page.text


# The log


def test_its_log_names_no_secret_even_when_the_web_is_gone(proxied, tmp_path):
    canary = secrets.token_hex(12)
    paths = [
        f"/invitation/MQ/{canary}/", f"/calendar/1.1:{canary}.ics", f"/accept/{canary}:x/", f"/nowhere/{canary}",
        f"/?key={canary}", f"/me/%00{canary}", f"/api/v1/leads?key={canary}", f"/metrics?{canary}",
    ]  # fmt: skip
    headers = {
        "Authorization": f"Bearer lr_{canary}", "X-Api-Key": canary, "Cookie": f"sessionid={canary}",
        "Referer": f"https://{NAME}/invitation/MQ/{canary}/", "X-Odd": canary,
    }  # fmt: skip
    ports = {"web": free_port(), "http_port": free_port(), "https_port": free_port()}
    text = for_loopback(**ports).replace("lb_try_duration 15s", "lb_try_duration 300ms")
    with caddy(tmp_path, text) as (process, log):
        orphan = Proxied(proxied.home, log=log, key=canary, **ports)
        assert until(lambda: _opens(ports["https_port"]), seconds=60), log.read_text()
        for path in paths:
            for method in ("GET", "POST"):
                for each in (proxied, orphan):
                    status = each.ask(method, path, canary if method == "POST" else None, **headers).status
                    assert status in (200, 302, 400, 401, 403, 404, 405, 415) or (each is orphan and status >= 500)
        with socket.create_server(("127.0.0.1", ports["web"])) as breaks:  # answers that end before they began
            breaks.settimeout(10)
            with orphan.connection() as client:
                client.sendall(f"GET {paths[0]} HTTP/1.1\r\nHost: {NAME}\r\nCookie: {canary}\r\n\r\n".encode())
                with contextlib.suppress(OSError):
                    breaks.accept()[0].close()
                with contextlib.suppress(OSError):
                    client.recv(1_000)
        for path in paths[:3]:  # cut off in the middle, and no HTTP at all
            for line in (
                f"POST {path} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 9\r\n\r\nx",
                f"{canary} {path}\r\n\r\n",
            ):
                with orphan.connection() as client:
                    client.sendall(line.encode())
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        told = log.read_text()
    assert '"status":502' in told or '"status":503' in told, "failures are logged, without what failed"
    for line in (told + proxied.log.read_text()).splitlines():
        assert canary not in line, line
        assert "/invitation/" not in line, line


def _opens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
