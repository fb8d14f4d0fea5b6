"""The HTTP/1.1 of one client: what comes in is read whole by the loop, what goes out is written by it.

The parser is llhttp, by httptools. It refuses a body of two lengths and everything else that a proxy before us might read
in another way; what it lets through and we do not is in `on_headers_complete`.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections import deque
from typing import IO, TYPE_CHECKING, Any

import httptools

from .messages import FULL, Refusal, Request, Response, refusal

if TYPE_CHECKING:
    from .worker import Worker

logger = logging.getLogger(__name__)

PIECE = 1 << 16  # of an answer that is written by and by
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client. At each moment it sends a request, waits for an answer, takes one, or is idle."""

    def __init__(self, worker: Worker, *, once: bool = False) -> None:
        self.worker = worker
        self.limits = worker.limits
        self.loop = worker.loop
        self.once = once  # one request, then the connection ends
        self.transport: Any = None
        self.address: tuple[str, int] = ("", 0)
        self.slot: int | None = None  # in the count of addresses
        self.parser: Any = httptools.HttpRequestParser(self)
        self.reading: Request | None = None  # comes in
        self.whole: deque[Request] = deque()  # came in behind the one that runs
        self.running: Request | None = None  # is with a thread
        self.sending: IO[bytes] | None = None  # the rest of an answer
        self.ends = False  # when the answer is sent
        self.deaf = False  # nothing more is parsed
        self.cut = False  # some of what the client sends is left unread
        self.halved = False  # the client sends no more
        self.lingers_until: float | None = None
        self.lingered = 0
        self.heard_at = self.took_at = worker.loop.time()
        self.to_take = 0
        self.raw: list[bytes] | None = []  # of the request that comes in, while it may be handed over
        self.answered = 0
        self.held = 0  # bytes of bodies
        self.gone = False
        self.turned_away_at: float | None = None  # since when it is not served: its address has too many

    # The loop calls

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.worker.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.gone = True
        self.worker.forget(self)
        self.let_go(self.held)
        for request in (self.reading, *self.whole):
            if request is not None:
                request.body.close()
        self.close_sending()
        self.parser = None

    def data_received(self, data: bytes) -> None:
        self.heard_at = self.loop.time()
        if self.lingers_until is not None:
            self.lingered += len(data)
            if self.lingered > self.limits.linger_bytes:
                self.transport.abort()
            return
        if self.deaf:
            return
        if self.raw is not None:
            self.raw.append(data)
        reading = self.reading
        if reading is not None and not reading.headers_done:
            reading.head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:  # we speak nothing else: answer, and read no further
            self.deaf = self.ends = True
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            self.refuse(cause.status if isinstance(cause, Refusal) else self.report_error(cause))
        except httptools.HttpParserError:
            if not self.deaf:
                self.refuse(400)
        reading = self.reading
        if reading is None or self.deaf or self.gone:
            return
        if reading.headers_done:
            self.wait_for_body(reading)
        elif reading.head_bytes > self.limits.head_bytes:
            self.refuse(431)

    def eof_received(self) -> bool:
        """Half a connection is enough to hear an answer; who has no request under way is gone."""
        if self.reading is None and (self.running or self.whole or self.sending):
            self.deaf = self.ends = self.halved = True
            return True
        return False

    def pause_writing(self) -> None:
        pass

    def resume_writing(self) -> None:
        self.took_at = self.loop.time()
        if self.sending is not None:
            self.send_on()

    # The parser calls

    def on_message_begin(self) -> None:
        if self.running or self.whole or self.reading:
            self.raw = None
        self.reading = Request(self.heard_at, self.limits.memory_bytes)

    def on_url(self, piece: bytes) -> None:
        reading = self.reading
        assert reading is not None
        reading.target += piece
        if len(reading.target) > self.limits.target_bytes:
            raise Refusal(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        reading = self.reading
        assert reading is not None
        reading.head_bytes += len(name) + len(value)
        if len(reading.headers) >= self.limits.headers or reading.head_bytes > self.limits.head_bytes + PIECE * 4:
            raise Refusal(431)
        if not reading.headers_done:  # a trailer would change what was decided by the head
            reading.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        reading, parser = self.reading, self.parser
        assert reading is not None
        reading.headers_done = True
        reading.started_at = self.heard_at
        reading.method = parser.get_method()
        reading.version = parser.get_http_version()
        reading.keep_alive = parser.should_keep_alive() and not self.once
        hosts, coding = 0, None
        for name, value in reading.headers:
            if name == b"host":
                hosts += 1
            elif name == b"content-length":
                reading.length = int(value)
            elif name == b"transfer-encoding":
                coding = value.strip().lower() if coding is None else b"many"
            elif name == b"expect":
                if value.strip().lower() != b"100-continue":
                    raise Refusal(417)
                reading.expects = True
        if sum(len(name) + len(value) for name, value in reading.headers) > self.limits.head_bytes:
            raise Refusal(431)
        if reading.version not in ("1.1", "1.0"):
            raise Refusal(505)
        if hosts > 1 or (hosts == 0 and reading.version == "1.1") or reading.method == b"CONNECT":
            raise Refusal(400)
        if coding is not None and coding != b"chunked":
            raise Refusal(501)
        if coding is not None and reading.version == "1.0":
            raise Refusal(400)
        if parser.should_upgrade():
            if coding is not None or reading.length:
                raise Refusal(400)
            reading.keep_alive = False
        if (reading.length or 0) > self.limits.body_bytes:
            raise Refusal(413)
        if self.turned_away_at is not None:
            raise Refusal(429)
        if self.raw is not None and self.worker.goes_elsewhere(reading):
            self.worker.hand_over(self)
        self.raw = None

    def on_body(self, piece: bytes) -> None:
        reading = self.reading
        if reading is None or self.deaf:
            return
        if reading.body.length + len(piece) > self.limits.body_bytes:
            raise Refusal(413)
        if self.worker.held + len(piece) > self.limits.held_bytes:
            raise Refusal(503)
        self.held += len(piece)
        self.worker.held += len(piece)
        try:
            reading.body.write(piece)
        except OSError as error:
            logger.warning("a body cannot be kept: %s", error.strerror)
            raise Refusal(507 if error.errno in FULL else 503) from error

    def on_message_complete(self) -> None:
        reading = self.reading
        if reading is None or self.deaf:
            return
        reading.whole = True
        self.reading = None
        self.whole.append(reading)
        if not reading.keep_alive:
            self.deaf = True
        if self.running is None and not reading.checking:
            self.next()
        if self.whole:
            self.transport.pause_reading()  # who sends ahead waits

    # Requests

    def report_error(self, error: BaseException | None) -> int:
        logger.error("a request could not be read", exc_info=error)
        return 500

    def wait_for_body(self, reading: Request) -> None:
        """See to a request whose head is here and whose body is not."""
        if reading.looked or self.running or self.whole:
            return
        reading.looked = True
        if not self.worker.judges_heads(reading):
            self.go_on(reading)
        elif reading.expects or (reading.length or 0) > self.limits.memory_bytes:
            self.look(reading)
        else:
            self.loop.call_later(self.limits.look_seconds, self.look, reading)

    def look(self, reading: Request) -> None:
        """Let a thread say whether the head alone is refused."""
        if self.reading is reading and not (self.deaf or self.gone):
            reading.checking = True
            self.worker.look(self, reading)

    def take_verdict(self, request: Request, response: Response | None) -> None:
        """Go on with a request whose head was looked at; response: what it is answered, whatever its body."""
        request.checking = False
        if self.gone or (self.deaf and not request.whole):
            return
        if response is not None:
            if request.whole and self.whole and self.whole[0] is request:
                self.whole.popleft()
            request.body.close()
            self.reading, self.deaf = None, True
            self.cut = not request.whole
            self.send(response)
        elif request.whole:
            self.next()
        else:
            self.go_on(request)

    def go_on(self, request: Request) -> None:
        if request.expects and not request.body.length and not request.whole:
            request.expects = False
            self.transport.write(CONTINUE)

    def next(self) -> None:
        """Give the next whole request to a thread."""
        if self.running is None and self.sending is None and self.whole and not self.whole[0].checking:
            self.running = self.whole.popleft()
            self.worker.run(self, self.running)

    def answer(self, request: Request, response: Response) -> None:
        """Send what the thread made."""
        request.body.close()
        self.let_go(request.body.length)
        self.running = None
        if self.gone:
            if not isinstance(response.body, bytes):
                response.body.close()
            return
        self.send(response)

    def let_go(self, number: int) -> None:
        number = min(number, self.held)
        self.held -= number
        self.worker.held -= number

    # Answers

    def send(self, response: Response) -> None:
        self.ends = self.ends or response.close or self.worker.stopping
        self.took_at, self.to_take = self.loop.time(), 0
        body = response.body
        if isinstance(body, bytes):
            if len(body) <= PIECE:
                self.transport.write(response.head + body if body else response.head)
                self.finish_answer()
                return
            body = io.BytesIO(body)
        self.sending = body
        self.transport.write(response.head)
        self.send_on()

    def send_on(self) -> None:
        """Write on, as far as the client takes it."""
        while self.sending is not None and not self.gone:
            if self.transport.get_write_buffer_size() > PIECE:
                return  # resume_writing comes
            piece = self.sending.read(PIECE)
            if not piece:
                self.close_sending()
                self.finish_answer()
                return
            self.transport.write(piece)

    def finish_answer(self) -> None:
        """Turn to the next request, or to the end."""
        self.answered += 1
        if self.gone:
            return
        if self.ends:
            self.end()
            return
        if self.whole:
            self.next()
        if not self.whole:
            self.heard_at = self.loop.time()
            if self.reading is None and self.running is None:
                self.raw = []
            self.transport.resume_reading()

    def close_sending(self) -> None:
        if self.sending is not None:
            self.sending.close()
            self.sending = None

    def refuse(self, status: int) -> None:
        """Answer what cannot be read on, after what came before it."""
        path, page = "", None
        if self.reading is not None and self.reading.target:
            path, page = self.reading.path, self.worker.page_of(status, self.reading)
        if self.reading is not None:
            self.reading.body.close()
            self.let_go(self.reading.body.length)
        self.reading, self.raw = None, None
        self.deaf = self.cut = True
        if self.running or self.whole or self.sending:  # it came behind others: they are answered, and then it is over
            self.ends = True
            return
        self.send(refusal(status, path=path, page=page))

    def turn_away(self) -> None:
        """Refuse what the client is sending, or what it sends next."""
        self.turned_away_at = self.loop.time()
        if self.reading is not None and not self.deaf:
            self.refuse(429)

    def drop(self) -> None:
        """Close at once; who has heard nothing yet may hear why."""
        if not (self.deaf or self.sending):
            self.refuse(503)
        self.transport.abort()

    def end(self) -> None:
        """Close, so that the answer is heard: a connection closed on unread bytes is reset, and the answer lost."""
        self.deaf = True
        for request in self.whole:
            request.body.close()
        self.whole.clear()
        if self.halved or not self.cut:
            self.transport.close()
            return
        self.lingers_until = self.loop.time() + self.limits.linger_seconds
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.transport.resume_reading()

    # Time

    @property
    def idle(self) -> bool:
        return not (self.reading or self.running or self.whole or self.sending)

    @property
    def unfinished(self) -> bool:
        """Tell whether nobody works on it: the client sends, or is silent, or has heard a refusal."""
        return not (self.running or self.whole or self.sending or (self.reading and self.reading.checking))

    @property
    def stuck(self) -> bool:
        """Tell whether the client has long taken nothing of an answer."""
        return self.sending is not None and self.loop.time() - self.took_at > self.limits.silence_seconds

    def look_at_the_clock(self, now: float) -> None:
        limits, reading = self.limits, self.reading
        if self.transport.is_closing():
            self.drop_when_taken(now)
        elif self.lingers_until is not None:
            if now > self.lingers_until or now > self.heard_at + 2:
                self.drop_when_taken(now)
        elif self.sending is not None:
            self.drop_when_taken(now)
        elif self.running or self.whole:
            pass
        elif self.turned_away_at is not None:
            if now - self.turned_away_at > limits.turned_away_seconds:
                self.refuse(429)
        elif reading is None:
            if now - self.heard_at > (limits.idle_seconds if self.answered else limits.head_seconds):
                self.transport.close()
        elif not reading.headers_done:
            if now - reading.began > limits.head_seconds:
                self.refuse(408)
        elif not reading.checking and self.too_slow(reading, now):
            self.refuse(408)

    def too_slow(self, reading: Request, now: float) -> bool:
        """Judge a body by its last byte and by its rate."""
        limits, seconds = self.limits, now - reading.started_at
        return (
            now - self.heard_at > limits.silence_seconds
            or seconds > limits.body_seconds
            or (seconds > limits.silence_seconds and reading.body.length < seconds * limits.bytes_per_second)
        )

    def drop_when_taken(self, now: float) -> None:
        """Drop who takes nothing of an answer, and who has taken all of it."""
        left = self.transport.get_write_buffer_size()
        if left != self.to_take:
            self.to_take, self.took_at = left, now
        if (self.lingers_until is not None and not left) or now - self.took_at > self.limits.send_seconds:
            self.transport.abort()
