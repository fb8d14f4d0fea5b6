"""Dates as people write them, and the order of day and month that a column shows."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.dates import MONTHS, MONTHS_3, MONTHS_ALT, MONTHS_AP

from routing.spreadsheets.dates import BadDate, day_order, instant

AT = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


def read(text: str, *, month_first: bool | None = False) -> str:
    return instant(text, zone=MADRID, month_first=month_first, at=AT).isoformat()


def order(*cells: str):
    return day_order(enumerate(cells, start=2))


@pytest.mark.parametrize(
    ("cell", "month_first", "expected"),
    [
        ("2026-03-01", None, "2026-02-28T23:00:00+00:00"),  # midnight in Madrid
        ("2026-03-01 09:30", None, "2026-03-01T08:30:00+00:00"),
        ("2026-03-01T09:30:15.5Z", None, "2026-03-01T09:30:15+00:00"),
        ("2026-03-01T09:30+05:30", None, "2026-03-01T04:00:00+00:00"),
        ("01.02.2026 7:05", False, "2026-02-01T06:05:00+00:00"),
        ("01/02/2026", False, "2026-01-31T23:00:00+00:00"),
        ("01/02/2026", True, "2026-01-01T23:00:00+00:00"),
        ("03/03/2026", None, "2026-03-02T23:00:00+00:00"),  # whichever comes first
        ("2026/11/20", None, "2026-11-19T23:00:00+00:00"),
        ("2026.11.20 9:05", None, "2026-11-20T08:05:00+00:00"),
        ("11/20/2026 9:05 AM", True, "2026-11-20T08:05:00+00:00"),
        ("11/20/2026 9:05:33\u202fPM", True, "2026-11-20T20:05:33+00:00"),
        ("20/11/2026, 9:05 p. m.", False, "2026-11-20T20:05:00+00:00"),
        ("2026-11-20 12:15 AM", None, "2026-11-19T23:15:00+00:00"),
        ("2026-11-20 12:15 pm", None, "2026-11-20T11:15:00+00:00"),
        ("Nov 20, 2026 9 pm", None, "2026-11-20T20:00:00+00:00"),
        ("20-Nov-2026", None, "2026-11-19T23:00:00+00:00"),
        ("20-Nov-26", None, "2026-11-19T23:00:00+00:00"),
        ("20-сент-2026", None, "2026-09-19T22:00:00+00:00"),
        ("20 ноября 2026 г. 9:05", None, "2026-11-20T08:05:00+00:00"),
        ("20 de noviembre de 2026", None, "2026-11-19T23:00:00+00:00"),
        ("1º de março de 2026", None, "2026-02-28T23:00:00+00:00"),
        ("November 20th, 2026", None, "2026-11-19T23:00:00+00:00"),
        ("Fri, 20 Nov 2026 09:00:00 +0100", None, "2026-11-20T08:00:00+00:00"),
        ("segunda-feira, 16 de março de 2026", None, "2026-03-15T23:00:00+00:00"),
        ("20.11.26", False, "2026-11-19T23:00:00+00:00"),
        ("11/20/99", True, "1999-11-19T23:00:00+00:00"),
    ],
)
def test_dates_are_read_in_the_zone_of_the_account(cell, month_first, expected):
    assert read(cell, month_first=month_first) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "soon", "31.02.2026", "2026-13-01", "1969-01-01", "2026-12-05", "0001-01-01T00:00+14:00", "13/13/2026", "2026",
        "Nov 2026", "20 2026 Nov", "20 x 2026", "20 ма 2026", "31 Feb 2026", "2026-W10-1", "Q1 2026", "9:05", "20260302",
        "2026-11-20 13:00 PM", "2026-11-20 0:15 AM", "2026-11-20 14:00-15:00", "26-11-20", "20/Nov/2026/11", "٢٠/11/2026",
        "x" * 100,
    ],
)  # fmt: skip
def test_what_is_no_date_that_a_lead_can_have_is_refused(cell):
    with pytest.raises(BadDate):
        read(cell)


def test_a_date_of_two_readings_is_not_read_before_somebody_said_which():
    with pytest.raises(BadDate, match="day or the month first"):
        read("03/02/2026", month_first=None)


def test_the_months_of_every_language_are_known_and_none_is_two():
    for names in (MONTHS, MONTHS_3, MONTHS_AP, MONTHS_ALT):
        for number in names:
            for language, _name in settings.LANGUAGES:
                with translation.override(language):
                    word = str(names[number])
                assert read(f"15 {word} 2025").startswith(f"2025-{number:02}-1"), word


@pytest.mark.parametrize(
    ("cells", "proposal"),
    [
        (["03/02/2026", "20/11/2026", "soon"], False),
        (["03/02/2026", "11/20/2026 9:05 AM"], True),
        (["11-20-2026"], True),
        (["03/02/2026", "04/05/2026"], None),
        (["2026-11-20", "20-Nov-2026", "03/03/2026"], None),
        (["02.03.2026"], False),  # with dots it is the day nearly everywhere
        (["02.03.2026", "03/04/2026"], None),
        (["02.03.2026", "03.20.2026"], True),
        (["20/11/2026", "11/20/2026"], None),
        (["02.03.2026", "11/20/2026"], None),
        (["13/13/2026", "03/02/2026"], None),
    ],
)
def test_a_column_shows_the_order_of_day_and_month(cells, proposal):
    assert order(*cells).month_first_proposal is proposal


def test_what_a_column_does_not_show_is_asked():
    shown = order("2026-11-20", "03/02/2026")
    assert "“03/02/2026”" in shown.fault(None)
    assert shown.fault(True) == shown.fault(False) == ""
    assert not order("2026-11-20", "03/03/2026").matters


@pytest.mark.parametrize("cells", [["03/02/2026", "20/11/2026", "11/20/2026"], ["02.03.2026", "11/20/2026"]])
def test_a_column_of_two_orders_is_refused_whatever_is_chosen(cells):
    for month_first in (None, True, False):
        fault = order(*cells).fault(month_first)
        assert "“11/20/2026” (row" in fault
        assert "two orders" in fault


def test_a_choice_against_what_the_column_shows_is_refused():
    assert "“20/11/2026” (row 3) does not fit" in order("03/02/2026", "20/11/2026").fault(True)
    assert "“11/20/2026” (row 2) does not fit" in order("11/20/2026").fault(False)
