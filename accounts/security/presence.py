"""Whether the person themselves is there: what only they may change asks for a factor they gave a few minutes ago.

A session alone is no proof: it may be on a device that somebody left open, or stolen. Signing in counts. Who has a second
factor shows that one; who has none gives their password.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from . import second_factor

PRESENT_SECONDS = 600
# Where the session keeps when: the first is of the sign-in (accounts/middleware.py), the second of a proof after it.
BEGAN, PROVED = "began_at", "proved_at"


def is_present(request: HttpRequest) -> bool:
    """Tell whether the user signed in or proved themselves a few minutes ago, by their second factor if they have one."""
    session = request.session
    given = max(session.get(BEGAN, 0), session.get(PROVED, 0))
    if not 0 <= time.time() - given <= PRESENT_SECONDS:
        return False
    user = cast(Any, request.user)
    return bool(user.is_verified()) or not second_factor.is_on(user)


def note_sign_in(request: HttpRequest) -> None:
    request.session[BEGAN] = request.session["used_at"] = int(time.time())


def note_proof(request: HttpRequest) -> None:
    request.session[PROVED] = int(time.time())
    request.session.cycle_key()


def ask_for_proof(request: HttpRequest, *, back: str = "") -> HttpResponse | None:
    """Return the way to the page that asks for a factor, and back; None: the person is there.

    back: where the person goes on, if not at the address of the request. What was sent is not done; they send it again.
    """
    if is_present(request):
        return None
    if request.method not in ("GET", "HEAD"):
        messages.warning(request, _("Nothing has changed yet. Confirm that it is you, then send it again."))
    return HttpResponseRedirect(f"{reverse('prove')}?{urlencode({'next': back or request.get_full_path()})}")


def present_only(back: str = "") -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Let a signed-in person in who is there. back: the name of the page on which they go on."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def ask_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            address = reverse(back) if back else ""
            return ask_for_proof(request, back=address) or view(request, *args, **kwargs)

        return ask_first

    return decorate
