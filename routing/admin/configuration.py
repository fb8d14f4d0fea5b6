"""Pipelines, registries and triggers: how leads are distributed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, F, QuerySet, Sum, Window
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_theme import AutocompleteFilter, ReadOnlyAdmin, TabularInline, action, display
from accounts.history.conflict_aware_admin import ConflictAwareAdmin
from accounts.models import Manager
from accounts.time import clock

from .. import configuration_warnings, roster
from ..engine.values import LEAD
from ..exceptions import Busy
from ..forms import MemberForm, MemberFormSet, TrialForm, TriggerForm
from ..locks import retry
from ..models import Adjustment, Decision, Ledger, Member, Pipeline, Registry, Stage, Trigger
from ..screens import dry_run
from ..screens.desk import trigger_facts
from ..timelines import EXPLAINED
from ..wording import sentences
from . import file
from .records import explain_here

LATEST = 20  # decisions on a registry's page


class StageInline(TabularInline):
    model = Stage
    fields = ("code", "title", "kind", "position")  # the first field has the handle: it must be seen
    ordering = ("position", "id")
    ordering_field = "position"  # of Unfold: rows are dragged
    hide_ordering_field = True
    show_title = False  # of Unfold: the row says it already
    extra = 0
    show_change_link = True

    class Media:
        js = ("leadrouter/order.js",)


@admin.register(Pipeline)
class PipelineAdmin(ConflictAwareAdmin):
    list_display = ("title", "code", "position", "stages_counted")
    search_fields = ("code__startswith", "title__istartswith")
    fields = ("title", "code", "position")
    inlines = (StageInline,)
    way_out = _("Show the stages")
    way_out_words = _("Delete its stages first. A stage can be deleted when it has no leads and no triggers.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pipeline]:
        return super().get_queryset(request).annotate(stages_counted=Count("stages"))

    @display(description=_("stages"), ordering="stages_counted")
    def stages_counted(self, pipeline: Any) -> int:
        return pipeline.stages_counted


@admin.register(Stage)
class StageAdmin(ConflictAwareAdmin):
    list_display = ("__str__", "title", "kind", "position")
    list_filter = ("pipeline", "kind")
    list_select_related = ("pipeline",)
    search_fields = ("code__startswith", "title__istartswith", "pipeline__code__startswith")
    search_help_text = _("Search by the beginning of the code, title or pipeline code")
    fields = ("pipeline", "code", "title", "kind", "position")
    way_out = _("Show the leads")
    way_out_words = _("First move its leads and triggers to another stage.")

    def way_out_of(self, obj: Any) -> str:
        return f"{reverse('admin:routing_lead_changelist')}?stage__id__exact={obj.pk}"

    ordering = ("pipeline__position", "pipeline", "position", "id")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Stage], search_term: str
    ) -> tuple[QuerySet[Stage], bool]:
        """Find sales/new by its whole path as well."""
        return super().get_search_results(request, queryset, search_term.replace("/", " "))


class StandingsMixin:
    """Shows where everybody stands in a registry."""

    change_form_template = "routing/registry_page.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        registry = self.get_object(request, object_id)  # type: ignore[attr-defined]
        context = (standings(registry) if registry else {}) | (extra_context or {})
        return super().change_view(request, object_id, form_url, context)  # type: ignore[misc]


def standings(registry: Registry) -> dict[str, Any]:
    """Return the standings in a registry, best first, and the last decisions that counted in it."""
    ledger = Ledger.objects.filter(pk=registry.pk).first()
    rows = ledger.standings if ledger else {}
    managers = Manager.objects.filter(pk__in=rows).select_related("user").in_bulk()
    adjusted = dict(
        Adjustment.objects.filter(registry=registry).values_list("manager").annotate(n=Sum("amount")).order_by()
    )
    latest = Decision.objects.filter(registry=registry, counted=True).select_related(*EXPLAINED).order_by("-turn")
    by_share = registry.accounting == Registry.Accounting.FAIR_SHARE
    return {
        "standings": [
            {
                "manager": managers.get(pk),
                "balance": standing.balance / LEAD,
                "received": standing.received,
                # What they got and what they are still owed is what was due to them, to the billionth: by hand and
                # credited back, both change by the same.
                "due": (standing.balance + standing.received * LEAD) / LEAD if by_share else None,
                "adjusted": adjusted.get(pk, 0) / LEAD,
                "turn": standing.last_turn,
            }
            for pk, standing in sorted(rows.items(), key=lambda row: -row[1].balance)
        ],
        "latest": explain_here(latest[:LATEST]),
    }


@admin.register(Registry)
class RegistryAdmin(StandingsMixin, ConflictAwareAdmin):
    list_display = ("title_or_code", "code", "accounting", "reset", "triggers_counted", "turn")
    list_filter = ("accounting",)
    search_fields = ("code__startswith", "title__istartswith")
    fields = ("code", "title", "accounting", "reset", "refund_missed")
    way_out = _("Show the triggers")
    way_out_words = _(
        "First give its triggers another registry. A registry that has counted leads cannot be deleted, because it proves the balances."
    )

    def way_out_of(self, obj: Any) -> str:
        return f"{reverse('admin:routing_trigger_changelist')}?registry__id__exact={obj.pk}"

    list_select_related = ("trigger", "ledger")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Registry]:
        """List and offer the named registries; a trigger's own is reached from the trigger alone."""
        rows = super().get_queryset(request).annotate(triggers_counted=Count("triggers"))
        match = request.resolver_match
        of_one = match is not None and "object_id" in match.kwargs
        return rows if of_one else rows.filter(trigger=None)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("code", "title") if obj and obj.trigger_id else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and obj.trigger_id)

    @display(description=_("title"), ordering="title")
    def title_or_code(self, registry: Registry) -> str:
        return str(registry)

    @display(description=_("triggers"), ordering="triggers_counted")
    def triggers_counted(self, registry: Any) -> int:
        return registry.triggers_counted

    @display(description=_("decisions made"), ordering="ledger__turn")
    def turn(self, registry: Any) -> int:
        return registry.ledger.turn


