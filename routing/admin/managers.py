"""Managers as those who distribute see them: state at a glance, the team's calendar, and the end of a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, path, reverse
from django.utils.dateparse import parse_date
from django.utils.formats import number_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext, pgettext_lazy

from accounts.admin import ManagerAdmin as AccountsManagerAdmin
from accounts.admin_theme import AutocompleteFilter, CheckboxInput, Select, UncountedPaginator, display
from accounts.models import Manager, ScheduleException
from accounts.people.roles import may_edit_user
from accounts.templatetags.moments import duration, in_words
from accounts.time import agenda, calendars, clock, feeds, periods
from accounts.time.date_words import date_words

from ..api.duty import manager_documents
from ..engine import LEAD
from ..exceptions import Refused
from ..models import Trigger
from ..roster import MemberFacts, Roster, current
from ..services.off_boarding import Farewell, off_board, places_of
from ..tasks import hurry
from ..timelines import name_of

MOST_BALANCES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """What the list says of a manager."""

    reason: str | None  # why not available
    words: str
    seen: str
    held: str
    balances: Sequence[tuple[str, float]]
    absence: str  # the days off that run or come next


def glances(managers: Sequence[Manager], *, at: datetime) -> dict[int, Glance]:
    """Return what there is to see of each, in a fixed number of queries."""
    roster = current()
    documents = manager_documents([m.user.email for m in managers], roster, at=None, now=at)
    by_email = {document["email"]: document for document in documents}
    limits: dict[int, set[int]] = {}
    for trigger in roster.triggers.values():
        for member in trigger.members:
            if member.limit is not None:
                limits.setdefault(member.manager, set()).add(member.limit)
    away = absences(managers, on=at.astimezone(roster.zone).date())
    return {
        m.pk: _glance(m, by_email[m.user.email], limits.get(m.pk, set()), at=at, absence=away.get(m.pk, ""))
        for m in managers
        if m.user.email in by_email
    }


def absences(managers: Sequence[Manager], *, on: date) -> dict[int, str]:
    """Return the days off of each that run on the day or come next, by manager."""
    off = ScheduleException.objects.filter(manager__in=managers, kind=ScheduleException.Kind.OFF, last_day__gte=on)
    return {
        exception.manager_id: " – ".join(
            date_words(day, "j M") for day in sorted({exception.first_day, exception.last_day})
        )
        for exception in off.order_by("-first_day")  # the first stands last, and so remains
        if exception.manager_id
    }


def _glance(manager: Manager, document: dict[str, Any], limits: set[int], *, at: datetime, absence: str) -> Glance:
    reason = document["reason"]
    until = {"paused": document["paused_until"], "off_duty": document["next_start"]}.get(reason or "")
    words = {
        None: _now("available"),
        "inactive": _now("inactive"),
        "paused": _now("paused"),
        "off_duty": _now("off duty"),
    }.get(reason, reason)
    if until:
        then = in_words(datetime.fromisoformat(until))
        words = _now("%(state)s until %(instant)s") % {"state": words, "instant": then}
    return Glance(
        reason=reason,
        words=words,
        seen=duration(at - manager.last_seen_at) if manager.last_seen_at else "",
        held=f"{document['held']} / {'–'.join(map(str, sorted({min(limits), max(limits)})))}"
        if limits
        else str(document["held"]),
        balances=sorted(
            ((label, b / LEAD) for label, b in document["balances"].items()), key=lambda pair: -abs(pair[1])
        ),
        absence=absence,
    )


admin.site.unregister(Manager)


@admin.register(Manager)
class ManagerAdmin(AccountsManagerAdmin):
    change_form_template = "routing/manager_page.html"
    change_list_template = "routing/lead_list.html"
    list_display: Any = ("name", "email", "state", "seen", "held", "balances", "absence", "schedule")
    list_filter: Any = ("active", ("schedule", AutocompleteFilter))
    paginator = UncountedPaginator
    way_out = _("Hand over")
    way_out_words = _("Hand over their leads, then deactivate them. Their history stays.")

    def way_out_of(self, obj: Any) -> str:
        return hand_over_address(obj) or super().way_out_of(obj)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        parent = super().get_changelist(request, **kwargs)

        class WithGlances(parent):  # type: ignore[misc, valid-type]
            """Looks at all managers of the page at once."""

            result_list: Any

            def get_results(self, request: HttpRequest) -> None:
                super().get_results(request)
                rows: list[Any] = list(self.result_list)
                found = glances(rows, at=clock.now())
                for row in rows:
                    row.glance = found.get(row.pk)
                self.result_list = rows

        return WithGlances

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        links = [(reverse("admin:team-calendar"), _("Team calendar"))]
        return super().changelist_view(request, {"list_links": links} | (extra_context or {}))

    @display(
        description=pgettext_lazy("of a manager", "state"),
        label={"available": "success", "paused": "warning", "off_duty": "default", "inactive": "danger"},
    )
    def state(self, manager: Any) -> tuple[str, str]:
        return (manager.glance.reason or "available", manager.glance.words) if manager.glance else ("", "–")

    @display(description=_("last seen"))
    def seen(self, manager: Any) -> str:
        seen = manager.glance.seen if manager.glance else ""
        return _now("%(time)s ago") % {"time": seen} if seen else _now("never")

    @display(description=_("held / limit"))
    def held(self, manager: Any) -> str:
        return manager.glance.held if manager.glance else ""

    @display(description=_("next days off"))
    def absence(self, manager: Any) -> str:
        return manager.glance.absence if manager.glance else ""

    @display(description=_("balances"))
    def balances(self, manager: Any) -> str:
        found = manager.glance.balances if manager.glance else []
        shown = [
            f"{label} {'+' * (balance > 0)}{number_format(balance, 2)}" for label, balance in found[:MOST_BALANCES]
        ]
        more = len(found) - MOST_BALANCES
        return ", ".join(shown) + (_now(", and %(number)d more") % {"number": more} if more > 0 else "")

    def get_urls(self) -> Any:
        wrap = self.admin_site.admin_view
        return [
            path("calendar/", wrap(self.calendar), name="team-calendar"),
            path("<int:object_id>/off-board/", wrap(self.off_board), name="accounts_manager_off_board"),
            path("<int:object_id>/new-calendar/", wrap(self.new_calendar), name="accounts_manager_new_calendar"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        manager = self.get_object(request, object_id)
        context: dict[str, Any] = {}
        if manager is not None and request.method == "GET":
            found = glances([manager], at=clock.now())
            context = {"glance": found.get(manager.pk), "limits": limits_of(manager)}
            if self.has_change_permission(request, manager):
                context["feed"] = request.build_absolute_uri(feeds.feed_path(manager))
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def new_calendar(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Give the manager's calendar a new address."""
        manager = self.get_object(request, str(object_id))
        if manager is None:
            raise Http404
        if request.method != "POST" or not self.has_change_permission(request, manager):
            raise PermissionDenied
        feeds.renew_feed(manager)
        messages.success(request, _("The calendar has a new address. The old address no longer works."))
        return redirect("admin:accounts_manager_change", manager.pk)

    # The team's calendar

    def calendar(self, request: HttpRequest) -> HttpResponse:
        """Show a week of everybody, of a trigger's members or of a stage's, and when nobody is on duty."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        roster, at = current(), clock.now()
        today = at.astimezone(roster.zone).date()
        monday = periods.start_of("week", read_date(request.GET.get("week", "")) or today)
        duties, chosen = duties_of(request.GET.get("of", ""), roster)
        context = self.admin_site.each_context(request) | {
            "title": _("Team calendar"),
            "opts": self.opts,
            "of": chosen,
            "choices": calendar_choices(roster),
            "week": monday,
            "before": monday - timedelta(days=7),
            "after": monday + timedelta(days=7),
            "today": today,
            "zone": roster.account.time_zone,
            **week_of(duties, roster, monday),
        }
        return TemplateResponse(request, "routing/team_calendar.html", context)

    # Off-boarding

    def off_board(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Show every place a manager is used, and end what is chosen."""
        manager = self.get_object(request, str(object_id))
        if manager is None:
            raise Http404
        if not self.has_change_permission(request, manager):
            raise PermissionDenied
        form = FarewellForm(
            request.POST or None, manager=manager, may_end_access=may_edit_user(request.user, manager.user)
        )
        if request.method == "POST" and form.is_valid() and self._off_board(request, manager, form):
            return redirect("admin:accounts_manager_off_board", manager.pk)
        context = self.admin_site.each_context(request) | {
            "title": _now("Off-board %(manager)s") % {"manager": manager},
            "opts": self.opts,
            "original": manager,
            "form": form,
            "places": places_of(manager, at=clock.now()),
            "hand_over": hand_over_address(manager),
        }
        return TemplateResponse(request, "routing/off_board.html", context)

    def _off_board(self, request: HttpRequest, manager: Manager, form: FarewellForm) -> bool:
        try:
            done = off_board(manager, form.farewell(), at=clock.now(), by=request.user)  # type: ignore[arg-type]
        except Refused as error:
            for field, detail in [(f.get("field"), f["detail"]) for f in error.errors] or [(None, error.detail)]:
                form.add_error(field, detail)
            return False
        hurry()
        self.log_change(request, manager, [{"changed": {"name": "off-boarding", "object": " ".join(done)}}])
        messages.success(request, " ".join(done) or _("There was nothing to change."))
        return True


