"""What happened: decisions, offers, adjustments, events. It is looked at and never edited."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_theme import AutocompleteFilter, ModelAdmin, ReadOnlyAdmin, UncountedPaginator, action, display
from accounts.models import OnlineTime
from accounts.time import clock

from ..engine.values import LEAD, Reason
from ..models import (
    Activity,
    Adjustment,
    ContactPoint,
    Decision,
    Heartbeat,
    IntakeRequest,
    LeadEdit,
    LeadEvent,
    Ledger,
    Lineup,
    Load,
    Offer,
    Setback,
    SweepBatch,
)
from ..roster import current
from ..services.setbacks import try_again
from ..timelines import EXPLAINED, DecisionInWords, explain
from ..wording.explanations import in_brief


class BigReadOnlyAdmin(ReadOnlyAdmin):
    """Of a table that nobody counts."""

    paginator = UncountedPaginator
    ordering = ("-pk",)


@admin.register(Decision)
class DecisionAdmin(BigReadOnlyAdmin):
    list_display = ("id", "at", "lead", "trigger", "how", "attempt", "result", "chosen", "why")
    list_filter = ("outcome", ("trigger", AutocompleteFilter), ("chosen", AutocompleteFilter))
    list_select_related = ("lead__contact", "lead__company", "trigger", "registry__trigger", "chosen__user")
    fields = (
        "lead",
        "at",
        "trigger",
        "registry",
        "how",
        "attempt",
        "outcome",
        "chosen",
        "why",
        "turn",
        "counted",
    )
    change_form_template = "routing/decision_page.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        decision = Decision.objects.filter(pk=object_id).select_related(*EXPLAINED) if object_id.isdigit() else []
        context = {"decisions": explain_here(decision)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        return super().get_queryset(request).defer("held", "balances", "received", "last_turns", "refusals")

    @display(description=_("outcome"), label={"assigned": "success", "waiting": "warning"})
    def result(self, decision: Decision) -> tuple[str, str]:
        return decision.outcome, decision.get_outcome_display()

    @display(description=_("method"), ordering="method")
    def how(self, decision: Decision) -> str:
        return _brief(decision.method)

    @display(description=_("reason"), ordering="reason")
    def why(self, decision: Decision) -> str:
        return _brief(decision.reason)


def _brief(code: str) -> str:
    return in_brief(Reason(code)) if code in set(Reason) else code


def explain_here(decisions: Iterable[Decision]) -> list[DecisionInWords]:
    """Return decisions as people read them, in their zone. decisions: joined as EXPLAINED says."""
    return explain(decisions, current(), zone=ZoneInfo(timezone.get_current_timezone_name()))


@admin.register(Offer)
class OfferAdmin(BigReadOnlyAdmin):
    list_display = ("id", "lead", "manager", "trigger", "offered_at", "accept_by", "closed_at", "outcome")
    list_filter = ("outcome", ("manager", AutocompleteFilter), ("trigger", AutocompleteFilter))
    list_select_related = ("lead__contact", "lead__company", "manager__user", "trigger")


@admin.register(Adjustment)
class AdjustmentAdmin(BigReadOnlyAdmin):
    list_display = ("at", "manager", "leads", "kind", "registry", "lead", "by", "reason")
    list_filter = ("kind", ("registry", AutocompleteFilter), ("manager", AutocompleteFilter))
    list_select_related = ("manager__user", "registry__trigger", "lead__contact", "lead__company", "by")

    @display(description=_("leads"), ordering="amount")
    def leads(self, adjustment: Adjustment) -> str:
        return f"{adjustment.amount / LEAD:+g}"


@admin.register(LeadEvent)
class LeadEventAdmin(BigReadOnlyAdmin):
    list_display = ("at", "lead", "kind", "by")
    list_filter = ("kind",)
    list_select_related = ("lead__contact", "lead__company", "by")


@admin.register(Activity)
class ActivityAdmin(BigReadOnlyAdmin):
    list_display = ("at", "lead", "kind", "source", "created_at")
    list_filter = ("kind", "source")
    list_select_related = ("lead__contact", "lead__company", "source")
    fields = ("lead", "kind", "at", "created_at", "source", "external_id", "data", "as_sent")


@admin.register(Ledger)
class LedgerAdmin(ReadOnlyAdmin):
    list_display = ("registry", "turn", "reset_at")
    list_select_related = ("registry__trigger",)


@admin.register(Lineup)
class LineupAdmin(ReadOnlyAdmin):
    list_display = ("digest", "managers", "coefficients", "limits")


@admin.register(Load)
class LoadAdmin(BigReadOnlyAdmin):
    list_display = ("manager", "stage", "leads")
    list_select_related = ("manager__user", "stage__pipeline")
    list_filter = (("manager", AutocompleteFilter), ("stage", AutocompleteFilter))


@admin.register(IntakeRequest)
class IntakeRequestAdmin(BigReadOnlyAdmin):
    list_display = ("created_at", "owner", "route", "key", "status")


@admin.register(Setback)
class SetbackAdmin(ModelAdmin):
    list_display = ("lead", "attempts", "error", "next_try_at", "set_aside_at")
    list_filter = (("set_aside_at", admin.EmptyFieldListFilter),)
    list_select_related = ("lead__contact", "lead__company")
    fields = readonly_fields = ("lead", "attempts", "error", "next_try_at", "set_aside_at")
    actions = ("try_again",)
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Setback | None = None) -> bool:
        return False

    @action(description=_("Try again"), permissions=["change"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Setback]) -> None:
        tried = try_again(queryset.values_list("pk", flat=True), at=clock.now())
        said = ngettext("The next sweep will try %(count)d lead.", "The next sweep will try %(count)d leads.", tried)
        messages.success(request, said % {"count": tried})


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ("name", "at")


@admin.register(LeadEdit)
class LeadEditAdmin(BigReadOnlyAdmin):
    list_display = ("at", "lead", "by", "columns")
    list_select_related = ("lead__contact", "lead__company", "by")
    fields = ("lead", "at", "by", "before")


@admin.register(OnlineTime)
class OnlineTimeAdmin(BigReadOnlyAdmin):
    list_display = ("manager", "began_at", "seen_at")
    list_select_related = ("manager__user",)


@admin.register(ContactPoint)
class ContactPointAdmin(BigReadOnlyAdmin):
    list_display = ("contact", "kind", "text", "extension", "shared", "main", "source", "first_seen_at")
    list_filter = ("kind", "shared")
    list_select_related = ("contact", "source")


@admin.register(SweepBatch)
class SweepBatchAdmin(ReadOnlyAdmin):
    list_display = ("id", "begun_at")
