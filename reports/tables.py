"""Tables as the reports show them: raw values for programs, words for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from .drawing import Drawing

MOST_ROWS = 30  # of a table that stands on the page unasked


def number(value: float, digits: int = 0) -> str:
    return number_format(round(value, digits), decimal_pos=digits, use_l10n=True, force_grouping=True)


def percent(value: float) -> str:
    return f"{number(100 * value, 1)} %"


def duration(seconds: float) -> str:
    """Return seconds in the two largest units that matter."""
    days, rest = divmod(round(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds}
    return _("%(seconds)d s") % {"seconds": seconds}


def with_sign(value: float) -> str:
    return f"{'+' if value > 0 else ''}{number(value, 2)}"


KINDS: dict[str, Callable[[Any], str]] = {
    "text": str,
    "count": number,
    "leads": lambda value: number(value, 2),
    "signed": with_sign,
    "percent": percent,
    "duration": duration,
    "instant": lambda value: date_format(value, "SHORT_DATETIME_FORMAT"),  # in the zone that it carries
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    heading: str
    code: str = ""  # the heading for programs, where it is another
    kind: str = "text"  # of KINDS
    absent: str = ""  # what None says; else that there is no data

    def text(self, value: object) -> str:
        return self.absent or pgettext("report", "no data") if value is None else KINDS[self.kind](value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under headings; each row has one value for each column, or None without data."""

    code: str  # in the address of its CSV
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]

    @property
    def long(self) -> bool:
        """Tell whether it is shown only on request: hundreds of rows are slow to make and to read."""
        return len(self.rows) > MOST_ROWS

    @property
    def texts(self) -> list[list[str]]:
        return [[c.text(value) for c, value in zip(self.columns, row, strict=True)] for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """The content of a report's page."""

    tables: Sequence[Table]
    charts: Sequence[Drawing] = ()
    facts: Sequence[tuple[str, str]] = field(default=())  # name and figure, above all
    empty: bool = False  # the rows that there are say 0

    @property
    def nothing(self) -> bool:
        return self.empty or not (self.charts or any(table.rows for table in self.tables))


def ago(at: datetime, now: datetime) -> float:
    return max(now - at, timedelta()).total_seconds()
