"""The admin in a browser: from nothing to the first lead by mouse, a trigger, the first page at both widths and in the dark."""

import pytest
from playwright.sync_api import expect

from accounts import clock
from accounts.models import User
from routing.models import Lead, Member, Trigger
from tests.factories import (
    HOUR,
    asking_acceptance,
    make_account,
    make_manager,
    make_schedule,
    make_supervisor,
    make_trigger,
    stage,
    take,
    take_some,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def save(page):
    page.locator("button[name='_save'], input[name='_save']").first.click()


def choose(page, field, text):
    """Choose from a select2 box, as a mouse does."""
    page.locator(f"#id_{field} + .select2").click()
    page.locator(".select2-results__option", has_text=text).first.click()


def follow(page, step):
    page.goto(page.url.split("/admin/")[0] + "/admin/")
    page.locator(".lr-steps").get_by_role("link", name=step, exact=True).click()


def test_an_empty_installation_comes_to_its_first_lead_by_mouse(visit):
    visitor = visit(user=User.objects.create_superuser("root@example.com", name="Root"))
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
    page.get_by_role("button", name="Take the lead").click()
    expect(page.get_by_text("The lead was taken.")).to_be_visible()
    assert Lead.objects.get().responsible.user.name == "Ann"
    page = visitor.open("/admin/")
    expect(page.locator(".lr-steps")).to_have_count(0)


def test_a_trigger_is_made_and_shows_what_it_does(visit):
    stage()
    for name in ("ann", "bob"):
        make_manager(name)
    visitor = visit(user=make_supervisor())
    page = visitor.open("/admin/routing/trigger/add/")
    page.fill("#id_code", "new-leads")
    choose(page, "stage", "sales/new")
    page.get_by_role("link", name="Add another Member").click()
    page.get_by_role("link", name="Add another Member").click()
    for row, (name, coefficient) in enumerate([("Ann", "40"), ("Bob", "60")]):
        choose(page, f"members-{row}-manager", name)
        page.fill(f"#id_members-{row}-coefficient", coefficient)
    expect(page.locator("#id_max_attempts")).not_to_be_visible()
    page.locator("[name='_continue']").first.click()
    expect(page.get_by_text("go to 2 managers by coefficient")).to_be_visible()
    expect(page.locator(".lr-share").nth(0)).to_have_text("40 %")
    page.fill("#id_members-0-coefficient", "20")
    expect(page.locator(".lr-share").nth(1)).to_have_text("75 %")
    page.fill("#id_members-0-coefficient", "40")
    visitor.assert_well_made("trigger")
    assert sorted(Member.objects.values_list("manager__user__name", "coefficient")) == [("Ann", 40), ("Bob", 60)]
    page.get_by_role("link", name="Try it").click()
    page.get_by_role("button", name="Who would get it?").click()
    expect(page.get_by_text("Bob got it")).to_be_visible()
    visitor.assert_well_made("trial")
    assert Trigger.objects.count() == 1
    assert not Lead.objects.exists()


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop-light", "phone-dark"])
def test_the_first_page_is_well_made(visit, phone, dark):
    make_account(time_zone="Europe/Madrid", name="Acme")
    ann, bob = make_manager("ann"), make_manager("bob", schedule=make_schedule(weekly={}))
    make_trigger(members=[ann, bob], **asking_acceptance(60))
    make_trigger("stuck", members=[bob], on_stage="sales/accepted")
    take_some(3, at=clock.now())
    take(at=clock.now() - 2 * HOUR, stage="accepted", pipeline="sales")
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open("/admin/")
    expect(page.get_by_text("1 lead waits over an hour.")).to_be_visible()
    visitor.assert_well_made("today")
    page.get_by_role("link", name="1 lead waits over an hour.").click()
    expect(page).to_have_url(f"{visitor.address}/admin/routing/lead/?state__exact=waiting")


@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
@pytest.mark.parametrize("path", ["routing/trigger/", "routing/trigger/file/", "accounts/configurationchange/"])
def test_pages_of_configuration_are_well_made(visit, path, phone):
    make_trigger(members=[make_manager("ann")])
    visitor = visit(user=make_supervisor(), phone=phone)
    visitor.open(f"/admin/{path}")
    visitor.assert_well_made(path.strip("/").replace("/", "-"))
