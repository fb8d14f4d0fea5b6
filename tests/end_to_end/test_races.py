"""Two who act on one lead at the same moment, on real connections: one wins, the other is told, the books stay exact.

Every pair of deeds runs from a barrier, and again with every interleaving of one switch: the first deed stops before its
n-th statement that locks or writes, the second goes on until it is done or waits for a lock, then the first goes on.

Seen red with the lock of the lead taken away (`lock_leads` without FOR UPDATE): a decline is told that it is done while a
hand-over has given the lead away and withdrawn the offer.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from django.db import connection, connections

from accounts.models import Manager
from accounts.services import pause_manager, resume_manager
from accounts.time import clock
from routing import audit
from routing.exceptions import Busy, Conflict, OfferClosed
from routing.models import Decision, Lead, Member, Offer
from routing.services.assignment import reassign
from routing.services.hand_over import hand_over
from routing.services.offers import accept_offer, decline_offer, give_back_offers
from routing.services.stages import move_lead
from routing.services.sweep import sweep
from tests.factories import asking_acceptance, make_managers, make_trigger, stage, take

from .interleaving import is_blocked

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

FEWEST_STATEMENTS, MOST_STATEMENTS = 3, 40  # of one deed that lock or write; more is a loop
LOCKS_OR_WRITES = re.compile(r"\s*(UPDATE|INSERT|DELETE|EXECUTE)|.*FOR (NO KEY )?UPDATE", re.DOTALL)


@dataclass
class Scene:
    """A lead on offer to somebody of a team, and what each deed does to it."""

    team: list[Manager]
    lead: Lead
    offer: Offer

    @property
    def holder(self) -> Manager:
        return next(m for m in self.team if m.pk == self.offer.manager_id)

    @property
    def other(self) -> Manager:
        return next(m for m in self.team if m.pk != self.offer.manager_id)

    def accept(self) -> object:
        return accept_offer(self.lead.pk, at=self.offer.offered_at, by=self.holder.user)

    def decline(self) -> object:
        return decline_offer(self.lead.pk, at=self.offer.offered_at, by=self.holder.user)

    def move(self) -> object:
        return move_lead(self.lead.pk, stage("sales/accepted").pk, at=self.offer.offered_at, by=self.holder.user)

    def sweep(self) -> object:
        return sweep(at=self.offer.accept_by)

    def reassign(self) -> object:
        return reassign(self.lead.pk, self.other.pk, at=self.offer.offered_at)

    def pause(self) -> object:
        pause_manager(self.holder, at=self.offer.offered_at, minutes=5)
        return give_back_offers(self.holder.pk, at=self.offer.offered_at)

    def limit(self) -> object:
        return Member.objects.filter(manager=self.other).update(limit=0)

    def hand_over(self) -> object:
        return hand_over(self.holder.pk, at=self.offer.offered_at)


DEEDS = ("accept", "decline", "move", "sweep", "reassign", "pause", "limit", "hand_over")
# What a deed makes of the offer when it comes first. Each offer ends once, so of two only one can have said so.
ENDS = {"accept": "accepted", "decline": "declined", "move": "accepted", "sweep": "timed_out"}
# A pause waits a tenth of a second at most; the sweep then gives back what is on offer.
REFUSED = {
    "accept": (OfferClosed,), "decline": (OfferClosed,), "move": (OfferClosed,), "hand_over": (Conflict,), "pause": (Busy,),
}  # fmt: skip


@pytest.fixture
def team() -> list[Manager]:
    team = make_managers(3)
    make_trigger(members=team, **asking_acceptance(final_step="restart"))
    return team


def set_the_scene(team: list[Manager]) -> Scene:
    """Settle what the run before left, and take a new lead."""
    at = clock.now()
    for manager in team:
        resume_manager(manager, at=at)
    Member.objects.update(limit=None)
    for lead in Lead.objects.exclude(state="assigned"):
        reassign(lead.pk, team[0].pk, at=at)
    lead = take(at=at)
    return Scene(team, lead, Offer.objects.open().get(lead=lead))


def told(deed: Callable[[], object]) -> object:
    """Do the deed on a connection of its own; return None, or what it was told."""
    try:
        deed()
    except Exception as answer:  # whatever it is, `check` judges it
        return answer
    finally:
        connections.close_all()
    return None


def from_a_barrier(first: Callable[[], object], second: Callable[[], object]) -> list[Any]:
    start = threading.Barrier(2)
    answers: list[Any] = [None, None]

    def run(place: int, deed: Callable[[], object]) -> None:
        start.wait(30)
        answers[place] = told(deed)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate((first, second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def stopped_before(number: int, first: Callable[[], object], second: Callable[[], object]) -> tuple[list[Any], bool]:
    """Let the second go ahead when the first is about to send its statement of this number.

    Return what both were told, and whether the first has so many statements.
    """
    stopped, go_on, ended, connected = (threading.Event() for _ in range(4))
    answers: list[Any] = [None, None]
    pid = 0

    def run_first() -> None:
        sent = 0

        def stop(execute: Any, statement: str, *rest: Any) -> Any:
            nonlocal sent
            if LOCKS_OR_WRITES.match(statement):
                if sent == number:
                    stopped.set()
                    go_on.wait(30)
                sent += 1
            return execute(statement, *rest)

        with connection.execute_wrapper(stop):
            answers[0] = told(first)
        ended.set()
        stopped.set()

    def run_second() -> None:
        nonlocal pid
        connection.ensure_connection()
        pid = connection.connection.get_backend_pid()
        connected.set()
        answers[1] = told(second)

    threads = [threading.Thread(target=run_first), threading.Thread(target=run_second)]
    threads[0].start()
    assert stopped.wait(60)
    was_stopped = not ended.is_set()
    threads[1].start()
    assert connected.wait(60)
    while threads[1].is_alive() and not is_blocked(pid):
        threads[1].join(0.004)
    go_on.set()
    for thread in threads:
        thread.join(60)
    return answers, was_stopped


def check(scene: Scene, deeds: tuple[str, str], answers: list[Any], *, how: str) -> None:
    """Judge what is written: one end of the offer, told to each truthfully, and a lead that somebody or the queue has."""
    why = f"{deeds} {how}: {answers}"
    offer = Offer.objects.get(pk=scene.offer.pk)
    for deed, answer in zip(deeds, answers, strict=True):
        assert answer is None or isinstance(answer, REFUSED.get(deed, ())), why
    done = [deed for deed, answer in zip(deeds, answers, strict=True) if answer is None]
    for deed in {"accept", "decline"} & set(deeds):
        # Who was told that it is done, did it: as often as the offer ended so, and that is once at most.
        by_move = ENDS[deed] == "accepted" and "move" in done
        expected = 1 if offer.outcome == ENDS[deed] else 0
        assert done.count(deed) == expected or (by_move and offer.outcome == "accepted" and done.count(deed) == 0), why
    assert Offer.objects.open().filter(lead=scene.lead).count() <= 1, why
    if {"accept", "decline", "sweep", "reassign", "pause", "hand_over"} & set(done):
        assert offer.outcome, why


@pytest.mark.parametrize("first", DEEDS)
def test_of_two_at_once_one_wins_and_the_other_is_told(team: list[Manager], first: str) -> None:
    for pair in combinations_with_replacement(DEEDS, 2):
        if pair[0] == first:
            scene = set_the_scene(team)
            answers = from_a_barrier(getattr(scene, pair[0]), getattr(scene, pair[1]))
            check(scene, pair, answers, how="from a barrier")
    assert list(audit.violations()) == []


@pytest.mark.parametrize("first", ["accept", "decline", "sweep", "reassign"])  # each with every other as the second
def test_wherever_the_one_stops_the_other_wins_or_is_told(team: list[Manager], first: str) -> None:
    for pair in product([first], DEEDS):
        for number in range(MOST_STATEMENTS):
            scene = set_the_scene(team)
            before = [scene.other.pk] if pair == ("decline", "limit") and number == 0 else []
            answers, was_stopped = stopped_before(number, getattr(scene, pair[0]), getattr(scene, pair[1]))
            check(scene, pair, answers, how=f"stopped before statement {number}")
            assert Lead.objects.get(pk=scene.lead.pk).responsible_id not in before
            if not was_stopped:
                break
        else:
            pytest.fail(f"{first} sends more than {MOST_STATEMENTS} statements")
        assert number >= FEWEST_STATEMENTS, f"{first} was stopped {number} times only"
    assert list(audit.violations()) == []


def test_a_limit_lowered_while_leads_are_decided_holds_from_then_on(team: list[Manager]) -> None:
    def takes() -> None:
        for _ in range(12):
            take(at=clock.now())

    def lowers() -> None:
        while Decision.objects.count() < 8:  # in the middle of it
            time.sleep(0.001)
        Member.objects.update(limit=2)

    start = threading.Barrier(4)
    answers: list[object] = []

    def run(deed: Callable[[], None]) -> None:
        start.wait(30)
        answers.append(told(deed))

    threads = [threading.Thread(target=run, args=[deed]) for deed in (takes, takes, takes, lowers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [None] * 4
    take(at=clock.now())  # whoever begins after it was lowered goes by it
    limits = list(Decision.objects.order_by("id").values_list("lineup__limits", flat=True))
    lowered = limits.index([2, 2, 2])
    assert 8 <= lowered < len(limits) == 37
    assert all(each == [2, 2, 2] for each in limits[lowered:])  # never back to what was before
    for decision in Decision.objects.order_by("id")[lowered:]:
        assert decision.chosen_id is None or decision.held[decision.lineup.managers.index(decision.chosen_id)] < 2
    assert list(audit.violations()) == []