class MemberInline(TabularInline):
    model = Member
    form = MemberForm
    formset = MemberFormSet
    fields = ("manager", "coefficient", "share", "limit", "schedule", "position")
    readonly_fields = ("share",)
    autocomplete_fields = ("manager", "schedule")
    ordering = ("position", "id")
    ordering_field = "position"
    hide_ordering_field = True
    show_title = False  # of Unfold: the row says it already
    extra = 0
    verbose_name_plural = _("members (if none, all active managers take part)")

    class Media:
        js = ("leadrouter/order.js",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "manager":
            kwargs["queryset"] = Manager.objects.select_related("user")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        whole = Window(Sum("coefficient"), partition_by=F("trigger"))
        return super().get_queryset(request).select_related("manager__user", "schedule").annotate(whole=whole)

    @display(description=_("share"))
    def share(self, member: Any) -> str:
        """Show what the coefficient means while everybody can take leads; trigger.js keeps it right while one types."""
        whole = getattr(member, "whole", 0)
        return f"{round(100 * member.coefficient / whole, 1):g} %" if whole else "–"


@admin.register(Trigger)
class TriggerAdmin(ConflictAwareAdmin):
    form = TriggerForm
    list_display = ("code", "stage", "does", "wrong", "registry_used", "priority")
    list_filter = ("stage__pipeline", "method", ("registry", AutocompleteFilter))
    list_select_related = ("stage__pipeline", "registry")
    search_fields = ("code__startswith", "stage__code__startswith")
    autocomplete_fields = ("stage", "registry", "limit_stages", "duty")
    inlines = (MemberInline,)
    change_form_template = "routing/trigger_page.html"
    actions = ("turn_off",)
    way_out = _("Show in the list")
    way_out_words = _(
        "Use the list's action “Turn off”: the trigger no longer runs, and its decisions can still be explained."
    )

    class Media:
        js = ("leadrouter/trigger.js",)

    fieldsets = (
        (None, {"fields": ("code", "stage", "on", "priority", "online_only")}),
        (_("Who gets it"), {"fields": ("method", "registry", "limit", "limit_stages", "if_nobody", "duty")}),
        (
            _("Existing customers"),
            {
                "fields": ("responsible_check", "responsible_available", "responsible_count", "also_assign"),
                "classes": ("tab",),
            },
        ),
        (
            _("Acceptance"),
            {
                "fields": ("acceptance_minutes", "acceptance_clock", "max_attempts", "final_step", "on_pause"),
                "classes": ("tab",),
            },
        ),
        (_("Change field"), {"fields": ("set_fields",), "classes": ("tab",)}),
    )

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        querysets: dict[str, QuerySet[Any]] = {
            "registry": Registry.objects.named(),
            "duty": Manager.objects.select_related("user"),
            "stage": Stage.objects.select_related("pipeline"),
        }
        return super().formfield_for_foreignkey(db_field, request, **{"queryset": querysets[db_field.name], **kwargs})

    def way_out_of(self, obj: Any) -> str:
        return f"{reverse('admin:routing_trigger_changelist')}?q={obj.code}"

    @action(description=_("Turn off (no longer runs)"), permissions=["change"])
    def turn_off(self, request: HttpRequest, queryset: QuerySet[Trigger]) -> None:
        """Take the triggers off all events; leads that they distribute still find their way."""
        count = Trigger.objects.filter(pk__in=queryset.values("pk")).exclude(on=[]).update(on=[])
        messages.success(
            request,
            ngettext("%(count)d trigger turned off.", "%(count)d triggers turned off.", count) % {"count": count},
        )

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field, request, **{"queryset": Stage.objects.select_related("pipeline"), **kwargs}
        )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Work out for all triggers of the page what they do and what cannot work, so that columns need no queries."""
        changes = super().get_changelist_instance(request)
        current, stages, at = roster.current(), _stages(), clock.now()
        for trigger in changes.result_list:
            terms = current.triggers.get(trigger.pk)
            trigger.told = sentences.headline(_words(terms, current, stages)) if terms else ""
            trigger.faults = configuration_warnings.faults_of(terms, current, at=at) if terms else []
        return changes

    def get_urls(self) -> Any:
        wrap = self.admin_site.admin_view
        return [
            path("file/", wrap(self.configuration_file), name="configuration"),
            path("file/download/", wrap(file.download), name="configuration_download"),
            path("<int:object_id>/try/", wrap(self.try_view), name="routing_trigger_try"),
            *super().get_urls(),
        ]

    def configuration_file(self, request: HttpRequest) -> HttpResponse:
        return file.configuration_file(request, context=self.admin_site.each_context(request))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        trigger = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if trigger is not None:
            registry = trigger.registry or trigger.own_registry
            context = {"registry": registry} | standings(registry) | describe(trigger)
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def try_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show who would get a lead and why, without distributing any."""
        trigger = self.get_object(request, str(object_id))
        if trigger is None or not self.has_view_permission(request, trigger):
            raise PermissionDenied
        form = TrialForm(request.POST if request.method == "POST" else None)
        context = self.admin_site.each_context(request) | describe(trigger)
        context |= {"title": _("Try %s") % trigger, "form": form, "opts": self.opts, "original": trigger}
        if form.is_bound and form.is_valid():
            try:
                context |= retry(lambda: try_out(trigger, form.cleaned_data))
            except Busy as error:
                form.add_error(None, error.detail)
        return TemplateResponse(request, "routing/trial_page.html", context)

    @display(description=_("what it does"))
    def does(self, trigger: Any) -> str:
        return trigger.told

    @display(description=_("faults"))
    def wrong(self, trigger: Any) -> str:
        return " ".join(fault.words.removeprefix(f"{trigger.code}: ") for fault in trigger.faults)

    @display(description=_("registry"), ordering="registry__code")
    def registry_used(self, trigger: Trigger) -> str:
        return str(trigger.registry) if trigger.registry else str(_("its own"))


