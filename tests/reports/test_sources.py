"""The ring of sources, from rows to what programs and people are shown."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from PIL import Image

from accounts.models import Account
from reports.drawing import PALETTE
from reports.queries import sources
from routing.models import ApiKey, Lead, Source
from tests.data import data_path
from tests.factories import make_account, make_lead, make_manager, make_source, make_supervisor, make_user, stage

pytestmark = pytest.mark.django_db

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
CHANNELS = ("site", "phone", "mail", "api", "chat")
# Five of the origins of Olist's leads, each as a channel of its own.
ORIGINS = {
    "organic_search": "site",
    "unknown": "phone",
    "email": "mail",
    "paid_search": "api",
    "social": "chat",
}


def arrive(channel: str, at: datetime, *, number: int = 1, **facts: object) -> None:
    source = make_source(f"a-{channel}", channel=channel)
    one = make_lead(source=source, arrived_at=at, arrived_unqualified=True, **facts)
    Lead.objects.bulk_create(
        Lead(source=source, stage=one.stage, arrived_at=at, created_at=at, arrived_unqualified=True)
        for _ in range(number - 1)
    )


def counts(period: str, on: date) -> dict[str, int]:
    return {arc.channel: arc.count for arc in sources(Account.get(), period=period, on=on).arcs if arc.count}


# What is counted


def test_a_lead_that_was_qualified_since_still_counts_and_one_that_never_was_unqualified_does_not():
    arrive("site", datetime(2026, 3, 2, 9, tzinfo=UTC), in_stage="sales/won")
    make_lead(source=make_source("b", channel="mail"), in_stage="sales/inbox")
    assert counts("day", date(2026, 3, 2)) == {"site": 1}


def test_a_period_begins_at_midnight_of_the_account_and_ends_before_the_next():
    make_account(time_zone="Asia/Kathmandu")  # UTC+05:45
    midnight = datetime(2026, 3, 1, 18, 15, tzinfo=UTC)
    arrive("site", midnight)
    arrive("phone", midnight - timedelta(microseconds=1))
    arrive("mail", midnight + timedelta(hours=24))
    assert counts("day", date(2026, 3, 2)) == {"site": 1}
    assert counts("week", date(2026, 3, 5)) == {"site": 1, "mail": 1}  # from Monday, 2 March
    assert counts("month", date(2026, 3, 31)) == {"site": 1, "phone": 1, "mail": 1}


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 10, 25), 25), (date(2026, 3, 29), 23), (date(2026, 3, 28), 24)])
def test_a_day_on_which_the_clock_changes_has_all_its_hours_and_no_more(day, hours):
    zone = ZoneInfo("Europe/Madrid")
    make_account(time_zone="Europe/Madrid")
    begin = datetime.combine(day, time(), zone).astimezone(UTC)
    for hour in range(-1, 26):
        arrive("site", begin + timedelta(hours=hour, minutes=30))
    assert counts("day", day) == {"site": hours}


@pytest.fixture
def olist() -> None:
    """Write Olist's leads of these origins, by turns at the first and the last second of their day."""
    make_account(time_zone="America/Sao_Paulo")  # 17 February 2018 has 25 hours there
    made = {channel: make_source(channel, channel=channel) for channel in CHANNELS}
    inbox, leads = stage("sales/inbox"), []
    with data_path("olist_funnel/marketing_qualified_leads.csv").open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            if row["origin"] in ORIGINS:
                clock = time(23, 59, 59) if number % 2 else time()
                at = datetime.combine(date.fromisoformat(row["first_contact_date"]), clock, SAO_PAULO)
                leads.append(
                    Lead(
                        source=made[ORIGINS[row["origin"]]],
                        stage=inbox,
                        arrived_unqualified=True,
                        arrived_at=at,
                        created_at=at,
                    )
                )
    Lead.objects.bulk_create(leads)


RINGS = [  # as data/README.md has them: channel, leads, degrees, from the outermost
    ("day", date(2018, 2, 1), [("site", 13, 270.0), ("chat", 10, 207.7), ("phone", 8, 166.2), ("api", 8, 166.2),
                               ("mail", 4, 83.1)]),
    ("week", date(2018, 2, 7), [("site", 76, 270.0), ("api", 54, 191.8), ("chat", 42, 149.2), ("phone", 37, 131.4),
                                ("mail", 22, 78.2)]),
    ("month", date(2018, 2, 28), [("site", 291, 270.0), ("api", 212, 196.7), ("phone", 156, 144.7),
                                  ("chat", 156, 144.7), ("mail", None, None)]),
]  # fmt: skip


@pytest.mark.slow
def test_the_rings_of_olist_are_those_that_were_published_and_its_days_add_up_to_its_months(olist):
    for period, on, rings in RINGS:
        report = sources(Account.get(), period=period, on=on)
        found = sorted((arc for arc in report.arcs if arc.ring), key=lambda arc: arc.ring)
        assert [arc.channel for arc in found] == [channel for channel, _, _ in rings]
        for arc, (_, leads, degrees) in zip(found, rings, strict=True):
            assert leads is None or (arc.count, round(arc.angle, 1)) == (leads, degrees)
    days = Counter[str]()
    for number in range(28):
        days.update(counts("day", date(2018, 2, 1) + timedelta(days=number)))
    assert days == Counter(counts("month", date(2018, 2, 1)))


