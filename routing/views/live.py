"""Pages that stay up to date: whole for a browser, and to htmx the part that changes, or nothing where nothing did."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers, patch_vary_headers
from django.utils.translation import get_language

from ..representations import instant

logger = logging.getLogger(__name__)

View = Callable[..., HttpResponse]
NOW = "X-Now"  # the database's instant, by which the page corrects its countdowns
SEEN = "X-Seen"  # the mark of a part that looks as before, of another version


def require_sign_in(view: View) -> View:
    """Send who is not signed in to the sign-in page; a page that polls is told to load itself anew, and so gets there."""

    @wraps(view)
    def ask_to_sign_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if by_htmx(request) and not request.user.is_authenticated:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return login_required(view)(request, *args, **kwargs)

    return ask_to_sign_in


def after_change(build: Callable[[], HttpResponse]) -> HttpResponse:
    """Return the page after something was done; if it cannot be shown, have it loaded anew: the change is kept."""
    try:
        return build()
    except Exception:
        logger.exception("a page could not be shown after a change", extra={"action": "page_failed"})
        return HttpResponse(headers={"HX-Refresh": "true"})


def by_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))


def nothing_new(request: HttpRequest, *, version: str, at: datetime) -> HttpResponse | None:
    """Return the answer to a page that polls and shows this version; None: look what it shows."""
    return _with_headers(HttpResponse(status=204), at=at) if _read_mark(request)[1] == version else None


def answer(
    request: HttpRequest,
    *,
    page: str,
    part: str,
    shown: object,
    version: str,
    context: dict[str, Any],
    at: datetime,
    status: int = 200,
) -> HttpResponse:
    """Answer with the page, or its live part.

    shown: the plain values that the part shows, and by which it is known. version: read before them.
    """
    content = hashlib.sha256(f"{get_language()} {shown!r}".encode()).hexdigest()[:16]
    mark = f"{content}.{version}"
    if _read_mark(request)[0] == content:
        response = HttpResponse(status=204, headers={SEEN: mark})
    else:
        context |= {"now": instant(at), "mark": mark, "csrf_token": get_token(request), "whole": not by_htmx(request)}
        response = render(request, part if by_htmx(request) else page, context, status=status)
    return _with_headers(response, at=at)


def _read_mark(request: HttpRequest) -> tuple[str, str]:
    """Return content and version of what a page that polls shows, "" for any other request."""
    asked = request.GET.get("seen", "") if by_htmx(request) and request.method == "GET" else ""
    content, _, version = asked.partition(".")
    return content, version


def _with_headers(response: HttpResponse, *, at: datetime) -> HttpResponse:
    response[NOW] = instant(at) or ""
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    add_never_cache_headers(response)
    return response
