"""Pages by keyset: what is inserted meanwhile moves nothing, and a deep page costs what the first does."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import reduce
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.db.models import Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from routing.intake.kinds import BadValue, Fault
from routing.intake.text import BadText, refuse_controls

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
LONGEST_CURSOR = 2_000


def _instant(value: object) -> datetime:
    at = datetime.fromisoformat(_text(value))
    if at.utcoffset() is None or not 1970 <= at.year <= 2100:
        raise ValueError
    return at


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # as for all that is wrong with a cursor
    return refuse_controls(value)


class KeysetPagination(BasePagination):
    """A list in the order of its key. `next` and `previous` carry the key of the row that they go on from."""

    key: ClassVar[dict[str, Callable[[Any], Any]]]  # column → reader of its value in a cursor; the last one is unique
    descending = False

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return the values of the last key column of one page, and remember where it stands."""
        self.request = request
        limit = read_limit(request)
        backwards, after = self._cursor(request)
        columns = list(self.key)
        descending = self.descending != backwards
        if after is not None:
            queryset = queryset.filter(_beyond(columns, after, descending=descending))
        order = [f"-{column}" if descending else column for column in columns]
        rows = list(queryset.order_by(*order).values_list(*columns)[: limit + 1])
        more, rows = len(rows) > limit, rows[:limit]
        if backwards:
            rows.reverse()
        self.has_next = bool(rows) if backwards else more
        self.has_previous = more if backwards else bool(rows) and after is not None
        self.rows = rows
        return [row[-1] for row in rows]

    def get_paginated_response(self, data: Sequence[Any]) -> Response:
        return Response(
            {
                "next": self._link("n", self.rows[-1]) if self.has_next else None,
                "previous": self._link("p", self.rows[0]) if self.has_previous else None,
                "results": data,
            }
        )

    def _cursor(self, request: Request) -> tuple[bool, tuple[Any, ...] | None]:
        text = request.query_params.get("cursor")
        if text is None:
            return False, None
        try:
            if len(text) > LONGEST_CURSOR:
                raise ValueError
            direction, *values = json.loads(base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True))
            if direction not in ("n", "p"):
                raise ValueError
            return direction == "p", tuple(read(value) for read, value in zip(self.key.values(), values, strict=True))
        except (ValueError, TypeError, KeyError, binascii.Error, UnicodeError, RecursionError, BadText):
            raise refusal(
                "cursor",
                "invalid-cursor",
                "This is not a cursor of this list. Use next or previous exactly as returned.",
            ) from None

    def _link(self, direction: str, row: Sequence[Any]) -> str:
        values = [v.isoformat() if isinstance(v, datetime) else str(v) if isinstance(v, uuid.UUID) else v for v in row]
        cursor = base64.urlsafe_b64encode(json.dumps([direction, *values]).encode()).decode()
        kept = [(name, value) for name, value in self.request.query_params.items() if name != "cursor"]
        return self.request.build_absolute_uri(f"{self.request.path}?{urlencode([*kept, ('cursor', cursor)])}")


class NewestFirst(KeysetPagination):
    """Leads: the newest first; those of one instant by their ids."""

    key = {"created_at": _instant, "id": lambda value: uuid.UUID(_text(value))}
    descending = True


class OldestFirst(KeysetPagination):
    """Decisions, in the order in which they were made."""

    key = {"id": _number}


class NewestById(KeysetPagination):
    """Possible duplicates, those found last first."""

    key = {"id": _number}
    descending = True


class OldestActivityFirst(NewestFirst):
    """Activities, in the order in which they came."""

    descending = False


class ByEmail(KeysetPagination):
    """Managers."""

    key = {"user__email": _text}


def read_limit(request: Request) -> int:
    """Return how many rows are asked for. Raises BadValue for what is no number from 1 to 500."""
    text = request.query_params.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise refusal("limit", "invalid-limit", f"A whole number from 1 to {MAX_LIMIT} is expected.")
    return int(text)


def refusal(name: str, code: str, detail: str) -> BadValue:
    """Return the refusal of one parameter of the query or one field of the body."""
    return BadValue({name: [Fault(detail, code)]})


def _beyond(columns: Sequence[str], values: Sequence[Any], *, descending: bool) -> Q:
    """Return the condition for the rows after these values: (a, b) < (x, y), written so that an index on a serves."""
    step = "lt" if descending else "gt"
    pairs = list(zip(columns, values, strict=True))
    last, last_value = pairs[-1]
    start = Q(**{f"{last}__{step}": last_value})
    return reduce(lambda inner, pair: _then(pair[0], pair[1], inner, step), reversed(pairs[:-1]), start)


def _then(column: str, value: Any, inner: Q, step: str) -> Q:
    return Q(**{f"{column}__{step}e": value}) & (Q(**{f"{column}__{step}": value}) | inner)
