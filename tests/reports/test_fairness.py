"""Fairness: what the balances say of a period is what its decisions add up to, one by one."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

import pytest

from accounts.services import pause_manager, resume_manager
from reports.fairness import LEAD, Addition, Balance, Received, standings
from reports.pages import fairness
from routing.models import Decision
from routing.representations import read_decision
from routing.services.assignment import credit_back, reassign
from routing.services.intake import take_leads
from tests.data import data_path
from tests.factories import (
    DAY,
    HOUR,
    MONDAY,
    form,
    make_manager,
    make_registry,
    make_source,
    make_trigger,
    take,
    take_some,
)
from tests.reports.asking import asked, table

pytestmark = pytest.mark.django_db


def due_by_hand(first: datetime, last: datetime) -> dict[str, tuple[int, Fraction]]:
    """Add up, decision by decision, who was credited which part of the lead, and who got it."""
    got, due = defaultdict(int), defaultdict(Fraction)
    for row in Decision.objects.filter(counted=True, at__gte=first, at__lt=last).select_related("lineup", "chosen"):
        candidates, refusals, _ = read_decision(row)
        eligible = [c for c, refusal in zip(candidates, refusals, strict=True) if refusal is None]
        whole = sum(c.coefficient for c in eligible)
        for c in eligible:
            due[c.manager] += Fraction(c.coefficient, whole)
        got[row.chosen_id] += 1
    return {manager: (got[manager], due[manager]) for manager in due}


def test_the_leads_of_olist_in_february_are_due_as_their_decisions_say():
    """Real arrivals, real decisions: three weights, pauses that come and go, and two leads credited back."""
    people = [make_manager(name) for name in ("ann", "bob", "eva")]
    make_trigger(members=list(zip(people, (1, 2, 3), strict=True)), registry=make_registry())
    days = defaultdict(int)
    with data_path("olist_funnel/marketing_qualified_leads.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if "2018-02-01" <= row["first_contact_date"] < "2018-03-01":
                days[row["first_contact_date"]] += 1
    source = make_source()
    for number, (day, leads) in enumerate(sorted(days.items())):
        at = datetime.combine(date.fromisoformat(day), time(9), UTC)
        away = people[number % 4 % 3]
        if number % 4 < 3:
            pause_manager(away, at=at)
        taken = take_leads([form() for _ in range(leads)], source_id=source.pk, at=at + HOUR)
        if number in (6, 20):
            credit_back(taken[0].lead_id, at=at + 2 * HOUR)
        resume_manager(away, at=at + 3 * HOUR)
    for first, last in (("2018-02-01", "2018-02-28"), ("2018-02-06", "2018-02-19"), ("2018-02-07", "2018-02-07")):
        question = asked(first, last)
        expected = due_by_hand(question.start, question.end)
        rows = table(fairness, "managers", question)
        assert len(rows) == len(expected)
        by_name = {person.user.name: person.pk for person in people}
        for name, _registry, received, due, less, _worst, _balance in rows:
            assert received == expected[by_name[name]][0]
            assert due == pytest.approx(float(expected[by_name[name]][1]), abs=1e-6)
            assert less == pytest.approx(due - received)
    assert sum(row[2] for row in table(fairness, "managers", asked("2018-02-01", "2018-02-28"))) == sum(days.values())


def test_the_worst_distance_is_that_of_the_ends_of_the_days():
    ann, bob = make_manager(), make_manager("bob")
    make_trigger(members=[ann, bob])
    lead = take(at=MONDAY)  # Ann's: half a lead ahead
    take(at=MONDAY + DAY)  # Bob's: level
    reassign(lead.pk, bob.pk, at=MONDAY + 2 * DAY, count=True)  # what is deliberate is nobody's distance
    rows = {
        row[0]: row[1:] for row in table(fairness, "managers", asked("2026-03-02", "2026-03-05", at=MONDAY + 3 * DAY))
    }
    registry = "new-leads"
    assert rows == {"Ann": (registry, 1, 1.0, 0.0, -0.5, 0.0), "Bob": (registry, 1, 1.0, 0.0, 0.5, -1.0)}
    times = {row[0]: row[1:] for row in table(fairness, "time", asked("2026-03-02", "2026-03-05", at=MONDAY + 3 * DAY))}
    assert times["Ann · new-leads"] == (-0.5, 0.0, 0.0, 0.0)


def test_by_totals_everybody_is_due_their_part_present_or_not():
    ann, bob = make_manager(), make_manager("bob")
    make_trigger(members=[(ann, 1), (bob, 3)], registry=make_registry(accounting="totals"))
    pause_manager(bob, at=MONDAY)
    take_some(4)
    rows = {row[0]: row[2:5] for row in table(fairness, "managers", asked("2026-03-02", "2026-03-02"))}
    assert rows == {"Ann": (4, 1.0, -3.0), "Bob": (0, 3.0, 3.0)}


def test_methods_that_aim_at_no_share_have_no_due():
    make_trigger(members=[make_manager(), make_manager("bob")], method="direct")
    take_some(2)
    [row] = table(fairness, "managers", asked("2026-03-02", "2026-03-02"))
    assert row[2:6] == (2, None, None, None)


def test_a_bulk_at_one_instant_is_told_apart_by_its_turns():
    make_trigger(members=[make_manager(), make_manager("bob"), make_manager("eva")])
    take_some(7, at=MONDAY)
    take_some(5, at=MONDAY + DAY)
    for question in (asked("2026-03-02", "2026-03-02"), asked("2026-03-03", "2026-03-03", at=MONDAY + 2 * DAY)):
        expected = due_by_hand(question.start, question.end)
        rows = table(fairness, "managers", question)
        assert sorted(row[2] for row in rows) == sorted(got for got, _ in expected.values())
        assert [row[3] for row in rows] == pytest.approx([float(due) for _, due in expected.values()], abs=1e-6)


def test_what_was_added_in_between_is_not_taken_for_due():
    at = datetime(2026, 3, 2, tzinfo=UTC)
    seen = [Balance(at, 0), Balance(at + timedelta(days=1), LEAD // 2)]
    [standing] = standings(
        [Received(1, "fair_share", 1, 7, 0, 2)],
        {1: {7: 1}},
        {(1, 7): seen},
        [Addition(1, 7, at, LEAD), Addition(1, 7, at + timedelta(days=1), LEAD), Addition(2, 7, at, LEAD)],
        buckets=1,
    )
    assert (standing.received, standing.due) == (2, 1.5)
