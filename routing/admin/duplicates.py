"""Possible duplicates of people: both side by side, merged, undone, or told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST

from accounts.admin_theme import display
from accounts.models import User
from accounts.time import clock

from ..exceptions import Refused
from ..models import Contact, ContactPoint, Lead, Merge, PossibleDuplicate
from ..services.merging import dismiss_duplicate, merge_contacts, undo_merge
from .records import BigReadOnlyAdmin

MOST_LEADS = 20
REASONS = {
    "same_name": _("same name"),
    "similar_name": _("similar name"),
    "same_postal_code": _("same postal code"),
    "similar_postal_code": _("similar postal code"),
    "same_birth_date": _("same date of birth"),
    "similar_birth_date": _("similar date of birth"),
    "similar_address": _("same or similar address"),
    "same_company": _("same company"),
    "similar_company": _("similar company"),
    "same_mailbox": _("same mailbox with another provider"),
    "similar_mailbox": _("similar e-mail address"),
    "shared_phone": _("shared phone"),
    "shared_email": _("shared e-mail"),
    "shared_chat": _("shared chat"),
}


class Side(NamedTuple):
    """One line of the comparison."""

    label: Any
    left: list[str]
    right: list[str]

    @property
    def differs(self) -> bool:
        return {text.casefold() for text in self.left} != {text.casefold() for text in self.right}


@admin.register(PossibleDuplicate)
class PossibleDuplicateAdmin(BigReadOnlyAdmin):
    list_display = ("pair", "why", "found_at")
    list_display_links = ("pair",)
    list_select_related = ("one", "other")
    fields = ("why", "found_at")
    change_form_template = "routing/duplicate_page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PossibleDuplicate]:
        return super().get_queryset(request).filter(dismissed_at=None)

    def get_urls(self) -> Any:
        inside = self.admin_site.admin_view
        return [
            path("<int:object_id>/merge/", inside(require_POST(self.merge)), name="routing_possibleduplicate_merge"),
            path(
                "<int:object_id>/dismiss/", inside(require_POST(self.dismiss)), name="routing_possibleduplicate_dismiss"
            ),
            *super().get_urls(),
        ]

    @display(description=_("contacts"))
    def pair(self, pair: PossibleDuplicate) -> str:
        return str(pair)

    @display(description=_("reasons"))
    def why(self, pair: PossibleDuplicate) -> str:
        return ", ".join(str(REASONS.get(reason, reason)) for reason in pair.reasons)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        pair = self.get_object(request, object_id)
        context = _comparison(pair) | {"may_merge": _may(request)} if pair else {}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def merge(self, request: HttpRequest, object_id: int) -> HttpResponse:
        by = _who_may(request)
        pair = get_object_or_404(PossibleDuplicate.objects.open(), pk=object_id)
        kept, merged = (pair.one, pair.other) if request.POST.get("kept") == "left" else (pair.other, pair.one)
        try:
            done = merge_contacts(kept.pk, merged.pk, at=clock.now(), by=by)
        except Refused as error:
            messages.error(request, error.detail)
            return redirect("admin:routing_possibleduplicate_change", object_id)
        self.log_change(request, kept, [{"added": {"name": str(_("merge")), "object": str(merged)}}])
        messages.success(request, _("The contacts are merged. You can undo this within 30 days."))
        return redirect("admin:routing_merge_change", done.pk)

    def dismiss(self, request: HttpRequest, object_id: int) -> HttpResponse:
        by = _who_may(request)
        try:
            dismiss_duplicate(object_id, at=clock.now(), by=by)
        except Refused as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, _("They are two persons, and are not proposed again."))
        return redirect("admin:routing_possibleduplicate_changelist")


@admin.register(Merge)
class MergeAdmin(BigReadOnlyAdmin):
    list_display = ("at", "holder", "gone", "by", "undone_at")
    list_select_related = ("holder", "by")
    fields = ("holder", "gone", "at", "by", "undone_at", "undone_by")
    change_form_template = "routing/merge_page.html"
    ordering = ("-at",)

    def get_urls(self) -> Any:
        undo = self.admin_site.admin_view(require_POST(self.undo))
        return [path("<uuid:merge_id>/undo/", undo, name="routing_merge_undo"), *super().get_urls()]

    @display(description=_("merged into it"))
    def gone(self, merge: Merge) -> str:
        return str(merge.moved.get("contact", {}).get("name") or merge.merged)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        merge = self.get_object(request, object_id)
        may_undo = bool(merge and merge.may_be_undone(at=clock.now()) and _may(request))
        return super().change_view(request, object_id, form_url, {"may_undo": may_undo} | (extra_context or {}))

    def undo(self, request: HttpRequest, merge_id: UUID) -> HttpResponse:
        by = _who_may(request)
        merge = get_object_or_404(Merge, pk=merge_id)
        try:
            undo_merge(merge_id, at=clock.now(), by=by)
        except Refused as error:
            messages.error(request, error.detail)
        else:
            self.log_change(request, merge.holder, [{"added": {"name": str(_("merge undone")), "object": str(merge)}}])
            messages.success(request, _("The merge is undone: there are two contacts again."))
        return redirect("admin:routing_merge_change", merge_id)


def _may(request: HttpRequest) -> bool:
    return request.user.has_perm("routing.merge_contact")


def _who_may(request: HttpRequest) -> User:
    """Return the user. Raises PermissionDenied unless they may merge contacts."""
    if not isinstance(request.user, User) or not _may(request):
        raise PermissionDenied
    return request.user


def _comparison(pair: PossibleDuplicate) -> dict[str, Any]:
    """Return what the page shows of both, what differs, and their leads."""
    contacts = Contact.objects.select_related("company", "responsible__user").in_bulk([pair.one_id, pair.other_id])
    left, right = contacts[pair.one_id], contacts[pair.other_id]
    points = {contact.pk: list(contact.points.best_first()) for contact in (left, right)}
    leads = {
        contact.pk: list(
            Lead.objects.filter(contact=contact)
            .select_related("stage__pipeline", "responsible__user")
            .order_by("-pk")[:MOST_LEADS]
        )
        for contact in (left, right)
    }

    def side(label: Any, texts: Callable[[Contact], Iterable[Any]]) -> Side:
        return Side(
            label, *([str(text) for text in dict.fromkeys(texts(contact)) if text] for contact in (left, right))
        )

    def of_kind(kind: str) -> Callable[[Contact], Iterable[Any]]:
        return lambda contact: [point.written for point in points[contact.pk] if point.kind == kind]

    def of_leads(name: str) -> Callable[[Contact], Iterable[Any]]:
        return lambda contact: [getattr(lead, name) for lead in leads[contact.pk]]

    sides = [
        side(_("name"), lambda contact: [contact.name]),
        side(_("phone"), of_kind(ContactPoint.Kind.PHONE)),
        side(_("e-mail"), of_kind(ContactPoint.Kind.EMAIL)),
        side(pgettext_lazy("contact point", "chat"), of_kind(ContactPoint.Kind.CHAT)),
        side(_("company"), lambda contact: [contact.company]),
        side(_("responsible"), lambda contact: [contact.responsible]),
        side(_("Postal code"), of_leads("postal_code")),
        side(_("Region"), of_leads("region")),
        side(_("Fields"), lambda contact: _fields(leads[contact.pk])),
    ]
    return {
        "left": left,
        "right": right,
        "sides": [each for each in sides if each.left or each.right],
        "leads": [leads[left.pk], leads[right.pk]],
        "reasons": [REASONS.get(reason, reason) for reason in pair.reasons],
        "title": _now("Is this one person?"),
    }


def _fields(leads: Iterable[Lead]) -> list[str]:
    """Return the custom fields of leads as lines."""
    return [
        f"{key}: {value}"
        for lead in leads
        for key, value in lead.fields.items()
        if isinstance(value, str | int | float)
    ]
