"""leadrouter/server with a program of a few lines and limits of a second: `python -m tests.platform.small_server PORT {…}`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from leadrouter.server.limits import Limits
from leadrouter.server.master import Master, arguments, listen
from leadrouter.server.worker import Program


def application(environment: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """Tell what came, or do what the path says."""
    path = environment["PATH_INFO"]
    if path == "/boom":
        raise RuntimeError("as asked for")
    if path == "/sleep":
        time.sleep(float(environment["QUERY_STRING"]))
    if path == "/split":
        start_response("200 OK", [("X-Split", "a\r\nX-More: b")])
        return iter([b""])
    if path == "/none":
        start_response("204 No Content", [])
        return iter([b""])
    if path == "/big":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"x" * 65_536 for _ in range(int(environment["QUERY_STRING"])))
    body = environment["wsgi.input"].read()
    told = {name: value for name, value in environment.items() if isinstance(value, str)}
    content = json.dumps(
        {**told, "length": len(body), "body": body[:100].decode("latin-1"), "nice": os.nice(0)}
    ).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return iter([content])


def refusal_by_head(environment: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes] | None:
    if environment.get("HTTP_AUTHORIZATION") == "Bearer right":
        return None
    return "401 Unauthorized", [("Content-Type", "text/plain")], b"no key"


def main(port: str, limits: str, proxies: str) -> int:
    given = json.loads(limits)
    program = Program(
        application=application,
        judges_heads=lambda method, path: path.startswith("/api/"),
        refusal_by_head=refusal_by_head,
        goes_elsewhere=lambda method, path, kind: kind.startswith("multipart/form-data"),
        refused_page=lambda status, headers: f"{status} in {headers['HTTP_ACCEPT_LANGUAGE']}".encode(),
        behind_proxies=proxies == "yes",
        body_bytes=given.get("body_bytes", 1 << 20),
    )
    options = arguments(["--port", port, "--workers", "2", "--threads", "2", "--grace", "3"])
    return Master(options, listen("127.0.0.1", int(port), 100), program, Limits(**given)).run()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
