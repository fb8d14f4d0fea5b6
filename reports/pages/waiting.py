"""Waiting leads: how many, for how long, and why nobody can take them."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from reports import charts, names, queries
from reports.charts import Bar
from reports.drawing import Drawing
from reports.questions import Question
from reports.tables import Column, ReportContent, Table, ago, duration, number

FILTERS = ("source", "trigger")
REASONS = {
    "inactive": gettext_lazy("not active"),
    "paused": gettext_lazy("paused"),
    "off_duty": gettext_lazy("off duty"),
    "offline": gettext_lazy("not online"),
    "coefficient_zero": gettext_lazy("coefficient zero"),
    "no_match": gettext_lazy("lacks the skills"),
    "at_limit": gettext_lazy("at the limit"),
    "already_tried": gettext_lazy("already had the lead in this round"),
    "in_line": gettext_lazy("behind other waiting leads"),
    "keep": gettext_lazy("no attempts left"),
    "undecided": gettext_lazy("not decided yet"),
}


def content(asked: Question) -> ReportContent:
    start, end, narrowed = asked.start, asked.end, {"source": asked.source, "trigger": asked.trigger}
    found = queries.waiting(start=start, end=end, **narrowed)
    reasons = queries.waiting_reasons(start=start, end=end, **narrowed) if found else []
    triggers = names.triggers()
    oldest = min((row.oldest for row in found), default=None)
    said = [(str(REASONS.get(reason, reason)), leads, times) for reason, leads, times in reasons]
    return ReportContent(
        facts=[
            (_("Leads waiting now"), number(sum(row.leads for row in found))),
            (_("Longest wait"), duration(ago(oldest, asked.at)) if oldest else pgettext("report", "no data")),
        ],
        charts=[_chart(said)] if said else [],
        tables=[
            Table(
                code="reasons",
                caption=_("Reasons for waiting"),
                columns=[
                    Column(heading=pgettext("column", "Reason")),
                    Column(heading=pgettext("column", "Leads"), kind="count"),
                    Column(heading=_("Candidates with this reason"), kind="count"),
                ],
                rows=said,
            ),
            Table(
                code="triggers",
                caption=_("By trigger"),
                columns=[
                    Column(heading=pgettext("column", "Trigger")),
                    Column(heading=pgettext("column", "Leads"), kind="count"),
                    Column(heading=_("Oldest waiting since"), kind="instant"),
                    Column(heading=_("Longest wait"), kind="duration"),
                ],
                rows=[
                    (triggers[row.trigger], row.leads, row.oldest.astimezone(asked.zone), ago(row.oldest, asked.at))
                    for row in found
                ],
            ),
        ],
    )


def _chart(reasons: list[tuple[str, int, int]]) -> Drawing:
    bars = [Bar(name=name, parts=[("yellow", leads)], said=number(leads)) for name, leads, _times in reasons]
    return charts.bars(
        bars, title=_("Waiting leads by reason: a lead counts once for each reason among its candidates")
    )
