"""Rows of a table as leads: columns known by their titles, cells read as people write them, faults in words."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from routing.intake.fields import LONGEST
from routing.intake.kinds import BadValue
from routing.intake.reading import read_lead
from routing.models import Company, Contact, Lead
from routing.spreadsheets.leads import (
    OWN,
    TEMPLATE_HEADER,
    TEMPLATE_ROW,
    BadCell,
    Reading,
    amount,
    columns_to_join,
    faults_of_columns,
    guess_columns,
    own_names,
    read_row,
)

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


def read(columns: dict[str, str], *, own: bool = False):
    """Read one row: key of the column → cell. own: title of a column that is kept → cell."""
    keys = [OWN] * len(columns) if own else list(columns)
    how = Reading(header=list(columns), columns=keys, zone=MADRID)
    return read_row(list(columns.values()), how, at=AT)


def read_columns(*columns: tuple[str, str, str]):
    """Read one row: title, key and cell of each column."""
    header, keys, cells = zip(*columns, strict=True)
    return read_row(cells, Reading(header=header, columns=keys, zone=MADRID), at=AT)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (["Name", "E-Mail", "Phone Number", "Company"], ["contact.name", "contact.email", "contact.phone", "company.name"]),
        (["ФИО", "Эл. почта", "Телефон", "Бюджет"], ["contact.name", "contact.email", "contact.phone", "budget"]),
        (["Nombre", "Correo electrónico", "Teléfono", "País"], ["contact.name", "contact.email", "contact.phone", "country"]),
        (["Name", "Name", ""], ["contact.name", OWN, ""]),
        (["utm_source", "Lead Origin"], ["utm.source", OWN]),
    ],
)  # fmt: skip
def test_columns_are_known_by_their_titles(header, columns):
    assert guess_columns(header, []) == columns


TITLES = {
    "name": ["Lead Title", "Deal name", "Título del lead", "Título do lead", "Название сделки", "Тема"],
    "contact.name": ["Customer Name", "Primary contact", "Nombre completo", "Nome completo", "Имя клиента", "Контактное лицо"],
    "contact.email": ["E-mail 2", "Work E-mail Address", "Email ID", "Correo electrónico del cliente", "Endereço de e-mail",
                      "Эл. почта", "E-mail клиента"],
    "contact.phone": ["Mob. Tel", "Tel.", "Phone No.", "Mobile (work)", "phoneNumber", "Nº de teléfono", "Tlf. móvil",
                      "Telefone celular", "Моб. тел.", "Номер телефона", "Телефон клиента", "WhatsApp number"],
    "contact.first_name": ["Contact: First Name", "Given name", "Primer nombre", "Primeiro nome"],
    "contact.last_name": ["Last Name", "Surname", "Apellidos", "Sobrenome", "Último nome", "Фамилия"],
    "contact.middle_name": ["Middle Name", "Segundo nombre", "Nome do meio", "Отчество"],
    "contact.salutation": ["Salutation", "Tratamiento", "Tratamento", "Обращение"],
    "company.name": ["Company Name", "Account name", "Razón social", "Nome da empresa", "Название компании"],
    "company.domain": ["Company website", "Sitio web", "Site da empresa", "Веб-сайт"],
    "external_id": ["LeadID", "Lead No.", "ID сделки", "ID do lead"],
    "budget": ["Deal Amount", "Importe", "Orçamento", "Сумма сделки"],
    "postal_code": ["Zip/Postal Code", "Cód. postal", "CEP", "Почтовый индекс"],
    "comment": ["Notes", "Observaciones", "Mensagem", "Примечание"],
    "arrived_at": ["Created Date", "Timestamp", "Fecha de creación", "Carimbo de data/hora", "Отметка времени", "Дата создания"],
    OWN: ["Lead Source", "Lead Owner", "Last contact", "Client ID", "Job title", "Contact Title", "Date of birth",
          "Company Phone", "Score", "Источник", "Должность", "Cargo"],
}  # fmt: skip


@pytest.mark.parametrize(("title", "key"), [(title, key) for key, titles in TITLES.items() for title in titles])
def test_a_column_is_known_by_the_words_of_its_title(title, key):
    assert guess_columns([title], []) == [key]


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        (["First Name", "Last Name"], ["Ann", "Smith"], "Ann Smith"),
        (["Last", "First"], ["Smith", "Ann"], "Ann Smith"),
        (["Name", "Surname"], ["Ann", "Smith"], "Ann Smith"),
        (["Title", "First Name", "Middle Name", "Last Name"], ["Dr.", "Ann", "B.", "Smith"], "Dr. Ann B. Smith"),
        (["Фамилия", "Имя", "Отчество"], ["Иванова", "Анна", "Петровна"], "Анна Петровна Иванова"),
        (["Обращение", "Имя", "Фамилия"], ["г-жа", "Анна", "Иванова"], "г-жа Анна Иванова"),
        (["Nombre", "Primer apellido", "Segundo apellido"], ["Ana", "Ruiz", "Gil"], "Ana Ruiz Gil"),
        (["Tratamiento", "Apellidos", "Nombre"], ["Sra.", "Ruiz Gil", "Ana"], "Sra. Ana Ruiz Gil"),
        (["Nome", "Sobrenome"], ["Ana", "Souza"], "Ana Souza"),
        (["Name", "First Name", "Last Name"], ["Smith, Ann", "Ann", "Smith"], "Ann Smith"),
        (["First Name", "Last Name"], ["", "Smith"], "Smith"),
    ],
)
def test_the_parts_of_a_name_join_in_its_order(header, row, name):
    columns = guess_columns(header, [row])
    form, faults = read_row(row, Reading(header=header, columns=columns, zone=MADRID), at=AT)
    assert (form["contact"], faults) == ({"name": name}, [])


def test_a_title_of_persons_is_no_title_of_leads():
    assert guess_columns(["Title"], [["Mrs"], ["Dr."]]) == ["contact.salutation"]
    assert guess_columns(["Title"], [["Mrs"], ["A new kitchen"]]) == ["name"]


def test_dates_of_something_else_are_no_instants():
    assert guess_columns(["Data"], [["red"], ["green"]]) == [OWN]
    assert guess_columns(["Data"], [["20/11/2026"], ["soon"]]) == ["arrived_at"]


def test_columns_of_one_field_are_offered_to_be_joined():
    header = ["Phone", "Mobile", "Notes", "Comment", "Score"]
    columns = guess_columns(header, [])
    assert columns == ["contact.phone", OWN, "comment", OWN, OWN]
    assert columns_to_join(header, columns, []) == {"contact.phone": [0, 1], "comment": [2, 3]}
    assert columns_to_join(["a", "b"], ["budget", "budget"], []) == {"budget": [0, 1]}
    assert columns_to_join(["Last name", "2nd"], ["contact.last_name"] * 2, []) == {}


def test_joined_texts_are_one_and_of_joined_phones_the_first_counts_and_none_is_lost():
    form, faults = read_columns(
        ("Notes", "comment", "one"), ("Phone", "contact.phone", ""), ("Mobile", "contact.phone", "+34 600 010 101"),
        ("Fax", "contact.phone", "+34 910 000 333"), ("Comment", "comment", "two"), ("Date", "arrived_at", "2026-03-01"),
        ("Time", "arrived_at", "9:05 AM"),
    )  # fmt: skip
    assert faults == []
    assert form["comment"] == "one\ntwo"
    assert form["contact"] == {"phone": "+34 600 010 101"}
    assert form["fields"] == {"Fax": "+34 910 000 333"}
    assert form["arrived_at"] == datetime(2026, 3, 1, 8, 5, tzinfo=UTC)


def test_fields_of_one_title_are_all_kept():
    form, _ = read_columns(("Score", OWN, "1"), ("Score", OWN, "2"), ("", OWN, "3"))
    assert form["fields"] == {"Score": "1", "Score (2)": "2", "Column 3": "3"}
    names = own_names(["Score", "Score", "Score (2)"], [OWN] * 3)
    assert list(names.values()) == ["Score", "Score (3)", "Score (2)"]
    assert (
        "at most 200 characters" in faults_of_columns(["contact.email", OWN, OWN], ["E-mail", "x" * 199, "x" * 199])[0]
    )
    assert own_names(["Score", "Score"], [OWN, ""]) == {0: "Score"}


def test_a_column_of_country_names_is_not_taken_for_codes():
    assert guess_columns(["Country"], [["India"], ["ES"]]) == [OWN]
    assert guess_columns(["Country"], [["es"], ["IN"], [""]]) == ["country"]


def test_a_choice_of_columns_needs_somebody_to_reach():
    assert len(faults_of_columns(["name", "budget"], ["Name", "Budget"])) == 1
    assert faults_of_columns(["contact.email", OWN, OWN, "", ""], ["E-mail", "A", "B", "C", "D"]) == []


def test_several_columns_of_one_field_are_joined_only_where_somebody_said_so():
    columns = ["contact.email", "contact.email"]
    [fault] = faults_of_columns(columns, ["Work", "Home"])
    assert "“Contact: e-mail”: “Work”, “Home”" in fault
    assert faults_of_columns(columns, ["Work", "Home"], ["contact.email"]) == []


def test_a_name_is_chosen_whole_or_in_its_parts():
    [fault] = faults_of_columns(["contact.name", "contact.last_name", "contact.email"], ["Name", "Surname", "E-mail"])
    assert "not for both" in fault


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
    for length in (LONGEST[place], LONGEST[place] + 1):
        sent = {name: "x" * length}
        with pytest.raises(BadValue) if length > LONGEST[place] else nullcontext():
            read_lead({group: sent} if group else sent, at=AT, zone=MADRID)
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
    columns = guess_columns(TEMPLATE_HEADER, [TEMPLATE_ROW])
    assert OWN not in columns
    form, faults = read_row(TEMPLATE_ROW, Reading(header=TEMPLATE_HEADER, columns=columns, zone=MADRID), at=AT)
    assert faults == []
    assert (form["contact"]["email"], form["budget"], form["tags"]) == (
        "ana@example.com",
        Decimal(1200),
        ["demo", "spring"],
    )
