"""Rows of a table as leads: columns known by their titles, cells read as people write them, faults in words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from routing.api.serializers import LEAD_IN
from routing.intake.limits import LONGEST
from routing.models import Company, Contact, Lead
from routing.spreadsheets.leads import (
    OWN,
    TEMPLATE_HEADER,
    TEMPLATE_ROW,
    BadCell,
    Reading,
    amount,
    faults_of_columns,
    guessed_columns,
    instant,
    read_row,
)

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


def read(columns: dict[str, str], *, month_first: bool = False, own: bool = False):
    """Read one row: key of the column → cell. own: title of a column that is kept → cell."""
    keys = [OWN] * len(columns) if own else list(columns)
    how = Reading(header=list(columns), columns=keys, zone=MADRID, month_first=month_first)
    return read_row(list(columns.values()), how, at=AT)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["Name", "E-Mail", "Phone Number", "Company"], ["contact.name", "contact.email", "contact.phone", "company.name"]),
        (["ФИО", "Эл. почта", "Телефон", "Бюджет"], ["contact.name", OWN, "contact.phone", "budget"]),
        (["Nombre", "Correo electrónico", "Teléfono", "País"], ["contact.name", "contact.email", "contact.phone", "country"]),
        (["Name", "Name", ""], ["contact.name", OWN, ""]),
        (["utm_source", "Lead Origin"], ["utm.source", OWN]),
    ],
)  # fmt: skip
def test_columns_are_known_by_their_titles(header, columns):
    assert guessed_columns(header, []) == columns


def test_a_column_of_country_names_is_not_taken_for_codes():
    assert guessed_columns(["Country"], [["India"], ["ES"]]) == [OWN]
    assert guessed_columns(["Country"], [["es"], ["IN"], [""]]) == ["country"]


def test_a_choice_of_columns_needs_somebody_to_reach():
    assert len(faults_of_columns(["name", "budget"], ["Name", "Budget"])) == 1
    assert "Contact: e-mail" in faults_of_columns(["contact.email", "contact.email"], ["E-mail", "Mail"])[0]
    assert faults_of_columns(["contact.email", OWN, OWN, "", ""], ["E-mail", "A", "B", "C", "D"]) == []


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1200", "1200"), ("1 200,50 €", "1200.50"), ("1,200.50", "1200.50"), ("1.200,5", "1200.5"), ("1.200", "1200"),
        ("1,200,300", "1200300"), ("$0.99", "0.99"), ("1\u00a0200 руб.", "1200"), ("12,5", "12.5"), ("EUR 7", "7"),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(cell, expected):
    assert amount(cell) == Decimal(expected)


@pytest.mark.parametrize("cell", ["-5", "1e3", "about 100", "1,2,3", "1.2.3", "٣", "9" * 13, "nan", "1,2345"])
def test_what_is_no_amount_is_refused(cell):
    with pytest.raises(BadCell):
        amount(cell)


@pytest.mark.parametrize(
    ("cell", "month_first", "expected"),
    [
        ("2026-03-01", False, "2026-02-28T23:00:00+00:00"),  # midnight in Madrid
        ("2026-03-01 09:30", False, "2026-03-01T08:30:00+00:00"),
        ("2026-03-01T09:30:15.5Z", False, "2026-03-01T09:30:15+00:00"),
        ("2026-03-01T09:30+05:30", False, "2026-03-01T04:00:00+00:00"),
        ("01.02.2026 7:05", False, "2026-02-01T06:05:00+00:00"),
        ("01/02/2026", False, "2026-01-31T23:00:00+00:00"),
        ("01/02/2026", True, "2026-01-01T23:00:00+00:00"),
        ("01.02.2026", True, "2026-01-31T23:00:00+00:00"),  # with dots it is the day everywhere
    ],
)
def test_dates_are_read_in_the_accounts_zone(cell, month_first, expected):
    how = Reading(header=[], columns=[], zone=MADRID, month_first=month_first)
    assert instant(cell, how, at=AT).isoformat() == expected


@pytest.mark.parametrize(
    "cell", ["soon", "31.02.2026", "2026-13-01", "1969-01-01", "2026-03-05", "0001-01-01T00:00+14:00", "13/13/2026"]
)
def test_what_is_no_date_that_a_lead_can_have_is_refused(cell):
    with pytest.raises(BadCell):
        instant(cell, Reading(header=[], columns=[], zone=MADRID), at=AT)


def test_a_phone_that_the_spreadsheet_rounded_is_refused_and_says_how_to_mend_it():
    form, [fault] = read({"contact.phone": "3,46E+10"})
    assert "format the column as text" in fault
    assert form["contact"] == {}


def test_faults_name_their_columns_and_the_rest_is_read():
    form, faults = read({"contact.email": "a@x.example", "budget": "much", "country": "Spain", OWN: "240"})
    assert form["contact"] == {"email": "a@x.example"}
    assert form["fields"] == {OWN: "240"}
    assert [fault.split(":")[0] for fault in faults] == ["Budget", "Country, two letters"]


def test_control_characters_go_and_in_an_identifier_they_are_refused():
    form, [fault] = read({"name": "a\x00b\x1b", "comment": "one\r\ntwo", "external_id": "x\x00"})
    assert (form["name"], form["comment"]) == ("ab", "one\ntwo")
    assert fault.startswith("External id")


def test_a_huge_cell_is_refused_and_never_cut():
    _, [fault] = read({"comment": "x" * 40_000})
    assert "32767" in fault
    _, [fault] = read({"product": "x" * 201})
    assert "200" in fault


def test_a_row_with_more_cells_than_columns_is_refused():
    how = Reading(header=["a"], columns=["name"], zone=MADRID)
    assert read_row(["x", "y"], how, at=AT)[1] == ["The row has more cells than the table has columns."]


@pytest.mark.parametrize("place", LONGEST)
def test_a_field_holds_as_much_as_the_api_takes_and_the_database_keeps(place):
    group, _, name = place.rpartition(".")
    model: Any = {"": Lead, "contact": Contact, "company": Company}[group]
    assert model._meta.get_field(name).max_length == LONGEST[place]
    reader = LEAD_IN.fields[group].fields[name] if group else LEAD_IN.fields[name]
    assert reader.max_length == LONGEST[place]
    assert read({place: "x" * LONGEST[place]})[1] == []
    assert len(read({place: "x" * (LONGEST[place] + 1)})[1]) == 1


def test_a_title_that_is_too_long_for_a_field_is_refused_and_never_cut():
    assert read({"x" * 200: "gold"}, own=True)[0]["fields"] == {"x" * 200: "gold"}
    form, faults = read({"x" * 201: "gold"}, own=True)
    assert form["fields"] == {}
    assert [fault[200:] for fault in faults] == [
        ": at most 200 characters are allowed in the title of a column that is kept as a field, this has 201"
    ]
    [fault] = faults_of_columns(["contact.email", OWN, ""], ["E-mail", "x" * 201, "y" * 300])
    assert (
        fault
        == f"{'x' * 40}…: at most 200 characters are allowed in the title of a column that is kept as a field, this has 201"
    )


def test_the_template_is_a_table_that_reads_itself():
    columns = guessed_columns(TEMPLATE_HEADER, [TEMPLATE_ROW])
    assert OWN not in columns
    form, faults = read_row(TEMPLATE_ROW, Reading(header=TEMPLATE_HEADER, columns=columns, zone=MADRID), at=AT)
    assert faults == []
    assert (form["contact"]["email"], form["budget"], form["tags"]) == (
        "ana@example.com",
        Decimal(1200),
        ["demo", "spring"],
    )
