"""The supervisors' board: thin doors, for supervisors only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Manager, User
from accounts.people.roles import supervises
from accounts.services import pause_manager, resume_manager
from accounts.time import clock

from ..roster import current
from ..screens.board import board_of
from ..screens.versions import board_version
from ..tasks import give_back_soon, hurry
from .desk import PAUSE_MINUTES, OwnPauseForm, how_many
from .live import after_change, answer, by_htmx, nothing_new, require_sign_in

SHOWN = 50  # waiting leads, and open offers


def for_supervisors(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @wraps(view)
    def check_role(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not supervises(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return require_sign_in(check_role)


@require_safe
@for_supervisors
def board(request: HttpRequest) -> HttpResponse:
    return _board(request)


@require_POST
@for_supervisors
def pause(request: HttpRequest, manager_id: int) -> HttpResponse:
    """Pause a manager; what they have on offer goes to others."""
    manager, form = _manager(manager_id), OwnPauseForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Write the minutes as a number, or leave them empty."))
        return _back(request)
    at, asked = clock.now(), form.cleaned_data
    assert isinstance(request.user, User)  # nosec B101  # who supervises is a user
    pause_manager(manager, at=at, minutes=asked["minutes"], reason=asked["reason"], by=request.user)
    give_back_soon(manager.pk, at=at)
    messages.success(request, _("%(name)s is paused.") % {"name": manager})
    return _back(request)


@require_POST
@for_supervisors
def resume(request: HttpRequest, manager_id: int) -> HttpResponse:
    manager = _manager(manager_id)
    resume_manager(manager, at=clock.now())
    hurry()
    messages.success(request, _("%(name)s has resumed.") % {"name": manager})
    return _back(request)


def _manager(manager_id: int) -> Manager:
    return get_object_or_404(Manager.objects.select_related("user"), pk=manager_id)


def _back(request: HttpRequest) -> HttpResponse:
    return after_change(lambda: _board(request)) if by_htmx(request) else redirect("board")


def _board(request: HttpRequest) -> HttpResponse:
    most, at, roster = how_many(request, "most", SHOWN), clock.now(), current()
    version = board_version(roster, at=at, most=most)
    if (nothing := nothing_new(request, version=version, at=at)) is not None:
        return nothing
    found = board_of(roster, at=at, most=most)
    context = {
        "page": "board",
        "board": found,
        "pause_minutes": PAUSE_MINUTES,
        "pause_reasons": roster.account.pause_reasons,
        "query": f"?most={most}",
        "more": f"?most={min(500, most + 100)}",
        "shown": most,
    }
    return answer(
        request,
        page="routing/board.html",
        part="routing/_board.html",
        shown=found,
        version=version,
        context=context,
        at=at,
    )
