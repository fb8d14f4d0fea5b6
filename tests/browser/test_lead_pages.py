"""Leads in front of a browser: a table imported with the mouse, the Unqualified section, a lead's story."""

from __future__ import annotations

import pytest

from accounts.time import clock
from routing.models import Lead, LeadImport
from routing.services.imports import keep_table
from routing.services.offers import accept_offer, decline_offer
from routing.services.sweep import sweep
from routing.spreadsheets.reading import read_table
from routing.spreadsheets.writing import xlsx_file
from tests.effort import by_night
from tests.factories import (
    DAY,
    MINUTE,
    MONDAY,
    asking_acceptance,
    make_exception,
    make_manager,
    make_schedule,
    make_source,
    make_supervisor,
    make_trigger,
    open_offer,
    stage,
    take,
)
from tests.routing.spreadsheets.test_reading import with_part

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
    page.get_by_role("button", name="Import 30 rows").click()
    page.get_by_text("0 of 32 rows").wait_for()
    for _ in range(2):
        sweep(at=clock.now())  # without a worker; the first takes the rows, the next finds none left
    page.get_by_text("32 of 32 rows").wait_for()  # the page asks by itself
    page.get_by_role("link", name="Download all 2 refused rows as CSV").wait_for()
    visitor.assert_well_made("import-done")
    assert Lead.objects.count() == 30
    assert LeadImport.objects.get().finished_at
    page.get_by_role("link", name="See the new leads").click()
    page.wait_for_url("**/lead/?import=*")
    page.get_by_text("Клиент 29").first.wait_for()


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop-light", "phone-dark"])
def test_a_workbook_says_what_is_to_be_mended(visit, phone, dark, tmp_path):
    make_trigger(members=[make_manager("ann")])
    make_source()
    with xlsx_file(["E-mail", "Company"], [["ann@client.example", "#N/A"], ["bob@client.example", "Ruiz SL"]]) as made:
        good = made.read()
    file = tmp_path / "clients.xlsx"
    file.write_bytes(with_part(good, f"xl/media/{'a' * 100}.bin", bytes(2_000_000)))
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open("/admin/routing/leadimport/add/")
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Check it").click()
    page.get_by_text("in the workbook grows more than 100 times when unpacked. Save the sheet as CSV.").wait_for()
    visitor.assert_well_made("workbook-refused")
    assert not LeadImport.objects.exists()
    file.write_bytes(good)
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Check it").click()
    page.get_by_text("Column B (Company): the spreadsheet shows the error #N/A.").wait_for()
    visitor.assert_well_made("workbook-row-refused")
    page.get_by_role("button", name="Import 1 row").wait_for()


@pytest.mark.parametrize(("phone", "dark"), [(False, True), (True, False)], ids=["desktop-dark", "phone-light"])
def test_what_a_table_does_not_show_is_asked(visit, phone, dark, monkeypatch):
    monkeypatch.setattr("routing.admin.imports.AT_ONCE", 4)
    make_source()
    stage()
    people = "".join(f"Eva;Ros {n};eva{n}@client.example;;+34 600 010 1{n:02};1;2;03/02/2026\n" for n in range(9))
    text = (
        "Имя;Фамилия;E-mail;Tel;Mobile;Score;Score;Date\n" + people + "Eva;Ros;EVA1@client.example;;;3;4;04/02/2026\n"
    )
    batch = keep_table(read_table(text.encode()), b"", file_name="people.csv", at=MONDAY, by=None, language="en")
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open(f"/admin/routing/leadimport/{batch.pk}/change/")
    page.get_by_role("button", name="Import 10 rows").wait_for()  # counted piece by piece
    page.get_by_text("eva1@client.example: rows 3, 11").wait_for()
    visitor.assert_well_made("import-questions")
    page.get_by_label("Order of day and month").select_option(label="The day comes first: 03/02/2026 = 3 February")
    page.get_by_label("take the first filled cell of “Tel”, “Mobile”").check()
    page.get_by_role("button", name="Check again").click()
    page.get_by_role("button", name="Import 10 rows").wait_for()
    visitor.assert_well_made("import-answered")
    page.get_by_role("button", name="Import 10 rows").click()
    page.get_by_text("0 of 10 rows").wait_for()
    batch.refresh_from_db()
    assert (batch.joined, batch.month_first) == (["contact.phone"], False)


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


@pytest.mark.parametrize(
    ("phone", "dark"),
    by_night([(False, False), (True, True), (False, True), (True, False)], by_day=[(False, False), (True, True)]),
)  # fmt: skip
def test_a_lead_given_by_hand_takes_the_contact_along_and_its_page_tells_it(visit, phone, dark):
    ann, bob = make_manager("ann", schedule=make_schedule()), make_manager("bob")
    make_trigger(
        members=[ann, bob],
        method="direct",
        responsible_check=["contact"],
        **asking_acceptance(30, acceptance_clock="working"),
    )
    lead = take(at=MONDAY, company={"name": "Ruiz SL"})
    make_exception(ann, on=MONDAY.date(), to=(MONDAY + DAY).date())
    sweep(at=MONDAY + MINUTE)
    accept_offer(lead.pk, at=MONDAY + 2 * MINUTE)
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open(f"/admin/routing/lead/{lead.pk}/act/reassign/")
    page.locator("#id_manager").select_option(str(bob.pk))
    page.get_by_label("main contact").check()
    visitor.assert_well_made("reassign")
    page.get_by_role("button", name="Reassign").click()
    page.get_by_text("The contact was also handed over to Bob.").first.wait_for()
    page.get_by_text("The working time of Ann changed").first.wait_for()
    visitor.assert_well_made("lead-handed-along")
    page = visitor.open(f"/admin/routing/contact/{lead.contact_id}/change/")
    page.get_by_text("Ann → Bob").wait_for()
    visitor.assert_well_made("contact-responsible")
