"""A request that came in whole, and the answer to it: what goes to a thread and comes back."""

from __future__ import annotations

import errno
import io
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import IO, Any
from urllib.parse import unquote_to_bytes, urlsplit

logger = logging.getLogger(__name__)

Environment = dict[str, Any]
Application = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]

API = "/api/"
FULL = (errno.ENOSPC, errno.EDQUOT)
NAMES: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}

REFUSALS = {  # status → (code, title, what to tell); the codes are those of leadrouter/problems.py
    400: ("bad-request", "Bad request", "The request cannot be read."),
    408: (
        "request-timeout",
        "The request took too long",
        "The rest of the request did not come in time: no byte for 10 seconds, or fewer than 500 a second.",
    ),
    413: ("too-large", "The body is too large", "The body is too large."),
    414: ("uri-too-long", "The address is too long", "The address is too long."),
    417: ("expectation-failed", "Expectation failed", "Only Expect: 100-continue is met."),
    429: ("too-many-connections", "Too many connections", "Too many connections from this address: close some."),
    431: ("headers-too-large", "The headers are too large", "The headers are too large, or too many."),
    500: (
        "internal-error",
        "Internal error",
        "Something went wrong on the server. It has been logged; you can send the request again.",
    ),
    501: ("not-implemented", "Not implemented", "This transfer coding is not known here: send chunked, or a length."),
    503: ("busy", "Too busy at the moment", "The request could not be served in time; you can send it again."),
    505: ("http-version", "HTTP version not supported", "HTTP/1.1 and HTTP/1.0 are spoken here."),
    507: (
        "no-space",
        "No space left",
        "The server has no space left to take this in. Nothing was changed; try again later, and tell an administrator.",
    ),
}


