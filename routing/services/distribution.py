"""Distribute: run a trigger on leads. Lock, gather, decide; `assignment` records.

One function decides for every path: a new lead, a thousand of them, a moved one, one that waited, one not accepted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db.models import F

from routing import engine
from routing.candidates import Book, Gathered, gather_candidates
from routing.engine import Candidate, Decision, Finally, NeverOnDuty, Reason
from routing.locks import lock_leads
from routing.models import Lead, Offer, Trigger
from routing.roster import Roster, Rule

Needs = Mapping[str, frozenset[str]]


@dataclass(slots=True, kw_only=True)
class Case:
    """A lead on its way to somebody: what a decision needs to know of it."""

    id: UUID
    stage: int
    score: int
    created_at: datetime
    needs: Needs
    contact: UUID | None = None
    company: UUID | None = None
    owners: Mapping[str, int | None] = field(default_factory=dict)  # contact, company -> their responsible
    responsible: int | None = None  # who has it now
    waited: bool = False
    round: int = 1
    attempt: int = 0  # offers in this round
    tried: frozenset[int] = frozenset()  # who had it in this round

    @property
    def best_first(self) -> tuple[int, datetime, UUID]:
        return -self.score, self.created_at, self.id


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was decided for one lead, as it is recorded."""

    case: Case
    candidates: list[Candidate]  # as the decision saw them
    decision: Decision
    turn: int
    counted: bool
    manager: int | None
    accept_by: datetime | None


WAITING_AT_ONCE = 100  # waiting leads that a new one looks after; the sweep looks after all


def _waiting(rule: Rule, *, besides: Sequence[Case]) -> list[Case]:
    known = [case.id for case in besides]
    # A lead that cannot be distributed must not keep new ones from it.
    others = Lead.objects.waiting().filter(trigger=rule.id, setback=None).exclude(pk__in=known)
    best = others.best_first().values_list("pk", flat=True)
    return cases_of(lock_leads(best[:WAITING_AT_ONCE], skip_locked=True), rule, waiting=True)


def cases_of(leads: Sequence[Lead], rule: Rule, *, waiting: bool = False) -> list[Case]:
    """Return locked leads as cases of the rule; waiting: only those that wait for it still."""
    if waiting:
        leads = [lead for lead in leads if lead.state == Lead.State.WAITING and lead.trigger_id == rule.id]
    tried: dict[UUID, set[int]] = defaultdict(set)
    had = Offer.objects.filter(lead__in=[lead.pk for lead in leads if lead.attempt], round=F("lead__round"))
    for lead_id, manager_id in had.values_list("lead_id", "manager_id"):
        tried[lead_id].add(manager_id)
    return [_case(lead, rule, frozenset(tried[lead.pk])) for lead in leads]


def _case(lead: Lead, rule: Rule, tried: frozenset[int]) -> Case:
    return Case(
        id=lead.pk,
        stage=lead.stage_id,
        score=lead.score,
        created_at=lead.created_at,
        needs=needs_of(vars(lead)) if rule.skilled else {},
        contact=lead.contact_id,
        company=lead.company_id,
        owners={
            "contact": lead.contact.responsible_id if lead.contact else None,
            "company": lead.company.responsible_id if lead.company else None,
        },
        responsible=lead.responsible_id,
        waited=lead.state == Lead.State.WAITING,
        round=lead.round,
        attempt=lead.attempt,
        tried=tried,
    )


def needs_of(lead: Mapping[str, object]) -> Needs:
    """Return which skills the lead asks for, by the skill's name, in lower case.

    A lead asks by its own fields of that name (language, country, region, product, postal_code), else by its custom fields;
    a region is served by who has the region or the whole country.
    """
    own = {key: lead.get(key) for key in ("language", "country", "region", "product", "postal_code")}
    own["region"] = [lead.get("region"), lead.get("country")]
    fields = lead.get("fields")
    return {key: _folded(value) for key, value in {**(fields if isinstance(fields, dict) else {}), **own}.items()}


def _folded(value: object) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    return frozenset(str(v).casefold() for v in values if v not in (None, "") and not isinstance(v, dict | list))


