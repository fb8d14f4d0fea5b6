"""The file as text: YAML read without its surprises, and written in a stable order that shows small differences.

Read are mappings, lists, text, whole and decimal numbers, true, false, null and dates, and nothing else: `on`, `no`
and `21:00` are text, and a tag that would make an object is refused. The parser's events are folded with a stack of
our own, so that neither depth nor aliases can take more memory than the text itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from math import isfinite
from typing import Any, NoReturn

import yaml

from .places import BadConfiguration, quote

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 24
MAX_ALIASED = 10_000  # values that come from aliases, all together
LETTERS_OF_A_VALUE = 100  # a longer text counts as several
WIDTH = 140

_PARSER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_TAG = "tag:yaml.org,2002:"
_WORDS = {word: value for plain, value in (("null", None), ("true", True), ("false", False))
          for word in (plain, plain.title(), plain.upper())} | {"": None, "~": None}  # fmt: skip
# Narrower than YAML 1.1: what is written by `write` unquoted is read here as the same value, 010 and 1_000 are text.
_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,399})")
_DECIMAL = re.compile(r"[-+]?[0-9]{1,30}\.[0-9]{0,30}(?:[eE][-+][0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


# Reading


def read(text: str | bytes) -> Any:
    """Return the document. Raises BadConfiguration with the line."""
    events = yaml.parse(_decode(text), Loader=_PARSER)
    try:
        return _fold(events)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BadConfiguration([(where, f"no YAML: {error.problem or error.context}")]) from None
    except yaml.YAMLError as error:
        raise BadConfiguration([("", f"no YAML: {' '.join(str(error).split())[:200]}")]) from None


def _decode(text: str | bytes) -> str:
    """Return the text when it is not too long and may be stored."""
    try:
        raw = text.encode() if isinstance(text, str) else text
        if len(raw) > MAX_BYTES:
            raise BadConfiguration([("", f"the file has {len(raw):,} bytes; {MAX_BYTES:,} are the most")])
        return raw.decode("utf-8-sig")
    except UnicodeError:
        raise BadConfiguration([("", "the file is not UTF-8; save it as UTF-8")]) from None


@dataclass(slots=True)
class _Open:
    """A mapping or list that has begun and not ended."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    size: int = 1  # values in it, itself included
    key: str | None = None  # of the value that comes next
    lines: dict[str, int] = field(default_factory=dict)  # where each key stands


def _fold(events: Iterable[Any]) -> Any:
    fold = _Fold()
    for event in events:
        fold.take(event)
    return fold.document


class _Fold:
    def __init__(self) -> None:
        self.document: Any = None
        self.documents = 0
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.aliased = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self.check_tag(event)
            if self.awaits_key():
                self.take_key(event)
            else:
                value = _value_of(event.value) if event.implicit[0] else event.value
                self.put(value, 1 + len(event.value) // LETTERS_OF_A_VALUE, event.anchor)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self.begin(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            ended = self.open.pop()
            self.put(ended.value, ended.size, ended.anchor)
        elif isinstance(event, yaml.AliasEvent):
            self.take_alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                _refuse(event, "a second document begins here; one file is one document")

    def awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is None

    def take_key(self, event: Any) -> None:
        mapping = self.open[-1]
        line = event.start_mark.line + 1
        if event.anchor:
            _refuse(event, "a key cannot be an anchor")
        if event.value in mapping.lines:
            _refuse(event, f"{quote(event.value)} is here twice; first in line {mapping.lines[event.value]}")
        mapping.key = event.value
        mapping.lines[event.value] = line

    def begin(self, event: Any) -> None:
        self.check_tag(event)
        if self.awaits_key():
            _refuse(event, "a key is a word, not a list or a mapping")
        if len(self.open) >= MAX_DEPTH:
            _refuse(event, f"nested more than {MAX_DEPTH} deep")
        self.open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor))

    def take_alias(self, event: Any) -> None:
        if self.awaits_key():
            _refuse(event, "a key is a word, not an alias")
        if event.anchor not in self.anchors:  # or it is not complete yet: a value cannot hold itself
            _refuse(event, f"nothing is called *{event.anchor[:60]} before this line")
        value, size = self.anchors[event.anchor]
        self.aliased += size
        if self.aliased > MAX_ALIASED:
            _refuse(event, f"aliases repeat more than {MAX_ALIASED:,} values")
        self.put(value, size, None)

    def put(self, value: Any, size: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, size)
        if not self.open:
            self.document = value
            return
        parent = self.open[-1]
        parent.size += size
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is not None:
            parent.value[parent.key] = value
            parent.key = None

    def check_tag(self, event: Any) -> None:
        if event.tag not in (None, "!", f"{_TAG}str"):
            _refuse(event, f"tags such as {quote(event.tag)} are not allowed")


def _refuse(event: Any, message: str) -> NoReturn:
    raise BadConfiguration([(f"line {event.start_mark.line + 1}", message)])


def _value_of(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        number = float(text)
        return number if isfinite(number) else text
    if _DATE.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            return text  # the 30th of February: whoever needs a date there says so, with the place
    return text


# Writing


def write(document: dict[str, Any]) -> str:
    """Return the document as text: an object a line, those with objects of their own (pipelines, triggers) a block."""
    lines = [_block({"version": document["version"]}), _block({"account": _Flow(document["account"])})]
    for section in list(document)[2:]:
        lines.append(_block({section: list(_style(section, document[section]))}))
    return "\n".join(lines)


class _Flow(dict[str, Any]):
    """A mapping that is written in one line."""


class _Word(str):
    """A key that is written as it is, though old YAML would read it as true or false."""


def _style(section: str, objects: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    blocks = {"pipelines": "stages", "triggers": "members"}
    for row in objects:
        if section not in blocks:
            yield _Flow(row)
        else:
            yield {
                key: [_Flow(part) for part in value] if key == blocks[section] else value for key, value in row.items()
            }


class _Dumper(yaml.SafeDumper):
    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        return f"{_TAG}str" if isinstance(value, _Word) else super().resolve(kind, value, implicit)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)  # lists stand under their key, not beside it


def _block(part: dict[str, Any]) -> str:
    return yaml.serialize(_node(part, 0), Dumper=_Dumper, width=WIDTH, allow_unicode=True)


def _node(value: Any, depth: int) -> yaml.Node:
    if isinstance(value, dict):
        pairs = [(_key(key), _node(item, depth + 1)) for key, item in value.items()]
        in_line = isinstance(value, _Flow) or not value or depth > 2
        return yaml.MappingNode(f"{_TAG}map", pairs, flow_style=in_line)
    if isinstance(value, list):
        items = [_node(item, depth + 1) for item in value]
        return yaml.SequenceNode(
            f"{_TAG}seq", items, flow_style=not (value and isinstance(value[0], dict) and depth < 4)
        )
    return _scalar(value)


def _key(key: str) -> yaml.Node:
    return _text(_Word(key)) if key in ("on", "off") else _text(key)


def _text(value: str) -> yaml.Node:
    # Between single quotes a line break would be folded into a space.
    return yaml.ScalarNode(f"{_TAG}str", value, style=None if value.isprintable() else '"')


def _scalar(value: Any) -> yaml.Node:
    if isinstance(value, str):
        return _text(value)
    return yaml.representer.SafeRepresenter().represent_data(value)
