"""What the admin shows of a schedule beside its boxes: presets, the next six weeks as they would be, and a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from ..models import Account, Manager, ScheduleException, WorkSchedule
from . import clock, holidays, schedules
from .availability import holidays_of
from .calendars import Day, Plan, weeks_of

WEEKS = 6
MOST_SHOWN = 12  # managers in one preview

DAY_SHIFT, NIGHT_SHIFT = "09:00-21:00", "21:00-09:00"
WORKDAYS = schedules.WEEKDAYS[:5]
PRESETS: dict[str, tuple[Any, dict[str, Any]]] = {
    "5-2": (_("5/2, 09:00–18:00"), {"weekly": {day: ["09:00-18:00"] for day in WORKDAYS}}),
    "5-2-lunch": (
        _("5/2 with a lunch break"),
        {"weekly": {day: ["09:00-13:00", "14:00-18:00"] for day in WORKDAYS}},
    ),
    "6-1": (_("6/1, 10:00–19:00"), {"weekly": {day: ["10:00-19:00"] for day in schedules.WEEKDAYS[:6]}}),
    "2-2": (_("2/2, 09:00–21:00"), {"cycle": [[DAY_SHIFT], [DAY_SHIFT], [], []]}),
    "3-3": (_("3/3, 09:00–21:00"), {"cycle": [[DAY_SHIFT]] * 3 + [[]] * 3}),
    "day-night": (_("Day/night 2/2"), {"cycle": [[DAY_SHIFT], [NIGHT_SHIFT], [], []]}),
    "24-7": (_("Round the clock"), {"weekly": {day: ["00:00-24:00"] for day in schedules.WEEKDAYS}}),
}


class Weeks(NamedTuple):
    """The next weeks of one manager."""

    name: str
    note: str  # zone and offset, where they say something
    weeks: list[list[Day]]


def presets(today: date) -> dict[str, Any]:
    """Return what the page's script needs: charts to begin with, and the Monday on which a new cycle starts."""
    return {
        "monday": (today - timedelta(days=today.weekday())).isoformat(),
        "charts": [{"code": code, "title": str(title), **chart} for code, (title, chart) in PRESETS.items()],
    }


def today() -> date:
    return clock.now().astimezone(schedules.zone(Account.get().time_zone)).date()


