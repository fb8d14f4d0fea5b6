"""Read leads from the rows of a table: which column is what, and what is wrong with a row, in words.

A spreadsheet is written by people, so more is understood here than by the API: dates and amounts as they are written in
different countries. What is ambiguous is never guessed of a single row: the import says the order of day and month.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ..intake import text as texts
from ..intake.limits import AHEAD, FIRST_YEAR, LARGEST_BUDGET, LONGEST, LONGEST_KEY, LONGEST_TAG, MOST_TAGS
from .reading import LONGEST_CELL

OWN, IGNORED = "fields", ""  # a column may stay under its own name, or be left out


@dataclass(frozen=True, slots=True)
class Field:
    """What a column can be."""

    label: str | Promise
    titles: str  # what such columns are called in English, Russian, Spanish and Portuguese, apart by blanks


FIELDS: dict[str, Field] = {
    "name": Field(_("Lead name"),
        "lead leadname title subject сделка названиесделки "
        "заявка тема asunto assunto titulo"),
    "contact.name": Field(_("Contact: name"),
        "name fullname contact contactname person firstname имя фио "
        "контакт клиент nombre contacto nome cliente"),
    "contact.email": Field(_("Contact: e-mail"),
        "email mail emailaddress почта электроннаяпочта "
        "емейл correo correoelectronico"),
    "contact.phone": Field(_("Contact: phone"),
        "phone telephone mobile phonenumber tel телефон мобильный "
        "номертелефона telefono movil celular telefone whatsapp"),
    "contact.chat": Field(_("Contact: chat"), "chat telegram messenger чат телеграм"),
    "company.name": Field(_("Company: name"),
        "company account organisation organization компания "
        "организация фирма empresa compania"),
    "company.domain": Field(_("Company: domain"), "domain website site url сайт домен dominio sitio"),
    "external_id": Field(_("External id"),
        "externalid id leadid leadnumber opportunityid mqlid "
        "prospectid ид номер идентификатор"),
    "budget": Field(_("Budget"),
        "budget amount value price closevalue revenue бюджет "
        "сумма стоимость presupuesto importe orcamento valor"),
    "currency": Field(_("Currency"), "currency валюта moneda moeda"),
    "language": Field(_("Language"), "language lang язык idioma lingua"),
    "country": Field(_("Country, two letters"), "country countrycode страна pais"),
    "region": Field(_("Region"), "region state province регион область provincia estado"),
    "postal_code": Field(_("Postal code"), "postalcode postcode zip zipcode индекс codigopostal cep"),
    "product": Field(_("Product"), "product товар продукт услуга producto produto"),
    "tags": Field(_("Tags"), "tags tag теги метки etiquetas"),
    "comment": Field(_("Comment"),
        "comment comments message note notes комментарий сообщение "
        "примечание comentario mensaje mensagem"),
    "arrived_at": Field(_("Arrived at"),
        "arrivedat date createdat created firstcontactdate engagedate "
        "дата создан датасоздания fecha data"),
    "utm.source": Field(_("UTM source"), "utmsource"),
    "utm.medium": Field(_("UTM medium"), "utmmedium"),
    "utm.campaign": Field(_("UTM campaign"), "utmcampaign"),
    "utm.term": Field(_("UTM term"), "utmterm"),
    "utm.content": Field(_("UTM content"), "utmcontent"),
}  # fmt: skip
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


def guessed_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return what each column probably is, each thing once; a column that fits nothing stays under its own name."""
    columns: list[str] = []
    added = len(header) - 2 if tuple(header[-2:]) in _columns_added() else len(header)
    for place, title in enumerate(header[:added]):
        samples = [row[place] for row in rows[:50] if row[place]]
        known = (key for key, field in FIELDS.items() if _plain(title) in field.titles.split() and key not in columns)
        columns.append(next((key for key in known if _fits(key, samples)), OWN if title else IGNORED))
    return columns + [IGNORED] * (len(header) - added)


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


def _plain(title: str) -> str:
    return re.sub(r"[\W_]", "", title.casefold().translate(_ACCENTS))


_ACCENTS = str.maketrans("áéíóúüñçãõâêô", "aeiouuncaoaeo")


def _fits(key: str, samples: Sequence[str]) -> bool:
    """Tell whether cells look like what their title says, where titles are often used for something else."""
    pattern = {"country": "[A-Za-z]{2}", "currency": "[A-Za-z]{3}", "language": "[A-Za-z]{2,3}([-_].+)?"}.get(key)
    return pattern is None or all(re.fullmatch(pattern, sample) for sample in samples)


