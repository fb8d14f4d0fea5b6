"""Duty against the oracle, and what the oracle cannot say: texts, refusals, extremes, levels of exceptions."""

import os
import sys
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.time import schedules
from accounts.time.schedules import (
    HORIZON,
    BadChart,
    BadInterval,
    BadZone,
    DayException,
    Duty,
    Shift,
    parse_cycle,
    parse_interval,
    parse_weekly,
)
from tests.accounts import oracle
from tests.accounts.test_schedule_cases import duty_of
from tests.effort import by_night

EXAMPLES = int(os.environ.get("LEADROUTER_EXAMPLES", by_night(250, by_day=25)))  # more of them for a long look
OFFICE = parse_weekly({day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")})
SECOND = timedelta(seconds=1)

# Half-hour and two-hour steps, quarter-hour offsets, dates and midnights that never were, negative DST, new offsets.
ZONES = [
    "UTC", "Europe/Madrid", "Europe/Dublin", "Europe/Moscow", "Europe/Istanbul", "Europe/Lisbon",
    "America/New_York", "America/St_Johns", "America/Havana", "America/Santiago", "America/Asuncion",
    "America/Sao_Paulo", "America/Caracas", "America/Nuuk", "America/Godthab", "Atlantic/Azores",
    "Africa/Cairo", "Africa/Casablanca", "Africa/Windhoek", "Antarctica/Troll", "Antarctica/Casey",
    "Asia/Beirut", "Asia/Gaza", "Asia/Kathmandu", "Asia/Pyongyang", "Asia/Tehran", "Asia/Amman",
    "Asia/Novosibirsk", "Australia/Lord_Howe", "Australia/Eucla", "Pacific/Apia", "Pacific/Fakaofo",
    "Pacific/Kiritimati", "Pacific/Chatham", "Pacific/Norfolk", "Pacific/Easter",
]  # fmt: skip


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Random charts, exceptions and instants, in the plain words of the oracle

CLOCK = st.sampled_from([0, 1, 30, 59, 60, 90, 119, 120, 135, 150, 179, 180, 181, 210, 360, 540, 720, 1320, 1380, 1439])
TIMES = st.one_of(CLOCK, st.integers(0, 1439))


@st.composite
def intervals(draw) -> str:
    start, end = draw(TIMES), draw(st.one_of(TIMES, st.just(1440)))
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


def days(most: int = 3) -> st.SearchStrategy[list[str]]:
    within_a_gap = st.sampled_from([["02:00-03:00"], ["02:30-03:00"], ["00:00-01:00", "02:15-02:30"], ["00:30-01:00"]])
    return st.one_of(st.just([]), st.just(["00:00-24:00"]), within_a_gap, st.lists(intervals(), max_size=most))


@st.composite
def instants(draw, zone: str) -> datetime:
    """Draw an instant, more often than not near a change of the zone's clocks."""
    year = draw(st.integers(1995, 2035))
    changes = oracle.changes(zone, year)
    if changes and draw(st.integers(0, 3)):
        near = draw(st.sampled_from(changes))
        return near + timedelta(minutes=draw(st.integers(-3000, 3000)), seconds=draw(st.sampled_from([0, 0, 1, 59])))
    return datetime(year, 1, 1, tzinfo=UTC) + timedelta(seconds=draw(st.integers(0, 365 * 86400)))


@st.composite
def exceptions(draw, near: date) -> dict[str, Any]:
    first = near + timedelta(days=draw(st.integers(-4, 6)))
    kind = draw(st.sampled_from(["day_off", "holiday", "vacation", "extra"]))
    if kind == "vacation":
        last = first + timedelta(days=draw(st.sampled_from([0, 1, 5, 40, 390, 410])))
        return {"kind": kind, "from": first.isoformat(), "to": last.isoformat()}
    exception = {"kind": kind, "date": first.isoformat()}
    return exception | {"intervals": draw(st.lists(intervals(), max_size=2))} if kind == "extra" else exception


@st.composite
def schedules_of(draw, near: date) -> dict[str, Any] | None:
    kind = draw(st.sampled_from(["weekly", "cycle", "cycle", "relay", None]))
    if kind is None:
        return None
    if kind == "relay":  # round the clock, one relieved by the next, some days perhaps left out
        times = [
            f"{minute // 60:02}:{minute % 60:02}" for minute in sorted(draw(st.sets(TIMES, min_size=1, max_size=4)))
        ]
        crews = [f"{start}-{end}" for start, end in zip(times, [*times[1:], times[0]], strict=True)]
        worked = draw(st.sampled_from([oracle.NAMES, oracle.NAMES, oracle.NAMES[:6]]))
        return {"type": "weekly", "days": dict.fromkeys(worked, crews)}
    if kind == "weekly":
        return {"type": kind, "days": draw(st.dictionaries(st.sampled_from(oracle.NAMES), days()))}
    anchor = near + timedelta(days=draw(st.one_of(st.integers(-9, 9), st.integers(-3000, 3000))))
    return {"type": kind, "anchor": anchor.isoformat(), "days": draw(st.lists(days(), min_size=1, max_size=9))}


@st.composite
def questions(draw) -> tuple[dict[str, Any], datetime]:
    zone = draw(st.sampled_from(ZONES))
    at = draw(instants(zone))
    case = {
        "zone": zone,
        "schedule": draw(schedules_of(at.date())),
        "offset": draw(st.integers(-5, 5)),
        "exceptions": draw(st.lists(exceptions(at.date()), max_size=3)),
        "own": draw(st.lists(exceptions(at.date()), max_size=3)),
    }
    return case, at


def thoroughly(test):
    return settings(max_examples=EXAMPLES, database=None)(test)


@thoroughly
@given(question=questions())
def test_duty_is_what_the_oracle_says_to_the_second(question):
    case, at = question
    timeline, duty = oracle.Timeline(case, at, at + timedelta(days=8)), duty_of(case)
    first = tuple(duty.state(at))
    assert first == timeline.answers(at)
    for turn in (first[1], first[2]):
        if turn is not None and turn - at < timedelta(days=8):
            for instant in (turn - SECOND, turn, turn + SECOND):  # a warm duty, and one that was never asked before
                assert tuple(duty.state(instant)) == tuple(duty_of(case).state(instant)) == timeline.answers(instant)


@thoroughly
@given(question=questions(), hours=st.integers(1, 400))
def test_stretches_are_what_the_oracle_marked(question, hours):
    case, at = question
    at = at.replace(second=0)
    until = at + timedelta(hours=hours)
    assert duty_of(case).stretches(at, until) == oracle.Timeline(case, at, until).stretches(at, until)


@thoroughly
@given(question=questions(), minutes=st.integers(0, 3000))
def test_working_minutes_have_been_worked_when_they_are_over(question, minutes):
    case, at = question
    timeline = oracle.Timeline(case, at, at)
    end = duty_of(case).working_minutes_after(at, minutes)
    if end is None:
        assert timeline.worked(at, at + HORIZON) < timedelta(minutes=minutes)
        return
    assert at <= end <= at + HORIZON
    assert timeline.worked(at, end) == timedelta(minutes=minutes)
    assert minutes == 0 or timeline.worked(at, end - SECOND) < timedelta(minutes=minutes)


@thoroughly
@given(question=questions(), jumps=st.lists(st.integers(-500, 500), max_size=8))
def test_what_was_asked_before_changes_no_answer(question, jumps):
    case, at = question
    duty = duty_of(case)
    for jump in jumps:
        instant = at + timedelta(days=jump)
        assert duty.state(instant) == duty_of(case).state(instant)


# Intervals and charts


@given(start=st.integers(0, 1439), length=st.integers(1, 1440))
def test_an_interval_reads_back_as_it_is_written(start, length):
    shift = Shift(start, start + length)
    assert parse_interval(str(shift)) == shift


@pytest.mark.parametrize(
    ("text", "shift", "canonical"),
    [
        ("09:00-18:00", Shift(540, 1080), "09:00-18:00"),
        ("22:00-06:00", Shift(1320, 1800), "22:00-06:00"),
        ("16:00-00:00", Shift(960, 1440), "16:00-24:00"),
        ("16:00-24:00", Shift(960, 1440), "16:00-24:00"),
        ("00:00-24:00", Shift(0, 1440), "00:00-24:00"),
        ("00:00-00:00", Shift(0, 1440), "00:00-24:00"),
        ("09:00-09:00", Shift(540, 1980), "09:00-09:00"),
        ("23:59-00:00", Shift(1439, 1440), "23:59-24:00"),
    ],
)
def test_an_end_that_is_not_after_the_start_is_on_the_next_date(text, shift, canonical):
    assert parse_interval(text) == shift
    assert str(shift) == canonical


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("8-17", "08:00-17:00"),
        ("9:00-18:00", "09:00-18:00"),
        (" 09:00 – 18:30 ", "09:00-18:30"),
        ("9.30-18", "09:30-18:00"),
        ("09:00-18:00\n", "09:00-18:00"),
    ],
)
def test_an_interval_nearly_right_is_told_how_to_be_written(text, mended):
    with pytest.raises(BadInterval, match=f'write it as "{mended}"'):
        parse_interval(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "09:00",
        "24:00-06:00",
        "09:00-24:01",
        "09:60-10:00",
        "25:00-26:00",
        "٠٩:٠٠-١٨:٠٠",
        "９:00-18:00",
        "9" * 5000,
        None,
        9,
        [],
    ],
)
def test_an_interval_beyond_mending_is_refused_in_few_words(text):
    with pytest.raises(BadInterval, match="HH:MM-HH:MM") as refusal:
        parse_interval(text)
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (1440, 1500), (60, 60), (60, 1501), (60, 30)])
def test_a_shift_starts_within_its_date_and_lasts_up_to_a_day(start, end):
    with pytest.raises(BadInterval):
        Shift(start, end)


