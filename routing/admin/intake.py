"""Where leads come from: sources, keys, and the journal of what could not become a lead."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from accounts.admin_theme import ModelAdmin, UncountedPaginator, action, display
from accounts.history.conflict_aware_admin import ConflictAwareAdmin
from accounts.models import Account
from accounts.people.roles import editable_users, may_edit_user
from accounts.security import letters
from accounts.security.presence import ask_for_proof
from accounts.time import clock

from ..exceptions import Refused
from ..forms import ApiKeyForm, SourceForm, TakeAgainForm
from ..models import ApiKey, Placeholder, RefusedIntake, Source
from ..services.intake import take_lead


@admin.register(Source)
class SourceAdmin(ConflictAwareAdmin):
    form = SourceForm
    list_display = ("title", "code", "channel", "active", "country")
    list_filter = ("channel", "active")
    search_fields = ("code__startswith", "title__istartswith")
    fields = ("title", "code", "channel", "active", "country", "double_click", "known")
    way_out = pgettext_lazy("verb", "Deactivate")
    way_out_words = _("Untick “active” instead: its leads are refused from then on, and those that came are kept.")


@admin.register(Placeholder)
class PlaceholderAdmin(ConflictAwareAdmin):
    list_display = ("value", "kind", "identifies")
    list_filter = ("kind", "identifies")
    search_fields = ("value__istartswith",)
    search_help_text = _("Search by the beginning of the value")
    fields = ("kind", "value", "identifies")


@admin.register(ApiKey)
class ApiKeyAdmin(ConflictAwareAdmin):
    """A key is seen once, by whoever makes it; afterwards there is only its beginning to know it by."""

    form = ApiKeyForm
    list_display = ("name", "beginning", "source", "user", "scope_names", "expires_at", "revoked_at", "last_used_at")
    list_filter = ("source", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("source", "user")
    search_fields = ("name__istartswith", "prefix__startswith")
    autocomplete_fields = ("source", "user")
    fields = ("name", "source", "user", "scopes", "requests_per_minute", "expires_at")
    actions = ("revoke",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("source", "user", "created_at", "last_used_at", "revoked_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fields, "created_at", "last_used_at", "revoked_at") if obj else self.fields

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "user":
            # A key does what its user may do: nobody makes one for a user above them.
            kwargs["queryset"] = editable_users(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        owner = obj.user if isinstance(obj, ApiKey) else None
        return may and (owner is None or owner == request.user or may_edit_user(request.user, owner))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # revoked keys stay: the journal and the log name them

    def lookup_allowed(self, lookup: str, value: Any, request: Any = None) -> bool:
        return not lookup.startswith("digest") and super().lookup_allowed(lookup, value, request)

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Ask who makes a key, or changes what it may do, whether it is them."""
        makes = object_id is None and self.has_add_permission(request)
        asks = makes or (request.method == "POST" and self.has_change_permission(request))
        return (asks and ask_for_proof(request)) or super().changeform_view(request, object_id, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        self._save(request, obj, form, change)
        if ApiKey.Scope.MANAGE in obj.scopes and (not change or "scopes" in form.changed_data):
            for user in dict.fromkeys(filter(None, (obj.user, request.user))):
                letters.tell(user, letters.LetterKind.KEY, at=clock.now(), by=request.user, detail=str(obj))

    def _save(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        key = obj.renew()
        obj.save()
        messages.warning(
            request,
            format_html(_now("Copy this key now. It will not be shown again: {}"), format_html("<code>{}</code>", key)),
        )

    @display(description=_("begins with"))
    def beginning(self, key: ApiKey) -> str:
        return f"lr_{key.prefix}_…"

    @display(description=_("scopes"))
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @action(description=_("Revoke (the key stops working at once)"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        mine = [key.pk for key in queryset.select_related("user") if self.has_change_permission(request, key)]
        revoked = ApiKey.objects.filter(pk__in=mine, revoked_at=None).update(revoked_at=clock.now())
        messages.success(
            request, ngettext("%(count)d key revoked.", "%(count)d keys revoked.", revoked) % {"count": revoked}
        )


@admin.register(RefusedIntake)
class RefusedIntakeAdmin(ModelAdmin):
    list_display = ("at", "code", "detail", "source", "key", "size", "settled")
    list_filter = (("settled_at", admin.EmptyFieldListFilter), "code", "source")
    list_select_related = ("source", "key")
    paginator = UncountedPaginator
    ordering = ("-at", "-pk")
    fields = readonly_fields = (
        "at",
        "code",
        "source",
        "key",
        "content_type",
        "size",
        "settled_at",
        "faults",
        "body_shown",
    )
    change_form_template = "routing/refused_page.html"
    actions = ("settle",)
    warn_unsaved_form = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefusedIntake]:
        rows = super().get_queryset(request)
        return rows if request.resolver_match and "object_id" in request.resolver_match.kwargs else rows.defer("body")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        nothing_to_save = {"show_save": False, "show_save_and_continue": False, "show_save_and_add_another": False}
        return super().change_view(request, object_id, form_url, nothing_to_save | (extra_context or {}))

    @display(description=_("problem"))
    def detail(self, refused: RefusedIntake) -> str:
        return str(problem_of(refused).get("detail", ""))[:120]

    @display(description=_("settled"), boolean=True)
    def settled(self, refused: RefusedIntake) -> bool:
        return refused.settled_at is not None

    @display(description=_("problem"))
    def faults(self, refused: RefusedIntake) -> str:
        errors = problem_of(refused).get("errors")
        lines = [f"{e.get('pointer', '')}: {e.get('detail', '')}" for e in errors or [] if isinstance(e, dict)]
        return "\n".join([str(problem_of(refused).get("detail", "")), *lines])

    @display(description=_("body"))
    def body_shown(self, refused: RefusedIntake) -> str:
        return refused.text

    @action(description=_("Mark as settled (nothing more to do)"), permissions=["change"])
    def settle(self, request: HttpRequest, queryset: QuerySet[RefusedIntake]) -> None:
        settled = queryset.filter(settled_at=None).update(settled_at=clock.now())
        messages.success(
            request, ngettext("%(count)d entry settled.", "%(count)d entries settled.", settled) % {"count": settled}
        )

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.take_again)
        return [path("<int:object_id>/take/", view, name="routing_refusedintake_take"), *super().get_urls()]

    def take_again(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Let a supervisor mend the body, and take the lead as if it had just come in from its source."""
        refused = self.get_object(request, str(object_id))
        if refused is None or not self.has_change_permission(request, refused):
            raise PermissionDenied
        at = clock.now()
        data = request.POST if request.method == "POST" else None
        form = TakeAgainForm(data, initial={"body": refused.text}, at=at, zone=ZoneInfo(Account.get().time_zone))
        if data is not None and form.is_valid():
            try:
                taken = take_lead(form.lead, source_id=refused.source_id, at=at)
            except Refused as error:
                form.add_error("body", [f"{e['pointer']}: {e['detail']}" for e in error.errors] or error.detail)
            else:
                RefusedIntake.objects.filter(pk=refused.pk, settled_at=None).update(settled_at=at)
                messages.success(request, _now("The lead was created.") if taken.created else taken.words)
                return redirect(reverse("admin:routing_lead_change", args=[taken.lead_id]))
        context = self.admin_site.each_context(request) | {
            "title": _("Take in again"),
            "form": form,
            "opts": self.opts,
            "original": refused,
            "verb": _("Create the lead"),
            "cut": refused.size > len(refused.body),
            "faults": self.faults(refused),
            "back": reverse("admin:routing_refusedintake_changelist"),
        }
        return TemplateResponse(request, "routing/action_page.html", context)


def problem_of(refused: RefusedIntake) -> dict[str, Any]:
    return refused.problem if isinstance(refused.problem, dict) else {}
