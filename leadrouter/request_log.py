"""What the log says of a request: its id on every line, the leads it was about, nothing of any person, and nothing by
which anybody could open anything.

Addresses hold secrets: of invitations, calendars, offers to accept. So no line has a path, a query or a referrer, whoever
writes it; their place is taken by the route. What looks like a secret is masked besides.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, unquote

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

logger = logging.getLogger(__name__)

GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEAD_ALONE = "leadrouter.head_alone"  # in the environment of a request whose body is not here yet
MAY_GO_ON = "leadrouter.may_go_on"  # set there where nothing refuses such a one
PROBES = {"healthz", "readyz", "metrics"}
SHORTEST_SECRET = 12  # signs; a shorter part of an address opens nothing
BETWEEN = r"[/?&=#\s]"  # the parts of an address
UUID = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")

asked: ContextVar[HttpRequest | None] = ContextVar("asked", default=None)  # what this thread is answering

MASKS = (
    (re.compile(r"[^\s\"'<>(),;:/=\\]+@[^\s\"'<>(),;:/=\\]+\.\w+"), "[e-mail]"),
    (re.compile(r"\blr_([0-9a-f]{12})_[\w-]+"), r"lr_\1_[key]"),
    (re.compile(r"(?<![\w.:-])\+\d(?:[ ().-]{0,2}\d){6,14}"), "[phone]"),
    (re.compile(r"(?<![\w.:-])\d{9,15}(?![\w.:-])"), "[number]"),
    (re.compile(r"(?<=://)[^\s/@]+@"), "[login]@"),
    (re.compile(r"(?i)(bearer\s+)[^\s\"']+"), r"\1[token]"),
    # Of ours that open something: addresses, what is signed, what sets a password, what stands in a query or a cookie.
    (re.compile(r"(/(?:invitation|calendar|accept)/)[^\s\"'<>?]+"), r"\1[token]"),
    (re.compile(r"(?i)[\w.~-]*(?::|%3a)[\w-]{43}(?![\w-])"), "[token]"),
    (re.compile(r"(?<![\w-])[0-9a-z]{6,7}-[0-9a-f]{32}(?![\w-])"), "[token]"),
    (re.compile(r"(?i)\b((?:\w*(?:token|password|passkey|secret|api_?key)|key|code)=)[^\s&;\"'<>]+"), r"\1[secret]"),
    (re.compile(r"(?i)\b((?:sessionid|csrftoken)=)[^\s;\"']+"), r"\1[secret]"),
    (re.compile(r"(DETAIL:).*"), r"\1 [left out]"),  # PostgreSQL quotes values there
)


class RequestId:
    """Names each request: by the X-Request-ID that a proxy gave it, or anew; the answer tells the name.

    Stands first, so that whatever is logged on the way carries it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        name = given if GIVEN.fullmatch(given) else uuid.uuid4().hex
        clear_contextvars()
        bind_contextvars(request_id=name)
        asked.set(request)
        started = time.perf_counter()
        response = self.get_response(request)
        response.headers["X-Request-ID"] = name
        self.tell(request, response, seconds=time.perf_counter() - started)
        return response  # id and request stay bound: Django tells of a refusal after the last middleware

    def tell(self, request: HttpRequest, response: HttpResponseBase, *, seconds: float) -> None:
        """Write a line of the request where something is wrong with it, or of each with LOG_REQUESTS."""
        failed, slow = response.status_code >= 500, seconds >= settings.SLOW_REQUEST_SECONDS
        match = request.resolver_match
        if MAY_GO_ON in request.META:  # only a head: the request itself comes with its body
            return
        if not (failed or slow or settings.LOG_REQUESTS) or (match and match.url_name in PROBES and not failed):
            return
        facts: dict[str, Any] = {
            "action": "request",
            "method": request.method,
            "route": match.route if match else "none",  # never the path: people write into addresses, too
            "status": response.status_code,
            "milliseconds": round(seconds * 1_000),
        }
        lead = str(match.kwargs.get("lead_id", "")) if match else ""
        if UUID.fullmatch(lead) and "leads" not in get_contextvars():  # people write other things there, too
            facts["leads"] = [lead]
        logger.log(logging.WARNING if failed or slow else logging.INFO, "request", extra=facts)


def without_addresses(logger: object, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Put the route in place of every part of the address that this thread answers, wherever a line names it."""
    request = asked.get()
    if request is None:
        return event
    match = request.resolver_match
    route = f"[{match.route if match else 'no route'}]"
    parts = sorted(set(_parts(request)), key=len, reverse=True)
    long = [part for part in parts if max(map(len, re.split(BETWEEN, part))) >= SHORTEST_SECRET]
    return {
        key: value
        if key in ("timestamp", "request_id", "leads", "route")
        else replace_parts(
            value, long if key == "exception" else parts, route
        )  # /admin/ is a part of names of files, too
        for key, value in event.items()
    }


def _parts(request: HttpRequest) -> Iterator[str]:
    """Yield what of the address a line could name: the whole, and every part that is long enough to open something."""
    referrer, query = request.META.get("HTTP_REFERER", ""), request.META.get("QUERY_STRING", "")
    wholes = {request.path, request.path_info, request.get_full_path(), referrer, query}
    wholes |= {"/" + referrer.partition("://")[2].partition("/")[2], referrer.partition("?")[2]}
    for whole in wholes:
        for spelling in {whole, unquote(whole), quote(whole), whole.encode("unicode_escape").decode()}:
            if len(spelling) > 1:
                yield spelling
    match = request.resolver_match
    known = set(re.split(r"[/<>:]", match.route)) if match else set()
    wholes |= {str(value) for value in match.kwargs.values()} if match else set()
    for whole in wholes:
        for spelling in (whole, unquote(whole)):
            for piece in re.split(BETWEEN, spelling):
                part = piece.removesuffix(".ics")
                if len(part) >= SHORTEST_SECRET and part not in known and not UUID.fullmatch(part):
                    yield part


def replace_parts(value: Any, parts: list[str], route: str) -> Any:
    """Return the value with the parts taken out of all its texts."""
    if isinstance(value, str):
        for part in parts:
            if part in value:
                value = value.replace(part, route if "/" in part else "[left out]")
        return value
    if isinstance(value, dict):
        return {key: replace_parts(inner, parts, route) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [replace_parts(inner, parts, route) for inner in value]
    return value if isinstance(value, int | float | bool | None) else replace_parts(str(value), parts, route)


def without_people(logger: object, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Mask what looks like an e-mail, a phone number or a secret: our lines hold none, those of libraries might."""
    return {key: value if key in ("timestamp", "request_id", "leads") else mask(value) for key, value in event.items()}


def mask(value: Any) -> Any:
    if isinstance(value, str):
        for pattern, replacement in MASKS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        return {key: mask(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask(inner) for inner in value]
    return value if isinstance(value, int | float | bool | None) else mask(str(value))