@pytest.mark.parametrize(
    ("weekly", "place"),
    [
        ({"mon": ["09:00-13:00", "14-18"]}, "weekly.mon[1]"),
        ({"sun": [None]}, "weekly.sun[0]"),
        ({"tue": "09:00-18:00"}, "weekly.tue"),
        ({"tue": None}, "weekly.tue"),
        ({"fri": ["09:00-18:00"] * 25}, "weekly.fri"),
        ({"monday": []}, "weekly"),
        ({1: []}, "weekly"),
        ([], "weekly"),
        (None, "weekly"),
    ],
)
def test_a_bad_week_names_the_place(weekly, place):
    with pytest.raises(BadChart) as refusal:
        parse_weekly(weekly)
    assert refusal.value.place == place
    assert str(refusal.value).startswith(f"{place}: ")


@pytest.mark.parametrize(
    ("start", "cycle", "place"),
    [
        (date(2026, 1, 5), [["09:00-21:00"], ["09:00-13:00", "x"]], "cycle.days[1][1]"),
        (date(2026, 1, 5), [[], "09:00-21:00"], "cycle.days[1]"),
        (date(2026, 1, 5), [], "cycle.days"),
        (date(2026, 1, 5), [[]] * 367, "cycle.days"),
        (date(2026, 1, 5), "09:00-21:00", "cycle.days"),
        ("2026-01-05", [[]], "cycle.start"),
        (None, [[]], "cycle.start"),
    ],
)
def test_a_bad_cycle_names_the_place(start, cycle, place):
    with pytest.raises(BadChart) as refusal:
        parse_cycle(start, cycle)
    assert refusal.value.place == place


