"""What holds for every page: how long a session lasts, who needs a second factor, who is online, and that an admin whose
address was tampered with shows its list, not a crash.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.db import DatabaseError, DataError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.urls import reverse

from .models import Manager, User
from .security import second_factor
from .services import SEEN_EVERY, mark_online
from .time import clock

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]


class SessionLimits:
    """Ends a session some time after its last request, and some time after its start however busy it is.

    The session's own clock is the host's, as Django's is; it is no part of what a lead goes through.
    """

    RENEWED_EVERY = 600  # seconds; a session is written no oftener for being used

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            self._judge(request, now=int(time.time()))
        return self.get_response(request)

    def _judge(self, request: HttpRequest, *, now: int) -> None:
        began = request.session.setdefault("began_at", now)
        used = request.session.setdefault("used_at", now)
        if now - began >= settings.SESSION_LONGEST_SECONDS or now - used >= settings.SESSION_COOKIE_AGE:
            logout(request)
        elif now - used >= self.RENEWED_EVERY:
            request.session["used_at"] = now  # and with it the session's end moves


class SecondFactor:
    """Sends staff who must have a second factor, and have none yet, to the page where they set it up."""

    OPEN = frozenset(
        {"sign-in", "sign-out", "sign-in-code", "second-factor", "second-factor-qr", "second-factor-off"}
        | {"passkey-ask", "passkey-offer", "passkey-add", "passkey-remove", "prove"}
        | {"healthz", "readyz", "metrics"}
    )

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or match.url_name in self.OPEN or request.path_info.startswith("/api/"):
            return None  # the API asks for itself, of sessions alone
        zones = getattr(request, "zones", None)  # read along with them: whether it is asked for
        if not second_factor.is_missing(request.user, asked=zones and zones.second_factor):
            return None
        return HttpResponseRedirect(f"{reverse('second-factor')}?{urlencode({'next': request.get_full_path()})}")


class Online:
    """Writes down that a signed-in manager was seen, no oftener from this process than every 30 seconds."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.seen: dict[int, float] = {}  # user id -> monotonic seconds; as many entries as there are users

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        user = getattr(request, "user", None)  # of the session, or of the API key
        if isinstance(user, User) and self._is_due(user.pk):
            self._mark(user.pk)
        return response

    def _mark(self, user_id: int) -> None:
        try:
            manager_id = Manager.objects.filter(user_id=user_id).values_list("pk", flat=True).first()
            if manager_id is not None:
                mark_online(manager_id, at=clock.now())
        except DatabaseError:  # the answer is made already; it must not be lost to a row that is locked
            logger.warning("user %s not marked online", user_id, exc_info=True, extra={"action": "mark_online_failed"})

    def _is_due(self, user_id: int) -> bool:
        now = time.monotonic()
        if now - self.seen.get(user_id, float("-inf")) < SEEN_EVERY.total_seconds():
            return False
        self.seen[user_id] = now
        return True


class TolerantAdmin:
    """Answers the parameters of an admin address that no query can take, such as a year 99999999999 or a NUL.

    Django's admin knows that a lookup may be wrong, but not that a value may be one the database or a date refuses.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or "admin" not in match.app_names or request.method not in ("GET", "HEAD") or not request.GET:
            return None
        if not isinstance(exception, DataError | OverflowError | ValueError) or list(request.GET) == ["e"]:
            return None  # a bug: it is not the address that is wrong
        logger.warning(
            "parameters of an admin page refused", extra={"action": "admin_parameters_refused", "route": match.route}
        )
        if match.url_name == "autocomplete":
            return HttpResponseBadRequest()
        return HttpResponseRedirect(f"{request.path}?e=1")
