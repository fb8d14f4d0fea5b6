"""Published tables: schedule cases, awkward wall-clock times, odd days, rosters."""

import csv
import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from accounts.time.schedules import Chart, DayException, Duty, parse_cycle, parse_interval, parse_weekly
from tests.accounts import oracle
from tests.data import data_path


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def chart_of(schedule: dict[str, Any] | None) -> Chart | None:
    if schedule is None:
        return None
    if schedule["type"] == "weekly":
        return parse_weekly(schedule["days"])
    return parse_cycle(date.fromisoformat(schedule["anchor"]), schedule["days"])


def exception_of(exception: dict[str, Any]) -> DayException:
    return DayException(
        first=date.fromisoformat(exception.get("date") or exception["from"]),
        last=date.fromisoformat(exception.get("date") or exception["to"]),
        off=exception["kind"] != "extra",
        extra=tuple(parse_interval(text) for text in exception.get("intervals", [])),
    )


def duty_of(case: dict[str, Any]) -> Duty:
    """Build the duty of a case in the words of the published cases; `own` are the exceptions of the manager."""
    return Duty(
        case["zone"],
        chart_of(case["schedule"]),
        case.get("offset", 0),
        schedule_exceptions=[exception_of(e) for e in case.get("exceptions", [])],
        manager_exceptions=[exception_of(e) for e in case.get("own", [])],
    )


