"""The intake journal: what an authenticated sender sent and could not become a lead is kept, to be mended by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import Error, transaction

from routing.models import RefusedIntake

logger = logging.getLogger(__name__)

KEPT_BYTES = 64 << 10


Refusal = tuple[Mapping[str, Any], bytes, int]  # the problem, the beginning of the body, its size


def keep(
    refusals: Sequence[Refusal], *, at: datetime, key_id: int | None, source_id: int | None, content_type: str
) -> None:
    """Keep what was refused. Never raises: the answer is what counts."""
    rows = [
        RefusedIntake(
            at=at,
            key_id=key_id,
            source_id=source_id,
            code=str(problem["code"])[:64],
            problem=dict(problem),
            content_type=content_type[:200].replace("\x00", ""),
            body=body[:KEPT_BYTES],
            size=size,
        )
        for problem, body, size in refusals
    ]
    try:
        with transaction.atomic():
            RefusedIntake.objects.bulk_create(rows)
    except (Error, ValueError):  # ValueError: a text that the driver refuses before the database could
        logger.exception("refused intake not kept", extra={"action": "journal_failed"})


def as_bytes(item: object) -> tuple[bytes, int]:
    """Return an item of a request as JSON, and its size."""
    body = json.dumps(item, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace")
    return body, len(body)
