"""Shares with their confidence intervals. Pure."""

from math import sqrt
from typing import NamedTuple

Z = 1.959964  # of the normal distribution: 19 times of 20 the truth lies within


class Share(NamedTuple):
    """A share and its 95 % confidence interval; all from 0 to 1."""

    value: float
    low: float
    high: float


def share(part: int, whole: int) -> Share | None:
    """Return the share with its Wilson interval; None if there is nothing to divide by.

    Source: Wilson, "Probable Inference", JASA 22 (1927). It stays within 0 and 1, and is honest about small counts.
    """
    if whole == 0:
        return None
    value, z2 = part / whole, Z * Z
    middle = (value + z2 / (2 * whole)) / (1 + z2 / whole)
    half = Z * sqrt(value * (1 - value) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole)
    return Share(value, max(0.0, min(value, middle - half)), min(1.0, max(value, middle + half)))
