"""The first page of the admin: the hours in which leads find nobody, and leads that wait for long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.services import pause_manager
from reports.today import concerns, today
from routing import roster
from routing.services.stages import move_lead
from routing.services.sweep import sweep
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    make_manager,
    make_schedule,
    make_trigger,
    stage,
    take,
)

pytestmark = pytest.mark.django_db
LATE = timedelta(days=1)


def words(at=MONDAY) -> list[str]:
    """Return what needs attention, besides the machinery, which does not run in tests."""
    found = concerns(roster.current(), at=at, late=LATE)
    return [concern.words for concern in found if concern.model != "routing.heartbeat"]


GAP = "from Mon 10:00 to Mon 22:00, from Mon 23:00 to Tue 10:00"


@pytest.fixture
def ann():
    """Make Ann, who works from 22:00 to 23:00."""
    return make_manager("ann", schedule=make_schedule("late", weekly={"mon": ["22:00-23:00"]}))


def test_a_stage_with_somebody_to_take_what_nobody_took_is_covered(ann):
    make_trigger(members=[ann], if_nobody="duty", duty=make_manager("eva"))
    assert words() == []


def test_who_is_named_and_never_asked_covers_nothing(ann):
    make_trigger(members=[ann], if_nobody="wait", **asking_acceptance(10, final_step="duty", duty=make_manager("eva")))
    assert words() == [f"Nobody is on duty for sales/new {GAP}."]


def test_who_takes_what_nobody_took_gets_leads_when_off_duty_too_and_that_is_said(ann):
    eva = make_manager("eva", schedule=make_schedule("never", weekly={}))
    make_trigger(members=[ann], if_nobody="duty", duty=eva)
    assert take().responsible == eva
    assert words() == [f"Leads in sales/new go to Eva, who is off duty {GAP}."]


def test_who_is_inactive_takes_nothing_that_nobody_took(ann):
    make_trigger(members=[ann], if_nobody="duty", duty=make_manager("eva", active=False))
    assert take().state == "waiting"
    assert f"Nobody is on duty for sales/new {GAP}." in words()


def test_a_stage_is_not_covered_by_who_is_on_a_pause():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob])
    pause_manager(ann, at=MONDAY)
    pause_manager(bob, minutes=30, at=MONDAY)
    assert words() == ["Nobody is on duty for sales/new from Mon 10:00 to Mon 10:30."]
    pause_manager(bob, at=MONDAY)
    assert words() == ["Nobody is on duty for sales/new from Mon 10:00 to Tue 10:00."]


def test_a_stage_is_not_covered_by_who_may_hold_no_lead(ann):
    make_trigger(members=[ann, {"manager": make_manager("bob"), "limit": 0}])
    assert words() == [f"Nobody is on duty for sales/new {GAP}."]


def test_a_lead_waits_since_it_began_to_and_not_since_it_came():
    make_trigger(members=[make_manager("ann")])
    make_trigger("second", members=[{"manager": make_manager("bob"), "limit": 0}], on_stage="sales/accepted")
    lead = take(at=MONDAY - 9 * DAY)
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY)
    assert today(roster.current(), at=MONDAY + 5 * MINUTE, late=LATE).board.waiting[0].minutes == 5
    assert "1 lead has been waiting for over an hour." not in words(MONDAY + HOUR)
    sweep(at=MONDAY + HOUR)  # finds nobody, and writes nothing
    assert "1 lead has been waiting for over an hour." in words(MONDAY + HOUR + MINUTE)
