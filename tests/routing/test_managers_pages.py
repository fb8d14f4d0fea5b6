"""Managers in the admin: state at a glance, the team's calendar, and the end of a job."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime

import pytest
from django.test import Client

from accounts.models import Manager
from accounts.services import pause_manager
from accounts.time import clock
from accounts.time.schedules import WEEKDAYS
from routing.admin.managers import absences, calendar_choices, duties_of, week_of
from routing.exceptions import Conflict
from routing.models import ApiKey, Member, Trigger
from routing.roster import current
from routing.services.off_boarding import Farewell, off_board, places_of
from tests.admin_pages import messages
from tests.factories import (
    MONDAY,
    asking_acceptance,
    fresh,
    hold,
    make_account,
    make_company,
    make_contact,
    make_exception,
    make_manager,
    make_managers,
    make_schedule,
    make_supervisor,
    make_task,
    make_trigger,
    make_user,
    take,
)

pytestmark = pytest.mark.django_db

MANAGERS = "/admin/accounts/manager/"


@pytest.fixture
def sue(client: Client) -> Client:
    client.force_login(make_supervisor())
    return client


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_list_says_of_each_what_matters(sue):
    ann, bob = make_manager("ann"), make_manager("bob", active=False)
    never = make_schedule("never", weekly={})
    make_manager("eva", schedule=never)
    make_trigger(members=[{"manager": ann, "limit": 5}, bob])
    hold(ann, 2)
    take()
    pause_manager(ann, at=clock.now(), minutes=30)
    page = words(sue.get(MANAGERS).content.decode())
    assert re.search(r"paused until .* UTC", page)
    assert "3 / 5" in page
    assert re.search(r"new-leads [+-]?\d\.\d\d", page)
    assert "inactive" in page
    assert "off duty" in page
    page = words(sue.get(f"{MANAGERS}{ann.pk}/change/").content.decode())
    assert "limit in new-leads 5" in page
    assert "/calendar/" in sue.get(f"{MANAGERS}{ann.pk}/change/").content.decode()


def test_the_list_and_the_page_say_when_somebody_is_away_next(sue):
    ann, bob, eva = make_manager("ann"), make_manager("bob"), make_manager("eva")
    for manager, on, to, kind in (
        (ann, date(2099, 5, 1), None, "off"),
        (ann, date(2099, 3, 3), date(2099, 3, 8), "off"),
        (bob, date(2026, 3, 2), None, "off"),  # over
        (eva, date(2099, 3, 9), None, "extra"),
    ):
        make_exception(manager, on=on, to=to, kind=kind, intervals=["10:00-11:00"] if kind == "extra" else ())
    assert words(sue.get(MANAGERS).content.decode()).count("3 Mar – 8 Mar") == 1
    assert "next days off 3 Mar – 8 Mar" in words(sue.get(f"{MANAGERS}{ann.pk}/change/").content.decode())
    assert absences([ann, bob, eva], on=date(2099, 3, 8)) == {ann.pk: "3 Mar – 8 Mar"}
    assert absences([ann, bob, eva], on=date(2099, 3, 9)) == {ann.pk: "1 May"}


def test_the_list_asks_as_much_of_one_as_of_many(sue, django_assert_max_num_queries):
    make_account()
    make_trigger(members=make_managers(40))
    sue.get(MANAGERS)
    with django_assert_max_num_queries(11):
        assert sue.get(MANAGERS).content.decode().count("m0") >= 25  # a page


def test_until_when_somebody_is_away_has_the_accounts_time_beside_it(client):
    make_account(time_zone="Europe/Madrid")
    sue = make_supervisor()
    Manager.objects.create(user=sue, time_zone="America/New_York", active=False)
    ann = make_manager("ann")
    pause_manager(ann, at=clock.now(), minutes=60)
    client.force_login(sue)
    for address in (MANAGERS, f"{MANAGERS}{ann.pk}/change/"):
        page = words(client.get(address).content.decode())
        assert re.search(r"paused until [^()]* E[SD]T \([^()]* CES?T\)", page)


# The team's calendar


def test_a_week_shows_who_works_when_and_when_nobody_does():
    make_account(time_zone="Europe/Madrid")
    make_manager("ann", schedule=make_schedule("early", weekly={"mon": ["08:00-14:00"], "tue": ["00:00-24:00"]}))
    make_manager("bob", schedule=make_schedule("late", weekly={"mon": ["13:00-22:00"]}), time_zone="Atlantic/Canary")
    make_manager("eva", active=False)
    roster = current()
    week = week_of(duties_of("", roster)[0], roster, date(2026, 3, 2))
    assert [person.name for person in week["people"]] == ["Ann", "Bob"]
    assert [hours for _day, _drawn, hours in week["people"][1].days][:2] == ["14:00–23:00", ""]
    assert [f"{a:%a %H:%M}-{b:%a %H:%M}" for a, b in week["gaps"]] == [
        "Mon 00:00-Mon 08:00", "Mon 23:00-Tue 00:00", "Wed 00:00-Mon 00:00",
    ]  # fmt: skip


def test_a_day_of_25_hours_is_drawn_whole():
    make_account(time_zone="Europe/Madrid")
    make_manager("ann", schedule=make_schedule(weekly={"sun": ["00:00-24:00"]}))
    roster = current()
    week = week_of(duties_of("", roster)[0], roster, date(2026, 10, 19))
    [sunday] = week["people"][0].days[6:]
    assert [(piece.start, piece.width) for piece in sunday[1]] == [(0, 100)]
    assert week["gaps"][-1][1].astimezone(UTC) == datetime(2026, 10, 24, 22, tzinfo=UTC)


def test_the_calendar_of_a_trigger_has_its_members_by_the_schedules_they_have_there(sue):
    ann, _bob = make_manager("ann", schedule=make_schedule("never", weekly={})), make_manager("bob")
    all_day = make_schedule("all", weekly={day: ["00:00-24:00"] for day in WEEKDAYS})
    make_trigger(members=[{"manager": ann, "schedule": all_day}])
    page = words(sue.get(f"{MANAGERS}calendar/?of=trigger:new-leads").content.decode())
    assert "Somebody is always on duty." in page
    assert "Bob" not in page[page.index("On duty") - 400 :]
    page = words(sue.get(f"{MANAGERS}calendar/?of=stage:sales/new&week=2026-03-04").content.decode())
    assert "March 2, 2026" in page
    for nonsense in ("?week=tomorrow", "?week=2026-99-99", "?week=0001-01-01", "?of=trigger:none", "?of=%00"):
        assert sue.get(f"{MANAGERS}calendar/{nonsense}").status_code == 200


def test_members_of_a_trigger_that_is_switched_off_cover_no_stage():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann])
    make_trigger("off", members=[bob], on=[])
    make_trigger("idle", members=[bob], on=[], on_stage="sales/accepted")
    roster = current()
    assert duties_of("stage:sales/new", roster)[0] == [(ann.pk, None)]
    assert duties_of("trigger:off", roster)[0] == [(bob.pk, None)]
    choices = [value for value, _label in calendar_choices(roster)]
    assert "stage:sales/new" in choices
    assert "stage:sales/accepted" not in choices


def test_the_calendar_says_who_is_always_on_duty_for_want_of_a_schedule(sue):
    ann, bob = make_manager("ann"), make_manager("bob", schedule=make_schedule())
    assert "Ann has no schedule and is always on duty." in words(sue.get(f"{MANAGERS}calendar/").content.decode())
    make_trigger("late", members=[bob])
    assert "no schedule" not in words(sue.get(f"{MANAGERS}calendar/?of=trigger:late").content.decode())
    make_exception(ann, on=date(2026, 3, 4))
    page = words(sue.get(f"{MANAGERS}calendar/?week=2026-03-02").content.decode())
    assert "no schedule" not in page


def test_all_hours_of_the_calendar_are_the_accounts_and_that_is_said_to_who_lives_elsewhere(client):
    make_account(time_zone="Europe/Madrid")
    sue = make_supervisor()
    make_manager("ann", schedule=make_schedule())
    client.force_login(sue)
    told = "All hours in this calendar are in the account's time zone, Europe/Madrid, not in yours, America/New_York."
    page = words(client.get(f"{MANAGERS}calendar/?week=2026-03-02").content.decode())
    assert told not in page
    Manager.objects.create(user=sue, time_zone="America/New_York", active=False)
    elsewhere = words(client.get(f"{MANAGERS}calendar/?week=2026-03-02").content.decode())
    assert told in elsewhere
    gap = "Mon 2 Mar, 00:00 – Mon 2 Mar, 09:00"
    assert gap in page
    assert gap in elsewhere


def test_who_may_not_see_managers_sees_no_calendar(client):
    client.force_login(make_user("max", is_staff=True))
    assert client.get(f"{MANAGERS}calendar/").status_code == 403


# The end of a job


def everywhere():
    """Return Ann, who is used in every place there is, and Bob."""
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger("shared", members=[ann, bob], on_stage="sales/accepted")
    make_trigger(
        "hers",
        members=[{"manager": ann, "coefficient": 7, "limit": 3}],
        **asking_acceptance(final_step="duty", duty=ann),
    )
    take()
    make_company(responsible=ann)
    make_contact(responsible=ann)
    make_task(hold(ann)[0], responsible=ann)
    make_exception(ann, on=date(2099, 1, 1))
    key = ApiKey(name="Ann's", user=ann.user, scopes=["read"])
    key.renew()
    key.save()
    return ann, bob


def test_every_place_is_found(sue):
    ann, _bob = everywhere()
    places = places_of(ann, at=MONDAY)
    assert [member.trigger.code for member in places.members] == ["hers", "shared"]
    assert [trigger.code for trigger in places.duties] == ["hers"]
    assert places.sole == {Trigger.objects.get(code="hers").pk}
    counts = (
        places.leads,
        places.contacts,
        places.companies,
        places.tasks,
        places.offers,
        places.keys,
        places.exceptions,
    )
    assert [rows.count() for rows in counts] == [2, 1, 1, 1, 1, 1, 1]
    assert [registry for registry, _balance in places.balances] == ["hers"]
    page = words(sue.get(f"{MANAGERS}{ann.pk}/off-board/").content.decode())
    assert "the only member" in page


def test_somebody_takes_their_place_everywhere(sue):
    ann, bob = everywhere()
    sent = {
        "successor": bob.pk, "members": "replace", "duties": "on", "related": "replace", "revoke_keys": "on",
        "deactivate": "on", "end_access": "on",
    }  # fmt: skip
    response = sue.post(f"{MANAGERS}{ann.pk}/off-board/", sent)
    assert html.unescape(messages(response)) == (
        "Bob is now a member of hers instead. No longer a member of shared. Bob is now on duty in hers instead. "
        "Contacts (1), companies (1) and tasks (1) went to Bob. 1 API key revoked. Ann no longer gets leads. "
        "Ann can no longer sign in."
    )
    assert [(m.trigger.code, m.manager, m.coefficient, m.limit) for m in Member.objects.order_by("trigger__code")] == [
        ("hers", bob, 7, 3), ("shared", bob, 1, None),
    ]  # fmt: skip
    assert Trigger.objects.get(code="hers").duty == bob
    places = places_of(ann, at=clock.now())
    assert [rows.count() for rows in (places.contacts, places.companies, places.tasks, places.keys)] == [0, 0, 0, 0]
    ann.refresh_from_db()
    ann.user.refresh_from_db()
    assert (ann.active, ann.user.is_active) == (False, False)


def test_every_number_leads_to_the_rows_it_counts(sue):
    ann, _bob = everywhere()
    page = sue.get(f"{MANAGERS}{ann.pk}/off-board/").content.decode()
    for model in ("contact", "company", "task", "offer"):
        [link] = re.findall(rf'href="(/admin/routing/{model}/\?[^"]+)"', page)
        assert len(sue.get(html.unescape(link)).context["cl"].result_list) == 1, model
    [link] = re.findall(r'href="(/admin/accounts/scheduleexception/\?[^"]+)"', page)
    assert sue.get(html.unescape(link)).status_code == 200


def test_somebody_inactive_with_active_leads_is_warned_of(sue):
    ann, _bob = everywhere()
    address = f"{MANAGERS}{ann.pk}/off-board/"
    assert "is not active but still has" not in sue.get(address).content.decode()
    Manager.objects.filter(pk=ann.pk).update(active=False)
    assert "is not active but still has 2 active leads" in sue.get(address).content.decode()


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"members": "replace"}, "successor"),
        ({"related": "replace"}, "successor"),
        ({"duties": "on"}, "successor"),
        ({"members": "remove"}, "members"),
    ],
)
def test_what_cannot_be_is_said_beside_the_field_that_mends_it(sue, sent, field):
    ann, _bob = everywhere()
    response = sue.post(f"{MANAGERS}{ann.pk}/off-board/", {"members": "keep", "related": "keep"} | sent)
    assert list(response.context["form"].errors) == [field]
    box = re.search(rf'<(?:select|input)[^>]*name="{field}"[^>]*>', response.content.decode())
    assert box
    assert 'aria-invalid="true"' in box[0]
    assert Member.objects.filter(manager=ann).count() == 2


def test_nothing_to_end_is_said(sue):
    sent = {"members": "remove", "related": "release", "revoke_keys": "on"}
    response = sue.post(f"{MANAGERS}{make_manager('ann').pk}/off-board/", sent)
    assert messages(response) == "There was nothing to change."


def test_what_was_not_there_is_no_change():
    assert off_board(make_manager("ann"), Farewell(related="release", revoke_keys=True), at=MONDAY) == []


def test_access_that_has_ended_ends_sessions_too():
    ann = make_manager("ann")
    browser = Client()
    browser.force_login(ann.user)
    assert browser.get("/me/").status_code == 200
    off_board(ann, Farewell(end_access=True), at=MONDAY)
    assert browser.get("/me/").status_code == 302


def test_the_only_member_is_not_removed_since_the_trigger_would_take_everybody():
    ann, _bob = everywhere()
    with pytest.raises(Conflict, match="hers"):
        off_board(ann, Farewell(members="remove", deactivate=True), at=MONDAY)
    ann.refresh_from_db()
    assert ann.active
    assert Member.objects.filter(manager=ann).count() == 2


@pytest.mark.parametrize("asked", [{"members": "replace"}, {"related": "replace"}, {"duties": True}])
def test_a_place_needs_somebody_to_take_it(asked):
    ann, _bob = everywhere()
    with pytest.raises(Conflict, match="Choose a replacement"):
        off_board(ann, Farewell(**asked), at=MONDAY)


def test_what_was_theirs_can_belong_to_nobody():
    ann, _bob = everywhere()
    off_board(ann, Farewell(related="release"), at=MONDAY)
    assert places_of(ann, at=MONDAY).contacts.count() == 0
    assert fresh(places_of(ann, at=MONDAY).leads.first()).responsible == ann  # leads go by a hand-over


def test_nobody_ends_their_own_access():
    ann = make_manager("ann")
    with pytest.raises(Conflict, match="your own"):
        off_board(ann, Farewell(end_access=True), at=MONDAY, by=ann.user)


def test_who_may_not_change_managers_sends_nobody_away(client):
    ann = make_manager("ann")
    client.force_login(make_user("max", is_staff=True))
    assert client.get(f"{MANAGERS}{ann.pk}/off-board/").status_code == 403
