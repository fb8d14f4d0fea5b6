"""The pages of reports."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts import clock, schedules
from accounts.models import Account

from . import catalogue, queries
from .forms import FIRST_DAY, LAST_DAY, PERIODS, PeriodForm
from .legend import Ring, ring_of
from .png import png

View = Callable[[HttpRequest], HttpResponse]


def page_of(report: catalogue.Report) -> Callable[[View], View]:
    """Make the function a page that reads, for signed-in users who may see the report."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest) -> HttpResponse:
            if not request.user.has_perm(report.permission):
                raise PermissionDenied
            return view(request)

        return require_safe(login_required(guarded))

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
    form = PeriodForm(request.GET)
    ring = _ring(form)
    context = {"form": form, "ring": ring, "periods": PERIODS, **_steps(ring), "query": _query(ring), "page": "reports"}
    return render(request, "reports/sources.html", context, status=200 if form.is_valid() else 400)


@page_of(catalogue.SOURCES)
def sources_svg(request: HttpRequest) -> HttpResponse:
    card = _readable_ring(request).card
    return render(request, "reports/sources.svg", {"drawing": card}, content_type="image/svg+xml")


@page_of(catalogue.SOURCES)
def sources_png(request: HttpRequest) -> HttpResponse:
    return HttpResponse(png(_readable_ring(request).card), content_type="image/png")


def _readable_ring(request: HttpRequest) -> Ring:
    form = PeriodForm(request.GET)
    if not form.is_valid():
        raise BadRequest("No such period.")
    return _ring(form)


def _ring(form: PeriodForm) -> Ring:
    account = Account.get()
    today = clock.now().astimezone(schedules.zone(account.time_zone)).date()
    period, on = form.asked(today=today)
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
