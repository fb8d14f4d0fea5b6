"""Conversion: what became of the leads that arrived, by source and by manager."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from reports import charts, names, queries
from reports.charts import Bar
from reports.drawing import Drawing
from reports.queries import Outcome
from reports.questions import Question
from reports.statistics import share
from reports.tables import Column, ReportContent, Table, number, percent

FILTERS = ("source", "manager")
MOST_BARS = 20


def content(asked: Question) -> ReportContent:
    found = queries.outcomes(start=asked.start, end=asked.end, source=asked.source, responsible=asked.manager)
    sources, managers = names.sources(), names.managers()
    by_source = _count_leads(found, lambda row: sources[row.source])
    by_manager = _count_leads(found, lambda row: managers[row.manager] if row.manager else _("nobody"))
    after = queries.activities(start=asked.start, end=asked.end, source=asked.source, responsible=asked.manager)
    whole = _count_leads(found, lambda row: "")[""]
    won = share(whole["won"], whole["won"] + whole["lost"])
    return ReportContent(
        facts=[
            (_("Leads that arrived"), number(whole.total())),
            (_("Won"), number(whole["won"])),
            (_("Won, of closed leads"), percent(won.value) if won else pgettext("report", "no data")),
            (_("Activities"), number(after.total())),
        ],
        charts=[
            _chart(_("Won, of closed leads, by source"), by_source),
            _chart(_("Won, of closed leads, by manager"), by_manager),
        ]
        if found
        else [],
        tables=[
            _table("sources", _("By source"), pgettext("column", "Source"), by_source),
            _table("managers", _("By manager"), pgettext("column", "Manager"), by_manager),
            *(
                [_table_of_activities({sources[source]: count for source, count in after.most_common()})]
                if after
                else []
            ),
        ],
    )


def _count_leads(found: Sequence[Outcome], name: Callable[[Outcome], str]) -> dict[str, Counter[str]]:
    """Return leads by name and kind of stage, the names with most leads first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in found:
        counts[name(row)][row.kind] += row.leads
    return defaultdict(Counter, sorted(counts.items(), key=lambda item: -item[1].total()))


def _table(code: str, caption: str, first: str, counts: Mapping[str, Counter[str]]) -> Table:
    headings = {"leads": _("Leads"), "open": _("Open"), "won": _("Won"), "lost": _("Lost")}
    shares = [_("Won, of closed leads"), _("at least"), _("at most"), _("Won, of all leads")]
    return Table(
        code=code,
        caption=caption,
        columns=[
            Column(heading=first),
            *(Column(heading=heading, kind="count") for heading in headings.values()),
            *(Column(heading=heading, kind="percent") for heading in shares),
        ],
        rows=[_row(name, kinds) for name, kinds in counts.items()],
    )


def _table_of_activities(counts: Mapping[str, int]) -> Table:
    return Table(
        code="activities",
        caption=_("Sent after a lead, and no lead of its own"),
        columns=[Column(heading=pgettext("column", "Source")), Column(heading=_("Activities"), kind="count")],
        rows=list(counts.items()),
    )


def _row(name: str, kinds: Counter[str]) -> tuple[object, ...]:
    leads, won, lost = kinds.total(), kinds["won"], kinds["lost"]
    closed = share(won, won + lost) or (None, None, None)
    return (name, leads, leads - won - lost, won, lost, *closed, won / leads)


def _chart(title: str, counts: Mapping[str, Counter[str]]) -> Drawing:
    return charts.bars([_bar(name, kinds) for name, kinds in list(counts.items())[:MOST_BARS]], title=title, largest=1)


def _bar(name: str, kinds: Counter[str]) -> Bar:
    found = share(kinds["won"], kinds["won"] + kinds["lost"])
    if found is None:
        return Bar(name=name, parts=[], said=pgettext("report", "no data"))
    return Bar(name=name, parts=[("green", found.value)], said=percent(found.value), interval=(found.low, found.high))
