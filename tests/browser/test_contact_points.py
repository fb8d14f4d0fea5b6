"""Phones, e-mails and chats of a contact in front of a browser: a manager corrects them, a supervisor adds them."""

from __future__ import annotations

import pytest

from tests.effort import by_night
from tests.factories import make_contact, make_manager, make_supervisor, make_trigger, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

EVA = {"name": "Eva Ros", "email": "eva@client.example", "phone": "+34 600 010 101"}


@pytest.fixture
def lead():
    """A lead of Ann's whose sender gave another name and somebody else's number."""
    ann = make_manager("ann")
    make_trigger(members=[ann])
    make_contact("", name="Rosa Gómez", phone="+34600010100")
    take(contact=EVA | {"phone": "+34 910 000 333 ext. 12"})
    take(contact=EVA | {"chat": "@eva_ros"})
    lead = take(contact={"name": "Evita", "email": EVA["email"], "phone": "+34 600 010 100"})
    lead.ann = ann
    return lead


@pytest.mark.parametrize(
    ("phone", "dark"),
    by_night([(True, False), (False, True), (True, True), (False, False)], by_day=[(True, False), (False, True)]),
)
def test_a_manager_sees_all_numbers_and_corrects_them(visit, lead, phone, dark):
    visitor = visit(user=lead.ann.user, phone=phone, dark=dark)
    page = visitor.open("/me/")
    page.get_by_text("Name as sent: Evita").first.wait_for()
    visitor.assert_well_made("desk-both-numbers")
    page = visitor.open(f"/me/leads/{lead.pk}/")
    page.get_by_text("Edit phones, e-mails and chats").click()
    visitor.assert_well_made("lead-edit-contact")
    row = page.locator("form.point").filter(has=page.locator('input[value="+34600010101"]'))
    row.get_by_role("button", name="Show first").click()
    page.get_by_text("main", exact=True).wait_for()
    page.get_by_text("Edit phones, e-mails and chats").click()
    row.get_by_label("phone").fill("12")
    row.get_by_role("button", name="Save").click()
    page.get_by_text("Include the country code").wait_for()
    visitor.assert_well_made("lead-edit-contact-refused")


@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
def test_a_supervisor_sees_who_it_is_and_adds_a_number(visit, lead, phone):
    visitor = visit(user=make_supervisor(), phone=phone)
    page = visitor.open(f"/admin/routing/lead/{lead.pk}/change/")
    page.get_by_role("heading", name="Who it is").scroll_into_view_if_needed()
    visitor.assert_well_made("lead-who-it-is")
    page = visitor.open(f"/admin/routing/contact/{lead.contact_id}/change/")
    visitor.assert_well_made("contact-points")
    page.get_by_role("link", name="Add another").first.click()
    page.locator("[name=points-4-kind]").select_option("phone")
    page.locator("[name=points-4-text]").fill("+34 699 020 202")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/contact/")
    assert lead.contact.points.filter(text="+34699020202").exists()
