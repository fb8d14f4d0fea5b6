"""Tables that people take home: whatever a visitor typed into a form, no spreadsheet runs it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from routing.spreadsheets.writing import CUT, LONGEST_CELL, csv_lines, plain_text, safe_text, xlsx_file
from tests.data import data_path

DANGEROUS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    '=HYPERLINK("http://x.example","y")',
    "=cmd|' /C calc'!A0",
    "＝1+1",
    "-2+3+cmd|' /C calc'!A0",
]


def read_csv(rows: list[list[object]]) -> list[list[str]]:
    text = "".join(csv_lines(["a", "b"][: len(rows[0])], rows))
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))[1:]


def read_xlsx(rows: list[list[object]]) -> list[tuple[object, ...]]:
    with xlsx_file(["a", "b"][: len(rows[0])], rows) as file:
        return [tuple(cell for cell in row) for row in load_workbook(file).active.iter_rows(min_row=2)]


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_of_a_csv_file_begins_like_a_formula(text):
    [[cell]] = read_csv([[text]])
    assert cell[0] == "'"
    assert plain_text(cell) == text


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_was_made_safe_is_read_back_as_it_was(text):
    assert plain_text(safe_text(text)) == text


def test_telephone_numbers_stay_whole():
    [[csv_cell]] = read_csv([["+34600000000"]])
    [[xlsx_cell]] = read_xlsx([["+34600000000"]])
    assert plain_text(csv_cell) == "+34600000000"
    assert (xlsx_cell.value, xlsx_cell.data_type) == ("+34600000000", "s")


def test_numbers_are_numbers_and_instants_are_written_with_their_zone():
    at = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    assert read_csv([[-5, Decimal("12.50")], [at, None], [True, 1]]) == [
        ["-5", "12.5"], ["2026-03-02T10:00:00+00:00", ""], ["true", "1"],
    ]  # fmt: skip
    [first, *_] = read_xlsx([[-5, Decimal("12.50")]])
    assert [(cell.value, cell.data_type) for cell in first] == [(-5, "n"), (12.5, "n")]


@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_of_a_workbook_is_a_formula(text):
    [[cell]] = read_xlsx([[text]])
    assert cell.data_type == "s"


def test_naughty_strings_are_written_and_none_is_run():
    with data_path("naughty_strings/blns.json").open(encoding="utf-8") as file:
        strings = [text for text in json.load(file) if text]
    cells = read_csv([[text, 1] for text in strings])
    assert [plain_text(cell) for cell, _ in cells] == [text.replace("\x00", "") for text in strings]
    assert not [cell for cell, _ in cells if cell.lstrip()[:1] in tuple("=+-@")]
    assert {row[0].data_type for row in read_xlsx([[text, 1] for text in strings]) if row[0].value} == {"s"}


def test_a_cell_longer_than_excel_knows_is_cut_and_says_so():
    [[cell]] = read_xlsx([["x" * 40_000]])
    assert len(cell.value) == LONGEST_CELL
    assert cell.value.endswith(CUT)


def test_control_characters_and_halves_of_characters_break_no_file():
    assert read_csv([["a\x00b\ud800c", 1]]) == [["ab?c", "1"]]
    assert read_xlsx([["a\x00\x1b[31mb\ud800", 1]])[0][0].value == "a[31mb"


def test_a_long_table_comes_in_chunks():
    chunks = list(csv_lines(["n"], ([n] for n in range(1000))))
    assert len(chunks) > 3
    assert "".join(chunks).count("\r\n") == 1001
