"""Fairness: leads received against leads due, by registry and manager, over time."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.utils.formats import get_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.time import periods
from accounts.time.date_words import date_words
from reports import charts, names, queries
from reports.charts import HUES, Axis, Bar, Series
from reports.drawing import Drawing
from reports.fairness import FairnessFigures, standings
from reports.questions import Question
from reports.tables import Column, ReportContent, Table, number, with_sign

FILTERS = ("registry", "manager")
MOST_BARS = 20
MOST_DAYS, MOST_WEEKS = 31, 27  # points of the lines; a longer range goes by weeks, then by months


def content(asked: Question) -> ReportContent:
    days = _days(asked)
    bounds = [periods.midnight(day, asked.zone) for day in days]
    found = [s for s in _standings(asked, bounds) if asked.manager in (None, s.manager)]
    found.sort(key=lambda s: (s.registry, -s.received, s.manager))
    managers, registries = names.managers(), names.registries()
    worst = max((abs(s.worst) for s in found if s.due is not None), default=None)
    called = {(s.registry, s.manager): f"{managers[s.manager]} · {registries[s.registry]}" for s in found}
    return ReportContent(
        facts=[
            (_("Leads counted"), number(sum(s.received for s in found))),
            (_("Largest difference, leads"), pgettext("report", "no data") if worst is None else number(worst, 2)),
        ],
        charts=[_bars(found, called), *_lines(found, called, days)] if found else [],
        tables=[_table(found, managers, registries), _over_time(found, called, days)],
    )


def _standings(asked: Question, bounds: Sequence[datetime.datetime]) -> list[FairnessFigures]:
    received = queries.receipts(bounds, registry=asked.registry)
    return list(
        standings(
            received,
            queries.lineups({row.lineup for row in received}),
            queries.balances(bounds, registry=asked.registry, at=asked.at),
            queries.adjustments(bounds[0], registry=asked.registry),
            buckets=len(bounds) - 1,
        )
    )


def _days(asked: Question) -> list[datetime.date]:
    end = asked.last_day + datetime.timedelta(days=1)
    length = (end - asked.first_day).days
    period = "day" if length <= MOST_DAYS else "week" if length <= 7 * MOST_WEEKS else "month"
    days = [asked.first_day]
    while (following := periods.end_of(period, days[-1])) < end:
        days.append(following)
    return [*days, end]


def _table(found: Sequence[FairnessFigures], managers: dict[int, str], registries: dict[int, str]) -> Table:
    return Table(
        code="managers",
        caption=_("Received and due"),
        columns=[
            Column(heading=pgettext("column", "Manager")),
            Column(heading=pgettext("column", "Registry")),
            Column(heading=_("Received"), kind="count"),
            Column(heading=_("Due"), kind="leads"),
            Column(heading=_("Due minus received"), kind="signed"),
            Column(heading=_("Largest difference"), kind="signed"),
            Column(heading=_("Balance at the end"), kind="signed"),
        ],
        rows=[
            (
                managers[s.manager],
                registries[s.registry],
                s.received,
                s.due,
                None if s.due is None else s.due - s.received,
                None if s.due is None else s.worst,
                s.balance,
            )
            for s in found
        ],
    )


def _over_time(
    found: Sequence[FairnessFigures], called: dict[tuple[int, int], str], days: Sequence[datetime.date]
) -> Table:
    aimed = [s for s in found if s.due is not None]
    ends = [day - datetime.timedelta(days=1) for day in days[1:]]
    return Table(
        code="time",
        caption=_("Due minus received since the start, at the end of each day, week or month"),
        columns=[
            Column(heading=pgettext("column", "Manager")),
            *(Column(heading=_short(day), code=day.isoformat(), kind="signed") for day in ends),
        ],
        rows=[(called[s.registry, s.manager], *s.distances) for s in aimed],
    )


def _bars(found: Sequence[FairnessFigures], called: dict[tuple[int, int], str]) -> Drawing:
    bars = [
        Bar(
            name=called[s.registry, s.manager],
            parts=[("blue", s.received)],
            said=number(s.received) if s.due is None else f"{number(s.received)} / {number(s.due, 1)}",
            mark=s.due,
        )
        for s in found[:MOST_BARS]
    ]
    return charts.bars(bars, title=_("Leads received; the line marks leads due"))


def _lines(
    found: Sequence[FairnessFigures], called: dict[tuple[int, int], str], days: Sequence[datetime.date]
) -> list[Drawing]:
    """Return the distances over time of those who were furthest away."""
    furthest = sorted((s for s in found if s.due is not None), key=lambda s: -abs(s.worst))[: len(HUES)]
    if not furthest:
        return []
    values = [value for s in furthest for value in s.distances]
    series = [
        Series(name=called[s.registry, s.manager], color=hue, values=s.distances)
        for s, hue in zip(furthest, HUES, strict=False)
    ]
    ends = [_short(day - datetime.timedelta(days=1)) for day in days[1:]]
    return [
        charts.lines(
            series,
            along=Axis(names=ends),
            steps=[(level, with_sign(level) if level else "0") for level in charts.levels(min(values), max(values))],
            title=_("Due minus received over time, for the managers with the largest difference"),
        )
    ]


def _short(day: datetime.date) -> str:
    return date_words(day, get_format("MONTH_DAY_FORMAT").replace("F", "E"))  # E: as it follows a day
