"""Whatever goes wrong under /api/ → one RFC 9457 answer: application/problem+json, with a stable `code` for programs.

Domain errors know nothing of HTTP; their status is decided here. Nothing of the inside is told: no traceback, SQL, path
or setting.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from io import BytesIO
from typing import IO, Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.template import loader
from django.utils.translation import gettext_lazy as _
from django.views import defaults
from rest_framework import exceptions as drf
from rest_framework.serializers import as_serializer_error
from rest_framework.views import set_rollback

from routing import exceptions as domain
from routing.exceptions import FieldError
from routing.intake.bodies import MAX_BULK_BYTES, BadBody, TooLarge, UnsupportedBody
from routing.intake.kinds import BadValue
from routing.intake.text import BadText

logger = logging.getLogger(__name__)

API = "/api/"
CONTENT_TYPE = "application/problem+json"
CHALLENGE = "Bearer"
LARGEST_DRAIN = 32 << 20  # bytes of a refused body that are still read, so that its sender hears the answer
MOST_ERRORS = 100  # in one answer

STATUSES: dict[type[Exception], int] = {  # the first that fits decides
    domain.InvalidLead: 400,
    domain.NotFound: 404,
    domain.Gone: 410,
    domain.IdempotencyKeyReused: 422,
    domain.OfferClosed: 409,
    domain.Conflict: 409,
    domain.NotAllowed: 403,
    domain.Busy: 503,
    domain.Refused: 400,
}
BODY_STATUSES: dict[type[BadBody], int] = {TooLarge: 413, UnsupportedBody: 415}  # the others: 400

PLAIN = {  # what HTTP itself has a word for: status → (code, title, what to tell)
    400: ("bad-request", "Bad request", "The request cannot be read."),
    401: ("unauthorized", "Unauthorized", "A valid key is required: Authorization: Bearer KEY."),
    403: ("forbidden", "Forbidden", "This is not allowed with these credentials."),
    404: ("not-found", "Not found", "There is nothing at this address."),
    405: ("method-not-allowed", "Method not allowed", "This address does not support this method."),
    406: ("not-acceptable", "Not acceptable", "Answers are JSON only."),
    409: ("conflict", "Conflict", "The current state does not allow this."),
    411: ("length-required", "Length required", "Send the body with its Content-Length."),
    413: ("too-large", "The body is too large", "The body is too large."),
    415: ("unsupported-media-type", "Unsupported media type", "The body must be JSON."),
    429: ("too-many-requests", "Too many requests", "Too many requests. Wait, then try again."),
    507: (
        "no-space",
        "No space left",
        "The server has no space left to take this in. Nothing was changed; try again later, and tell an administrator.",
    ),
    500: (
        "internal-error",
        "Internal error",
        "Something went wrong on the server. It has been logged; you can send the request again.",
    ),
    503: ("busy", "Too busy at the moment", "The request could not be served in time; you can send it again."),
}
_PLAIN_CODES = frozenset(code for code, _, _ in PLAIN.values())


PAGES = {  # what people read in a browser where no page can be made as usual: status → (title, words)
    408: (_("It took too long"), _("Nothing was changed. Check your connection, then send it again.")),
    413: (_("The file is too large"), _("Nothing was changed. Go back and send a smaller file, or split it.")),
    507: (
        _("No space left"),
        _(
            "The server has no space left to take this in. Nothing was changed. Tell whoever runs this installation, and try again later."
        ),
    ),
}


def page_of(status: int) -> str:
    title, words = PAGES[status]
    return loader.get_template("refused.html").render({"title": title, "words": words})


FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FULL = "53100"  # PostgreSQL's


def is_full(error: BaseException | None) -> bool:
    """Tell whether a disk is full, ours or the database's."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in FULL) or getattr(error, "pgcode", None) == DISK_FULL:
            return True
        error = error.__cause__
    return False


class ProblemResponse(HttpResponse):
    """A problem document; `data` is the document as a value, as the answer to a bulk request holds it for an item."""

    def __init__(self, document: dict[str, Any], *, headers: Mapping[str, str] | None = None) -> None:
        content = json.dumps(document, separators=(",", ":"))
        super().__init__(content, status=document["status"], content_type=CONTENT_TYPE, headers=dict(headers or {}))
        self.headers["Cache-Control"] = "no-store"
        self.data = document


