"""A schedule made in front of a browser: drawn with the mouse, and written with the keyboard; both are the same."""

from __future__ import annotations

import datetime
from datetime import date

import pytest

from accounts.models import WorkSchedule
from accounts.time import schedule_admin
from tests.factories import make_account, make_exception, make_manager, make_schedule, make_supervisor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADD = "/admin/accounts/workschedule/add/"
TWO_TWO = [["09:00-21:00"], ["09:00-21:00"], [], []]


def pull(page, track: int, start: int, end: int, *, to_track: int | None = None, selector: str = ".lr-grid .lr-track"):
    """Pull over the hours of a line, from hour to hour; to_track: down to this line."""
    tracks = page.locator(selector)
    tracks.nth(track).scroll_into_view_if_needed()
    box, last = tracks.nth(track).bounding_box(), tracks.nth(track if to_track is None else to_track).bounding_box()
    page.mouse.move(box["x"] + box["width"] * (start + 0.1) / 36, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (start + end) / 2 / 36, box["y"] + box["height"] / 2, steps=3)
    page.mouse.move(box["x"] + box["width"] * end / 36, last["y"] + last["height"] / 2, steps=3)
    page.mouse.up()


def save(page) -> None:
    page.get_by_role("button", name="Save", exact=True).first.click()
    page.wait_for_url("**/workschedule/")


@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
def test_two_two_is_made_with_one_press(visit, phone):
    visitor = visit(user=make_supervisor(), phone=phone)
    page = visitor.open(ADD)
    page.get_by_role("button", name="2/2, 09:00–21:00").click()
    page.locator("#lr-preview[data-ready] .lr-works").first.wait_for()
    visitor.assert_well_made("schedule-cycle")
    save(page)
    assert WorkSchedule.objects.get().cycle_days == TWO_TWO


def test_hours_that_are_there_are_replaced_by_a_preset_only_when_that_is_meant(visit):
    office = make_schedule()
    page = visit(user=make_supervisor()).open(f"/admin/accounts/workschedule/{office.pk}/change/")
    hours, asked, answers = page.locator("#id_mon"), [], [False, True]

    def answer(dialog):
        asked.append(dialog.message)
        dialog.accept() if answers.pop(0) else dialog.dismiss()

    page.on("dialog", answer)
    before = hours.input_value()
    for expected in (before, "10:00-19:00"):
        page.get_by_role("button", name="6/1, 10:00–19:00").click()
        assert hours.input_value() == expected
    assert asked == ["Replace the existing hours?"] * 2


def test_today_is_a_cell_like_the_others_in_the_six_weeks(visit):
    schedule = make_schedule()
    make_manager("ann", schedule=schedule)
    page = visit(user=make_supervisor()).open(f"/admin/accounts/workschedule/{schedule.pk}/change/")
    page.locator("#lr-preview[data-ready] .lr-weeks td").first.wait_for()
    assert page.locator(".lr-weeks td").evaluate_all(
        "cells => [...new Set(cells.map(cell => getComputedStyle(cell).display))]"
    ) == ["table-cell"]


def test_two_two_is_drawn_with_the_mouse(visit):
    page = visit(user=make_supervisor()).open(ADD)
    page.get_by_label("Title").fill("Two two")
    page.get_by_label("Code").fill("two-two")
    page.locator("#id_kind").select_option("cycle")
    page.get_by_label("Cycle start").fill("2026-01-05")
    for _ in range(4):
        page.get_by_role("button", name="Add a day").click()
    pull(page, 0, 9, 21, to_track=1)
    assert page.get_by_label("Days of the cycle").input_value() == "09:00-21:00\n09:00-21:00\noff\noff"
    pull(page, 3, 21, 33)
    assert page.get_by_label("Days of the cycle").input_value().endswith("off\n21:00-09:00")
    page.locator(".lr-grid .lr-track").nth(3).click(position={"x": 420, "y": 10})  # a press takes the shift away
    save(page)
    assert WorkSchedule.objects.get().cycle_days == TWO_TWO


