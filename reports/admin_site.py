"""The admin as one site: its names, its first page, its navigation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, path, reverse
from django.utils.translation import gettext_lazy as _

from accounts.admin_theme import ThemeAdminSite
from accounts.models import User
from accounts.security.presence import ask_for_proof
from accounts.services import note_new_password
from accounts.time import clock, periods
from reports import queries
from reports.legend import ring_of
from reports.today import Concern, today
from routing import roster
from routing.views.first_steps import enter_lead, steps


class AdminSite(ThemeAdminSite):
    site_header = site_title = "Leadrouter"
    index_title = _("Today")
    settings_name = "UNFOLD"

    def get_urls(self) -> Any:
        return [path("enter-lead/", self.admin_view(self.enter_lead), name="enter_lead"), *super().get_urls()]

    def enter_lead(self, request: HttpRequest) -> HttpResponse:
        return enter_lead(request, context=self.each_context(request))

    @transaction.atomic
    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if page := ask_for_proof(request):
            return page
        answer = super().password_change(request, extra_context)
        if answer.status_code == 302 and isinstance(request.user, User):
            note_new_password(request.user, at=clock.now(), by=request.user)
        return answer

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().index(request, dashboard(request) | (extra_context or {}))


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """Return what the first page shows; each sees what they may look into."""
    current, at = roster.current(), clock.now()
    context: dict[str, Any] = {}
    if request.user.has_perm("routing.view_lead"):
        late = timedelta(seconds=max(settings.READY_SWEEP_SECONDS, settings.READY_WORKER_SECONDS))
        found = today(current, at=at, late=late)
        context |= {"today": found, "concerns": [(c, address_of(c)) for c in found.concerns], "at": at}
        context["began"] = periods.began_at("day", at, current.zone)  # of the account, as today is counted
    if request.user.has_perm("routing.view_unqualified"):
        day = at.astimezone(current.zone).date()
        context["ring"] = ring_of(queries.sources(current.account, period="week", on=day), current.account)
    if request.user.has_perm("routing.change_trigger"):
        to_do = steps(current)
        context |= {"steps": to_do, "steps_done": sum(step.done for step in to_do)}
    return context


def address_of(concern: Concern) -> str:
    name = f"admin:{concern.model.replace('.', '_')}"
    try:
        address = (
            reverse(f"{name}_change", args=[concern.id]) if concern.id is not None else reverse(f"{name}_changelist")
        )
    except NoReverseMatch:
        return ""
    return f"{address}?{concern.query}" if concern.query else address
