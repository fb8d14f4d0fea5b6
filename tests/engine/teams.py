"""Teams for tests of the engine: the run that production runs, over a trigger with the plainest terms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from routing.engine import Candidate, Case, Decision, LeadFacts, Ledger, Presence, Reason, Team, run
from routing.intake.skills import tokens_served

MONDAY = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
STAGE = 1
_numbers = count(1)


@dataclass(frozen=True)
class Person:
    active: bool = True
    reason: str | None = None

    def unavailable(self, at: datetime, *, paused: bool, schedule_id: int | None = None) -> str | None:
        return "paused" if paused and self.active else self.reason

    def duty_by(self, schedule_id: int | None) -> Any:
        raise AssertionError("no test here asks for working time")


@dataclass(kw_only=True)
class Terms:
    """A trigger as `roster.TriggerTerms` is one; everybody in it is a candidate."""

    candidates: Sequence[Candidate]
    id: int = 1
    registry: int = 1
    method: Reason = Reason.FAIR_SHARE
    limit_stages: Collection[int] = (STAGE,)
    responsible_check: Sequence[str] = ()
    responsible_available: bool = True
    responsible_count: bool = False
    also_assign: Collection[str] = ()
    minutes: int | None = None
    clock: str = "wall"
    max_attempts: int | None = None
    final_step: str = "wait"
    if_nobody: str = "wait"
    duty: int | None = None
    strangers: Mapping[int, Person] = field(default_factory=dict)  # who are no members

    def __post_init__(self) -> None:
        self.managers = [c.manager for c in self.candidates]
        self.coefficients = [c.coefficient for c in self.candidates]
        self.limits = [c.limit for c in self.candidates]
        self.members = [SimpleNamespace(manager=c.manager, schedule=None) for c in self.candidates]
        skills = [{} if c.matches else {"language": ["none"]} for c in self.candidates]
        self.skilled = any(skills)
        self.managers_by_id = {c.manager: Person(reason=c.unavailable) for c in self.candidates} | dict(self.strangers)
        self.skills_by_id = {c.manager: tokens_served(s) for c, s in zip(self.candidates, skills, strict=True) if s}

    def unavailable(self, at: datetime) -> list[Reason | None]:
        return [c.unavailable for c in self.candidates]


def ledger_of(candidates: Sequence[Candidate], *, turn: int = 0, registry: int = 1) -> Ledger:
    return Ledger(
        registry=registry,
        turn=turn,
        managers=[c.manager for c in candidates],
        balances=[c.balance for c in candidates],
        received=[c.received for c in candidates],
        last_turns=[c.last_turn for c in candidates],
    )


def team_of(terms: Terms, ledger: Ledger, *, away: Collection[int] = ()) -> Team:
    held = {c.manager: c.held for c in terms.candidates}
    return Team(terms, ledger, held, Presence(paused=frozenset(away)), at=MONDAY)


def case_of(terms: Terms, **facts: Any) -> Case:
    number = next(_numbers)
    usual = {"id": UUID(int=number), "stage": STAGE, "score": 0, "created_at": MONDAY + timedelta(seconds=number)}
    usual |= {"tried": frozenset(c.manager for c in terms.candidates if c.tried), "facts": LeadFacts(language="some")}
    return Case(terms=terms, **{**usual, **facts})


def fold(
    candidates: Sequence[Candidate], leads: int, *, method: Reason, turn: int = 1, stage: int = STAGE
) -> list[Decision]:
    """Return the decisions on that many equal leads, one after the other."""
    terms = Terms(candidates=candidates, method=method)
    team = team_of(terms, ledger_of(candidates, turn=turn - 1))
    cases = [case_of(terms, stage=stage) for _ in range(leads)]
    return [verdict.decision for verdict in run(cases, {terms.id: team}, at=MONDAY)]


def attended(
    candidates: Sequence[Candidate], attendance: Iterable[Sequence[bool]], *, method: Reason = Reason.FAIR_SHARE
) -> Iterable[tuple[int | None, list[Candidate]]]:
    """Distribute a lead among those who are there, once for each row; yield who got it and everybody as they stand."""
    candidates = list(candidates)
    ledger = ledger_of(candidates, turn=max((c.last_turn for c in candidates), default=0))
    for there in attendance:
        terms = Terms(candidates=candidates, method=method)
        away = {c.manager for c, is_there in zip(candidates, there, strict=True) if not is_there}
        team = team_of(terms, ledger, away=away)
        [verdict] = run([case_of(terms)], {terms.id: team}, at=MONDAY)
        candidates = [c._replace(unavailable=None) for c in team.candidates()]
        yield verdict.decision.chosen, candidates
