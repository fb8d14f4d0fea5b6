"""The manager's page: thin doors to the services, for the manager's own leads only."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.models import Manager, User
from accounts.services import pause_manager, resume_manager
from accounts.time import clock
from accounts.time.feeds import feed_path, renew_feed

from ..exceptions import Busy, OfferClosed, Refused
from ..models import Contact, ContactPoint, Decision, Lead, Stage
from ..roster import current
from ..screens.desk import cards, desk_of, leads_of, title_of, zone_of
from ..screens.versions import desk_version
from ..services.contact_points import add_point, choose_main, correct_point, remove_point
from ..services.offers import accept_offer, decline_offer
from ..services.stages import move_lead
from ..tasks import give_back_soon, hurry
from ..timelines import EXPLAINED, explain, timeline, why_not
from .live import after_change, answer, by_htmx, nothing_new, require_sign_in

UUID_IN_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LEADS, DECISIONS, MOST = 30, 8, 500  # shown at first, and at most

PAUSE_MINUTES = (15, 30, 45, 60)  # offered beside a number of one's own, and until resumed
WHY_DECLINE = (
    gettext_lazy("On the road"),
    gettext_lazy("Not my field"),
    gettext_lazy("Busy with another customer"),
)


class OwnPauseForm(forms.Form):
    """A pause that managers give themselves."""

    reason = forms.CharField(
        required=False, max_length=200, label=gettext_lazy("Reason"), widget=forms.TextInput({"list": "pause-reasons"})
    )
    minutes = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=525_600,
        label=gettext_lazy("Minutes"),
        help_text=gettext_lazy("Leave empty to pause until you resume."),
    )


class DeclineForm(forms.Form):
    reason = forms.CharField(required=False, max_length=500)


def own_manager(request: HttpRequest) -> Manager:
    """Return the manager that the user is, with user and schedule. Raises PermissionDenied."""
    found = Manager.objects.select_related("user", "schedule").filter(user=request.user.pk).first()
    if found is None:
        raise PermissionDenied
    return found


@require_safe
@require_sign_in
def me(request: HttpRequest) -> HttpResponse:
    return _desk(request, own_manager(request))


@require_safe
@never_cache
@require_sign_in
def lead(request: HttpRequest, lead_id: UUID) -> HttpResponse:
    """Show one of the manager's leads, and what happened to it."""
    return _lead(request, own_manager(request), lead_id)


def _lead(request: HttpRequest, manager: Manager, lead_id: UUID, *, point_problem: str = "") -> HttpResponse:
    at, roster = clock.now(), current()
    rows = leads_of(manager).select_related("contact", "company", "source", "responsible")
    found = rows.filter(pk=lead_id).first()
    if found is None:
        raise Http404
    stages = {stage.pk: stage for stage in Stage.objects.select_related("pipeline")}
    zone = zone_of(manager, roster)
    context = {
        "page": "desk",
        "lead": found,
        "card": cards([found], stages, at=at)[0],
        "fields": found.fields.items(),
        "tasks": found.tasks.open().order_by("due_at", "pk")[:50],
        "moments": timeline(found, roster, zone=zone)[::-1],
        "zone": str(zone),
        "why_decline": WHY_DECLINE,
        "points": found.contact.points.best_first() if may_edit_contact(manager, found) else None,
        "point_kinds": ContactPoint.Kind.choices,
        "point_problem": point_problem,
        "now": at,
    }
    return render(request, "routing/lead.html", context)


def may_edit_contact(manager: Manager, lead: Lead) -> bool:
    """Tell whether the manager may correct how the lead's contact is reached: who is responsible for the contact, and for a
    contact of nobody who has the lead."""
    contact = lead.contact
    return contact is not None and contact.responsible_id in (None, manager.pk)


