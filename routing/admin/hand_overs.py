"""Hand-overs: form, preview, progress, result, undo."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.admin_theme import AutocompleteFilter
from accounts.models import Manager, User
from accounts.time import clock

from ..engine import Reason
from ..exceptions import Refused
from ..forms import HandOverForm
from ..models import HandedLead, HandOver
from ..roster import Roster, current
from ..services.hand_over import FAILED, NO_TRIGGER, HandOverLine, hand_over, preview_hand_over, undo_hand_over
from ..tasks import hurry_hand_over
from ..wording.explanations import in_brief
from .records import BigReadOnlyAdmin

MOST_SHOWN = 500


@admin.register(HandOver)
class HandOverAdmin(BigReadOnlyAdmin):
    list_display = ("at", "manager", "to", "by", "reason", "finished_at", "undone_at")
    list_filter = (("manager", AutocompleteFilter),)
    list_select_related = ("manager__user", "to__user", "by")
    fields = ("manager", "to", "by", "reason", "at", "finished_at", "undone_at", "undone_by")
    change_form_template = "routing/hand_over_page.html"
    ordering = ("-at",)

    def get_urls(self) -> Any:
        inside = self.admin_site.admin_view
        return [
            path("of/<int:manager_id>/", inside(self.ask), name="routing_handover_of"),
            path("<uuid:batch_id>/undo/", inside(require_POST(self.undo)), name="routing_handover_undo"),
            path("<uuid:batch_id>/progress/", inside(self.progress), name="routing_handover_progress"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        batch = self.get_object(request, object_id)
        return super().change_view(
            request, object_id, form_url, _result_context(batch, request) | (extra_context or {})
        )

    def ask(self, request: HttpRequest, manager_id: int) -> HttpResponse:
        """Ask what to hand over and to whom, show who would get what, and do it when that is confirmed."""
        by = _who_may(request)
        manager = get_object_or_404(Manager.objects.select_related("user"), pk=manager_id)
        form = HandOverForm(request.POST or None, manager=manager)
        lines: list[HandOverLine] | None = None
        if request.method == "POST" and form.is_valid():
            try:
                if "confirmed" in request.POST:
                    return self._do(request, manager, form.service_arguments(), by)
                wanted = {key: value for key, value in form.service_arguments().items() if key in ("to", "stages")}
                lines = preview_hand_over(manager.pk, at=clock.now(), **wanted)
            except Refused as error:
                form.add_error(None, error.detail)
        context = self.admin_site.each_context(request) | {
            "title": _("Hand over the leads of %(manager)s") % {"manager": manager},
            "form": form,
            "opts": self.opts,
            "back": reverse("admin:accounts_manager_change", args=[manager.pk]),
            **(_preview_context(lines, current()) if lines is not None else {}),
        }
        return TemplateResponse(request, "routing/hand_over_ask.html", context)

    def _do(self, request: HttpRequest, manager: Manager, asked: dict[str, Any], by: User) -> HttpResponse:
        batch = hand_over(manager.pk, at=clock.now(), by=by, **asked)
        self.log_change(request, manager, [{"added": {"name": str(_("hand-over")), "object": str(batch)}}])
        hurry_hand_over(batch)
        if batch.is_running:
            messages.success(request, _("The hand-over has begun and goes on in the background."))
            return redirect("admin:routing_handover_change", batch.pk)
        went = batch.lines.filter(to__isnull=False).count()
        sentence = ngettext("%(count)d lead was handed over.", "%(count)d leads were handed over.", went)
        messages.success(request, sentence % {"count": went})
        return redirect("admin:routing_handover_change", batch.pk)

    def undo(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        by = _who_may(request)
        try:
            batch = undo_hand_over(batch_id, at=clock.now(), by=by)
        except Refused as error:
            messages.error(request, error.detail)
            return redirect("admin:routing_handover_change", batch_id)
        self.log_change(request, batch, [{"added": {"name": str(_("undone")), "object": str(batch)}}])
        hurry_hand_over(batch)
        if batch.is_running:
            messages.success(request, _("Leads are being returned in the background."))
            return redirect("admin:routing_handover_change", batch_id)
        back, left = (batch.lines.filter(undone=undone).count() for undone in HandedLead.Undone.values)
        sentence = _("Returned: %(back)d. Not returned, because they have moved on since the hand-over: %(left)d.")
        messages.success(request, sentence % {"back": back, "left": left})
        return redirect("admin:routing_handover_change", batch_id)

    def progress(self, request: HttpRequest, batch_id: UUID) -> HttpResponse:
        """Answer with the part of the page that shows the progress; when it is finished, reload the page."""
        batch = get_object_or_404(HandOver, pk=batch_id)
        if not self.has_view_permission(request, batch):
            raise PermissionDenied
        if not batch.is_running:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return TemplateResponse(request, "routing/_hand_over_progress.html", {"original": batch, **_progress(batch)})


@admin.register(HandedLead)
class HandedLeadAdmin(BigReadOnlyAdmin):
    list_display = ("batch", "lead", "to", "why", "undone")
    list_select_related = ("batch__manager__user", "lead__contact", "lead__company", "to__user")


def _who_may(request: HttpRequest) -> User:
    """Return the user. Raises PermissionDenied unless they may change leads."""
    if not isinstance(request.user, User) or not request.user.has_perm("routing.change_lead"):
        raise PermissionDenied
    return request.user


def _result_context(batch: HandOver | None, request: HttpRequest) -> dict[str, Any]:
    if batch is None:
        return {}
    rows = batch.lines.select_related("lead__contact", "lead__company", "stage__pipeline", "to__user")
    counts: Counter[str | None] = Counter(batch.lines.values_list("to__user__name", flat=True))
    changes = request.user.has_perm("routing.change_lead")
    return {
        "lines": [(x.lead_id, x.lead, x.stage, x.to, _why(x.why), x.get_undone_display()) for x in rows[:MOST_SHOWN]],
        "stayed": counts.pop(None, 0),
        "counts": sorted(counts.items()),
        "may_undo": changes and batch.may_be_undone(at=clock.now()),
        **(_progress(batch) if batch.is_running else {}),
    }


def _progress(batch: HandOver) -> dict[str, Any]:
    """Return how many leads are done so far, and of how many; while undoing, how many are returned or left."""
    if batch.undo_began_at is None:
        done = batch.lines.count()
        return {"done": done, "total": max(done, batch.leads or 0)}
    given = batch.lines.filter(to__isnull=False)
    return {"done": given.exclude(undone="").count(), "total": given.count(), "undoing": True}


def _why(text: str) -> str:
    if text == NO_TRIGGER:
        return _("no trigger ever distributed it")
    return _("its distribution failed") if text == FAILED else in_brief(Reason(text))


def _preview_context(lines: list[HandOverLine], roster: Roster) -> dict[str, Any]:
    names = {manager.id: manager.name or manager.email for manager in roster.managers.values()}
    counts = Counter(names[line.to] for line in lines if line.to)
    shown = [
        (x.lead.pk, x.lead, roster.stages[x.lead.stage_id].path, names.get(x.to or 0), _why(x.why), "") for x in lines
    ]
    return {
        "preview": True,
        "lines": shown[:MOST_SHOWN],
        "counts": sorted(counts.items()),
        "stayed": sum(line.to is None for line in lines),
    }
