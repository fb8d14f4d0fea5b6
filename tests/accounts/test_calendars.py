"""Weeks as people see them, gaps in who is there, and shifts that a phone subscribes to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import icalendar
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.time.calendars import Plan, Why, gaps, staffing, weeks_of
from accounts.time.feeds import calendar_of, feed_path, renew_feed
from accounts.time.schedules import DayException, parse_weekly
from tests.factories import make_account, make_manager, make_schedule, make_user

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(hours: float) -> datetime:
    return NINE + timedelta(hours=hours)


def test_weeks_begin_on_monday_and_say_why_a_day_is_otherwise():
    off = DayException(date(2026, 3, 4), date(2026, 3, 4), off=True)
    plan = Plan(
        zone="UTC",
        chart=parse_weekly({"mon": ["09:00-18:00"], "tue": ["09:00-18:00"], "wed": ["09:00-18:00"]}),
        schedule_exceptions=[off],
        holidays={date(2026, 3, 3)},
    )
    [week] = weeks_of(plan, date(2026, 3, 5), 1)
    assert [(day.date.day, day.shifts, day.why) for day in week[:4]] == [
        (2, ("09:00-18:00",), Why.CHART), (3, (), Why.HOLIDAY), (4, (), Why.EXCEPTION), (5, (), Why.CHART),
    ]  # fmt: skip


def test_a_gap_is_when_nobody_is_there():
    duties = [[(at(0), at(4))], [(at(3), at(5)), (at(7), at(8))], []]
    assert gaps(duties, at(-1), at(9)) == [(at(-1), at(0)), (at(5), at(7)), (at(8), at(9))]
    assert gaps([], at(0), at(1)) == [(at(0), at(1))]
    assert gaps([[(at(0), at(9))]], at(0), at(9)) == []


hours = st.lists(st.integers(0, 48), max_size=8, unique=True).map(sorted)
duty = hours.map(lambda edges: [(at(a), at(b)) for a, b in zip(edges[::2], edges[1::2], strict=False)])


@given(st.lists(duty, max_size=5))
def test_gaps_and_counts_say_the_same_of_every_hour(duties):
    found, parts = gaps(duties, at(0), at(48)), staffing(duties, at(0), at(48))
    assert [a[1] == b[0] for a, b in pairwise(parts)] == [True] * (len(parts) - 1)
    for half in range(48):
        instant = at(half + 0.5)
        there = sum(a <= instant < b for duty in duties for a, b in duty)
        assert next(n for a, b, n in parts if a <= instant < b) == there
        assert any(a <= instant < b for a, b in found) == (there == 0)


# The feed


def events(data: bytes) -> list[tuple[datetime, datetime]]:
    return [(e.decoded("dtstart"), e.decoded("dtend")) for e in icalendar.Calendar.from_ical(data).walk("VEVENT")]


def test_shifts_are_right_across_a_clock_change(db):
    make_account(time_zone="Europe/Madrid")
    ann = make_manager(schedule=make_schedule(weekly={"sun": ["00:00-04:00"], "mon": ["09:00-18:00"]}))
    found = events(calendar_of(ann, at=datetime(2026, 3, 27, 12, tzinfo=UTC)))
    assert (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 2, tzinfo=UTC)) in found  # three hours long
    assert (datetime(2026, 3, 23, 8, tzinfo=UTC), datetime(2026, 3, 23, 17, tzinfo=UTC)) in found
    assert (datetime(2026, 3, 30, 7, tzinfo=UTC), datetime(2026, 3, 30, 16, tzinfo=UTC)) in found
    assert found == sorted(found)


def test_the_address_is_the_managers_alone_and_can_be_renewed(db):
    ann, bob = make_manager(schedule=make_schedule()), make_manager("bob")
    address = feed_path(ann)
    stranger = Client()
    answer = stranger.get(address)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/calendar")
    assert events(answer.content)
    assert events(stranger.get(feed_path(bob)).content) == []  # always on duty: no shifts to tell
    assert stranger.post(address).status_code == 405
    assert stranger.get(address.replace(".ics", "x.ics")).status_code == 404
    assert stranger.get(address.replace(f"/{ann.pk}.", f"/{bob.pk}.")).status_code == 404
    renew_feed(ann)
    assert stranger.get(address).status_code == 404
    assert stranger.get(feed_path(ann)).status_code == 200
    ann.active = False
    ann.save()
    assert stranger.get(feed_path(ann)).status_code == 404


def test_a_new_address_is_given_by_who_may_change_the_manager(db, client):
    ann = make_manager()
    client.force_login(make_user("max", is_staff=True))
    assert client.post(f"/admin/accounts/manager/{ann.pk}/new-calendar/").status_code == 403
    ann.refresh_from_db()
    assert ann.calendar_number == 0
