"""What is sent again, on pages and in files: told where people look, counted as no lead, and forgotten with the person."""

import csv
import io
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils.html import escape

from accounts.time import clock
from reports import queries
from reports.pages import conversion
from routing.models import Activity, Lead, RefusedIntake, Source
from routing.personal_data.people import find
from routing.personal_data.retention import prune
from routing.personal_data.rights import erase_person, export_person
from routing.services.imports import continue_import, keep_table, start_import
from routing.services.intake import take_lead
from routing.services.stages import move_lead
from routing.spreadsheets.reading import read_table
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    make_account,
    make_manager,
    make_source,
    make_supervisor,
    make_trigger,
    stage,
)
from tests.reports.asking import asked, table

pytestmark = pytest.mark.django_db
ANA = {"name": "Ana Ruiz", "email": "ana@client.example"}


@pytest.fixture
def ann():
    manager = make_manager("ann")
    make_trigger(members=[manager])
    return manager


@pytest.fixture
def sue(client):
    client.force_login(make_supervisor())
    return client


@pytest.fixture
def sent(ann):
    """A lead, its double click, and a letter."""
    now = clock.now()
    landing, mailbox = make_source(), make_source("mailbox", channel="mail")
    lead = take_lead({"name": "Demo", "contact": ANA, "comment": "Call me"}, source_id=landing.pk, at=now - HOUR)
    take_lead(
        {"name": "Demo", "contact": {**ANA, "phone": "+34600010101"}, "comment": "Call me", "utm": {"source": "ads"}},
        source_id=landing.pk,
        at=now - HOUR,
    )
    letter = {"name": "Re: Demo", "contact": ANA, "comment": "When do you <b>call</b>?", "budget": Decimal("7.50")}
    take_lead({**letter, "external_id": "<ana@client.example/1>"}, source_id=mailbox.pk, at=now)
    return Lead.objects.get(pk=lead.lead_id)


def test_the_lead_says_what_came_after_it_and_why_it_is_no_lead(sue, sent):
    page = sue.get(f"/admin/routing/lead/{sent.pk}/change/").content.decode()
    assert "Heard from again, from mailbox (mail): an activity of this open lead, and no new lead." in page
    assert "Comment: When do you &lt;b&gt;call&lt;/b&gt;?" in page
    assert "Budget: 7.50" in page
    assert "Sent twice within 10 minutes from landing: one lead. This was different:" in page
    assert "Contact: phone: +34600010101" in page
    assert "UTM: source: ads" in page
    assert page.count("Comment: Call me") == 0  # that was the same


def test_nothing_different_is_told_in_a_sentence(sue, sent):
    Activity.objects.all().delete()
    take_lead({"name": "Demo", "contact": ANA, "comment": "Call me"}, source_id=make_source().pk, at=sent.arrived_at)
    page = sue.get(f"/admin/routing/lead/{sent.pk}/change/").content.decode()
    assert "Sent twice within 10 minutes from landing: one lead.<" in page


def test_the_manager_sees_it_on_the_desk_and_on_the_lead(client, ann, sent):
    client.force_login(ann.user)
    desk = client.get("/me/").content.decode()
    assert "Heard from again" in desk
    assert "When do you &lt;b&gt;call&lt;/b&gt;?" in desk
    assert "+34600010101" in desk  # among the contact's numbers
    assert "Sent twice" not in desk
    page = client.get(f"/me/leads/{sent.pk}/").content.decode()
    assert "Heard from again, from mailbox" in page
    assert "Sent twice within 10 minutes" in page


def test_the_desk_tells_it_of_active_leads_for_a_week(client, ann, sent):
    client.force_login(ann.user)
    Activity.objects.update(created_at=clock.now() - timedelta(days=8))
    assert "Heard from again" not in client.get("/me/").content.decode()
    Activity.objects.update(created_at=clock.now())
    assert "Heard from again" in client.get("/me/").content.decode()
    move_lead(sent.pk, stage("sales/lost").pk, at=clock.now())
    assert "Heard from again" not in client.get("/me/").content.decode()


def test_nobody_sees_what_was_sent_after_the_leads_of_others(client, ann, sent):
    client.force_login(make_manager("bob").user)
    assert "Heard from again" not in client.get("/me/").content.decode()


def test_the_exported_file_has_it(sue, sent):
    answer = sue.post("/admin/routing/lead/export.csv")
    header, row = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    told = dict(zip(header, row, strict=True))["Activities"].split("\n")
    assert len(told) == 2
    assert "mail · Lead name: Re: Demo · Budget: 7.50 · Comment: When do you <b>call</b>?" in told[1]
    assert "repeat" in told[0]
    assert "Contact: phone: +34600010101" in told[0]


def test_reports_count_it_as_no_lead(sent):
    today = clock.now().date().isoformat()
    yesterday = (clock.now() - DAY).date().isoformat()
    question = asked(yesterday, today)
    assert sum(row[1] for row in table(conversion, "sources", question)) == 1
    assert sorted(table(conversion, "activities", question)) == [("landing", 1), ("mailbox", 1)]
    assert ("Activities", "2") in [(str(name), value) for name, value in conversion.content(question).facts]
    mine = asked(yesterday, today, source=Source.objects.get(code="mailbox").pk)
    assert table(conversion, "activities", mine) == [("mailbox", 1)]
    ring = queries.sources(make_account(), period="week", on=date.fromisoformat(today))
    assert ring.total == 0


