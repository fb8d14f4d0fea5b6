"""One bad lead does not stop the others: it is tried alone, later and less often, set aside, and tried when asked."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.test import Client

from leadrouter.health import metrics
from routing.engine import LeadFacts
from routing.exceptions import Busy
from routing.models import Decision, Lead, Setback, SweepBatch, Trigger
from routing.services import sweep
from tests.factories import (
    MINUTE,
    MONDAY,
    fresh,
    make_lead,
    make_manager,
    make_supervisor,
    make_trigger,
    outcomes,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db
POISON = {"budget": Decimal("13.00")}


class Poison(Exception):
    """What a bug in a condition raises."""


class Killed(BaseException):
    """A process that is killed leaves rows as this does: nobody handles it."""


def break_conditions(monkeypatch, error: type[BaseException]) -> None:
    """Let conditions raise for leads of one budget."""

    def needs(facts):
        if "13" in str(facts.budget):
            raise error("the condition cannot read this budget")
        return {}

    monkeypatch.setattr(LeadFacts, "needs", property(needs))


@pytest.fixture
def bug(monkeypatch):
    break_conditions(monkeypatch, Poison)
    return monkeypatch


@pytest.fixture
def team():
    skilled = make_manager("ann", skills={"language": ["es"]})  # so that leads are asked what they need
    return make_trigger(members=[skilled, make_manager("bob")])


def sweep_until_set_aside(lead: Lead) -> None:
    """Sweep whenever a try is due."""
    at = MONDAY
    for _ in range(20):
        sweep.sweep(at=at)
        setback = Setback.objects.get(pk=lead.pk)
        if setback.set_aside_at:
            return
        assert setback.next_try_at > at
        at = setback.next_try_at
    raise AssertionError("it was never set aside")


def waiting(number: int = 1, **facts) -> list[Lead]:
    trigger = Trigger.objects.get()
    return [make_lead(state="waiting", trigger=trigger, **facts) for _ in range(number)]


def test_a_lead_that_makes_the_decision_fail_is_set_aside_after_five_tries_and_the_others_go_on(team, bug):
    good, [bad], more = waiting(3), waiting(budget="13.00"), waiting(3)
    sweep.sweep(at=MONDAY)
    assert {fresh(lead).state for lead in [*good, *more]} == {"assigned"}
    sweep_until_set_aside(bad)
    setback = Setback.objects.get(pk=bad.pk)
    assert (setback.attempts, setback.error) == (5, "Poison: the condition cannot read this budget")
    assert fresh(bad).state == "waiting"
    sweep.sweep(at=MONDAY + timedelta(days=2))
    assert Setback.objects.get(pk=bad.pk).attempts == 5  # it is left in peace


def test_a_try_waits_longer_after_each_failure(team, bug):
    [bad] = waiting(budget="13.00")
    at, pauses = MONDAY, []
    for _ in range(4):
        sweep.sweep(at=at)
        following = Setback.objects.get(pk=bad.pk).next_try_at
        pauses.append((following - at).total_seconds())
        sweep.sweep(at=following - timedelta(seconds=1))  # too early
        at = following
    assert all(0.8 * due <= pause <= 1.2 * due for pause, due in zip(pauses, (5, 30, 120, 600), strict=True))


def test_a_new_lead_that_makes_the_decision_fail_is_kept_and_does_not_spoil_the_next(team, bug):
    bad = take(**POISON)
    assert fresh(bad).state == "waiting"
    assert Decision.objects.count() == 0
    sweep.sweep(at=MONDAY)
    assert Setback.objects.filter(pk=bad.pk).exists()
    assert [lead.state for lead in take_some(3, at=MONDAY + MINUTE)] == ["assigned"] * 3


def test_an_overdue_offer_that_cannot_be_redistributed_does_not_keep_the_others(team, bug):
    team.acceptance_minutes = 10
    team.save()
    leads = take_some(4)
    Lead.objects.filter(pk=leads[0].pk).update(budget="13.00")
    sweep.sweep(at=MONDAY + 11 * MINUTE)
    assert [outcomes(lead) for lead in leads] == [[""]] + [["timed_out", ""]] * 3
    assert Setback.objects.get().lead_id == leads[0].pk


def test_a_lead_that_kills_its_worker_is_counted_found_and_set_aside(team, monkeypatch):
    before, [bad], after = waiting(3), waiting(budget="13.00"), waiting(3)
    break_conditions(monkeypatch, Killed)
    at, killed = MONDAY, 0
    while not Setback.objects.filter(pk=bad.pk).set_aside().exists():
        try:
            sweep.sweep(at=at)
        except Killed:
            killed += 1
        at += timedelta(minutes=13)  # longer than a batch takes, and than the longest pause
        assert killed < 10
    assert killed == 1 + 5  # among others, and five times alone
    assert {fresh(lead).state for lead in [*before, *after]} == {"assigned"}
    assert Setback.objects.get().error == "The worker died while it tried this lead."
    sweep.sweep(at=at)
    assert not SweepBatch.objects.exists()


@pytest.mark.parametrize("error", [Busy(), DatabaseError("server closed the connection unexpectedly")])
def test_a_busy_registry_or_a_lost_connection_is_nobodys_fault(team, monkeypatch, error):
    [lead] = waiting()

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(sweep, "distribute", fail)
    with suppress(DatabaseError):
        sweep.sweep(at=MONDAY)
    assert not Setback.objects.exists()
    assert not SweepBatch.objects.exists()
    assert fresh(lead).state == "waiting"


def test_who_presses_the_button_has_it_tried_again(team, bug):
    [bad] = waiting(budget="13.00")
    sweep_until_set_aside(bad)
    bug.undo()
    client = Client()
    client.force_login(make_supervisor())
    done = client.post("/admin/routing/setback/", {"action": "try_again", "_selected_action": [str(bad.pk)]})
    assert done.status_code == 302
    sweep.sweep(at=MONDAY + timedelta(days=400))
    assert fresh(bad).state == "assigned"
    assert not Setback.objects.exists()


def test_the_command_tries_all_again(team, bug, capsys):
    [bad] = waiting(budget="13.00")
    sweep_until_set_aside(bad)
    bug.undo()
    call_command("sweep", again=True)
    assert "leads tried again: 1" in capsys.readouterr().out
    assert fresh(bad).state == "assigned"


def test_a_lead_that_somebody_took_by_hand_has_no_setback_any_more(team, bug):
    [bad] = waiting(budget="13.00")
    sweep_until_set_aside(bad)
    Lead.objects.filter(pk=bad.pk).update(state="assigned", responsible=team.members.first().manager)
    sweep.sweep(at=MONDAY + timedelta(days=1))
    assert not Setback.objects.exists()


def test_what_is_set_aside_is_measured(team, bug, rf):
    [bad] = waiting(budget="13.00")
    sweep_until_set_aside(bad)
    assert b"leadrouter_leads_set_aside 1.0" in metrics(rf.get("/metrics")).content
