"""Response times: from arrival to assignment to acceptance."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.time import periods
from reports import charts, names, queries
from reports.charts import Axis
from reports.drawing import Drawing
from reports.questions import MEASURES, Question
from reports.tables import Column, ReportContent, Table, duration, percent
from routing.roster import current

if TYPE_CHECKING:
    from reports.responses import Stretches, Times

FILTERS = ("measure", "clock", "target", "source", "manager")
WATCHED = timedelta(days=31)  # after the range in which leads arrived: so long their response is looked for
HOURS = Axis(names=[str(hour) for hour in range(24)], every=3)


def content(asked: Question) -> ReportContent:
    from reports import responses  # NumPy takes a quarter of a second of a start: the first who asks here waits for it

    copied = queries.arrivals(start=asked.start, end=asked.end, source=asked.source, manager=asked.manager)
    horizon = asked.end + WATCHED
    found = responses.responses(
        responses.leads_of(copied),
        measure=asked.measure,
        target=timedelta(minutes=asked.target),
        horizon=horizon,
        offsets=periods.offsets(asked.start, asked.end, asked.zone),
        duties=_duties(asked.start, horizon) if asked.clock == "working" else None,
    )
    whole = found.whole[asked.measure]
    steps = {str(name): found.whole[code] for code, name in MEASURES}
    return ReportContent(
        facts=[
            (_("Leads that arrived"), str(found.arrived)),
            (pgettext("figure", "Median"), _time(whole.median)),
            (pgettext("figure", "90th percentile"), _time(whole.p90)),
            (_("Within the target"), percent(whole.within / whole.leads) if whole.leads else _nothing()),
            (_("Not reached yet"), str(found.arrived - whole.leads)),
        ],
        empty=not found.arrived,
        charts=[_heat(found.by_hour)] if found.by_hour else [],
        tables=[
            _table("steps", _("By step"), pgettext("column", "Step"), steps),
            _table("sources", _("By source"), pgettext("column", "Source"), _by_name(found.by_source, names.sources())),
            _table(
                "managers", _("By manager"), pgettext("column", "Manager"), _by_name(found.by_manager, names.managers())
            ),
            _table("hours", _("By weekday and hour of arrival"), pgettext("column", "Hour"), _hours(found.by_hour)),
        ],
    )


def _duties(start: datetime, end: datetime) -> dict[int, Stretches]:
    return {person.id: person.duty.stretches(start, end) for person in current().managers.values()}


def _table(code: str, caption: str, first: str, lines: Mapping[str, Times]) -> Table:
    return Table(
        code=code,
        caption=caption,
        columns=[
            Column(heading=first),
            Column(heading=pgettext("column", "Leads"), kind="count"),
            Column(heading=pgettext("figure", "Median"), kind="duration"),
            Column(heading=pgettext("figure", "90th percentile"), kind="duration"),
            Column(heading=_("Within the target"), kind="percent"),
        ],
        rows=[(name, t.leads, t.median, t.p90, t.within / t.leads if t.leads else None) for name, t in lines.items()],
    )


def _by_name(times: Mapping[int, Times], called: Mapping[int, str]) -> dict[str, Times]:
    most_first = sorted(times.items(), key=lambda item: -item[1].leads)
    return {called.get(key, _("nobody")): value for key, value in most_first}


def _hours(times: Mapping[tuple[int, int], Times]) -> dict[str, Times]:
    return {f"{WEEKDAYS[day]} {hour:02}:00": value for (day, hour), value in sorted(times.items())}


def _heat(times: Mapping[tuple[int, int], Times]) -> Drawing:
    cells = {
        (day, hour): (t.median or 0.0, f"{WEEKDAYS[day]} {hour:02}:00 – {_time(t.median)} ({t.leads})")
        for (day, hour), t in times.items()
    }
    title = _("Median by weekday and hour of arrival: darker is longer")
    return charts.heat(cells, down=[str(WEEKDAYS[day]) for day in range(7)], across=HOURS, title=title)


def _time(seconds: float | None) -> str:
    return _nothing() if seconds is None else duration(seconds)


def _nothing() -> str:
    return pgettext("report", "no data")
