"""Leads in front of a browser: a table imported with the mouse, the Unqualified section, a lead's story."""

from __future__ import annotations

import pytest

from accounts.time import clock
from routing.models import Lead, LeadImport
from routing.services.offers import decline_offer
from routing.services.sweep import sweep
from tests.factories import (
    MINUTE,
    MONDAY,
    asking_acceptance,
    make_manager,
    make_source,
    make_supervisor,
    make_trigger,
    open_offer,
    stage,
    take,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TABLE = "ФИО;E-mail;Телефон;Бюджет\n" + "".join(
    f"Клиент {n};client{n}@client.example;+3460000{n:04};{n} 000,50\n" for n in range(30)
)


@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
def test_a_table_is_imported_with_the_mouse(visit, phone, tmp_path):
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    make_source()
    file = tmp_path / "clients.csv"
    file.write_bytes((TABLE + "Nobody;;;\nRich;rich@client.example;;very\n").encode("cp1251"))
    visitor = visit(user=make_supervisor(), phone=phone)
    page = visitor.open("/admin/routing/lead/")
    page.get_by_role("link", name="Import…").click()
    visitor.assert_well_made("import-upload")
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Check it").click()
    page.get_by_text("2 of the first 32 rows would be refused").wait_for()
    visitor.assert_well_made("import-check")
    page.get_by_role("button", name="Import 32 rows").click()
    page.get_by_text("0 of 32 rows").wait_for()
    for _ in range(2):
        sweep(at=clock.now())  # without a worker; the first takes the rows, the next finds none left
    page.get_by_text("32 of 32 rows").wait_for()  # the page asks by itself
    page.get_by_role("link", name="Download all 2 refused rows as CSV").wait_for()
    visitor.assert_well_made("import-done")
    assert Lead.objects.count() == 30
    assert LeadImport.objects.get().finished_at


@pytest.mark.parametrize("phone", [True, False], ids=["phone", "desktop"])
def test_leads_are_accepted_out_of_the_section(visit, phone):
    stage()
    ann = make_manager("ann")
    take(unqualified=True, comment="Please call me about the larger plan", name="Ana")
    visitor = visit(user=make_supervisor(), phone=phone)
    page = visitor.open("/admin/routing/unqualifiedlead/")
    visitor.assert_well_made("unqualified")
    page.locator("input.action-select").first.check()
    page.locator("select[name=action]").select_option("accept_selected")
    page.get_by_role("button", name="Run").click()
    page.locator("#id_manager").select_option(str(ann.pk))
    visitor.assert_well_made("unqualified-accept")
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("Accepted: 1.").wait_for()
    assert Lead.objects.get().responsible == ann


@pytest.mark.parametrize("dark", [True, False], ids=["dark", "light"])
def test_the_story_of_a_lead_is_one_list(visit, dark):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], method="direct", **asking_acceptance())
    lead = take()
    decline_offer(open_offer(lead).lead_id, at=MONDAY + MINUTE, by=ann.user, reason="no time")
    visitor = visit(user=make_supervisor(), dark=dark)
    page = visitor.open(f"/admin/routing/lead/{lead.pk}/change/")
    page.get_by_text("Ann declined it: no time").first.wait_for()
    visitor.assert_well_made("lead-story")
    assert stage().pk == Lead.objects.get().stage_id
