"""What may stand in the file: the keys of every section and the types of their values.

Read here is what can be judged of a value by itself. What it refers to, and what its model says of it, is judged in
importing.py, when it stands beside what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any

import phonenumbers
from django.core.exceptions import ValidationError

from accounts.models import Account, ScheduleException
from accounts.people.names import unseen_sign
from accounts.time import holidays, schedules
from routing.intake import placeholders
from routing.intake.limits import LONGEST_KEY
from routing.models import Placeholder, Registry, Source, Stage, Trigger
from routing.models.placeholders import UNREADABLE

from .places import BadConfiguration, Errors, Node, NotTaken, Reader, quote

SECTIONS = ("account", "schedules", "managers", "sources", "placeholders", "pipelines", "registries", "triggers")
VERSION = 1
MAX_TEXT = 20_000
MAX_JSON_DEPTH = 8


@dataclass(frozen=True, slots=True)
class NamedObject:
    """An object that the file names, with those of its keys that it gives."""

    key: str  # code, e-mail, pipeline/stage
    node: Node
    fields: dict[str, Any]
    whole: bool  # nothing of it was refused

    def place_of(self, key: str) -> Node:
        return self.node.at(key)

    def gives(self, key: str) -> bool:
        return key in self.node.value

    def is_unreadable(self, key: str) -> bool:
        """Tell whether the file gives the key, and what it gives could not be read: that is noted already."""
        return self.gives(key) and key not in self.fields


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The file as it was read: by section, in the file's order."""

    sections: frozenset[str]  # those that the file has, be they empty
    named: dict[str, dict[str, NamedObject]] = field(
        default_factory=dict
    )  # "stages" beside the sections, by pipeline/stage


# Values


def text(node: Node) -> str:
    """Read text; null is empty."""
    if node.value is None:
        return ""
    if not isinstance(node.value, str):
        written = node.value if isinstance(node.value, int | float | date) else None
        node.refuse(f'text is needed; write it in quotes: "{written}"' if written is not None else "text is needed")
    if "\0" in node.value or any("\ud800" <= sign <= "\udfff" for sign in node.value):
        node.refuse("a character in it cannot be stored")
    if len(node.value) > MAX_TEXT:
        node.refuse(f"at most {MAX_TEXT:,} characters")
    return node.value


def line(node: Node) -> str:
    """Read text of one line: a name, a title, a code."""
    found = text(node)
    sign = unseen_sign(found)
    if sign:
        node.refuse(f"write it in one line, without control characters: remove {sign}")
    return found


def word(node: Node) -> str:
    """Read text of one line that is not empty."""
    return line(node).strip() or node.refuse("is empty")


def email(node: Node) -> str:
    return word(node).lower()


def flag(node: Node) -> bool:
    if not isinstance(node.value, bool):
        node.refuse(f"true or false is needed, not {quote(node.value)}")
    return node.value


def whole(node: Node) -> int:
    if isinstance(node.value, bool) or not isinstance(node.value, int):
        node.refuse(f"a whole number is needed, not {quote(node.value)}")
    return node.value


def or_null(reader: Reader) -> Reader:
    return lambda node: None if node.value is None else reader(node)


def one_of(options: Iterable[str]) -> Reader:
    known = [str(option) for option in options]

    def hint(node: Node) -> str:
        better = node.errors.meant(node.value, known) if isinstance(node.value, str) else None
        return f'did you mean "{better}"?' if better else f"use {' or '.join(known)}"

    def read(node: Node) -> str:
        if node.value not in known:
            node.refuse(lambda: f"no {quote(node.value)}; {hint(node)}")
        return node.value

    return read


def some_of(options: Iterable[str], *, ordered: bool = False) -> Reader:
    """Read a list of options; where their order says nothing it is always the same."""
    known = [str(option) for option in options]

    def read(node: Node) -> list[str]:
        found = without_repetition(one_of(known))(node)
        return found if ordered else sorted(found, key=known.index)

    return read


def without_repetition(reader: Reader) -> Reader:
    def read(node: Node) -> list[Any]:
        found: dict[Any, None] = {}

        def once(item: Node) -> None:
            value = reader(item)
            if value in found:
                item.refuse(f"{quote(value)} is here twice")
            found[value] = None

        node.each(once)
        return list(found)

    return read