def faults_of_columns(columns: Sequence[str], header: Sequence[str]) -> list[str]:
    """Return what is wrong with a choice of columns."""
    faults = [
        _now("Two columns are “%(field)s”. Choose one.") % {"field": field.label}
        for key, field in FIELDS.items()
        if columns.count(key) > 1
    ]
    for title in (title for key, title in zip(columns, header, strict=True) if key == OWN):
        try:
            _key(title)
        except (BadCell, texts.BadText) as error:
            faults.append(_now("%(field)s: %(fault)s") % {"field": f"{title[:40]}…", "fault": error})
    if not set(columns) & {"contact.email", "contact.phone", "contact.chat", "company.name", "company.domain"}:
        faults.append(_now("Choose at least one column to reach somebody by: an e-mail, a phone or a company."))
    return faults


# Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How the rows of one table are read."""

    header: Sequence[str]
    columns: Sequence[str]  # keys of FIELDS, OWN or IGNORED, in the order of the header
    zone: ZoneInfo
    month_first: bool = False  # 03/02/2026 is the 2nd of March


def read_row(cells: Sequence[str], reading: Reading, *, at: datetime) -> tuple[dict[str, Any], list[str]]:
    """Return the lead as `take_leads` takes it, and what is wrong with the row; what is wrong is left out of the lead."""
    form: dict[str, Any] = {"contact": {}, "company": {}, "utm": {}, "fields": {}}
    faults = []
    if len(cells) > len(reading.header):
        faults.append(_now("The row has more cells than the table has columns."))
    for title, key, cell in zip(reading.header, reading.columns, cells, strict=False):
        if key == IGNORED or not cell:
            continue
        try:
            if key == OWN:
                form["fields"][_key(title)] = _many_lines(cell)
            else:
                _put(form, key, _value(key, cell, reading, at=at))
        except (BadCell, texts.BadText) as error:
            label = FIELDS[key].label if key in FIELDS else title[:LONGEST_KEY]
            faults.append(_now("%(field)s: %(fault)s") % {"field": label, "fault": error})
    return form, faults


def _put(form: dict[str, Any], key: str, value: Any) -> None:
    group, dot, name = key.partition(".")
    if dot:
        form[group][name] = value
    else:
        form[key] = value


def _value(key: str, cell: str, reading: Reading, *, at: datetime) -> Any:
    if key == "arrived_at":
        return instant(_one_line(cell), reading, at=at)
    value = READERS.get(key, _one_line)(cell)
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


def _code(letters: int, example: str) -> Callable[[str], str]:
    def code(cell: str) -> str:
        if not re.fullmatch(f"[A-Za-z]{{{letters}}}", cell):
            raise BadCell(
                _now("“%(cell)s” is not a code such as %(example)s") % {"cell": cell[:40], "example": example}
            )
        return cell.upper()

    return code


def tags(cell: str) -> list[str]:
    """Return the tags, apart by commas, semicolons or line breaks. Raises BadCell."""
    found = list(dict.fromkeys(tag for part in re.split(r"[,;\r\n]", cell) if (tag := _one_line(part))))
    if len(found) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in found):
        raise BadCell(
            _now("at most %(count)d tags of %(length)d characters are allowed")
            % {"count": MOST_TAGS, "length": LONGEST_TAG}
        )
    return found


READERS: Mapping[str, Callable[[str], Any]] = {
    "external_id": texts.refuse_controls,
    "contact.phone": phone,
    "budget": amount,
    "currency": _code(3, "EUR"),
    "country": _code(2, "ES"),
    "tags": tags,
    "comment": _many_lines,
}
DATE = re.compile(
    r"(?:(?P<iso>\d{4})-(?P<iso_month>\d\d?)-(?P<iso_day>\d\d?)|(?P<first>\d\d?)(?P<mark>[./-])(?P<second>\d\d?)(?P=mark)(?P<year>\d{4}))"
    r"(?:[T ,]+(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<seconds>\d\d)(?:\.\d+)?)?)?\s*(?P<offset>Z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def instant(cell: str, reading: Reading, *, at: datetime) -> datetime:
    """Return the instant, one without an offset as of the account's zone. Raises BadCell."""
    match = DATE.fullmatch(cell)
    if match is None:
        raise BadCell(_now("“%(cell)s” is not a date such as 2026-03-02 09:00") % {"cell": cell[:40]})
    parts = match.groupdict()
    day_first = parts["mark"] == "." or not reading.month_first
    day, month = (parts["first"], parts["second"]) if day_first else (parts["second"], parts["first"])
    try:
        wall = datetime(
            int(parts["iso"] or parts["year"]),
            int(parts["iso_month"] or month),
            int(parts["iso_day"] or day),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["seconds"] or 0),
            tzinfo=datetime.strptime(parts["offset"], "%z").tzinfo if parts["offset"] else reading.zone,
        )
        found = wall.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadCell(_now("“%(cell)s” is not a date such as 2026-03-02 09:00") % {"cell": cell[:40]}) from None
    if found.year < FIRST_YEAR or found > at + AHEAD:
        raise BadCell(_now("“%(cell)s” is before 1970 or in the future") % {"cell": cell[:40]})
    return found