def test_a_cycle_may_be_as_long_as_a_leap_year():
    assert len(parse_cycle(date(2024, 1, 1), [[]] * 366).days) == 366


def test_with_an_offset_the_cycle_starts_so_many_days_later():
    chart = parse_cycle(date(2026, 1, 5), [["08:00-20:00"], ["20:00-08:00"], [], []])
    assert [str(shift) for shift in chart.shifts_on(date(2026, 1, 5))] == ["08:00-20:00"]
    assert [str(shift) for shift in chart.shifts_on(date(2026, 1, 6), 1)] == ["08:00-20:00"]
    assert [str(shift) for shift in chart.shifts_on(date(2026, 1, 5), -1)] == ["20:00-08:00"]
    assert chart.shifts_on(date(2026, 1, 5), 1) == ()
    duty = Duty("UTC", chart, 1)
    assert duty.next_start(utc("2026-01-05T00:00")) == utc("2026-01-06T08:00")


def test_two_crews_share_one_chart_and_relieve_each_other():
    chart = parse_cycle(date(2026, 1, 5), [["09:00-21:00"], ["09:00-21:00"], [], []])
    crews = [Duty("Europe/Madrid", chart), Duty("Europe/Madrid", chart, 2)]
    for day in range(-30, 30):
        noon = utc("2026-01-05T12:00") + timedelta(days=day)
        assert sorted(crew.on_duty(noon) for crew in crews) == [False, True]


