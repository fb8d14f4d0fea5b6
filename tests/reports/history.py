"""Write what happened as rows, without the engine: leads, when they were assigned, what became of their offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Manager
from routing.models import Decision, Lead, Lineup, Offer, Source, Stage, Trigger


@dataclass
class History:
    """Rows to come, written all at once."""

    trigger: Trigger
    stage: Stage
    leads: list[Lead] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    lineups: dict[int, Lineup] = field(default_factory=dict)  # each manager alone

    def lead(self, source: Source, at: datetime, *, responsible: Manager | None = None) -> Lead:
        state = "assigned" if responsible else "idle"
        lead = Lead(source=source, stage=self.stage, arrived_at=at, created_at=at, responsible=responsible, state=state)
        self.leads.append(lead)
        return lead

    def offer(self, lead: Lead, manager: Manager, at: datetime, closed_at: datetime | None, outcome: str) -> None:
        """Assign the lead, and offer it."""
        self.assign(lead, manager, at)
        if outcome == "accepted" and lead.accepted_at is None:
            lead.accepted_at, lead.accepted_by = closed_at, manager
        self.offers.append(
            Offer(lead=lead, manager=manager, trigger=self.trigger, round=1, offered_at=at, closed_at=closed_at,
                  accept_by=max(at, closed_at or at) + timedelta(minutes=1), outcome=outcome)
        )  # fmt: skip

    def assign(self, lead: Lead, manager: Manager, at: datetime) -> None:
        lead.assigned_at = lead.assigned_at or at
        facts: dict[str, Any] = {"held": [0], "balances": [0], "last_turns": [0], "turn": 0, "counted": False}
        self.decisions.append(
            Decision(lead=lead, at=at, trigger=self.trigger, registry=self.trigger.own_registry, method="direct",
                     attempt=1, outcome="assigned", chosen=manager, reason="direct", lineup=self.lineup(manager), **facts)
        )  # fmt: skip

    def lineup(self, manager: Manager) -> Lineup:
        if manager.pk not in self.lineups:
            facts = {"managers": [manager.pk], "coefficients": [1], "limits": [None]}
            self.lineups[manager.pk] = Lineup.objects.get_or_create(digest=f"of {manager.pk}", defaults=facts)[0]
        return self.lineups[manager.pk]

    def write(self) -> None:
        for model, rows in ((Lead, self.leads), (Decision, self.decisions), (Offer, self.offers)):
            model.objects.bulk_create(rows)  # type: ignore[attr-defined]


def quantile(values: Sequence[float], part: float) -> float:
    """Return the value below which the part lies, between two values in proportion."""
    ordered, place = sorted(values), part * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