@require_POST
@require_sign_in
def contact(request: HttpRequest, lead_id: UUID) -> HttpResponse:
    """Add, correct or remove a phone, e-mail or chat of a lead's contact, or choose the one that is shown first."""
    manager = own_manager(request)
    found = _known_lead(manager, lead_id)
    if found.responsible_id != manager.pk:
        messages.error(request, _("This lead is no longer yours. It was redistributed before you answered."))
        return redirect("me")
    if not may_edit_contact(manager, found):
        raise PermissionDenied
    text, number = request.POST.get("text", "").strip(), request.POST.get("point", "")
    point = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0
    was = ContactPoint.objects.filter(pk=point).values_list("text", flat=True).first() or ""
    try:
        match request.POST.get("do"):
            case "add":
                add_point(found.contact_id, request.POST.get("kind", ""), text[:500], at=clock.now())
            case "correct":
                correct_point(found.contact_id, point, text[:500])
            case "main":
                choose_main(found.contact_id, point)
            case "remove":
                remove_point(found.contact_id, point)
            case _:
                raise Http404
    except Refused as refused:
        return _lead(request, manager, lead_id, point_problem=refused.detail)
    done = {"add": "added", "remove": "deleted"}.get(request.POST["do"], "changed")
    told: list[Any] = [{done: {"name": _("phone, e-mail or chat"), "object": text[:500] or was, "fields": [_("text")]}}]
    edited = Contact.objects.filter(leads=found)
    LogEntry.objects.log_actions(manager.user.pk, edited, CHANGE, told, single_object=True)
    return redirect("my-lead", lead_id)


@require_safe
@never_cache
@require_sign_in
def why_not_me(request: HttpRequest) -> HttpResponse:
    """Say of any lead why it did not go to the manager; of leads of others nothing but that."""
    manager, roster = own_manager(request), current()
    asked = request.GET.get("lead", "").strip()
    found = UUID_IN_TEXT.search(asked)
    decisions = (
        Decision.objects.filter(lead=UUID(found[0])).select_related(*EXPLAINED).order_by("-id")[:20]
        if found
        else Decision.objects.none()
    )
    told = explain(decisions, roster, zone=zone_of(manager, roster), of=manager.pk)
    context = {
        "page": "desk",
        "asked": asked,
        "answers": [(each, why_not(each, manager.pk), each.chosen == manager.pk) for each in told],
        "zone": str(zone_of(manager, roster)),
    }
    return render(request, "routing/why.html", context)


@require_POST
@require_sign_in
def accept(request: HttpRequest, lead_id: UUID) -> HttpResponse:
    return _act(request, lead_id, _accept)


@require_POST
@require_sign_in
def decline(request: HttpRequest, lead_id: UUID) -> HttpResponse:
    return _act(request, lead_id, _decline)


@require_POST
@require_sign_in
def move(request: HttpRequest, lead_id: UUID) -> HttpResponse:
    return _act(request, lead_id, _move)


@require_POST
@require_sign_in
def pause(request: HttpRequest) -> HttpResponse:
    """Take oneself out of distribution; leads on offer go to others."""
    manager, form = own_manager(request), OwnPauseForm(request.POST)
    if not form.is_valid():
        return _desk(request, manager, form)
    at, minutes = clock.now(), form.cleaned_data["minutes"]
    pause_manager(manager, at=at, minutes=minutes, reason=form.cleaned_data["reason"], by=manager.user)
    give_back_soon(manager.pk, at=at)
    messages.success(request, _("You are paused and get no leads."))
    return _back(request, manager)


@require_POST
@require_sign_in
def resume(request: HttpRequest) -> HttpResponse:
    """Come back into distribution."""
    manager = own_manager(request)
    resume_manager(manager, at=clock.now())
    hurry()
    messages.success(request, _("You have resumed and get leads again."))
    return _back(request, manager)


@require_POST
@require_sign_in
def new_calendar(request: HttpRequest) -> HttpResponse:
    """Give one's calendar a new address."""
    manager = own_manager(request)
    renew_feed(manager)
    messages.success(request, _("The calendar has a new address. The old address no longer works."))
    return _back(request, manager)


# What they share

Action = Callable[[HttpRequest, Lead, datetime, User], str]