def test_a_week_takes_no_offset():
    at = utc("2026-03-02T08:00")
    assert Duty("Europe/Madrid", OFFICE, 3).state(at) == Duty("Europe/Madrid", OFFICE).state(at)


# Exceptions and holidays

SATURDAY = date(2026, 3, 7)
OFF = DayException(SATURDAY, SATURDAY, off=True)
EXTRA = DayException(SATURDAY, SATURDAY, off=False, extra=(Shift(600, 840),))
HOURS = DayException(SATURDAY, SATURDAY, off=True, extra=(Shift(900, 960),))
EVERY_DAY = parse_weekly({day: ["09:00-12:00"] for day in oracle.NAMES})


@pytest.mark.parametrize(
    ("of_schedule", "of_manager", "worked"),
    [
        ([], [], ["09:00-12:00"]),
        ([OFF], [], []),
        ([EXTRA], [], ["09:00-12:00", "10:00-14:00"]),
        ([OFF, EXTRA], [], ["10:00-14:00"]),
        ([EXTRA, OFF], [], ["10:00-14:00"]),
        ([HOURS], [], ["15:00-16:00"]),
        ([HOURS, EXTRA], [], ["10:00-14:00", "15:00-16:00"]),
        ([EXTRA], [OFF], []),  # who is on leave does not work the company's extra Saturday
        ([OFF], [EXTRA], ["10:00-14:00"]),  # and who volunteers does, whatever the company has off
        ([], [EXTRA, OFF], ["10:00-14:00"]),
        ([EXTRA], [HOURS], ["15:00-16:00"]),
    ],
)
def test_the_managers_exceptions_come_on_top_of_the_schedules(of_schedule, of_manager, worked):
    duty = Duty("UTC", EVERY_DAY, schedule_exceptions=of_schedule, manager_exceptions=of_manager)
    assert [str(shift) for shift in duty.shifts_on(SATURDAY)] == worked
    minutes = sum((end - start for start, end in duty.stretches(utc("2026-03-07"), utc("2026-03-08"))), timedelta(0))
    expected = {minute for text in worked for minute in range(parse_interval(text).start, parse_interval(text).end)}
    assert minutes == timedelta(minutes=len(expected))
    assert duty.shifts_on(SATURDAY + timedelta(days=1)) == EVERY_DAY.shifts_on(SATURDAY)


@pytest.mark.parametrize(
    "holidays", [lambda year: frozenset({date(year, 3, 7)}), {SATURDAY}, frozenset({SATURDAY}), {SATURDAY: "a feast"}]
)
def test_a_holiday_is_off_but_for_extra_shifts(holidays):
    assert Duty("UTC", EVERY_DAY, holidays=holidays).shifts_on(SATURDAY) == ()
    assert Duty("UTC", EVERY_DAY, holidays=holidays).next_start(utc("2026-03-06T10:00")) == utc("2026-03-08T09:00")
    for extra in ({"schedule_exceptions": [EXTRA]}, {"manager_exceptions": [EXTRA]}):
        assert Duty("UTC", EVERY_DAY, holidays=holidays, **extra).shifts_on(SATURDAY) == EXTRA.extra


