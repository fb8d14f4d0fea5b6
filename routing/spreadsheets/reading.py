"""Read the table that somebody uploaded: CSV in any usual encoding and with any usual separator, or XLSX.

A file is refused as a whole, in words, before its size can hurt; a row that is wrong is the business of `leads`.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from .writing import plain_text

MOST_BYTES = 16 * 1024 * 1024
MOST_ROWS = 50_000
MOST_COLUMNS = 100
LONGEST_CELL = 32_767  # Excel's own limit
DELIMITERS = {
    ",": pgettext_lazy("separator", "comma"),
    ";": pgettext_lazy("separator", "semicolon"),
    "\t": pgettext_lazy("separator", "tab"),
    "|": pgettext_lazy("separator", "vertical bar"),
}
ENCODINGS = ("utf-8-sig", "utf-16", "cp1251", "cp1252")

# A workbook is a zip archive: what it says of itself is looked at before anything is unpacked.
MOST_PARTS = 200
MOST_UNPACKED = 64 * 1024 * 1024
LARGEST_RATIO = 100
FREE_OF_RATIO = 1024 * 1024  # a small part may be packed as tightly as it likes


class BadTable(ValueError):
    """The file cannot be read as a table; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What was read."""

    header: list[str]
    rows: list[tuple[int, list[str]]]  # number as the spreadsheet shows it, cells; rows without any text are left out
    encoding: str  # "xlsx" for a workbook
    delimiter: str  # "" for a workbook


def read_table(data: bytes, *, encoding: str = "", delimiter: str = "") -> Table:
    """Return the table in the file. Empty encoding, empty delimiter: find out. Raises BadTable."""
    if len(data) > MOST_BYTES:
        raise BadTable(_("The file is larger than %(size)d MB. Split it.") % {"size": MOST_BYTES // 1024**2})
    if data.startswith(b"PK\x03\x04"):
        return _table(_workbook_rows(data), "xlsx", "")
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadTable(_("This is an old or protected workbook. Save it as .xlsx without a password, or as CSV."))
    text, encoding = decoded(data, encoding)
    declared = re.match(r"sep=(.)\r?\n", text)  # Excel's own first line
    if declared:
        text, delimiter = text[declared.end() :], delimiter or declared[1]
    delimiter = delimiter or found_delimiter(text)
    return _table(_csv_rows(text, delimiter, first=2 if declared else 1), encoding, delimiter)


def _table(numbered: Iterator[tuple[int, list[str]]], encoding: str, delimiter: str) -> Table:
    full = ((number, cells) for number, cells in numbered if any(cells))
    header = next(full, (0, []))[1]
    while header and not header[-1]:
        header.pop()
    if not header:
        raise BadTable(_("The file is empty."))
    if len(header) > MOST_COLUMNS:
        raise BadTable(_("There are more than %(count)d columns.") % {"count": MOST_COLUMNS})
    rows: list[tuple[int, list[str]]] = []
    for number, cells in full:
        if len(rows) == MOST_ROWS:
            raise BadTable(_("There are more than %(count)d rows. Split the file.") % {"count": MOST_ROWS})
        while len(cells) > len(header) and not cells[-1]:
            cells.pop()
        rows.append((number, cells + [""] * (len(header) - len(cells))))
    if not rows:
        raise BadTable(_("The file has a header row and no rows below it."))
    return Table(header=header, rows=rows, encoding=encoding, delimiter=delimiter)


# CSV


def decoded(data: bytes, encoding: str = "") -> tuple[str, str]:
    """Return the text of the file and its encoding, found out where none is given. Raises BadTable."""
    encoding = encoding or _encoding_of(data)
    try:
        return data.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise BadTable(
            _("Byte %(place)d is not valid %(encoding)s. Choose another encoding.")
            % {"place": error.start, "encoding": encoding}
        ) from None


def _encoding_of(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Cyrillic letters stand in rows of their own kind; accented Latin ones stand alone among plain letters.
        together = sum(map(len, re.findall(rb"[\xc0-\xff\xa8\xb8]{2,}", data)))
        alone = len(re.findall(rb"[\x80-\xff]", data)) - together
        return "cp1251" if together > alone else "cp1252"
    return "utf-8-sig"


def found_delimiter(text: str) -> str:
    """Return the delimiter that parts the first rows into the most columns, the same number in each."""
    return max(DELIMITERS, key=lambda delimiter: _evenness(text[:100_000], delimiter))


def _evenness(text: str, delimiter: str) -> tuple[int, int]:
    """Return how many of the first rows have the usual number of columns, and that number; one column is no table."""
    widths: Counter[int] = Counter()
    try:
        for cells, _row in zip(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), range(50), strict=False):
            widths[len(cells)] += bool(cells)
    except csv.Error:
        return (0, 0)
    del widths[0]
    width, rows = widths.most_common(1)[0] if widths else (0, 0)
    return (rows, width) if width > 1 else (0, 0)


def _csv_rows(text: str, delimiter: str, *, first: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = first - 1
    try:
        for number, cells in enumerate(reader, start=first):
            if len(cells) > MOST_COLUMNS and any(cells[MOST_COLUMNS:]):
                raise BadTable(
                    _("Row %(number)d has more than %(count)d columns.") % {"number": number, "count": MOST_COLUMNS}
                )
            yield number, [plain_text(cell.strip()) for cell in cells[:MOST_COLUMNS]]
    except csv.Error:
        raise BadTable(
            _("Row %(number)d cannot be read: a cell is too long, or a quotation mark is never closed.")
            % {"number": number + 1}
        ) from None


# XLSX


def _workbook_rows(data: bytes) -> Iterator[tuple[int, list[str]]]:
    from openpyxl import load_workbook  # a fifth of the time of every start: only who reads a workbook waits for it
    from openpyxl.utils.exceptions import InvalidFileException

    check_archive(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheet = book.active or book.worksheets[0]
        sheet.reset_dimensions()  # it may say anything of its size; what counts is what is read
        rows: Iterable[tuple[object, ...]] = sheet.iter_rows(
            max_row=MOST_ROWS + 50, max_col=MOST_COLUMNS + 1, values_only=True
        )
        for number, cells in enumerate(rows, start=1):
            if any(cell is not None for cell in cells):
                yield number, [plain_text(_cell_text(cell)) for cell in cells]
    except DefusedXmlException:
        raise BadTable(_("The workbook contains XML declarations that no spreadsheet program writes.")) from None
    except (InvalidFileException, ParseError, zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError,
            AttributeError, OSError, EOFError, NotImplementedError) as error:  # fmt: skip
        if isinstance(error, BadTable):
            raise
        raise BadTable(_("This workbook cannot be read. Save it again as .xlsx, or as CSV.")) from None


def check_archive(data: bytes) -> None:
    """Raise BadTable when what the archive says of itself is no workbook of a sensible size."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise BadTable(_("This workbook cannot be read. Save it again as .xlsx, or as CSV.")) from None
    unpacked = sum(part.file_size for part in parts)
    bomb = any(
        part.file_size > FREE_OF_RATIO and part.file_size > LARGEST_RATIO * max(1, part.compress_size) for part in parts
    )
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED or bomb:
        raise BadTable(_("The workbook is too large when unpacked. Save the sheet as CSV."))
    if any(part.flag_bits & 1 for part in parts):
        raise BadTable(_("This is an old or protected workbook. Save it as .xlsx without a password, or as CSV."))


def _cell_text(cell: object) -> str:
    """Return the cell as it would stand in a CSV file."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "seconds")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float):
        text = repr(cell)
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else text
    return str(cell).strip()
