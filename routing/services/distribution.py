"""Distribute: run triggers on leads. Lock, gather, decide; `assignment` records.

One function decides for every path: new leads, moved ones, waiting ones, ones that were not accepted.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import F

from routing import engine
from routing.candidates import Gathered, gather_candidates
from routing.engine import Case, Reason, Team, Verdict
from routing.locks import lock_leads
from routing.models import Company, Contact, Lead, Offer
from routing.prepared_statements import Statement
from routing.prepared_statements import run as run_statement
from routing.roster import Roster, TriggerTerms


class Distributed(NamedTuple):
    """The decisions of one transaction, before they are recorded."""

    verdicts: list[Verdict]
    ledgers: list[engine.Ledger]


WAITING_AT_ONCE = 100  # waiting leads of a trigger that new leads consider; the sweep considers all
# A lead whose distribution fails must not block new leads.
WAITING = Statement(
    "waiting",
    f"""
SELECT waiting.id FROM unnest(%(triggers)s) AS asked (trigger), LATERAL (
    SELECT id FROM routing_lead lead
    WHERE state = 'waiting' AND trigger_id = asked.trigger AND id <> ALL (%(besides)s)
      AND NOT EXISTS (SELECT FROM routing_setback setback WHERE setback.lead_id = lead.id)
    ORDER BY trigger_id, score DESC, created_at, id LIMIT {WAITING_AT_ONCE}) waiting
