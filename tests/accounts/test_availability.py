"""Who is available at an instant, or the first reason why not."""

from datetime import date, timedelta
from itertools import product
from random import Random

import pytest

from accounts.services import pause_manager, resume_manager
from accounts.time.availability import is_online, load_people, pauses_at
from tests.factories import DAY, HOUR, MINUTE, MONDAY, make_account, make_exception, make_manager, make_schedule

pytestmark = pytest.mark.django_db

NIGHT = MONDAY.replace(hour=3)


def person(manager):
    return load_people(make_account())[manager.pk]


def reason(manager, at, *, past=False, schedule_id=None):
    """Return why the manager is not available at the instant, by what stands in the database."""
    paused = manager.pk in pauses_at(at, past=past)
    return person(manager).unavailable(at, paused=paused, schedule_id=schedule_id)


@pytest.mark.parametrize(("inactive", "paused", "off_duty"), list(product([True, False], repeat=3)))
def test_the_first_reason_wins(inactive, paused, off_duty):
    ann = make_manager(active=not inactive, schedule=make_schedule() if off_duty else None)
    if paused:
        pause_manager(ann, at=NIGHT)
    expected = "inactive" if inactive else "paused" if paused else "off_duty" if off_duty else None
    assert reason(ann, NIGHT) == expected


def test_who_has_no_schedule_is_always_on_duty():
    ann = person(make_manager())
    assert all(ann.unavailable(MONDAY + hours * HOUR, paused=False) is None for hours in range(200))
    assert ann.duty.next_start(MONDAY) is None
    assert ann.duty.next_change(MONDAY) is None


def test_duty_begins_at_the_start_and_is_over_at_the_end():
    ann = make_manager(schedule=make_schedule())  # 09:00-18:00
    second = timedelta(seconds=1)
    opening, closing = MONDAY.replace(hour=9), MONDAY.replace(hour=18)
    assert reason(ann, opening - second) == "off_duty"
    assert reason(ann, opening) is None
    assert reason(ann, closing - second) is None
    assert reason(ann, closing) == "off_duty"


def test_schedules_run_in_the_accounts_time_zone_unless_a_manager_has_their_own():
    make_account(time_zone="Europe/Madrid")  # an hour ahead of UTC in March
    office = make_schedule()
    ann, bob = make_manager("ann", schedule=office), make_manager("bob", schedule=office, time_zone="America/New_York")
    assert person(ann).duty.next_start(NIGHT) == MONDAY.replace(hour=8)
    assert person(bob).duty.next_start(NIGHT) == MONDAY.replace(hour=14)


def test_another_schedule_may_replace_the_managers_own():
    nights = make_schedule("nights", weekly={"mon": ["00:00-06:00"]})
    ann = make_manager(schedule=make_schedule())
    assert reason(ann, NIGHT) == "off_duty"
    assert reason(ann, NIGHT, schedule_id=nights.pk) is None
    assert reason(ann, MONDAY, schedule_id=nights.pk) == "off_duty"


def test_two_crews_share_one_chart_by_an_offset():
    chart = make_schedule("two-two", cycle=[["09:00-21:00"], ["09:00-21:00"], [], []], start=date(2026, 3, 2))
    early, late = make_manager("ann", schedule=chart), make_manager("bob", schedule=chart, offset=2)
    crews = {manager.user.name: person(manager) for manager in (early, late)}
    days = [
        [name for name, p in crews.items() if p.unavailable(MONDAY + n * DAY, paused=False) is None]
        for n in range(-4, 8)
    ]
    assert days == [["Ann"], ["Ann"], ["Bob"], ["Bob"]] * 3


def test_exceptions_of_the_manager_come_on_top_of_the_schedules():
    office = make_schedule()
    ann, bob = make_manager("ann", schedule=office), make_manager("bob", schedule=office)
    make_exception(office, on=date(2026, 3, 2), kind="off")
    make_exception(ann, on=date(2026, 3, 2), kind="extra", intervals=["10:00-12:00"])
    assert (reason(ann, MONDAY), reason(bob, MONDAY)) == (None, "off_duty")


