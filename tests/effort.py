"""How much the tests try: as much as shows a fault at each change, or all there is, by `make test-nightly`."""

import os
from typing import TypeVar

Amount = TypeVar("Amount")

NIGHTLY = os.environ.get("LEADROUTER_NIGHTLY", "") == "1"


def by_night(most: Amount, *, by_day: Amount) -> Amount:
    """Return how much to try. Who asks is marked `thorough`, or a test of hypothesis: these run once more by night."""
    return most if NIGHTLY else by_day
