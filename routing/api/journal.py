"""The intake journal: what an authenticated sender sent and could not become a lead is kept, to be mended by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from django.db import Error, transaction
from rest_framework.request import Request

from routing.models import RefusedIntake

from .authentication import Caller

logger = logging.getLogger(__name__)

KEPT_BYTES = 64 << 10


def keep_request(request: Request, problem: Mapping[str, Any]) -> None:
    """Keep the whole body of a request that was answered with the problem. Never raises: the answer is what counts."""
    body, size = _body(request)
    _keep(request, [(problem, body, size)])


def keep_items(request: Request, refused: Iterable[tuple[Mapping[str, Any], object]]) -> None:
    """Keep items of a bulk request, each with its problem. Never raises."""
    rows = []
    for problem, item in refused:
        body = _as_bytes(item)
        rows.append((problem, body, len(body)))
    if rows:
        _keep(request, rows)


def _keep(request: Request, refused: list[tuple[Mapping[str, Any], bytes, int]]) -> None:
    try:
        caller: Any = request.auth
    except Error:  # nobody was recognised: the database went away before
        return
    if not isinstance(caller, Caller):
        return
    content_type = str(request.META.get("CONTENT_TYPE", ""))[:200].replace("\x00", "")
    rows = [
        RefusedIntake(
            at=caller.at,
            key_id=caller.key_id,
            source_id=caller.source_id,
            code=str(problem["code"])[:64],
            problem=dict(problem),
            content_type=content_type,
            body=body[:KEPT_BYTES],
            size=size,
        )
        for problem, body, size in refused
    ]
    try:
        with transaction.atomic():
            RefusedIntake.objects.bulk_create(rows)
    except (Error, ValueError):  # ValueError: a text that the driver refuses before the database could
        logger.exception("refused intake not kept", extra={"action": "journal_failed"})


def _body(request: Request) -> tuple[bytes, int]:
    """Return the beginning of the body and the size of the whole, as far as it can still be read."""
    raw = getattr(request, "raw_body", None)
    if raw is not None:
        return raw[:KEPT_BYTES], len(raw)
    beginning = b""
    with suppress(Exception):  # the connection may be gone, or somebody has read it before
        beginning = request._request.read(KEPT_BYTES)
    announced = str(request.META.get("CONTENT_LENGTH") or "")
    size = int(announced) if announced.isdecimal() and len(announced) < 10 else len(beginning)
    return beginning, max(min(size, 2**31 - 1), len(beginning))


def _as_bytes(item: object) -> bytes:
    return json.dumps(item, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