def rows(name: str) -> list[dict[str, str]]:
    with data_path(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def known_here(table: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows on whose zone the zone database of this machine agrees with the publisher's.

    All of them, where PYTHONTZPATH is empty and so the pinned `tzdata` is read; a few zones changed their rules since
    the release that the machine itself may have. The changes are found from the UTC side, which the tests do not test.
    """
    changes = {(row["zone"], change) for row in rows("time_zones/zones_2026_2027.csv") for change in published(row)}
    odd = {zone for zone, *_ in changes ^ {found for zone in {z for z, _ in changes} for found in installed(zone)}}
    assert len(odd) <= 12, f"the zone database of this machine is too old for these tests: {sorted(odd)}"
    return [row for row in table if row["zone"] not in odd]


def published(row: dict[str, str]) -> list[datetime]:
    return [datetime.fromisoformat(text.split()[0]) for text in row["transitions_utc"].split("; ") if text]


def installed(zone: str) -> list[tuple[str, datetime]]:
    return [(zone, change) for year in (2026, 2027) for change in oracle.changes(zone, year)]


def cases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(data_path("schedule_cases_sample.json").read_text(encoding="utf-8"))[
        "cases"
    ]
    assert len(found) >= 25
    return found


def differences(judge) -> list[str]:
    """Return the cases that the judge answers otherwise than published."""
    wrong = []
    for case in cases():
        expected = tuple(case["expect"][key] for key in ("on_duty", "next_start", "next_change"))
        got = judge(case, instant(case["instant"]))
        if got != (expected[0], instant(expected[1]), instant(expected[2])):
            wrong.append(f"{case['id']}: {got}, not {expected}")
    return wrong


def test_every_published_case_is_answered_as_published():
    assert differences(lambda case, at: tuple(duty_of(case).state(at))) == []


def test_the_single_questions_answer_as_the_combined_one():
    def judge(case, at):
        return duty_of(case).on_duty(at), duty_of(case).next_start(at), duty_of(case).next_change(at)

    assert differences(judge) == []


def test_the_cases_are_the_same_as_exceptions_of_the_manager():
    def judge(case, at):
        return tuple(duty_of(case | {"exceptions": [], "own": case["exceptions"]}).state(at))

    assert differences(judge) == []


def test_the_oracle_answers_every_published_case_as_published():
    assert differences(oracle.answers) == []


@pytest.mark.parametrize("kind", ["ambiguous", "nonexistent"])
def test_starts_and_ends_at_awkward_wall_times(kind):
    """An ambiguous start is the first and an ambiguous end the second; in a gap both move forward."""
    vectors = [row for row in rows("time_zones/wall_time_vectors.csv") if row["kind"] == kind]
    assert len(vectors) > 50
    wrong = []
    for row in known_here(vectors):
        wall = datetime.fromisoformat(row["local_wall_time"])
        before, after = (wall - timedelta(hours=5)).strftime("%H:%M"), (wall + timedelta(hours=5)).strftime("%H:%M")
        first, second = instant(row["utc_if_fold_0"]), instant(row["utc_if_fold_1"])
        end = second if kind == "ambiguous" else first
        from_here = extra_shift(row["zone"], wall.date(), f"{wall:%H:%M}-{after}")
        until_here = extra_shift(row["zone"], (wall - timedelta(hours=5)).date(), f"{before}-{wall:%H:%M}")
        if from_here[0] != first or until_here[1] != end:
            wrong.append(f"{row['zone']} {wall}: {from_here}, {until_here}")
    assert wrong == []


def extra_shift(zone: str, day: date, interval: str) -> tuple[datetime, datetime]:
    """Return the one stretch of somebody who works nothing but this shift."""
    extra = DayException(day, day, off=False, extra=(parse_interval(interval),))
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    duty = Duty(zone, parse_weekly({}), manager_exceptions=[extra])
    (stretch,) = duty.stretches(noon - timedelta(days=4), noon + timedelta(days=4))
    return stretch


def test_a_whole_day_is_as_long_as_the_date_was():
    days = rows("time_zones/odd_length_days.csv")
    assert {float(row["length_hours"]) for row in days} >= {23.0, 23.5, 24.5, 25.0}
    wrong = []
    for row in known_here(days):
        stretch = extra_shift(row["zone"], date.fromisoformat(row["local_date"]), "00:00-24:00")
        if stretch != (instant(row["day_starts_utc"]), instant(row["day_ends_utc"])):
            wrong.append(f"{row['zone']} {row['local_date']}: {stretch}")
    assert wrong == []


def test_a_date_that_never_was_moves_its_shift_forward_by_the_gap():
    """Rule 4 and no more: 09:00 of the date that was skipped is 09:00 of the one that came instead."""
    skipped = [row for row in rows("time_zones/skipped_or_repeated_days.csv") if row["effect"] == "skipped"]
    assert skipped
    for row in skipped:
        gone = datetime.fromisoformat(row["local_before"]).date()
        came = datetime.fromisoformat(row["local_after"]).date()
        assert extra_shift(row["zone"], gone, "09:00-17:00") == extra_shift(row["zone"], came, "09:00-17:00")


def test_a_date_that_never_was_counts_as_a_day_of_the_cycle():
    # Apia went from Thursday 29 to Saturday 31 December 2011: the 30th is the day off between two that are worked.
    duty = Duty("Pacific/Apia", parse_cycle(date(2011, 12, 29), [["09:00-17:00"], []]))
    stretches = duty.stretches(datetime(2011, 12, 29, tzinfo=UTC), datetime(2012, 1, 3, tzinfo=UTC))
    assert [start.isoformat() for start, _ in stretches] == [
        "2011-12-29T19:00:00+00:00",
        "2011-12-30T19:00:00+00:00",
        "2012-01-01T19:00:00+00:00",
    ]


WINDOWS = {"Early": "06:00-14:00", "Day": "09:00-17:00", "Late": "14:00-22:00", "Night": "22:00-06:00"}
WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


@pytest.mark.parametrize("instance", ["n005w4", "n012w8"])
def test_extra_shifts_reproduce_a_roster(instance):
    """Everybody of a hospital's roster is on duty in their shifts, and at no other time."""
    monday = date(2026, 1, 5)
    rosters: dict[tuple[str, str], list[tuple[date, str]]] = defaultdict(list)
    for row in rows(f"rosters_inrc2/{instance}_assignments.csv"):
        day = monday + timedelta(weeks=int(row["week"]) - 1, days=WEEKDAYS.index(row["day"]))
        rosters[row["solution"], row["person"]].append((day, row["shift"]))
    assert len(rosters) >= 5
    for assignments in rosters.values():
        extra = [DayException(day, day, off=False, extra=(parse_interval(WINDOWS[name]),)) for day, name in assignments]
        duty = Duty("UTC", parse_weekly({}), manager_exceptions=extra)
        worked: set[datetime] = set()  # the hours of the roster
        for day, name in assignments:
            start = datetime(day.year, day.month, day.day, int(WINDOWS[name][:2]), tzinfo=UTC)
            worked |= {start + timedelta(hours=hour) for hour in range(8)}
        begin = datetime(2026, 1, 4, tzinfo=UTC)
        for hour in range(24 * 7 * 9):
            at = begin + timedelta(hours=hour)
            assert duty.on_duty(at) is (at in worked)
        total = sum((end - start for start, end in duty.stretches(begin, begin + timedelta(weeks=10))), timedelta(0))
        assert total == timedelta(hours=len(worked))
