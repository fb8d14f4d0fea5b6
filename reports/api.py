"""The ring of sources as data."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.time.instants import to_iso
from routing.api.authentication import caller_of
from routing.api.filters import refuse_unknown
from routing.api.pagination import refusal
from routing.api.schema import response_example
from routing.api.views import ApiView
from routing.exceptions import NotAllowed
from routing.models import Source

from . import queries, rings
from .forms import FIRST_DAY, LAST_DAY, PERIODS

PERMISSION = "routing.view_unqualified"
DIGITS = 6  # of angles and percentages


class UnqualifiedOff(NotAllowed):
    """The Unqualified section of the account is switched off."""

    code = "unqualified-off"
    title = "The Unqualified section is switched off"


class ChannelOut(serializers.Serializer[Any]):
    channel = serializers.ChoiceField(list(rings.COLORS))
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name, not its own label
    color = serializers.ChoiceField([*rings.COLORS.values(), rings.INACTIVE])
    active = serializers.BooleanField()
    count = serializers.IntegerField()
    percent = serializers.FloatField(help_text="Of the channel with most leads, which is 100")
    angle = serializers.FloatField(help_text="Degrees, up to 270")
    ring = serializers.IntegerField(allow_null=True, help_text="1 is the outermost; null: no leads, no ring")


class SourcesOut(serializers.Serializer[Any]):
    period = serializers.ChoiceField([period for period, _ in PERIODS])
    date = serializers.DateField(help_text="The first day of the period")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField(help_text="The first instant after the period")
    time_zone = serializers.CharField()
    total = serializers.IntegerField()
    channels = ChannelOut(many=True)


EXAMPLE = {
    "period": "week",
    "date": "2026-03-02",
    "start": "2026-03-01T23:00:00Z",
    "end": "2026-03-08T23:00:00Z",
    "time_zone": "Europe/Madrid",
    "total": 60,
    "channels": [
        {"channel": "site", "label": "from site", "color": "lilac", "active": True,
         "count": 40, "percent": 100.0, "angle": 270.0, "ring": 1},
        {"channel": "phone", "label": "phone", "color": "blue", "active": True,
         "count": 20, "percent": 50.0, "angle": 135.0, "ring": 2},
        {"channel": "mail", "label": "mail", "color": "yellow", "active": True,
         "count": 0, "percent": 0.0, "angle": 0.0, "ring": None},
        {"channel": "api", "label": "API", "color": "red", "active": True,
         "count": 0, "percent": 0.0, "angle": 0.0, "ring": None},
        {"channel": "chat", "label": "chat", "color": "grey", "active": False,
         "count": 0, "percent": 0.0, "angle": 0.0, "ring": None},
    ],
}  # fmt: skip
SOURCES = extend_schema(
    operation_id="report_sources",
    summary="Where leads came from that arrived as Unqualified",
    description="For callers who may see the Unqualified section: the account's keys, and users with the permission. "
    "The same for all of them.",
    parameters=[
        OpenApiParameter("period", str, enum=[period for period, _ in PERIODS], default="day"),
        OpenApiParameter("date", {"type": "string", "format": "date"}, description="A date in the period; today"),
    ],
    responses=SourcesOut,
    examples=[response_example(EXAMPLE)],
)


class SourcesView(ApiView):
    scopes = {"GET": "read"}

    @SOURCES
    def get(self, request: Request) -> Response:
        refuse_unknown(request, ("period", "date"))
        roster = self.roster(request)
        if not request.user.has_perm(PERMISSION):
            raise NotAllowed("This is for who may see the Unqualified section.")
        if not roster.account.unqualified:
            raise UnqualifiedOff("The account's Unqualified section is switched off, and so is its ring.")
        today = caller_of(request).at.astimezone(roster.zone).date()
        report = queries.sources(roster.account, period=_period(request), on=_date(request) or today)
        return Response(document(report, time_zone=roster.account.time_zone))


def document(report: queries.Sources, *, time_zone: str) -> dict[str, Any]:
    return {
        "period": report.period,
        "date": report.first_day.isoformat(),
        "start": to_iso(report.start),
        "end": to_iso(report.end),
        "time_zone": time_zone,
        "total": report.total,
        "channels": [
            {
                "channel": arc.channel,
                "label": str(Source.Channel(arc.channel).label),
                "color": arc.color,
                "active": arc.active,
                "count": arc.count,
                "percent": round(arc.percent, DIGITS),
                "angle": round(arc.angle, DIGITS),
                "ring": arc.ring,
            }
            for arc in report.arcs
        ],
    }


def _period(request: Request) -> str:
    period: str = request.query_params.get("period", "day")
    if period not in dict(PERIODS):
        raise refusal("period", "invalid-choice", f"One of {', '.join(dict(PERIODS))} is expected.")
    return period


def _date(request: Request) -> date | None:
    text = request.query_params.get("date")
    if text is None:
        return None
    try:
        found = date.fromisoformat(text) if len(text) == len("2026-03-02") else None
    except ValueError:
        found = None
    if found is None or not FIRST_DAY <= found <= LAST_DAY:
        raise refusal("date", "invalid-date", f"A date from {FIRST_DAY} to {LAST_DAY} is expected, as 2026-03-02.")
    return found


urlpatterns: list[URLPattern] = [
    path("reports/sources", SourcesView.as_view()),
    path("reports/sources/", SourcesView.as_view(schema=None)),
]
