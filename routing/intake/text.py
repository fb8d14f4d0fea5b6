"""What a text may hold once it is inside: no control characters, one spelling, nothing a database or a log chokes on.

Only what is named here changes: control characters go (category Cc: NUL, C0, DEL, C1), line breaks become `\\n` in a
field of many lines and a blank in a field of one (U+2028 and U+2029, too), and the spelling becomes NFC. Everything
else is kept as it was sent. Lone surrogates are no characters at all, so they are refused and never replaced.
"""

from __future__ import annotations

import re
import unicodedata

from .limits import LONGEST_KEY

MAX_DEPTH = 64  # of nested JSON; the doors allow less
LONGEST_RUN_OF_MARKS = 256  # combining marks on one letter; the wildest spellings of living languages need below 10

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LAYOUT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_BREAK = re.compile("\r\n?|\x85|[\x0b\x0c]")  # carriage return, next line, vertical tab, form feed
_BREAK_OR_TAB = re.compile("\r\n?|[\x85\t\n\x0b\x0c\u2028\u2029]")


class BadText(ValueError):
    """The text cannot be kept as a text: the sender must mend it. Nothing was changed."""

    code = "invalid-text"

    def __init__(self, detail: str, *, pointer: str = "", code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer  # JSON pointer from where the walk began, "" for the text itself
        if code is not None:
            self.code = code

    def within(self, key: str | int) -> BadText:
        """Return the same refusal as seen from one level further out."""
        step = str(key).replace("~", "~0").replace("/", "~1")
        return BadText(self.detail, pointer=f"/{step}{self.pointer}", code=self.code)


def clean(text: str, *, multiline: bool) -> str:
    """Return the text as it is stored. Raises BadText for lone surrogates and for towers of combining marks."""
    if text.isascii() and text.isprintable():  # nearly every text there is
        return text
    refuse_surrogates(text)
    if multiline:
        text = _CONTROL_BUT_LAYOUT.sub("", _BREAK.sub("\n", text))
    else:
        text = _CONTROL.sub("", _BREAK_OR_TAB.sub(" ", text))
    return compose(text)


def compose(text: str) -> str:
    """Return the NFC form. Raises BadText where computing it could take minutes."""
    if text.isascii():
        return text
    refuse_towers(text)
    return unicodedata.normalize("NFC", text)


def comparable(text: str) -> str:
    """Return the text as values are compared by it: trimmed, inner blanks as one, without case and invisible characters."""
    if text.isascii():
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def mark_controls(text: str) -> str:
    """Return an address as one line in which control characters are seen, as U+FFFD: without them it could be another
    person's. Those around it were pasted along, and go. Raises BadText as `clean` does."""
    if text.isascii() and text.isprintable():
        return text
    refuse_surrogates(text)
    return compose(_CONTROL.sub("\ufffd", text.strip()))


def refuse_controls(text: str) -> str:
    """Return a text that identifies something (an external id, a key), unchanged. Raises BadText rather than clean it:
    two different identifiers must never become one by losing what is invisible."""
    if text.isascii() and text.isprintable():
        return text
    refuse_surrogates(text)
    if _CONTROL.search(text):
        raise BadText("control characters are not allowed here")
    return text


def refuse_surrogates(text: str) -> None:
    """Raise BadText when the text holds half of a surrogate pair: no encoding can write it."""
    if not text.isascii() and _SURROGATE.search(text):
        raise BadText("half of a surrogate pair is not a character")


def refuse_towers(text: str) -> None:
    """Raise BadText when a letter carries more combining marks than any script needs.

    Python sorts the marks of a letter by insertion: half a megabyte of them takes minutes (16,000 take 0.3 s).
    """
    if len(text) <= LONGEST_RUN_OF_MARKS or text.isascii():
        return
    marks = "".join(
        character for character in set(text) if unicodedata.combining(unicodedata.normalize("NFD", character)[0])
    )
    if marks and re.search(f"[{re.escape(marks)}]{{{LONGEST_RUN_OF_MARKS}}}", text):
        raise BadText("too many combining marks on one letter")


def clean_json(value: object, *, depth: int = MAX_DEPTH) -> object:
    """Return a copy of a JSON value with every text in it cleaned, keys as one line, values as many.

    Raises BadText with the pointer to the text; also when two keys of an object become the same, since one of their
    values would be lost, with the code `too-deep` below `depth` levels, and with `too-long` and the pointer to the
    object for a key that is too long.
    """
    if isinstance(value, str):
        return clean(value, multiline=True)
    if isinstance(value, dict):
        return _clean_object(value, depth - 1)
    if isinstance(value, list):
        return _clean_list(value, depth - 1)
    return value


def _clean_list(items: list[object], depth: int) -> list[object]:
    _refuse_depth(depth)
    cleaned = []
    for index, item in enumerate(items):
        try:
            cleaned.append(clean_json(item, depth=depth))
        except BadText as bad:
            raise bad.within(index) from None
    return cleaned


def _clean_object(members: dict[object, object], depth: int) -> dict[str, object]:
    _refuse_depth(depth)
    cleaned: dict[str, object] = {}
    for key, item in members.items():
        name = _clean_key(key)
        if name in cleaned:
            raise BadText("two keys of one object differ only in what is invisible").within(name)
        try:
            cleaned[name] = clean_json(item, depth=depth)
        except BadText as bad:
            raise bad.within(name) from None
    return cleaned


def _clean_key(key: object) -> str:
    try:
        cleaned = clean(str(key), multiline=False)
    except BadText as bad:
        raise BadText(f"in a key: {bad.detail}") from None
    if len(cleaned) > LONGEST_KEY:
        detail = f"a key has at most {LONGEST_KEY} characters, but “{cleaned[:40]}…” has {len(cleaned):,}"
        raise BadText(detail, code="too-long")
    return cleaned


def _refuse_depth(depth: int) -> None:
    if depth < 0:
        raise BadText("nested too deeply", code="too-deep")
