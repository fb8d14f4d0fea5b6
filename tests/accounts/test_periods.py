"""Day, week and month in account time."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.time.periods import began_at, end_of, midnight, start_of

MADRID = ZoneInfo("Europe/Madrid")
PERIODS = st.sampled_from(["day", "week", "month"])
DATES = st.dates(date(1990, 1, 1), date(2040, 12, 31))
ZONES = st.sampled_from(sorted(available_timezones() & {
    "UTC", "Europe/Madrid", "America/New_York", "America/Sao_Paulo", "Asia/Kathmandu", "Asia/Beirut", "Africa/Cairo",
    "Pacific/Apia", "Australia/Lord_Howe", "Pacific/Chatham", "America/Havana", "Asia/Tehran",
}))  # fmt: skip


@pytest.mark.parametrize(
    ("period", "first", "after"),
    [
        ("day", date(2026, 3, 4), date(2026, 3, 5)),
        ("week", date(2026, 3, 2), date(2026, 3, 9)),  # from Monday
        ("month", date(2026, 3, 1), date(2026, 4, 1)),
    ],
)
def test_a_period_has_its_first_date_and_the_first_after_it(period, first, after):
    assert start_of(period, date(2026, 3, 4)) == first
    assert end_of(period, date(2026, 3, 4)) == after


@pytest.mark.parametrize(
    ("on", "first", "after"),
    [
        (date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        (date(2024, 2, 29), date(2024, 2, 1), date(2024, 3, 1)),
        (date(2026, 1, 31), date(2026, 1, 1), date(2026, 2, 1)),
    ],
)
def test_months_have_their_own_length(on, first, after):
    assert (start_of("month", on), end_of("month", on)) == (first, after)


@given(period=PERIODS, on=DATES)
def test_a_date_is_in_its_period_and_periods_follow_one_another(period, on):
    start, end = start_of(period, on), end_of(period, on)
    assert start <= on < end
    assert start_of(period, start) == start == start_of(period, end - timedelta(days=1))
    assert start_of(period, end) == end


def test_a_week_begins_on_monday():
    assert {start_of("week", date(2026, 3, day)).weekday() for day in range(1, 32)} == {0}


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 3, 2, 22, 59, 59, tzinfo=UTC), datetime(2026, 3, 1, 23, 0, tzinfo=UTC)),
        (datetime(2026, 3, 2, 23, 0, tzinfo=UTC), datetime(2026, 3, 2, 23, 0, tzinfo=UTC)),
        # On the day on which the clocks go forward, and the day after it.
        (datetime(2026, 3, 29, 12, 0, tzinfo=UTC), datetime(2026, 3, 28, 23, 0, tzinfo=UTC)),
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), datetime(2026, 3, 29, 22, 0, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_midnight_of_the_account(at, expected):
    assert began_at("day", at, MADRID) == expected


def test_where_midnight_is_skipped_the_day_begins_at_the_end_of_the_gap():
    # In Beirut the clocks went from 00:00 to 01:00 on 2024-03-31.
    assert midnight(date(2024, 3, 31), ZoneInfo("Asia/Beirut")) == datetime(2024, 3, 30, 22, 0, tzinfo=UTC)


@given(period=PERIODS, zone=ZONES, at=st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_period_began_before_every_instant_in_it(period, zone, at):
    began = began_at(period, at, ZoneInfo(zone))
    assert began <= at
    assert began.tzinfo is UTC
    assert began_at(period, began, ZoneInfo(zone)) == began
    first = start_of(period, at.astimezone(ZoneInfo(zone)).date())
    assert at < midnight(end_of(period, first), ZoneInfo(zone))
