"""The checker of the chaos run is not blind: each fault, written by hand into journal and log, is found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.factories import MONDAY

from . import checker
from .checker import Event
from .journal import Journal

ANN, BOB, NEW, WON, SALES = 1, 2, 10, 11, 5


class Rows:
    """An installation that answers each question with the rows that were given for it."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers

    def execute(self, statement: str, *_: object) -> list[Any]:
        names = [name for name in self.answers if name in statement]
        return self.answers[max(names, key=len)] if names else []


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.invoke(1, "key-1", ["chaos-1"], ["x1"])
    journal.answered(1, 201, ["id-1"], seconds=0.1)
    yield journal
    journal.close()


def event(seconds: float, lead: str, manager: int | None, *, state: str = "assigned", **facts: Any) -> Event:
    facts = {
        "transaction": int(seconds * 10),
        "snapshot": "1:1:",
        "stage": NEW,
        "old_manager": None,
        "old_stage": None,
        **facts,
    }
    return Event(
        at=MONDAY + timedelta(seconds=seconds), lead=lead, trigger=SALES, manager=manager, state=state, **facts
    )


def rules(limit: int = 1, **more: list[Any]) -> Rows:
    return Rows(
        **{
            "kind IN": [(NEW,)],
            "routing_trigger_limit_stages": [],
            "SELECT id FROM routing_trigger": [(SALES,)],
            "JOIN routing_member": [(SALES, ANN, limit)],
            "clock_timestamp": [(MONDAY + timedelta(seconds=300),)],
            **more,
        }
    )


def test_a_lead_that_was_acknowledged_and_is_not_there_is_lost(journal):
    assert list(checker.lost(Rows(routing_lead=[("id-1", "chaos-1")]), journal)) == []
    assert len(list(checker.lost(Rows(routing_lead=[("id-2", "chaos-1")]), journal))) == 1


def test_one_key_with_two_leads_or_two_answers_is_found(journal):
    assert list(checker.twice(journal, {"chaos-1": 1})) == []
    assert len(list(checker.twice(journal, {"chaos-1": 2}))) == 1
    journal.answered(1, 200, ["id-2"], seconds=0.1)
    assert len(list(checker.twice(journal, {"chaos-1": 1}))) == 1


def test_what_moved_with_a_mere_offer_and_two_first_managers_are_found():
    assert list(checker.moved_too_soon(Rows())) == []
    found = Rows(taken=[("id-1", {"object": "contact", "to": ANN})], firsts=[("ana", [str(ANN), str(BOB)])])
    assert len(list(checker.moved_too_soon(found))) == 2


def test_what_was_sent_and_never_answered_is_unresolved(journal):
    journal.invoke(2, "key-2", ["chaos-2"], [None])
    journal.lost(2, "NoAnswer()")
    assert journal.unresolved() == [2]
    journal.answered(2, 503, [], seconds=0.1)
    assert journal.unresolved() == [2]
    journal.answered(2, 200, ["id-2"], seconds=0.1)
    assert journal.unresolved() == []


def test_a_change_that_does_not_begin_where_the_last_one_ended_is_found():
    good = [event(1, "a", ANN), event(2, "a", BOB, old_manager=ANN, old_stage=NEW)]
    assert list(checker.unchained(good)) == []
    assert len(list(checker.unchained([*good, event(3, "a", None, old_manager=ANN, old_stage=NEW)]))) == 1


def decided(*rows: tuple[int, str]) -> list[Any]:
    return [(transaction, lead, SALES, ANN, True, 1) for transaction, lead in rows]


def test_a_limit_that_was_passed_is_found_in_the_log():
    closed = event(1.5, "a", ANN, old_manager=ANN, old_stage=NEW, stage=WON)
    events = [event(1, "a", ANN, snapshot="9:9:"), closed, event(2, "b", ANN, snapshot="19:19:")]
    log = rules(routing_decision=decided((10, "a"), (20, "b")))
    assert list(checker.overruns(log, events)) == []
    assert len(list(checker.overruns(log, [events[0], events[2]]))) == 1


def test_a_lead_given_without_a_limit_at_the_same_time_is_no_overrun():
    unseen = event(1, "by hand", ANN)  # transaction 10 ran still when the choice of 20 was made
    chosen = event(2, "b", ANN, snapshot="10:20:10")
    log = rules(routing_decision=decided((20, "b")))
    assert list(checker.overruns(log, [unseen, chosen])) == []
    assert len(list(checker.overruns(log, [unseen, event(2, "b", ANN, snapshot="20:20:")]))) == 1


def test_a_lead_that_waits_though_somebody_could_take_it_is_found():
    events = [event(0, "a", None, state="waiting"), event(61.5, "a", ANN, old_stage=NEW)]
    assert len(list(checker.waits(rules(), events))) == 1
    assert list(checker.waits(rules(), [events[0], event(59, "a", ANN, old_stage=NEW)])) == []
    assert len(list(checker.waits(rules(), events[:1]))) == 1  # and was never assigned


def test_who_was_full_or_paused_could_not_take_it():
    full = [event(0, "first", ANN), event(1, "a", None, state="waiting"), event(200, "a", BOB, old_stage=NEW)]
    assert list(checker.waits(rules(), full)) == []
    pause = [(ANN, MONDAY - timedelta(hours=1), MONDAY + timedelta(seconds=150))]
    waited = [event(0, "a", None, state="waiting"), event(200, "a", ANN, old_stage=NEW)]
    assert list(checker.waits(rules(accounts_pause=pause), waited)) == []
    assert len(list(checker.waits(rules(), waited))) == 1


def test_more_ticks_than_time_are_found():
    ticks = [("sweep", 20, 5, 60.0)]
    assert len(list(checker.ticks(Rows(django_celery_beat_periodictask=ticks)))) == 1
    assert list(checker.ticks(Rows(django_celery_beat_periodictask=[("sweep", 13, 5, 60.0)]))) == []
