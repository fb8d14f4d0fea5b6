"""Workbooks: what their cells mean, and the limits of the process that reads them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from openpyxl import Workbook

from routing.spreadsheets import reading
from routing.spreadsheets.number_formats import form_of
from routing.spreadsheets.reading import BadTable, read_table
from routing.spreadsheets.writing import xlsx_file

from .test_reading import with_part, workbook

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
CODES = {164: "00000", 165: "&quot;ID-&quot;0000", 166: "+00 000 000 000", 167: "[h]:mm", 168: "#,##0.00 [$€-407]"}
HEADER = '<row r="1"><c r="A1" t="str"><v>a</v></c><c r="B1" t="str"><v>b</v></c></row>'


def book(
    rows: str, *, header: str = HEADER, texts: str = "", styles: tuple[int, ...] = (), view: str = "", prefix: str = "",
    namespace: str = MAIN, after: str = "",
) -> bytes:  # fmt: skip
    """Return a workbook as small as they come; its second sheet is empty."""
    p = prefix
    declared = f'xmlns:{p[:-1]}="{namespace}"' if p else f'xmlns="{namespace}"'
    formats = "".join(f'<{p}numFmt numFmtId="{number}" formatCode="{code}"/>' for number, code in CODES.items())
    used = "".join(f'<{p}xf numFmtId="{number}"/>' for number in (0, *styles))
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="r1" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}">'
        f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{OFFICE}/worksheet" Target="/xl/worksheets/sheet2.xml"/>'
        f'<Relationship Id="r3" Type="{OFFICE}/styles" Target="styles.xml"/>'
        f'<Relationship Id="r4" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
        "xl/workbook.xml": f'<{p}workbook {declared} xmlns:r="{OFFICE}">{view}<{p}sheets>'
        f'<{p}sheet name="A" sheetId="1" r:id="r1"/><{p}sheet name="B" sheetId="2" r:id="r2"/></{p}sheets></{p}workbook>',
        "xl/worksheets/sheet1.xml": f"<{p}worksheet {declared}><{p}sheetData>{header}{rows}</{p}sheetData>{after}</{p}worksheet>",
        "xl/worksheets/sheet2.xml": f"<{p}worksheet {declared}><{p}sheetData></{p}sheetData></{p}worksheet>",
        "xl/styles.xml": f"<{p}styleSheet {declared}><{p}numFmts>{formats}</{p}numFmts><{p}cellStyleXfs>"
        f'<{p}xf numFmtId="14"/></{p}cellStyleXfs><{p}cellXfs>{used}</{p}cellXfs></{p}styleSheet>',
        "xl/sharedStrings.xml": f"<{p}sst {declared}>{texts}</{p}sst>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def cells(*args: str, **options: object) -> list[str]:
    ((_, found),) = read_table(book(*args, **options)).rows
    return found


# What cells mean


@pytest.mark.parametrize(
    ("number", "value", "text"),
    [
        (164, "8001", "08001"),
        (164, "123456", "123456"),
        (164, "-5", "-5"),
        (165, "7", "ID-0007"),
        (166, "34600111222", "+34 600 111 222"),
        (167, "1.5", "36:00:00"),
        (168, "1200.5", "1200.5"),
        (9, "0.255", "25.5%"),
        (14, "46083", "2026-03-02"),
        (22, "46083.395833333336", "2026-03-02 09:30:00"),
        (20, "0.395833333333333", "09:30:00"),
        (14, "59", "1900-02-28"),
        (14, "61", "1900-03-01"),
        (14, "-1", "-1"),
        (14, "99999999", "99999999"),
        (0, "12025550123", "12025550123"),
        (0, "1.2025550123E10", "12025550123"),
        (0, "0.1", "0.1"),
        (0, "1.1000000000000001", "1.1"),
        (0, "123456789012345680000", "123456789012345680000"),
        (1, "3.7", "3.7"),
        (2, "3.14159", "3.14159"),
    ],
)
def test_a_number_is_read_by_its_format(number, value, text):
    assert cells(f'<row r="2"><c r="A2" s="1"><v>{value}</v></c></row>', styles=(number,))[0] == text


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("[$-409]d\\-mmm\\-yy;@", "46083", "2026-03-02"),
        ('yyyy"年"m"月"d"日"', "46083", "2026-03-02"),
        ("(000) 000\\-0000", "2025550123", "(202) 555-0123"),
        ("0000\\-00", "12345", "0123-45"),
        ("00000;;", "0", "00000"),
    ],
)
def test_a_format_that_the_workbook_names_itself(code, value, text):
    form = form_of(170, code, since_1904=False)
    assert form
    assert form(value) == text


@pytest.mark.parametrize(
    "code", ["General", "0", "0.00", "#,##0", "#,##0 \"€\"", "$0000", "[$€-407] 0000", "0 \"kg\"", "0.00E+00", "# ?/?", "@",
             "[<=9999999]000\\-0000;(000) 000\\-0000"],
)  # fmt: skip
def test_amounts_and_formats_that_depend_on_the_value_leave_the_number_as_it_is(code):
    assert form_of(170, code, since_1904=False) is None


@given(code=some.text(alphabet='0#?.,%;@-+() "\\_*[]hmsdyE/$<=aG', max_size=12), value=some.integers(0, 10**15))
def test_whatever_the_format_a_number_keeps_its_figures(code, value):
    form = form_of(170, code, since_1904=False)
    if form is None or "%" in code or any(letter in code for letter in "hmsdy"):
        return
    figures = "".join(letter for letter in form(str(value)) if letter.isdigit())
    assert figures.endswith(str(value)) or str(value) in figures or not value


def test_days_are_counted_from_1904_where_the_workbook_says_so():
    row = '<row r="2"><c r="A2" s="1"><v>0</v></c><c r="B2" s="1"><v>46083.5</v></c></row>'
    assert cells(row, styles=(14,), view='<workbookPr date1904="1"/>') == ["1904-01-01", "2030-03-03 12:00:00"]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("one_x000D_\ntwo", "one\r\ntwo"),
        ("_x005F_x0041_", "_x0041_"),
        ("_x0041_", "A"),
        ("_xD83D__xDE00_", "\N{GRINNING FACE}"),
        ("_xD83D_", "\N{REPLACEMENT CHARACTER}"),
        ("a_x00_b", "a_x00_b"),
    ],
)
@pytest.mark.parametrize("kind", ["s", "str", "inlineStr"])
def test_escaped_characters_are_the_characters(kind, written, text):
    content = {"s": "<v>0</v>", "str": f"<v>{written}</v>", "inlineStr": f"<is><t>{written}</t></is>"}[kind]
    row = f'<row r="2"><c r="A2" t="{kind}">{content}</c></row>'
    assert cells(row, texts=f"<si><t>{written}</t></si>")[0] == text


def test_what_is_exported_is_imported_again():
    texts = ["_x0041_", "_x005F_x0041_", "one_x000D_two", "=1+1", "08001"]
    with xlsx_file(["a", "b", "c", "d", "e"], [texts]) as file:
        assert read_table(file.read()).rows == [(2, texts)]


def test_every_kind_of_cell_has_its_text_and_its_place():
    row = """<row r="4" spans="1:9"><c r="B4" t="s"><v>0</v></c><c r="C4" t="inlineStr"><is><r><t>in</t></r>
      <r><rPr><b/></rPr><t xml:space="preserve"> line</t></r><rPh sb="0" eb="1"><t>no</t></rPh></is></c>
      <c r="D4" t="b"><v>1</v></c><c r="E4" t="b"><v>0</v></c><c r="F4" t="e"><f>NA()</f><v>#N/A</v></c>
      <c r="G4" t="d"><v>2026-03-02T09:30:00</v></c><c r="H4" t="str"><f>IF(1,"")</f><v></v></c>
      <c r="I4"><f>1+1</f><v>2</v></c></row>"""
    texts = '<si><t>漢字</t><rPh sb="0" eb="2"><t>かんじ</t></rPh></si>'
    data = book(row, texts=texts, after='<extLst><row r="1"><c><v>9</v></c></row></extLst>')
    assert read_table(data).rows == [
        (4, ["", "漢字", "in line", "true", "false", "#N/A", "2026-03-02 09:30:00", "", "2"])
    ]


def test_cells_without_places_follow_each_other():
    assert cells("<row><c><v>1</v></c><c/><c><v>3</v></c></row>") == ["1", "", "3"]


@pytest.mark.parametrize(("prefix", "namespace"), [("x:", MAIN), ("", STRICT)])
def test_a_workbook_of_another_dialect_is_read(prefix, namespace):
    written = '<row r="{0}"><c r="A{0}" t="{1}" s="1"><v>{2}</v></c></row>'.replace("<", "<" + prefix)
    header, row = (
        written.format(*values).replace(f"<{prefix}/", f"</{prefix}") for values in ((1, "str", "a"), (2, "n", 8001))
    )
    assert cells(row, header=header, prefix=prefix, namespace=namespace, styles=(164,)) == ["08001"]


def test_the_sheet_that_the_workbook_opens_with_is_read_unless_it_is_hidden():
    shown = Workbook()
    shown.active.append(["first"])
    second = shown.create_sheet("Leads")
    second.append(["name"])
    second.append(["Ana"])
    shown.active = second
    file = io.BytesIO()
    shown.save(file)
    assert read_table(file.getvalue()).header == ["name"]
    shown.active = shown.worksheets[0]
    shown.worksheets[0].sheet_state = "hidden"
    shown.save(file)
    assert read_table(file.getvalue()).header == ["name"]


def test_a_formula_without_its_result_is_told_and_not_read_as_nothing():
    with pytest.raises(BadTable, match="Cell B3 has a formula but no result"):
        read_table(workbook(["a", "b"], ["1", "2"], ["3", "=A2&B2"]))


def test_rows_behind_a_long_gap_are_read():
    assert read_table(book('<row r="900000"><c r="A900000"><v>1</v></c></row>')).rows == [(900_000, ["1", ""])]


# Limits


@pytest.fixture
def limits(monkeypatch):
    def lower(**lowered: int) -> None:
        monkeypatch.setattr(reading, "LIMITS", replace(reading.LIMITS, **lowered))

    return lower


@cache
def many_cells(rows: int = 45_000, columns: int = 50) -> bytes:
    """Return a workbook that takes any machine more than a second to read."""
    return book("".join(
        f'<row r="{n}">{"".join(f"<c><v>{n * column}</v></c>" for column in range(columns))}</row>'
        for n in range(2, rows + 2)
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("lowered", "make", "message"),
    [
        ({"parts": 6}, lambda: book(""), "more than 6 parts"),
        ({"unpacked": 1}, lambda: with_part(book(""), "xl/media/a.png", os.urandom(1_100_000)), r"larger than 1 MB.*xl/media/a\.png"),
        ({"part": 1}, lambda: with_part(book(""), "xl/styles.xml", os.urandom(1_100_000)), r"styles\.xml.*larger than 1 MB"),
        ({"ratio": 20}, lambda: with_part(book(""), "xl/theme.xml", b"ab" * 600_000), r"theme\.xml.*more than 20 times"),
        ({"columns": 5}, lambda: book('<row r="2"><c r="F2"><v>1</v></c></row>'), "Row 2 has more than 5 columns"),
        (
            {"text": 1},
            lambda: book("".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(2, 50)),
                 texts=f"<si><t>{'x' * 30_000}</t></si>"),
            "more than 1 MB of text",
        ),
        ({"memory": 40}, lambda: book("", texts="".join(f"<si><t>{n:0100}</t></si>" for n in range(200_000))), "40 MB of memory"),
        pytest.param({"seconds": 1, "waiting": 90}, many_cells, "more than 1 seconds of computing time", marks=pytest.mark.slow),
        ({"waiting": 1, "seconds": 60}, many_cells, "not read within 1 seconds"),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else "",
)  # fmt: skip
def test_each_limit_is_told_by_its_name(limits, lowered, make, message):
    limits(**lowered)
    data = make()
    started = time.monotonic()
    with pytest.raises(BadTable, match=message):
        read_table(data)
    assert time.monotonic() - started < 100


def children() -> list[str]:
    return [
        child for task in Path("/proc/self/task").iterdir() for child in (task / "children").read_text().split()
    ]  # fmt: skip


@pytest.mark.slow
def test_whatever_comes_of_it_no_process_is_left(limits):
    before = children()
    read_table(many_cells(10, 3))
    limits(seconds=1, waiting=90)
    with pytest.raises(BadTable):
        read_table(many_cells())
    with pytest.raises(BadTable, match="rows"):  # the others are not waited for
        read_table(many_cells(reading.MOST_ROWS + 1_000, 1))
    assert children() == before


@pytest.mark.slow
def test_a_process_that_stands_still_is_ended_and_knew_no_secret(limits, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "canary")
    limits(waiting=5)
    data, before, told = many_cells(), children(), []

    def read() -> None:
        with pytest.raises(BadTable, match="not read within 5 seconds") as raised:
            read_table(data)
        told.append(raised.value)

    reader = threading.Thread(target=read)
    reader.start()
    while not (new := set(children()) - set(before)):
        time.sleep(0.01)
    (child,) = new
    process = Path("/proc") / child
    while b"workbook_process" not in (process / "cmdline").read_bytes():
        time.sleep(0.01)
    os.kill(int(child), signal.SIGSTOP)
    assert b"canary" not in (process / "environ").read_bytes()
    assert os.getsid(int(child)) == int(child)
    reader.join(timeout=90)
    assert told
    assert children() == before


def test_the_process_that_reads_needs_no_library():
    code = (
        "import sys, routing.spreadsheets.workbook_process; print('django' in sys.modules, 'openpyxl' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=reading.ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["False", "False"]


@pytest.mark.slow
def test_as_many_rows_as_an_import_takes_are_read_within_the_limits(limits):
    limits(waiting=250)  # whatever else runs beside the tests
    rows = "".join(
        f'<row r="{n}"><c r="A{n}" t="s"><v>{n - 2}</v></c><c r="B{n}" s="1"><v>{n}</v></c>'
        f'<c r="C{n}" s="2"><v>46083.{n}</v></c>'
        + "".join(f'<c r="{letter}{n}" t="s"><v>{n - 2}</v></c>' for letter in "DEFGH")
        + "</row>"
        for n in range(2, reading.MOST_ROWS + 2)
    )
    texts = "".join(f"<si><t>person{n}@example.com</t></si>" for n in range(reading.MOST_ROWS))
    table = read_table(book(rows, texts=texts, styles=(164, 22), header=HEADER.replace("</row>", "".join(
        f'<c r="{letter}1" t="str"><v>{letter}</v></c>' for letter in "CDEFGH") + "</row>")))  # fmt: skip
    assert len(table.rows) == reading.MOST_ROWS
    assert table.rows[-1][1][:2] == ["person49999@example.com", "50001"]
