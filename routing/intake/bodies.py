"""The bytes of a request → JSON values, or the one reason why not.

A body that is JSON is read whatever Content-Type says: senders are forms, scripts and exchanges of thirty years,
and a wrong header must not lose a lead. Everything that could hurt is refused here, before anything else sees it:
too large, too deep, too many keys, keys given twice (which one would count?), numbers no database
holds, halves of characters.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import accumulate
from secrets import token_hex
from typing import Any

from .text import BadText, refuse_surrogates

MAX_BYTES = 1 << 20  # one lead
MAX_BULK_BYTES = 16 << 20  # a thousand of them
MAX_DEPTH = 32
MAX_KEYS = 1_000  # in one lead
MAX_ITEMS = 1_000  # in one list, or leads in one request
MOST_TOKENS = 1_000_000  # strings and brackets of a list in which an item is looked for that is too deep
MAX_DIGITS = 300  # of a whole number: beyond, it cannot be compared with other numbers

# Encodings that old senders declare. Not among them: codecs that unpack or that take quadratic time.
CHARSETS = frozenset(
    {"big5", "cp866", "euc-jp", "euc-kr", "gb18030", "gb2312", "gbk", "koi8-r", "koi8-u", "latin1", "shift_jis"}
    | {f"iso-8859-{part}" for part in range(1, 17) if part != 12}
    | {f"windows-{page}" for page in range(1250, 1259)}
    | {f"cp{page}" for page in range(1250, 1259)}
)
_UTF8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_UTF16_OR_32 = frozenset({"utf-16", "utf16", "utf-16le", "utf-16be", "utf-32", "utf32", "utf-32le", "utf-32be"})
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s;"']{1,40})""", re.IGNORECASE)

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)  # possessive: one pass, whatever the bytes
_LINE = re.compile(rb"\S[^\n]*")
_TOKEN = re.compile(_STRING.pattern + rb"|[\[{]+|[\]}]+", re.DOTALL)
_NO_BRACKET = bytes(set(range(256)) - set(b"{}[]"))
_STEP = [1 if byte in b"{[" else -1 for byte in range(256)]


class BadBody(ValueError):
    """The body cannot be read as what it should be. `code` is stable and for programs."""

    code = "invalid-json"
    title = "The body cannot be read"
    default_detail = "The body is not JSON."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.default_detail
        super().__init__(self.detail)


class InvalidJson(BadBody):
    """The body does not follow the grammar of JSON."""


class InvalidEncoding(BadBody):
    code = "invalid-encoding"
    default_detail = "The body is not UTF-8."


class InvalidBodyText(BadBody):
    code = "invalid-text"
    default_detail = "A text in the body contains an invalid character."


class InvalidNumber(BadBody):
    code = "invalid-number"
    default_detail = "A number in the body is too large."


class DuplicateKey(BadBody):
    code = "duplicate-key"
    default_detail = "An object in the body has the same key twice."


class TooDeep(BadBody):
    code = "too-deep"
    default_detail = f"The body is nested deeper than {MAX_DEPTH} levels."


class TooManyKeys(BadBody):
    code = "too-many-keys"
    default_detail = f"The body has more than {MAX_KEYS} keys."


class TooManyItems(BadBody):
    code = "too-many-items"
    default_detail = f"A list in the body has more than {MAX_ITEMS} items."


class NotAnObject(BadBody):
    code = "not-an-object"
    default_detail = "A JSON object is expected."


class NotAList(BadBody):
    code = "not-a-list"
    default_detail = "A JSON list, or one JSON object per line, is expected."


class TooLarge(BadBody):
    code = "too-large"
    title = "The body is too large"
    default_detail = "The body is too large."


class UnsupportedBody(BadBody):
    code = "unsupported-media-type"
    title = "Unsupported media type"
    default_detail = "The body must be JSON in UTF-8, uncompressed."


# Reading


def parse_body(
    raw: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_keys: int = MAX_KEYS,
    max_items: int = MAX_ITEMS,
) -> object:
    """Return the JSON value in the bytes. Raises a BadBody for the first thing that is wrong with them.

    max_keys counts the keys of all objects together, max_items the items of each list.
    """
    if len(raw) > max_bytes:
        raise TooLarge(f"The body is larger than {max_bytes:,} bytes.")
    text = _decode(raw)
    _refuse_depth(raw, max_depth)
    value = _load(text, _DECODER)
    # As many colons and commas as that are needed to be too many: most bodies need no second look.
    if raw.count(b":") > max_keys or raw.count(b",") >= max_items:
        _refuse_crowds(value, max_keys=max_keys, max_items=max_items)
    if b"\\u" in raw:
        _refuse_half_characters(value)
    return value