def test_the_ring_takes_two_statements_however_many_leads(django_assert_num_queries):
    account = make_account()
    for channel in CHANNELS:
        arrive(channel, datetime(2026, 3, 2, 9, tzinfo=UTC), number=3)
    with django_assert_num_queries(2):
        assert sources(account, period="day", on=date(2026, 3, 2)).total == 15


# Programs


def api(path: str = "", **owner: object):
    key = ApiKey(name="k", scopes=["read"], **owner)
    secret = key.renew()
    key.save()
    return Client().get(f"/api/v1/reports/sources{path}", headers={"authorization": f"Bearer {secret}"})


def test_programs_are_told_the_ring_with_the_bounds_of_its_period():
    make_account(time_zone="Europe/Madrid", channel_chat=False)
    arrive("phone", datetime(2026, 3, 2, 9, tzinfo=UTC), number=3)
    arrive("chat", datetime(2026, 3, 2, 9, tzinfo=UTC))
    arrive("api", datetime(2026, 3, 8, 9, tzinfo=UTC))
    answer = api("?period=week&date=2026-03-04")
    assert answer.status_code == 200, answer.content
    assert {key: value for key, value in answer.json().items() if key != "channels"} == {
        "period": "week",
        "date": "2026-03-02",
        "start": "2026-03-01T23:00:00Z",
        "end": "2026-03-08T23:00:00Z",
        "time_zone": "Europe/Madrid",
        "total": 4,
    }
    names = ("channel", "label", "color", "active", "count", "percent", "angle", "ring")
    assert [tuple(channel[name] for name in names) for channel in answer.json()["channels"]] == [
        ("site", "from site", "lilac", True, 0, 0.0, 0.0, None),
        ("phone", "phone", "blue", True, 3, 100.0, 270.0, 1),
        ("mail", "mail", "yellow", True, 0, 0.0, 0.0, None),
        ("api", "API", "red", True, 1, pytest.approx(100 / 3), pytest.approx(90), 2),
        ("chat", "chat", "grey", False, 0, 0.0, 0.0, None),
    ]


def test_without_a_period_and_a_date_it_is_today():
    answer = api("/").json()
    assert answer["period"] == "day"
    assert answer["date"] == datetime.now(UTC).date().isoformat()


@pytest.mark.parametrize(
    ("query", "field"),
    [("?period=year", "period"), ("?date=2026-02-30", "date"), ("?date=20260302", "date"), ("?date=0001-01-01", "date"),
     ("?date=9999-12-31", "date"), ("?week=1", "week"), ("?period=day&period=week", "period"), ("?date=", "date")],
)  # fmt: skip
def test_what_cannot_be_read_is_named(query, field):
    answer = api(query)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_the_ring_is_for_the_account_and_for_users_with_the_permission():
    assert api().status_code == 200
    assert api(user=make_supervisor()).status_code == 200
    assert api(user=make_manager().user).status_code == 403
    source = api(source=make_source())  # it sees its own leads alone, and the ring is of all
    assert (source.status_code, source.json()["code"]) == (403, "not-allowed")
    allowed = make_manager("bob").user
    allowed.user_permissions.add(Permission.objects.get(codename="view_unqualified"))
    assert api(user=allowed).status_code == 200
    assert Client().get("/api/v1/reports/sources").status_code == 401


