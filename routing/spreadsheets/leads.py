"""Read leads from the rows of a table: which column is what, and what is wrong with a row, in words.

A spreadsheet is written by people, so more is understood here than by the API: names in parts, dates and amounts as
they are written in different countries.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..intake import text as texts
from ..intake.fields import CELLS, LONGEST
from ..intake.kinds import Code, Email, Instant, Kind, LongText, Money, NumeralIdentifier, Phone, Tags
from ..intake.limits import LARGEST_BUDGET, LONGEST_KEY, LONGEST_TAG, MOST_TAGS
from .cell_errors import without_errors
from .dates import BadDate, instant, is_date
from .reading import LONGEST_CELL
from .titles import FULL_OR_FIRST, is_title_of, words_of

OWN, IGNORED = "fields", ""  # a column may stay under its own name, or be left out


@dataclass(frozen=True, slots=True)
class Field:
    """What a column can be."""

    label: str | Promise
    joint: str | None = None  # what stands between the cells of several columns; None: only one of them counts


KINDS: dict[str, Kind] = {field.key: field.kind for field in CELLS}
NAME_PARTS = {  # in their order
    "contact.salutation": Field(_("Contact: salutation"), " "),
    "contact.first_name": Field(_("Contact: first name"), " "),
    "contact.middle_name": Field(_("Contact: middle name, patronymic"), " "),
    "contact.last_name": Field(_("Contact: last name"), " "),
}
FIELDS: dict[str, Field] = {}
for field in CELLS:
    FIELDS[field.key] = Field(_(field.long_label or field.label), field.joint)
    FIELDS |= NAME_PARTS if field.key == "contact.name" else {}
PARTS = tuple(NAME_PARTS)
LANGUAGE = re.compile("[A-Za-z]{2,3}([-_].+)?")
SALUTATION = re.compile(
    r"(mr|mrs|ms|miss|mx|dr|prof|sir|madam|sr|sra|srta|d|don|doña|dña|dra|dona|г|г-н|г-жа|гн|гжа|господин|госпожа"
    r"|тов|проф|д-р)\.?",
    re.IGNORECASE,
)
CHOICES = [
    (IGNORED, pgettext_lazy("column", "ignore")),
    *((key, field.label) for key, field in FIELDS.items()),
    (OWN, pgettext_lazy("column", "keep as a field of that name")),
]
TEMPLATE_HEADER = ["Name", "E-mail", "Phone", "Company", "External ID", "Budget", "Currency", "Country", "Product",
                   "Tags", "Comment"]  # fmt: skip
TEMPLATE_ROW = ["Ana Ruiz", "ana@example.com", "+34 600 000 000", "Ruiz SL", "form-18-7741", "1200.00", "EUR", "ES", "crm",
                "demo, spring", "Call after 16:00"]  # fmt: skip


class BadCell(ValueError):
    """The cell cannot be what its column is; the message says what is expected."""


# Columns


def guess_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return what each column probably is, each thing once; a column that fits nothing stays under its own name."""
    columns: list[str] = []
    added = len(header) - 2 if tuple(header[-2:]) in _columns_added() else len(header)
    for place, title in enumerate(header[:added]):
        keys = (key for key in probable_keys(title, _samples(rows, place)) if key in PARTS or key not in columns)
        columns.append(next(keys, OWN if title else IGNORED))
    _settle_names(header, columns)
    return columns + [IGNORED] * (len(header) - added)


def probable_keys(title: str, samples: Sequence[str]) -> Iterable[str]:
    """Return what a column of this title may be, the most probable first."""
    for key in ("contact.salutation", *FIELDS):
        if (is_title_of(title, key) or words_of(title) in _labels()[key]) and _fits(key, title, samples):
            yield key


@cache
def _labels() -> dict[str, set[tuple[str, ...]]]:
    """Return what pages and exports call each field, in every language."""
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for field in CELLS:
                found[field.key] |= {words_of(_now(label)) for label in (field.label, field.long_label) if label}
    return found