def test_a_managers_exception_holds_under_another_schedule_too():
    nights = make_schedule("nights", weekly={"mon": ["00:00-06:00"]})
    ann = make_manager("ann", schedule=make_schedule())
    make_exception(ann, on=date(2026, 3, 2), kind="off")
    assert reason(ann, NIGHT, schedule_id=nights.pk) == "off_duty"


def test_a_schedule_may_follow_public_holidays():
    office = make_schedule(holiday_country="ES")
    new_year = MONDAY.replace(month=1, day=1)  # a Thursday
    assert reason(make_manager(schedule=office), new_year) == "off_duty"
    assert reason(make_manager("bob", schedule=make_schedule("plain")), new_year) is None


def test_a_pause_counts_from_its_start_to_its_end():
    ann = make_manager()
    pause_manager(ann, at=MONDAY, minutes=30)
    assert reason(ann, MONDAY - MINUTE) is None
    assert reason(ann, MONDAY) == "paused"
    assert reason(ann, MONDAY + 30 * MINUTE) is None


def test_at_work_is_on_duty_and_not_paused():
    ann = make_manager(schedule=make_schedule())  # 09:00-18:00
    pause_manager(ann, at=MONDAY + HOUR, minutes=30)
    hours = person(ann).at_work(MONDAY, MONDAY + DAY, pause=pauses_at(MONDAY + HOUR)[ann.pk])
    assert hours == [
        (MONDAY, MONDAY + HOUR),
        (MONDAY + HOUR + 30 * MINUTE, MONDAY + 8 * HOUR),
        (MONDAY + 23 * HOUR, MONDAY + DAY),
    ]
    assert all(
        (reason(ann, at) is None) == any(start <= at < end for start, end in hours)
        for at in (MONDAY + n * 10 * MINUTE for n in range(144))
    )


def test_the_past_may_be_asked():
    ann = make_manager()
    pause_manager(ann, at=MONDAY)
    resume_manager(ann, at=MONDAY + HOUR)
    at = MONDAY + 30 * MINUTE
    assert reason(ann, at) is None  # what was ended does not concern decisions of now
    assert reason(ann, at, past=True) == "paused"
    assert reason(ann, MONDAY + HOUR, past=True) is None
    assert pauses_at(at, past=True) == {ann.pk: (MONDAY, MONDAY + HOUR)}


@pytest.mark.parametrize("seed", range(3))
def test_unchanged_until_is_not_later_than_any_change(seed):
    random = Random(seed)
    chart = make_schedule("chart", cycle=[["08:00-12:00", "13:00-17:30"], [], ["22:00-06:00"]])
    ann = make_manager(schedule=chart)
    make_exception(ann, on=date(2026, 3, 4), kind="extra", intervals=["12:15-12:45"])
    known = person(ann)
    at = MONDAY
    for _ in range(2_000):
        until = known.next_duty_change(at)
        after = at + random.randrange(1, 90) * MINUTE
        if until is None or after < until:
            assert known.unavailable(after, paused=False) == known.unavailable(at, paused=False)
        at = after


def test_people_are_read_in_a_fixed_number_of_queries(django_assert_num_queries):
    account = make_account()
    office = make_schedule()
    for number in range(2):
        make_manager(f"a{number}", schedule=office)
    with django_assert_num_queries(3):
        load_people(account)
    for number in range(30):
        manager = make_manager(f"b{number}", schedule=office)
        make_exception(manager, on=date(2026, 3, 2))
        pause_manager(manager, at=MONDAY)
    with django_assert_num_queries(4):
        people, pauses = load_people(account), pauses_at(MONDAY)
    assert len(people) == 32
    assert [p.unavailable(MONDAY, paused=p.id in pauses) for p in people.values()].count("paused") == 30


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(timedelta(0), True), (timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False), (None, False)],
)
def test_online_is_seen_within_the_minutes(ago, expected):
    seen = None if ago is None else MONDAY - ago
    assert is_online(seen, at=MONDAY, minutes=5) is expected
