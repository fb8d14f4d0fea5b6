"""The admin as one site: navigation, language, times, compression."""

import gzip
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils.formats import date_format

from accounts.models import User
from accounts.time import clock
from reports.navigation import NAVIGATION, sidebar
from routing.models import Trigger
from tests.factories import (
    asking_acceptance,
    make_account,
    make_lead,
    make_manager,
    make_supervisor,
    make_trigger,
    make_user,
    open_offer,
    take,
)

pytestmark = pytest.mark.django_db
TECHNICAL = {reverse(e.address) for _, entries in NAVIGATION for e in entries if e.technical}


def links(page) -> set[str]:
    sidebar = re.search(r'id="nav-sidebar-apps"(.*?)id="main"', page.content.decode(), re.S)
    return set(re.findall(r'href="([^"]+)"', sidebar[1])) if sidebar else set()


@pytest.fixture
def sue(client):
    sue = make_supervisor()
    client.force_login(sue)
    return sue


def test_a_supervisor_finds_no_technical_tables(client, sue):
    found = links(client.get("/admin/"))
    assert {"/admin/routing/lead/", "/admin/routing/trigger/", "/admin/accounts/manager/"} <= found
    assert not TECHNICAL & found


def test_an_administrator_finds_them(client):
    client.force_login(make_user("al", group="Administrators", is_staff=True))
    assert links(client.get("/admin/")) >= TECHNICAL


def test_every_link_of_the_navigation_opens(client):
    client.force_login(User.objects.create_superuser("root@example.com"))
    addresses = links(client.get("/admin/"))
    assert len(addresses) > 20
    for address in addresses:
        assert client.get(address, follow=True).status_code == 200, address


def test_pages_say_where_they_are_in_the_words_of_the_navigation(client, sue):
    make_trigger()
    for address, trail in {
        "/admin/accounts/manager/": ["People", "Managers"],
        "/admin/routing/lead/": ["Leads", "All leads"],
        f"/admin/routing/trigger/{Trigger.objects.get().pk}/change/": ["Distribution", "Triggers", "New-leads"],
        "/admin/routing/member/": ["Members"],  # in no group
    }.items():
        # Behind the page some versions of the theme have a list of shortcuts, closed, with a heading of its own.
        page, _, _ = client.get(address).content.decode().partition('x-show="shortcutsOpen"')
        [heading] = re.findall(r"(?s)<h1.*?</h1>", page)
        said = re.sub(r"(?s)<span class=\"(material|font-medium)[^>]*>.*?</span>", "|", heading)
        assert [part.strip() for part in re.sub(r"<[^>]*>", "", said).split("|") if part.strip()] == trail


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/admin/", "Today"),
        ("/admin/accounts/manager/calendar/", "Team calendar"),
        ("/admin/accounts/manager/add/", "Managers"),
        ("/admin/routing/trigger/file/", "Configuration file"),
        ("/admin/routing/leadimport/", "Imports"),
        ("/admin/routing/lead/", "All leads"),
    ],
)
def test_the_navigation_marks_the_page_one_is_on(rf, sue, address, page):
    request = rf.get(address)
    request.user = sue
    active = [item["title"] for group in sidebar(request) for item in group["items"] if item["active"]]
    assert active == [page]


def test_who_may_open_nothing_is_offered_nothing(client):
    client.force_login(make_user("visitor", is_staff=True))
    assert links(client.get("/admin/")) <= {"/", "/admin/", "/api/docs"}


def test_a_chosen_language_stays_with_the_user(client, sue):
    response = client.post("/language/", {"language": "ru", "next": "/admin/"})
    assert (response.status_code, response.url) == (302, "/admin/")
    sue.refresh_from_db()
    assert sue.language == "ru"
    client.cookies.clear()
    client.force_login(sue)
    assert '<html lang="ru"' in client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("asked", "to"),
    [
        ({"language": "xx"}, "/"),
        ({"language": "ru", "next": "https://evil.example/"}, "/"),
        ({"language": "ru", "next": "//evil.example"}, "/"),
    ],
)
def test_a_language_that_is_not_there_and_a_way_out_are_refused(client, asked, to):
    response = client.post("/language/", asked)
    assert response.url == to
    assert client.get("/language/").status_code == 405


def test_who_is_signed_out_has_the_language_in_a_cookie(client):
    client.post("/language/", {"language": "es"})
    assert '<html lang="es"' in client.get("/").content.decode()


def test_times_are_those_of_the_account_and_of_a_manager_their_own(client, sue):
    make_account(time_zone="Europe/Madrid")
    make_lead(created_at=datetime(2026, 3, 2, 22, 30, tzinfo=UTC))
    page = client.get("/admin/routing/lead/").content.decode()
    assert "11:30 p.m." in page
    assert "Times are in Europe/Madrid." in page
    tim = make_manager("tim", time_zone="Asia/Tokyo")
    User.objects.filter(pk=tim.user.pk).update(is_staff=True, is_superuser=True)
    client.force_login(tim.user)
    page = client.get("/admin/routing/lead/").content.decode()
    assert "March 3, 2026, 7:30 a.m. (March 2, 2026, 11:30 p.m. CET)" in page
    assert "Times are in Asia/Tokyo; the account uses Europe/Madrid." in page


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/board/", "H:i"),
        ("/me/", "H:i"),
        ("/me/leads/{lead}/", "H:i"),
        ("/admin/routing/offer/", "DATETIME_FORMAT"),
        ("/admin/routing/offer/{offer}/change/", "DATETIME_FORMAT"),
    ],
)
def test_a_time_of_somebody_elsewhere_has_the_accounts_beside_it(client, path, form):
    make_account(time_zone="Europe/Madrid")
    tim = make_manager("tim", time_zone="Asia/Tokyo")
    User.objects.filter(pk=tim.user.pk).update(is_staff=True, is_superuser=True)
    make_trigger(members=[tim], **asking_acceptance(30))
    lead = take(at=clock.now())
    offer = open_offer(lead)
    client.force_login(tim.user)
    page = client.get(path.format(lead=lead.pk, offer=offer.pk)).content.decode()
    tokyo, madrid = (
        date_format(offer.accept_by.astimezone(ZoneInfo(zone)), form) for zone in ("Asia/Tokyo", "Europe/Madrid")
    )
    assert re.search(rf"{re.escape(tokyo)} \({re.escape(madrid)} CES?T\)", page)


def test_pages_of_the_admin_travel_compressed_and_padded(client, sue):
    plain = client.get("/admin/routing/trigger/")
    first, second = (client.get("/admin/routing/trigger/", headers={"accept-encoding": "gzip"}) for _ in range(2))
    assert first["Content-Encoding"] == "gzip"
    assert len(first.content) < len(plain.content) / 4
    assert b"<main" in gzip.decompress(first.content)
    assert len(first.content) != len(second.content) or first.content != second.content
    assert "Content-Encoding" not in client.get("/", headers={"accept-encoding": "gzip"})