def distribute(
    cases: Sequence[Case],
    rule: Rule,
    roster: Roster,
    *,
    at: datetime,
    first: bool = False,
    gathered: Gathered | None = None,
) -> tuple[Book, list[Verdict]]:
    """Decide for each case in turn, under the lock of the trigger's registry. Writes nothing.

    first: the cases have the first go; else leads that wait for the trigger take part, best first, so that nobody new
    overtakes them. gathered: the ledger and the candidates, where the lock is held already.
    Raises Moved when the configuration has changed meanwhile.
    """
    book, candidates = gathered or gather_candidates(rule, roster, at=at)
    behind: list[Case] = []
    if book.others_wait and not first and any(engine.refusal(c) is None for c in candidates):
        waiting = _waiting(rule, besides=cases)
        # Of equals those that wait are first, and new ones keep the order in which they were sent: their ids do not.
        cases = sorted([*waiting, *cases], key=lambda case: case.best_first[:2])
        if len(waiting) == WAITING_AT_ONCE:  # more may wait: who comes after these stands in line, for the sweep
            last = max(cases.index(case) for case in waiting)
            cases, behind = cases[: last + 1], list(cases[last + 1 :])
    verdicts = decide_all(cases, rule, roster, book, candidates, at=at)
    return book, verdicts + [
        _waits(case, candidates, engine.nobody(candidates, Reason.IN_LINE), book) for case in behind
    ]


def decide_all(
    cases: Sequence[Case], rule: Rule, roster: Roster, book: Book, candidates: list[Candidate], *, at: datetime
) -> list[Verdict]:
    """Decide for each case in turn, each decision seeing those before it."""
    verdicts: list[Verdict] = []
    owners: dict[tuple[str, UUID | None], int] = {}  # whom the cases before made responsible for a contact or company
    for case in cases:
        case.owners = {kind: owners.get((kind, getattr(case, kind)), owner) for kind, owner in case.owners.items()}
        held = case.stage in rule.limit_stages
        if verdicts:
            candidates = _following(candidates, verdicts[-1], book, held=verdicts[-1].case.stage in rule.limit_stages)
        candidates = _released(candidates, case, held=held)
        verdict = _decide(case, rule, roster, candidates, book, at=at)
        _enter(book, verdict)
        verdicts.append(verdict)
        for kind in ("contact", "company"):
            if verdict.manager is not None and kind in rule.also_assign and getattr(case, kind):
                owners[kind, getattr(case, kind)] = verdict.manager
    return verdicts


def able(rule: Rule, roster: Roster, *, at: datetime) -> frozenset[int]:
    """Return, without the lock, who could take a lead that asks for nothing special, or an old customer's."""
    book, candidates = gather_candidates(rule, roster, at=at, lock=False)
    takers = {c.manager for c in candidates if engine.refusal(c) is None}
    if rule.responsible_check:
        takers.update(id_ for id_ in roster.people if _may_be_given_back(id_, rule, roster, book, at=at))
    return frozenset(takers)


def _decide(
    case: Case, rule: Rule, roster: Roster, candidates: list[Candidate], book: Book, *, at: datetime
) -> Verdict:
    turn = book.turn + 1
    seen = _as_seen(candidates, case, rule)
    owner = _owner(case, rule, roster, book, at=at)
    if owner is not None:
        return _named(case, rule, seen, owner, Reason.RESPONSIBLE, book, count=rule.responsible_count, at=at)
    decision = None
    if engine.attempts_left(attempt=case.attempt, max_attempts=rule.max_attempts):
        decision = engine.decide(seen, method=rule.method, turn=turn)
        if decision.chosen is not None:
            return _chosen(case, rule, seen, decision, turn=turn, at=at)
    step = Finally.WAIT if case.waited else rule.final_step if case.attempt else rule.if_nobody
    if step == Finally.RESTART:
        # Whoever let the lead go may be the contact's responsible by now; the new round is for all alike.
        case.round, case.attempt, case.tried, case.owners = case.round + 1, 0, frozenset(), {}
        return _decide(case, rule, roster, candidates, book, at=at)
    stand_in = {Finally.DUTY: rule.duty, Finally.KEEP: case.responsible}.get(Finally(step))
    if stand_in is not None and roster.people[stand_in].active:
        return _named(case, rule, seen, stand_in, Reason(step), book, count=False, at=at)
    return _waits(case, seen, decision or engine.nobody(seen), book)


def _waits(case: Case, seen: list[Candidate], decision: Decision, book: Book) -> Verdict:
    return Verdict(
        case=case, candidates=seen, decision=decision, turn=book.turn, counted=False, manager=None, accept_by=None
    )


