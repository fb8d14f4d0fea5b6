"""What people send again, in front of a browser: the desk, the lead's pages, a trial, a source and the account."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.time import clock
from routing.models import Lead
from routing.services.intake import take_lead
from tests.factories import asking_acceptance, make_manager, make_source, make_supervisor, make_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ANA = {"name": "Ana Ruiz", "email": "ana@client.example", "phone": "+34600010101"}


@pytest.fixture
def sent():
    """A lead of Ann's, clicked twice, and two letters after it."""
    ann = make_manager("ann")
    make_trigger(members=[ann], **asking_acceptance())
    now = clock.now()
    landing = make_source(title="Landing page")
    mailbox = make_source("mailbox", channel="mail", title="Sales mailbox")
    first = {"name": "CRM for twelve", "contact": ANA, "comment": "Call me after three", "product": "crm"}
    lead = take_lead(first, source_id=landing.pk, at=now - timedelta(hours=3))
    take_lead(
        {**first, "utm": {"source": "ads"}, "fields": {"employees": 240}},
        source_id=landing.pk,
        at=now - timedelta(hours=3, seconds=-2),
    )
    letters = ("When do you call?", "A much longer letter, " + "with many words " * 60)
    for number, comment in enumerate(letters):
        letter = {"name": "Re: CRM for twelve", "contact": {**ANA, "phone": "+34 699 020 202"}, "comment": comment}
        take_lead(letter, source_id=mailbox.pk, at=now - timedelta(hours=2 - number))
    return Lead.objects.get(pk=lead.lead_id), ann


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
def test_the_manager_sees_what_came_after_the_lead(visit, sent, phone, dark):
    lead, ann = sent
    visitor = visit(user=ann.user, phone=phone, dark=dark)
    page = visitor.open("/me/")
    page.get_by_role("heading", name="Heard from again").wait_for()
    page.get_by_text("When do you call?").wait_for()
    visitor.assert_well_made("desk-heard-again")
    page = visitor.open(f"/me/leads/{lead.pk}/")
    page.get_by_text("Sent twice within 10 minutes").wait_for()
    visitor.assert_well_made("lead-heard-again")


@pytest.mark.parametrize(
    ("phone", "dark"), [(False, False), (True, True), (False, True), (True, False)],
    ids=["desktop-light", "phone-dark", "desktop-dark", "phone-light"],
)  # fmt: skip
def test_supervisors_see_it_and_choose_what_becomes_of_it(visit, sent, phone, dark):
    lead, _ann = sent
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open(f"/admin/routing/lead/{lead.pk}/change/")
    page.get_by_text("This was different:").wait_for()
    visitor.assert_well_made("admin-lead-heard-again")
    page = visitor.open(f"/admin/routing/source/{lead.source_id}/change/")
    page.get_by_text("What known persons send").wait_for()
    visitor.assert_well_made("admin-source")
    page = visitor.open(f"/admin/routing/trigger/{lead.trigger_id}/try/")
    page.locator("#id_email").fill("ana@client.example")
    page.get_by_role("button", name="Who would get it?").click()
    page.get_by_text("This person has an open lead").wait_for()
    visitor.assert_well_made("admin-try-heard-again")
    page = visitor.open("/reports/conversion/")
    page.get_by_text("Sent after a lead, and no lead of its own").first.wait_for()
    visitor.assert_well_made("report-conversion-activities")
