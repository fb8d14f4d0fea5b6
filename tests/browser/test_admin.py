"""The admin in a browser: from nothing to the first lead by mouse."""

import pytest
from playwright.sync_api import expect

from accounts.models import User
from routing.models import Lead

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def save(page):
    page.locator("button[name='_save'], input[name='_save']").first.click()


def choose(page, field, text):
    """Choose from a select2 box, as a mouse does."""
    page.locator(f"#id_{field} + .select2").click()
    page.locator(".select2-results__option", has_text=text).first.click()


def follow(page, step):
    """Go on from the list of steps, to which each leads back."""
    page.locator(".lr-steps").get_by_role("link", name=step, exact=True).click()


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_an_empty_installation_comes_to_its_first_lead_by_mouse(visit, phone):
    visitor = visit(user=User.objects.create_superuser("root@example.com", name="Root"), phone=phone)
    page = visitor.open("/admin/")
    visitor.assert_well_made("first-steps")
    follow(page, "Name and time zone")
    page.fill("#id_time_zone", "Europe/Madrid")
    save(page)
    follow(page, "Work schedule")
    page.fill("#id_title", "Office")
    page.fill("#id_code", "office")
    save(page)
    follow(page, "Managers")
    page.fill("#id_email", "ann@example.com")
    page.fill("#id_name", "Ann")
    save(page)
    follow(page, "Pipeline and stages")
    page.fill("#id_title", "Sales")
    page.fill("#id_code", "sales")
    page.get_by_role("link", name="Add another Stage").click()
    page.fill("#id_stages-0-code", "new")
    save(page)
    follow(page, "Trigger")
    page.fill("#id_code", "new-leads")
    choose(page, "stage", "sales/new")
    save(page)
    follow(page, "API key")
    page.fill("#id_name", "Landing")
    save(page)
    follow(page, "First lead")
    page.fill("#id_name", "Demo request")
    page.fill("#id_email", "ana@client.example")
    page.get_by_role("button", name="Create the lead").click()
    expect(page.get_by_text("The lead was created.")).to_be_visible()
    assert Lead.objects.get().responsible.user.name == "Ann"
    page = visitor.open("/admin/")
    expect(page.locator(".lr-steps")).to_have_count(0)