def day(node: Node) -> date:
    if isinstance(node.value, str):
        try:
            return date.fromisoformat(node.value)
        except ValueError:
            node.refuse(f"{quote(node.value)} is no date; write it as 2026-01-05")
    if type(node.value) is not date:
        node.refuse(f"{quote(node.value)} is no date; write it as 2026-01-05")
    return node.value


def country(node: Node) -> str:
    """Read the country as of which phone numbers are read."""
    code = text(node)
    if code and code not in phonenumbers.SUPPORTED_REGIONS:
        upper = code.strip().upper()
        mend = (
            f'write it as "{upper}"' if upper in phonenumbers.SUPPORTED_REGIONS else "use two letters, for example ES"
        )
        node.refuse(f"no country {quote(code)}; {mend}")
    return code


def json_value(node: Node, depth: int = 0) -> Any:
    """Read anything that JSON can carry; a date becomes its text."""
    value = node.value
    if depth > MAX_JSON_DEPTH:
        node.refuse(f"nested more than {MAX_JSON_DEPTH} deep")
    if isinstance(value, Mapping):
        if (key := next((key for key in node.mapping() if len(str(key)) > LONGEST_KEY), None)) is not None:
            node.refuse(f"a key has at most {LONGEST_KEY} characters, but “{str(key)[:40]}…” has {len(str(key)):,}")
        return {text(Node(key, node.place, node.errors)): json_value(node.at(key), depth + 1) for key in node.mapping()}
    if isinstance(value, list | tuple):
        return [json_value(item, depth + 1) for item in node.items()]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and isfinite(value):
        # As the database gives it back: 1e16 as a whole number, and no minus before zero.
        return int(Decimal(repr(value))) if "e+" in repr(value) else value + 0.0
    if value is None or isinstance(value, bool | int):
        return value
    return text(node)


# Schedules


def interval(node: Node) -> str:
    try:
        schedules.parse_interval(node.value)
    except schedules.BadInterval as error:
        written, _, mend = str(error).rpartition(": ")
        node.refuse(f"{mend}, not {written}")
    return node.value


def intervals(node: Node) -> list[str]:
    if node.value is not None and not isinstance(node.value, list | tuple):
        node.refuse('a list of intervals is needed, like ["09:00-18:00"]; a day off is []')
    return node.each(interval)


def weekly(node: Node) -> dict[str, list[str]]:
    week = node.fields(dict.fromkeys(schedules.WEEKDAYS, intervals))
    return {weekday: week[weekday] for weekday in schedules.WEEKDAYS if week.get(weekday)}


def cycle(node: Node) -> dict[str, Any]:
    return node.fields({"start": day, "days": lambda days: days.each(intervals)})


def read_holidays(node: Node) -> dict[str, str | None]:
    """Read whose public holidays are followed; they are one value, so a subdivision left out is none."""
    found = node.fields({"country": word, "subdivision": text})
    if "country" not in node.value:
        node.at("country").refuse("missing")
    if "country" not in found:
        raise NotTaken
    place, subdivision = "country", None
    try:
        holidays.check_country(found["country"])
        place = "subdivision"
        subdivision = holidays.subdivision_code(found["country"], found.get("subdivision") or "") or None
    except holidays.BadHoliday as error:
        node.at(place).refuse(str(error))
    return {"country": found["country"], "subdivision": subdivision}


def exceptions(node: Node) -> list[dict[str, Any]]:
    return sorted(node.each(exception), key=exception_order)


def exception_order(item: dict[str, Any]) -> tuple[Any, ...]:
    kind = next(key for key in ScheduleException.Kind.values if key in item)
    return item["from"], item["to"], kind, item[kind] if kind != "off" else []


def exception(node: Node) -> dict[str, Any]:
    """Read {from, to, off: true}, or `extra` or `hours` with their intervals; without `to` it is one day."""
    before = len(node.errors)
    kinds = ScheduleException.Kind.values
    found = node.fields({"from": day, "to": or_null(day), "off": flag, "extra": intervals, "hours": intervals})
    if "from" not in node.value:
        node.at("from").note("missing")
    said = [kind for kind in kinds if kind in node.value]
    if len(said) != 1 or found.get("off") is False:
        node.note("say one of off: true, extra: [intervals], hours: [intervals]")
    if len(node.errors) > before:
        raise NotTaken
    kind, last = said[0], found.get("to") or found["from"]
    row = ScheduleException(
        first_day=found["from"], last_day=last, kind=kind, intervals=[] if kind == "off" else found[kind]
    )
    names = {"first_day": "from", "last_day": "to", "intervals": kind}
    note_faults(row, node, names=names, whole=False)
    if len(node.errors) > before:
        raise NotTaken
    return {"from": found["from"], "to": last, kind: found[kind]}


