"""Any number of beats may run: each tick is sent once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError
from django_celery_beat import schedulers
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from accounts.time import clock
from leadrouter import beat
from leadrouter.celery import app


@pytest.fixture(autouse=True)
def one_connection(monkeypatch):
    """Keep the scheduler from closing the connection that holds the transaction of the test."""
    monkeypatch.setattr(schedulers, "close_old_connections", lambda: None)


@pytest.fixture
def sent(monkeypatch):
    """What was sent, in place of a broker."""
    names: list[str] = []
    monkeypatch.setattr(beat.DatabaseScheduler, "apply_async", lambda self, entry, **_: names.append(entry.name))
    return names


@pytest.fixture
def task(db):
    every = IntervalSchedule.objects.create(every=5, period="seconds")
    return PeriodicTask.objects.create(
        name="sweep", task="routing.tasks.sweep", interval=every, last_run_at=clock.now() - timedelta(seconds=6)
    )


def new_beat() -> beat.ClaimingScheduler:
    scheduler = beat.ClaimingScheduler(app=app, lazy=True)
    assert "sweep" in scheduler.schedule
    return scheduler


def tick(scheduler: beat.ClaimingScheduler) -> None:
    """Send what is due now: one step for each entry, and one that finds nothing more."""
    for _ in range(3):
        scheduler.tick()


def age(task: PeriodicTask, *, seconds: float) -> None:
    """Let time pass for a task: its last run was so much earlier."""
    task.refresh_from_db()
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=task.last_run_at - timedelta(seconds=seconds))


def test_a_due_tick_is_sent_once_by_two_beats(task, sent):
    first, second = new_beat(), new_beat()
    tick(first)
    tick(second)
    assert sent == ["sweep"]
    task.refresh_from_db()
    assert task.total_run_count == 1


def test_a_beat_alone_sends_each_tick(task, sent):
    for _ in range(3):
        tick(new_beat())
        age(task, seconds=6)
    assert sent == ["sweep"] * 3


def test_the_other_beat_takes_over_at_the_next_tick(task, sent):
    first, second = new_beat(), new_beat()
    tick(first)
    tick(second)  # which has lost this one
    age(task, seconds=6)  # and the first is no more
    tick(new_beat())
    assert sent == ["sweep", "sweep"]


def test_a_tick_claimed_too_early_is_refused_whatever_a_host_believes(task, sent):
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=clock.now() - timedelta(seconds=1))
    hurried = new_beat()
    hurried.schedule["sweep"].last_run_at = datetime.now(UTC) - timedelta(hours=1)  # its clock is an hour ahead
    tick(hurried)
    assert sent == []


def test_a_last_run_in_the_future_does_not_stop_the_schedule(task, sent):
    PeriodicTask.objects.filter(pk=task.pk).update(last_run_at=clock.now() + timedelta(days=1))
    scheduler = new_beat()
    assert scheduler.schedule["sweep"].last_run_at <= datetime.now(UTC)
    scheduler.schedule["sweep"].last_run_at -= timedelta(seconds=6)  # five seconds later
    tick(scheduler)
    assert sent == ["sweep"]
    task.refresh_from_db()
    assert task.last_run_at <= clock.now()


def test_a_clock_that_differs_from_the_database_is_measured(task, monkeypatch):
    real = beat.clock.now
    monkeypatch.setattr(beat.clock, "now", lambda: real() + timedelta(hours=3))
    try:
        entry = new_beat().schedule["sweep"]
        assert timedelta(hours=2, minutes=59) < datetime.now(UTC) - entry.last_run_at
    finally:
        beat.ClaimedEntry.skew = timedelta(0)


def test_a_database_that_fails_during_a_claim_does_not_end_the_beat(task, sent, monkeypatch):
    scheduler = new_beat()

    def fail(entry: beat.ClaimedEntry) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(beat.connection, "close", lambda: None)
    with monkeypatch.context() as broken:
        broken.setattr(beat.ClaimedEntry, "claim", fail)
        tick(scheduler)
    assert sent == []
    tick(new_beat())
    assert sent == ["sweep"]


def test_a_database_that_goes_while_the_schedule_is_read_leaves_what_is_known(task, monkeypatch):
    PeriodicTasks.update_changed()
    scheduler = new_beat()
    assert "sweep" in scheduler.schedule  # it has seen now what the next change is later than
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    PeriodicTasks.update_changed()

    def gone() -> datetime:
        raise DatabaseError("gone")

    monkeypatch.setattr(beat.connection, "close", lambda: None)
    with monkeypatch.context() as broken:
        broken.setattr(beat.clock, "now", gone)
        assert "sweep" in scheduler.schedule
    assert "sweep" not in scheduler.schedule


def test_a_beat_that_starts_before_the_database_waits_for_it(db, sent, monkeypatch):
    real, answers = beat.clock.now, iter([DatabaseError("starting up"), DatabaseError("starting up")])

    def now() -> datetime:
        for error in answers:
            raise error
        return real()

    monkeypatch.setattr(beat.connection, "close", lambda: None)
    monkeypatch.setattr(beat.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(beat.clock, "now", now)
    beat.ClaimingScheduler(app=app)
    assert PeriodicTask.objects.filter(name="sweep").exists()


def test_a_disabled_task_is_not_sent(task, sent):
    scheduler = new_beat()
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    tick(scheduler)
    assert sent == []


def test_the_schedule_of_the_settings_is_written_to_the_database_once(db, sent):
    for _ in range(2):
        beat.ClaimingScheduler(app=app)
    assert sorted(PeriodicTask.objects.values_list("name", "interval__every", "expire_seconds")) == [
        ("duplicates", 10, 3600),
        ("letters", 20, 3600),
        ("prune", 3600, 7200),
        ("sweep", 5, 3600),
        ("worker heartbeat", 10, 3600),
    ]
