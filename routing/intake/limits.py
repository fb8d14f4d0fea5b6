"""How much a lead may hold. How long each of its texts may be, fields.py says."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

LONGEST_TAG = 200
MOST_TAGS = 50

# `utm` and `fields`: keys of each, and characters of a key, also inside their values.
MOST_KEYS = 200
LONGEST_KEY = 200

LARGEST_BUDGET = Decimal("999999999999.99")

FIRST_YEAR, LAST_YEAR = 1970, 2100  # of arrival
AHEAD = timedelta(days=1)  # by which a sender's clock may be wrong


def too_long_key(value: object) -> str | None:
    """Return a key of a JSON value that is too long, at any depth; None: there is none."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            for key in found:
                if len(key) > LONGEST_KEY:
                    return str(key)
            waiting.extend(found.values())
        elif isinstance(found, list):
            waiting.extend(found)
    return None