def problem(
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Iterable[FieldError] = (),
    *,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    document: dict[str, Any] = {
        "type": "about:blank" if code in _PLAIN_CODES else f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    listed = [_with_field(error) for error in errors]
    if listed:
        document["errors"] = listed[:MOST_ERRORS]
    return ProblemResponse(document, headers=headers)


def plain_problem(status: int, *, headers: Mapping[str, str] | None = None) -> ProblemResponse:
    """Return the answer for a status that needs no details."""
    code, title, detail = PLAIN.get(status) or PLAIN[500 if status >= 500 else 400]
    if status not in PLAIN:
        with suppress(ValueError):
            title = HTTPStatus(status).phrase
    return problem(status, code, title, detail, headers=headers)


def _with_field(error: FieldError) -> FieldError:
    steps = [step.replace("~1", "/").replace("~0", "~") for step in error["pointer"].split("/")[1:]]
    return {**error, "field": ".".join(steps)}


# REST framework


def exception_handler(exc: Exception, context: Mapping[str, Any]) -> ProblemResponse | None:
    """Return the answer to an exception of an API view; None for a bug, which rises and is answered with 500."""
    for answer in (_domain_problem, _intake_problem, _framework_problem, _django_problem, _database_problem):
        response = answer(exc)
        if response is not None:
            set_rollback()
            return response
    return None


def _domain_problem(exc: Exception) -> ProblemResponse | None:
    if not isinstance(exc, domain.Refused):
        return None
    status = next(status for kind, status in STATUSES.items() if isinstance(exc, kind))
    headers = {"Retry-After": str(math.ceil(exc.retry_after))} if isinstance(exc, domain.Busy) else None
    return problem(status, exc.code, exc.title, exc.detail, exc.errors, headers=headers)


def _intake_problem(exc: Exception) -> ProblemResponse | None:
    if isinstance(exc, BadBody):
        return problem(BODY_STATUSES.get(type(exc), 400), exc.code, exc.title, exc.detail)
    if isinstance(exc, BadValue):
        return _validation_problem(exc.faults)
    if not isinstance(exc, BadText):
        return None
    error: FieldError = {"pointer": exc.pointer, "code": exc.code, "detail": exc.detail}
    return problem(
        400,
        exc.code,
        "A text cannot be stored",
        f"The request contains a text that cannot be stored: {exc.detail}.",
        [error],
    )


def _framework_problem(exc: Exception) -> ProblemResponse | None:
    if isinstance(
        exc, drf.NotAuthenticated | drf.AuthenticationFailed
    ):  # one body for every reason: it must not help to guess
        return plain_problem(401, headers={"WWW-Authenticate": CHALLENGE})
    if isinstance(exc, drf.ValidationError):
        return _validation_problem(exc.detail)
    if isinstance(exc, drf.Throttled):
        wait = getattr(exc, "wait", None)
        return plain_problem(429, headers=None if wait is None else {"Retry-After": str(max(1, math.ceil(wait)))})
    if isinstance(exc, drf.ParseError):
        return problem(400, "invalid-json", "The body cannot be read", "The body is not JSON.")
    if isinstance(exc, drf.APIException):
        return plain_problem(exc.status_code)
    return None


def _django_problem(exc: Exception) -> ProblemResponse | None:
    if isinstance(exc, Http404):
        return plain_problem(404)
    if isinstance(exc, DjangoPermissionDenied):
        return plain_problem(403)
    if isinstance(exc, RequestDataTooBig):
        return plain_problem(413)
    if isinstance(exc, DjangoValidationError):
        return _validation_problem(as_serializer_error(exc))
    if isinstance(exc, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):
        return plain_problem(400)
    return None


def _database_problem(exc: Exception) -> ProblemResponse | None:
    """Answer what the database refused. The log gets its code only: its messages quote what people sent."""
    # A lock not had in time, a deadlock, a server that went away: of the last the driver says no more than DatabaseError
    # where it happens among several statements sent together.
    if is_full(exc):
        logger.error("a disk is full", extra={"action": "disk_full"})
        return plain_problem(507, headers={"Retry-After": "60"})
    if isinstance(exc, OperationalError | InterfaceError) or type(exc) is DatabaseError:
        logger.warning("database not available: %s", _sqlstate(exc), extra={"action": "database_busy"})
        return plain_problem(503, headers={"Retry-After": "1"})
    if isinstance(exc, IntegrityError):
        logger.error("constraint broken: %s", _sqlstate(exc), extra={"action": "database_conflict"})
        return plain_problem(409)
    if isinstance(exc, DataError) or _cannot_be_written(
        exc
    ):  # the doors should have seen it: a bug of ours, a fault of theirs
        logger.error("value refused by the database: %s", _sqlstate(exc), extra={"action": "database_value"})
        detail = "The request contains a value that cannot be stored."
        return problem(400, "invalid-value", "A value cannot be stored", detail)
    return None


def _cannot_be_written(exc: Exception) -> bool:
    """A half character, or a NUL, which the database driver refuses before the database could."""
    return isinstance(exc, UnicodeEncodeError) or (type(exc) is ValueError and "NUL (0x00)" in str(exc))


def _sqlstate(exc: Exception) -> str:
    return str(getattr(exc.__cause__, "pgcode", None) or type(exc).__name__)


# Errors of serializers


def _validation_problem(detail: object) -> ProblemResponse:
    errors = list(field_errors(detail))
    codes = set(_raw_codes(detail))
    # A fault with a code of our own, `invalid-phone`, names the answer; the framework's `max_length` says too little.
    named = len(codes) == 1 and "-" in min(codes)
    code = codes.pop() if named else "invalid-request"
    return problem(400, code, "The request is not valid", _summary(errors), errors)


def _raw_codes(detail: object) -> Iterator[str]:
    if isinstance(detail, dict):
        for inner in detail.values():
            yield from _raw_codes(inner)
    elif isinstance(detail, list | tuple):
        for inner in detail:
            yield from _raw_codes(inner)
    else:
        yield str(getattr(detail, "code", None) or "invalid")


def field_errors(detail: object, pointer: str = "") -> Iterator[FieldError]:
    """Flatten the nested errors of a serializer: each with the JSON pointer to what it is about."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            step = str(name).replace("~", "~0").replace("/", "~1")
            yield from field_errors(inner, pointer if name == "non_field_errors" else f"{pointer}/{step}")
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):  # a list of texts is about one value, a list of objects about its items
            yield from field_errors(inner, f"{pointer}/{index}" if isinstance(inner, dict | list) else pointer)
    else:
        code = str(getattr(detail, "code", None) or "invalid")
        yield {"pointer": pointer, "code": code.replace("_", "-"), "detail": str(detail)}


def _summary(errors: list[FieldError]) -> str:
    if not errors:
        return "The request is not valid."
    more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
    where = errors[0]["pointer"]
    return f"{where}: {errors[0]['detail']}{more}" if where else f"{errors[0]['detail']}{more}"


# Django


class ProblemMiddleware:
    """Make every refusal under /api/ a problem document, whoever made it: a middleware, the router, the debugger.

    Stands before all that answers; outside of it is only what adds headers and counts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(API):
            return self.get_response(request)
        if _body_is_lost(request):
            return plain_problem(411)
        response = self.get_response(request)
        if response.status_code < 400:
            return response
        _drain(request)
        if "json" in response.headers.get("Content-Type", ""):
            return response
        return _as_problem(response)


def _body_is_lost(request: HttpRequest) -> bool:
    """Give a chunked body its length; return whether that cannot be done.

    Django reads as much as Content-Length says: of a chunked body nothing, and an empty lead would be taken for
    what was sent.
    """
    if "HTTP_TRANSFER_ENCODING" not in request.META or request.META.get("CONTENT_LENGTH"):
        return False
    if not request.META.get("wsgi.input_terminated"):  # a server that does not say where the body ends
        return True
    try:
        body = _read(request.META["wsgi.input"], limit=MAX_BULK_BYTES + 1)
    except OSError:  # the sender went away in the middle
        return True
    request.META["CONTENT_LENGTH"] = str(len(body))
    request._stream = BytesIO(body)
    return False


def _read(stream: IO[bytes], *, limit: int) -> bytes:
    pieces, length = [], 0
    while length < limit and (piece := stream.read(min(65_536, limit - length))):
        pieces.append(piece)
        length += len(piece)
    return b"".join(pieces)


def _drain(request: HttpRequest) -> None:
    """Read what is left of the body: a connection closed on unread bytes is reset, and the answer lost with it."""
    left = LARGEST_DRAIN
    with suppress(Exception):
        while left > 0 and (chunk := request.read(65_536)):
            left -= len(chunk)


def _as_problem(response: HttpResponseBase) -> ProblemResponse:
    kept = {
        name: response.headers[name]
        for name in ("Allow", "Retry-After", "WWW-Authenticate")
        if name in response.headers
    }
    replaced = plain_problem(response.status_code, headers=kept)
    replaced.cookies = response.cookies
    return replaced


def handler400(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what Django calls suspicious: a strange host, too many fields, too large a body."""
    if request.path_info.startswith(API):
        return plain_problem(413 if isinstance(exception, RequestDataTooBig) else 400)
    return defaults.bad_request(request, exception or BadRequest())


def handler403(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a refusal of a page or a middleware."""
    if request.path_info.startswith(API):
        return plain_problem(403)
    return defaults.permission_denied(request, exception or DjangoPermissionDenied())


def handler404(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an address that does not exist."""
    if request.path_info.startswith(API):
        return plain_problem(404)
    return defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    """Answer a bug, or a disk that is full."""
    if is_full(sys.exception()):
        if request.path_info.startswith(API):
            return plain_problem(507, headers={"Retry-After": "60"})
        return HttpResponse(page_of(507), status=507, headers={"Cache-Control": "no-store"})
    if request.path_info.startswith(API):
        return plain_problem(500)
    return defaults.server_error(request)
