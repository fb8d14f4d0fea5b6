"""Read dates as people and programs write them.

Nobody can tell from 03/02/2026 alone whether the day or the month comes first. The whole column is looked at: one
20/11/2026 in it decides. Where nothing decides, somebody must say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import dates, translation
from django.utils.translation import gettext as _

from ..intake.limits import AHEAD, FIRST_YEAR

CERTAIN = 12  # a number above it is no month

NUMBERS = re.compile(r"(\d\d?)([./-])(\d\d?)\2(\d{4}|\d\d)", re.ASCII)
YEAR_FIRST = re.compile(r"(\d{4})([./-])(\d\d?)\2(\d\d?)", re.ASCII)
WORDS = re.compile(r"[\w.,/ -]*[^\W\d_][\w.,/ -]*")
TIME = re.compile(
    r"(?:(?:(?<=\d)T|[ ,]+)(?P<hour>\d\d?)(?:(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?)?"
    r"\s*(?P<half>[ap])\.?\s?m\.?|:(?P<minutes>\d\d)(?::(?P<seconds>\d\d)(?:[.,]\d+)?)?))?"
    r"\s*(?P<offset>Z|UTC|GMT|[+-](?:0\d|1[0-4]):?(?:00|15|30|45))?",
    re.ASCII | re.IGNORECASE,
)
BLANKS = re.compile(
    r"[\s\u00a0\u202f\u200e\u200f]+"
)  # between a time and its half of the day there is often a thin one
ORDINAL = re.compile(r"(\d\d?)(?:st|nd|rd|th|[ºª])(?![^\W\d_])")
BETWEEN = frozenset({"of", "de", "del", "do", "feira", "г", "года"})  # 20 de noviembre de 2026, 20 ноября 2026 г.


class BadDate(ValueError):
    """The text is no date that a lead can have; the message says what is expected."""


class WrittenDate(NamedTuple):
    """The day as it is written. What stands between day and month is kept where their order is to be found out."""

    year: str
    first: int  # the day, where the order is certain
    second: int
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOrder:
    """What a column says of the order of day and month: the first cell that shows each, with its row."""

    day_first: tuple[int, str] | None = None
    month_first: tuple[int, str] | None = None
    unclear: tuple[int, str] | None = None
    dots: bool = False  # all that is unclear is written with dots

    @property
    def matters(self) -> bool:
        return bool(self.day_first or self.month_first or self.unclear)

    @property
    def month_first_proposal(self) -> bool | None:
        """Return what the column shows; None where it shows nothing, or both. With dots, the day comes first."""
        if self.day_first or self.month_first:
            return None if self.day_first and self.month_first else bool(self.month_first)
        return False if self.dots else None

    def fault(self, month_first: bool | None) -> str:
        """Return why the column cannot be read in this order (None: nobody has said which); "" when it can."""
        if self.day_first and self.month_first:
            return _(
                "The dates are in two orders: “%(day)s” (row %(day_row)d) has the day first, “%(month)s” (row "
                "%(month_row)d) the month. Write all of them as 2026-11-20, or keep the column as a field."
            ) % {
                "day": self.day_first[1], "day_row": self.day_first[0],
                "month": self.month_first[1], "month_row": self.month_first[0],
            }  # fmt: skip
        if month_first is None:
            month_first = self.month_first_proposal
        if month_first is None and self.unclear:
            return _("Choose: nothing in the column shows whether “%(cell)s” has the day or the month first.") % {
                "cell": self.unclear[1]
            }
        against = self.day_first if month_first else self.month_first
        if against:
            return _("“%(cell)s” (row %(row)d) does not fit this order.") % {"cell": against[1], "row": against[0]}
        return ""


def day_order(cells: Iterable[tuple[int, str]]) -> DayOrder:
    """Return what the cells of a column, each with the number of its row, say of the order of day and month."""
    shown: dict[str, tuple[int, str]] = {}
    for row, text in cells:
        match = NUMBERS.match(text.strip())
        if match is None:  # the order of other dates is certain
            continue
        first, second, mark = int(match[1]), int(match[3]), match[2]
        low, high = sorted((first, second))
        if low == high or low > CERTAIN:
            continue
        order = "unclear" if high <= CERTAIN else "day_first" if first == high else "month_first"
        written = f"{order}, with dots" if mark == "." else f"{order}, without"
        if written not in shown and is_date(text):
            shown[written] = (row, text.strip()[:40])
            shown.setdefault(order, shown[written])
    dotted = shown.get("unclear, with dots")
    if dotted and "month_first" in shown and "month_first, with dots" not in shown:
        shown.setdefault("day_first", dotted)  # as everywhere with dots
    return DayOrder(
        day_first=shown.get("day_first"),
        month_first=shown.get("month_first"),
        unclear=shown.get("unclear"),
        dots="unclear, without" not in shown and dotted is not None,
    )


def is_date(text: str) -> bool:
    try:
        return bool(split(text))
    except BadDate:
        return False


def instant(text: str, *, zone: ZoneInfo, month_first: bool | None, at: datetime) -> datetime:
    """Return the instant, one without an offset as of the zone. Raises BadDate."""
    date, time = split(text)
    if date.mark and date.first != date.second and month_first is None:
        raise BadDate(_("“%(cell)s” may have the day or the month first") % {"cell": text[:40]})
    day, month = (date.second, date.first) if date.mark and month_first else (date.first, date.second)
    try:
        wall = datetime(_year(date.year, at), month, day, *_hours(time), tzinfo=_offset(time["offset"]) or zone)
        found = wall.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_date(text) from None
    if found.year < FIRST_YEAR or found > at + AHEAD:
        raise BadDate(_("“%(cell)s” is before 1970 or in the future") % {"cell": text[:40]})
    return found


def split(text: str) -> tuple[WrittenDate, dict[str, str | None]]:
    """Return the date in the text, and the parts of its time. Raises BadDate."""
    text = BLANKS.sub(" ", text).strip()
    if len(text) > 60:
        raise _no_date(text)
    for pattern in (YEAR_FIRST, NUMBERS):
        if (match := pattern.match(text)) and (time := TIME.fullmatch(text, match.end())):
            return _date_of_numbers(match), time.groupdict()
    for place in range(len(text), 5, -1):
        time = TIME.fullmatch(text, place)
        if time and (date := _date_of_words(text[:place])):
            return date, time.groupdict()
    raise _no_date(text)


def _date_of_numbers(match: re.Match[str]) -> WrittenDate:
    if match.re is YEAR_FIRST:
        return WrittenDate(match[1], int(match[4]), int(match[3]))
    if len(match[4]) == 2 and match[2] == "-":
        raise BadDate(_("the year of “%(cell)s” needs four digits") % {"cell": match[0]})  # 26-11-20 is written, too
    return WrittenDate(match[4], int(match[1]), int(match[3]), match[2])


def _date_of_words(text: str) -> WrittenDate | None:
    """Read a date whose month is a word, in whatever order; None where it is none."""
    if not WORDS.fullmatch(text):
        return None
    words = re.split(r"[\s.,/-]+", ORDINAL.sub(r"\1", text.casefold()).strip(" .,"))
    if words and words[0] in _weekdays():
        words = words[1:]
    words = [word for word in words if word not in BETWEEN]
    if len(words) != 3:
        return None
    months = [(place, month) for place, word in enumerate(words) if (month := _month(word))]
    if len(months) != 1 or not all(word.isdecimal() and word.isascii() for word in words if not _month(word)):
        return None
    [(place, month)] = months
    numbers = [word for word in words if not _month(word)]
    day, year = numbers if len(numbers[0]) <= 2 else numbers[::-1]
    if place == 2 or len(day) > 2 or len(year) not in (2, 4):
        return None
    return WrittenDate(year, int(day), month)


def _hours(time: dict[str, str | None]) -> tuple[int, int, int]:
    hour = int(time["hour"] or 0)
    if time["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if time["half"] in "pP" else 0)
    return hour, int(time["minute"] or time["minutes"] or 0), int(time["second"] or time["seconds"] or 0)


def _offset(text: str | None) -> tzinfo | None:
    return datetime.strptime("Z" if text.isalpha() else text, "%z").tzinfo if text else None


def _year(text: str, at: datetime) -> int:
    """Return the year; of two digits, the one that is not in the future."""
    if len(text) > 2:
        return int(text)
    return 2000 + int(text) if 2000 + int(text) <= at.year + 1 else 1900 + int(text)


def _no_date(text: str) -> BadDate:
    return BadDate(_("“%(cell)s” is not a date such as 2026-03-02 09:00") % {"cell": text[:40]})


@cache
def _months() -> dict[str, int]:
    """Return the names of the months in every language of the catalogue, and their abbreviations, as Django has them."""
    found = {"setiembre": 9}  # as in Peru and Uruguay
    for names in (dates.MONTHS, dates.MONTHS_3, dates.MONTHS_AP, dates.MONTHS_ALT):
        for word, month in _in_every_language(names):
            found[word.rstrip(".")] = month
    return found


@cache
def _month(word: str) -> int | None:
    """Return the number of the month of this name; three letters of it are enough, where no other begins so."""
    if word in _months():
        return _months()[word]
    begun = {month for name, month in _months().items() if name.startswith(word)} if len(word) >= 3 else set()
    return begun.pop() if len(begun) == 1 else None


@cache
def _weekdays() -> frozenset[str]:
    found = {word for names in (dates.WEEKDAYS, dates.WEEKDAYS_ABBR) for word, _day in _in_every_language(names)}
    return frozenset(found | {word.partition("-")[0] for word in found})


def _in_every_language(names: Mapping[int, object]) -> list[tuple[str, int]]:
    found = []
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found += [(str(name).casefold(), number) for number, name in names.items()]
    return found
