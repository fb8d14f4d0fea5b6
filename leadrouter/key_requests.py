"""Requests of programs: who brings an API key passes by what only pages need."""

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

API = "/api/v1/"
POLICY = "default-src 'none'; frame-ancestors 'none'"  # JSON loads nothing


class Innermost(BaseHandler):
    """Django's handler with no middleware: it finds the view and calls it."""

    def __init__(self) -> None:
        for hooks in ("_view_middleware", "_template_response_middleware", "_exception_middleware"):
            setattr(self, hooks, [])


class KeyRequests:
    """Answers requests with a key without session, CSRF token, messages and the like: nothing behind here is run.

    The key alone says who calls (routing/api/authentication.py), so a cookie beside it means nothing. What of the
    middlewares behind does concern programs is done here: the host is checked, the language chosen, the length told.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        handler: Any = Innermost()
        self.innermost: Any = convert_exception_to_response(handler._get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not brings_key(request):
            return self.get_response(request)
        request.get_host()  # raises DisallowedHost
        # The thread may still speak the language of the page before.
        wants = "HTTP_ACCEPT_LANGUAGE" in request.META
        translation.activate(translation.get_language_from_request(request) if wants else settings.LANGUAGE_CODE)
        response: HttpResponse = self.innermost(request)
        if not response.streaming and "Content-Length" not in response.headers:
            response.headers["Content-Length"] = str(len(response.content))
        response.headers[HEADER] = POLICY
        return response


def brings_key(request: HttpRequest) -> bool:
    """Tell whether the request names a key, be it a wrong one, and so nobody's session."""
    named = request.META.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer " or "HTTP_X_API_KEY" in request.META
    return named and request.path_info.startswith(API)
