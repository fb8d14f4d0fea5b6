"""The first page of the admin, and the way of an empty installation to its first lead."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.time import clock
from reports.today import concerns, today
from routing import roster
from routing.models import ApiKey, Heartbeat, Lead
from routing.services.offers import accept_offer
from tests.admin_pages import messages
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    make_account,
    make_lead,
    make_manager,
    make_schedule,
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
LATE = timedelta(seconds=30)


@pytest.fixture
def sue(client):
    sue = make_supervisor()
    client.force_login(sue)
    return sue


def now_at(at=MONDAY):
    return today(roster.current(), at=at, late=LATE)


def words(at=MONDAY) -> list[str]:
    for name in ("sweep", "worker"):
        Heartbeat.objects.update_or_create(name=name, defaults={"at": at})
    return [concern.words for concern in concerns(roster.current(), at=at, late=LATE)]


def test_the_figures_are_those_of_the_day_of_the_account():
    make_account(time_zone="Europe/Madrid")
    midnight = datetime(2026, 3, 1, 23, 0, tzinfo=UTC)  # of Madrid
    for created_at in (midnight, MONDAY, midnight - MINUTE, MONDAY - DAY, MONDAY - DAY - MINUTE):
        make_lead(created_at=created_at)
    found = now_at()
    assert (found.leads, found.leads_yesterday) == (2, 1)


def test_the_time_to_first_acceptance_is_the_median_of_todays_leads():
    make_trigger(members=[make_manager("ann")], **asking_acceptance(10**5))
    assert (now_at().acceptance, now_at().accepted) == (None, 0)
    for minutes in (2, 9, 4):
        lead = take(at=MONDAY)
        accept_offer(lead.pk, at=MONDAY + minutes * MINUTE)
    take(at=MONDAY)
    found = now_at(MONDAY + HOUR)
    assert (found.acceptance, found.accepted) == (4 * MINUTE, 3)
    assert (found.board.offers_count, found.overdue) == (1, 0)


def test_offers_that_ran_out_are_counted_and_the_next_to_run_out_is_named():
    make_trigger(members=[make_manager("ann")], **asking_acceptance(10))
    lead = take(at=MONDAY)
    assert now_at().accept_by == open_offer(lead).accept_by
    assert now_at(MONDAY + HOUR).overdue == 1


def test_all_is_well_where_nothing_is_wrong():
    make_trigger(members=[make_manager("ann")])
    take()
    assert words() == []


def test_what_needs_attention_is_named():
    night = make_schedule(weekly={"mon": ["22:00-23:00"]})
    make_trigger(members=[make_manager("ann", schedule=night), make_manager("bob", active=False)])
    take(at=MONDAY - 2 * HOUR)
    key = ApiKey(name="Landing", scopes=["read"], expires_at=MONDAY + DAY)
    key.renew()
    key.save()
    assert words() == [
        "new-leads: Bob is a member but not active.",
        "1 lead has been waiting for over an hour.",
        "Nobody is on duty for sales/new from Mon 10:00 to Mon 22:00, from Mon 23:00 to Tue 10:00.",
        "The API key Landing expires within a week.",
    ]


def test_a_stage_with_somebody_to_take_what_nobody_took_is_covered():
    never = make_schedule(weekly={"mon": ["22:00-23:00"]})
    make_trigger(members=[make_manager("ann", schedule=never)], if_nobody="duty", duty=make_manager("eva"))
    assert words() == []


@pytest.mark.parametrize("missing", ["sweep", "worker"])
def test_a_sweep_that_is_late_is_noticed(missing):
    assert words() == []
    Heartbeat.objects.filter(name=missing).update(at=MONDAY - MINUTE)
    [concern] = concerns(roster.current(), at=MONDAY, late=LATE)
    assert concern.grave
    assert missing in concern.words.lower()


def test_each_concern_leads_to_where_it_is_mended(client, sue):
    trigger = make_trigger(members=[make_manager("ann", active=False)])
    take(at=clock.now() - 2 * HOUR)
    page = client.get("/admin/").content.decode()
    for address in (
        f"/admin/routing/trigger/{trigger.pk}/change/",
        "/admin/routing/lead/?state__exact=waiting",
        "/admin/routing/heartbeat/",
    ):
        assert f'href="{address}"' in page
        assert client.get(address).status_code == 200
    assert "Nobody can take it: 1 not active." in page


def queries_of(client) -> int:
    client.get("/admin/")  # reads the roster
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/admin/").status_code == 200
    return len(queries)


def test_the_page_takes_as_many_queries_for_much_as_for_little(client, sue):
    make_trigger(members=[make_manager("ann")], **asking_acceptance(10**5))
    take(at=clock.now())
    few = queries_of(client)
    for number in range(12):
        make_trigger(f"t{number}", members=[make_manager(f"m{number}")], on_stage="sales/accepted", priority=number)
    take_some(12, at=clock.now())
    assert queries_of(client) <= few < 40


def test_who_may_look_into_nothing_sees_nothing(client):
    make_lead()
    client.force_login(make_user("visitor", is_staff=True))
    page = client.get("/admin/").content.decode()
    assert "Ask an administrator for a role" in page
    assert "leads today" not in page


# First steps


def done(client) -> str:
    return "".join("x" if step.done else "." for step in client.get("/admin/").context["steps"])


def test_an_empty_installation_is_led_to_its_first_lead(client):
    client.force_login(User.objects.create_superuser("root@example.com"))
    assert done(client) == "......."
    page = client.get("/admin/")
    assert "0 of 7" in page.content.decode()
    for step in page.context["steps"]:
        assert client.get(step.address, follow=True).status_code == 200
    make_account(time_zone="Europe/Madrid")
    assert done(client) == "x......"
    assert '/admin/accounts/workschedule/add/?first-steps"' in client.get("/admin/").content.decode()
    make_manager("ann", schedule=make_schedule())
    assert done(client) == "xxx...."
    stage()
    assert done(client) == "xxxx..."
    make_trigger(members=[make_manager("bob")])
    key = ApiKey(name="Landing", scopes=["intake"])
    key.renew()
    key.save()
    assert done(client) == "xxxxxx."
    taken = client.post("/admin/enter-lead/", {"name": "Demo", "email": "ana@client.example"})
    lead = Lead.objects.get()
    assert taken.url == f"/admin/routing/lead/{lead.pk}/change/"
    assert (lead.responsible.user.name, lead.source.code) == ("Bob", "api")
    assert "The lead was created" in messages(taken)
    assert "First steps" not in client.get("/admin/").content.decode()


def test_after_a_step_the_next_one_is_shown(client):
    client.force_login(User.objects.create_superuser("root@example.com"))
    sent = {"code": "sales", "title": "Sales", "position": "0", "stages-TOTAL_FORMS": "0", "stages-INITIAL_FORMS": "0"}
    assert client.post("/admin/routing/pipeline/add/?first-steps", sent).url == "/admin/"
    assert client.post("/admin/routing/pipeline/add/", sent | {"code": "other"}).url == "/admin/routing/pipeline/"
    account = client.get("/admin/accounts/account/?first-steps")
    assert account.url.endswith("/change/?first-steps=")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": "Nobody to reach"}, "email"),
        ({"name": "x", "email": "no address"}, "email"),
        ({"email": "a@b.example"}, "name"),
        ({"name": "x", "phone": "\x00"}, "phone"),
    ],
)
def test_a_lead_that_is_wrong_is_refused_beside_the_field(client, sue, sent, field):
    stage()
    response = client.post("/admin/enter-lead/", sent)
    assert field in response.context["form"].errors
    assert not Lead.objects.exists()


def test_what_intake_refuses_is_said_on_the_page(client, sue):
    stage()
    source = make_source()
    page = client.post("/admin/enter-lead/", {"name": "x", "phone": "no number at all", "source": source.pk})
    assert page.status_code == 200
    assert page.context["form"].errors
    assert not Lead.objects.exists()
