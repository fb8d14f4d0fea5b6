"""How much each field of a lead may hold. The database, the API, imports and forms take it from here."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

# Characters, by the field's place in a lead.
LONGEST = {
    "external_id": 255,
    "name": 500,
    "contact.name": 500,
    "contact.email": 500,
    "contact.phone": 200,
    "contact.chat": 500,
    "company.name": 500,
    "company.domain": 255,
    "currency": 3,
    "language": 35,
    "country": 2,
    "region": 200,
    "postal_code": 32,
    "product": 200,
}
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
