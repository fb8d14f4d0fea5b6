"""Where a request comes from, as far as nobody can make it up."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """Return the address that the outermost trusted proxy saw; without proxies that of the connection.

    Each proxy adds the address it was called from to the end of X-Forwarded-For: of N trusted ones the Nth from the
    end is true, and whatever stands before it was sent by the caller.
    """
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    trusted: int = settings.TRUSTED_PROXIES
    for address in (hops[-trusted] if 0 < trusted <= len(hops) else "", str(request.META.get("REMOTE_ADDR") or "")):
        with suppress(ValueError):
            return str(ip_address(address))
    return "0.0.0.0"  # nosec B104  # of a Unix socket: all who come by it are one


def sign_in_name(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str:
    """Return the login that somebody tries, as logins are stored, so that no spelling of it counts apart."""
    name = (credentials or {}).get("username") or request.POST.get("username") or ""
    return str(name).strip().lower().replace("\x00", "")[:254]


def nobody(*_: Any) -> str:
    """Say of who tries nothing: logs hold no e-mails and no addresses."""
    return "somebody"
