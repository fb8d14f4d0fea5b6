"""What the web server must know of the program: which heads it may refuse without their bodies, what goes to the uploads."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from django.conf import settings
from django.http import HttpRequest, parse_cookie
from django.utils import translation

from routing.spreadsheets.reading import MOST_BYTES

from . import wsgi
from .request_log import HEAD_ALONE, MAY_GO_ON
from .server.messages import Environment
from .server.worker import Program

API = "/api/v1/"
IMPORTS = "/admin/routing/leadimport/"
FORM_BYTES = 1 << 20  # that a form adds to the file in it


def judges_heads(method: bytes, path: str) -> bool:
    return path.startswith(API)


def refusal_by_head(environment: Environment) -> tuple[str, list[tuple[str, str]], bytes] | None:
    """Return the program's refusal of a request of which there is only the head; None to wait for its body."""
    environment |= {HEAD_ALONE: True, "wsgi.input": BytesIO()}
    told: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:
        told[:] = [status, headers]

    answer: Any = wsgi.application(environment, start_response)
    try:
        body = b"".join(answer)
    finally:
        answer.close()
    return None if environment.get(MAY_GO_ON) else (told[0], told[1], body)


def goes_elsewhere(method: bytes, path: str, kind: str) -> bool:
    """Tell whether a file is sent or looked at: a table of 5,000 rows takes a second, and leads must not wait for it."""
    return path.startswith(IMPORTS) or (kind.lower().startswith("multipart/form-data") and not path.startswith(API))


def refused_page(status: int, headers: dict[str, str]) -> bytes | None:
    """Return what a browser shows of a refusal by the server itself; None: there is no page for it."""
    from . import problems  # it needs Django set up, as wsgi does

    if status not in problems.PAGES:
        return None
    request = HttpRequest()
    request.META = dict(headers)
    request.COOKIES = parse_cookie(headers.get("HTTP_COOKIE", ""))
    with translation.override(translation.get_language_from_request(request)):
        return problems.page_of(status).encode()


def program() -> Program:
    return Program(
        application=wsgi.application,
        judges_heads=judges_heads,
        refusal_by_head=refusal_by_head,
        goes_elsewhere=goes_elsewhere,
        refused_page=refused_page,
        behind_proxies=settings.TRUSTED_PROXIES > 0,
        body_bytes=max(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, MOST_BYTES) + FORM_BYTES,
    )