def limits_of(manager: Manager) -> list[tuple[str, int]]:
    """Return the limits of the manager as (code of the trigger, limit)."""
    triggers = current().triggers.values()
    found = [
        (trigger.code, member.limit)
        for trigger in triggers
        for member in trigger.members
        if member.manager == manager.pk
    ]
    return sorted((code, limit) for code, limit in found if limit is not None)


def hand_over_address(manager: Manager) -> str | None:
    """Return where the leads of a manager are handed over, where there is such a page."""
    try:
        return reverse("admin:routing_handover_of", args=[manager.pk])
    except NoReverseMatch:
        return None


class FarewellForm(forms.Form):
    """What to do in the places where a manager is used."""

    successor = forms.ModelChoiceField(
        Manager.objects.none(), required=False, label=_("Replacement"), widget=Select, empty_label=_("nobody")
    )
    members = forms.ChoiceField(
        choices=[
            ("keep", _("stay (an inactive member gets no leads)")),
            ("remove", _("end")),
            ("replace", _("go to the replacement, with coefficient and limit")),
        ],
        label=_("Trigger memberships"),
        widget=Select,
    )
    duties = forms.BooleanField(
        required=False, label=_("The replacement becomes the manager on duty where they were"), widget=CheckboxInput
    )
    related = forms.ChoiceField(
        choices=[
            ("keep", _("stay with them")),
            ("release", _("have nobody responsible")),
            ("replace", _("go to the replacement")),
        ],
        label=_("Contacts, companies and open tasks"),
        widget=Select,
    )
    revoke_keys = forms.BooleanField(
        required=False, initial=True, label=_("Revoke their API keys"), widget=CheckboxInput
    )
    deactivate = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Make inactive (no more leads)"),
        widget=CheckboxInput,
        help_text=_("Their open offers are redistributed at once."),
    )
    end_access = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Block sign-in"),
        widget=CheckboxInput,
        help_text=_("This also ends their sessions."),
    )

    def __init__(self, *args: Any, manager: Manager, may_end_access: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        others = Manager.objects.active().exclude(pk=manager.pk).select_related("user")
        self.fields["successor"].queryset = others  # type: ignore[attr-defined]
        if not may_end_access:
            del self.fields["end_access"]

    def farewell(self) -> Farewell:
        return Farewell(**self.cleaned_data)


# A week of the team


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarLine:
    name: str
    address: str
    days: Sequence[tuple[date, Sequence[agenda.Piece], str]]  # date, what is drawn, the hours in words


def read_date(text: str) -> date | None:
    try:
        found = parse_date(text)
    except ValueError:
        return None
    return found if found and 1971 <= found.year <= 2099 else None


def calendar_choices(roster: Roster) -> list[tuple[str, str]]:
    """Return what the calendar can be of: everybody, the members of a trigger, or of all triggers of a stage."""
    triggers = [
        (f"trigger:{t.code}", _now("Trigger %(code)s") % {"code": t.code}) for t in Trigger.objects.order_by("code")
    ]
    staffed = {trigger.stage for trigger in roster.triggers.values() if trigger.on}
    stages = [
        (f"stage:{stage.path}", _now("Stage %(path)s") % {"path": stage.path})
        for stage in roster.stages.values()
        if stage.id in staffed
    ]
    return [("", _now("Everybody")), *stages, *triggers]


def duties_of(of: str, roster: Roster) -> tuple[list[tuple[int, int | None]], str]:
    """Return who is on the calendar, each with the schedule that replaces their own there; and what was understood."""
    kind, _colon, name = of.partition(":")
    triggers = [
        trigger
        for trigger in roster.triggers.values()
        if (kind == "trigger" and trigger.code == name)
        or (kind == "stage" and trigger.on and roster.stages[trigger.stage].path == name)
    ]
    if triggers:
        members = {(m.manager, m.schedule) for trigger in triggers for m in trigger.members if _takes_part(m, roster)}
        return sorted(members, key=lambda pair: (roster.managers[pair[0]].name, pair[1] or 0)), of
    people = sorted(
        (p for p in roster.managers.values() if p.active), key=lambda manager: manager.name or manager.email
    )
    return [(manager.id, None) for manager in people], ""


def _takes_part(member: MemberFacts, roster: Roster) -> bool:
    return bool(member.coefficient) and roster.managers[member.manager].active


def week_of(duties: Sequence[tuple[int, int | None]], roster: Roster, monday: date) -> dict[str, Any]:
    """Return a week: each manager's days, how many are on duty when, and when nobody is."""
    days = [monday + timedelta(days=n) for n in range(8)]
    edges = [periods.midnight(day, roster.zone) for day in days]
    stretches = [
        roster.managers[manager].duty_by(schedule).stretches(edges[0], edges[-1]) for manager, schedule in duties
    ]
    spans = list(zip(days, edges, edges[1:], strict=False))
    people = [
        CalendarLine(
            name=roster.managers[manager].name or roster.managers[manager].email,
            address=reverse("admin:accounts_manager_change", args=[manager]),
            days=[
                (day, agenda.pieces(work, start, end), _hours(work, start, end, roster)) for day, start, end in spans
            ],
        )
        for (manager, _schedule), work in zip(duties, stretches, strict=True)
    ]
    gaps = calendars.gaps(stretches, edges[0], edges[-1])
    counted = calendars.staffing(stretches, edges[0], edges[-1])
    most = max((number for *_part, number in counted), default=0)
    return {
        "days": days[:7],
        "people": people,
        "coverage": [(day, _columns(counted, most, start, end)) for day, start, end in spans],
        "always": _always_on_duty(duties, stretches, roster, edges),
        "gaps": [(start.astimezone(roster.zone), end.astimezone(roster.zone)) for start, end in gaps],
        "most": most,
    }


def _always_on_duty(
    duties: Sequence[tuple[int, int | None]],
    stretches: Sequence[Sequence[agenda.Stretch]],
    roster: Roster,
    edges: Sequence[datetime],
) -> str:
    """Say who is on duty all week for want of a schedule, so that no gap can show; "" for nobody."""
    whole = [(edges[0], edges[-1])]
    without = set(Manager.objects.filter(schedule=None).values_list("pk", flat=True))
    names = [
        name_of(manager, roster)
        for (manager, schedule), work in zip(duties, stretches, strict=True)
        if schedule is None and manager in without and list(work) == whole
    ]
    if not names:
        return ""
    words = ngettext(
        "%(names)s has no schedule and is always on duty.",
        "%(names)s have no schedule and are always on duty.",
        len(names),
    )
    return words % {"names": pgettext("between names", ", ").join(names)}


def _columns(
    counted: Sequence[tuple[datetime, datetime, int]], most: int, start: datetime, end: datetime
) -> list[tuple[agenda.Piece, int, int]]:
    """Return the parts of a day, each with how many are on duty, and how high that is drawn, in hundredths."""
    return [
        (piece, number, round(100 * number / most) if most else 0)
        for first, last, number in counted
        for piece in agenda.pieces([(first, last)], start, end)
    ]


def _hours(work: Sequence[agenda.Stretch], start: datetime, end: datetime, roster: Roster) -> str:
    """Return the hours of a day as they are, cut at midnight."""
    cut = [(max(first, start), min(last, end)) for first, last in work if first < end and last > start]
    return ", ".join(f"{_clock(first, roster)}–{_clock(last, roster, ends=last == end)}" for first, last in cut)


def _clock(at: datetime, roster: Roster, *, ends: bool = False) -> str:
    return "24:00" if ends else f"{at.astimezone(roster.zone):%H:%M}"