def skills(node: Node) -> dict[str, list[str]]:
    if node.value is None:
        return {}
    words: Callable[[Node], list[str]] = without_repetition(word)
    return node.fields({line(Node(key, node.place, node.errors)): words for key in node.mapping()})


# Triggers


def no_conditions(node: Node) -> list[Any]:
    if node.value:
        node.refuse("conditions are not supported in this version; leave the list empty")
    return []


def method(node: Node) -> str:
    if node.value == "performance":
        node.refuse("performance is not supported in this version; use fair_share with coefficients")
    return one_of(Trigger.Method.values)(node)


def counting(node: Node) -> str | dict[str, Any] | None:
    """Read the code of a registry; null or settings for the trigger's own."""
    return node.fields(REGISTRY_SETTINGS) if isinstance(node.value, Mapping) else or_null(word)(node)


def limit(node: Node) -> dict[str, Any]:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        node.refuse(f"write it as {{leads: {node.value}}}")
    return node.fields({"leads": or_null(whole), "stages": lambda stages: sorted(without_repetition(word)(stages))})


def members(node: Node) -> dict[str, NamedObject]:
    return by_key(node, "manager", email, MEMBER, "a member of this trigger")


def responsible_check(node: Node) -> dict[str, Any]:
    return node.fields({"of": some_of(Trigger.Owner.values, ordered=True), "available": flag, "count": flag})


def acceptance(node: Node) -> dict[str, Any]:
    return node.fields({
        "minutes": whole,
        "clock": one_of(Trigger.Clock.values),
        "max_attempts": or_null(whole),
        "finally": one_of(Trigger.FinalStep.values),
        "on_pause": one_of(Trigger.OnPause.values),
    })  # fmt: skip


# Sections

REGISTRY_SETTINGS: dict[str, Reader] = {
    "accounting": one_of(Registry.Accounting.values),
    "reset": one_of(Registry.Reset.values),
    "refund_missed": flag,
}
MEMBER: dict[str, Reader] = {"coefficient": whole, "limit": or_null(whole), "schedule": or_null(word)}
STAGE: dict[str, Reader] = {"title": line, "kind": one_of(Stage.Kind.values)}
ACCOUNT: dict[str, Reader] = {
    "name": line,
    "time_zone": text,
    "country": country,
    "unqualified": flag,
    "online_minutes": whole,
    "repeat_hours": whole,
    "pause_reasons": without_repetition(word),
    "channels": lambda node: node.fields(dict.fromkeys(Account.CHANNELS, flag)),
}
OBJECTS: dict[str, dict[str, Reader]] = {
    "schedules": {
        "title": line,
        "weekly": or_null(weekly),
        "cycle": or_null(cycle),
        "holidays": or_null(read_holidays),
        "exceptions": exceptions,
    },
    "managers": {
        "name": line,
        "schedule": or_null(word),
        "offset": whole,
        "time_zone": text,
        "active": flag,
        "skills": skills,
        "exceptions": exceptions,
    },
    "sources": {
        "title": line,
        "channel": one_of(Source.Channel.values),
        "active": flag,
        "country": country,
        "double_click": flag,
        "known": lambda node: "" if node.value is None else one_of(Source.Known.values)(node),
    },
    "placeholders": {"kind": one_of(Placeholder.Kind.values), "value": word, "identifies": flag},
    "pipelines": {"title": line, "stages": lambda node: by_key(node, "code", word, STAGE, "a stage of this pipeline")},
    "registries": {"title": line, **REGISTRY_SETTINGS},
    "triggers": {
        "stage": word,
        "on": some_of(Trigger.Event.values),
        "method": method,
        "members": members,
        "limit": or_null(limit),
        "registry": counting,
        "online_only": flag,
        "responsible_check": or_null(responsible_check),
        "also_assign": some_of(Trigger.Related.values),
        "acceptance": or_null(acceptance),
        "if_nobody": one_of(Trigger.IfNobody.values),
        "duty": or_null(email),
        "set_fields": lambda node: (
            {} if node.value is None else json_value(Node(node.mapping(), node.place, node.errors))
        ),
        "priority": whole,
        "when": no_conditions,
    },
}
KNOWN_KEYS = sorted({
    *SECTIONS, *ACCOUNT, *MEMBER, *STAGE, *(key for keys in OBJECTS.values() for key in keys),
    "code", "email", "manager", "leads", "minutes", "clock", "max_attempts", "finally", "on_pause", "of",
    "available", "count",
})  # fmt: skip