def _stages() -> dict[int, Stage]:
    return {stage.pk: stage for stage in Stage.objects.select_related("pipeline")}


def _words(trigger: roster.TriggerTerms, current: roster.Roster, stages: dict[int, Stage]) -> sentences.TriggerFacts:
    """Return the trigger as sentences need it, its stage named with its pipeline."""
    stage = stages[trigger.stage]
    return replace(
        trigger_facts(trigger, current, stages), stage=f"{stage.pipeline.title}: {stage.title or stage.code}"
    )


def describe(trigger: Trigger) -> dict[str, Any]:
    """Return the trigger in sentences, and what in it cannot work."""
    current = roster.current()
    terms = current.triggers.get(trigger.pk)
    if terms is None:
        return {}
    words = _words(terms, current, _stages())
    return {
        "headline": sentences.headline(words),
        "details": sentences.details(words),
        "faults": configuration_warnings.faults_of(terms, current, at=clock.now()),
    }


def try_out(trigger: Trigger, sample: dict[str, Any]) -> dict[str, Any]:
    """Return what the trigger would do with the sample, and which other trigger would come before it.

    Raises ConfigurationChanged when the configuration changes meanwhile.
    """
    current = roster.current()
    terms, at = current.triggers[trigger.pk], sample["at"] or clock.now()
    facts = dry_run.facts_of(sample)
    runs = (current.rule_for(trigger.stage_id, event, facts) for event in terms.on)
    first = {found.code for found in runs if found}
    return {
        "outcome": dry_run.try_on(terms, current, sample, at=at),
        "other": ", ".join(sorted(first - {trigger.code})),
    }


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    """Who takes part where, across triggers; it is changed on the trigger's page."""

    list_display = ("manager", "trigger", "coefficient", "limit", "schedule")
    list_select_related = ("manager__user", "trigger", "schedule")
    list_filter = (("manager", AutocompleteFilter), ("trigger", AutocompleteFilter))
