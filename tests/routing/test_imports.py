"""Leads from a table: looked at first, taken in blocks, each row once whatever is killed in between."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DataError
from django.test import Client

from accounts.models import User
from routing.exceptions import Conflict
from routing.models import ImportRow, IntakeRequest, Lead, LeadImport
from routing.services import imports
from routing.services.imports import ROWS_OF_A_BLOCK, continue_import, keep_table, start_import, stop_import
from routing.services.sweep import IMPORTED, sweep
from routing.spreadsheets import reading
from routing.spreadsheets.reading import read_table
from routing.spreadsheets.writing import xlsx_file
from routing.tasks import run_import
from tests.admin_pages import filled, form_in, messages
from tests.data import data_path
from tests.effort import by_night
from tests.factories import (
    MONDAY,
    make_account,
    make_manager,
    make_pipeline,
    make_source,
    make_supervisor,
    make_trigger,
    make_user,
    stage,
)

pytestmark = pytest.mark.django_db

IMPORTS = "/admin/routing/leadimport/"
CSV = "Name;E-mail;Phone;Budget\nАнна;anna@client.example;+34600000001;1 200,50\nBob;;;\nCarla;carla@client.example;;much\n"


@pytest.fixture
def sue(client: Client) -> Client:
    client.force_login(make_supervisor())
    return client


def upload(client: Client, data: bytes, name: str = "leads.csv", **choices: str):
    return client.post(f"{IMPORTS}add/", {"file": SimpleUploadedFile(name, data), **choices})


def make_import(text: str | bytes, *, into: str = "sales/new", start: bool = True) -> LeadImport:
    data = text.encode() if isinstance(text, str) else text
    batch = keep_table(read_table(data), data, file_name="leads.csv", at=MONDAY, by=None, language="en")
    if start:
        start_import(batch, source=make_source(), stage=stage(into), at=MONDAY)
    return batch


def run(batch: LeadImport) -> Counter[str]:
    """Let the import run to its end, and return how many rows came out how."""
    while continue_import(batch.pk, at=MONDAY):
        pass
    return outcomes(batch)


def outcomes(batch: LeadImport) -> Counter[str]:
    return Counter(batch.rows.values_list("outcome", flat=True))


def table(rows: int) -> str:
    return "email,name\n" + "".join(f"client{n}@client.example,Client {n}\n" for n in range(rows))


# The page


def test_a_file_is_looked_at_before_anything_is_taken(sue):
    make_source()
    stage()
    response = upload(sue, CSV.encode("cp1251"))
    batch = LeadImport.objects.get()
    assert response.url == f"{IMPORTS}{batch.pk}/change/"
    page = sue.get(response.url).content.decode()
    assert "Windows-1251" in page
    assert "semicolon" in page
    assert "Анна" in page
    assert "2 of the first 3 rows would be refused" in page
    assert "“much” is not an amount" in page
    assert "Give a contact e-mail or phone" in page
    assert not Lead.objects.exists()


def test_the_columns_can_be_chosen_otherwise(sue):
    make_source()
    stage()
    batch = make_import(CSV, start=False)
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.post(address, filled(sue, address) | {"column_3": "fields", "preview": "1"}).content.decode()
    assert "1 of the first 3 rows would be refused" in page
    assert LeadImport.objects.get().columns[3] == "fields"
    page = sue.post(address, filled(sue, address) | {"column_2": "contact.email", "start": "1"}).content.decode()
    assert "Several columns are “Contact: e-mail”: “E-mail”, “Phone”" in page
    assert not LeadImport.objects.running().exists()


def test_rows_are_not_said_to_be_good_before_a_source_is_chosen(sue):
    phone, other = make_source(), make_source("site")
    stage()
    batch = make_import("Name;E-mail\nAnna;anna@client.example\nBob;no address\n", start=False)
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.get(address).content.decode()
    assert "The rows have not been checked yet" in page
    assert "would be refused." not in page
    chosen = filled(sue, address) | {"source": str(other.pk)}
    shown = sue.post(address, chosen | {"start": "1"})
    assert "1 of the first 2 rows would be refused" in shown.content.decode()
    assert "checked again" in messages(shown)
    assert not LeadImport.objects.running().exists()
    assert sue.post(address, form_in(shown) | {"source": str(phone.pk), "start": "1"}).status_code == 200
    assert not LeadImport.objects.running().exists()
    assert sue.post(address, form_in(shown) | {"start": "1"}).status_code == 302
    assert LeadImport.objects.running().get().source == other


def test_rows_that_are_known_already_are_announced(sue):
    make_source()
    stage()
    text = "External ID;E-mail\nA1;anna@client.example\nA2;bob@client.example\n"
    run(make_import(text))
    batch = make_import(text + "A3;cora@client.example\nA3;cora@client.example\n", start=False)
    page = sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    assert "3 of the first 4 rows are leads already known" in page


@pytest.mark.parametrize("language", ["en", "ru", "es"])
def test_the_columns_that_a_file_of_refused_rows_adds_are_left_out(sue, language):
    batch = make_import("Name;Hat size\n=cmd();x\n")
    run(batch)
    User.objects.update(language=language)
    text = b"".join(sue.get(f"{IMPORTS}{batch.pk}/refused.csv").streaming_content)
    assert make_import(text, start=False).columns == ["contact.name", "fields", "", ""]


def test_an_import_goes_from_the_page_to_the_leads(sue, django_capture_on_commit_callbacks):
    make_trigger(members=[make_manager()])
    make_source()
    upload(sue, CSV.encode())
    batch = LeadImport.objects.get()
    address = f"{IMPORTS}{batch.pk}/change/"
    assert "Import 1 row<" in sue.get(address).content.decode()
    assert sue.post(address, filled(sue, address) | {"start": "1"}).status_code == 302
    assert "0 of 3 rows" in sue.get(address).content.decode()
    assert run(LeadImport.objects.get()) == {"created": 1, "refused": 2}
    lead = Lead.objects.get()
    assert (lead.contact.name, lead.contact.phone, lead.budget) == ("Анна", "+34600000001", 1200.50)
    assert (lead.state, lead.external_id) == ("assigned", f"import-{batch.pk}-2")
    page = sue.get(f"{IMPORTS}{batch.pk}/progress/").content.decode()
    assert "3 of 3 rows" in page
    assert "hx-get" not in page


def test_refused_rows_come_back_as_a_file_that_can_be_mended_and_imported(sue):
    batch = make_import('Name;E-mail;Budget\n=cmd();x@client.example;much\n"+1";y@client.example;12\n')
    run(batch)
    response = sue.get(f"{IMPORTS}{batch.pk}/refused.csv")
    text = b"".join(response.streaming_content).decode()
    [header, row] = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert header == ["Name", "E-mail", "Budget", "Row", "Reason for the refusal"]
    assert row == ["'=cmd()", "x@client.example", "much", "2", "Budget: “much” is not an amount; write it as 1200.50"]
    mended = read_table(text.replace("much", "7").encode())
    assert mended.rows[0][1][:3] == ["=cmd()", "x@client.example", "7"]


def test_a_file_that_came_before_is_told(sue):
    make_source()
    stage()
    run(make_import(CSV))
    upload(sue, CSV.encode())
    again = LeadImport.objects.latest("pk")
    assert "The same file was already imported" in sue.get(f"{IMPORTS}{again.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "empty"), (b"\xd0\xcf\x11\xe0", "old or protected"), (b"PK\x03\x04", "workbook cannot be read")],
)
def test_what_is_no_table_is_refused_beside_the_box(sue, data, message):
    response = upload(sue, data)
    assert message in response.content.decode()
    assert not LeadImport.objects.exists()


def test_a_workbook_beyond_a_limit_is_refused_by_its_name_and_nothing_is_kept(sue, monkeypatch):
    with xlsx_file(["Name", "E-mail"], [["Ann", "ann@example.com"]]) as file:
        data = file.read()
    monkeypatch.setattr(reading, "LIMITS", replace(reading.LIMITS, parts=3))
    response = upload(sue, data, name="leads.xlsx")
    assert "consists of more than 3 parts. Remove pictures" in response.content.decode()
    assert not LeadImport.objects.exists()


def test_a_row_in_which_a_formula_failed_is_refused_and_can_be_fetched(sue):
    with xlsx_file(["E-mail", "Company"], [["ann@example.com", "#N/A"], ["bob@example.com", "Ruiz SL"]]) as file:
        data = file.read()
    assert run(make_import(data)) == {"created": 1, "refused": 1}
    text = b"".join(sue.get(f"{IMPORTS}{LeadImport.objects.get().pk}/refused.csv").streaming_content).decode()
    assert '"#N/A",2,"Column B (Company): the spreadsheet shows the error #N/A.' in text


def test_the_template_is_taken_as_it_is(sue):
    data = b"".join(sue.get(f"{IMPORTS}template.csv").streaming_content)
    assert run(make_import(data)) == {"created": 1}


def test_who_may_not_import_sees_no_import(client):
    batch = make_import(CSV, start=False)
    client.force_login(make_user("max", is_staff=True))
    for address in (
        "",
        "add/",
        "template.csv",
        f"{batch.pk}/change/",
        f"{batch.pk}/progress/",
        f"{batch.pk}/refused.csv",
    ):
        assert client.get(IMPORTS + address).status_code == 403, address
    assert client.post(f"{IMPORTS}{batch.pk}/change/", {"start": "1"}).status_code == 403


def test_an_import_can_be_stopped_and_keeps_what_it_took(sue):
    batch = make_import(table(ROWS_OF_A_BLOCK + 1))
    continue_import(batch.pk, at=MONDAY)
    response = sue.post(f"{IMPORTS}{batch.pk}/change/", {"stop": "1"})
    assert "already imported stay" in messages(response)
    assert not continue_import(batch.pk, at=MONDAY)
    assert outcomes(batch) == {"created": ROWS_OF_A_BLOCK, "": 1}
    assert not stop_import(batch, at=MONDAY)


def test_the_button_counts_what_will_be_taken(sue):
    make_source()
    stage()
    run(make_import("External ID;E-mail\nA1;anna@client.example\n"))
    text = "External ID;E-mail\nA1;anna@client.example\nA2;bob@client.example\nA2;bob@client.example\nA3;nobody\nA4;cora@client.example\n"
    batch = make_import(text, start=False)
    page = sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    assert "1 of the first 5 rows would be refused" in page
    assert "2 of the first 5 rows are leads already known" in page
    assert "Import 2 rows<" in page
    start_import(batch, source=make_source(), stage=stage(), at=MONDAY)
    assert run(batch) == {"created": 2, "known": 2, "refused": 1}


def test_a_long_file_is_counted_piece_by_piece(sue, monkeypatch):
    make_source()
    stage()
    monkeypatch.setattr("routing.admin.imports.AT_ONCE", 4)
    batch = make_import(table(9) + "nobody,Nobody\n", start=False)
    page = sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    assert "Checking: 4 of 10 rows" in page
    assert "Import the rows<" in page
    more = re.search(r'hx-get="([^"]+/count/[^"]*)"', page)[1].replace("&amp;", "&")
    assert "Checking: 8 of 10 rows" in sue.get(more).content.decode()
    part = sue.get(more).content.decode()
    assert "Import 9 rows<" in part
    assert "1 of the first 10 rows would be refused" in part
    assert "hx-get" not in part
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.post(address, filled(sue, address) | {"column_0": "contact.chat", "preview": "1"}).content.decode()
    assert "Checking: 4 of 10 rows" in page  # other choices begin anew
    start_import(batch, source=make_source(), stage=stage(), at=MONDAY)
    assert sue.get(more).status_code == 404


def test_every_fault_of_a_row_is_told_before_and_after(sue):
    make_source()
    stage()
    batch = make_import("Name;E-mail;Budget;Country code\nAnna;nobody;much;Spain\n", start=False)
    LeadImport.objects.update(columns=["contact.name", "contact.email", "budget", "country"])
    expected = (
        "Budget: “much” is not an amount; write it as 1200.50; Country, two letters: “Spain” is not a code such as ES; "
        "This is not a usable e-mail address."
    )
    assert expected in sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    batch.refresh_from_db()
    start_import(batch, source=make_source(), stage=stage(), at=MONDAY)
    run(batch)
    assert batch.rows.get().problem == expected


def test_the_same_person_twice_is_told_before(sue):
    make_source()
    stage()
    text = (
        "Name;E-mail;Phone\nEva;eva@client.example;+34 600 010 101\nBob;bob@client.example;\n"
        "Eva Ros;EVA@client.example ;\nE. Ros;;0034 600-010-101\nBobby;;+34 699 010 101\n"
        "Tom;;+34 600 010 101\nAnna;;+34 910 000 333 ext. 1\nAnna;;+34 910 000 333 ext. 2\n"
    )
    batch = make_import(text, start=False)
    page = sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    assert "2 people appear in several rows" in page
    assert "eva@client.example: rows 2, 4" in page
    assert "+34600010101: rows 2, 5" in page
    batch = make_import(table(3), start=False)
    assert "in several rows" not in sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()


def test_numbers_without_a_prefix_are_compared_by_the_country_of_their_row(sue):
    make_source()
    stage()
    text = "Phone;Country\n600 123 456;ES\n600 123 456;PT\n+34600123456;\n"
    batch = make_import(text, start=False)
    page = sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    assert "+34600123456: rows 2, 4" in page


DATES = "E-mail;Date\nanna@client.example;{}\nbob@client.example;{}\n"


def test_the_order_of_dates_is_worked_out_and_proposed(sue):
    make_source()
    stage()
    batch = make_import(DATES.format("03/02/2026", "02/20/2026 9:05 PM"), start=False)
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.get(address).content.decode()
    assert "The month comes first: 03/02/2026 = 2 March" in page
    assert filled(sue, address)["month_first"] == ["True"]
    assert "None of the first 2 rows" in page
    assert sue.post(address, filled(sue, address) | {"start": "1"}).status_code == 302
    assert run(LeadImport.objects.get()) == {"created": 2}
    arrived = Lead.objects.order_by("arrived_at").values_list("arrived_at", flat=True)
    assert [f"{at:%Y-%m-%d %H:%M}" for at in arrived] == ["2026-02-20 21:05", "2026-03-02 00:00"]


def test_where_nothing_shows_the_order_of_dates_it_is_asked_and_nothing_begins_before(sue):
    make_source()
    stage()
    batch = make_import(DATES.format("03/02/2026", "2026-02-01"), start=False)
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.get(address).content.decode()
    assert "nothing in the column shows whether “03/02/2026”" in page
    assert "None of the first 2 rows" in page
    response = sue.post(address, filled(sue, address) | {"start": "1"})
    assert response.status_code == 200
    assert not LeadImport.objects.running().exists()
    with pytest.raises(Conflict, match="03/02/2026"):
        start_import(batch, source=make_source(), stage=stage(), at=MONDAY)
    chosen = sue.post(address, filled(sue, address) | {"month_first": "False", "preview": "1"})
    assert "nothing in the column" not in chosen.content.decode()
    assert sue.post(address, form_in(chosen) | {"start": "1"}).status_code == 302
    run(LeadImport.objects.get())
    assert f"{Lead.objects.get(contact__email='anna@client.example').arrived_at:%d %m}" == "03 02"


def test_a_column_of_dates_in_two_orders_is_refused_in_words(sue):
    make_source()
    stage()
    batch = make_import(DATES.format("20/02/2026", "02/20/2026"), start=False)
    address = f"{IMPORTS}{batch.pk}/change/"
    for choice in ("", "True", "False"):
        page = sue.post(address, filled(sue, address) | {"month_first": choice, "start": "1"}).content.decode()
        assert "“20/02/2026” (row 2) has the day first, “02/20/2026” (row 3) the month" in page
    with pytest.raises(Conflict):
        start_import(batch, source=make_source(), stage=stage(), at=MONDAY)
    kept = sue.post(address, filled(sue, address) | {"column_1": "fields", "preview": "1"})
    assert "in two orders" not in kept.content.decode()
    assert sue.post(address, form_in(kept) | {"start": "1"}).status_code == 302
    run(LeadImport.objects.get())
    assert {lead.fields["Date"] for lead in Lead.objects.all()} == {"20/02/2026", "02/20/2026"}


def test_an_order_against_the_column_is_refused(sue):
    make_source()
    stage()
    batch = make_import(DATES.format("20/02/2026", "01/02/2026"), start=False)
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.post(address, filled(sue, address) | {"month_first": "True", "start": "1"}).content.decode()
    assert "“20/02/2026” (row 2) does not fit this order." in page
    assert not LeadImport.objects.running().exists()


def test_columns_of_one_field_are_offered_joined_and_nothing_is_lost(sue):
    make_source()
    stage()
    batch = make_import(
        "Phone;Mobile;Notes;Comment\n;+34 600 010 101;one;two\n+34 910 000 333;+34 600 010 102;;\n", start=False
    )
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.get(address).content.decode()
    assert "take the first filled cell of “Phone”, “Mobile”" in page
    assert "Comment: join “Notes”, “Comment”" in page
    joined = {"join_contact.phone": "on", "join_comment": "on"}
    shown = sue.post(address, filled(sue, address) | joined | {"start": "1"})
    assert shown.status_code == 200  # what will come of it was not shown yet
    assert LeadImport.objects.get().columns == ["contact.phone", "contact.phone", "comment", "comment"]
    assert sue.post(address, form_in(shown) | {"start": "1"}).status_code == 302
    assert run(LeadImport.objects.get()) == {"created": 2}
    first, second = Lead.objects.order_by("external_id")
    assert (first.contact.phone, first.comment, first.fields) == ("+34600010101", "one\ntwo", {})
    assert (second.contact.phone, second.fields) == ("+34910000333", {"Mobile": "+34 600 010 102"})


def test_two_columns_of_one_title_are_both_kept_and_it_is_told(sue):
    make_source()
    stage()
    batch = make_import("E-mail;Score;Score\nanna@client.example;1;2\n", start=False)
    page = sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    assert "Another column is titled “Score”. This one is kept as “Score (2)”." in page
    start_import(batch, source=make_source(), stage=stage(), at=MONDAY)
    run(batch)
    assert Lead.objects.get().fields == {"Score": "1", "Score (2)": "2"}


def test_the_new_leads_of_an_import_are_a_link_away(sue):
    run(make_import("External ID;E-mail\nA1;anna@client.example\n"))
    batch = make_import("External ID;E-mail\nA1;anna@client.example\nA2;bob@client.example\n")
    run(batch)
    page = sue.get(f"{IMPORTS}{batch.pk}/change/").content.decode()
    address = re.search(r'href="([^"]+/lead/[?]import=[^"]+)"', page)[1]
    leads = sue.get(address)
    assert [lead.external_id for lead in leads.context["cl"].result_list] == ["A2"]
    assert "leads.csv" in leads.content.decode()
    for wrong in ("x", "9" * 30, "-1", ""):
        assert sue.get(f"/admin/routing/lead/?import={wrong}").status_code in (200, 302)


# What becomes of the rows


def test_the_same_number_twice_is_one_lead():
    text = "external_id,email\nA1,a@client.example\nA1,a@client.example\n"
    assert run(make_import(text)) == {"created": 1, "known": 1}
    assert run(make_import(text)) == {"known": 2}
    assert Lead.objects.count() == 1


def test_the_sweep_alone_brings_an_import_to_its_end():
    rows = (IMPORTED + 1) * ROWS_OF_A_BLOCK
    batch = make_import(table(rows))
    sweep(at=MONDAY)
    assert outcomes(batch) == {"created": IMPORTED * ROWS_OF_A_BLOCK, "": ROWS_OF_A_BLOCK}
    sweep(at=MONDAY)
    sweep(at=MONDAY)
    assert outcomes(batch) == {"created": rows}
    assert LeadImport.objects.get().finished_at == MONDAY


def test_a_job_takes_one_block_and_rings_for_the_next(monkeypatch):
    rung = []
    monkeypatch.setattr(run_import, "delay", rung.append)
    batch = make_import(table(ROWS_OF_A_BLOCK + 1))
    run_import(batch.pk)
    assert (outcomes(batch)["created"], rung) == (ROWS_OF_A_BLOCK, [batch.pk])


@pytest.mark.parametrize("own_numbers", [True, False])
@pytest.mark.parametrize("requests_kept", [True, False])
def test_an_import_killed_after_its_leads_are_written_goes_on_without_doubles(monkeypatch, own_numbers, requests_kept):
    """The worker dies between the commit of the leads and the note of what became of the rows."""
    text = "external_id,email\n" if own_numbers else "tag,email\n"
    batch = make_import(text + "".join(f"N{n},client{n}@client.example\n" for n in range(30)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(imports, "_note", killed)
        with pytest.raises(KeyboardInterrupt):
            continue_import(batch.pk, at=MONDAY)
    assert (Lead.objects.count(), outcomes(batch)) == (30, {"": 30})
    if not requests_kept:  # pruned meanwhile: the numbers of the leads are there still
        IntakeRequest.objects.all().delete()
    found = run(batch)
    assert Lead.objects.count() == 30
    assert found == {"created" if requests_kept else "known": 30}
    assert batch.rows.filter(lead=None).count() == 0


def test_a_row_that_the_database_refuses_does_not_hold_up_the_others(monkeypatch):
    whole = imports.answer_leads

    def choosy(forms, **facts):
        if any(form["contact"].get("email") == "client3@client.example" for form in forms):
            raise DataError("it is too much")
        return whole(forms, **facts)

    monkeypatch.setattr(imports, "answer_leads", choosy)
    batch = make_import(table(6))
    assert run(batch) == {"created": 5, "refused": 1}
    assert batch.rows.get(outcome="refused").number == 5


def test_awkward_cells_are_taken_whole_or_refused_in_words():
    with data_path("naughty_strings/blns.json").open(encoding="utf-8") as file:
        strings = [text for text in json.load(file) if text.strip()]
    rows = io.StringIO()
    csv.writer(rows).writerows(
        [["email", "name", "comment"], *([f"c{n}@client.example", t, t] for n, t in enumerate(strings))]
    )
    batch = make_import(rows.getvalue())
    counts = run(batch)
    assert counts["created"] + counts["refused"] == len(strings)
    assert counts["created"] > len(strings) * 0.97
    assert all(row.problem for row in batch.rows.filter(outcome="refused"))


def test_opportunities_are_imported_where_there_is_a_company_to_reach():
    with data_path("maven_crm/sales_pipeline.csv").open("rb") as file:
        data = file.read()
    batch = make_import(data, start=False)
    assert batch.header[0] == "opportunity_id"
    LeadImport.objects.update(
        columns=["external_id", "fields", "product", "company.name", "fields", "arrived_at", "", "budget"]
    )
    make_account(time_zone="America/New_York")
    # A lead needs a name of its own beside the company: the number serves.
    LeadImport.objects.update(
        columns=["name", "fields", "product", "company.name", "fields", "arrived_at", "", "budget"]
    )
    start_import(batch, source=make_source(), stage=stage(), at=MONDAY)
    rows = batch.rows.exclude(block__lt=0)
    rows.filter(block__gte=2).delete()  # four hundred are enough
    expected = Counter("created" if cells[3] else "refused" for cells in rows.values_list("cells", flat=True))
    assert run(batch) == expected
    assert Lead.objects.filter(product="GTXPro").exists()
    lead = Lead.objects.get(name="1C1I7A6R")
    assert (lead.arrived_at.isoformat(), lead.company.name) == ("2016-10-20T04:00:00+00:00", "Cancity")


def test_leads_of_a_course_seller_are_imported_from_a_windows_file():
    with data_path("x_education/leads.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(300), strict=False)]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(["Lead Number", "E-mail", "Lead Source", "Country", "Город", "Tags"])
    for row in rows:
        person = f"lead{row['Lead Number']}@client.example" if row["Do Not Email"] == "No" else ""
        writer.writerow([row["Lead Number"], person, row["Lead Source"], row["Country"], row["City"], row["Tags"]])
    batch = make_import(text.getvalue().encode("cp1251"), into="sales/inbox")
    assert batch.columns == ["external_id", "contact.email", "fields", "fields", "fields", "tags"]
    expected = Counter("created" if row["Do Not Email"] == "No" else "refused" for row in rows)
    assert run(batch) == expected
    assert Lead.objects.filter(arrived_unqualified=True).count() == expected["created"]


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.django_db(transaction=True)
def test_thousands_of_rows_are_taken_fairly_and_once():
    anna, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[anna, bob])
    rows = by_night(10_000, by_day=2_000)
    batch = make_import(table(rows))
    assert run(batch) == {"created": rows}
    assert Lead.objects.filter(responsible=anna).count() == rows // 2


def test_a_pipeline_is_needed_to_import_into(sue):
    make_source()
    make_pipeline("spare", stages={"lost": "lost"})
    batch = make_import(CSV, start=False)
    address = f"{IMPORTS}{batch.pk}/change/"
    page = sue.post(address, filled(sue, address) | {"start": "1", "stage": ""}).content.decode()
    assert "Choose one." in page
    assert ImportRow.objects.exclude(outcome="").count() == 0
