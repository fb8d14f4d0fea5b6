"""Write tables that a spreadsheet opens as they are meant: text stays text, and none of it is ever run as a formula."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import chain
from typing import IO, Any

BOM = "\ufeff"  # tells Excel that the file is UTF-8
FORMULA = tuple("=+-@\t\r\n\x00＝＋－＠")
LONGEST_CELL = 32_767  # characters; Excel's own limit
CUT = "… (cut)"
ROWS_A_CHUNK = 200

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_ESCAPE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")  # a spreadsheet reads _x0041_ as A


def safe_text(text: str) -> str:
    """Return the text as a CSV cell that no spreadsheet takes for a formula: where it could be one, after an apostrophe.

    `plain_text` takes the apostrophe away again.
    """
    return f"'{text}" if _is_dangerous(text) else text


def plain_text(cell: str) -> str:
    """Return the text that `safe_text` made the cell of."""
    return cell[1:] if cell.startswith("'") and _is_dangerous(cell) else cell


def _is_dangerous(text: str) -> bool:
    return text.lstrip("' \u00a0").startswith(FORMULA)


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the table as CSV in chunks of text, for a streamed answer; numbers are numbers, all else is quoted text."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    chunk = [BOM, writer.writerow([_csv_value(cell) for cell in header])]
    for row in rows:
        chunk.append(writer.writerow([_csv_value(cell) for cell in row]))
        if len(chunk) > ROWS_A_CHUNK:
            yield "".join(chunk)
            chunk = []
    if chunk:
        yield "".join(chunk)


def xlsx_file(header: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> IO[bytes]:
    """Return the table as a workbook in a temporary file, from its beginning; it is gone when closed."""
    from openpyxl import Workbook  # a fifth of the time of every start: only who writes a workbook waits for it

    book = Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\\*?:/\[\]]", " ", title)[:31] or None)
    sheet.freeze_panes = "A2"
    for row in chain([header], rows):
        sheet.append([_xlsx_cell(sheet, cell) for cell in row])
    file = tempfile.TemporaryFile(suffix=".xlsx")  # noqa: SIM115  # whoever answers with it closes it
    book.save(file)
    file.seek(0)
    return file


class _Echo:
    """A file that hands back what is written, so that the csv module can be used as a function."""

    def write(self, text: str) -> str:
        return text


def _value(cell: object) -> int | float | Decimal | str:
    """Return the cell as a number or as text; instants are written in ISO 8601, with their offset."""
    if isinstance(cell, bool) or cell is None:
        return "" if cell is None else str(cell).lower()
    if isinstance(cell, int | float | Decimal):
        return cell
    return cell.isoformat() if isinstance(cell, date | datetime) else str(cell)


def _csv_value(cell: object) -> int | float | str:
    value = _value(cell)
    if isinstance(value, Decimal):
        value = float(value) if float(value) == value else str(value)
    return safe_text(value.replace("\x00", "").encode("utf-8", "replace").decode()) if isinstance(value, str) else value


def _xlsx_cell(sheet: Any, cell: object) -> Any:
    from openpyxl.cell import WriteOnlyCell

    value = _value(cell)
    if not isinstance(value, str):
        return WriteOnlyCell(sheet, value)
    text = _ESCAPE.sub("_x005F_", _NO_XML.sub("", value))
    if len(text) > LONGEST_CELL:
        text = text[: LONGEST_CELL - len(CUT)] + CUT
    made = WriteOnlyCell(sheet, text)
    made.data_type = "s"  # openpyxl takes what begins with = for a formula
    made.number_format = "@"  # text: an edit in the spreadsheet does not make a number or a formula of it
    return made
