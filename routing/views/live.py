"""Pages that stay up to date: whole for a browser, and to htmx the part that changes, or nothing where nothing did."""

from __future__ import annotations

import hashlib
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

View = Callable[..., HttpResponse]
NOW = "X-Now"  # the database's instant, by which the page corrects its countdowns


def signed_in(view: View) -> View:
    """Send who is not signed in to the sign-in page; a page that polls is told to load itself anew, and so gets there."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if by_htmx(request) and not request.user.is_authenticated:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return login_required(view)(request, *args, **kwargs)

    return guarded


def by_htmx(request: HttpRequest) -> bool:
    return bool(getattr(request, "htmx", False))


def answer(
    request: HttpRequest,
    *,
    page: str,
    part: str,
    shown: object,
    context: dict[str, Any],
    at: datetime,
    status: int = 200,
) -> HttpResponse:
    """Answer with the page, or its live part. shown: the plain values that the part shows, and by which it is known."""
    mark = hashlib.sha256(f"{get_language()} {shown!r}".encode()).hexdigest()[:16]
    if by_htmx(request) and request.method == "GET" and request.GET.get("seen") == mark:
        response = HttpResponse(status=204)
    else:
        context |= {"now": instant(at), "mark": mark, "csrf_token": get_token(request), "whole": not by_htmx(request)}
        response = render(request, part if by_htmx(request) else page, context, status=status)
    response[NOW] = instant(at) or ""
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    add_never_cache_headers(response)
    return response
