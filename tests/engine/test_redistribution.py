"""Deadlines of offers, and how often a lead is offered."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from routing.engine import NeverOnDuty, accept_by, attempts_left

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


@dataclass
class Works:
    """A duty that answers with the deadline it was given."""

    until: datetime | None

    def working_minutes_after(self, at: datetime, minutes: int) -> datetime | None:
        return self.until


def test_by_the_wall_clock_an_offer_runs_out_after_so_many_minutes():
    assert accept_by(AT, minutes=10, duty=None) == AT + timedelta(minutes=10)


def test_by_working_time_the_duty_says_when():
    tomorrow = AT + timedelta(days=1)
    assert accept_by(AT, minutes=10, duty=Works(tomorrow)) == tomorrow


def test_who_never_works_cannot_be_waited_for():
    with pytest.raises(NeverOnDuty):
        accept_by(AT, minutes=10, duty=Works(None))


@pytest.mark.parametrize(
    ("attempt", "max_attempts", "expected"),
    [(0, 1, True), (1, 1, False), (2, 3, True), (3, 3, False), (4, 3, False), (0, None, True), (1_000, None, True)],
)
def test_a_lead_is_offered_max_attempts_times_in_a_round(attempt, max_attempts, expected):
    assert attempts_left(attempt=attempt, max_attempts=max_attempts) is expected
