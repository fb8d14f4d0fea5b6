"""Leads: search, page, actions. A service makes every change of who has a lead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, re_path, reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_POST

from accounts.admin_theme import AutocompleteFilter, DaysFilter, ModelAdmin, UncountedPaginator, action, display
from accounts.models import Account, User
from accounts.time import clock

from ..exceptions import Refused
from ..forms import (
    ActionForm,
    CreditBackForm,
    DeclineUnqualifiedForm,
    LeadForm,
    MoveForm,
    QualifyForm,
    ReassignForm,
)
from ..intake.fields import LEAD
from ..intake.kinds import JsonObject, LongText, Tags
from ..models import Decision, ImportRow, Lead, LeadImport, Stage, UnqualifiedLead
from ..representations import names_of, points_of
from ..roster import current
from ..screens.who import matched_words, reaches, sent_beside, with_extension
from ..services.assignment import credit_back, reassign
from ..services.stages import move_lead, qualify_lead
from ..timelines import EXPLAINED, DecisionInWords, timeline, why_not
from .exports import export_leads
from .records import explain_here
from .search import people_found

ORIGIN = [field.name for field in LEAD if field.origin]
DETAILS = [field for field in LEAD if not field.origin and field.name != "name"]
LONG = [field.name for field in DETAILS if isinstance(field.kind, Tags | JsonObject | LongText)]
SHORT = [field.name for field in DETAILS if field.name not in LONG]  # two in a row
MOST_AT_ONCE = 500  # leads of one action: each is a transaction, and somebody waits
MOST_SHOWN = 100  # decisions, offers or events on a lead's page


@dataclass(frozen=True, kw_only=True)
class LeadAction:
    """Something a supervisor does to leads: a form to fill in, and a service for each lead."""

    title: Any
    verb: Any
    form: type[ActionForm]
    run: Callable[[UUID, dict[str, Any], datetime, User], object]
    done: Any  # with %(count)d
    unqualified: bool = False  # for leads of the Unqualified section, and who sees it


ACTIONS: dict[str, LeadAction] = {
    "reassign": LeadAction(
        title=_("Reassign"),
        verb=_("Reassign"),
        form=ReassignForm,
        run=lambda lead, asked, at, by: reassign(
            lead, asked["manager"].pk, at=at, by=by, **{key: asked[key] for key in ("count", "also", "reason")}
        ),
        done=_("Reassigned: %(count)d."),
    ),
    "move": LeadAction(
        title=_("Move to another stage"),
        verb=_("Move"),
        form=MoveForm,
        run=lambda lead, asked, at, by: move_lead(lead, asked["stage"].pk, at=at, by=by, reason=asked["reason"]),
        done=_("Moved: %(count)d."),
    ),
    "credit-back": LeadAction(
        title=_("Credit back (the responsible manager gets the turn back)"),
        verb=_("Credit back"),
        form=CreditBackForm,
        run=lambda lead, asked, at, by: credit_back(lead, at=at, by=by, reason=asked["reason"]),
        done=_("Credited back: %(count)d."),
    ),
    "accept": LeadAction(
        title=_("Accept (choose a stage)"),
        verb=pgettext_lazy("unqualified lead", "Accept"),
        form=QualifyForm,
        run=lambda lead, asked, at, by: qualify_lead(
            lead, asked["stage"].pk, manager_id=asked["manager"] and asked["manager"].pk, at=at, by=by
        ),
        done=_("Accepted: %(count)d."),
        unqualified=True,
    ),
    "decline": LeadAction(
        title=_("Decline (this is not a lead)"),
        verb=pgettext_lazy("unqualified lead", "Decline"),
        form=DeclineUnqualifiedForm,
        run=lambda lead, asked, at, by: move_lead(lead, asked["stage"].pk, at=at, by=by, reason=asked["reason"]),
        done=_("Declined: %(count)d."),
        unqualified=True,
    ),
}


def sees_unqualified(request: HttpRequest) -> bool:
    """Tell whether there is an Unqualified section, and the user may see it."""
    zones = getattr(request, "zones", None)  # read along with them on every page
    there = zones.unqualified if zones else Account.get().unqualified
    return request.user.has_perm("routing.view_unqualified") and there


class ImportFilter(admin.SimpleListFilter):
    """The new leads of one import: chosen by the link on its page."""

    title = _("import")
    parameter_name = "import"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        asked = str(self.used_parameters.get(self.parameter_name) or "")
        chosen = LeadImport.objects.filter(pk=int(asked)) if asked.isdecimal() and len(asked) < 19 else ()
        return [(str(batch.pk), str(batch)) for batch in chosen]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Lead]) -> QuerySet[Lead]:
        value = self.value()
        if value is None:
            return queryset
        rows = ImportRow.objects.filter(batch_id=int(value), outcome=ImportRow.Outcome.CREATED)
        return queryset.filter(pk__in=rows.values("lead"))


@admin.register(Lead)
class LeadAdmin(ModelAdmin):
    form = LeadForm
    list_display: tuple[Any, ...] = ("__str__", "state_badge", "source", "stage", "responsible", "score", "created_at")
    list_filter: tuple[Any, ...] = (
        "created_at",
        ("created_at", DaysFilter),
        "state",
        "source",
        ("stage__pipeline", AutocompleteFilter),
        ("stage", AutocompleteFilter),
        ("responsible", AutocompleteFilter),
        "arrived_unqualified",
        ImportFilter,
    )
    list_select_related = ("contact", "company", "source", "stage__pipeline", "responsible__user")
    search_fields = ("pk",)  # see get_search_results
    search_help_text = _(
        "Search by name; the contact's e-mail, e-mail domain, phone number or beginning of the "
        "chat handle; the beginning of the company's domain; or the whole id or external id"
    )
    paginator = UncountedPaginator
    ordering = ("-created_at", "-pk")
    sortable_by = ("score", "created_at")
    change_form_template = "routing/lead_page.html"
    change_list_template = "routing/lead_list.html"
    actions: tuple[Any, ...] = ("reassign_selected", "move_selected", "credit_back_selected")
    readonly_fields = (
        "id", "state", "stage", "responsible", "source", "score", "contact", "company", "created_at", "arrived_unqualified",
        "trigger", "round", "attempt", *ORIGIN,
    )  # fmt: skip
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("name", "state"),
                    ("stage", "responsible"),
                    ("contact", "company"),
                    ("source", "score"),
                    "created_at",
                )
            },
        ),
        (
            _("Details"),
            {
                "fields": (*(tuple(SHORT[n : n + 2]) for n in range(0, len(SHORT), 2)), *LONG),
                "classes": ("tab",),
            },
        ),
        (
            _("Origin"),
            {
                "fields": ("id", *ORIGIN, "arrived_unqualified", "trigger", "round", "attempt"),
                "classes": ("tab",),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # a lead comes in by a source, so that it is deduplicated and distributed

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # decisions, turns and balances refer to it

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Lead], search_term: str
    ) -> tuple[QuerySet[Lead], bool]:
        """Find people first, each by an index, then their leads."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q()
        for column, ids in people_found(term).items():
            found |= Q(**{f"{column}__in": ids})
        found |= Q(source__in=list(current().sources), external_id=term)  # the index begins with the source
        with suppress(ValueError):  # most terms are no id
            found |= Q(pk=UUID(term))
        return queryset.filter(found), False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        lead = self.get_object(request, object_id)
        context = history(lead) | who_it_is(lead) if lead and request.method == "GET" else {}
        if context:
            context |= why_not_them(request, context["decisions"])
            context["timeline"] = timeline(lead, current(), zone=request.zones.own, most=MOST_SHOWN)  # type: ignore[attr-defined]
        if lead and self.has_change_permission(request, lead):
            section = lead.stage.kind == Stage.Kind.UNQUALIFIED and sees_unqualified(request)
            context["lead_actions"] = [
                (reverse("admin:routing_lead_action", args=[lead.pk, name]), a.verb)
                for name, a in ACTIONS.items()
                if section or not a.unqualified
            ]
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    @display(
        description=_("state"),
        label={"waiting": "warning", "offered": "info", "assigned": "success", "idle": "default"},
        ordering="state",
    )
    def state_badge(self, lead: Lead) -> tuple[str, str]:
        return lead.state, lead.get_state_display()

    # Actions

    @action(description=_("Reassign…"), permissions=["change"])
    def reassign_selected(self, request: HttpRequest, queryset: QuerySet[Lead]) -> HttpResponse | None:
        return self._ask(request, "reassign", list(queryset[: MOST_AT_ONCE + 1]))

    @action(description=_("Move to another stage…"), permissions=["change"])
    def move_selected(self, request: HttpRequest, queryset: QuerySet[Lead]) -> HttpResponse | None:
        return self._ask(request, "move", list(queryset[: MOST_AT_ONCE + 1]))

    @action(description=_("Credit back…"), permissions=["change"])
    def credit_back_selected(self, request: HttpRequest, queryset: QuerySet[Lead]) -> HttpResponse | None:
        return self._ask(request, "credit-back", list(queryset[: MOST_AT_ONCE + 1]))

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.act_on_one)
        many = self.admin_site.admin_view(self.act_on_many)
        return [
            path("<uuid:object_id>/act/<str:name>/", view, name="routing_lead_action"),
            path("act/<str:name>/", many, name="routing_lead_action_on_many"),
            re_path(
                "^export.(?P<kind>csv|xlsx)$",
                self.admin_site.admin_view(require_POST(self.export)),
                name="routing_lead_export",
            ),
            *super().get_urls(),
        ]

    def act_on_one(self, request: HttpRequest, object_id: UUID, name: str) -> HttpResponse:
        lead = self.get_object(request, str(object_id))
        return self._act(request, name, [lead] if lead else [])

    def act_on_many(self, request: HttpRequest, name: str) -> HttpResponse:
        ids = [id_ for id_ in request.POST.getlist("lead") if _is_uuid(id_)]
        return self._act(request, name, list(self.get_queryset(request).filter(pk__in=ids[: MOST_AT_ONCE + 1])))

    def _act(self, request: HttpRequest, name: str, leads: Sequence[Lead]) -> HttpResponse:
        """Run a confirmed action on each of the leads; those that refuse are named, the others are done."""
        if name not in ACTIONS or not leads:
            return redirect("admin:routing_lead_changelist")
        if not self.has_change_permission(request):
            raise PermissionDenied
        if ACTIONS[name].unqualified and not sees_unqualified(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._ask(request, name, leads) or redirect("admin:routing_lead_changelist")
        form = ACTIONS[name].form(request.POST)
        if not form.is_valid():
            return self._ask(request, name, leads, form) or redirect("admin:routing_lead_changelist")
        done = self._run(request, name, leads, form.cleaned_data)
        if done:
            messages.success(request, ACTIONS[name].done % {"count": done})
        if len(leads) == 1 and not ACTIONS[name].unqualified:
            return redirect("admin:routing_lead_change", leads[0].pk)
        return redirect(list_of(name))

    def _run(self, request: HttpRequest, name: str, leads: Sequence[Lead], asked: dict[str, Any]) -> int:
        at, done = clock.now(), 0
        assert isinstance(request.user, User)  # nosec B101  # the admin lets nobody else in
        for lead in leads:
            try:
                ACTIONS[name].run(lead.pk, asked, at, request.user)
            except Refused as error:
                messages.error(request, f"{lead}: {error.detail}")
            else:
                self.log_change(request, lead, [{"changed": {"name": str(ACTIONS[name].verb), "object": str(lead)}}])
                done += 1
        return done

    def _ask(
        self, request: HttpRequest, name: str, leads: Sequence[Lead], form: ActionForm | None = None
    ) -> HttpResponse | None:
        """Show the form of an action, with the leads it is for."""
        if len(leads) > MOST_AT_ONCE:
            messages.error(request, _now("Choose at most %(count)d leads at a time.") % {"count": MOST_AT_ONCE})
            return None
        wanted = ACTIONS[name]
        one = len(leads) == 1
        context = self.admin_site.each_context(request) | {
            "title": wanted.title,
            "verb": wanted.verb,
            "form": form or wanted.form(),
            "opts": self.opts,
            "original": leads[0] if one else None,
            "leads": leads,
            "address": reverse("admin:routing_lead_action", args=[leads[0].pk, name])
            if one
            else reverse("admin:routing_lead_action_on_many", args=[name]),
            "back": reverse("admin:routing_lead_change", args=[leads[0].pk]) if one else reverse(list_of(name)),
        }
        return TemplateResponse(request, "routing/action_page.html", context)

    # Exports

    def export(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Answer with a file of the leads that the list shows, and record who took it."""
        if not self.has_view_permission(request) or not request.user.has_perm("routing.export_lead"):
            raise PermissionDenied
        try:
            leads = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return redirect("admin:routing_lead_changelist")
        filters = {name: values for name, values in request.GET.lists() if name not in ("p", "o") and any(values)}
        return export_leads(leads, kind, filters=filters, by=request.user, at=clock.now())  # type: ignore[arg-type]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        links, buttons = [], []
        if request.user.has_perm("routing.add_leadimport"):
            links.append((reverse("admin:routing_leadimport_add"), _("Import…")))
        if request.user.has_perm("routing.export_lead"):
            asked = f"?{request.GET.urlencode()}" if request.GET else ""
            buttons = [  # a POST: it is recorded who takes leads out
                (reverse("admin:routing_lead_export", args=[kind]) + asked, label)
                for kind, label in (("csv", _("Export as CSV")), ("xlsx", _("Export as XLSX")))
            ]
        return super().changelist_view(request, {"list_links": links, "list_buttons": buttons} | (extra_context or {}))


def list_of(name: str) -> str:
    unqualified = ACTIONS[name].unqualified
    return "admin:routing_unqualifiedlead_changelist" if unqualified else "admin:routing_lead_changelist"


@admin.register(UnqualifiedLead)
class UnqualifiedLeadAdmin(LeadAdmin):
    """The Unqualified section: who wrote, and whether they become a lead."""

    list_display = ("__str__", "email", "phone", "company", "source", "comment_begins", "created_at")
    list_filter: Any = ("created_at", ("created_at", DaysFilter), "source", ("stage", AutocompleteFilter))
    actions: Any = ("accept_selected", "decline_selected")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("routing.view_lead") and sees_unqualified(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("routing.change_lead") and sees_unqualified(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> Any:
        return super(LeadAdmin, self).get_urls()  # the actions have their addresses already

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"list_links": [], "list_buttons": []} | (extra_context or {}))

    @display(description=_("e-mail"))
    def email(self, lead: Lead) -> str:
        return lead.contact.email if lead.contact else ""

    @display(description=_("phone"))
    def phone(self, lead: Lead) -> str:
        return with_extension(lead.contact.phone, lead.contact.phone_extension) if lead.contact else ""

    @display(description=_("comment"))
    def comment_begins(self, lead: Lead) -> str:
        return Truncator(lead.comment).chars(80)

    @action(description=_("Accept…"), permissions=["change"])
    def accept_selected(self, request: HttpRequest, queryset: QuerySet[Lead]) -> HttpResponse | None:
        return self._ask(request, "accept", list(queryset[: MOST_AT_ONCE + 1]))

    @action(description=_("Decline…"), permissions=["change"])
    def decline_selected(self, request: HttpRequest, queryset: QuerySet[Lead]) -> HttpResponse | None:
        return self._ask(request, "decline", list(queryset[: MOST_AT_ONCE + 1]))


def history(lead: Lead) -> dict[str, Any]:
    """Return the decisions on a lead, oldest first; if there are many, the latest."""
    decisions = Decision.objects.filter(lead=lead).select_related(*EXPLAINED).order_by("-id")[:MOST_SHOWN]
    return {
        "decisions": explain_here(list(decisions)[::-1]),
    }


def who_it_is(lead: Lead) -> dict[str, Any]:
    """Return what is known about the lead's contact, and what was sent if it differs."""
    points = points_of([lead.contact_id])[lead.contact_id] if lead.contact_id else []
    return {
        "reaches": reaches(points),
        "sent": sent_beside(lead, points),
        "matched": matched_words(lead),
        "sharers": [
            (reverse("admin:routing_contact_change", args=[contact]), name)
            for contact, name in names_of(lead.shares_with).items()
        ],
    }


def why_not_them(request: HttpRequest, decisions: Sequence[DecisionInWords]) -> dict[str, Any]:
    """Return the question "Why not …?" with everybody to choose from, and its answer for the manager who was chosen."""
    people = sorted(current().managers.values(), key=lambda person: person.name.casefold())
    asked = request.GET.get("why", "")
    answers = [(each, why_not(each, int(asked))) for each in decisions] if asked.isdecimal() and len(asked) < 19 else []
    return {
        "people": [(str(person.id), person.name or person.email) for person in people],
        "asked": asked,
        "answers": answers,
    }


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