def test_a_manager_without_a_schedule_is_always_on_duty_but_on_leave():
    leave = DayException(date(2026, 3, 2), date(2026, 3, 6), off=True)
    duty = Duty("Europe/Madrid", None, manager_exceptions=[leave])
    assert duty.state(utc("2026-03-01T12:00")) == (True, utc("2026-03-06T23:00"), utc("2026-03-01T23:00"))
    assert duty.state(utc("2026-03-04T12:00")) == (False, utc("2026-03-06T23:00"), utc("2026-03-06T23:00"))
    assert Duty("Europe/Madrid", None).state(utc("2026-03-04T12:00")) == (True, None, None)


def test_the_last_date_of_an_exception_is_not_before_the_first():
    with pytest.raises(ValueError, match="before the first"):
        DayException(date(2026, 3, 2), date(2026, 3, 1), off=True)


@pytest.mark.parametrize("text", ["02:00-03:00", "02:30-03:00"])
def test_a_shift_of_which_the_clock_change_leaves_nothing_is_no_shift(text):
    """Madrid, 29 March 2026: 02:00 to 03:00 did not happen; 02:30 becomes 03:30, which is after 03:00."""
    sunday = parse_weekly({"sun": [text], "mon": ["09:00-10:00"]})
    duty = Duty("Europe/Madrid", sunday)
    assert duty.state(utc("2026-03-28T12:00")) == (False, utc("2026-03-30T07:00"), utc("2026-03-30T07:00"))
    assert not any(duty.on_duty(utc("2026-03-29T00:00") + timedelta(minutes=minute)) for minute in range(240))
    assert duty.stretches(utc("2026-03-28T12:00"), utc("2026-03-30T00:00")) == []


# Horizon, stretches, working minutes


def test_a_start_counts_up_to_400_days_ahead_and_no_further():
    start = utc("2027-04-06T10:00")
    duty = Duty(
        "UTC",
        parse_weekly({}),
        manager_exceptions=[DayException(date(2027, 4, 6), date(2027, 4, 6), False, (Shift(600, 660),))],
    )
    assert duty.next_start(start - HORIZON) == start
    assert duty.next_change(start - HORIZON - SECOND) is None
    assert duty.state(start - HORIZON) == (False, start, start)


@pytest.mark.parametrize("texts", [["00:00-24:00"], ["06:00-06:00"], ["08:00-20:00", "20:00-08:00"]])
def test_a_chart_without_a_hole_never_turns_through_clock_changes_and_years(texts):
    duty = Duty("America/Santiago", parse_weekly(dict.fromkeys(oracle.NAMES, texts)))
    for month in range(60):
        assert duty.state(utc("2025-01-01T04:00") + timedelta(days=30 * month)) == (True, None, None)


def test_working_minutes_pass_on_duty_only():
    duty = Duty("Europe/Madrid", OFFICE)
    friday = utc("2026-03-06T16:55")  # 17:55 in Madrid
    assert duty.working_minutes_after(friday, 15) == utc("2026-03-09T08:10")
    assert duty.working_minutes_after(friday, 5) == utc("2026-03-06T17:00")
    assert duty.working_minutes_after(friday, 0) == friday
    assert duty.working_minutes_after(utc("2026-03-07T12:00"), 30) == utc("2026-03-09T08:30")
    assert duty.working_minutes_after(friday, 9 * 60 * 1000) is None
    assert Duty("UTC", parse_weekly({})).working_minutes_after(friday, 1) is None
    assert Duty("UTC", None).working_minutes_after(friday, 400 * 1440) == friday + HORIZON
    assert Duty("UTC", None).working_minutes_after(friday, 10**30) is None
    with pytest.raises(ValueError, match="negative"):
        duty.working_minutes_after(friday, -1)


