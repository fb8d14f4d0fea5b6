"""Requests of programs: with an API key, they bypass the middlewares that only pages need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csp.constants import HEADER
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from rest_framework.exceptions import MethodNotAllowed

from routing.intake.bodies import TooLarge

from .problems import exception_handler
from .request_log import HEAD_ALONE, MAY_GO_ON

API = "/api/v1/"
POLICY = "default-src 'none'; frame-ancestors 'none'"  # JSON loads nothing


class Innermost(BaseHandler):
    """Django's handler with no middleware: it finds the view and calls it."""

    def __init__(self) -> None:
        for hooks in ("_view_middleware", "_template_response_middleware", "_exception_middleware"):
            setattr(self, hooks, [])


class Doorkeeper(Innermost):
    """Finds the view and asks it only who calls and what they may do, before the body is there (docs/decisions/0016)."""

    def __init__(self) -> None:
        super().__init__()
        self._view_middleware = [judge_head]


def judge_head(
    request: HttpRequest, view: Any, arguments: tuple[Any, ...], named: dict[str, Any]
) -> HttpResponseBase | None:
    """Refuse the request if the view can do so without its body; otherwise answer nothing, and set MAY_GO_ON."""
    if hasattr(view, "cls"):
        asked = view.cls(**view.initkwargs)
        asked.setup(request, *arguments, **named)
        asked.request = asked.initialize_request(request, *arguments, **named)
        try:
            asked.perform_authentication(asked.request)
            asked.check_permissions(asked.request)
            if (request.method or "").lower() not in {name.lower() for name in asked.allowed_methods}:
                raise MethodNotAllowed(request.method or "")
            limits = [parser.max_bytes for parser in asked.get_parsers() if hasattr(parser, "max_bytes")]
            if limits and int(request.META.get("CONTENT_LENGTH") or 0) > max(limits):
                raise TooLarge(f"The body is larger than {max(limits):,} bytes.")
        except Exception as refusal:
            # Not through the view: it would keep in its journal a body that is not here yet.
            refused = exception_handler(refusal, {})
            if refused is None:
                raise
            return refused
    request.META[MAY_GO_ON] = True
    return HttpResponse(status=204)


class KeyRequests:
    """Answers requests with a key itself; the middlewares behind it (session, CSRF token, messages) do not run.

    Only the key says who calls (routing/api/authentication.py); a cookie beside it means nothing. What programs need of
    those middlewares is done here: check the host, choose the language, tell the length.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        handler: Any = Innermost()
        self.innermost: Any = convert_exception_to_response(handler._get_response)
        doorkeeper: Any = Doorkeeper()
        self.doorkeeper: Any = convert_exception_to_response(doorkeeper._get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        alone = HEAD_ALONE in request.META
        if not (brings_key(request) or alone):
            return self.get_response(request)
        if alone and not brings_key(request) and settings.SESSION_COOKIE_NAME in request.COOKIES:
            request.META[MAY_GO_ON] = True  # the session and its token are checked when the body is there
            return HttpResponse(status=204)
        request.get_host()  # raises DisallowedHost
        # The thread may still have the language of the page before.
        wants = "HTTP_ACCEPT_LANGUAGE" in request.META
        translation.activate(translation.get_language_from_request(request) if wants else settings.LANGUAGE_CODE)
        response: HttpResponse = (self.doorkeeper if alone else self.innermost)(request)
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.content))
        response.headers[HEADER] = POLICY
        return response


def brings_key(request: HttpRequest) -> bool:
    """Tell whether the request has a key, right or wrong; its session does not count then."""
    named = request.META.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer " or "HTTP_X_API_KEY" in request.META
    return named and request.path_info.startswith(API)