def parse_bulk(raw: bytes, *, ndjson: bool = False) -> list[object]:
    """Return the leads of a JSON list, or of one JSON object a line, in order.

    What cannot be read as an object is a BadBody in its place. Raises one when nothing of the request can be read.
    """
    if len(raw) > MAX_BULK_BYTES:
        raise TooLarge(f"The body is larger than {MAX_BULK_BYTES:,} bytes.")
    if ndjson or raw.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{":
        return _lines_or_single_object(raw)
    return _list_items(raw)


def parse_ndjson(raw: bytes) -> list[object]:
    """Return one JSON object for each line that is not blank, or in its place the BadBody that says why not."""
    items: list[object] = []
    for line in _LINE.finditer(raw.removeprefix(b"\xef\xbb\xbf")):
        if len(items) == MAX_ITEMS:
            raise TooManyItems(f"More than {MAX_ITEMS:,} leads in one request.")
        items.append(_read_line(line.group()))
    return items


def _read_line(line: bytes) -> object:
    try:
        value = parse_body(line)
    except BadBody as bad:
        return bad
    return value if isinstance(value, dict) else NotAnObject()


def _lines_or_single_object(raw: bytes) -> list[object]:
    items = parse_ndjson(raw)
    if len(items) > 1 and isinstance(items[0], BadBody):  # perhaps one object, written over many lines
        try:
            value = parse_body(raw)
        except BadBody:
            return items
        if isinstance(value, dict):
            return [value]
    return items


def _list_items(raw: bytes) -> list[object]:
    deep = None
    try:
        _refuse_depth(raw, MAX_DEPTH + 1)
    except TooDeep:
        raw, deep = _without_deep_items(raw)
        _refuse_depth(raw, MAX_DEPTH + 1)  # it is no list of whole items: no decoder sees it
    value = _load(_decode(raw), _FORGIVING_DECODER)
    if not isinstance(value, list):
        raise NotAList()
    if len(value) > MAX_ITEMS:
        raise TooManyItems(f"More than {MAX_ITEMS:,} leads in one request.")
    escapes = b"\\u" in raw
    return [_check_item(item, escapes=escapes, deep=deep) for item in value]


def _without_deep_items(raw: bytes) -> tuple[bytes, str]:
    """Return the list with a word in the place of each item that is nested too deep, and the word.

    A list is read to its end by brackets and strings alone, so nothing here depends on how deep it goes.
    """
    word = token_hex(16)
    kept: list[bytes] = []
    depth = deepest = start = done = 0
    for number, token in enumerate(_TOKEN.finditer(raw)):
        if number > MOST_TOKENS:
            raise TooDeep()
        sign, length = token[0][:1], token.end() - token.start()
        if sign in b"[{":
            if depth <= 1:  # an item begins here, or after the bracket of the list
                start, deepest = token.start() + 1 - depth, 0
            depth += length
            deepest = max(deepest, depth)
        elif sign in b"]}":
            if deepest > MAX_DEPTH + 1 and depth > 1 >= depth - length:
                kept += (raw[done:start], b'"', word.encode(), b'"')
                done = token.start() + depth - 1
            depth -= length
            if depth <= 0:
                break
    kept.append(raw[done:])
    return b"".join(kept), word


def _check_item(item: object, *, escapes: bool, deep: str | None) -> object:
    if isinstance(item, BadBody):
        return item
    if deep is not None and item == deep:
        return TooDeep(f"The lead is nested deeper than {MAX_DEPTH} levels.")
    if not isinstance(item, dict):
        return NotAnObject()
    try:
        _refuse_faults(item)
        _refuse_crowds(item, max_keys=MAX_KEYS, max_items=MAX_ITEMS)
        if escapes:
            _refuse_half_characters(item)
    except BadBody as bad:
        return bad
    return item


def as_utf8(raw: bytes, media_type: str) -> bytes:
    """Return the body in UTF-8, from the charset that its type declares. Raises BadBody."""
    if "charset" not in media_type.lower():
        return raw
    declared = _CHARSET.search(media_type)
    charset = declared.group(1).lower() if declared else "utf-8"
    if charset in _UTF8:
        return raw
    if charset in _UTF16_OR_32:
        raise InvalidEncoding("The body is UTF-16 or UTF-32; UTF-8 is expected.")
    if charset not in CHARSETS:
        raise UnsupportedBody("This charset is not supported. Send UTF-8.")
    try:
        return raw.decode(charset).encode()
    except UnicodeError:
        raise InvalidEncoding("The body is not in the charset it declares.") from None


def _decode(raw: bytes) -> str:
    if raw[:3] == b"\xef\xbb\xbf":
        raw = raw[3:]
    if 0 in raw[:4] or raw[:2] in (
        b"\xff\xfe",
        b"\xfe\xff",
    ):  # JSON cannot begin with a NUL: two or four bytes a character
        raise InvalidEncoding("The body is UTF-16 or UTF-32; UTF-8 is expected.")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise InvalidJson("The body ends in the middle of a character.") from None
        raise InvalidEncoding(f"The body is not UTF-8 at byte {error.start}.") from None


def _load(text: str, decoder: json.JSONDecoder) -> object:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        if error.msg.startswith("Invalid control character"):
            raise InvalidBodyText(f"A text contains an unescaped control character: {where}.") from None
        raise InvalidJson(f"The body is not JSON: {where}.") from None
    except RecursionError:
        raise TooDeep() from None


# What JSON allows and we do not


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateKey()
    return members


def _whole_number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidNumber()
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits) if len(digits) <= MAX_DIGITS else math.inf
    if math.isinf(number):
        raise InvalidNumber()
    return number