def _act(request: HttpRequest, lead_id: UUID, action: Action) -> HttpResponse:
    """Do something with a lead of the manager's; when it went to somebody else meanwhile, say so."""
    manager = own_manager(request)
    found = _known_lead(manager, lead_id)
    if found.responsible_id != manager.pk:
        messages.error(request, _("This lead is no longer yours. It was redistributed before you answered."))
        return _back(request, manager)
    try:
        messages.success(request, action(request, found, clock.now(), manager.user))
    except Refused as refused:
        messages.error(request, _refusal(refused))
    return _back(request, manager, lead_id)


def _known_lead(manager: Manager, lead_id: UUID) -> Lead:
    """Return a lead that the manager has, or was once offered. Raises Http404."""
    known = Q(responsible=manager) | Q(offers__manager=manager)
    found = Lead.objects.filter(known, pk=lead_id).select_related("contact", "company").distinct().first()
    if found is None:
        raise Http404
    return found


def _refusal(refused: Refused) -> str:
    if isinstance(refused, OfferClosed):
        return _("Too late: this lead is no longer offered to you.")
    if isinstance(refused, Busy):
        return _("Many leads are being distributed right now. Try again.")
    return refused.detail


def _accept(request: HttpRequest, lead: Lead, at: datetime, by: User) -> str:
    accept_offer(lead.pk, at=at, by=by)
    return _("Accepted: %(lead)s is yours.") % {"lead": lead}


def _decline(request: HttpRequest, lead: Lead, at: datetime, by: User) -> str:
    form = DeclineForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    decline_offer(lead.pk, at=at, reason=reason, by=by)
    return _("Declined: %(lead)s goes to somebody else.") % {"lead": lead}


def _move(request: HttpRequest, lead: Lead, at: datetime, by: User) -> str:
    wanted = Stage.objects.filter(pipeline__stages=lead.stage_id).select_related("pipeline")
    stage = next((stage for stage in wanted if str(stage) == request.POST.get("stage")), None)
    if stage is None:
        raise Http404
    move_lead(lead.pk, stage.pk, at=at, by=by, theirs=True)
    return _("%(lead)s is now in “%(stage)s”.") % {"lead": lead, "stage": title_of(stage)}


def _back(request: HttpRequest, manager: Manager, lead_id: UUID | None = None) -> HttpResponse:
    """Return to where the form stood: htmx gets the live part at once."""
    if by_htmx(request):
        return after_change(lambda: _desk(request, manager))
    still_theirs = lead_id and Lead.objects.filter(pk=lead_id, responsible=manager).exists()
    if still_theirs and request.POST.get("back") == "lead":
        return redirect("my-lead", lead_id)
    return redirect("me")


def _desk(request: HttpRequest, manager: Manager, form: OwnPauseForm | None = None) -> HttpResponse:
    leads, decisions = how_many(request, "leads", LEADS), how_many(request, "decisions", DECISIONS)
    at, roster = clock.now(), current()
    version = desk_version(manager, roster, at=at, leads=leads, decisions=decisions)
    if (nothing := nothing_new(request, version=version, at=at)) is not None:
        return nothing
    desk = desk_of(manager, roster, at=at, leads=leads, decisions=decisions)
    context = {
        "page": "desk",
        "desk": desk,
        # The scheme at which phones and mail programs offer to subscribe; https would only download.
        "feed": f"webcal://{request.get_host()}{feed_path(manager)}" if manager.active and manager.schedule_id else "",
        "form": form or OwnPauseForm(),
        "pause_minutes": PAUSE_MINUTES,
        "pause_reasons": roster.account.pause_reasons,
        "why_decline": WHY_DECLINE,
        "query": f"?leads={leads}&decisions={decisions}",
        "more_leads": f"?leads={min(MOST, leads + 50)}&decisions={decisions}",
        "more_decisions": f"?leads={leads}&decisions={min(MOST, decisions + 20)}",
    }
    return answer(
        request, page="routing/me.html", part="routing/_desk.html", shown=desk, version=version, context=context, at=at
    )


def how_many(request: HttpRequest, name: str, usual: int) -> int:
    text = request.GET.get(name, "")
    return min(int(text), MOST) if text.isascii() and text.isdigit() and 0 < len(text) < 6 else usual
