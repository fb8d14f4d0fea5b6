"""What the log says of a request: its id on every line, the leads it was about, and nothing of any person."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

logger = logging.getLogger(__name__)

GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEAD_ALONE = "leadrouter.head_alone"  # in the environment of a request whose body is not here yet
MAY_GO_ON = "leadrouter.may_go_on"  # set there where nothing refuses such a one
PROBES = {"healthz", "readyz", "metrics"}

MASKS = (
    (re.compile(r"[^\s\"'<>(),;:/=\\]+@[^\s\"'<>(),;:/=\\]+\.\w+"), "[e-mail]"),
    (re.compile(r"\blr_([0-9a-f]{12})_[\w-]+"), r"lr_\1_[key]"),
    (re.compile(r"(?<![\w.:-])\+\d(?:[ ().-]{0,2}\d){6,14}"), "[phone]"),
    (re.compile(r"(?<![\w.:-])\d{9,15}(?![\w.:-])"), "[number]"),
    (re.compile(r"(?<=://)[^\s/@]+@"), "[login]@"),
    (re.compile(r"(?i)(bearer\s+)[^\s\"']+"), r"\1[token]"),
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
        started = time.perf_counter()
        response = self.get_response(request)
        response.headers["X-Request-ID"] = name
        self.tell(request, response, seconds=time.perf_counter() - started)
        return response  # the id stays bound: Django tells of a refusal after the last middleware

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
        if match and "lead_id" in match.kwargs and "leads" not in get_contextvars():
            facts["leads"] = [match.kwargs["lead_id"]]
        logger.log(logging.WARNING if failed or slow else logging.INFO, "request", extra=facts)


def without_people(logger: object, name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Mask what looks like an e-mail, a phone number or a key: our lines hold none, those of libraries might."""
    return {
        key: value if key in ("timestamp", "request_id", "leads") else masked(value) for key, value in event.items()
    }


def masked(value: Any) -> Any:
    """Return the value with all its texts masked."""
    if isinstance(value, str):
        for pattern, replacement in MASKS:
            value = pattern.sub(replacement, value)
        return value
    if isinstance(value, dict):
        return {key: masked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [masked(inner) for inner in value]
    return value if isinstance(value, int | float | bool | None) else masked(str(value))
