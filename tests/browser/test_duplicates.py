"""Possible duplicates in front of a browser: both side by side, merged, undone, told apart."""

from __future__ import annotations

import pytest

from accounts.time import clock
from routing.models import Contact, PossibleDuplicate
from routing.services.duplicates import look_for_duplicates
from tests.factories import make_manager, make_supervisor, make_trigger, take

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def pair():
    """Rosa, who came twice."""
    make_trigger(members=[make_manager("ann")])
    company = {"name": "Panadería Gómez"}
    for name, email, fields in (
        ("Rosa Gómez", "rosa@client.example", {}),
        ("GOMEZ ROSA", "r.g@work.example", {"plan": "gold"}),
    ):
        take(
            contact={"name": name, "email": email}, postal_code="28013", company=company, fields=fields, at=clock.now()
        )
    while look_for_duplicates(at=clock.now()):
        pass
    return PossibleDuplicate.objects.get()


@pytest.mark.parametrize(("phone", "dark"), [(True, False), (False, True), (True, True), (False, False)])
def test_a_supervisor_merges_two_and_undoes_it(visit, pair, phone, dark):
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open("/admin/routing/possibleduplicate/")
    visitor.assert_well_made("duplicates-list")
    page.get_by_role("link", name="Rosa Gómez").first.click()
    page.get_by_text("same name, same postal code, same company").first.wait_for()
    visitor.assert_well_made("duplicates-pair")
    page.get_by_role("button", name="Merge and keep Rosa Gómez").click()
    page.get_by_text("The contacts are merged").wait_for()
    visitor.assert_well_made("duplicates-merged")
    assert Contact.objects.get().name == "Rosa Gómez"
    visitor.open(f"/admin/routing/contact/{Contact.objects.get().pk}/change/")
    page.get_by_role("heading", name="Merged into this contact").scroll_into_view_if_needed()
    visitor.assert_well_made("duplicates-contact")
    page.get_by_role("link", name="GOMEZ ROSA").click()
    page.get_by_role("button", name="Undo the merge").click()
    page.get_by_text("there are two contacts again").wait_for()
    assert Contact.objects.count() == 2


def test_who_are_two_are_no_longer_proposed(visit, pair):
    visitor = visit(user=make_supervisor())
    page = visitor.open(f"/admin/routing/possibleduplicate/{pair.pk}/change/")
    page.get_by_role("button", name="Not the same person").click()
    page.get_by_text("They are two persons").wait_for()
    assert not PossibleDuplicate.objects.open().exists()


def test_the_address_of_one_who_was_merged_leads_to_the_other(visit, pair):
    visitor = visit(user=make_supervisor())
    page = visitor.open(f"/admin/routing/possibleduplicate/{pair.pk}/change/")
    page.get_by_role("button", name="(right)").click()
    page.get_by_text("The contacts are merged").wait_for()
    page.goto(page.url.split("/admin/")[0] + f"/admin/routing/contact/{pair.one_id}/change/")
    page.get_by_text("The contact was merged into this one.").wait_for()
    assert str(pair.other_id) in page.url