def columns_to_join(
    header: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> dict[str, list[int]]:
    """Return which columns are one field, or by their titles could be: key → places. Parts of a name need no question."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, (title, key) in enumerate(zip(header, columns, strict=True)):
        if key == OWN:
            key = next((key for key in probable_keys(title, _samples(rows, place)) if key in columns), OWN)
        if key not in (OWN, IGNORED, *PARTS):
            found[key].append(place)
    return {key: places for key, places in found.items() if len(places) > 1}


def _samples(rows: Sequence[Sequence[str]], place: int) -> list[str]:
    return [row[place] for row in rows[:50] if row[place]]


def _settle_names(header: Sequence[str], columns: list[str]) -> None:
    """Read a name as a whole or in its parts: "Name" beside "Last name" is the first one."""
    if "contact.name" not in columns:
        return
    whole = columns.index("contact.name")
    if "contact.last_name" in columns and "contact.first_name" not in columns:
        if words_of(header[whole]) in FULL_OR_FIRST:
            columns[whole] = "contact.first_name"
    elif "contact.last_name" in columns:
        columns[whole] = OWN
    if "contact.name" in columns:
        columns[:] = [OWN if key in PARTS else key for key in columns]


def columns_added() -> tuple[str, str]:
    """Return the titles of what a file of refused rows has beside their cells."""
    return _now("Row"), _now("Reason for the refusal")


def _columns_added() -> set[tuple[str, str]]:
    """Return them in every language: who imports the file need not read the one of who fetched it."""
    found = set()
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            found.add(columns_added())
    return found


def _fits(key: str, title: str, samples: Sequence[str]) -> bool:
    """Tell whether cells look like what their title says, where titles are often used for something else."""
    if key == "arrived_at":
        return not samples or any(map(is_date, samples))
    if key == "contact.salutation":
        known = [bool(SALUTATION.fullmatch(sample)) for sample in samples]
        return all(known) if known else not is_title_of(title, "name")
    kind = KINDS.get(key)
    pattern = kind.pattern if isinstance(kind, Code) else LANGUAGE if key == "language" else None
    return pattern is None or all(pattern.fullmatch(sample) for sample in samples)


def faults_of_columns(columns: Sequence[str], header: Sequence[str], joined: Iterable[str] = ()) -> list[str]:
    """Return what is wrong with a choice of columns. joined: the fields that several columns may be."""
    faults = [
        _now("Several columns are “%(field)s”: %(titles)s. Choose one of them, or join them.")
        % {"field": field.label, "titles": quote_titles(header, [place for place, k in enumerate(columns) if k == key])}
        for key, field in FIELDS.items()
        if columns.count(key) > 1 and key not in joined and key not in PARTS
    ]
    for name in own_names(header, columns).values():
        try:
            _key(name)
        except (BadCell, texts.BadText) as error:
            faults.append(_now("%(field)s: %(fault)s") % {"field": f"{name[:40]}…", "fault": error})
    if "contact.name" in columns and set(columns) & set(PARTS):
        faults.append(_now("Choose columns for the whole name of the contact, or for its parts, not for both."))
    if not set(columns) & {"contact.email", "contact.phone", "contact.chat", "company.name", "company.domain"}:
        faults.append(_now("Choose at least one column to reach somebody by: an e-mail, a phone or a company."))
    return faults


def quote_titles(header: Sequence[str], places: Iterable[int]) -> str:
    return ", ".join(f"“{header[place]}”" for place in places)


def own_names(header: Sequence[str], columns: Sequence[str]) -> dict[int, str]:
    """Return under which name each column is kept that may stay under its own: place → name, each name once."""
    names: dict[int, str] = {}
    titles = [_title(title, place) for place, title in enumerate(header)]
    for place, (title, key) in enumerate(zip(titles, columns, strict=True)):
        if key != OWN and (key == IGNORED or FIELDS[key].joint is not None or columns.count(key) == 1):
            continue
        name, number = title, 2
        while name in names.values() or (number > 2 and name in titles):
            name, number = f"{title} ({number})", number + 1
        names[place] = name
    return names


def _title(title: str, place: int) -> str:
    with suppress(texts.BadText):  # it is told where it becomes the name of a field
        title = _one_line(title)
    return title or _now("Column %(number)d") % {"number": place + 1}


# Rows


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the rows of one table are read."""

    header: Sequence[str]
    columns: Sequence[str]  # keys of FIELDS, OWN or IGNORED, in the order of the header
    zone: ZoneInfo
    month_first: bool | None = None  # 03/02/2026 is the 2nd of March

    @cached_property
    def own_names(self) -> dict[int, str]:
        return own_names(self.header, self.columns)


def read_row(cells: Sequence[str], reading: Reading, *, at: datetime) -> tuple[dict[str, Any], list[str]]:
    """Return the lead as `take_leads` takes it, and what is wrong with the row; what is wrong is left out of the lead."""
    form: dict[str, Any] = {
        "contact": {},
        "company": {},
        "utm": {},
        "fields": {},
        "as_sent": {"contact": {}, "company": {}},
    }
    cells, faults = without_errors(reading.header, cells, [key == IGNORED for key in reading.columns])
    if len(cells) > len(reading.header):
        faults.append(_now("The row has more cells than the table has columns."))
    filled: dict[str, list[int]] = {}
    for place, key in enumerate(reading.columns):
        if key != IGNORED and cells[place]:
            filled.setdefault(key, []).append(place)
    for key, label, cell in _fill(filled, cells, reading):
        try:
            if key in FIELDS:
                _put(form, key, _value(key, cell, reading, at=at))
                group, _dot, name = key.partition(".")
                if group in form["as_sent"]:
                    form["as_sent"][group][name] = cell
            else:
                form["fields"][_key(str(label))] = _many_lines(cell)
        except (BadCell, BadDate, texts.BadText) as error:
            label = label if key in FIELDS else str(label)[:LONGEST_KEY]
            faults.append(_now("%(field)s: %(fault)s") % {"field": label, "fault": error})
    form["as_sent"] = {group: came or None for group, came in form["as_sent"].items()}
    return form, faults


def _fill(
    filled: Mapping[str, Sequence[int]], cells: Sequence[str], reading: Reading
) -> Iterable[tuple[str, str | Promise, str]]:
    """Return what is in the row: key, label and text; several columns of one field are one text, or the first counts."""
    parts = [place for part in PARTS for place in filled.get(part, ())]
    if parts:
        yield "contact.name", FIELDS["contact.name"].label, " ".join(cells[place] for place in parts)
    for key, places in filled.items():
        if key in PARTS:
            continue
        field, kept = FIELDS.get(key), places
        if field:
            joint = field.joint
            kept = [] if joint is not None else places[1:]
            text = cells[places[0]] if joint is None else joint.join(cells[place] for place in places)
            yield key, field.label, text
        for place in kept:
            yield OWN, reading.own_names[place], cells[place]


def _put(form: dict[str, Any], key: str, value: Any) -> None:
    group, dot, name = key.partition(".")
    if dot:
        form[group][name] = value
    else:
        form[key] = value


def _value(key: str, cell: str, reading: Reading, *, at: datetime) -> Any:
    kind = KINDS[key]
    if isinstance(kind, Instant):
        return instant(_one_line(cell), zone=reading.zone, month_first=reading.month_first, at=at)
    value = code(cell, kind) if isinstance(kind, Code) else READERS.get(type(kind), _one_line)(cell)
    longest = LONGEST.get(key, LONGEST_CELL)
    if isinstance(value, str) and len(value) > longest:
        raise BadCell(_now("at most %(count)d characters are allowed, this has %(length)d")
                      % {"count": longest, "length": len(value)})  # fmt: skip
    return value


def _one_line(cell: str) -> str:
    return texts.clean(cell, multiline=False).strip()


def _key(title: str) -> str:
    """Return the key of a field that keeps the title of its column. Raises BadCell, BadText."""
    key = _one_line(title)
    if len(key) > LONGEST_KEY:
        raise BadCell(
            _now(
                "at most %(count)d characters are allowed in the title of a column that is kept as a field, this has %(length)d"
            )
            % {"length": len(key), "count": LONGEST_KEY}
        )
    return key


def _many_lines(cell: str) -> str:
    if len(cell) > LONGEST_CELL:
        raise BadCell(_now("at most %(count)d characters are allowed, this has %(length)d")
                      % {"count": LONGEST_CELL, "length": len(cell)})  # fmt: skip
    return texts.clean(cell, multiline=True)


def phone(cell: str) -> str:
    """Return the number as it is written. Raises BadCell for one that a spreadsheet has rounded."""
    if re.fullmatch(r"\d(?:[.,]\d+)?E\+?\d+", cell, re.IGNORECASE):
        raise BadCell(
            _now("the spreadsheet has rounded this number (%(cell)s); format the column as text") % {"cell": cell}
        )
    return _one_line(cell)


def amount(cell: str) -> Decimal:
    """Return the amount: "1 200,50 €", "1,200.50", "1.200", "$1200". Raises BadCell."""
    written = re.sub(r"[\s\u00a0\u202f’'$€£₽¥]|[A-Z]{3}|руб\.?", "", _one_line(cell))
    if not re.fullmatch(r"[0-9]+([.,][0-9]{3})*([.,][0-9]{1,2})?|[0-9]+", written, re.ASCII):
        raise BadCell(_now("“%(cell)s” is not an amount; write it as 1200.50") % {"cell": cell[:40]})
    whole, _dot, cents = written.replace(",", ".").rpartition(".")
    if not whole or len(cents) == 3:  # three figures after the last point are thousands, no money has so many decimals
        whole, cents = whole + cents, "0"
    found = Decimal(f"{whole.replace('.', '')}.{cents}")
    if found > LARGEST_BUDGET:
        raise BadCell(_now("“%(cell)s” is too large") % {"cell": cell[:40]})
    return found


def code(cell: str, kind: Code) -> str:
    if not kind.pattern.fullmatch(cell):
        raise BadCell(
            _now("“%(cell)s” is not a code such as %(example)s") % {"cell": cell[:40], "example": kind.example}
        )
    return cell.upper()


def tags(cell: str) -> list[str]:
    """Return the tags, apart by commas, semicolons or line breaks. Raises BadCell."""
    found = list(dict.fromkeys(tag for part in re.split(r"[,;\r\n]", cell) if (tag := _one_line(part))))
    if len(found) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in found):
        raise BadCell(
            _now("at most %(count)d tags of %(length)d characters are allowed")
            % {"count": MOST_TAGS, "length": LONGEST_TAG}
        )
    return found


READERS: Mapping[type[Kind], Callable[[str], Any]] = {
    NumeralIdentifier: texts.refuse_controls,
    Email: texts.mark_controls,
    Phone: phone,
    Money: amount,
    Tags: tags,
    LongText: _many_lines,
}
