"""Contacts, companies and tasks; and pauses, because who pauses gives back leads on offer."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.admin_theme import AutocompleteFilter, ModelAdmin, TabularInline, UncountedPaginator, action, display
from accounts.forms import PauseForm
from accounts.models import Manager, Pause, User
from accounts.services import pause_manager, resume_manager
from accounts.time import clock

from ..exceptions import Conflict
from ..forms import CompanyForm, ContactForm, ErasureForm, PointForm, PointFormSet
from ..intake import identity
from ..models import Company, Contact, ContactPoint, PossibleDuplicate, Task
from ..personal_data.people import person_of
from ..personal_data.rights import erase_person, export_person
from ..roster import current
from ..services.contact_points import Read, show_points, write_point
from ..services.merging import successor
from ..tasks import give_back_soon, hurry
from ..timelines import successions
from .search import MOST_FOUND, contacts_found


def managers() -> QuerySet[Manager]:
    return Manager.objects.select_related("user")


class PointInline(TabularInline):
    """A contact's phones, e-mails and chats: who may change the contact may change them."""

    model = ContactPoint
    form = PointForm
    formset = PointFormSet
    fields = ("kind", "text", "main", "note", "source", "first_seen_at")
    readonly_fields = ("note", "source", "first_seen_at")
    extra = 0
    show_title = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactPoint]:
        return super().get_queryset(request).best_first().select_related("source")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("routing.change_contact")

    has_change_permission = has_delete_permission = has_add_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("routing.view_contact")

    @display(description=_("note"))
    def note(self, point: ContactPoint) -> str:
        if point.shared:
            owner = (
                ContactPoint.objects.filter(kind=point.kind, key=point.key, shared=False)
                .select_related("contact")
                .first()
            )
            return _now("Shared with %(name)s") % {"name": owner.contact} if owner else _now("Identifies nobody")
        return _now("Unreadable") if point.pk and point.key is None else ""


class PartyAdmin(ModelAdmin):
    """A contact or company: its page tells who was responsible for it."""

    change_form_template = "routing/party_page.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        party = self.get_object(request, object_id)
        context = {"successions": successions(party.pk, current()) if party else []}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))


@admin.register(Contact)
class ContactAdmin(PartyAdmin):
    form = ContactForm
    list_display = ("__str__", "email", "phone", "company", "responsible", "created_at")
    list_filter = (("responsible", AutocompleteFilter),)
    list_select_related = ("company", "responsible__user")
    search_fields = ("name",)  # see get_search_results
    search_help_text = _("Search by name, e-mail, e-mail domain, phone number or beginning of the chat handle")
    autocomplete_fields = ("company",)
    fields = ("name", "company", "responsible", "created_at")
    inlines = (PointInline,)
    readonly_fields = ("responsible", "created_at")
    paginator = UncountedPaginator
    ordering = ("-pk",)
    actions = ("export_person", "erase")
    way_out = _("Show the contact")
    way_out_words = _(
        "Leads refer to this person. Use the list's action “Erase all data about this person”: it empties everything that "
        "names them, and keeps the leads and their counts."
    )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        contact = self.get_object(request, object_id)
        found = {
            "merges": contact.merges.select_related("by") if contact else (),
            "pairs": PossibleDuplicate.objects.open().of(contact).select_related("one", "other") if contact else (),
        }
        return super().change_view(request, object_id, form_url, found | (extra_context or {}))

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Lead from a contact that was merged into another to that one."""
        with suppress(ValueError):
            other = successor(UUID(object_id))
            if other:
                messages.info(request, _("The contact was merged into this one."))
                return redirect("admin:routing_contact_change", other)
        return super()._get_obj_does_not_exist_redirect(request, opts, object_id)

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("routing.erase_person"))

    @action(description=_("Export all data about this person"), permissions=["erase"])
    def export_person(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse:
        document = export_person(person_of(queryset), at=clock.now(), by=cast(User, request.user))
        answer = JsonResponse(document, json_dumps_params={"ensure_ascii": False, "indent": 2})
        answer.headers["Content-Disposition"] = 'attachment; filename="person.json"'
        return answer

    @action(description=_("Erase all data about this person"), permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse | None:
        """Erase after a page that says what goes and what stays."""
        person = person_of(queryset)
        form = ErasureForm(request.POST if "confirm" in request.POST else None)
        if form.is_bound and form.is_valid():
            erase_person(person, at=clock.now(), by=cast(User, request.user))
            messages.success(request, _("The data about this person has been erased."))
            return None
        context = self.admin_site.each_context(request) | {
            "title": _("Erase all data about this person"),
            "contacts": queryset,
            "leads_counted": len(person.leads),
            "form": form,
            "opts": self.opts,
            "back": reverse("admin:routing_contact_changelist"),
        }
        return TemplateResponse(request, "routing/erase_page.html", context)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Write what was removed first, then what is no longer the main one: a key, and the first place, are one's."""
        formset.save(commit=False)
        for point in formset.deleted_objects:
            point.delete()
        written = [*formset.new_objects, *(point for point, _fields in formset.changed_objects)]
        forms = [each for each in formset.forms if any(each.instance is point for point in written)]
        at = clock.now()
        for each in sorted(forms, key=lambda form: form.instance.main):
            point = each.instance
            point.first_seen_at = point.first_seen_at or at
            try:
                write_point(point, each.read or Read(point.text, point.extension, point.key, point.shared))
            except Conflict as conflict:  # just now
                messages.error(request, f"{point.text}: {conflict.detail}")
        show_points(form.instance.pk)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        return queryset.filter(pk__in=contacts_found(search_term)) if search_term.strip() else queryset, False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = clock.now()
        super().save_model(request, obj, form, change)


