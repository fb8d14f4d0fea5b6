"""How a double click is known: by what somebody asks for and says, as one key."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any
from uuid import UUID

WORDS = re.compile(r"[^\W\d_]\S*\s+\S*[^\W\d_]")  # more than one; tokens, numbers and times are not what people write


def click_key(lead: Mapping[str, Any]) -> UUID:
    """Return the digest of the product and the text of a lead; case, blanks and Unicode's spellings do not count.

    The text is the name, the comment, and what has more than one word among the custom fields.
    """
    said = [_plain(lead.get(key) or "") for key in ("product", "name", "comment")]
    texts = sorted((place, _plain(text)) for place, text in _texts("", lead.get("fields")))
    digest = hashlib.blake2b(
        "\x00".join([*said, *chain.from_iterable(texts)]).encode("utf-8", "surrogatepass"), digest_size=16
    )
    return UUID(bytes=digest.digest())


def _texts(place: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if WORDS.search(value):
            yield place, value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(f"{place}/{key}", part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(place, part)


def _plain(text: str) -> str:
    text = " ".join(text.split())
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
