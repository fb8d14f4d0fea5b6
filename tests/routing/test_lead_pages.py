"""Leads in the admin: the Unqualified section, the story of a lead, and leads as a file."""

from __future__ import annotations

import csv
import html
import io
import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import translation
from openpyxl import load_workbook

from accounts.models import Account, User
from routing.exceptions import Conflict
from routing.models import Lead, LeadEvent, LeadExport
from routing.services.offers import decline_offer
from routing.services.stages import qualify_lead
from tests.admin_pages import messages
from tests.factories import (
    MINUTE,
    MONDAY,
    asking_acceptance,
    fresh,
    make_account,
    make_contact,
    make_lead,
    make_manager,
    make_source,
    make_supervisor,
    make_trigger,
    make_user,
    open_offer,
    stage,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db

LEADS, INBOX = "/admin/routing/lead/", "/admin/routing/unqualifiedlead/"


@pytest.fixture
def sue(client: Client) -> Client:
    stage()  # there is a pipeline
    client.force_login(make_supervisor())
    return client


# The Unqualified section


def test_the_section_lists_what_stands_there(sue):
    inside, outside = take(unqualified=True, comment="Call me"), take()
    page = sue.get(INBOX).content.decode()
    assert str(inside.pk) in page
    assert "Call me" in page
    assert str(outside.pk) not in page
    assert f"{LEADS}{inside.pk}/act/accept/" in sue.get(f"{INBOX}{inside.pk}/change/").content.decode()
    page = sue.get(f"{LEADS}{inside.pk}/change/").content.decode()
    assert f"{LEADS}{inside.pk}/act/accept/" in page
    assert f"{LEADS}{outside.pk}/act/accept/" not in sue.get(f"{LEADS}{outside.pk}/change/").content.decode()


def test_leads_are_accepted_together_and_distributed_by_the_stage(sue):
    leads = take_some(4, unqualified=True)
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    page = sue.post(INBOX, {"action": "accept_selected", "_selected_action": [str(each.pk) for each in leads]})
    assert "For these 4 leads" in page.content.decode()
    sent = {"lead": [str(each.pk) for each in leads], "stage": str(stage("sales/new").pk), "manager": ""}
    response = sue.post(f"{LEADS}act/accept/", sent)
    assert response.url == INBOX
    assert "Accepted: 4." in messages(response)
    assert sorted(fresh(each).responsible.user.name for each in leads) == ["Ann", "Ann", "Bob", "Bob"]
    assert all(fresh(each).arrived_unqualified for each in leads)  # the ring counts them still
    again = sue.post(f"{LEADS}act/accept/", sent)
    assert "no longer unqualified" in messages(again)


def test_a_lead_is_accepted_for_a_manager_whatever_the_trigger_says(sue):
    lead = take(unqualified=True)
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann])
    sue.post(f"{LEADS}{lead.pk}/act/accept/", {"stage": stage("sales/new").pk, "manager": bob.pk})
    lead = fresh(lead)
    assert (lead.stage.code, lead.responsible, lead.state) == ("new", bob, "assigned")
    assert not lead.decisions.exists()
    assert [e.kind for e in LeadEvent.objects.filter(lead=lead).order_by("id")] == ["moved", "reassigned"]


def test_a_lead_is_declined_with_a_reason(sue):
    lead = take(unqualified=True)
    address = f"{LEADS}{lead.pk}/act/decline/"
    sue.post(address, {"stage": stage("sales/lost").pk, "reason": ""})
    assert fresh(lead).stage.code == "inbox"
    sue.post(address, {"stage": stage("sales/lost").pk, "reason": "junk"})
    assert fresh(lead).stage.code == "lost"
    assert LeadEvent.objects.get(lead=lead).data["reason"] == "junk"
    assert "junk" in sue.get(f"{LEADS}{lead.pk}/change/").content.decode()


def test_the_section_is_hidden_where_it_is_off_or_not_ones_business(sue, client):
    lead = take(unqualified=True)
    make_account(unqualified=False)
    page = sue.get("/admin/").content.decode()
    assert INBOX not in page
    assert sue.get(INBOX).status_code == 403
    assert sue.post(f"{LEADS}{lead.pk}/act/accept/", {"stage": stage("sales/new").pk}).status_code == 403
    Account.objects.update(unqualified=True)
    assert INBOX in sue.get("/admin/").content.decode()
    client.force_login(make_user("max", is_staff=True))
    assert client.get(INBOX).status_code == 403
    assert fresh(lead).stage.code == "inbox"


def test_a_manager_who_is_gone_gets_no_lead_from_the_section(sue):
    lead, bob = take(unqualified=True), make_manager("bob", active=False)
    with pytest.raises(Conflict):
        qualify_lead(lead.pk, stage("sales/new").pk, manager_id=bob.pk, at=MONDAY)
    assert fresh(lead).stage.code == "inbox"


# The story of a lead


def test_all_that_happened_stands_in_one_list_in_its_order(sue):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], method="direct", **asking_acceptance())
    lead = take()
    decline_offer(open_offer(lead).lead_id, at=MONDAY + MINUTE, by=ann.user, reason="no time")
    sue.post(f"{LEADS}{lead.pk}/act/reassign/", {"manager": ann.pk, "count": "on", "reason": "her customer"})
    sue.post(f"{LEADS}{lead.pk}/act/credit-back/", {"reason": "a duplicate"})
    sue.post(f"{LEADS}{lead.pk}/act/move/", {"stage": stage("sales/won").pk})
    page = sue.get(f"{LEADS}{lead.pk}/change/").content.decode()
    story = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index("lr-timeline") :]))
    expected = [
        "Arrived from", "Ann declined it: no time", "It was assigned by hand and cost Ann a turn",
        "The offer to Bob was withdrawn", "a duplicate", "Moved from sales/new to sales/won",
    ]  # fmt: skip
    places = [story.index(words) for words in expected]
    assert places == sorted(places)


