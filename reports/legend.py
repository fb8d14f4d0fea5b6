"""The ring of sources in the reader's language, for pages, pictures and the admin's first page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from accounts.models import Account
from routing import policy
from routing.models import Source

from . import pictures
from .drawing import Drawing
from .pictures import Entry, Words
from .queries import Sources
from .rings import Arc
from .tables import number, percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """What `reports/_ring.html` shows."""

    report: Sources
    legend: list[Entry]
    words: Words

    @property
    def drawing(self) -> Drawing:
        return pictures.ring(self.legend, self.words)

    @property
    def neighbours(self) -> tuple[date, date]:
        return self.report.first_day - timedelta(days=1), self.report.last_day + timedelta(days=1)

    @property
    def card(self) -> Drawing:
        return pictures.card(self.legend, self.words)


def ring_of(report: Sources, account: Account | policy.Account) -> Ring:
    """Return the ring as people read it, or why there is none."""
    words = Words(
        title=_("Sources of leads"),
        period=f"{period_in_words(report)} · {account.time_zone}",
        leads=pgettext("column", "Leads"),
        share=pgettext("column", "Share"),
        inactive=pgettext("channel", "inactive"),
        total=pgettext("row", "Total"),
        number=number(report.total),
        nothing=_nothing(report, account),
    )
    return Ring(report=report, legend=[_entry(arc, report.total) for arc in report.arcs], words=words)


def period_in_words(report: Sources) -> str:
    if report.period == "month":
        return date_format(report.first_day, "YEAR_MONTH_FORMAT")
    first, last = (date_format(day, "DATE_FORMAT") for day in (report.first_day, report.last_day))
    return first if report.period == "day" else f"{first} – {last}"


def _entry(arc: Arc, total: int) -> Entry:
    return Entry(
        arc=arc,
        label=str(Source.Channel(arc.channel).label),
        leads=number(arc.count),
        share=percent(arc.count / total if total else 0),
    )


def _nothing(report: Sources, account: Account | policy.Account) -> str:
    if not account.unqualified:
        return _("The Unqualified section is switched off.")
    return "" if report.total else _("No leads arrived as Unqualified in this period.")
