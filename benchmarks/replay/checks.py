"""Judge the rows of a replay by the rules of the project's own documents, written down here a second time.

Fairness is counted in exact fractions, duty by duty.py: where the program and these disagree, one of them is wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from statistics import median, quantiles
from uuid import UUID

from django.db.models import Count, Q

from routing.audit import violations as broken_promises
from routing.models import Decision, Lead, Offer, Registry

from .duty import Duty
from .plan import Replay

LEAD = 10**9
UNAVAILABLE = ("inactive", "paused", "off_duty", "offline")


@dataclass
class Standing:
    """Where a member stands by the exact rule."""

    received: int = 0
    due: Fraction = Fraction(0)
    worst: Fraction = Fraction(0)  # largest |received - due| after any decision


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


def judge(replay: Replay, emails: dict[int, str], *, expected: set[str]) -> Judgement:
    """Look at every decision in its order, then at what stands at the end. expected: numbers of the leads sent."""
    found, duty = Judgement(), Duty(replay)
    first: dict[UUID, datetime] = {}
    assigned: set[UUID] = set()
    coefficients = {m["manager"]: m["coefficient"] for m in replay.trigger["members"]}
    for row in Decision.objects.order_by("pk").iterator():
        found.decisions += 1
        found.redistributions += row.attempt > 1
        first.setdefault(row.lead_id, row.at)
        if row.chosen_id is not None and row.lead_id not in assigned:
            assigned.add(row.lead_id)
            found.waited.append((row.at - first[row.lead_id]).total_seconds() / 3600)
        found.violations += judge_duty(row, emails, duty)
        found.violations += judge_share(row, emails, coefficients, found)
    found.never_assigned = len(first) - len(assigned)
    found.violations += judge_ledger(found)
    found.violations += judge_leads(replay, expected)
    found.violations += broken_promises()
    return found


def judge_duty(row: Decision, emails: dict[int, str], duty: Duty) -> Iterator[str]:
    """Yield where the decision believed somebody on duty who was not, or the other way round; nobody pauses here."""
    columns = row.candidates
    for position, manager in enumerate(columns["manager"]):
        refusal = columns["refusal"].get(str(position))
        if emails[manager] not in duty.people:
            yield f"decision {row.pk}: {emails[manager]} is none of ours"
        elif columns["coefficient"][position] and (refusal in UNAVAILABLE) == duty.on_duty(emails[manager], row.at):
            yield f"decision {row.pk} at {row.at}: the duty of {emails[manager]} is not what it says, {refusal}"


def judge_share(row: Decision, emails: dict[int, str], members: dict[str, int], found: Judgement) -> Iterator[str]:
    """Credit the eligible by the exact rule, and yield where the choice or a balance in the row is not what follows."""
    columns = row.candidates
    if row.chosen_id is None or row.reason != "fair_share":
        if row.chosen_id is not None:
            found.stand_ins[f"{row.reason}: {emails[row.chosen_id]}"] += 1
        elif row.attempt == 1 and len(columns["refusal"]) < len(columns["manager"]):
            yield f"decision {row.pk}: nobody got the lead, though somebody was eligible"
        return
    eligible = [n for n in range(len(columns["manager"])) if str(n) not in columns["refusal"]]
    names = [emails[columns["manager"][n]] for n in eligible]
    if sorted(emails[m] for m in columns["manager"]) != sorted(members):
        yield f"decision {row.pk}: the candidates are not the members"
    total = sum(members[name] for name in names)
    for name in names:
        found.standings[name].due += Fraction(members[name], total)
    chosen = emails[row.chosen_id]
    if chosen not in names:
        yield f"decision {row.pk}: {chosen} was not eligible"
        return
    slack = Fraction(found.decisions, LEAD)  # shares are whole billionths
    standings = [found.standings[name] for name in names]
    owed = [standing.due - standing.received for standing in standings]
    if found.standings[chosen].due - found.standings[chosen].received < max(owed) - 2 * slack:
        yield f"decision {row.pk}: {chosen} was not owed most"
    found.standings[chosen].received += 1
    for n, standing in zip(eligible, standings, strict=True):
        balance = standing.due - standing.received
        standing.worst = max(standing.worst, abs(balance))
        if abs(Fraction(columns["after"][n], LEAD) - balance) > slack:
            yield f"decision {row.pk}: a balance is {columns['after'][n]}, by the rule {float(balance)}"
        limit = columns["limit"][n]
        if limit is not None and columns["held"][n] >= limit:
            yield f"decision {row.pk}: {columns['manager'][n]} was eligible with {columns['held'][n]} of {limit}"


def judge_ledger(found: Judgement) -> Iterator[str]:
    """Yield where what stands in the ledger at the end is not what the exact rule came to."""
    registry = Registry.objects.select_related("ledger").get(code="all")
    received = {manager: standing[1] for manager, standing in registry.ledger.standings.items() if standing[1]}
    if sum(received.values()) != sum(standing.received for standing in found.standings.values()):
        yield f"the ledger counts {sum(received.values())} leads"
    if sum(standing[0] for standing in registry.ledger.standings.values()):
        yield "the balances do not add up to nothing"


def judge_leads(replay: Replay, expected: set[str]) -> Iterator[str]:
    """Yield leads that are lost, doubled or without the owner that their state says."""
    stored = Counter(Lead.objects.values_list("external_id", flat=True))
    if stored.keys() != expected or max(stored.values(), default=1) > 1:
        yield f"{len(expected - stored.keys())} leads are lost, {len(stored.keys() - expected)} came from nowhere"
    new = Lead.objects.filter(stage__code="new")
    for lead in new.filter(state="idle") | new.filter(responsible=None).exclude(state="waiting"):
        yield f"lead {lead.external_id} is in the trigger's stage, {lead.state}, and nobody's"
    for lead in Offer.objects.values("lead").annotate(open=Count("pk", filter=Q(closed_at=None))).filter(open__gt=1):
        yield f"lead {lead['lead']} is offered to {lead['open']}"
