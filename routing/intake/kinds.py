"""Kinds of values: how each is read from JSON, and how a schema describes it.

Senders leave out what they do not know, so that every value may be null or absent. A wrong type is refused and never
turned into a right one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from . import text
from .limits import FIRST_YEAR, LARGEST_BUDGET, LAST_YEAR, LONGEST_KEY, LONGEST_TAG, MOST_KEYS, MOST_TAGS
from .text import BadText

INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d|[+-]\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
MONEY = re.compile(r"\d{1,12}(?:\.\d{1,2})?", re.ASCII)


class Fault(str):
    """What is wrong with a value, in words; the code is for programs."""

    code: str

    def __new__(cls, words: str, code: str) -> Fault:
        fault = super().__new__(cls, words)
        fault.code = code
        return fault


Faults = list[Fault] | dict[str, Any]  # of a value; or of its parts, by their names


class BadValue(ValueError):
    """What was sent cannot be taken. Nothing was changed."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults)
        self.faults = faults


def refuse(code: str, words: str) -> NoReturn:
    raise BadValue([Fault(words, code)])


def _at_pointer(bad: BadText) -> BadValue:
    """Return the refusal with the place that the walk found: {"fields": {"city": [...]}}."""
    faults: Any = [Fault(f"This cannot be stored: {bad.detail}.", bad.code)]
    for step in reversed(bad.pointer.split("/")[1:]):
        faults = {step.replace("~1", "/").replace("~0", "~"): faults}
    return BadValue(faults)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of value."""

    required: bool = False
    help: str = ""
    empty: ClassVar[type[Any]] = type(None)  # makes what is stored of a lead that was sent without the value

    def read(self, value: Any) -> Any:
        """Return the value as services take it. Raises BadValue."""
        raise NotImplementedError

    def answer(self, value: Any) -> Any:
        """Return what is stored as JSON shows it."""
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return what is taken besides null."""
        raise NotImplementedError


@dataclass(frozen=True)
class Text(Kind):
    """A text, cleaned of what no text may hold, and never cut."""

    longest: int | None = None
    code: str = "invalid-text"  # of a wrong type
    empty: ClassVar[type[Any]] = str
    multiline: ClassVar[bool] = False

    def read(self, value: Any) -> str:
        if type(value) is not str:
            refuse(self.code, "A text is expected.")
        try:
            cleaned = self.cleaned(value)
        except BadText as bad:
            raise _at_pointer(bad) from None
        if self.longest is not None and len(cleaned) > self.longest:
            refuse("too-long", f"At most {self.longest} characters are allowed.")
        return cleaned

    def cleaned(self, value: str) -> str:
        return text.clean(value, multiline=self.multiline)

    def answer(self, value: str | None) -> str | None:
        return value or None

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", **({} if self.longest is None else {"maxLength": self.longest})}


class Name(Text):
    """A text that is answered as "" rather than as null."""

    def answer(self, value: str | None) -> str:
        return value or ""


class LongText(Name):
    multiline = True


class Identifier(Text):
    """A text that tells things apart: refused rather than cleaned, since two of them must never become one."""

    empty = type(None)

    def cleaned(self, value: str) -> str:
        return text.refuse_controls(value)


class Numeral(Text):
    """A text that some senders write as a whole number: a phone, a postal code."""

    def read(self, value: Any) -> str:
        return super().read(str(value) if type(value) is int else value)

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "type": ["string", "integer"]}


class NumeralIdentifier(Numeral, Identifier):
    pass


class Email(Text):
    """An e-mail address: a control character in it is marked, and never left out."""

    def cleaned(self, value: str) -> str:
        return text.mark_controls(value)


class Phone(Numeral):
    pass


@dataclass(frozen=True)
class Code(Text):
    """A code of so many letters, written in any case: a currency, a country."""

    example: str = ""

    def read(self, value: Any) -> str:
        code = super().read(value)
        if code and not self.pattern.fullmatch(code):
            refuse(self.code, f"A code such as {self.example} is expected.")
        return code.upper()

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(f"[A-Za-z]{{{self.longest}}}", re.ASCII)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({self.pattern.pattern})?$"}


class Flag(Kind):
    def read(self, value: Any) -> bool:
        if type(value) is not bool:
            refuse("invalid-boolean", "true or false is expected.")
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Minutes(Kind):
    most: int = 525_600  # a year

    def read(self, value: Any) -> int:
        if type(value) is not int or not 1 <= value <= self.most:
            refuse("invalid-number", f"A whole number of minutes from 1 to {self.most} is expected.")
        return value

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": self.most}


