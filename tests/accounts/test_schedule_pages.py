"""What the admin shows beside the boxes of a schedule: six weeks as they would be, written nowhere; and a copy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.test import Client

from accounts.models import ConfigurationVersion, ScheduleException, WorkSchedule
from accounts.time import schedule_admin
from accounts.time.schedule_admin import PRESETS, today
from accounts.time.schedules import parse_cycle, parse_weekly
from tests.accounts.test_schedule_cases import cases, duty_of
from tests.admin_pages import errors, save
from tests.factories import make_account, make_exception, make_manager, make_schedule, make_supervisor, make_user

pytestmark = pytest.mark.django_db

SCHEDULES = "/admin/accounts/workschedule/"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@pytest.fixture
def sue(client: Client) -> Client:
    client.force_login(make_supervisor())
    return client


def form_of(schedule: Mapping[str, Any], exceptions: list[Mapping[str, Any]] = []) -> dict[str, str]:  # noqa: B006
    """Return what the page of a schedule sends."""
    sent = {"kind": schedule["type"], "exceptions-TOTAL_FORMS": str(len(exceptions)), "exceptions-INITIAL_FORMS": "0"}
    if schedule["type"] == "weekly":
        sent |= {day: ", ".join(schedule["days"].get(day, [])) for day in WEEKDAYS}
    else:
        sent |= {"cycle_start": schedule["anchor"]}
        sent |= {"cycle_days": "\n".join(", ".join(day) or "off" for day in schedule["days"])}
    for number, exception in enumerate(exceptions):
        first = exception.get("date") or exception["from"]
        sent |= {
            f"exceptions-{number}-first_day": first,
            f"exceptions-{number}-last_day": exception.get("date") or exception["to"],
            f"exceptions-{number}-kind": exception["kind"],
            f"exceptions-{number}-intervals": ", ".join(exception.get("intervals", [])),
        }
    return sent


def six_weeks(client: Client, address: str, sent: Mapping[str, str]) -> list[dict[str, list[str]]]:
    """Return the days of each manager that the answer shows: date → hours."""
    answer = client.post(f"{address}preview/", sent, headers={"X-Requested-With": "fetch"})
    assert answer.status_code == 200
    people = []
    for table in re.findall(r"(?s)<table.*?</table>", answer.content.decode()):
        cells = re.findall(r'(?s)<time datetime="(.*?)">.*?</time>(.*?)</td>', table)
        people.append({day: re.findall(r"<span>(\d\d:\d\d-\d\d:\d\d)</span>", unescape(rest)) for day, rest in cells})
    return people


def test_the_six_weeks_are_those_of_the_arithmetic_that_decides(sue):
    looked_at = 0
    for case in cases():
        if case["schedule"] is None or case.get("own") or case.get("offset"):
            continue
        make_account(time_zone=case["zone"])
        first = today() - timedelta(
            days=today().weekday()
        )  # the account's day: early on a Monday it is Sunday elsewhere
        duty = duty_of(case)
        [shown] = six_weeks(sue, SCHEDULES, form_of(case["schedule"], case.get("exceptions", [])))
        days = [first + timedelta(days=n) for n in range(42)]
        assert shown == {day.isoformat(): [str(shift) for shift in duty.shifts_on(day)] for day in days}, case
        looked_at += 1
    assert looked_at >= 8


def test_each_manager_is_shown_with_their_own_offset_zone_and_days_off(sue):
    two_two = make_schedule(cycle=[["09:00-21:00"], ["09:00-21:00"], [], []], start=today())
    make_manager("ann", schedule=two_two)
    bob = make_manager("bob", schedule=two_two, offset=2)
    make_exception(bob, on=today() + timedelta(days=2), to=today() + timedelta(days=3))
    sent = form_of({"type": "cycle", "anchor": today().isoformat(), "days": two_two.cycle_days})
    ann, bobs = six_weeks(sue, f"{SCHEDULES}{two_two.pk}/", sent)
    day = [(today() + timedelta(days=n)).isoformat() for n in range(8)]
    # The week shown begins on Monday, so that not all eight days need lie ahead of today; six weeks hold them.
    assert [bool(ann[d]) for d in day] == [True, True, False, False, True, True, False, False]
    assert [bool(bobs[d]) for d in day] == [False, False, False, False, False, False, True, True]


def test_what_is_not_finished_is_said_and_nothing_is_written(sue):
    make_account()
    office = make_schedule(holiday_country="ES")
    before = (WorkSchedule.objects.values().get(), ConfigurationVersion.objects.get().version)
    sent = form_of({"type": "weekly", "days": {"mon": ["09:00-"]}})
    answer = sue.post(f"{SCHEDULES}{office.pk}/preview/", sent, headers={"X-Requested-With": "fetch"}).content.decode()
    assert "Monday:" in answer
    assert "an interval is HH:MM-HH:MM" in unescape(answer)
    answer = sue.post(f"{SCHEDULES}preview/", form_of({"type": "weekly", "days": {"mon": ["22:00-06:00"]}}))
    assert "Nothing was saved" in answer.content.decode()  # without scripts it is a page of its own
    assert (WorkSchedule.objects.values().get(), ConfigurationVersion.objects.get().version) == before
    assert not ScheduleException.objects.exists()


def test_an_exception_that_cannot_be_read_is_said_and_the_weeks_are_shown_without_it(sue):
    make_account()
    wrong = {"date": today().isoformat(), "kind": "hours", "intervals": ["9-"]}
    sent = form_of({"type": "weekly", "days": {"mon": ["09:00-10:00"]}}, [wrong])
    answer = sue.post(f"{SCHEDULES}preview/", sent, headers={"X-Requested-With": "fetch"}).content.decode()
    assert "<li>Hours: " in answer
    assert "an interval is HH:MM-HH:MM" in unescape(answer)
    [days] = six_weeks(sue, SCHEDULES, sent)
    assert sum(map(bool, days.values())) == 6


def test_public_holidays_are_shown(sue):
    make_account(time_zone="Europe/Madrid")
    sent = form_of({"type": "weekly", "days": {day: ["09:00-10:00"] for day in WEEKDAYS}}) | {"holiday_country": "ES"}
    answer = sue.post(f"{SCHEDULES}preview/", sent, headers={"X-Requested-With": "fetch"}).content.decode()
    shown = set(re.findall(r'(?s)lr-by-holiday[^>]*"><time datetime="(.*?)"', answer))
    [days] = six_weeks(sue, SCHEDULES, sent)
    assert {day for day, hours in days.items() if not hours} == shown


def test_a_part_of_a_country_is_written_by_its_name_and_stored_by_its_code(sue):
    make_account()
    office = make_schedule(holiday_country="ES")
    address = f"{SCHEDULES}{office.pk}/change/"
    assert '<option value="MD">Madrid</option>' in sue.get(address).content.decode()
    for written, code in (("Barcelona", "Barcelona"), ("madrid", "MD")):
        assert save(sue, address, holiday_subdivision=written).status_code == 302
        office.refresh_from_db()
        assert office.holiday_subdivision == code


def test_places_that_change_no_holiday_are_refused_beside_their_box(sue):
    make_account()
    office = make_schedule(holiday_country="FR")
    address = f"{SCHEDULES}{office.pk}/change/"
    assert "leave the subdivision empty" in str(errors(save(sue, address, holiday_subdivision="Zone A")))
    refused = errors(save(sue, address, holiday_country="UK", holiday_subdivision=""))
    assert list(refused) == ["holiday_country"]
    assert "GB" in str(refused)


def test_a_country_whose_parts_have_more_holidays_is_told(sue, monkeypatch):
    make_account()
    monkeypatch.setattr(schedule_admin, "today", lambda: date(2026, 3, 2))
    office = make_schedule(holiday_country="GB")
    words = "for example April 6, 2026 (Easter Monday in England)"
    assert words in sue.get(f"{SCHEDULES}{office.pk}/change/").content.decode()
    sent = form_of({"type": "weekly", "days": {"mon": ["09:00-10:00"]}})
    preview = partial(sue.post, f"{SCHEDULES}preview/", headers={"X-Requested-With": "fetch"})
    assert words in preview(sent | {"holiday_country": "GB"}).content.decode()  # while it is being written
    assert words not in preview(sent | {"holiday_country": "GB", "holiday_subdivision": "Scotland"}).content.decode()


def test_announced_working_weekends_are_told_and_added_as_extra_hours(sue, monkeypatch):
    make_account()
    monkeypatch.setattr(schedule_admin, "today", lambda: date(2026, 3, 2))
    hours = ["09:00-13:00", "14:00-18:00"]
    office = make_schedule(weekly=dict.fromkeys(WEEKDAYS[:5], hours), holiday_country="CN")
    ScheduleException.objects.create(schedule=office, first_day=date(2026, 9, 18), last_day=date(2026, 9, 21))
    address = f"{SCHEDULES}{office.pk}/change/"
    page = sue.get(address).content.decode()
    assert "The moved working days of CN are known until 2026." in page
    assert re.findall('<li><time datetime="(.*?)">', page) == ["2026-05-09", "2026-10-10"]
    for _ in range(2):  # a second time adds nothing
        assert sue.post(f"{SCHEDULES}{office.pk}/moved-working-days/").status_code == 302
    added = office.exceptions.filter(kind="extra").values_list("first_day", "last_day", "intervals")
    assert list(added) == [(day, day, hours) for day in (date(2026, 5, 9), date(2026, 10, 10))]
    page = sue.get(address).content.decode()
    assert "moved-working-days" not in page


def test_a_schedule_that_works_on_weekends_or_in_a_cycle_is_offered_no_extra_hours(sue, monkeypatch):
    make_account()
    monkeypatch.setattr(schedule_admin, "today", lambda: date(2026, 3, 2))
    week = make_schedule("week", weekly={day: ["09:00-18:00"] for day in WEEKDAYS}, holiday_country="CN")
    cycle = make_schedule("cycle", cycle=[["09:00-21:00"], []], holiday_country="CN")
    for schedule in (week, cycle):
        assert "moved-working-days" not in sue.get(f"{SCHEDULES}{schedule.pk}/change/").content.decode()


def test_who_may_not_see_schedules_is_refused(client):
    client.force_login(make_user("max", is_staff=True))
    assert client.post(f"{SCHEDULES}preview/", {}).status_code == 403


def test_a_manager_is_shown_as_the_form_has_them(sue):
    ann, office = make_manager(), make_schedule()
    sent = {
        "schedule": str(office.pk), "offset": "0", "time_zone": "", "skills": "", "active": "on",
        "exceptions-TOTAL_FORMS": "1", "exceptions-INITIAL_FORMS": "0", "exceptions-0-kind": "extra",
        "exceptions-0-first_day": (today() + timedelta(days=1)).isoformat(), "exceptions-0-intervals": "22:00-23:00",
    }  # fmt: skip
    [shown] = six_weeks(sue, f"/admin/accounts/manager/{ann.pk}/", sent)
    assert "22:00-23:00" in shown[(today() + timedelta(days=1)).isoformat()]
    ann.refresh_from_db()
    assert ann.schedule is None


@pytest.mark.parametrize("code", PRESETS)
def test_a_preset_is_a_chart(code):
    _title, chart = PRESETS[code]
    assert parse_weekly(chart["weekly"]) if "weekly" in chart else parse_cycle(date(2026, 3, 2), chart["cycle"])


def test_a_copy_has_everything_but_managers(sue):
    office = make_schedule(holiday_country="ES")
    make_exception(office, on=date(2026, 3, 3))
    make_manager(schedule=office)
    response = sue.post(f"{SCHEDULES}{office.pk}/copy/")
    sue.post(SCHEDULES, {"action": "copy_selected", "_selected_action": [str(office.pk)]})
    first, second = WorkSchedule.objects.exclude(pk=office.pk).order_by("pk")
    assert response.url == f"{SCHEDULES}{first.pk}/change/"
    assert (first.code, second.code) == ("office-copy", "office-copy1")
    assert (first.weekly, first.holiday_country) == (office.weekly, "ES")
    assert first.exceptions.get().first_day == date(2026, 3, 3)
    assert not first.managers.exists()
    assert sue.get(f"{SCHEDULES}{office.pk}/copy/").status_code == 403
