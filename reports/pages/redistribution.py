"""Redistribution: how often leads go on to somebody else, from whom, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from reports import charts, names, queries
from reports.charts import Bar, Key
from reports.drawing import Drawing
from reports.queries import Offers
from reports.questions import Question
from reports.tables import Column, ReportContent, Table, number, percent

FILTERS = ("manager", "trigger")
MOST_BARS = 20
COLORS = {"accepted": "green", "declined": "red", "timed_out": "yellow", "withdrawn": "lilac", "": "grey"}
LET_GO = ("declined", "timed_out", "withdrawn")


def content(asked: Question) -> ReportContent:
    start, end, narrowed = asked.start, asked.end, {"manager": asked.manager, "trigger": asked.trigger}
    found = queries.offers(start=start, end=end, **narrowed)
    managers, triggers = names.managers(), names.triggers()
    by_manager = _count_offers(found, lambda row: managers[row.manager])
    whole = _count_offers(found, lambda row: "").get("", Counter())
    reasons = [
        (reason or _("without a reason"), count)
        for reason, count in queries.decline_reasons(start=start, end=end, **narrowed)
    ]
    times = queries.offers_a_lead(start=start, end=end, **narrowed)
    return ReportContent(
        facts=[
            (_("Leads offered"), number(sum(times.values()))),
            (_("Offers"), number(whole.total())),
            (_("Not accepted"), percent(_let_go(whole) / whole.total()) if whole else pgettext("report", "no data")),
            (_("Leads offered more than once"), number(sum(n for t, n in times.items() if t > 1))),
        ],
        charts=[_chart(by_manager)] if found else [],
        tables=[
            _table("managers", _("By manager"), pgettext("column", "Manager"), by_manager),
            _table(
                "triggers",
                _("By trigger"),
                pgettext("column", "Trigger"),
                _count_offers(found, lambda row: triggers[row.trigger]),
            ),
            _pairs(
                "times",
                _("How often a lead was offered"),
                (_("Offers of the lead"), pgettext("column", "Leads")),
                times.items(),
            ),
            _pairs("reasons", _("Why managers declined"), (_("Reason"), _("Offers")), reasons),
        ],
    )


def outcome_names() -> dict[str, str]:
    return {
        "accepted": pgettext("offers", "Accepted"),
        "declined": pgettext("offers", "Declined"),
        "timed_out": pgettext("offers", "Timed out"),
        "withdrawn": pgettext("offers", "Withdrawn"),
        "": pgettext("offers", "Open"),
    }


def _count_offers(found: Sequence[Offers], name: Callable[[Offers], str]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in found:
        counts[name(row)][row.outcome] += row.offers
    return dict(sorted(counts.items(), key=lambda item: -item[1].total()))


def _let_go(counts: Counter[str]) -> int:
    return sum(counts[outcome] for outcome in LET_GO)


def _table(code: str, caption: str, first: str, counts: Mapping[str, Counter[str]]) -> Table:
    return Table(
        code=code,
        caption=caption,
        columns=[
            Column(heading=first),
            Column(heading=_("Offers"), kind="count"),
            *(Column(heading=name, kind="count") for name in outcome_names().values()),
            Column(heading=_("Not accepted"), kind="percent"),
        ],
        rows=[
            (name, line.total(), *(line[outcome] for outcome in outcome_names()), _let_go(line) / line.total())
            for name, line in counts.items()
        ],
    )


def _pairs(code: str, caption: str, headings: tuple[str, str], rows: Iterable[tuple[object, int]]) -> Table:
    columns = [Column(heading=headings[0]), Column(heading=headings[1], kind="count")]
    return Table(code=code, caption=caption, columns=columns, rows=list(rows))


def _chart(counts: Mapping[str, Counter[str]]) -> Drawing:
    bars = [
        Bar(
            name=name,
            parts=[(COLORS[outcome], line[outcome]) for outcome in COLORS],
            said=number(line.total()),
        )
        for name, line in list(counts.items())[:MOST_BARS]
    ]
    keys = [Key(name=name, color=COLORS[outcome]) for outcome, name in outcome_names().items()]
    return charts.bars(bars, title=_("Outcomes of the offers to each manager"), keys=keys)
