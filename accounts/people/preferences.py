"""In which language a person reads the pages, and in which zone they see times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from ..models import Account, Manager, User
from ..time import schedules

# What programs ask answers in English and UTC, and pays for nothing here.
FOR_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")


@dataclass(frozen=True, slots=True)
class Zones:
    """The zone that a person sees times in, and the account's, in which the work schedules run.

    What every page asks of the account besides is read along with them.
    """

    own: ZoneInfo
    account: ZoneInfo
    unqualified: bool = True  # there is an Unqualified section
    second_factor: bool = False  # staff must have one

    @property
    def differ(self) -> bool:
        return self.own.key != self.account.key


zones_read_in: ContextVar[Zones | None] = ContextVar("zones_read_in", default=None)  # by whom the page is for


def zone_beside() -> ZoneInfo | None:
    """Return the account's zone if the reader's is another."""
    zones = zones_read_in.get()
    return zones.account if zones and zones.differ else None


def zones_of(user: Any) -> Zones:
    """Return the zones of a user: a manager's own where they have one, else the account's."""
    mine = Manager.objects.filter(user_id=user.pk).values("time_zone")[:1]
    found = Account.objects.filter(pk=1).values_list("time_zone", Subquery(mine), "unqualified", "second_factor")
    account, own, *facts = found.first() or ("UTC", "")
    return Zones(schedules.zone(own or account), schedules.zone(account), *facts)


@contextmanager
def reading_in(zones: Zones) -> Iterator[None]:
    """Show times in the zone of the reader, with the account's beside it where that is another."""
    token = zones_read_in.set(zones)
    try:
        with timezone.override(zones.own):
            yield
    finally:
        zones_read_in.reset(token)


class OwnLanguageAndTime:
    """Shows pages in the language that the user chose, and times in their zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith(FOR_PROGRAMS) or not isinstance(request.user, User):
            return self.get_response(request)
        if request.user.language in dict(settings.LANGUAGES):
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = request.user.language
        request.zones = zones_of(request.user)  # type: ignore[attr-defined]
        with reading_in(request.zones):  # type: ignore[attr-defined]
            return self.get_response(request)


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Keep the language for the user; for who is signed out, in a cookie."""
    language, back = request.POST.get("language", ""), request.POST.get("next") or request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        back = "/"
    response = redirect(back)
    if language not in dict(settings.LANGUAGES):
        return response
    if isinstance(request.user, User):
        User.objects.filter(pk=request.user.pk).update(language=language)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=365 * 24 * 3600,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
    )
    return response