# Leads as a file


def export(client: Client, kind: str = "csv", **asked: str) -> list[list[str]]:
    response = client.post(f"{LEADS}export.{kind}", query_params=asked)
    assert response.status_code == 200
    data = b"".join(response.streaming_content)
    if kind == "xlsx":
        rows = load_workbook(io.BytesIO(data)).active.iter_rows(values_only=True)
        return [["" if cell is None else str(cell) for cell in row] for row in rows]
    return list(csv.reader(io.StringIO(data.decode().removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_leads_are_exported_as_text_by_the_filters_of_the_list(sue, kind):
    contact = make_contact(name="=cmd()", phone="+34600010100")
    make_lead(name="@SUM(A1)", contact=contact, comment="-1+1")
    make_lead(name="Other", state="idle", source=make_source("phone", channel="phone"))
    header, row = export(sue, kind, source__id__exact=str(make_source().pk))
    cells = dict(zip(header, row, strict=True))
    mark = "'" if kind == "csv" else ""
    assert (cells["Lead"], cells["Contact"], cells["Phone"]) == (
        f"{mark}@SUM(A1)",
        f"{mark}=cmd()",
        f"{mark}+34600010100",
    )
    assert (cells["Comment"], cells["Created at"]) == (f"{mark}-1+1", "2026-03-02 10:00:00+00:00")
    written = LeadExport.objects.get()
    assert (written.leads, written.kind, written.by.name) == (1, kind, "Sue")
    assert written.filters == {"source__id__exact": [str(make_source().pk)]}


def test_only_who_has_the_right_takes_leads_out_of_the_house(client):
    make_lead()
    max_ = make_user("max", is_staff=True)
    max_.user_permissions.add(Permission.objects.get(codename="view_lead"))
    client.force_login(max_)
    assert client.get(LEADS).status_code == 200
    assert "export.csv" not in client.get(LEADS).content.decode()
    assert client.post(f"{LEADS}export.csv").status_code == 403
    assert not LeadExport.objects.exists()


def test_a_mere_link_takes_no_leads_out(sue):
    make_lead()
    assert sue.get(f"{LEADS}export.csv").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(email="sue@example.com"))
    assert strict.post(f"{LEADS}export.csv").status_code == 403
    assert not LeadExport.objects.exists()
    page = strict.get(LEADS, {"q": "ana@client"}).content.decode()
    [button] = re.findall(r'<form method="post" action="([^"]*export\.csv[^"]*)">.*?value="([^"]+)"', page)
    assert button[0] == f"{LEADS}export.csv?q=ana%40client"
    answer = strict.post(button[0], {"csrfmiddlewaretoken": button[1]})
    assert answer.status_code == 200
    assert LeadExport.objects.get().filters == {"q": ["ana@client"]}


def test_the_exports_say_in_words_by_what_was_filtered(sue):
    asked = {
        "q": "ana & co", "state__exact": "waiting", "source__id__exact": make_source().pk,
        "stage__id__exact": stage("sales/new").pk, "created_at__gte": "2026-03-02 00:00Z",
        "responsible__id__exact": make_manager("bob").pk,
    }  # fmt: skip
    export(sue, **asked)
    export(sue)
    page = html.unescape(sue.get("/admin/routing/leadexport/").content.decode())
    said = re.findall(r'(?s)<a class="lr-link" href="[^"]*">(.*?)</a>', page)
    assert {frozenset(each.split("; ")) for each in said} == {
        frozenset({"all leads"}),
        frozenset({
            "search: ana & co", "state: waiting", "source: landing", "stage: sales/new", "responsible: Bob",
            "created at ≥ 2026-03-02 00:00Z",
        }),
    }  # fmt: skip
    [link] = [link for link in re.findall(r'href="([^"]*routing/lead/[^"]*)"', page) if "state__exact" in link]
    assert sue.get(link).context["cl"].get_filters_params() == {
        name: [str(v)] for name, v in asked.items() if name != "q"
    }
    one = html.unescape(sue.get(f"/admin/routing/leadexport/{LeadExport.objects.last().pk}/change/").content.decode())
    assert "search: ana & co" in one


def test_lists_show_words_and_no_codes(sue):
    make_trigger(members=[make_manager()])
    take(at=MONDAY)
    make_lead(state="idle")
    User.objects.update(language="es")
    leads, decisions = sue.get(LEADS).content.decode(), sue.get("/admin/routing/decision/").content.decode()
    with translation.override("es"):
        assert str(Lead.State.IDLE.label) != "idle"
        assert re.search(rf">\s*{Lead.State.IDLE.label}\s*<", leads)
    assert not re.search(r">\s*(idle|assigned)\s*<", leads)
    assert not re.search(r">\s*(fair_share|assigned|nobody)\s*<", decisions)


def test_a_refusal_is_said_in_the_readers_language(sue):
    lead = take()
    User.objects.update(language="es")
    answer = sue.post(f"{LEADS}{lead.pk}/act/credit-back/", {"reason": "junk"})
    with translation.override("es"):
        assert (
            messages(answer) == f"{lead}: {translation.gettext('This lead did not count for its responsible manager.')}"
        )


def test_a_search_is_exported_as_it_was_found(sue):
    lead = take(contact={"email": "ana@client.example"})
    take()
    rows = export(sue, q="ana@client")
    assert [row[0] for row in rows[1:]] == [str(lead.pk)]
    assert Lead.objects.count() == 2
