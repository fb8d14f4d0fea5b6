"""Leads one after the other: each decision sees what those before it did to the ledgers, the limits and the owners.

Every path to a manager goes through `run`: a new lead, a thousand of them, a moved one, one that waited, one that
nobody accepted, a preview, a trial. A lead may come with any trigger; what triggers share (a registry, a manager's
limit, a contact) they share here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from routing.intake.skills import Tokens

from .decision import assign, decide, nobody
from .eligibility import matches
from .facts import LeadFacts
from .ledger import Ledger
from .redistribution import Finally, NeverOnDuty, WorkingTime, accept_by, attempts_left
from .values import Candidate, Decision, Reason


class Manager(Protocol):
    """What a run needs to know of a manager."""

    @property
    def active(self) -> bool: ...
    def unavailable(self, at: datetime, *, paused: bool, schedule_id: int | None = None) -> str | None: ...
    def duty_by(self, schedule_id: int | None) -> WorkingTime: ...


class Member(Protocol):
    """What a run needs to know of a trigger's member."""

    @property
    def manager(self) -> int: ...
    @property
    def schedule(self) -> int | None: ...


class Terms(Protocol):
    """What a run needs to know of a trigger."""

    @property
    def id(self) -> int: ...
    @property
    def method(self) -> Reason: ...
    @property
    def members(self) -> Sequence[Member]: ...
    @property
    def managers(self) -> list[int]: ...
    @property
    def coefficients(self) -> list[int]: ...
    @property
    def limits(self) -> list[int | None]: ...
    @property
    def limit_stages(self) -> Collection[int]: ...
    @property
    def responsible_check(self) -> Sequence[str]: ...
    @property
    def responsible_available(self) -> bool: ...
    @property
    def responsible_count(self) -> bool: ...
    @property
    def also_assign(self) -> Collection[str]: ...
    @property
    def minutes(self) -> int | None: ...
    @property
    def clock(self) -> str: ...
    @property
    def max_attempts(self) -> int | None: ...
    @property
    def final_step(self) -> str: ...
    @property
    def if_nobody(self) -> str: ...
    @property
    def duty(self) -> int | None: ...
    @property
    def skilled(self) -> bool: ...
    @property
    def managers_by_id(self) -> Mapping[int, Manager]: ...
    @property
    def skills_by_id(self) -> Mapping[int, Tokens]: ...  # of managers who have skills
    def unavailable(self, at: datetime) -> list[Reason | None]: ...


class Presence(NamedTuple):
    """What changes all day, and is therefore not configuration."""

    paused: Collection[int] = frozenset()
    online: Collection[int] | None = None  # None: the trigger does not require it


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a decision needs to know of a lead."""

    id: UUID
    terms: Terms  # of the trigger that runs on it
    stage: int
    score: int
    created_at: datetime
    facts: LeadFacts
    contact: UUID | None = None
    company: UUID | None = None
    owners: Mapping[str, int | None] = field(default_factory=dict)  # contact, company -> their responsible
    responsible: int | None = None  # the manager who has it now
    waited: bool = False
    round: int = 1
    attempt: int = 0  # offers in this round
    tried: frozenset[int] = frozenset()  # managers who had it in this round

    @property
    def best_first(self) -> tuple[int, datetime, UUID]:
        return -self.score, self.created_at, self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was decided for one lead, as it is recorded."""

    case: Case
    candidates: list[Candidate]  # as the decision saw them
    decision: Decision
    turn: int
    counted: bool
    manager: int | None
    accept_by: datetime | None


