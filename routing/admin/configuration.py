"""Pipelines, registries and triggers: how leads are distributed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy as _

from accounts.careful_admin import CarefulAdmin
from accounts.models import Manager
from leadrouter.admin_theme import AutocompleteFilter, ReadOnlyAdmin, TabularInline, display

from ..engine.values import LEAD
from ..forms import MemberForm, MemberFormSet, TriggerForm
from ..models import Ledger, Member, Pipeline, Registry, Stage, Trigger
from . import file


class StageInline(TabularInline):
    model = Stage
    fields = ("position", "code", "title", "kind")
    ordering = ("position", "id")
    ordering_field = "position"  # of Unfold: rows are dragged
    hide_ordering_field = True
    hide_title = True  # of Unfold: the row says it already
    extra = 0
    show_change_link = True


@admin.register(Pipeline)
class PipelineAdmin(CarefulAdmin):
    list_display = ("title", "code", "position", "stages_counted")
    search_fields = ("code__startswith", "title__istartswith")
    fields = ("title", "code", "position")
    inlines = (StageInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pipeline]:
        return super().get_queryset(request).annotate(stages_counted=Count("stages"))

    @display(description=_("stages"), ordering="stages_counted")
    def stages_counted(self, pipeline: Any) -> int:
        return pipeline.stages_counted


@admin.register(Stage)
class StageAdmin(CarefulAdmin):
    list_display = ("__str__", "title", "kind", "position")
    list_filter = ("pipeline", "kind")
    list_select_related = ("pipeline",)
    search_fields = ("code__startswith", "title__istartswith", "pipeline__code__startswith")
    search_help_text = _("Start of the code or the title, or of the pipeline's code")
    fields = ("pipeline", "code", "title", "kind", "position")
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
        context = {"standings": standings(registry.pk) if registry else []} | (extra_context or {})
        return super().change_view(request, object_id, form_url, context)  # type: ignore[misc]


def standings(registry_id: int) -> list[dict[str, Any]]:
    """Return who stands where in a registry, best first."""
    ledger = Ledger.objects.filter(pk=registry_id).first()
    rows = ledger.standings if ledger else {}
    managers = Manager.objects.filter(pk__in=rows).select_related("user").in_bulk()
    return [
        {
            "manager": managers.get(pk),
            "balance": standing.balance / LEAD,
            "received": standing.received,
            "turn": standing.last_turn,
        }
        for pk, standing in sorted(rows.items(), key=lambda row: -row[1].balance)
    ]


@admin.register(Registry)
class RegistryAdmin(StandingsMixin, CarefulAdmin):
    list_display = ("title_or_code", "code", "accounting", "reset", "triggers_counted", "turn")
    list_filter = ("accounting",)
    search_fields = ("code__startswith", "title__istartswith")
    fields = ("code", "title", "accounting", "reset", "refund_missed")
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
    fields = ("manager", "coefficient", "limit", "schedule", "position")
    autocomplete_fields = ("manager", "schedule")
    ordering = ("position", "id")
    ordering_field = "position"
    hide_ordering_field = True
    hide_title = True  # of Unfold: the row says it already
    extra = 0
    verbose_name_plural = _("members; with none, all active managers take part")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "manager":
            kwargs["queryset"] = Manager.objects.select_related("user")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        return super().get_queryset(request).select_related("manager__user", "schedule")


@admin.register(Trigger)
class TriggerAdmin(CarefulAdmin):
    form = TriggerForm
    list_display = (
        "code",
        "stage",
        "events",
        "method",
        "registry_used",
        "priority",
        "members_counted",
        "acceptance_minutes",
    )
    list_filter = ("stage__pipeline", "method", ("registry", AutocompleteFilter))
    list_select_related = ("stage__pipeline", "registry")
    search_fields = ("code__startswith", "stage__code__startswith")
    autocomplete_fields = ("stage", "registry", "limit_stages", "duty")
    inlines = (MemberInline,)
    change_form_template = "routing/trigger_page.html"
    fieldsets = (
        (None, {"fields": ("code", "stage", "on", "priority", "online_only")}),
        (_("Who gets it"), {"fields": ("method", "registry", "limit", "limit_stages", "if_nobody", "duty")}),
        (
            _("Old customers"),
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

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(
            db_field, request, **{"queryset": Stage.objects.select_related("pipeline"), **kwargs}
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Trigger]:
        return super().get_queryset(request).annotate(members_counted=Count("members"))

    def get_urls(self) -> Any:
        wrap = self.admin_site.admin_view
        return [
            path("file/", wrap(self.configuration_file), name="configuration"),
            path("file/download/", wrap(file.download), name="configuration_download"),
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
            context = {"registry": registry, "standings": standings(registry.pk)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    @display(description=_("on"))
    def events(self, trigger: Trigger) -> str:
        return ", ".join(trigger.on)

    @display(description=_("registry"), ordering="registry__code")
    def registry_used(self, trigger: Trigger) -> str:
        return str(trigger.registry) if trigger.registry else str(_("its own"))

    @display(description=_("members"), ordering="members_counted")
    def members_counted(self, trigger: Any) -> Any:
        return trigger.members_counted or _("all")


@admin.register(Member)
class MemberAdmin(ReadOnlyAdmin):
    """Who takes part where, across triggers; it is changed on the trigger's page."""

    list_display = ("manager", "trigger", "coefficient", "limit", "schedule")
    list_select_related = ("manager__user", "trigger", "schedule")
    list_filter = (("manager", AutocompleteFilter), ("trigger", AutocompleteFilter))
