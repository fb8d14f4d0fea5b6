"""Live through a replay: every lead at its instant, and between them what time makes due.

Sweeps run where one can have something to do: when duty begins or ends and leads wait, when an offer runs out, and five
seconds, the rhythm of the beat, after somebody had room again.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from time import perf_counter, process_time
from typing import Any
from uuid import UUID

from django.db import connection

from routing.exceptions import OfferClosed
from routing.intake.reading import LEAD_FORM
from routing.models import Decision, Lead, Offer
from routing.roster import current
from routing.services.intake import take_lead
from routing.services.offers import accept_offer
from routing.services.stages import move_lead
from routing.services.sweep import sweep

from .duty import Duty
from .plan import Arrival, Replay

BEAT = timedelta(seconds=5)
HELD = """
SELECT responsible_id, count(*) FROM routing_lead WHERE responsible_id IS NOT NULL AND stage_id = ANY (%s) GROUP BY 1
"""


@dataclass
class Lived:
    """What living through the replay came to."""

    seconds: float = 0.0  # in the services
    cpu: float = 0.0  # of this process, in the services
    sweeps: int = 0
    most_held: dict[int, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


@dataclass(order=True, slots=True)
class Event:
    at: datetime
    number: int
    act: Callable[..., None] = field(compare=False)
    facts: tuple[Any, ...] = field(compare=False, default=())


class Simulation:
    """One run. After every call of a service the new rows are read, and what follows from them is put on the agenda."""

    def __init__(self, replay: Replay, arrivals: list[Arrival]) -> None:
        self.replay = replay
        self.roster = current()
        self.stage = {stage.code: stage.id for stage in self.roster.pipelines[replay.pipeline]}
        self.active = self.roster.active_stages
        self.limits = limits_of(replay, {email: person.id for email, person in self.roster.managers_by_email.items()})
        self.lived = Lived()
        self.numbers = count()
        self.agenda: list[Event] = []
        self.arrivals: dict[UUID, Arrival] = {}
        self.waiting: set[UUID] = set()
        self.last_decision = self.last_offer = 0
        self.sweep_due: datetime | None = None
        self.forms = {arrival.number: form_of(arrival) for arrival in arrivals}
        for arrival in arrivals:
            self.plan(arrival.at, self.arrive, arrival)
        last = max((a.done_at or a.at for a in arrivals), default=None)
        self.turns = Duty(replay).turns(arrivals[0].at, last) if last else []

    def run(self) -> Lived:
        turns = iter(self.turns)
        turn = next(turns, None)
        while self.agenda:
            while turn is not None and turn <= self.agenda[0].at:
                if self.waiting:
                    self.sweep(turn)
                turn = next(turns, None)
            event = heapq.heappop(self.agenda)
            event.act(event.at, *event.facts)
        return self.lived

    def wait_for_duty(self, arrivals: list[Arrival], at: datetime) -> None:
        """Take over leads that somebody else sent, and sweep at every turn of duty in the three days after."""
        numbers = {arrival.number: arrival for arrival in arrivals}
        sent = Lead.objects.filter(external_id__in=numbers).values_list("pk", "external_id")
        self.arrivals |= {lead: replace(numbers[number], done_after=None) for lead, number in sent}
        self.follow(at)
        for turn in Duty(self.replay).turns(at, at + timedelta(days=3)):
            if turn > at and self.waiting:
                self.sweep(turn)

    def plan(self, at: datetime, act: Callable[..., None], *facts: Any) -> None:
        heapq.heappush(self.agenda, Event(at, next(self.numbers), act, facts))

    # What happens.

    def arrive(self, at: datetime, arrival: Arrival) -> None:
        taken = self.call(take_lead, self.forms[arrival.number], source_id=None, at=at)
        lead = taken.lead_id
        self.arrivals[lead] = arrival
        if arrival.qualified_at:
            self.plan(arrival.qualified_at, self.qualify, lead)
        if arrival.gives_up_at:
            self.plan(arrival.gives_up_at, self.give_up, lead)
        if arrival.done_at:
            self.plan(arrival.done_at, self.finish, lead)
        self.follow(at)

    def qualify(self, at: datetime, lead: UUID) -> None:
        self.call(move_lead, lead, self.stage["new"], at=at)
        self.follow(at)

    def give_up(self, at: datetime, lead: UUID) -> None:
        if lead in self.waiting:
            self.finish(at, lead)

    def finish(self, at: datetime, lead: UUID) -> None:
        self.call(move_lead, lead, self.stage["won" if self.arrivals[lead].won else "lost"], at=at)
        self.waiting.discard(lead)
        self.follow(at)
        if self.waiting and self.sweep_due is None:  # somebody has room, perhaps
            self.sweep_due = at + BEAT
            self.plan(self.sweep_due, self.sweep)

    def accept(self, at: datetime, lead: UUID, offer: int) -> None:
        if not Offer.objects.open().filter(pk=offer).exists():
            return  # withdrawn meanwhile
        try:
            self.call(accept_offer, lead, at=at)
        except OfferClosed:
            self.lived.violations.append(f"offer {offer} could not be accepted at {at}, before its deadline")

    def run_out(self, at: datetime, offer: int) -> None:
        if Offer.objects.open().filter(pk=offer).exists():
            self.sweep(at)
            if Offer.objects.open().filter(pk=offer).exists():
                self.lived.violations.append(f"offer {offer} is open after the sweep at its deadline, {at}")

    def sweep(self, at: datetime) -> None:
        if self.sweep_due is not None and self.sweep_due <= at:
            self.sweep_due = None
        self.call(sweep, at=at)
        self.lived.sweeps += 1
        self.follow(at)

    # What follows.

    def call(self, service: Callable[..., Any], *facts: Any, **more: Any) -> Any:
        wall, cpu = perf_counter(), process_time()
        try:
            return service(*facts, **more)
        finally:
            self.lived.seconds += perf_counter() - wall
            self.lived.cpu += process_time() - cpu

    def follow(self, at: datetime) -> None:
        """Read what was decided and offered, plan what follows, and look at everybody's limit."""
        made = Decision.objects.filter(pk__gt=self.last_decision).order_by("pk").values_list("pk", "lead", "chosen")
        for pk, lead, chosen in made:
            self.last_decision = pk
            if chosen is None:
                self.waiting.add(lead)
                continue
            self.waiting.discard(lead)
            after = self.arrivals[lead].done_after
            if after is not None:
                self.plan(at + after, self.finish, lead)
        if "acceptance" in self.replay.trigger:
            self.follow_offers(at)
        self.look_at_limits(at)

    def follow_offers(self, at: datetime) -> None:
        made = Offer.objects.filter(pk__gt=self.last_offer).order_by("pk").values_list("pk", "lead", "accept_by")
        for pk, lead, accept_by in made:
            self.last_offer = pk
            touched_at = self.arrivals[lead].touched_at
            if touched_at is not None and touched_at < accept_by:
                self.plan(max(at, touched_at), self.accept, lead, pk)
            else:
                self.plan(accept_by, self.run_out, pk)

    def look_at_limits(self, at: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute(HELD, [self.active])
            for manager, held in cursor.fetchall():
                self.lived.most_held[manager] = max(held, self.lived.most_held.get(manager, 0))
                if manager in self.limits and held > self.limits[manager]:
                    self.lived.violations.append(
                        f"{at}: manager {manager} holds {held} of {self.limits[manager]} leads"
                    )


def form_of(arrival: Arrival) -> dict[str, Any]:
    """Return the lead as the API's door hands it to the service."""
    return LEAD_FORM.read(arrival.form)


def limits_of(replay: Replay, ids: dict[str, int]) -> dict[int, int]:
    """Return how many leads each member may hold; all of them in all active stages."""
    common = replay.trigger.get("limit", {}).get("leads")
    limits = {ids[m["manager"]]: m.get("limit", common) for m in replay.trigger["members"]}
    return {manager: limit for manager, limit in limits.items() if limit is not None}
