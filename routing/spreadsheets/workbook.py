"""Read the rows of a workbook as a stream, with the standard library alone: it runs in a process that knows nothing else.

Of all its parts, only those that say what the cells of one sheet are get unpacked. How big they may be is looked at
before, what they hold is counted meanwhile, and time and memory are limited by `workbook_process`.
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pyexpat import ExpatError, ParserCreate
from typing import IO, Any

from .number_formats import Form, form_of, number_text

MIB = 1024 * 1024
PIECE = 64 * 1024
FREE_OF_RATIO = MIB  # a small part may be packed as tightly as it likes
OUT_OF_MEMORY = 1  # as expat says it
ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookLimits:
    """How much a workbook may take. Sizes in MiB."""

    seconds: int = 5  # of the processor
    waiting: int = 60  # seconds by the clock, on a machine that is busy
    memory: int = 150
    parts: int = 1_000
    unpacked: int = 64  # all parts together
    part: int = 16  # each that is read, but sheet and texts
    ratio: int = 100  # times that a part may shrink when packed
    text: int = 64  # of all cells: one text may stand in many of them
    columns: int = 100


class WorkbookFault(Exception):
    """What is wrong with the workbook, as a code and its values."""

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code)
        self.code, self.told = code, values


class _Enough(Exception):
    """Nothing of what follows in the part is of interest."""


def blocks_of_rows(file: IO[bytes], limits: WorkbookLimits) -> Iterator[list[tuple[int, list[str]]]]:
    """Yield the rows of the sheet that the workbook opens with: number, texts. Raises WorkbookFault."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield from _Book(archive, limits).blocks()
    except (zipfile.BadZipFile, zlib.error, ExpatError, KeyError, ValueError, IndexError, NotImplementedError, OSError,
            EOFError, OverflowError, struct.error) as error:  # fmt: skip
        if isinstance(error, ExpatError) and error.code == OUT_OF_MEMORY:
            raise MemoryError from error
        raise WorkbookFault("unreadable") from error


def check_directory(data: bytes, limits: WorkbookLimits) -> None:
    """Raise WorkbookFault when the archive says that it has too many parts: each costs memory when the directory is read."""
    end = data.rfind(b"PK\x05\x06")
    if end >= 0 and int.from_bytes(data[end + 10 : end + 12], "little") > limits.parts:
        raise WorkbookFault("parts", count=limits.parts)


def check_parts(parts: list[zipfile.ZipInfo], limits: WorkbookLimits) -> None:
    """Raise WorkbookFault when what the archive says of its parts is no workbook of a sensible size."""
    if len(parts) > limits.parts:
        raise WorkbookFault("parts", count=limits.parts)
    if any(part.flag_bits & 1 for part in parts):
        raise WorkbookFault("protected")
    for part in parts:
        if part.file_size > FREE_OF_RATIO and part.file_size > limits.ratio * max(1, part.compress_size):
            raise WorkbookFault("ratio", part=part.filename[:100], count=limits.ratio)
    if sum(part.file_size for part in parts) > limits.unpacked * MIB:
        largest = max(parts, key=lambda part: part.file_size)
        raise WorkbookFault("unpacked", part=largest.filename[:100], size=limits.unpacked)


