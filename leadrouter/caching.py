"""Nothing that was made for one reader is kept for another: what an answer does not say itself about keeping is said here.

Pages, reports and the API's answers show people's data, and pages of passwords and codes show more: neither a browser
nor a proxy keeps them. Static files, and what has its own `Cache-Control`, are left alone.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

API = "/api/v1/"
KEYS = ("Authorization", "X-Api-Key")  # the headers by which a key may come


class NothingKept:
    """Adds `Cache-Control: no-store`, and to the API's answers `Vary` with the headers that say who asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        if request.path_info.startswith(API):
            patch_vary_headers(response, KEYS)
        return response