def test_two_two_is_written_with_the_keyboard_alone(visit):
    page = visit(user=make_supervisor()).open(ADD)
    page.get_by_label("Title").focus()
    page.keyboard.type("Two two")
    page.get_by_label("Code").focus()
    page.keyboard.type("two-two")
    page.locator("#id_kind").focus()
    page.keyboard.type("cycle")
    page.get_by_label("Cycle start").focus()
    page.keyboard.type("2026-01-05")
    page.get_by_label("Days of the cycle").focus()
    page.keyboard.type("09:00-21:00\n09:00-21:00\noff\noff")
    assert page.locator(".lr-grid .lr-block").count() == 2  # what is written is drawn
    page.get_by_role("button", name="Save", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/workschedule/")
    assert WorkSchedule.objects.get().cycle_days == TWO_TWO


def test_without_scripts_the_boxes_are_enough(visit):
    page = visit(user=make_supervisor(), scripts=False).open(ADD)
    page.get_by_label("Title").fill("Office")
    page.get_by_label("Code").fill("office")
    page.get_by_label("Monday").fill("09:00-13:00, 14:00-18:07")
    page.get_by_role("button", name="Save", exact=True).first.click()
    assert WorkSchedule.objects.get().weekly == {"mon": ["09:00-13:00", "14:00-18:07"]}


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_a_week_is_drawn_to_the_minute_with_its_exceptions_and_holidays(visit, dark):
    make_account(time_zone="Europe/Madrid")
    week = {day: ["08:45-13:07", "14:00-18:00"] for day in ("mon", "tue", "wed", "thu")} | {"fri": ["21:00-06:30"]}
    office = make_schedule(weekly=week, holiday_country="ES")
    ann, _bob = make_manager(schedule=office), make_manager("bob", schedule=office, time_zone="America/New_York")
    make_exception(
        ann, on=datetime.date(2026, 1, 1), to=datetime.date(2030, 1, 1), kind="extra", intervals=["19:00-20:00"]
    )
    visitor = visit(user=make_supervisor(), dark=dark)
    page = visitor.open(f"/admin/accounts/workschedule/{office.pk}/change/")
    page.locator("#lr-preview[data-ready] .lr-works").first.wait_for()
    assert page.locator("#lr-preview table").count() == 2
    visitor.assert_well_made("schedule-week")
    pull(page, 5, 10, 14, selector=".field-mon .lr-track, fieldset .lr-track")
    assert page.get_by_label("Saturday").input_value() == "10:00-14:00"
    pull(page, 0, 9, 10, selector="fieldset .lr-track")
    assert page.get_by_label("Monday").input_value() == "08:45-09:00, 10:00-13:07, 14:00-18:00"
    assert WorkSchedule.objects.get().weekly == week  # only saving writes


def test_a_manager_sees_six_weeks_of_their_own(visit):
    ann = make_manager(schedule=make_schedule())
    visitor = visit(user=make_supervisor())
    page = visitor.open(f"/admin/accounts/manager/{ann.pk}/change/")
    page.locator("#lr-preview[data-ready] .lr-works").first.wait_for()
    visitor.assert_well_made("manager")


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop-light", "phone-dark"])
def test_what_is_to_know_of_holidays_is_said_on_the_page(visit, phone, dark, monkeypatch):
    monkeypatch.setattr(schedule_admin, "today", lambda: date(2026, 3, 2))
    make_account()
    office = make_schedule(
        weekly={day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}, holiday_country="CN"
    )
    britain = make_schedule("britain", weekly={"mon": ["09:00-18:00"]}, holiday_country="GB")
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open(f"/admin/accounts/workschedule/{britain.pk}/change/")
    page.get_by_text("Easter Monday in England").first.wait_for()
    visitor.assert_well_made("schedule-of-parts")
    page = visitor.open(f"/admin/accounts/workschedule/{office.pk}/change/")
    visitor.assert_well_made("schedule-moved-days")
    page.get_by_role("button", name="Add them as extra hours, 09:00-18:00").click()
    page.get_by_text("3 days were added.").wait_for()
    assert office.exceptions.filter(kind="extra").count() == 3