class _Book:
    def __init__(self, archive: zipfile.ZipFile, limits: WorkbookLimits) -> None:
        check_parts(archive.infolist(), limits)
        self.archive, self.limits = archive, limits
        self.names = {name.lower(): name for name in archive.namelist()}

    def blocks(self) -> Iterator[list[tuple[int, list[str]]]]:
        related = self._relations("")
        (book,) = [target for kind, target in related.values() if kind == "officeDocument"]
        related = self._relations(book)
        sheet, since_1904 = self._sheet(book, related)
        parts = dict(related.values())
        forms = self._forms(parts["styles"], since_1904) if "styles" in parts else {}
        texts = self._texts(parts["sharedStrings"]) if "sharedStrings" in parts else []
        return _rows(self._open(sheet), texts, forms, self.limits)

    def _open(self, name: str, most: int = 0) -> IO[bytes]:
        part = self.archive.getinfo(self.names[name.lower()])
        if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise WorkbookFault("unreadable")
        if most and part.file_size > most * MIB:
            raise WorkbookFault("part", part=part.filename[:100], size=most)
        return self.archive.open(part)

    def _relations(self, name: str) -> dict[str, tuple[str, str]]:
        """Return what a part refers to: kind and name of the other part, by id."""
        folder, file = posixpath.split(name)
        found: dict[str, tuple[str, str]] = {}

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "Relationship" and attributes.get("TargetMode") != "External":
                kind = attributes["Type"].rpartition("/")[2]
                target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"])).lstrip("/")
                found[attributes["Id"]] = (kind, target)

        _parse(self._open(posixpath.join(folder, "_rels", f"{file}.rels"), self.limits.part), start)
        return found

    def _sheet(self, name: str, related: dict[str, tuple[str, str]]) -> tuple[str, bool]:
        """Return the sheet that is shown first, and whether days are counted from 1904."""
        sheets: list[tuple[bool, str]] = []
        active, since_1904 = 0, False

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal active, since_1904
            if tag == "workbookPr":
                since_1904 = attributes.get("date1904") in ("1", "true", "on")
            elif tag == "workbookView":
                active = active or int(attributes.get("activeTab", 0))
            elif tag == "sheet":
                (reference,) = [value for key, value in attributes.items() if key.endswith(":id")]
                kind, target = related[reference]
                sheets.append((attributes.get("state", "visible") == "visible", target if kind == "worksheet" else ""))

        _parse(self._open(name, self.limits.part), start)
        ordered = sheets[active : active + 1] + sheets
        chosen = [sheet for visible, sheet in ordered if visible and sheet] or [sheet for _, sheet in ordered if sheet]
        return chosen[0], since_1904

    def _forms(self, name: str, since_1904: bool) -> dict[str, Form | None]:
        codes: dict[int, str] = {}
        made: dict[int, Form | None] = {}
        forms: dict[str, Form | None] = {}
        within = False

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal within
            if tag == "numFmt":
                codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
            elif tag == "cellXfs":
                within = True
            elif tag == "xf" and within:
                number = int(attributes.get("numFmtId", 0))
                if number not in made:
                    made[number] = form_of(number, codes.get(number, ""), since_1904=since_1904)
                forms[str(len(forms))] = made[number]

        def end(tag: str) -> None:
            if tag == "cellXfs":
                raise _Enough

        _parse(self._open(name, self.limits.part), start, end)
        return forms

    def _texts(self, name: str) -> list[str]:
        """Return the texts that cells refer to by number."""
        texts: list[str] = []
        parts: list[str] = []
        phonetic = 0

        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal phonetic
            if tag == "t":
                heard.clear()
            elif tag == "si":
                parts.clear()
            elif tag == "rPh":
                phonetic += 1

        def end(tag: str) -> None:
            nonlocal phonetic
            if tag == "t":
                if not phonetic:
                    parts.extend(heard)
            elif tag == "si":
                texts.append(_text("".join(parts)))
            elif tag == "rPh":
                phonetic -= 1

        heard: list[str] = []
        _parse(self._open(name), start, end, heard.append)
        return texts


def _rows(
    stream: IO[bytes], texts: list[str], forms: dict[str, Form | None], limits: WorkbookLimits
) -> Iterator[list[tuple[int, list[str]]]]:
    """Yield the rows that hold any text, those of a piece of the sheet at a time."""
    sheet = _Sheet(texts, forms, limits)
    for _piece in _parsing(stream, sheet.start, sheet.end, sheet.heard.append):
        if sheet.rows:
            block, sheet.rows = sheet.rows, []
            yield block