def test_stretches_are_clipped_to_what_was_asked():
    duty = Duty("Europe/Madrid", OFFICE)
    first, last = utc("2026-03-06T12:00"), utc("2026-03-09T09:00")
    assert duty.stretches(first, last) == [(first, utc("2026-03-06T17:00")), (utc("2026-03-09T08:00"), last)]
    assert duty.stretches(last, first) == []
    assert duty.stretches(utc("2026-03-07T00:00"), utc("2026-03-08T00:00")) == []
    with pytest.raises(ValueError, match="days at once"):
        duty.stretches(first, utc("2126-01-01"))


# Instants


def test_any_aware_instant_is_understood_and_a_naive_one_refused():
    duty = Duty("Europe/Madrid", OFFICE)
    at = utc("2026-03-02T08:00")
    for other in (ZoneInfo("Asia/Tokyo"), timezone(timedelta(hours=-7)), ZoneInfo("UTC")):
        assert (
            duty.state(at.astimezone(other))
            == duty.state(at)
            == (True, utc("2026-03-03T08:00"), utc("2026-03-02T17:00"))
        )
    with pytest.raises(ValueError, match="zone"):
        duty.on_duty(datetime(2026, 3, 2, 8))  # noqa: DTZ001


EXTREMES = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
EXTREMES += [datetime(1, 1, 9, tzinfo=UTC), datetime(9998, 12, 1, tzinfo=UTC), datetime(9999, 12, 19, tzinfo=UTC)]


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("hours", [-23, 0, 23])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York", "Pacific/Apia"])
def test_instants_at_the_end_of_the_calendar_have_an_answer(extreme, hours, zone):
    at = extreme.replace(tzinfo=timezone(timedelta(hours=hours)))
    for chart in (None, OFFICE, parse_weekly({})):
        duty = Duty(zone, chart)
        state = duty.state(at)
        assert all(turn is None or turn > at for turn in state[1:])
        duty.working_minutes_after(at, 30)
        duty.stretches(at, at)
        assert state.on_duty or chart is not None


def test_threads_may_share_a_duty():
    duty, wrong = Duty("Europe/Madrid", OFFICE), []
    instants_ = [utc("2026-01-01T10:00") + timedelta(hours=37 * step) for step in range(300)]
    expected = [Duty("Europe/Madrid", OFFICE).state(at) for at in instants_]

    def ask(step: int) -> None:
        for index in range(0, len(instants_) * step, step):
            index %= len(instants_)
            if duty.state(instants_[index]) != expected[index]:
                wrong.append(index)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=ask, args=(step,)) for step in (1, 7, 11, 13)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []


# Zones


@pytest.mark.parametrize(
    "name",
    ["Mars/Base", "/etc/localtime", "Europe", "a" * 5000, "", ".", "..", "../etc/passwd", "Europe/Madrid/", "\0",
     "Europe\\Madrid", "europe/madrid", "Factory", "localtime", "posixrules", "posix/UTC", "right/UTC", "Zulu ",
     None, 3, [], b"UTC"],
)  # fmt: skip
def test_what_is_no_time_zone_is_refused_and_never_opened(name):
    with pytest.raises(BadZone, match="is no time zone") as refusal:
        schedules.zone(name)
    assert len(str(refusal.value)) < 200
    with pytest.raises(BadZone):
        Duty(name, None)


def test_a_zone_misspelt_is_told_the_right_spelling():
    with pytest.raises(BadZone, match='did you mean "Europe/Madrid"'):
        schedules.zone("europe/madird")


def test_all_zones_to_choose_from_can_be_opened():
    names = schedules.zone_names()
    assert len(names) > 400
    assert not [name for name in names if name.startswith(("Etc/GMT", "posix", "right", "Factory", "localtime"))]
    at = utc("2026-03-02T12:00")
    for name in names:
        assert Duty(name, OFFICE).next_start(at) is not None
    assert schedules.zone("Etc/GMT+5").utcoffset(at) == timedelta(hours=-5)  # allowed, for who knows its sign