class Team:
    """A trigger's members during a run: where each stands in the registry's ledger, and how many leads each holds."""

    def __init__(
        self, terms: Terms, ledger: Ledger, held: Mapping[int, int], presence: Presence, *, at: datetime
    ) -> None:
        """held: manager -> leads that count for the limit. Teams may share a ledger."""
        self.terms = terms
        self.ledger = ledger
        self.presence = presence
        self.held = [held.get(manager, 0) for manager in terms.managers]
        self.unavailable = _unavailable(terms, presence, at=at)
        self._places: dict[int, int] | None = None

    def candidates(self) -> list[Candidate]:
        """Return the members in their state before the next lead."""
        terms = self.terms
        history = self.ledger.columns(terms.managers)
        return Candidate.from_columns(
            terms.managers, terms.coefficients, terms.limits, self.held, *history, self.unavailable
        )

    def hold(self, manager: int, leads: int) -> None:
        """Change the number of leads that the manager holds."""
        if self._places is None:
            self._places = {manager: place for place, manager in enumerate(self.terms.managers)}
        place = self._places.get(manager)
        if place is not None:
            self.held[place] = max(0, self.held[place] + leads)

    def may_be_given_back(self, owner: int, *, at: datetime) -> bool:
        """Tell whether the lead may go to its customer's manager, who need not be a member."""
        manager = self.terms.managers_by_id[owner]
        if not self.terms.responsible_available:
            return manager.active
        paused, online = self.presence
        return manager.unavailable(at, paused=owner in paused) is None and (online is None or owner in online)


def _unavailable(terms: Terms, presence: Presence, *, at: datetime) -> list[Reason | None]:
    """Return, in the order of the members, why each is unavailable: by the configuration, by a pause, or offline."""
    reasons = terms.unavailable(at)
    paused, online = presence
    if paused:
        reasons = [
            Reason.PAUSED if manager in paused and reason is not Reason.INACTIVE else reason
            for manager, reason in zip(terms.managers, reasons, strict=True)
        ]
    if online is not None:
        reasons = [
            reason or (None if manager in online else Reason.OFFLINE)
            for manager, reason in zip(terms.managers, reasons, strict=True)
        ]
    return reasons


def run(cases: Iterable[Case], teams: Mapping[int, Team], *, at: datetime) -> list[Verdict]:
    """Decide for each lead in turn. teams: by trigger id; they are changed, and end in the state after the last decision."""
    counting: dict[int, list[Team]] = defaultdict(list)  # stage -> the teams whose limits count leads in it
    for team in teams.values():
        for stage in team.terms.limit_stages:
            counting[stage].append(team)
    owners: dict[
        tuple[str, UUID | None], int
    ] = {}  # responsibles of contacts and companies, by earlier leads of this run
    verdicts: list[Verdict] = []
    for case in cases:
        if owners:
            found = {kind: owners.get((kind, _party(case, kind)), owner) for kind, owner in case.owners.items()}
            case = replace(case, owners=found)
        counted = counting.get(case.stage, ())
        if case.responsible is not None:
            for team in counted:
                team.hold(case.responsible, -1)
        verdict = _decide(case, teams[case.terms.id], at=at)
        _enter_in_ledger(verdict, teams[case.terms.id].ledger)
        verdicts.append(verdict)
        if verdict.manager is None:
            continue
        for team in counted:
            team.hold(verdict.manager, 1)
        if verdict.accept_by is None:  # an offer makes nobody responsible
            for kind in ("contact", "company"):
                takes = kind in case.terms.also_assign or kind in claims(case)
                if takes and _party(case, kind):
                    owners[kind, _party(case, kind)] = verdict.manager
    return verdicts


def claims(case: Case) -> list[str]:
    """Return of what, contact or company, nobody is responsible yet: whoever gets the lead for good will be."""
    return [kind for kind in case.terms.responsible_check if case.owners.get(kind) is None]


def _party(case: Case, kind: str) -> UUID | None:
    return case.contact if kind == "contact" else case.company


def _enter_in_ledger(verdict: Verdict, ledger: Ledger) -> None:
    if verdict.counted:
        managers = [c.manager for c in verdict.candidates]
        chosen = managers[verdict.decision.chosen or 0]
        ledger.enter(managers, list(verdict.decision.balances), chosen=chosen, turn=verdict.turn)


def waits(case: Case, team: Team, reason: Reason) -> Verdict:
    """Let a lead wait for a reason that lies in the lead, not in the candidates."""
    candidates = team.candidates()
    return _waits(case, candidates, nobody(candidates, reason), team)


