"""A trigger made in front of a browser, by mouse alone, and the lead that it distributes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import expect

from routing.models import ApiKey, Lead, Trigger
from tests.factories import make_account, make_manager, make_schedule, make_source, make_supervisor, make_trigger, stage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADD = "/admin/routing/trigger/add/"
SAVE = "button[name='_save'], input[name='_save']"


def choose(page: Any, field: str, text: str) -> None:
    """Choose from a box that searches."""
    page.locator(f"#id_{field} + .select2").click()
    page.locator(".select2-results__option", has_text=text).first.click()


def add_member(page: Any, number: int, name: str, *, coefficient: int) -> None:
    page.get_by_role("link", name="Add another Member").click()
    choose(page, f"members-{number}-manager", name)
    page.locator(f"#id_members-{number}-coefficient").fill(str(coefficient))


def send_lead() -> Any:
    """Send a lead as an integration does."""
    key = ApiKey(name="Landing", source=make_source(), scopes=["intake", "read"])
    secret = key.renew()
    key.save()
    body = json.dumps({"name": "Demo request", "contact": {"email": "ana@client.example"}})
    headers = {"Authorization": f"Bearer {secret}"}
    return Client().post("/api/v1/leads", body, content_type="application/json", headers=headers)


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_a_trigger_is_made_by_mouse_and_distributes_the_next_lead(visit, phone):
    make_account(time_zone="Europe/Madrid")
    stage()
    make_manager("ann")
    make_manager("bob")
    make_manager("max")  # no member
    visitor = visit(user=make_supervisor(), phone=phone)
    page = visitor.open(ADD)
    page.fill("#id_code", "new-leads")
    choose(page, "stage", "sales/new")
    add_member(page, 0, "Ann", coefficient=3)
    add_member(page, 1, "Bob", coefficient=1)
    assert page.locator(".lr-share").all_inner_texts() == ["75 %", "25 %"]
    page.get_by_role("link", name="Acceptance").or_(page.get_by_text("Acceptance", exact=True)).first.click()
    page.fill("#id_acceptance_minutes", "10")
    page.locator(SAVE).first.click()
    page.wait_for_url("**/admin/routing/trigger/")
    page.get_by_role("link", name="new-leads").first.click()
    sentence = "new go to 2 managers by coefficient; if not accepted within 10 minutes, they go to the next manager"
    expect(page.locator(".lr-headline")).to_contain_text(sentence)
    trigger = Trigger.objects.get()
    assert [(str(m), m.coefficient) for m in trigger.members.order_by("position")] == [("Ann", 3), ("Bob", 1)]
    assert trigger.acceptance_minutes == 10
    answer = send_lead()
    assert (answer.status_code, answer.json()["state"]) == (201, "offered")
    assert answer.json()["decision"]["trigger"] == "new-leads"
    assert Lead.objects.get().responsible.user.name == "Ann"


@pytest.mark.parametrize(("phone", "dark"), [(False, True), (True, False)], ids=["desktop-dark", "phone-light"])
def test_the_form_of_a_trigger_is_well_made(visit, phone, dark):
    night = make_schedule("night", weekly={"mon": ["22:00-23:00"]})
    members = [{"manager": make_manager("ann"), "schedule": night, "limit": 9}, {"manager": make_manager("bob")}]
    trigger = make_trigger(members=members, acceptance_minutes=10, limit=20)
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open(f"/admin/routing/trigger/{trigger.pk}/change/")
    page.locator("#id_members-0-schedule + .select2").wait_for()
    visitor.assert_well_made("trigger")


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_members_are_put_in_order_by_keyboard(visit, phone):
    make_account(time_zone="Europe/Madrid")
    trigger = make_trigger(members=[make_manager("ann"), make_manager("bob"), make_manager("cora")])
    visitor = visit(user=make_supervisor(), phone=phone)
    page = visitor.open(f"/admin/routing/trigger/{trigger.pk}/change/")
    expect(page.get_by_role("button", name="Move up: Ann")).to_be_disabled()
    page.get_by_role("button", name="Move up: Cora").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")  # the button keeps the focus
    expect(page.get_by_role("button", name="Move up: Cora")).to_be_disabled()
    expect(page.get_by_role("button", name="Move down: Cora")).to_be_focused()
    box = page.locator(".formset-wrapper")
    assert box.evaluate("e => e.querySelector('table').scrollWidth - e.clientWidth") <= 0
    said = "(cells) => cells.map((cell) => getComputedStyle(cell, '::before').content)"
    labels = page.locator("tbody:not(.empty-form) td.field-limit").evaluate_all(said)
    assert not phone or labels == ['"Limit"'] * 3  # there is no heading on a phone
    page.locator(SAVE).first.click()
    page.wait_for_url("**/admin/routing/trigger/")
    assert [str(member) for member in trigger.members.order_by("position")] == ["Cora", "Ann", "Bob"]
    cut = page.locator("td.field-does").first.evaluate("e => e.scrollHeight - e.clientHeight")
    assert cut <= 0


def test_stages_are_put_in_order_by_keyboard(visit):
    pipeline = stage().pipeline
    first, second = pipeline.stages.order_by("position", "id")[:2]
    visitor = visit(user=make_supervisor())
    page = visitor.open(f"/admin/routing/pipeline/{pipeline.pk}/change/")
    page.get_by_role("button", name=f"Move up: {second.code}", exact=True).press("Enter")
    page.locator(SAVE).first.click()
    page.wait_for_url("**/admin/routing/pipeline/")
    assert list(pipeline.stages.order_by("position")[:2]) == [second, first]
