"""What a page may load and run, for every page in one place. Ours are strict; two that come from packages need more.

Nothing is loaded from another host, anywhere. Inline scripts, styles and handlers are refused on our own pages.
"""

from __future__ import annotations

from typing import Any

from csp.constants import HEADER, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Policy = dict[str, list[str]]

OUR_PAGES: Policy = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF],
    "connect-src": [SELF],
    "manifest-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
BY_PREFIX: dict[str, Policy] = {
    # Unfold runs on Alpine.js, which evaluates what stands in attributes, and its templates have styles in them.
    "/admin/": OUR_PAGES
    | {
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
    },
    # Swagger UI draws with inline styles and pictures.
    "/api/docs": OUR_PAGES | {"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]},
}


# What no page here asks a browser for, and so nothing that got into one may ask either.
UNUSED = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
    "gyroscope", "hid", "identity-credentials-get", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip


class ContentSecurity(CSPMiddleware):
    """Sends the policy of the page; a view may still change its own by django-csp's decorators."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers["Permissions-Policy"] = ", ".join(f"{feature}=()" for feature in UNUSED)
        # Who brings a policy spares the making of one: a seventh of the processor time of a lead (key_requests.py).
        return response if HEADER in response else super().process_response(request, response)

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if parts.config is None and not report_only:
            parts.config = policy_of(request.path_info)
        return parts


def policy_of(path: str) -> dict[str, Any]:
    return next((policy for prefix, policy in BY_PREFIX.items() if path.startswith(prefix)), OUR_PAGES)
