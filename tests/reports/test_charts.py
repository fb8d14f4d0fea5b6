"""Charts as shapes: what is written on them can be read, at a desk and on a phone."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from django.utils.formats import date_format

from reports import charts
from reports.charts import LETTER, Axis, Bar, Key, Series
from reports.drawing import Drawing, Text

PHONE = 342  # pixels that a card of 390 leaves to a chart
LONG = "Maximiliane Featherstonehaugh · new-applications"


def bar_chart() -> Drawing:
    keys = [Key(name=name, color="blue") for name in ("Accepted", "Declined", "Timed out", "Withdrawn", "Open")]
    lines = [Bar(name=LONG, parts=[("blue", n)], said="12 345 / 12 345,6", mark=7, interval=(1, 8)) for n in range(9)]
    return charts.bars(lines, title="Bars", keys=keys)


def line_chart(days: int = 30) -> Drawing:
    names = [date_format(date(2026, 10, 28) + timedelta(days=n), "MONTH_DAY_FORMAT") for n in range(days)]
    series = [Series(name=LONG, color=hue, values=[n % 3 for n in range(days)]) for hue in charts.HUES]
    steps = [(level, f"{level:+.2f}") for level in (0, 1, 2)]
    return charts.lines(series, along=Axis(names=names), title="Lines", steps=steps)


def heat_map() -> Drawing:
    cells = {(day, hour): (day * hour, "said") for day in range(7) for hour in range(24)}
    hours = Axis(names=[str(hour) for hour in range(24)], every=3)
    return charts.heat(cells, down=["Wednesday"] * 7, across=hours, title="Heat")


def ends(text: Text) -> tuple[float, float]:
    """Return from where to where the text reaches."""
    width = len(text.text) * LETTER * text.size / 12
    start = text.x - {"start": 0.0, "middle": width / 2, "end": width}[text.anchor]
    return start, start + width


SHEETS = pytest.mark.parametrize("narrow", [False, True], ids=["desk", "phone"])
CHARTS = pytest.mark.parametrize("make", [bar_chart, line_chart, heat_map])


def sheet(drawing: Drawing, narrow: bool) -> Drawing:
    return drawing.narrow if narrow else drawing


@SHEETS
@CHARTS
def test_all_that_is_written_stands_on_the_sheet_and_nothing_on_anything_else(make, narrow):
    drawing = sheet(make(), narrow)
    written = [shape for shape in drawing.shapes if isinstance(shape, Text)]
    for text in written:
        start, end = ends(text)
        assert start >= -1, text
        assert end <= drawing.width + 1, text
        assert text.y <= drawing.height
    for one, other in pairwise(sorted(written, key=lambda text: (text.y, ends(text)[0]))):
        assert one.y != other.y or ends(one)[1] <= ends(other)[0], (one, other)


@CHARTS
def test_on_a_phone_nothing_is_made_smaller_than_it_can_be_read(make):
    assert make().narrow.width <= PHONE


@SHEETS
@pytest.mark.parametrize("days", [1, 7, 30, 31])
def test_the_days_along_a_line_do_not_touch(days, narrow):
    drawing = sheet(line_chart(days), narrow)
    lowest = max(shape.y for shape in drawing.shapes if isinstance(shape, Text))
    along = [ends(shape) for shape in drawing.shapes if isinstance(shape, Text) and shape.y == lowest]
    assert along
    assert all(end + 6 <= start for (_, end), (start, _) in pairwise(along))