def _as_seen(candidates: list[Candidate], case: Case, rule: Rule) -> list[Candidate]:
    """Return the candidates as this one lead makes them: who has the skills, who had it before."""
    if not rule.skilled and not case.tried:
        return candidates
    seen = []
    for c in candidates:
        skills = rule.people[c.manager].skills
        fits = not skills or engine.matches(skills, case.needs)
        tried = c.manager in case.tried
        seen.append(c if fits and not tried else c._replace(matches=fits, tried=tried))
    return seen


def _owner(case: Case, rule: Rule, roster: Roster, book: Book, *, at: datetime) -> int | None:
    """Return who is responsible for the contact or company already, and may have the lead."""
    for kind in rule.responsible_check:
        owner = case.owners.get(kind)
        if owner is not None and owner not in case.tried and _may_be_given_back(owner, rule, roster, book, at=at):
            return owner
    return None


def _may_be_given_back(owner: int, rule: Rule, roster: Roster, book: Book, *, at: datetime) -> bool:
    """Tell whether an old customer may go to whose they are."""
    person = roster.people[owner]
    if not rule.responsible_available:
        return person.active
    available = person.unavailable(at, paused=owner in book.paused) is None
    return available and (book.online is None or owner in book.online)


def _chosen(case: Case, rule: Rule, seen: list[Candidate], decision: Decision, *, turn: int, at: datetime) -> Verdict:
    manager = seen[decision.chosen or 0].manager
    return Verdict(
        case=case,
        candidates=seen,
        decision=decision,
        turn=turn,
        counted=True,
        manager=manager,
        accept_by=_accept_by(rule, manager, at=at),
    )


def _named(
    case: Case,
    rule: Rule,
    seen: list[Candidate],
    manager: int,
    reason: Reason,
    book: Book,
    *,
    count: bool,
    at: datetime,
) -> Verdict:
    """Give the lead to somebody named, who need not be a member: then they join the candidates, with no coefficient."""
    turn = book.turn + 1
    ids = [c.manager for c in seen]
    if manager not in ids:
        balance, received, last_turn = book.standing(manager)
        seen = [*seen, Candidate(manager, 0, balance=balance, received=received, last_turn=last_turn)]
        ids.append(manager)
    decision = engine.assign(seen, chosen=ids.index(manager), reason=reason, count=count, method=rule.method, turn=turn)
    return Verdict(
        case=case,
        candidates=seen,
        decision=decision,
        turn=turn if count else turn - 1,
        counted=count,
        manager=manager,
        accept_by=_accept_by(rule, manager, at=at) if reason is Reason.RESPONSIBLE else None,
    )


def _accept_by(rule: Rule, manager: int, *, at: datetime) -> datetime | None:
    if rule.minutes is None:
        return None
    duty = None
    if rule.clock == Trigger.Clock.WORKING:
        schedule = next((m.schedule for m in rule.members if m.manager == manager), None)
        duty = rule.people[manager].duty_by(schedule)
    try:
        return engine.accept_by(at, minutes=rule.minutes, duty=duty)
    except NeverOnDuty:  # an owner who never works: the wall clock, so that the lead comes back
        return engine.accept_by(at, minutes=rule.minutes, duty=None)


def _released(candidates: list[Candidate], case: Case, *, held: bool) -> list[Candidate]:
    """Return the candidates without this lead in the hands of who has it now."""
    if case.responsible is None or not held:
        return candidates
    return [c._replace(held=c.held - 1) if c.manager == case.responsible and c.held else c for c in candidates]


def _enter(book: Book, verdict: Verdict) -> None:
    """Write the verdict into the book."""
    if not verdict.counted:
        return
    managers = [c.manager for c in verdict.candidates]
    chosen = managers[verdict.decision.chosen or 0]
    book.enter(managers, list(verdict.decision.balances), chosen=chosen, turn=verdict.turn)


def _following(candidates: list[Candidate], verdict: Verdict, book: Book, *, held: bool) -> list[Candidate]:
    """Return the candidates as the next lead of the same run sees them."""
    managers, coefficients, limits, before, *_ = zip(*candidates, strict=True)
    holding = [leads + (held and m == verdict.manager) for m, leads in zip(managers, before, strict=True)]
    unavailable = [c.unavailable for c in candidates]
    return Candidate.from_columns(managers, coefficients, limits, holding, *book.columns(list(managers)), unavailable)
