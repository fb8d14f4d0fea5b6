"""Whatever happens to one lead at once, it comes out as if one had come after the other, in some order.

By night all orders of the steps of two services, and many of three, against what the services come to one after the
other; by day some orders of each two and each three.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import combinations, combinations_with_replacement, permutations
from typing import Any

import pytest
from django.db import connection

from accounts.models import Pause
from accounts.services import pause_manager
from routing import audit
from routing.models import Decision, Lead, LeadEvent, Ledger, Member, Offer, Stage
from routing.services.assignment import reassign
from routing.services.offers import accept_offer, decline_offer, give_back_offers
from routing.services.stages import move_lead
from routing.services.sweep import sweep
from tests.effort import by_night
from tests.factories import MINUTE, MONDAY, make_manager, make_pipeline, make_trigger, take

from .interleaving import Session, interleave, orders, sessions

pytestmark = [
    pytest.mark.slow, pytest.mark.thorough, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800),
]  # fmt: skip

EARLY, LATE = MONDAY + 5 * MINUTE, MONDAY + 11 * MINUTE  # the offer is for ten minutes
STEPS_OF_TWO, STEPS_OF_THREE = 4, 3
PAIRS = by_night(70, by_day=6)  # orders of each two services; 70 are all
TRIPLES = int(os.environ.get("INTERLEAVINGS", by_night(4, by_day=1)))  # orders of each three; 1,680 are all

CLEAN = """
DELETE FROM routing_leadevent; DELETE FROM routing_adjustment; DELETE FROM routing_offer; DELETE FROM routing_decision;
DELETE FROM routing_setback; DELETE FROM routing_lead; DELETE FROM routing_possibleduplicate; DELETE FROM routing_contactpoint;
DELETE FROM routing_contact;
DELETE FROM accounts_pause; UPDATE routing_member SET "limit" = NULL;
UPDATE routing_ledger SET turn = 0, managers = '{}', balances = '{}', received = '{}', last_turns = '{}', added = 0;
"""


class World:
    """Ann has a lead on offer; Bob and Cid are there as well."""

    def __init__(self) -> None:
        make_pipeline()
        self.ann, self.bob, self.cid = (make_manager(name) for name in ("ann", "bob", "cid"))
        people = [self.ann, self.bob, self.cid]
        self.trigger = make_trigger(
            members=people, on=["created"], acceptance_minutes=10, final_step="keep", max_attempts=3
        )
        self.won = Stage.objects.get(code="won")
        self.names = {person.pk: name for person, name in zip(people, "ABC", strict=True)} | {None: "-"}
        self.lead: Lead

    def begin(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(CLEAN)
        self.lead = take()

    def works(self) -> dict[str, list[Callable[[], object]]]:
        """Return what may happen to the lead: each as its transactions."""
        lead, ann = self.lead.pk, self.ann
        return {
            "accept": [lambda: accept_offer(lead, at=EARLY, by=ann.user)],
            "decline": [lambda: decline_offer(lead, at=EARLY, by=ann.user)],
            "sweep": [lambda: sweep(at=LATE)],
            "reassign": [lambda: reassign(lead, self.cid.pk, at=EARLY)],
            "pause": [lambda: pause_manager(ann, at=EARLY), lambda: give_back_offers(ann.pk, at=EARLY)],
            "limit": [lambda: Member.objects.filter(trigger=self.trigger, manager=self.bob).update(limit=0)],
            "move": [lambda: move_lead(lead, self.won.pk, at=EARLY, by=ann.user)],
        }

    def stands(self) -> tuple[object, ...]:
        """Return all that came of it, apart from ids."""
        lead = Lead.objects.get(pk=self.lead.pk)
        ledger = Ledger.objects.get(registry__trigger=self.trigger)
        return (
            lead.state,
            self.names[lead.responsible_id],
            lead.stage_id,
            [(self.names[m], o) for m, o in Offer.objects.order_by("id").values_list("manager", "outcome")],
            [(self.names[m], r) for m, r in Decision.objects.order_by("id").values_list("chosen", "reason")],
            sorted(LeadEvent.objects.values_list("kind", flat=True)),
            sorted((self.names[m], standing.balance) for m, standing in ledger.standings.items()),
            Pause.objects.count(),
        )


NAMES = ("accept", "decline", "sweep", "reassign", "pause", "limit", "move")


def in_turn(world: World, names: Sequence[str]) -> set[tuple[object, ...]]:
    """Return everything that the services may come to, one transaction after the other."""
    came = set()
    lengths = {name: len(works) for name, works in _begun(world).items()}
    parts = [number for number, name in enumerate(names) for _ in range(lengths[name])]
    for order in set(permutations(parts)):
        world.begin()
        left = [iter(world.works()[name]) for name in names]
        told: list[str] = ["done"] * len(names)
        for number in order:
            if told[number] == "done":
                told[number] = Session._outcome(None, next(left[number]))  # type: ignore[arg-type]
        came.add(_signature(names, told, world))
    return came


def _begun(world: World) -> dict[str, list[Callable[[], object]]]:
    world.begin()
    return world.works()


def _signature(names: Sequence[str], told: Sequence[str], world: World) -> tuple[object, ...]:
    return tuple(sorted(zip(names, told, strict=True))), repr(world.stands())


def at_once(world: World, lent: list[Session], names: Sequence[str], order: Sequence[int]) -> tuple[object, ...]:
    works = _begun(world)
    told = interleave(lent, [lambda parts=works[name]: [part() for part in parts] for name in names], order)
    assert list(audit.violations(decisions=False)) == [], (names, order)
    return _signature(names, told, world)


def strange(
    world: World, lent: list[Session], names: Sequence[str], wanted: Sequence[tuple[int, ...]]
) -> Iterator[Any]:
    """Yield the orders of steps whose outcome no order of the whole services has."""
    expected = in_turn(world, names)
    assert not any("ERROR" in str(each) for each in expected)
    for order in wanted:
        came = at_once(world, lent, names, order)
        if came not in expected:
            yield names, order, came


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """Wait for locks as long as the sessions do: a pause gives up at a tenth of a second, which a step may take."""
    monkeypatch.setattr("routing.services.offers.SOON", timedelta(minutes=1))
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")  # nothing here is about disks


@pytest.fixture
def lent():
    with sessions(3) as lent:
        yield lent


def test_two_at_once_come_out_as_one_after_the_other(lent):
    world, dice = World(), random.Random(2)
    every = list(orders([STEPS_OF_TWO] * 2))
    assert len(every) == 70
    for names in combinations_with_replacement(NAMES, 2):
        assert list(strange(world, lent, names, dice.sample(every, PAIRS))) == []


def test_three_at_once_come_out_as_one_after_the_other(lent):
    world, dice = World(), random.Random(1)
    every = list(orders([STEPS_OF_THREE] * 3))
    assert len(every) == 1_680
    for names in combinations(NAMES, 3):
        assert list(strange(world, lent, names, dice.sample(every, min(TRIPLES, len(every))))) == []


def test_without_the_lock_of_the_lead_the_tester_sees_two_winners(monkeypatch):
    before = Session._before

    def unlocked(self, execute, *rest):
        drop = partial(re.sub, ' FOR NO KEY UPDATE OF "routing_lead"', "")
        return before(self, lambda sql, *others: execute(drop(sql), *others), *rest)

    monkeypatch.setattr(Session, "_before", unlocked)
    every, world = list(orders([STEPS_OF_TWO] * 2)), World()
    with sessions(2) as lent:
        _, _, (told, _) = next(strange(world, lent, ("accept", "decline"), every))
    assert told == (("accept", "done"), ("decline", "done"))
