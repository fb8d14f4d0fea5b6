"""What a replay is made of: leads, when they came and what became of them, and the configuration they met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A lead of the data. Instants are those of the data; None: it says nothing, or it never happened."""

    at: datetime
    form: Document  # the body that a sender would post
    qualified_at: datetime | None = None  # arrives unqualified, and enters the trigger's stage then
    touched_at: datetime | None = None  # somebody begins to work on it: who has it on offer accepts
    done_at: datetime | None = None  # it is won or lost, whoever has it
    done_after: timedelta | None = None  # it is won or lost so long after it was assigned
    gives_up_at: datetime | None = None  # lost, if it waits still
    won: bool = False

    @property
    def number(self) -> str:
        return str(self.form["external_id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One data set, ready to be lived through."""

    name: str
    story: str  # what comes from the data and what is added, in a sentence or two
    configuration: dict[str, Any]
    arrivals: list[Arrival]  # in the order of their instants
    holidays: frozenset[date] = field(default_factory=frozenset)  # written out, to check the program's own against

    @property
    def trigger(self) -> dict[str, Any]:
        trigger: dict[str, Any] = self.configuration["triggers"][0]
        return trigger

    @property
    def pipeline(self) -> str:
        return str(self.trigger["stage"].split("/")[0])