def _constant(name: str) -> None:
    raise InvalidJson(f"{name} is not JSON.")


def _fault_in_place(hook: Any) -> Any:
    """Return the hook with its refusal as the value: in a list of leads the fault of one must not spoil the others."""

    def forgiving(argument: Any) -> object:
        try:
            return hook(argument)
        except BadBody as bad:
            return bad

    return forgiving


_HOOKS: dict[str, Any] = {
    "object_pairs_hook": _object,
    "parse_int": _whole_number,
    "parse_float": _fraction,
    "parse_constant": _constant,
}
_DECODER = json.JSONDecoder(**_HOOKS)
_FORGIVING_DECODER = json.JSONDecoder(**{name: _fault_in_place(hook) for name, hook in _HOOKS.items()})


def _refuse_depth(raw: bytes, max_depth: int) -> None:
    """Raise TooDeep before the recursive parser starts: brackets outside of strings are counted in one pass."""
    if raw.count(b"{") + raw.count(b"[") <= max_depth:
        return
    brackets = _STRING.sub(b"", raw).translate(None, _NO_BRACKET)
    depth = 0
    for start in range(0, len(brackets), 65_536):  # in pieces, so that a bomb is known by its beginning
        depths = list(accumulate(map(_STEP.__getitem__, brackets[start : start + 65_536]), initial=depth))
        if max(depths) > max_depth:
            raise TooDeep(f"The body is nested deeper than {max_depth} levels.")
        depth = depths[-1]


def _containers(value: object) -> Iterator[dict[str, object] | list[object]]:
    """Walk all objects and lists in a value, itself included, without recursion."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        if isinstance(container, dict):
            yield container
            waiting.extend(container.values())
        elif isinstance(container, list):
            yield container
            waiting.extend(container)


def _refuse_crowds(value: object, *, max_keys: int, max_items: int) -> None:
    keys = 0
    for container in _containers(value):
        if isinstance(container, dict):
            keys += len(container)
            if keys > max_keys:
                raise TooManyKeys(f"More than {max_keys:,} keys.")
        elif len(container) > max_items:
            raise TooManyItems(f"A list of more than {max_items:,} items.")


def _refuse_faults(value: object) -> None:
    for container in _containers(value):
        for item in container.values() if isinstance(container, dict) else container:
            if isinstance(item, BadBody):
                raise item


def _refuse_half_characters(value: object) -> None:
    """Raise when an escape stands for half of a surrogate pair; in plain UTF-8 it could not have come this far."""
    try:
        if isinstance(value, str):
            refuse_surrogates(value)
        for container in _containers(value):
            for text in (*container, *container.values()) if isinstance(container, dict) else container:
                if isinstance(text, str):
                    refuse_surrogates(text)
    except BadText as bad:
        raise InvalidBodyText(f"In a text of the body: {bad.detail}.") from None