""",  # nosec B608  # its one part is the number above
    triggers="bigint[]",
    besides="uuid[]",
)


def distribute(
    cases: Sequence[Case], roster: Roster, *, at: datetime, first: bool = False, gathered: Gathered | None = None
) -> Distributed:
    """Decide for each case in turn, under the locks of the registries of their triggers. Writes nothing.

    first: the cases have the first go; else leads that wait for the triggers take part, best first, so that nobody new
    overtakes them. gathered: the ledgers and the candidates, where the locks are held already.
    Raises ConfigurationChanged when the configuration has changed meanwhile.
    """
    if gathered is None:
        triggers = [roster.triggers[id_] for id_ in dict.fromkeys(case.terms.id for case in cases)]
        gathered = gather_candidates(triggers, roster, at=at)
    teams, behind = gathered.teams, list[Case]()
    coming = {case.terms.id for case in cases}
    waited_for = [] if first else [id_ for id_ in gathered.others_wait if id_ in coming]
    taking = [id_ for id_ in waited_for if _somebody_can(teams[id_])]
    if taking:
        cases, behind = _with_waiting(cases, _waiting(taking, roster, besides=cases))
    verdicts = engine.run(cases, teams, at=at)
    verdicts += [engine.waits(case, teams[case.terms.id], Reason.IN_LINE) for case in behind]
    ledgers = {team.ledger.registry: team.ledger for team in teams.values()}
    return Distributed(verdicts, list(ledgers.values()))


def _somebody_can(team: Team) -> bool:
    return any(engine.refusal(c) is None for c in team.candidates())


def _waiting(triggers: list[int], roster: Roster, *, besides: Sequence[Case]) -> dict[int, list[Case]]:
    """Return, by trigger, the first of its waiting leads, locked. Leads that another transaction has locked are left out."""
    ids = run_statement(WAITING, triggers=triggers, besides=f"{{{','.join(str(case.id) for case in besides)}}}")
    leads = lock_leads([id_ for (id_,) in ids], skip_locked=True)
    found: dict[int, list[Case]] = {trigger: [] for trigger in triggers}
    for case in cases_of(still_waiting(leads, triggers), roster):
        found[case.terms.id].append(case)
    return found


def _with_waiting(cases: Sequence[Case], waiting: Mapping[int, list[Case]]) -> tuple[list[Case], list[Case]]:
    """Return all cases in the order in which they are decided, and those that stand in line behind others that wait.

    Each trigger's own come best first. Of equals those that wait are first, and new ones keep the order in which they
    were sent: their ids do not.
    """
    new: dict[int, list[Case]] = defaultdict(list)
    for case in cases:
        new[case.terms.id].append(case)
    lines: dict[int, deque[Case]] = {}
    behind: list[Case] = []
    for trigger, old in waiting.items():
        line = sorted([*old, *new[trigger]], key=lambda case: case.best_first[:2])
        if len(old) == WAITING_AT_ONCE:  # there may be more: new leads wait behind them, for the sweep
            last = max(line.index(case) for case in old)
            behind += line[last + 1 :]
            line = line[: last + 1]
        lines[trigger] = deque(line)
    sent, left = {case.id for case in cases}, Counter(case.terms.id for case in cases)
    order: list[Case] = []
    for case in cases:
        trigger = case.terms.id
        if trigger not in lines:
            order.append(case)
            continue
        left[trigger] -= 1
        while lines[trigger]:
            order.append(lines[trigger].popleft())
            if left[trigger] and order[-1].id in sent:
                break
    return order, behind


def still_waiting(leads: Iterable[Lead], triggers: Iterable[int]) -> list[tuple[Lead, int]]:
    """Return which of the locked leads still wait for one of the triggers, each with its trigger."""
    known = set(triggers)
    return [
        (lead, lead.trigger_id)
        for lead in leads
        if lead.state == Lead.State.WAITING and lead.trigger_id is not None and lead.trigger_id in known
    ]


def cases_of(leads: Sequence[tuple[Lead, int]], roster: Roster) -> list[Case]:
    """Return locked leads as cases, in their order. leads: each with the trigger that it comes by."""
    tried: dict[UUID, set[int]] = defaultdict(set)
    again = [lead.pk for lead, _ in leads if lead.attempt]
    had = Offer.objects.filter(lead__in=again, round=F("lead__round")) if again else Offer.objects.none()
    for lead_id, manager_id in had.values_list("lead_id", "manager_id"):
        tried[lead_id].add(manager_id)
    owners = _owners([lead for lead, trigger in leads if roster.triggers[trigger].responsible_check])
    return [_case(lead, roster.triggers[trigger], frozenset(tried[lead.pk]), owners) for lead, trigger in leads]


def _owners(leads: Sequence[Lead]) -> dict[UUID, int | None]:
    """Return the responsibles of the leads' contacts and companies as they are now: accepting a lead may have changed them."""
    found: dict[UUID, int | None] = {}
    contacts = {lead.contact_id for lead in leads if lead.contact_id}
    companies = {lead.company_id for lead in leads if lead.company_id}
    for model, ids in ((Contact, contacts), (Company, companies)):
        if ids:
            found |= dict(model._default_manager.filter(pk__in=ids).values_list("pk", "responsible_id"))
    return found


def _case(lead: Lead, trigger: TriggerTerms, tried: frozenset[int], owners: Mapping[UUID, int | None]) -> Case:
    return Case(
        id=lead.pk,
        terms=trigger,
        stage=lead.stage_id,
        score=lead.score,
        created_at=lead.created_at,
        facts=lead.facts,
        contact=lead.contact_id,
        company=lead.company_id,
        owners={
            kind: owners.get(id_) if id_ else None
            for kind, id_ in (("contact", lead.contact_id), ("company", lead.company_id))
        },
        responsible=lead.responsible_id,
        waited=lead.state == Lead.State.WAITING,
        round=lead.round,
        attempt=lead.attempt,
        tried=tried,
    )


def able(trigger: TriggerTerms, roster: Roster, *, at: datetime) -> frozenset[int]:
    """Return, without a lock, the managers who could take a lead that needs no skill, or an existing customer's lead."""
    team = gather_candidates([trigger], roster, at=at, lock=False).teams[trigger.id]
    takers = {c.manager for c in team.candidates() if engine.refusal(c) is None}
    if trigger.responsible_check:
        takers.update(id_ for id_ in roster.managers if team.may_be_given_back(id_, at=at))
    return frozenset(takers)