def _decide(case: Case, team: Team, *, at: datetime) -> Verdict:
    terms, turn = case.terms, team.ledger.turn + 1
    seen = _as_seen(team.candidates(), case)
    owner = _owner(case, team, at=at)
    if owner is not None:
        return _give_to_named(case, team, seen, owner, Reason.RESPONSIBLE, count=terms.responsible_count, at=at)
    decision = None
    if attempts_left(attempt=case.attempt, max_attempts=terms.max_attempts):
        decision = decide(seen, method=terms.method, turn=turn)
        if decision.chosen is not None:
            return _give_to_chosen(case, seen, decision, turn=turn, at=at)
    step = Finally.WAIT if case.waited else terms.final_step if case.attempt else terms.if_nobody
    if step == Finally.RESTART:
        # In a new round all are equal: also the contact's responsible, who let the lead go.
        again = replace(case, round=case.round + 1, attempt=0, tried=frozenset(), owners={})
        return _decide(again, team, at=at)
    stand_in = {Finally.DUTY: terms.duty, Finally.KEEP: case.responsible}.get(Finally(step))
    if stand_in is not None and terms.managers_by_id[stand_in].active:
        return _give_to_named(case, team, seen, stand_in, Reason(step), count=False, at=at)
    return _waits(case, seen, decision or nobody(seen), team)


def _as_seen(candidates: list[Candidate], case: Case) -> list[Candidate]:
    """Return the candidates for this lead: with the skills that it needs, and whether they had it before."""
    if not case.terms.skilled and not case.tried:
        return candidates
    needs = case.facts.needs if case.terms.skilled else {}
    seen = []
    for c in candidates:
        skills = case.terms.skills_by_id.get(c.manager)
        fits = not skills or matches(skills, needs)
        tried = c.manager in case.tried
        seen.append(c if fits and not tried else c._replace(matches=fits, tried=tried))
    return seen


def _owner(case: Case, team: Team, *, at: datetime) -> int | None:
    """Return the manager who is responsible for the contact or company and may get the lead; None: nobody."""
    for kind in case.terms.responsible_check:
        owner = case.owners.get(kind)
        if owner is not None and owner not in case.tried and team.may_be_given_back(owner, at=at):
            return owner
    return None


def _give_to_chosen(case: Case, seen: list[Candidate], decision: Decision, *, turn: int, at: datetime) -> Verdict:
    manager = seen[decision.chosen or 0].manager
    return Verdict(
        case=case,
        candidates=seen,
        decision=decision,
        turn=turn,
        counted=True,
        manager=manager,
        accept_by=deadline(case.terms, manager, at=at),
    )


def _give_to_named(
    case: Case, team: Team, seen: list[Candidate], manager: int, reason: Reason, *, count: bool, at: datetime
) -> Verdict:
    """Give the lead to a certain manager. One who is not a member joins the candidates, with coefficient 0."""
    turn = team.ledger.turn + 1
    ids = [c.manager for c in seen]
    if manager not in ids:
        balance, received, last_turn = team.ledger.standing(manager)
        seen = [*seen, Candidate(manager, 0, balance=balance, received=received, last_turn=last_turn)]
        ids.append(manager)
    decision = assign(seen, chosen=ids.index(manager), reason=reason, count=count, method=case.terms.method, turn=turn)
    return Verdict(
        case=case,
        candidates=seen,
        decision=decision,
        turn=turn if count else turn - 1,
        counted=count,
        manager=manager,
        accept_by=deadline(case.terms, manager, at=at) if reason is Reason.RESPONSIBLE else None,
    )


def _waits(case: Case, seen: list[Candidate], decision: Decision, team: Team) -> Verdict:
    return Verdict(
        case=case,
        candidates=seen,
        decision=decision,
        turn=team.ledger.turn,
        counted=False,
        manager=None,
        accept_by=None,
    )


def deadline(terms: Terms, manager: int, *, at: datetime) -> datetime | None:
    """Return until when the manager may accept a lead that is offered at this instant; None: no acceptance is asked."""
    if terms.minutes is None:
        return None
    duty = None
    if terms.clock == "working":
        schedule = next((m.schedule for m in terms.members if m.manager == manager), None)
        duty = terms.managers_by_id[manager].duty_by(schedule)
    try:
        return accept_by(at, minutes=terms.minutes, duty=duty)
    except NeverOnDuty:  # a manager who never works: the wall clock counts, so that the lead comes back
        return accept_by(at, minutes=terms.minutes, duty=None)
