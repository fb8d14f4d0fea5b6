"""Read the table that somebody uploaded: CSV in any usual encoding and with any usual separator, or XLSX.

A file is refused as a whole, in words, before its size can hurt; a row that is wrong is the business of `leads`.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from .workbook import WorkbookLimits
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

# Of the process that reads a workbook.
LIMITS = WorkbookLimits(columns=MOST_COLUMNS)
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH")  # no settings, no secrets
FAULTS = {
    "unreadable": gettext_lazy("This workbook cannot be read. Save it again as .xlsx, or as CSV."),
    "protected": gettext_lazy("This is an old or protected workbook. Save it as .xlsx without a password, or as CSV."),
    "xml": gettext_lazy("The workbook contains XML declarations that no spreadsheet program writes."),
    "parts": gettext_lazy(
        "The workbook consists of more than %(count)d parts. Remove pictures and other sheets, or save the sheet as CSV."
    ),
    "ratio": gettext_lazy(
        "“%(part)s” in the workbook grows more than %(count)d times when unpacked. Save the sheet as CSV."
    ),
    "unpacked": gettext_lazy(
        "The workbook is larger than %(size)d MB when unpacked; most of it is “%(part)s”. "
        "Remove pictures and other sheets, or save the sheet as CSV."
    ),
    "part": gettext_lazy(
        "“%(part)s” in the workbook is larger than %(size)d MB when unpacked. "
        "Copy the cells into a new workbook without their formatting, or save the sheet as CSV."
    ),
    "text": gettext_lazy("The cells hold more than %(size)d MB of text. Split the sheet."),
    "columns": gettext_lazy("Row %(number)d has more than %(count)d columns."),
    "formula": gettext_lazy(
        "Cell %(cell)s has a formula but no result. Open the workbook in a spreadsheet program and save it."
    ),
    "seconds": gettext_lazy(
        "Reading the workbook takes more than %(count)d seconds of computing time. Split it, or save the sheet as CSV."
    ),
    "waiting": gettext_lazy(
        "The workbook was not read within %(count)d seconds: the server is busy. "
        "Try again later, or save the sheet as CSV."
    ),
    "memory": gettext_lazy(
        "Reading the workbook takes more than %(size)d MB of memory. Split it, or save the sheet as CSV."
    ),
}

logger = logging.getLogger(__name__)


class BadTable(ValueError):
    """The file cannot be read as a table; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    header: list[str]
    rows: list[tuple[int, list[str]]]  # number as the spreadsheet shows it, cells; rows without any text are left out
    encoding: str  # "xlsx" for a workbook
    delimiter: str  # "" for a workbook


def read_table(data: bytes, *, encoding: str = "", delimiter: str = "") -> Table:
    """Return the table in the file. Empty encoding, empty delimiter: find out. Raises BadTable."""
    if len(data) > MOST_BYTES:
        raise BadTable(_("The file is larger than %(size)d MB. Split it.") % {"size": MOST_BYTES // 1024**2})
    if data.startswith(b"PK\x03\x04"):
        with closing(_workbook_rows(data)) as rows:
            return _table(rows, "xlsx", "")
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadTable(str(FAULTS["protected"]))
    text, encoding = decode(data, encoding)
    declared = re.match(r"sep=(.)\r?\n", text)  # Excel's own first line
    if declared:
        text, delimiter = text[declared.end() :], delimiter or declared[1]
    delimiter = delimiter or find_delimiter(text)
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


def decode(data: bytes, encoding: str = "") -> tuple[str, str]:
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


def find_delimiter(text: str) -> str:
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


def _workbook_rows(data: bytes) -> Generator[tuple[int, list[str]]]:
    """Yield the rows of the workbook, read by a process of its own with limits of its own. Raises BadTable."""
    limits = LIMITS
    command = [sys.executable, "-E", "-s", "-S", "-B", "-m", "routing.spreadsheets.workbook_process"]
    child = subprocess.Popen(
        [*command, json.dumps(asdict(limits))], cwd=ROOT, env={k: os.environ[k] for k in ENVIRONMENT if k in os.environ},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert child.stdin, "a pipe was asked for"
    assert child.stdout, "a pipe was asked for"
    guard = Timer(limits.waiting + 1, _kill, [child])  # it ends by itself before, unless it was stopped
    guard.start()
    try:
        with suppress(BrokenPipeError), child.stdin as file:  # it reads all before it answers, or ends
            file.write(data)
        for line in child.stdout:
            told = orjson.loads(line)
            if isinstance(told, list):
                for number, cells in told:
                    yield number, [plain_text(cell) for cell in cells]
            elif told:
                raise _fault(told["fault"], told["values"])
            else:
                return
        raise _fault(*_reason(child.wait(), guard, limits))
    finally:
        guard.cancel()
        _kill(child)
        child.stdout.close()
        child.wait()


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)


def _reason(status: int, guard: Timer, limits: WorkbookLimits) -> tuple[str, dict[str, Any]]:
    """Return why a process ended before it said what came of the workbook."""
    if status == -signal.SIGXCPU:
        return "seconds", {"count": limits.seconds}
    if status == -signal.SIGALRM or not guard.is_alive():
        return "waiting", {"count": limits.waiting}
    if status == -signal.SIGKILL:  # by the system, whose memory has come to its end
        return "memory", {"size": limits.memory}
    logger.error("the process that reads workbooks ended with %d", status, extra={"action": "workbook_failed"})
    return "unreadable", {}


def _fault(code: str, values: dict[str, Any]) -> BadTable:
    return BadTable(str(FAULTS[code]) % values)
