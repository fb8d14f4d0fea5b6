"""Managers take themselves out of distribution, for a time or until resumed."""

from datetime import timedelta

import pytest

from accounts.models import Manager, Pause
from accounts.services import mark_online, pause_manager, resume_manager
from tests.factories import HOUR, MINUTE, MONDAY, make_manager, make_supervisor

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return make_manager("ann")


def stretches():
    """Return the pauses in order, as minutes from Monday: start, planned end, end."""
    rows = Pause.objects.order_by("started_at", "id").values_list("started_at", "ends_at", "ended_at")
    return [tuple(at and (at - MONDAY) // MINUTE for at in row) for row in rows]


def is_paused(manager, at):
    return Pause.objects.running(at=at).filter(manager=manager).exists()


def test_without_minutes_a_pause_runs_until_resumed(ann):
    pause_manager(ann, at=MONDAY)
    assert is_paused(ann, MONDAY)
    assert is_paused(ann, MONDAY + timedelta(days=99))
    assert resume_manager(ann, at=MONDAY + HOUR) is True
    assert not is_paused(ann, MONDAY + HOUR)
    assert stretches() == [(0, None, 60)]


def test_with_minutes_a_pause_ends_by_itself(ann):
    pause = pause_manager(ann, at=MONDAY, minutes=30, reason="lunch", by=ann.user)
    assert (pause.reason, pause.by, pause.ends_at) == ("lunch", ann.user, MONDAY + 30 * MINUTE)
    assert is_paused(ann, MONDAY + 30 * MINUTE - timedelta(microseconds=1))
    assert not is_paused(ann, MONDAY + 30 * MINUTE)


def test_a_pause_may_be_ended_before_its_time(ann):
    pause_manager(ann, at=MONDAY, minutes=30)
    assert resume_manager(ann, at=MONDAY + 10 * MINUTE) is True
    assert not is_paused(ann, MONDAY + 10 * MINUTE)
    assert stretches() == [(0, 30, 10)]


def test_resuming_without_a_pause_says_so(ann):
    assert resume_manager(ann, at=MONDAY) is False
    pause_manager(ann, at=MONDAY, minutes=30)
    assert resume_manager(ann, at=MONDAY + HOUR) is False  # it had ended by itself
    assert stretches() == [(0, 30, 30)]


def test_another_pause_takes_the_place_of_the_one_that_runs(ann):
    pause_manager(ann, at=MONDAY)
    pause_manager(ann, at=MONDAY + 10 * MINUTE, minutes=30)
    assert stretches() == [(0, None, 10), (10, 40, None)]
    assert is_paused(ann, MONDAY + 20 * MINUTE)
    assert not is_paused(ann, MONDAY + 40 * MINUTE)


def test_a_pause_that_ended_by_itself_keeps_its_end_when_another_begins(ann):
    pause_manager(ann, at=MONDAY, minutes=5)
    pause_manager(ann, at=MONDAY + HOUR, minutes=5)
    assert stretches() == [(0, 5, 5), (60, 65, None)]


def test_a_supervisor_may_pause_others(ann):
    sue = make_supervisor()
    assert pause_manager(ann, at=MONDAY, by=sue).by == sue


def test_pauses_are_each_managers_own(ann):
    bob = make_manager("bob")
    pause_manager(ann, at=MONDAY)
    assert not is_paused(bob, MONDAY)
    assert resume_manager(bob, at=MONDAY) is False
    assert is_paused(ann, MONDAY)


def test_a_manager_seen_is_a_manager_online(ann):
    mark_online(ann.pk, at=MONDAY)
    assert Manager.objects.get().last_seen_at == MONDAY


def test_an_activity_is_not_written_down_every_time(ann, django_assert_num_queries):
    mark_online(ann.pk, at=MONDAY)
    mark_online(ann.pk, at=MONDAY + timedelta(seconds=29))
    assert Manager.objects.get().last_seen_at == MONDAY
    mark_online(ann.pk, at=MONDAY + timedelta(seconds=31))
    assert Manager.objects.get().last_seen_at == MONDAY + timedelta(seconds=31)


def test_a_late_activity_does_not_turn_the_clock_back(ann):
    mark_online(ann.pk, at=MONDAY + HOUR)
    mark_online(ann.pk, at=MONDAY)
    assert Manager.objects.get().last_seen_at == MONDAY + HOUR