class Refusal(Exception):
    """The request is answered with this status, and nothing more is read from its connection."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Spool:
    """Bytes that come one after the other: in memory, or in a temporary file where they are many."""

    __slots__ = ("_file", "_memory_bytes", "_pieces", "length")

    def __init__(self, memory_bytes: int) -> None:
        self._pieces: list[bytes] = []
        self._file: IO[bytes] | None = None
        self._memory_bytes = memory_bytes
        self.length = 0

    def write(self, piece: bytes) -> None:
        self.length += len(piece)
        if self._file is None:
            self._pieces.append(piece)
            if self.length <= self._memory_bytes:
                return
            self._file = tempfile.TemporaryFile(prefix="leadrouter-", buffering=0)  # noqa: SIM115  # closed by close
            piece, self._pieces = b"".join(self._pieces), []
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) :]  # a file without a buffer may take less, and then says why not

    def open(self) -> IO[bytes]:
        """Return all of it, to be read from the start."""
        if self._file is None:
            return io.BytesIO(self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces))
        self._file.seek(0)
        return self._file

    def take(self) -> bytes | IO[bytes]:
        if self._file is None:
            return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        return self.open()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Request:
    """One request, from the first byte of it."""

    __slots__ = (
        "alone", "began", "body", "checking", "expects", "head_bytes", "headers", "headers_done", "host", "keep_alive",
        "length", "looked", "method", "started_at", "target", "version", "whole",
    )  # fmt: skip

    def __init__(self, began: float, memory_bytes: int) -> None:
        self.began = began
        self.started_at = began  # of the body
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.head_bytes = 0
        self.headers_done = False
        self.body = Spool(memory_bytes)
        self.length: int | None = None  # that was announced
        self.method = b""
        self.version = "1.1"
        self.keep_alive = True
        self.expects = False  # 100 Continue
        self.checking = self.looked = False
        self.whole = False
        self.alone = True  # the bytes of nobody else came with it

    @property
    def path(self) -> str:
        return self.target.decode("latin-1").partition("?")[0]

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    def environment(self, base: Environment, address: tuple[str, int]) -> Environment:
        """Return what WSGI wants to know (PEP 3333)."""
        target = self.target.decode("latin-1")
        host = None
        if not target.startswith("/") and target != "*":  # a whole address, which goes before the Host header
            split = urlsplit(target)
            host, target = split.netloc, (split.path or "/") + (f"?{split.query}" if split.query else "")
        path, _, query = target.partition("?")
        environment = base | {
            "REQUEST_METHOD": self.method.decode("latin-1"),
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": f"HTTP/{self.version}",
            "REMOTE_ADDR": address[0],
            "REMOTE_PORT": str(address[1]),
            "wsgi.input": self.body.open(),
        }
        for name, value in self.headers:
            key = NAMES.get(name)
            if key is None:
                if b"_" in name:  # it would pass for another one
                    continue
                key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
                if len(NAMES) < 500:
                    NAMES[name] = key
            text = value.decode("latin-1")
            if key in environment and key.startswith("HTTP_"):
                text = f"{environment[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
            environment[key] = text
        if host is not None:
            environment["HTTP_HOST"] = host
        environment.pop("HTTP_TRANSFER_ENCODING", None)
        environment.pop("HTTP_EXPECT", None)
        if self.whole and (self.body.length or "CONTENT_LENGTH" in environment or self.length is None):
            environment["CONTENT_LENGTH"] = str(self.body.length)
        return environment


class Response:
    """An answer, ready to be sent."""

    __slots__ = ("body", "close", "head", "length")

    def __init__(self, head: bytes, body: bytes | IO[bytes], length: int, *, close: bool) -> None:
        self.head = head
        self.body = body
        self.length = length
        self.close = close


_date = (0, "")


def date() -> str:
    """Return the time as HTTP writes it; worked out once a second."""
    global _date
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def run(
    application: Application,
    request: Request,
    environment: Environment,
    *,
    memory_bytes: int,
    closes: Callable[[], bool],
) -> Response:
    """Run the program, and take its whole answer, so that who reads it slowly keeps no thread.

    closes: whether the connection ends with this answer, asked once the answer is there.
    """
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        told[:] = [status, headers]
        return spool.write

    spool = Spool(memory_bytes)
    try:
        answer = application(environment, start_response)
        try:
            for piece in answer:
                if piece:
                    spool.write(piece)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        status, headers = told
        return _response(request, status, headers, spool, close=closes())
    except Exception as error:
        spool.close()
        full = isinstance(error, OSError) and error.errno in FULL
        logger.exception("no space left for an answer" if full else "the program failed")
        return refusal(507 if full else 500, path=request.path, close=closes() or not request.keep_alive)


def _response(request: Request, status: str, headers: list[tuple[str, str]], spool: Spool, *, close: bool) -> Response:
    code = int(status[:3])
    lines = [STATUS_LINES.get(code) or f"HTTP/1.1 {status}\r\n"]
    length = str(spool.length)
    for name, value in headers:
        lower = name.lower()
        if lower == "content-length":
            length = value
        elif lower in ("connection", "transfer-encoding", "keep-alive"):
            pass
        elif "\n" in value or "\r" in value or "\n" in name or "\r" in name:
            raise ValueError("a line break in a header of an answer")
        else:
            lines.append(f"{name}: {value}\r\n")
    bodiless = request.method == b"HEAD" or code in (204, 304)
    if code not in (204, 304):
        lines.append(f"content-length: {length if request.method == b'HEAD' else spool.length}\r\n")
    lines.append(f"date: {date()}\r\n")
    close = close or not request.keep_alive
    if close:
        lines.append("connection: close\r\n")
    elif request.version == "1.0":
        lines.append("connection: keep-alive\r\n")
    head = ("".join(lines) + "\r\n").encode("latin-1")
    if bodiless:
        spool.close()
        return Response(head, b"", 0, close=close)
    return Response(head, spool.take(), spool.length, close=close)


def refusal(status: int, *, path: str = "", close: bool = True, page: bytes | None = None) -> Response:
    """Return an answer of the server itself: a problem document under /api/, else the page, or a line of text."""
    code, title, detail = REFUSALS[status]
    if path.startswith(API):
        document = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
        kind, body = "application/problem+json", json.dumps(document, separators=(",", ":")).encode()
    elif page is not None:
        kind, body = "text/html; charset=utf-8", page
    else:
        kind, body = "text/plain; charset=utf-8", f"{title}\n\n{detail}\n".encode()
    head = (
        f"{STATUS_LINES[status]}content-type: {kind}\r\ncontent-length: {len(body)}\r\ncache-control: no-store\r\n"
        f"x-content-type-options: nosniff\r\n"
        "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'\r\n"
        f"x-frame-options: DENY\r\ndate: {date()}\r\n"
        + ("retry-after: 5\r\n" if status in (429, 503, 507) else "")
        + ("connection: close\r\n" if close else "")
        + "\r\n"
    )
    return Response(head.encode(), body, len(body), close=close)


def base_environment(host: str, port: int) -> Environment:
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