class SixWeeks:
    """Adds to an admin: what is in the form, saved or not, as the next six weeks. Nothing is written."""

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.six_weeks)  # type: ignore[attr-defined]
        name = f"{self.opts.app_label}_{self.opts.model_name}_preview"  # type: ignore[attr-defined]
        return [
            path("preview/", view, name=f"{name}_new"),
            path("<int:object_id>/preview/", view, name=name),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def six_weeks(self, request: HttpRequest, object_id: int | None = None) -> HttpResponse:
        obj = self.get_object(request, str(object_id)) if object_id else None  # type: ignore[attr-defined]
        if not self.has_view_permission(request, obj):  # type: ignore[attr-defined]
            raise PermissionDenied
        form, rows = self.read(request, obj)
        exceptions = [row.instance.value for row in rows if row.is_valid() and row.cleaned_data]
        found = [] if form.errors else self.plans(form.instance, exceptions)
        page = {
            "people": [Weeks(name, note, weeks_of(plan, today(), WEEKS)) for name, note, plan in found[:MOST_SHOWN]],
            "more": max(0, len(found) - MOST_SHOWN),
            "notes": holiday_notes(form.instance)
            if isinstance(form.instance, WorkSchedule) and not form.errors
            else [],
            "faults": [*_faults(form), *(fault for row in rows for fault in _faults(row))],
            "today": today(),
        }
        if request.headers.get("X-Requested-With") == "fetch":
            return TemplateResponse(request, "accounts/_six_weeks.html", page)
        context = self.admin_site.each_context(request) | {"title": _("The next six weeks"), "opts": self.opts}  # type: ignore[attr-defined]
        return TemplateResponse(request, "accounts/six_weeks.html", context | page)

    def read(self, request: HttpRequest, obj: Any) -> tuple[Any, list[Any]]:
        """Return the form as it was sent, and those of its exceptions that are to stay."""
        data = request.POST.copy()
        if self.opts.model is WorkSchedule:  # type: ignore[attr-defined]
            # What names the schedule has no part in when it works, and may be missing or taken as yet.
            data["code"], data["title"] = f"preview-{uuid4().hex}", "preview"
        form_class = self.get_form(request, obj, change=obj is not None)  # type: ignore[attr-defined]
        form = form_class(data, instance=obj)
        form.is_valid()
        rows: list[Any] = []
        for formset_class, _inline in self.get_formsets_with_inlines(request, obj):  # type: ignore[attr-defined]
            formset = formset_class(data=data, instance=obj, prefix=formset_class.get_default_prefix())
            formset.is_valid()
            rows += formset.forms if formset.management_form.is_valid() else []
        return form, [row for row in rows if not row.cleaned_data.get("DELETE")]

    def plans(self, obj: Any, exceptions: Sequence[schedules.DayException]) -> list[tuple[str, str, Plan]]:
        raise NotImplementedError


def holiday_notes(schedule: WorkSchedule) -> list[str]:
    """Return what to know of the public holidays that the schedule follows."""
    country, notes = schedule.holiday_country, []
    if country not in holidays.countries():
        return []
    other = None if schedule.holiday_subdivision else holidays.holiday_of_a_part(country, today().year)
    if other:
        words = _now(
            "Some parts of %(country)s have public holidays of their own, for example %(day)s (%(name)s in %(place)s). "
            "Choose the part where the managers work."
        )
        day = date_format(other.day, "DATE_FORMAT")
        notes.append(words % {"country": country, "day": day, "name": other.name, "place": other.place})
    year = holidays.moved_until(country)
    if year:
        notes.append(
            _now("The moved working days of %(country)s are known until %(year)d.") % {"country": country, "year": year}
        )
    return notes


def hours_of_a_workday(schedule: WorkSchedule) -> list[str]:
    """Return the hours of the first workday of a week; a cycle has none."""
    week = schedule.weekly if schedule.kind == WorkSchedule.Kind.WEEKLY else {}
    return next((list(week[day]) for day in WORKDAYS if week.get(day)), [])


def days_to_work(schedule: WorkSchedule) -> list[date]:
    """Return the coming Saturdays and Sundays that the country works for a moved day off, and the schedule not yet."""
    if schedule.holiday_country not in holidays.countries() or not hours_of_a_workday(schedule):
        return []
    exceptions = list(schedule.exceptions.all())
    first = today()
    return [
        day
        for day in holidays.working_weekends(schedule.holiday_country, first, first + timedelta(days=400))
        if not schedule.weekly.get(schedules.WEEKDAYS[day.weekday()])
        and not any(row.first_day <= day <= row.last_day for row in exceptions)
    ]


def _faults(form: Any) -> list[str]:
    errors = ((form.fields.get(name), error) for name, errors in form.errors.items() for error in errors)
    return [f"{capfirst(field.label)}: {error}" if field and field.label else str(error) for field, error in errors]


def plans_of_schedule(
    schedule: WorkSchedule, exceptions: Sequence[schedules.DayException]
) -> list[tuple[str, str, Plan]]:
    """Return whom the schedule concerns, each with their plan; a schedule that nobody has is shown as it is."""
    zone = Account.get().time_zone
    managers = (
        list(Manager.objects.filter(schedule=schedule, active=True).select_related("user")) if schedule.pk else []
    )
    own = _exceptions_of(managers)
    plan = Plan(zone=zone, chart=schedule.chart, schedule_exceptions=tuple(exceptions), holidays=holidays_of(schedule))
    if not managers:
        return [(_now("A manager with this schedule"), zone, plan)]
    return [
        (
            str(manager),
            _note(manager, zone),
            replace(
                plan,
                zone=manager.time_zone or zone,
                offset=manager.offset,
                manager_exceptions=own.get(manager.pk, ()),
            ),
        )
        for manager in managers
    ]


def plans_of_manager(manager: Manager, exceptions: Sequence[schedules.DayException]) -> list[tuple[str, str, Plan]]:
    zone, schedule = Account.get().time_zone, manager.schedule
    plan = Plan(
        zone=manager.time_zone or zone,
        chart=schedule.chart if schedule else None,
        offset=manager.offset,
        schedule_exceptions=tuple(row.value for row in schedule.exceptions.all()) if schedule else (),
        manager_exceptions=tuple(exceptions),
        holidays=holidays_of(schedule) if schedule else None,
    )
    return [(str(manager) if manager.user_id else _now("The new manager"), _note(manager, zone), plan)]


def _exceptions_of(managers: Sequence[Manager]) -> dict[int | None, list[schedules.DayException]]:
    found: dict[int | None, list[schedules.DayException]] = {}
    for row in ScheduleException.objects.filter(manager__in=managers):
        found.setdefault(row.manager_id, []).append(row.value)
    return found


def _note(manager: Manager, zone: str) -> str:
    parts = [manager.time_zone or zone]
    if manager.offset:
        parts.append(_now("offset %(days)d days") % {"days": manager.offset})
    return " · ".join(parts)


@transaction.atomic
def copy_of(schedule: WorkSchedule) -> WorkSchedule:
    """Return a copy of the schedule with its exceptions; nobody works by it yet."""
    taken = set(WorkSchedule.objects.filter(code__startswith=schedule.code[:55]).values_list("code", flat=True))
    numbers = (f"{schedule.code[:55]}-copy{number or ''}" for number in range(len(taken) + 1))
    columns = {
        field.name: getattr(schedule, field.name)
        for field in schedule._meta.concrete_fields
        if not isinstance(field, models.AutoField)
    }
    columns["code"] = next(code for code in numbers if code not in taken)
    columns["title"] = (_now("Copy of %(title)s") % {"title": schedule.title})[:200]
    copy = WorkSchedule.objects.create(**columns)
    for row in schedule.exceptions.all():
        row.pk, row.schedule = None, copy
        row.save(force_insert=True)
    return copy


class Copied:
    """Adds to the admin of schedules: an action and a page's button that copy one."""

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.copy)  # type: ignore[attr-defined]
        return [path("<int:object_id>/copy/", view, name="accounts_workschedule_copy"), *super().get_urls()]  # type: ignore[misc]

    def copy(self, request: HttpRequest, object_id: int) -> HttpResponse:
        schedule = self.get_object(request, str(object_id))  # type: ignore[attr-defined]
        if schedule is None or not self.has_add_permission(request) or request.method != "POST":  # type: ignore[attr-defined]
            raise PermissionDenied
        copy = copy_of(schedule)
        self.log_addition(request, copy, [{"added": {}}])  # type: ignore[attr-defined]
        messages.success(request, _now("This is a copy. Give it its own title, edit it and save."))
        return redirect(reverse("admin:accounts_workschedule_change", args=[copy.pk]))


