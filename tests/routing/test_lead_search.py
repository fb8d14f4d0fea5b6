"""The lists of leads and contacts find people as others write them: by names, by numbers as they are dialled, by domains."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from routing.admin import search
from routing.models import Lead, LeadExport
from tests.effort import by_night
from tests.factories import MONDAY, make_account, make_contact, make_lead, make_source, make_supervisor, stage, take

pytestmark = pytest.mark.django_db

LEADS, CONTACTS = "/admin/routing/lead/", "/admin/routing/contact/"


@pytest.fixture
def sue(client: Client) -> Client:
    stage()
    make_account(country="US")
    client.force_login(make_supervisor())
    return client


def found(client: Client, address: str = LEADS, **asked: str) -> list[Lead]:
    return list(client.get(address, asked).context["cl"].result_list)


NAMES = ("Rossi", "rossi", "Boris Rossi", "Rossi, Boris", "Ross", "GTX Plus", "gtx-plus", "GTX Plus Basic: Boris Rossi")
NUMBERS = ("(404) 555-0159", "4045550159", "404-555-0159", "+1 404 555 0159", "14045550159")
MAIL = ("example.com", "boris.rossi@example.com", "boris.rossi")


@pytest.mark.parametrize("country", ["US", "ES", ""])
def test_a_lead_is_found_as_people_write_it(sue, country):
    make_account(country=country)
    contact = {"name": "Boris Rossi", "email": "boris.rossi@example.com", "phone": "+14045550159"}
    wanted = take(name="GTX-Plus Basic: Boris Rossi", contact=contact)
    take(
        name="MG Special: Ana Ruiz",
        contact={"name": "Ana Ruiz", "email": "ana@client.example", "phone": "+34600010100"},
    )
    for term in (*NUMBERS, *(NAMES + MAIL if country == "US" else ())):  # a country decides how numbers are read
        assert found(sue, q=term) == [wanted], term


def test_a_number_with_the_zero_that_a_country_dials_is_found(sue):
    make_account(country="DE")
    wanted = take(contact={"email": "bo@client.example", "phone": "+4930901820"})
    for term in ("030 901820", "030 90", "309"):
        assert found(sue, q=term) == [wanted], term


def test_of_a_common_word_the_newest_are_found(sue, monkeypatch):
    monkeypatch.setattr(search, "COMMON", 4)  # all who have "tour" are looked at, of "demo" the newest
    monkeypatch.setattr(search, "MOST_FOUND", 2)
    made = [make_lead(name=name) for name in ("Demo", "Demo tour", "Tour", "Demo", "Demo tour", "Demo")]
    assert found(sue, q="tour") == [made[4], made[2]]
    assert found(sue, q="demo") == [made[5], made[4]]
    assert found(sue, q="tour demo") == [made[4], made[1]]


def test_a_contact_is_found_by_name(sue):
    wanted = make_contact(name="Zoë O'Neil", phone="+14045550159")
    make_contact("bo@client.example", name="Bo")
    for term in ("zoë", "O'Neil", "neil zoë", "(404) 555-0159"):
        assert found(sue, CONTACTS, q=term) == [wanted], term


SIGNS = (
    "a & !b", "'", "''", "\\", "a\\", "'a':*", "(", "|", "!", "<->", ":*", "a:b", "--", "%", "_", "a'b\\'c", "ﬀ", "𝄞", "🙂",
)  # fmt: skip


@pytest.mark.thorough
def test_no_sign_in_a_search_is_an_operator(sue):
    make_lead(name="Somebody")
    for term in by_night(SIGNS, by_day=SIGNS[::3]):
        assert found(sue, q=term) == [], term
        assert found(sue, CONTACTS, q=term) == [], term


def test_words_are_looked_up_in_an_index(sue):
    with CaptureQueriesContext(connection) as captured:
        search.people_found("Boris Rossi")
        search.people_found("404 555 0159")
    asked = [query["sql"] for query in captured.captured_queries if "to_tsvector" in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for query in asked:
            cursor.execute("EXPLAIN " + query)
            plan = "\n".join(line for (line,) in cursor.fetchall())
            assert "Index Cond" in plan, plan
            assert "Seq Scan on routing" not in plan, plan


def test_leads_are_filtered_by_the_day_they_came_and_by_pipeline(sue):
    source = make_source()
    old, other = take(), make_lead(in_stage="partners/new", source=source)
    late = make_lead(source=source, created_at=MONDAY.replace(day=MONDAY.day + 1))
    asked = {"created_at__gte": str(late.created_at), "created_at__lt": "2100-01-01 00:00:00+00:00"}
    assert found(sue, **asked) == [late]
    assert found(sue, stage__pipeline__id__exact=str(other.stage.pipeline_id)) == [other]
    assert set(found(sue)) == {old, other, late}


def test_leads_are_filtered_from_one_day_to_another_by_the_readers_clock(sue):
    make_account(time_zone="Europe/Madrid")
    source = make_source()
    at = [datetime(2026, 3, day, hour, 30, tzinfo=UTC) for day, hour in ((1, 22), (1, 23), (3, 22), (3, 23))]
    leads = [make_lead(source=source, created_at=each, name=f"{each}") for each in at]
    days = {"created_at_from": "2026-03-02", "created_at_to": "2026-03-03"}  # in Madrid an hour ahead
    assert found(sue, **days) == [leads[2], leads[1]]
    assert found(sue, created_at_from="2026-03-04") == [leads[3]]
    assert found(sue, created_at_to="2026-03-01") == [leads[0]]
    assert found(sue, created_at_from="", created_at_to="") == leads[::-1]
    page = sue.get(LEADS, days).content.decode()
    boxes = re.findall(r'<input type="date" name="(created_at_\w+)" value="([\d-]+)"', page)
    assert dict(boxes) == days
    asked = days | {"state__exact": "", "q": ""}  # boxes that nobody filled
    assert sue.post(f"{LEADS}export.csv", query_params=asked).status_code == 200
    assert LeadExport.objects.get().filters == {end: [day] for end, day in days.items()}
    said = html.unescape(sue.get("/admin/routing/leadexport/").content.decode())
    assert "created at ≥ 2026-03-02" in said
    assert "created at ≤ 2026-03-03" in said


@pytest.mark.parametrize("day", ["2026-02-30", "9999-12-31", "0001-01-01", "-1", "'", "\x00"])
def test_a_day_that_is_none_is_refused(sue, day):
    make_lead()
    for end in ("from", "to"):
        answer = sue.get(LEADS, {f"created_at_{end}": day})
        assert answer.status_code in (200, 302), answer
        assert answer.status_code == 200 or answer.headers["Location"].endswith("?e=1")
