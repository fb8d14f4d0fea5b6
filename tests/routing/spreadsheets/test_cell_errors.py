"""Cells in which a formula failed are told, and are nobody's name."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from routing.spreadsheets.leads import Reading, read_row

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def read(*cells: str, columns: tuple[str, ...] = ("contact.email", "company.name", "fields")):
    how = Reading(header=["E-mail", "Company", "Plan"], columns=list(columns), zone=ZoneInfo("UTC"))
    return read_row(list(cells), how, at=AT)


@pytest.mark.parametrize("error", ["#N/A", "#REF!", "#DIV/0!", "#Н/Д", "#¡VALOR!", "#NOME?"])
def test_an_error_of_the_spreadsheet_refuses_the_row_and_says_where_it_stands(error):
    form, faults = read("ann@example.com", error, error)
    assert faults == [
        f"Column B (Company): the spreadsheet shows the error {error}. Fix the formula, or clear the cell.",
        f"Column C (Plan): the spreadsheet shows the error {error}. Fix the formula, or clear the cell.",
    ]
    assert error not in str(form)


def test_an_error_in_a_column_that_is_left_out_does_no_harm():
    assert read("ann@example.com", "Ruiz SL", "#N/A", columns=("contact.email", "company.name", ""))[1] == []


@pytest.mark.parametrize("text", ["#1", "# N/A", "#N/A or so", "n/a", "#hashtag!"])
def test_other_texts_are_texts(text):
    assert read("ann@example.com", text, text)[1] == []
