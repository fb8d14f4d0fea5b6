"""Tables as people upload them: every usual encoding and separator, and files made to do harm."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, datetime

import pytest
from openpyxl import Workbook

from routing.spreadsheets import reading
from routing.spreadsheets.reading import BadTable, read_table
from tests.data import data_path

LINES = [["Имя", "Телефон", "Город"], ["Анна Петрова", "+7 912 345-67-89", "Ёлкино"], ["Иван", "8 (912) 1", "Москва"]]


def csv_bytes(delimiter: str, encoding: str) -> bytes:
    return "\r\n".join(delimiter.join(cells) for cells in LINES).encode(encoding)


def workbook(*rows: list[object]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def with_part(data: bytes, name: str, content: bytes) -> bytes:
    """Return the workbook with one part replaced or added."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_separator_are_found_out(delimiter, encoding):
    table = read_table(csv_bytes(delimiter, encoding))
    assert [table.header, *(cells for _, cells in table.rows)] == LINES
    assert table.delimiter == delimiter
    assert table.encoding == ("utf-8-sig" if encoding == "utf-8" else encoding)


def test_accents_of_western_languages_are_not_taken_for_cyrillic():
    text = "nombre;ciudad\nJosé Muñoz;A Coruña\nJoão;São Paulo"
    assert read_table(text.encode("cp1252")).rows[1] == (3, ["João", "São Paulo"])


def test_what_was_found_out_can_be_overruled():
    assert read_table(b"a;b\n\xc0;2", encoding="cp1252", delimiter=";").rows == [(2, ["À", "2"])]
    with pytest.raises(BadTable, match="Choose another encoding"):
        read_table(b"a;b\n\xc0;2", encoding="utf-8-sig")


def test_a_comma_in_a_cell_does_not_make_a_column():
    text = 'name;comment\n"Ruiz; Ana";"a, b, c"\nBob;"d, e"\n'
    assert read_table(text.encode()).rows == [(2, ["Ruiz; Ana", "a, b, c"]), (3, ["Bob", "d, e"])]


def test_excels_own_first_line_names_the_separator_and_counts_as_a_row():
    assert read_table(b"sep=;\r\na;b\r\n1;2").rows == [(3, ["1", "2"])]


def test_empty_rows_are_left_out_and_the_others_keep_their_numbers():
    assert read_table(b"\n\na,b\n\n1,2\n,\n3,4\n").rows == [(5, ["1", "2"]), (7, ["3", "4"])]


def test_short_rows_are_filled_and_long_ones_kept_to_be_refused():
    assert read_table(b"a,b\n1\n1,2,3\n1,2,,\n").rows == [(2, ["1", ""]), (3, ["1", "2", "3"]), (4, ["1", "2"])]


def test_line_breaks_in_cells_are_kept():
    assert read_table(b'a,b\n"one\ntwo",2\n').rows == [(2, ["one\ntwo", "2"])]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,b\n", "no rows"),
        (b'a,b\n"never closed' + b"x" * 200_000, "never closed"),
        (b"a,b\n" + b"x" * 200_000 + b",1", "too long"),
        (b"a,b\n" + b"1," * 200 + b"1", "more than 100 columns"),
        (b"x," * 200 + b"x\n1", "more than 100 columns"),
        (b"\xd0\xcf\x11\xe0 old excel", "old or protected"),
        (b"PK\x03\x04 no archive", "workbook cannot be read"),
        (b"a" * (reading.MOST_BYTES + 1), "larger than 16 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(data, message):
    with pytest.raises(BadTable, match=message):
        read_table(data)


def test_there_is_a_most_of_rows():
    with pytest.raises(BadTable, match="more than 50000 rows"):
        read_table(b"a,b\n" + b"1,2\n" * 50_001)


def test_a_workbook_is_read_as_its_reader_sees_it():
    data = workbook(
        ["name", "phone", "when", "ok"],
        ["Ana", 12025550123, datetime(2026, 3, 2, 9, 30), True],  # noqa: DTZ001  # of a spreadsheet
        ["Bob", 12025550124.0, date(2026, 3, 2), 1.5],
        [None, None, None, None],
        ["Eva", "+34600000000", None, "x"],
    )
    assert read_table(data).rows == [
        (2, ["Ana", "12025550123", "2026-03-02 09:30:00", "true"]),
        (3, ["Bob", "12025550124", "2026-03-02", "1.5"]),
        (5, ["Eva", "+34600000000", "", "x"]),
    ]


def test_a_cell_in_the_farthest_corner_costs_nothing_and_is_not_dropped_in_silence():
    book = Workbook()
    book.active["A1"], book.active["B1"], book.active["A2"] = "name", "phone", "Ana"
    book.active["XFD1048576"] = " "
    file = io.BytesIO()
    book.save(file)
    assert read_table(file.getvalue()).rows == [(2, ["Ana", ""])]
    book.active["XFD1048576"] = "far"
    book.save(file)
    with pytest.raises(BadTable, match="Row 1048576 has more than 100 columns"):
        read_table(file.getvalue())


SHEET = b"""<?xml version="1.0"?>%s<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row r="2"><c r="A2" t="inlineStr"><is><t>%s</t></is></c></row>
</sheetData></worksheet>"""


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/media/bomb.bin", b"\0" * (8 * 1024 * 1024)),  # packed a thousand times
        ("xl/media/large.bin", b"0123456789" * 7_000_000),  # larger than the most that is unpacked
        ("xl/worksheets/sheet1.xml", SHEET % (b'<!DOCTYPE x [<!ENTITY e "aaaaaaaaaa">]>', b"&e;")),
        ("xl/worksheets/sheet1.xml", SHEET % (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', b"&e;")),
        ("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row"),
        ("xl/workbook.xml", b"nonsense"),
        ("_rels/.rels", b""),
        ("xl/_rels/workbook.xml.rels", b"<Relationships/>"),
    ],
)
def test_a_workbook_made_to_do_harm_is_refused(part, content):
    with pytest.raises(BadTable):
        read_table(with_part(workbook(["a"], ["b"]), part, content))


def test_naughty_strings_come_through_whole():
    with data_path("naughty_strings/blns.json").open(encoding="utf-8") as file:
        strings = [text.strip() for text in json.load(file) if text.strip()]
    lines = "n,text\r\n" + "".join('{},"{}"\r\n'.format(n, text.replace('"', '""')) for n, text in enumerate(strings))
    read = {cells[0]: cells[1] for _, cells in read_table(lines.encode()).rows}
    assert [read[str(n)] for n, _ in enumerate(strings)] == strings
