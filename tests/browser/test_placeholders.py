"""What identifies nobody in front of a browser: a supervisor adds to the list, and reads on a lead why nobody was found."""

from __future__ import annotations

import pytest

from routing.models import Placeholder
from tests.factories import make_manager, make_supervisor, make_trigger, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(("phone", "dark"), [(True, False), (False, True), (True, True), (False, False)])
def test_a_supervisor_adds_a_value_and_reads_why_nobody_was_found(visit, phone, dark):
    ann = make_manager("ann")
    make_trigger(members=[ann])
    contact = {"name": "Eva Ros", "email": "info@ruiz.example", "phone": "+34 600 000 000"}
    lead = take(contact=contact, company={"name": "-----", "domain": "gmail.com"})
    Placeholder.objects.create(kind="email", value="info@ruiz.example", identifies=True)
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open("/admin/routing/placeholder/")
    visitor.assert_well_made("placeholders")
    page = visitor.open("/admin/routing/placeholder/add/")
    page.locator("[name=kind]").select_option("phone")
    page.locator("[name=value]").fill("600")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Include the country code").wait_for()
    visitor.assert_well_made("placeholder-refused")
    page.locator("[name=value]").fill("+34 910 000 333")
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url("**/placeholder/")
    assert Placeholder.objects.filter(kind="phone", value="+34910000333").exists()
    page = visitor.open(f"/admin/routing/lead/{lead.pk}/change/")
    page.get_by_text("is the mailbox of a company").scroll_into_view_if_needed()
    visitor.assert_well_made("lead-identifies-nobody")
