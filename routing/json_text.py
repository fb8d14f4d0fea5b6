"""JSON as text: of rows for the database, and of answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
from django.core.serializers.json import DjangoJSONEncoder

ENCODER = DjangoJSONEncoder()


def rows_as_json(rows: object) -> str:
    """Return rows, of columns by name, as PostgreSQL's json_to_recordset reads them."""
    return _dumps(rows, str, 0)


def answer_as_json(document: object) -> str:
    return _dumps(document, ENCODER.default, orjson.OPT_PASSTHROUGH_DATETIME)


def _dumps(value: object, default: Callable[[Any], object], option: int) -> str:
    def plain(unknown: object) -> object:
        return list(unknown) if isinstance(unknown, tuple) else default(unknown)  # a named tuple is not known to orjson

    try:
        return orjson.dumps(value, plain, option).decode()
    except TypeError:  # a number beyond 64 bits, half a surrogate pair, or a key that is no text: json writes them
        return json.dumps(value, default=default, allow_nan=False, separators=(",", ":"))