class MovedWorkingDays:
    """Adds to the admin of schedules: what to know of the holidays, and a button that takes announced working weekends as
    extra hours."""

    def get_urls(self) -> Any:
        view = self.admin_site.admin_view(self.work_moved_days)  # type: ignore[attr-defined]
        address = "<int:object_id>/moved-working-days/"
        return [path(address, view, name="accounts_workschedule_moved"), *super().get_urls()]  # type: ignore[misc]

    def work_moved_days(self, request: HttpRequest, object_id: int) -> HttpResponse:
        schedule = self.get_object(request, str(object_id))  # type: ignore[attr-defined]
        if schedule is None or not self.has_change_permission(request, schedule) or request.method != "POST":  # type: ignore[attr-defined]
            raise PermissionDenied
        with transaction.atomic():
            WorkSchedule.objects.select_for_update().get(pk=schedule.pk)
            days, hours = days_to_work(schedule), hours_of_a_workday(schedule)
            for day in days:
                ScheduleException.objects.create(
                    schedule=schedule, first_day=day, last_day=day, kind=ScheduleException.Kind.EXTRA, intervals=hours
                )
        if days:
            self.log_change(request, schedule, [{"added": {}}])  # type: ignore[attr-defined]
        messages.success(
            request,
            ngettext("%(count)d day was added.", "%(count)d days were added.", len(days)) % {"count": len(days)},
        )
        return redirect(reverse("admin:accounts_workschedule_change", args=[schedule.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        schedule = context.get("original")
        if isinstance(schedule, WorkSchedule):
            context["holiday_notes"] = holiday_notes(schedule)
            context["days_to_work"] = days_to_work(schedule)
            context["hours_to_work"] = ", ".join(hours_of_a_workday(schedule))
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[misc]