def read_document(document: object, errors: Errors) -> ParsedFile:
    """Return what the document names; what is wrong with it is added to the errors."""
    top = Node(document, "", errors, KNOWN_KEYS)
    try:
        found = top.fields({"version": _version, "account": or_null(_account)} | {s: _objects(s) for s in SECTIONS[1:]})
    except NotTaken:
        raise BadConfiguration.of(errors, SECTIONS) from None
    if "version" not in top.mapping():
        top.at("version").note(f"missing; begin with version: {VERSION}")
    named: dict[str, dict[str, NamedObject]] = {section: found.get(section) or {} for section in SECTIONS}
    named["stages"] = {
        f"{pipeline.key}/{code}": replace(stage, key=f"{pipeline.key}/{code}")
        for pipeline in named["pipelines"].values()
        for code, stage in pipeline.fields.get("stages", {}).items()
    }
    return ParsedFile(frozenset(section for section in SECTIONS if section in top.mapping()), named)


def _version(node: Node) -> int:
    if isinstance(node.value, bool) or node.value != VERSION:
        node.refuse(f"only version {VERSION} can be read, not {quote(node.value)}")
    return VERSION


def _account(node: Node) -> dict[str, NamedObject]:
    before = len(node.errors)
    fields = node.fields(ACCOUNT)
    return {"": NamedObject("", node, fields, len(node.errors) == before)}


def _objects(section: str) -> Reader:
    if section == "placeholders":
        return read_placeholders
    if section == "managers":
        return lambda node: by_key(node, "email", email, OBJECTS[section], "a manager")
    return lambda node: by_key(node, "code", word, OBJECTS[section], f"one of the {section}")


def by_key(
    node: Node, key: str, key_reader: Reader, readers: Mapping[str, Reader], what: str
) -> dict[str, NamedObject]:
    """Read a list of objects, each known by one key that is there once."""
    found: dict[str, NamedObject] = {}

    def read(item: Node) -> None:
        before = len(item.errors)
        if key not in item.mapping():
            item.at(key).note("missing")
        fields = item.fields({key: key_reader, **readers})
        if key not in fields:
            raise NotTaken
        name = fields.pop(key)
        if name in found:
            item.at(key).refuse(f"{quote(name)} is {what} already, at {found[name].node.place}")
        found[name] = NamedObject(name, item, fields, len(item.errors) == before)

    node.each(read)
    return found


def read_placeholders(node: Node) -> dict[str, NamedObject]:
    """Read the list of what identifies nobody: each is known by its kind and value, in any spelling."""
    found: dict[str, NamedObject] = {}

    def read(item: Node) -> None:
        before = len(item.errors)
        fields = item.fields(OBJECTS["placeholders"])
        for key in ("kind", "value"):
            if key not in item.mapping():
                item.at(key).note("missing")
        if len(item.errors) > before:
            raise NotTaken
        value = placeholders.read_value(placeholders.PlaceholderKind(fields["kind"]), fields["value"])
        if value is None:
            item.at("value").refuse(str(UNREADABLE[fields["kind"]]))
        fields["value"] = value
        name = placeholder_key(fields["kind"], value)
        if name in found:
            item.at("value").refuse(f"{quote(value)} is one of the placeholders already, at {found[name].node.place}")
        found[name] = NamedObject(name, item, fields, True)

    node.each(read)
    return found


def placeholder_key(kind: str, value: str) -> str:
    return f"{kind} {value}"


def note_faults(
    row: Any, node: Node, *, names: Mapping[str, str], exclude: Iterable[str] = (), whole: bool = True
) -> None:
    """Note what the model says against the row.

    names: the key of the file for a field of another name; whole: ask each field, too, where the reader has not.
    """
    try:
        row.full_clean(exclude=exclude, validate_unique=False, validate_constraints=False) if whole else row.clean()
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            place = node
            for part in names.get(name, name).split(".") if name != "__all__" else ():
                place = Node(None, f"{place.place}.{part}" if place.place else part, node.errors)
            if place.place in node.errors.places:
                continue  # what was written there could not even be read
            for message in messages:
                place.note(message)