def test_a_person_is_given_it_and_it_is_erased_with_them(sent):
    person = find(email="ana@client.example")
    places = export_person(person, at=clock.now())["places"]
    assert [row["data"].get("comment") for row in places["routing.Activity"]] == ["Call me", "When do you <b>call</b>?"]
    erase_person(person, at=clock.now())
    rows = list(Activity.objects.order_by("created_at").values_list("data", "as_sent", "external_id"))
    assert [row[:2] for row in rows] == [({}, None), ({}, None)]
    assert rows[1][2].startswith("erased-")
    assert Lead.objects.get().click_key is None


def test_who_wrote_lately_is_not_forgotten(sent, settings):
    settings.RETENTION = {**settings.RETENTION, "PERSON_DAYS": 30}
    move_lead(sent.pk, stage("sales/lost").pk, at=clock.now())
    long_ago = clock.now() - timedelta(days=40)
    Lead.objects.update(created_at=long_ago)
    sent.contact.created_at = long_ago
    sent.contact.save()
    assert "people" not in prune(at=clock.now())
    Activity.objects.update(created_at=long_ago)
    assert prune(at=clock.now())["people"] == 1


def test_try_it_says_that_it_would_be_an_activity(sue, sent):
    trigger = sent.trigger_id
    address = f"/admin/routing/trigger/{trigger}/try/"
    words = "This person has an open lead: Demo. From these sources it would be an activity of that lead"
    page = sue.post(address, {"email": "ana@client.example", "fields": "{}"}).content.decode()
    assert words in page
    assert "and no trigger would run: mailbox." in page
    assert words not in sue.post(address, {"email": "bea@client.example", "fields": "{}"}).content.decode()
    make_account(repeat_hours=0)
    assert words not in sue.post(address, {"email": "ana@client.example", "fields": "{}"}).content.decode()


def test_a_lead_entered_by_hand_twice_is_said_to_be_there(sue, ann):
    form = {"name": "Demo", "contact_name": "Ana", "email": "ana@client.example", "source": make_source().pk}
    assert "The lead was created" in sue.post("/admin/enter-lead/", form, follow=True).content.decode()
    assert (
        "The same was sent within the last 10 minutes"
        in sue.post("/admin/enter-lead/", form, follow=True).content.decode()
    )
    assert Lead.objects.count() == 1


def test_what_is_taken_from_the_journal_may_be_an_activity(sue, sent):
    body = b'{"contact": {"email": "ana@client.example"}, "comment": "Lost and found"}'
    refused = RefusedIntake.objects.create(
        at=clock.now(), source=Source.objects.get(code="mailbox"), code="x", problem={}, body=body, size=len(body)
    )
    page = sue.post(
        f"/admin/routing/refusedintake/{refused.pk}/take/", {"body": body.decode()}, follow=True
    ).content.decode()
    assert escape("This person has an open lead. What was sent is now an activity of it.") in page
    assert Activity.objects.filter(data__comment="Lost and found").exists()


def test_the_source_says_it_on_its_page(sue):
    source = make_source()
    address = f"/admin/routing/source/{source.pk}/change/"
    page = sue.get(address).content.decode()
    assert "Double clicks are one lead" in page
    assert "by the channel: mail an activity, others a lead" in page


# Imports


def batch_of(text):
    data = text.encode()
    return keep_table(read_table(data), data, file_name="a.csv", at=clock.now(), by=None, language="en")


FILE = """Name,E-mail,Comment
Ana,ana@client.example,Call me
Bea,bea@client.example,Call me
Ana,ana@client.example,Call me
Ana,ana@client.example,Write to me
Ana,ana@client.example,Call me
"""


def test_a_row_that_is_there_twice_is_one_lead_and_is_told_before(sue, ann):
    make_source()
    batch = batch_of(FILE)
    page = sue.get(f"/admin/routing/leadimport/{batch.pk}/change/").content.decode()
    assert "2 of the first 5 rows are the same as a row before them." in page
    assert "Import 3 rows" in page
    assert "ana@client.example: rows 2, 4, 5, 6" in page
    start_import(batch, source=make_source(), stage=stage(), at=clock.now())
    while continue_import(batch.pk, at=clock.now()):
        pass
    assert list(batch.rows.values_list("outcome", flat=True)) == ["created", "created", "known", "created", "known"]
    assert len(set(batch.rows.filter(number__in=(2, 4, 6)).values_list("lead", flat=True))) == 1
    assert Lead.objects.count() == 3


def test_rows_of_nobody_and_of_a_source_that_counts_clicks_are_leads(sue, ann):
    strangers = batch_of("Name,Company\nAna,Ruiz SL\nAna,Ruiz SL\n")
    clicked = batch_of(FILE)
    for batch, source in ((strangers, make_source()), (clicked, make_source("counts", double_click=False))):
        start_import(batch, source=source, stage=stage(), at=clock.now())
        while continue_import(batch.pk, at=clock.now()):
            pass
        assert set(batch.rows.values_list("outcome", flat=True)) == {"created"}


def test_rows_are_leads_whatever_the_source_makes_of_letters(ann):
    mailbox = make_source("mailbox", channel="mail")
    batch = batch_of(FILE)
    start_import(batch, source=mailbox, stage=stage(), at=clock.now())
    while continue_import(batch.pk, at=clock.now()):
        pass
    assert (Lead.objects.count(), Activity.objects.count()) == (3, 0)
    later = {"contact": ANA, "comment": "Hello?"}
    assert not take_lead(later, source_id=mailbox.pk, at=clock.now() + MINUTE).created
