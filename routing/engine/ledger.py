"""A registry's ledger while decisions are made in it: parallel lists of managers and their standings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


class Standing(NamedTuple):
    """Where one manager stands in a registry."""

    balance: int = 0  # billionths of a lead owed (+) or received ahead (-)
    received: int = 0  # leads since the last reset
    last_turn: int = 0  # turn of the last lead; 0: never


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Where everybody stands in a registry. Decisions are entered one after the other; each sees those before it."""

    registry: int
    turn: int = 0  # of the last decision that counted
    managers: list[int] = field(default_factory=list)
    balances: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    last_turns: list[int] = field(default_factory=list)
    reset_at: datetime | None = None  # start of the period that `received` counts
    places: dict[int, int] = field(init=False)  # manager -> place in the lists
    changed: bool = field(default=False, init=False)
    place: int | None = field(default=None, init=False)  # the only one whose leads changed; None: more, or none did

    def __post_init__(self) -> None:
        self.places = dict(zip(self.managers, range(len(self.managers)), strict=True))

    def standing(self, manager: int) -> Standing:
        place = self.places.get(manager)
        if place is None:
            return Standing()
        return Standing(self.balances[place], self.received[place], self.last_turns[place])

    def columns(self, managers: list[int]) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Return balances, received and last turns of these managers, in their order."""
        count = len(managers)
        if self.managers[:count] == managers:  # as a rule: the ledger of a trigger is written in the trigger's order
            return self.balances[:count], self.received[:count], self.last_turns[:count]
        standings = list(map(self.standing, managers))
        return [s.balance for s in standings], [s.received for s in standings], [s.last_turn for s in standings]

    def reset(self, began_at: datetime) -> None:
        """Count received leads from zero, unless that was done since the period began."""
        if self.reset_at is None or self.reset_at < began_at:
            self.reset_at = began_at
            self.received = [0] * len(self.managers)
            self.changed = True

    def enter(self, managers: list[int], balances: list[int], *, chosen: int, turn: int) -> None:
        """Enter a decision that counts: the balances after it, and who got the lead."""
        if self.managers[: len(managers)] == managers:
            self.balances[: len(managers)] = balances
        else:
            for manager, balance in zip(managers, balances, strict=True):
                if balance or manager in self.places:
                    self.balances[self._place(manager)] = balance
        place = self._place(chosen)
        self.place = place if not self.changed else None
        self.changed = True
        self.received[place] += 1
        self.last_turns[place] = self.turn = turn

    def _place(self, manager: int) -> int:
        if manager not in self.places:
            self.changed = True
            self.places[manager] = len(self.managers)
            self.managers.append(manager)
            for column in (self.balances, self.received, self.last_turns):
                column.append(0)
        return self.places[manager]
