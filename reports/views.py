"""The pages of reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import Account
from accounts.time import clock, schedules
from routing.spreadsheets.writing import csv_lines

from . import catalogue, queries
from .forms import FIRST_DAY, LAST_DAY, PERIODS, PeriodForm
from .legend import Ring, ring_of
from .png import png
from .questions import QuestionForm
from .tables import ReportContent

QUERY_CANCELED = "57014"  # PostgreSQL's word for a statement that ran into its time limit
View = Callable[[HttpRequest], HttpResponse]


def page_of(report: catalogue.Report) -> Callable[[View], View]:
    """Make the function a page that reads, for signed-in users who may see the report."""

    def decorate(view: View) -> View:
        @wraps(view)
        def check_permission(request: HttpRequest) -> HttpResponse:
            if not request.user.has_perm(report.permission):
                raise PermissionDenied
            return view(request)

        return require_safe(login_required(check_permission))

    return decorate


@require_safe
@login_required
def index(request: HttpRequest) -> HttpResponse:
    allowed = [report for report in catalogue.ALL if request.user.has_perm(report.permission)]
    if not allowed:
        raise PermissionDenied
    return render(request, "reports/index.html", {"reports": allowed, "page": "reports"})


# Sources of leads


@page_of(catalogue.SOURCES)
def sources(request: HttpRequest) -> HttpResponse:
    return _sources(request, PeriodForm(request.GET))


@page_of(catalogue.SOURCES)
def sources_svg(request: HttpRequest) -> HttpResponse:
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return _sources(request, form)
    return render(request, "reports/sources.svg", {"drawing": _ring(form).card}, content_type="image/svg+xml")


@page_of(catalogue.SOURCES)
def sources_png(request: HttpRequest) -> HttpResponse:
    form = PeriodForm(request.GET)
    if not form.is_valid():
        return _sources(request, form)
    return HttpResponse(png(_ring(form).card), content_type="image/png")


def _sources(request: HttpRequest, form: PeriodForm) -> HttpResponse:
    """Show the page; for a form that cannot be read what is wrong with it, and the present day."""
    ring = _ring(form)
    context = {"form": form, "ring": ring, "periods": PERIODS, **_steps(ring), "query": _query(ring), "page": "reports"}
    return render(request, "reports/sources.html", context, status=200 if form.is_valid() else 400)


def _ring(form: PeriodForm) -> Ring:
    account = Account.get()
    today = clock.now().astimezone(schedules.zone(account.time_zone)).date()
    period, on = form.period_and_date(today=today)
    return ring_of(queries.sources(account, period=period, on=on), account)


def _steps(ring: Ring) -> dict[str, str | None]:
    """Return the queries of the periods before and after, as far as there may be leads."""
    before, after = ring.neighbours
    return {
        "before": _query(ring, date=before.isoformat()) if before >= FIRST_DAY else None,
        "after": _query(ring, date=after.isoformat()) if after <= LAST_DAY else None,
    }


def _query(ring: Ring, **changed: str) -> str:
    return urlencode({"period": ring.report.period, "date": ring.report.first_day.isoformat(), **changed})


# Reports over a range of dates


def range_page(report: catalogue.Ranged) -> View:
    @page_of(report)
    def page(request: HttpRequest) -> HttpResponse:
        form, at, zone = _read_form(request, report)
        content, status = _content(report, form, at, zone)
        return _page(request, report, form, content, zone, status)

    return page


def _page(
    request: HttpRequest,
    report: catalogue.Ranged,
    form: QuestionForm,
    content: ReportContent | None,
    zone: ZoneInfo,
    status: int,
) -> HttpResponse:
    context = {
        "report": report,
        "form": form,
        "content": content,
        "zone": zone.key,
        "csv": reverse(f"{report.address}-csv"),
        "query": request.GET.urlencode(),
        "opened": request.GET.get("open", ""),
        "page": "reports",
    }
    return render(request, "reports/report.html", context, status=status)


def _content(
    report: catalogue.Ranged, form: QuestionForm, at: datetime, zone: ZoneInfo
) -> tuple[ReportContent | None, int]:
    """Return what the page shows, and its status; who asks too much is told to ask less."""
    if not form.is_valid():
        return None, 400
    try:
        return report.content(form.question(at=at, zone=zone)), 200
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) != QUERY_CANCELED:
            raise
        form.add_error(None, _("This took too long. Choose a shorter range, or a single source or manager."))
        return None, 503


def range_csv(report: catalogue.Ranged) -> View:
    """Return the tables of the report as CSV: the one that `table` names, or the first.

    A request for too much, or one that cannot be read, gets the page, where another can be made.
    """

    @page_of(report)
    def csv(request: HttpRequest) -> HttpResponse:
        form, at, zone = _read_form(request, report)
        content, status = _content(report, form, at, zone)
        if content is None:
            return _page(request, report, form, content, zone, status)
        code = request.GET.get("table", content.tables[0].code)
        table = next((table for table in content.tables if table.code == code), None)
        if table is None:
            raise Http404
        lines = csv_lines([column.code or column.heading for column in table.columns], table.rows)
        response = HttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{report.code}-{table.code}.csv"'
        return response

    return csv


def _read_form(request: HttpRequest, report: catalogue.Ranged) -> tuple[QuestionForm, datetime, ZoneInfo]:
    zone, at = schedules.zone(Account.get().time_zone), clock.now()
    return QuestionForm(request.GET, filters=report.filters, today=at.astimezone(zone).date()), at, zone
