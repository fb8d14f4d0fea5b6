"""Public identifiers: UUID version 7, so that new rows stand at the end of every index."""

import os
import time
import uuid
from typing import Any

from django.db import models


def new_id() -> uuid.UUID:
    """Return a UUID of version 7. Source: RFC 9562, section 5.7."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    return uuid.UUID(
        int=milliseconds << 80 | 0x7 << 76 | (random >> 62 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )


class PublicId(models.UUIDField):
    """The primary key of what the API names by id."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"primary_key": True, "default": new_id, "editable": False, **options})