@admin.register(Company)
class CompanyAdmin(PartyAdmin):
    form = CompanyForm
    list_display = ("__str__", "domain", "responsible", "created_at")
    list_filter = (("responsible", AutocompleteFilter),)
    list_select_related = ("responsible__user",)
    search_fields = ("domain_key__startswith", "name_key__startswith")
    search_help_text = _("Search by the beginning of the domain or name")
    fields = ("name", "domain", "responsible", "created_at")
    way_out = _("Rename")
    way_out_words = _("Leads and contacts refer to this company. Rename it, or give its contacts another company.")
    readonly_fields = ("responsible", "created_at")
    paginator = UncountedPaginator
    ordering = ("-pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Company], search_term: str
    ) -> tuple[QuerySet[Company], bool]:
        """Look for names as they are compared."""
        if not search_term.strip():
            return queryset, False
        found = set(
            Company.objects.filter(domain_key__startswith=search_term.strip().lower()).values_list("pk", flat=True)[
                :MOST_FOUND
            ]
        )
        name = identity.normalise_name(search_term)
        if name:
            found |= set(Company.objects.filter(name_key__startswith=name).values_list("pk", flat=True)[:MOST_FOUND])
        return queryset.filter(pk__in=found), False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            obj.created_at = clock.now()
        super().save_model(request, obj, form, change)


@admin.register(Task)
class TaskAdmin(ModelAdmin):
    list_display = ("title", "lead", "responsible", "due_at", "done_at")
    list_filter = (("done_at", admin.EmptyFieldListFilter), ("responsible", AutocompleteFilter))
    list_select_related = ("lead__contact", "lead__company", "responsible__user")
    autocomplete_fields = ("lead", "responsible")
    fields = ("lead", "title", "responsible", "due_at", "done_at")
    paginator = UncountedPaginator
    ordering = ("-pk",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "responsible":
            kwargs["queryset"] = managers()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Pause)
class PauseAdmin(ModelAdmin):
    """A pause is added, ends or is ended; it is never rewritten."""

    list_display = ("manager", "started_at", "ends_at", "ended_at", "reason", "by")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), ("manager", AutocompleteFilter))
    list_select_related = ("manager__user", "by")
    autocomplete_fields = ("manager",)
    fields = ("manager", "started_at", "ends_at", "ended_at", "reason", "by")
    actions = ("resume",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ("manager", "minutes", "reason")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = PauseForm
        return super().get_form(request, obj, change, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "manager":
            kwargs["queryset"] = managers()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        at = clock.now()
        minutes, reason = form.cleaned_data["minutes"], obj.reason
        pause = pause_manager(obj.manager, at=at, minutes=minutes, reason=reason, by=request.user)  # type: ignore[arg-type]
        obj.pk = pause.pk
        obj.refresh_from_db()
        request.paused = (obj.manager_id, at)  # type: ignore[attr-defined]

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Give back the leads on offer once the pause is written: distributing them is a transaction of its own."""
        response = super().changeform_view(request, *args, **kwargs)
        if hasattr(request, "paused"):
            manager_id, at = request.paused
            given_back = give_back_soon(manager_id, at=at)
            if given_back:
                sentence = ngettext(
                    "%(count)d open offer was redistributed.", "%(count)d open offers were redistributed.", given_back
                )
                messages.info(request, sentence % {"count": given_back})
        return response

    @action(description=_("Resume (end the pause)"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        at = clock.now()
        resumed = sum(
            resume_manager(pause.manager, at=at) for pause in queryset.filter(ended_at=None).select_related("manager")
        )
        hurry()
        messages.success(
            request, ngettext("%(count)d manager resumed.", "%(count)d managers resumed.", resumed) % {"count": resumed}
        )
