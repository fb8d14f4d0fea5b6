"""What a number of a workbook is by its format: a date, a share in per cent, a code with leading zeros, or the number itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

Form = Callable[[str], str]

# Formats that every workbook has without naming them; of the others only the built-in number matters.
PERCENT = {9: "0%", 10: "0.00%"}
DATES = {*range(14, 23), *range(27, 37), 45, 47, *range(50, 59)}
ELAPSED = {46: "[h]:mm:ss"}

_TOKEN = re.compile(r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.?)|[_*].?|\[(?P<bracket>[^\]]*)\]?|(?P<other>.)', re.DOTALL)
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_SECONDS_A_DAY = 86_400
_DAYS = 2_958_466  # the last that a spreadsheet knows is the end of the year 9999


def form_of(number: int, code: str, *, since_1904: bool) -> Form | None:
    """Return what makes the text of a number by its format; None where the number is its own text."""
    code = code or PERCENT.get(number, "") or ELAPSED.get(number, "")
    if not code and number in DATES:
        return lambda value: _instant(value, since_1904)
    section = list(_TOKEN.finditer(code))
    for place, token in enumerate(section):
        if token["other"] == ";":
            del section[place:]
            break
    plain = "".join(token["other"] or "" for token in section)
    brackets = [token["bracket"] for token in section if token["bracket"] is not None]
    if any(map(_ELAPSED.fullmatch, brackets)):
        return _duration
    if "general" not in plain.lower() and re.search("[dmyhs]", plain, re.IGNORECASE):
        return lambda value: _instant(value, since_1904)
    if re.fullmatch(r"[0#?,. ]*%", plain):
        return _percent
    return _pattern(section)


def number_text(value: str) -> str:
    """Return the number as it would stand in a CSV file, with all its figures and without an exponent where it can be."""
    if value.isdecimal():
        return value
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def _instant(value: str, since_1904: bool) -> str:
    days = float(value)
    if not 0 <= days < _DAYS:
        return number_text(value)
    day, seconds = divmod(round(days * _SECONDS_A_DAY), _SECONDS_A_DAY)
    if days < 1 and not since_1904:
        return _clock(seconds)
    date = _date(day, since_1904)
    return f"{date} {_clock(seconds)}" if seconds else date


@lru_cache(maxsize=10_000)
def _date(day: int, since_1904: bool) -> str:
    if since_1904:
        first = date(1904, 1, 1)
    else:  # spreadsheets know a 29th of February 1900
        first = date(1899, 12, 30) if day > 60 else date(1899, 12, 31)
    return (first + timedelta(day)).isoformat()


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _duration(value: str) -> str:
    days = float(value)
    return _clock(round(days * _SECONDS_A_DAY)) if 0 <= days < _DAYS else number_text(value)


def _percent(value: str) -> str:
    return f"{(Decimal(number_text(value)) * 100).normalize():f}%"


def _pattern(section: list[re.Match[str]]) -> Form | None:
    """Return the form of a code such as 00000, +00 000 000 or "ID-"0000; None for one of amounts, which lose nothing.

    A unit behind the number is no part of it, and no sum of money is written with its signs: those are for people to read.
    """
    marks: list[tuple[str, bool]] = []  # text, and whether it stands for a figure
    for token in section:
        literal = token["quoted"] or token["escaped"] or ""
        if token["bracket"] is not None:
            if re.match(r"\$[^-]|[<>=]", token["bracket"]):
                return None
        elif token["other"] in ("0", "#", "?"):
            marks.append((token["other"], True))
        elif token["other"] and token["other"] not in " ()+-:'":
            return None
        else:
            marks += [(letter, False) for letter in literal or token["other"] or ""]
    figures = [place for place, (_, is_figure) in enumerate(marks) if is_figure]
    if not figures or any(unicodedata.category(letter) == "Sc" for letter, _ in marks):
        return None
    zeros = sum(letter == "0" for letter, is_figure in marks if is_figure)
    if zeros < 2 and not any(letter.strip() and not is_figure for letter, is_figure in marks[: figures[-1]]):
        return None

    head, within, tail = marks[: figures[0]], marks[figures[0] : figures[-1] + 1], marks[figures[-1] + 1 :]
    before, after = ("".join(letter for letter, _ in part) for part in (head, tail))

    def form(value: str) -> str:
        text = number_text(value)
        if not text.isdecimal():
            return text
        text = text.lstrip("0").zfill(zeros)
        if len(within) > len(figures):
            text = _spread(text, within)
        return f"{before}{text}{after}".strip()

    return form


def _spread(figures: str, marks: list[tuple[str, bool]]) -> str:
    """Return the figures with what stands between their places; those too many for the places come first."""
    left = list(figures)
    made = [left.pop() if is_figure and left else "" if is_figure else letter for letter, is_figure in reversed(marks)]
    return "".join(left) + "".join(reversed(made))
