"""The nouns of the engine: who could take a lead, what was decided, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import repeat
from typing import NamedTuple, Self

LEAD = 1_000_000_000  # one lead in billionths, the unit of every balance


class Reason(StrEnum):
    """Why somebody cannot take a lead, in the order of the checks, or why somebody got it."""

    INACTIVE = "inactive"
    PAUSED = "paused"
    OFF_DUTY = "off_duty"
    OFFLINE = "offline"
    COEFFICIENT_ZERO = "coefficient_zero"
    NO_MATCH = "no_match"
    AT_LIMIT = "at_limit"
    ALREADY_TRIED = "already_tried"

    FAIR_SHARE = "fair_share"
    TOTALS = "totals"
    LEAST_LOADED = "least_loaded"
    DIRECT = "direct"
    RESPONSIBLE = "responsible"
    DUTY = "duty"
    KEEP = "keep"
    BY_HAND = "by_hand"
    NOBODY = "nobody"
    IN_LINE = "in_line"  # many wait already, and this one comes after them


class Candidate(NamedTuple):
    """A member as one decision sees them.

    A tuple and not a dataclass: a decision among a thousand members makes a thousand of these.
    """

    manager: int
    coefficient: int = 1
    limit: int | None = None  # leads; None: no limit
    held: int = 0  # leads in the limit's stages, offers included
    balance: int = 0  # billionths of a lead owed (+) or received ahead (-)
    received: int = 0  # leads counted in the registry since its last reset
    last_turn: int = 0  # turn of the registry at which they last got a lead; 0: never
    unavailable: Reason | None = None  # what `accounts` says of them at the instant
    matches: bool = True  # has the skills that the lead needs
    tried: bool = False  # had this lead in this round

    @classmethod
    def from_columns(cls, *columns: Iterable[object]) -> list[Self]:
        """Make candidates of columns in the order of the fields; fields without a column get their defaults."""
        defaults = [repeat(cls._field_defaults[name]) for name in cls._fields[len(columns) :]]
        # Each tuple is made without a Python call: half the time.
        return list(map(partial(tuple.__new__, cls), zip(*columns, *defaults, strict=False)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The result of one run of a trigger on one lead. Sequences are in the order of the candidates."""

    chosen: int | None  # position of the chosen candidate; None: nobody could take it
    reason: Reason
    refusals: Sequence[Reason | None]  # None: eligible
    balances: Sequence[int]  # billionths of a lead, after the decision
