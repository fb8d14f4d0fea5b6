"""A decision knows the configuration that made it, and its line-up holds just what it saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from routing import roster
from routing.candidates import gather_candidates
from routing.models import Decision, Lineup, Member
from routing.services.assignment import record
from routing.services.distribution import cases_of, distribute
from tests.factories import MONDAY, make_lead, make_manager, make_trigger, take

pytestmark = pytest.mark.django_db


def test_a_decision_stores_the_version_that_decided():
    trigger = make_trigger(members=[(make_manager("ann"), 1)])
    first = take(at=MONDAY)
    version = roster.read_version()
    Member.objects.filter(trigger=trigger).update(coefficient=3)
    second = take(at=MONDAY)
    assert Decision.objects.get(lead=first).version == version
    assert Decision.objects.get(lead=second).version == roster.read_version() > version


@pytest.fixture
def decided(django_capture_on_commit_callbacks):
    """Let a trigger of two decide with coefficients that nobody has configured."""
    make_trigger(members=[(make_manager("ann"), 40), (make_manager("bob"), 60)])
    [trigger] = roster.current().triggers.values()

    def decide(*coefficients: int) -> Decision:
        lead = make_lead()
        with django_capture_on_commit_callbacks(execute=True):
            gathered = gather_candidates([trigger], roster.current(), at=MONDAY)
            cases = cases_of([(lead, trigger.id)], roster.current())
            distributed = distribute(cases, roster.current(), at=MONDAY, gathered=gathered)
            [verdict] = distributed.verdicts
            seen = [c._replace(coefficient=n) for c, n in zip(verdict.candidates, coefficients, strict=True)]
            record(distributed._replace(verdicts=[replace(verdict, candidates=seen)]), roster.current(), at=MONDAY)
        return Decision.objects.select_related("lineup").get(lead=lead)

    return decide


def test_coefficients_that_are_computed_are_recorded_as_the_decision_saw_them(decided):
    """The members are the same and in the same order; the line-up is another all the same."""
    assert decided(40, 60).lineup.coefficients == [40, 60]
    assert decided(41, 59).lineup.coefficients == [41, 59]
    assert decided(40, 60).lineup.coefficients == [40, 60]
    assert Lineup.objects.count() == 2


def test_a_lineup_is_known_by_all_that_it_holds():
    columns = {"managers": [1, 2], "coefficients": [40, 60], "limits": [None, 5]}
    known = {Lineup.digest_of(columns)}
    for name in Lineup.COLUMNS:
        known.add(Lineup.digest_of({**columns, name: [7, 8]}))
        known.add(Lineup.digest_of({**columns, name: columns[name][::-1]}))
    assert len(known) == 7
    assert Lineup.digest_of(columns) == Lineup.digest_of({name: tuple(column) for name, column in columns.items()})


def test_every_stored_lineup_is_under_its_digest():
    make_trigger(members=[(make_manager("ann"), 40), (make_manager("bob"), 60)], limit=9)
    for _ in range(3):
        take(at=MONDAY)
    lineups = Lineup.objects.all()
    assert [row.digest for row in lineups] == [
        Lineup.digest_of({name: getattr(row, name) for name in Lineup.COLUMNS}) for row in lineups
    ]


def test_a_process_remembers_so_many_lineups_of_a_trigger(decided, monkeypatch):
    monkeypatch.setattr("routing.services.assignment.MOST_LINEUPS", 2)
    remembered = []
    for coefficient in range(1, 6):
        decided(coefficient, 1)
        [trigger] = roster.current().triggers.values()
        remembered.append(len(trigger.lineups))
    assert remembered == [1, 2, 1, 2, 1]
    assert Lineup.objects.count() == 5
