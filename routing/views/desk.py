"""The manager's page."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from accounts import clock
from accounts.models import Account, Manager, Pause, User
from accounts.services import pause_manager, resume_manager

from ..models import Load, Stage
from ..services.offers import give_back_offers


class OwnPauseForm(forms.Form):
    """A pause that managers give themselves."""

    minutes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=525_600,
        label=gettext_lazy("Minutes"),
        help_text=gettext_lazy("Empty: until you resume."),
    )
    reason = forms.CharField(required=False, max_length=200, label=gettext_lazy("Reason"))


def own_manager(user: object) -> Manager:
    """Return the manager that the user is. Raises PermissionDenied."""
    manager = Manager.objects.select_related("user").filter(user=user).first() if isinstance(user, User) else None
    if manager is None:
        raise PermissionDenied
    return manager


@require_safe
@login_required
def me(request: HttpRequest) -> HttpResponse:
    return _page(request, own_manager(request.user), OwnPauseForm())


@require_POST
@login_required
def pause(request: HttpRequest) -> HttpResponse:
    """Take oneself out of distribution; leads on offer go to others."""
    manager, form = own_manager(request.user), OwnPauseForm(request.POST)
    if not form.is_valid():
        return _page(request, manager, form)
    at = clock.now()
    pause_manager(
        manager, at=at, minutes=form.cleaned_data["minutes"], reason=form.cleaned_data["reason"], by=manager.user
    )
    give_back_offers(manager.pk, at=at)
    messages.success(request, _("You are paused: no leads come to you."))
    return redirect("me")


@require_POST
@login_required
def resume(request: HttpRequest) -> HttpResponse:
    """Come back into distribution."""
    resume_manager(own_manager(request.user), at=clock.now())
    messages.success(request, _("You are back: leads come to you again."))
    return redirect("me")


def _page(request: HttpRequest, manager: Manager, form: OwnPauseForm) -> HttpResponse:
    held = (
        Load.objects.filter(manager=manager, stage__kind__in=Stage.ACTIVE).aggregate(leads=Sum("leads"))["leads"] or 0
    )
    context = {
        "manager": manager,
        "held": held,
        "pause": Pause.objects.running(at=clock.now()).filter(manager=manager).first(),
        "zone": manager.time_zone or Account.get().time_zone,
        "form": form,
    }
    return render(request, "routing/me.html", context)
