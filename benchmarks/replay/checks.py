"""Judge the rows of a replay by the rules of the project's own documents, written down here a second time.

Fairness is counted in exact fractions, duty by duty.py: where the program and these disagree, one of them is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from itertools import islice
from statistics import median, quantiles
from uuid import UUID

from django.db.models import Count, Q

from routing.audit import violations as broken_promises
from routing.models import Decision, Lead, Offer, Registry
from routing.representations import Document, decision_documents

from .duty import Duty
from .plan import Replay

LEAD = 10**9
BATCH = 500
UNAVAILABLE = ("inactive", "paused", "off_duty", "offline")


@dataclass
class Standing:
    """Where a member stands by the exact rule."""

    received: int = 0
    due: Fraction = Fraction(0)
    worst: Fraction = Fraction(0)  # largest |received - due| after any decision

    @property
    def balance(self) -> Fraction:
        return self.due - self.received


@dataclass
class Judgement:
    """What the rows say."""

    standings: dict[str, Standing] = field(default_factory=lambda: defaultdict(Standing))
    stand_ins: Counter[str] = field(default_factory=Counter)  # leads given to somebody named: reason and e-mail
    waited: list[float] = field(default_factory=list)  # hours from the first decision to the first assignment
    never_assigned: int = 0
    decisions: int = 0
    redistributions: int = 0  # decisions on leads that somebody had on offer before
    violations: list[str] = field(default_factory=list)

    @property
    def worst(self) -> Fraction:
        return max((standing.worst for standing in self.standings.values()), default=Fraction(0))

    def waiting_times(self) -> tuple[float, float, float]:
        """Return median, 90th percentile and maximum, in hours."""
        waited = self.waited or [0.0]
        ninth = quantiles(waited, n=10, method="inclusive")[-1] if len(waited) > 1 else waited[0]
        return median(waited), ninth, max(waited)


def judge(replay: Replay, *, expected: set[str]) -> Judgement:
    """Look at every decision in its order, then at what stands at the end. expected: numbers of the leads sent."""
    found, duty = Judgement(), Duty(replay)
    first: dict[UUID, datetime] = {}
    assigned: set[UUID] = set()
    coefficients = {m["manager"]: m["coefficient"] for m in replay.trigger["members"]}
    for row, document in decisions():
        found.decisions += 1
        found.redistributions += row.attempt > 1
        first.setdefault(row.lead_id, row.at)
        if row.chosen_id is not None and row.lead_id not in assigned:
            assigned.add(row.lead_id)
            found.waited.append((row.at - first[row.lead_id]).total_seconds() / 3600)
        said = [*judge_duty(document, row.at, duty), *judge_share(document, coefficients, found)]
        found.violations += [f"decision {row.pk} at {row.at}: {violation}" for violation in said]
    found.never_assigned = len(first) - len(assigned)
    found.violations += judge_ledger(found)
    found.violations += judge_leads(expected)
    found.violations += broken_promises()
    return found


def decisions() -> Iterator[tuple[Decision, Document]]:
    """Yield each decision beside what the API says of it, in the order in which they were made."""
    rows = Decision.objects.select_related("trigger", "registry__trigger").order_by("pk").iterator(BATCH)
    while batch := list(islice(rows, BATCH)):
        yield from zip(batch, decision_documents(batch), strict=True)


def judge_duty(decision: Document, at: datetime, duty: Duty) -> Iterator[str]:
    """Yield where the decision believed somebody on duty who was not, or the other way round; nobody pauses here."""
    for candidate in decision["candidates"]:
        if candidate["manager"] not in duty.people:
            yield f"{candidate['manager']} is none of ours"
            continue
        believed = candidate["reason"] not in UNAVAILABLE
        if candidate["coefficient"] and believed != duty.on_duty(candidate["manager"], at):  # a stand-in has none
            yield f"the duty of {candidate['manager']} is not what it says, {candidate['reason']}"


def judge_share(decision: Document, members: dict[str, int], found: Judgement) -> Iterator[str]:
    """Credit the eligible by the exact rule, and yield where the choice or a balance is not what follows."""
    candidates, chosen = decision["candidates"], decision["chosen"]
    eligible = [candidate for candidate in candidates if candidate["eligible"]]
    if chosen is None or decision["reason"] != "fair_share":
        if chosen is not None:
            found.stand_ins[f"{decision['reason']}: {chosen}"] += 1
        elif decision["attempt"] == 1 and eligible:
            yield "nobody got the lead, though somebody was eligible"
        return
    if {c["manager"]: c["coefficient"] for c in candidates} != members:
        yield "the candidates are not the members"
    names = [candidate["manager"] for candidate in eligible]
    if chosen not in names:
        yield f"{chosen} was not eligible"
        return
    total = sum(members[name] for name in names)
    for name in names:
        found.standings[name].due += Fraction(members[name], total)
    slack = Fraction(found.decisions, LEAD)  # shares are whole billionths
    if found.standings[chosen].balance < max(found.standings[name].balance for name in names) - 2 * slack:
        yield f"{chosen} was not owed most"
    found.standings[chosen].received += 1
    for candidate in eligible:
        standing = found.standings[candidate["manager"]]
        standing.worst = max(standing.worst, abs(standing.balance))
        if abs(Fraction(candidate["balance_after"], LEAD) - standing.balance) > slack:
            yield f"a balance is {candidate['balance_after']}, by the rule {float(standing.balance)}"
        if candidate["limit"] is not None and candidate["held"] >= candidate["limit"]:
            yield f"{candidate['manager']} was eligible with {candidate['held']} of {candidate['limit']}"


def judge_ledger(found: Judgement) -> Iterator[str]:
    """Yield where what stands in the ledger at the end is not what the exact rule came to."""
    registry = Registry.objects.select_related("ledger").get(code="all")
    standings = registry.ledger.standings.values()
    if sum(standing.received for standing in standings) != sum(s.received for s in found.standings.values()):
        yield f"the ledger counts {sum(standing.received for standing in standings)} leads"
    if sum(standing.balance for standing in standings):
        yield "the balances do not add up to nothing"


def judge_leads(expected: set[str]) -> Iterator[str]:
    """Yield leads that are lost, doubled or without the owner that their state says."""
    stored = Counter(Lead.objects.values_list("external_id", flat=True))
    if stored.keys() != expected or max(stored.values(), default=1) > 1:
        yield f"{len(expected - stored.keys())} leads are lost, {len(stored.keys() - expected)} came from nowhere"
    new = Lead.objects.filter(stage__code="new")
    for lead in new.filter(state="idle") | new.filter(responsible=None).exclude(state="waiting"):
        yield f"lead {lead.external_id} is in the trigger's stage, {lead.state}, and nobody's"
    for lead in Offer.objects.values("lead").annotate(open=Count("pk", filter=Q(closed_at=None))).filter(open__gt=1):
        yield f"lead {lead['lead']} is offered to {lead['open']}"