def test_the_ring_needs_the_scope_to_read():
    key = ApiKey(name="k", scopes=["intake"])
    secret = key.renew()
    key.save()
    answer = Client().get("/api/v1/reports/sources", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 403


def test_with_the_unqualified_section_off_there_is_no_ring():
    make_account(unqualified=False)
    answer = api()
    assert (answer.status_code, answer.json()["code"]) == (403, "unqualified-off")


# People


@pytest.mark.parametrize("path", ["/reports/", "/reports", "/reports/sources/", "/reports/sources"])
def test_pages_answer_with_and_without_their_last_slash(client, sue, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", ["/reports/", "/reports/sources/", "/reports/sources.svg", "/reports/sources.png"])
def test_without_the_permission_there_is_nothing_to_see(client, path):
    assert client.get(path).status_code == 302  # to the sign-in page
    client.force_login(make_manager().user)
    assert client.get(path).status_code == 403


def test_the_page_says_in_a_table_what_the_ring_shows(client, sue):
    arrive("phone", datetime(2026, 3, 2, 9, tzinfo=UTC), number=2)
    arrive("site", datetime(2026, 3, 2, 9, tzinfo=UTC))
    make_account(channel_mail=False)
    page = client.get("/reports/sources/?period=day&date=2026-03-02").content.decode()
    table = [" ".join(ET.fromstring(row).itertext()).split() for row in rows_of(page)]
    assert table[1:] == [
        ["from", "site", "1", "33.3", "%"], ["phone", "2", "66.7", "%"], ["mail", "inactive"], ["API", "0", "0.0", "%"],
        ["chat", "0", "0.0", "%"], ["Total", "3"],
    ]  # fmt: skip
    assert (
        "<a" not in page[page.index('<section class="card">') : page.index("</section>")]
    )  # nothing to drill down into


def rows_of(page: str) -> list[str]:
    return ["<tr>" + row.split("</tr>")[0] + "</tr>" for row in page.split("<tr>")[1:]]


def test_one_goes_back_and_forth_by_periods_as_long_as_they_are(client, sue):
    page = client.get("/reports/sources/?period=month&date=2026-01-31").content.decode()
    assert "?period=month&amp;date=2025-12-31" in page
    assert "?period=month&amp;date=2026-02-01" in page
    edge = client.get("/reports/sources/?period=day&date=1970-01-01")
    assert (edge.context["before"], edge.status_code) == (None, 200)


def test_the_page_says_why_there_is_no_ring(client, sue):
    assert "No leads arrived as Unqualified in this period." in client.get("/reports/sources/").content.decode()
    make_account(unqualified=False)
    arrive("phone", datetime(2026, 3, 2, 9, tzinfo=UTC))
    page = client.get("/reports/sources/?date=2026-03-02").content.decode()
    assert "The Unqualified section is switched off." in page
    assert "<path" not in page


@pytest.mark.parametrize("query", ["period=year", "date=yesterday", "date=1066-10-14", "date=9999-12-31"])
def test_a_period_that_cannot_be_read_is_refused(client, sue, query):
    page = client.get(f"/reports/sources/?{query}")
    assert page.status_code == 400
    assert 'class="errors"' in page.content.decode()
    for suffix in (".svg", ".png"):  # the page as well: what is wrong, and the form to mend it with
        picture = client.get(f"/reports/sources{suffix}?{query}")
        assert (picture.status_code, picture.headers["Content-Type"]) == (400, "text/html; charset=utf-8")
        assert 'class="errors"' in picture.content.decode()
        assert 'action="/reports/sources"' in picture.content.decode()


def test_the_svg_is_whole_by_itself_and_the_png_shows_the_same(client, sue):
    arrive("phone", datetime(2026, 3, 2, 9, tzinfo=UTC), number=2)
    arrive("site", datetime(2026, 3, 2, 9, tzinfo=UTC))
    svg = client.get("/reports/sources.svg?period=day&date=2026-03-02")
    assert svg.headers["Content-Type"] == "image/svg+xml"
    strokes = [path.get("stroke") for path in ET.fromstring(svg.content).iter("{http://www.w3.org/2000/svg}path")]
    assert [stroke for stroke in strokes if stroke != "currentColor"] == [PALETTE["lilac"], PALETTE["blue"]]
    png = client.get("/reports/sources.png?period=day&date=2026-03-02")
    assert png.headers["Content-Type"] == "image/png"
    picture = Image.open(BytesIO(png.content))
    assert picture.size == (1360, 760)
    # Where the ring stands in the card: twelve o'clock is drawn for both, a little before nine for the outermost alone.
    x, y, outer, inner = 170, 226, 126, 103
    assert colour(picture, x + 2, y - outer) == PALETTE["blue"]
    assert colour(picture, x + 2, y - inner) == PALETTE["lilac"]
    assert colour(picture, x - outer, y + 2) == PALETTE["blue"]
    assert colour(picture, x - inner, y + 2) not in (PALETTE["lilac"], PALETTE["blue"])


def colour(picture: Image.Image, x: float, y: float) -> str:
    red, green, blue = picture.getpixel((round(2 * x), round(2 * y)))[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_numbers_of_a_drawing_are_written_as_svg_has_them_in_every_language(client, sue):
    arrive("phone", datetime(2026, 3, 2, 9, tzinfo=UTC), number=2000)
    svg = client.get("/reports/sources.svg?date=2026-03-02", headers={"accept-language": "ru"}).content.decode()
    assert 'stroke-opacity="0.1"' in svg
    assert "0,1" not in svg


def test_everybody_who_may_see_the_ring_sees_the_same():
    arrive("phone", datetime(2026, 3, 2, 9, tzinfo=UTC), number=2)
    pages = []
    for name, group in (("sue", "Supervisors"), ("eva", "Administrators")):
        client = Client()
        client.force_login(make_user(name, group=group))
        pages.append(client.get("/reports/sources.svg?date=2026-03-02").content)
    assert pages[0] == pages[1]


def test_a_source_that_is_not_active_any_more_still_counts_for_its_channel():
    arrive("phone", datetime(2026, 3, 2, 9, tzinfo=UTC))
    Source.objects.update(active=False)
    assert counts("day", date(2026, 3, 2)) == {"phone": 1}