class _Sheet:
    """The rows of a sheet, made of its tags: a row holds cells, a cell a value (`v`) or texts (`t`), or a formula (`f`)."""

    __slots__ = ("attributes", "cells", "column", "columns", "digits", "forms", "has_formula", "heard", "length", "limits",
                 "number", "phonetic", "rows", "texts", "value")  # fmt: skip

    def __init__(self, texts: list[str], forms: dict[str, Form | None], limits: WorkbookLimits) -> None:
        self.texts, self.forms, self.limits = texts, forms, limits
        self.columns = {letters_of(column): column for column in range(limits.columns)}
        self.rows: list[tuple[int, list[str]]] = []  # whole, and not yet yielded
        self.length = 0  # letters of all rows
        # The row, the cell and the text that the parser is in.
        self.number, self.digits, self.cells, self.column = 0, 0, list[str](), -1
        self.attributes, self.value, self.has_formula = dict[str, str](), "", False
        self.heard: list[str] = []
        self.phonetic = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "c":
            self.attributes, self.value, self.has_formula = attributes, "", False
        elif tag == "v" or tag == "t":
            self.heard.clear()
        elif tag == "row":
            self._start_row(attributes)
        elif tag == "f":
            self.has_formula = True
        elif tag == "rPh":
            self.phonetic += 1

    def end(self, tag: str) -> None:
        if tag == "v":
            self.value = "".join(self.heard)
        elif tag == "c":
            self._end_cell()
        elif tag == "row":
            self._end_row()
        elif tag == "t":
            if not self.phonetic:
                self.value += "".join(self.heard)
        elif tag == "rPh":
            self.phonetic -= 1
        elif tag == "sheetData":
            raise _Enough

    def _start_row(self, attributes: dict[str, str]) -> None:
        before, self.number = self.number, int(attributes.get("r", self.number + 1))
        if self.number <= before:
            raise WorkbookFault("unreadable")
        self.digits, self.column, self.cells = len(str(self.number)), -1, []

    def _end_row(self) -> None:
        if self.cells:
            self.rows.append((self.number, self.cells))
            self.length += sum(map(len, self.cells))
            if self.length > self.limits.text * MIB:
                raise WorkbookFault("text", size=self.limits.text)

    def _end_cell(self) -> None:
        attributes, value, cells = self.attributes, self.value, self.cells
        reference = attributes.get("r")
        most = self.limits.columns
        self.column = column = self.columns.get(reference[: -self.digits], most) if reference else self.column + 1
        kind = attributes.get("t", "n")
        if not value:
            if self.has_formula and kind == "n":
                raise WorkbookFault("formula", cell=reference or f"{letters_of(column)}{self.number}")
            return
        if kind == "s":
            text = self.texts[int(value)]
        elif kind == "n":
            form = self.forms.get(attributes.get("s", "0"))
            text = form(value) if form else number_text(value)
        else:
            text = _cell_text(kind, value)
        if not text:
            return
        if column >= most:
            raise WorkbookFault("columns", number=self.number, count=most)
        missing = column - len(cells)
        if missing < 0:
            cells[column] = text
            return
        if missing:
            cells.extend([""] * missing)
        cells.append(text)


def _cell_text(kind: str, value: str) -> str:
    if kind in ("str", "inlineStr"):
        return _text(value)
    if kind == "b":
        return "true" if value == "1" else "false"
    if kind == "d":
        return str(datetime.fromisoformat(value).replace(microsecond=0)).removesuffix(" 00:00:00")
    if kind == "e":  # such as #N/A: whoever reads the row tells what is to be done
        return value
    raise WorkbookFault("unreadable")


def _text(written: str) -> str:
    """Return the text of which some characters may be written as _xHHHH_."""
    if "_x" in written:
        units = ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), written)
        written = units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return written.strip()


def letters_of(column: int) -> str:
    """Return the letters above the column; the first has the number 0."""
    return (letters_of(column // 26 - 1) if column >= 26 else "") + chr(ord("A") + column % 26)


def _parse(
    stream: IO[bytes],
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], object] | None = None,
) -> None:
    for _piece in _parsing(stream, start, end, text):
        pass


def _parsing(
    stream: IO[bytes],
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], object] | None = None,
) -> Iterator[None]:
    """Parse the part, and yield after each piece of it. Tags are told without the prefix that the root has.

    Raises WorkbookFault for a document type: entities need one, and workbooks have none.
    """
    parser = ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise WorkbookFault("xml")

    def root(name: str, attributes: dict[str, str]) -> None:
        prefix, colon, tag = name.rpartition(":")
        parser.StartElementHandler, parser.EndElementHandler = start, end
        if colon:
            prefix += colon
            parser.StartElementHandler = lambda name, attributes: start(name.removeprefix(prefix), attributes)
            parser.EndElementHandler = end and (lambda name: end(name.removeprefix(prefix)))
        start(tag, attributes)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = root
    parser.CharacterDataHandler = text
    try:
        while piece := stream.read(PIECE):
            parser.Parse(piece)
            yield
        parser.Parse(b"", True)
    except _Enough:
        pass
    yield