class Money(Kind):
    """An amount as text or number, exact to the cent or refused."""

    def read(self, value: Any) -> Decimal | None:
        if value == "":
            return None
        if type(value) is float or type(value) is int:
            return self._from_number(value)
        if type(value) is not str or not MONEY.fullmatch(value):
            refuse("invalid-number", "An amount such as 1200.00 is expected, with at most two decimals.")
        return Decimal(value)

    def _from_number(self, number: int | float) -> Decimal:
        # repr: the shortest text that is this number, as the sender wrote it
        amount = abs(Decimal(repr(number))) if number == 0 else Decimal(repr(number))
        if not 0 <= amount <= LARGEST_BUDGET:
            refuse("invalid-number", f"An amount from 0 to {LARGEST_BUDGET} is expected.")
        if amount != amount.quantize(Decimal("0.01")):
            refuse("invalid-number", "An amount has at most two decimals.")
        return amount.quantize(Decimal("0.01"))

    def answer(self, value: Decimal | None) -> str | None:
        return None if value is None else f"{value:.2f}"

    def json_schema(self) -> dict[str, Any]:
        return {
            "oneOf": [
                {"type": "string", "pattern": r"^([0-9]{1,12}(\.[0-9]{1,2})?)?$"},
                {"type": "number", "minimum": 0, "maximum": float(LARGEST_BUDGET)},
            ],
            "description": "At most two decimals. More are refused, never rounded.",
        }


class Instant(Kind):
    """An instant; one without an offset stays naive until the door knows the account's zone."""

    def read(self, value: Any) -> datetime | None:
        if value == "":
            return None
        if type(value) is not str:
            refuse("invalid-time", "A text such as 2026-03-02T09:00:00+01:00 is expected.")
        return read_instant(value)

    def answer(self, value: datetime | None) -> str | None:
        return instant(value)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "examples": ["2026-03-02T09:00:00+01:00"]}


def read_instant(written: str) -> datetime:
    """Return the datetime as it is written, naive when it has no offset. Raises BadValue."""
    match = INSTANT.fullmatch(written) if len(written) < 50 else None
    try:
        if match is None:
            raise ValueError
        day, time, offset = match.groups()
        return datetime.fromisoformat(f"{day}T{_to_microseconds(time or '00:00')}{(offset or '').upper()}")
    except ValueError:
        refuse("invalid-time", "An instant such as 2026-03-02T09:00:00+01:00 is expected.")


def _to_microseconds(time: str) -> str:
    clock, dot, fraction = time.partition(".")
    return clock + dot + fraction[:6].ljust(6, "0") if dot else clock


def in_utc(at: datetime, zone: tzinfo) -> datetime:
    """Return the instant in UTC, one without an offset as of the zone. Raises BadValue outside of 1970..2100."""
    try:
        instant = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        instant = at.replace(tzinfo=UTC)
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        refuse("invalid-time", f"A year from {FIRST_YEAR} to {LAST_YEAR} is expected.")
    return instant


def instant(at: datetime | None) -> str | None:
    """Return the instant as `2026-03-02T10:10:00Z`, with its fraction of a second where it has one."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Tags(Kind):
    empty = list
    tag = Text(LONGEST_TAG)

    def read(self, value: Any) -> list[str]:
        if type(value) is not list:
            refuse("invalid-list", "A list of texts is expected.")
        if len(value) > MOST_TAGS:
            refuse("too-many-items", f"At most {MOST_TAGS} tags are allowed.")
        tags, faults = [], {}
        for index, tag in enumerate(value):
            try:
                tags.append(self.tag.read(tag))
            except BadValue as bad:
                faults[str(index)] = bad.faults
        if faults:
            raise BadValue(faults)
        return tags

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.tag.json_schema(), "maxItems": MOST_TAGS}


class JsonObject(Kind):
    """An object with any JSON inside."""

    empty = dict

    def read(self, value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            refuse("invalid-json", "A JSON object is expected.")
        if len(value) > MOST_KEYS:
            refuse("too-many-keys", f"At most {MOST_KEYS} fields are allowed.")
        try:
            cleaned = text.clean_json(value)
        except BadText as bad:
            raise _at_pointer(bad) from None
        assert isinstance(cleaned, dict)  # as it went in
        return cleaned

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": True,
            "maxProperties": MOST_KEYS,
            "propertyNames": {"maxLength": LONGEST_KEY},
        }


@dataclass(frozen=True)
class Form(Kind):
    """An object with named values. What it does not name is passed over: advertising systems and form builders add some
    without a warning."""

    fields: Mapping[str, Kind] = field(default_factory=dict)

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            refuse("not-an-object", "A JSON object is expected.")
        values: dict[str, Any] = {}
        faults: dict[str, Any] = {}
        for name, required, read in self.readers:
            if name in value:
                part = value[name]
                try:
                    values[name] = None if part is None else read(part)
                except BadValue as bad:
                    faults[name] = bad.faults
            elif required:
                faults[name] = [Fault("This is required.", "required")]
        if faults:
            raise BadValue(faults)
        return values

    @cached_property
    def readers(self) -> list[tuple[str, bool, Callable[[Any], Any]]]:
        """Return each value's name, whether it is needed, and what reads it: to look them up costs more than to read."""
        return [(name, kind.required, kind.read) for name, kind in self.fields.items()]
