"""The admin's pages of people: what may be written, what is refused and where it says so, and who may do it."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest
from django.contrib.auth.models import Group, Permission

from accounts.models import Account, Manager, Pause, ScheduleException, User, WorkSchedule
from tests.admin_pages import errors, filled, messages, save
from tests.data import data_path
from tests.factories import make_manager, make_schedule, make_supervisor, make_user

pytestmark = pytest.mark.django_db

MANAGERS, SCHEDULES, USERS = "/admin/accounts/manager/", "/admin/accounts/workschedule/", "/admin/accounts/user/"
LINK = re.compile(r'href="(http://testserver(/invitation/[^"]+))"')


@pytest.fixture
def sue(client):
    """Sign in the supervisor."""
    sue = make_supervisor()
    client.force_login(sue)
    return sue


@pytest.fixture
def root(client):
    root = User.objects.create_superuser("root@example.com")
    client.force_login(root)
    return root


# Working hours


def case(number: str) -> dict[str, object]:
    cases = json.loads(data_path("bad_inputs_sample.json").read_text())
    rows = (
        cases["cases"]
        if isinstance(cases.get("cases"), list)
        else [row for rows in cases.values() if isinstance(rows, list) for row in rows]
    )
    return next(row for row in rows if isinstance(row, dict) and row.get("id") == number)["body"]["form"]


@pytest.mark.parametrize("number", ["BS-33", "BS-34"])
def test_a_zone_that_is_none_is_refused_beside_its_box(client, sue, number):
    response = save(client, f"{MANAGERS}{make_manager().pk}/change/", time_zone=case(number)["zone"])
    assert list(errors(response)) == ["time_zone"]
    assert "is no time zone" in errors(response)["time_zone"][0]
    assert not Manager.objects.exclude(time_zone="").exists()


def test_the_accounts_zone_is_checked_as_well(client, root):
    Account.get()
    response = save(client, "/admin/accounts/account/1/change/", time_zone="Mars/Base")
    assert list(errors(response)) == ["time_zone"]


def test_an_interval_without_minutes_is_refused_with_how_to_write_it(client, sue):
    schedule = make_schedule()
    response = save(client, f"{SCHEDULES}{schedule.pk}/change/", mon=case("BS-35")["mon"])
    assert list(errors(response)) == ["mon"]
    assert "08:00-17:00" in errors(response)["mon"][0]
    schedule.refresh_from_db()
    assert schedule.weekly["mon"] == ["09:00-18:00"]


def test_a_vacation_without_an_end_is_one_day(client, sue):
    ann, form = make_manager(), case("BS-36")
    response = save(
        client,
        f"{MANAGERS}{ann.pk}/change/",
        **{
            "exceptions-TOTAL_FORMS": "1",
            "exceptions-0-first_day": form["vacation_from"],
            "exceptions-0-last_day": form["vacation_to"],
            "exceptions-0-kind": "off",
            "exceptions-0-intervals": "",
        },
    )
    assert response.status_code == 302
    assert list(ScheduleException.objects.values_list("manager", "first_day", "last_day")) == [
        (ann.pk, date(2025, 8, 1), date(2025, 8, 1))
    ]


def test_a_week_is_written_as_people_write_hours(client, sue):
    form = filled(client, f"{SCHEDULES}add/")
    response = client.post(
        f"{SCHEDULES}add/",
        form | {"title": "Shop", "code": "shop", "kind": "weekly", "mon": "09:00-13:00, 14:00-18:00", "tue": "off"},
    )
    assert response.status_code == 302, errors(response)
    assert WorkSchedule.objects.get().weekly == {"mon": ["09:00-13:00", "14:00-18:00"]}


def test_saving_a_schedule_unchanged_changes_nothing(client, sue):
    weekly = {"mon": ["09:00-13:00", "14:00-18:00"], "sat": ["22:00-06:00"]}
    make_schedule("a", weekly=weekly)
    make_schedule("b", cycle=[["09:00-21:00"], ["21:00-09:00"], [], []])
    before = list(WorkSchedule.objects.order_by("code").values())
    for schedule in before:
        assert save(client, f"{SCHEDULES}{schedule['id']}/change/").status_code == 302
    assert list(WorkSchedule.objects.order_by("code").values()) == before


def test_a_cycle_is_a_line_for_each_day(client, sue):
    form = filled(client, f"{SCHEDULES}add/")
    cycle = {
        "title": "2/2",
        "code": "two-two",
        "kind": "cycle",
        "cycle_start": "2026-01-05",
        "cycle_days": "09:00-21:00\r\n09:00-21:00\r\noff\r\noff",
    }
    assert client.post(f"{SCHEDULES}add/", form | cycle).status_code == 302
    assert WorkSchedule.objects.get().cycle_days == [["09:00-21:00"], ["09:00-21:00"], [], []]


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"cycle_start": ""}, "cycle_start", "needs a start date"),
        ({"cycle_days": ""}, "cycle_days", "1 to 366 days"),
        ({"cycle_days": "09:00-21:00\n9-21"}, "cycle_days", "Day 2"),
        ({"holiday_country": "Spain"}, "holiday_country", "at most 2"),
        ({"holiday_country": "QQ"}, "holiday_country", "QQ"),
        ({"code": "Two Two"}, "code", "a-z"),
    ],
)
def test_what_is_wrong_with_a_cycle_is_said_beside_its_field(client, sue, changes, field, words):
    schedule = make_schedule(cycle=[["09:00-21:00"], []])
    response = save(client, f"{SCHEDULES}{schedule.pk}/change/", **changes)
    assert list(errors(response)) == [field]
    assert words in errors(response)[field][0]


def test_days_off_have_no_hours_and_other_hours_need_some(client, sue):
    ann = make_manager()
    rows = {
        "exceptions-TOTAL_FORMS": "1",
        "exceptions-0-first_day": "2026-03-02",
        "exceptions-0-last_day": "2026-03-01",
    }
    for changes, field in [
        ({"exceptions-0-kind": "off", "exceptions-0-intervals": ""}, "last_day"),
        ({"exceptions-0-kind": "extra", "exceptions-0-intervals": "", "exceptions-0-last_day": ""}, "intervals"),
        ({"exceptions-0-kind": "hours", "exceptions-0-intervals": "10-14", "exceptions-0-last_day": ""}, "intervals"),
    ]:
        response = save(client, f"{MANAGERS}{ann.pk}/change/", **rows | changes)
        assert list(response.context["inline_admin_formsets"][0].formset.errors[0]) == [field], changes


@pytest.mark.parametrize("written", ["language es", "language:", ": es"])
def test_skills_that_cannot_be_read_are_refused(client, sue, written):
    response = save(client, f"{MANAGERS}{make_manager().pk}/change/", skills=written)
    assert list(errors(response)) == ["skills"]


def test_skills_are_written_in_lines(client, sue):
    ann = make_manager(skills={"language": ["es"]})
    assert save(client, f"{MANAGERS}{ann.pk}/change/", skills="language: es, en\r\nregion: ES").status_code == 302
    ann.refresh_from_db()
    assert ann.skills == {"language": ["es", "en"], "region": ["ES"]}


# Managers and invitations


def add_manager(client, **facts):
    form = filled(client, f"{MANAGERS}add/")
    return client.post(f"{MANAGERS}add/", form | {"email": "Bob@Example.com", "name": "Bob", "active": "on", **facts})


def test_a_new_manager_gets_a_user_without_a_password_and_a_link_to_set_one(client, sue):
    response = add_manager(client)
    assert response.status_code == 302, errors(response)
    bob = Manager.objects.select_related("user").get().user
    assert (bob.email, bob.name, bob.has_usable_password(), bob.is_staff) == ("bob@example.com", "Bob", False, False)
    assert [group.name for group in bob.groups.all()] == ["Managers"]
    assert LINK.search(messages(response))


def test_a_manager_is_made_of_a_known_user_who_keeps_everything(client, sue):
    max_ = make_user("max", password="unguessable-1")
    response = add_manager(client, email="max@example.com", name="Somebody else")
    assert Manager.objects.get().user == max_
    max_.refresh_from_db()
    assert max_.name == "Max"
    assert max_.check_password("unguessable-1")
    assert not LINK.search(messages(response))


def test_no_supervisor_gets_a_link_for_somebody_above_them(client, sue):
    User.objects.create_superuser("boss@example.com")
    response = add_manager(client, email="boss@example.com")
    assert response.status_code == 302
    assert not LINK.search(messages(response))


def test_a_manager_is_not_made_twice(client, sue):
    make_manager("bob")
    assert "A manager with this e-mail" in errors(add_manager(client))["email"][0]


def test_what_was_written_meanwhile_survives_a_stale_page(client, sue):
    ann = make_manager()
    form = filled(client, f"{MANAGERS}{ann.pk}/change/")
    Manager.objects.filter(pk=ann.pk).update(last_seen_at="2026-03-02T10:00:00Z")
    client.post(f"{MANAGERS}{ann.pk}/change/", form | {"offset": "2"})
    ann.refresh_from_db()
    assert (ann.offset, ann.last_seen_at is not None) == (2, True)


def test_a_pause_is_made_by_the_service_and_ended_by_it(client, sue):
    ann = make_manager()
    form = filled(client, "/admin/accounts/pause/add/")
    for minutes in ("", "30"):  # the second takes the place of the first
        response = client.post(
            "/admin/accounts/pause/add/", form | {"manager": ann.pk, "minutes": minutes, "reason": "lunch"}
        )
        assert response.status_code == 302, errors(response)
    running = Pause.objects.get(ended_at=None)
    assert (running.manager, running.by, running.reason) == (ann, sue, "lunch")
    assert running.ends_at is not None
    client.post("/admin/accounts/pause/", {"action": "resume", "_selected_action": [running.pk]})
    assert not Pause.objects.filter(ended_at=None).exists()


# Who may do what


def test_a_supervisor_raises_nobody_whatever_the_form_says(client, sue):
    ann = make_manager().user
    rights = {
        "is_superuser": "on",
        "is_staff": "on",
        "groups": [g.pk for g in Group.objects.all()],
        "user_permissions": [Permission.objects.first().pk],
    }
    response = save(client, f"{USERS}{ann.pk}/change/", name="Anna", **rights)
    assert response.status_code == 302, errors(response)
    ann.refresh_from_db()
    assert (ann.name, ann.is_superuser, ann.is_staff, ann.user_permissions.count()) == ("Anna", False, False, 0)
    assert [group.name for group in ann.groups.all()] == ["Managers"]


def test_a_supervisor_makes_plain_users_only(client, sue):
    form = filled(client, f"{USERS}add/")
    response = client.post(
        f"{USERS}add/",
        form | {"email": "new@example.com", "name": "New", "is_superuser": "on", "is_staff": "on", "password": "x"},
    )
    assert response.status_code == 302
    new = User.objects.get(email="new@example.com")
    assert (new.is_superuser, new.is_staff, new.has_usable_password()) == (False, False, False)
    assert LINK.search(messages(response))


@pytest.mark.parametrize("above", ["root", "administrator", "supervisor", "quiet_administrator"])
def test_a_supervisor_cannot_take_over_who_stands_above_or_beside_them(client, sue, above):
    users = {
        "root": lambda: User.objects.create_superuser("root@example.com"),
        "administrator": lambda: make_user("al", group="Administrators", is_staff=True),
        "supervisor": lambda: make_supervisor("sam"),
        "quiet_administrator": lambda: make_user("al", group="Administrators"),
    }
    user = users[above]()
    form = {"email": "sue2@example.com", "name": "Mine", "is_active": "on", "language": ""}
    assert client.post(f"{USERS}{user.pk}/change/", form).status_code == 403
    password = {"password1": "unguessable-1", "password2": "unguessable-1", "usable_password": "true"}
    assert client.post(f"{USERS}{user.pk}/password/", password).status_code == 403
    response = client.post(USERS, {"action": "invitation_links", "_selected_action": [user.pk]})
    assert not LINK.search(messages(response))
    user.refresh_from_db()
    assert (user.email != "sue2@example.com", user.has_usable_password()) == (True, False)
    page = client.get(f"{USERS}{user.pk}/change/")
    assert page.status_code == 200
    assert user.password not in page.content.decode()


def test_an_administrator_says_who_is_supervisor_but_makes_no_superuser(client):
    client.force_login(make_user("al", group="Administrators", is_staff=True))
    ann, root = make_manager().user, User.objects.create_superuser("root@example.com")
    supervisors = Group.objects.get(name="Supervisors")
    assert (
        save(client, f"{USERS}{ann.pk}/change/", is_staff="on", groups=[supervisors.pk], is_superuser="on").status_code
        == 302
    )
    ann.refresh_from_db()
    assert (ann.is_staff, ann.is_superuser, list(ann.groups.all())) == (True, False, [supervisors])
    assert client.post(f"{USERS}{root.pk}/change/", {"email": "al2@example.com"}).status_code == 403


def test_a_manager_does_not_enter_the_admin(client):
    client.force_login(make_manager().user)
    for address in ("/admin/", MANAGERS, USERS, f"{SCHEDULES}add/", "/admin/routing/lead/"):
        assert client.get(address).status_code == 302, address
        assert client.post(address).status_code == 302, address


def test_a_supervisor_looks_at_the_account_and_an_administrator_changes_it(client, sue):
    Account.get()
    assert client.get("/admin/accounts/account/1/change/").status_code == 200
    assert client.post("/admin/accounts/account/1/change/", {"name": "Mine"}).status_code == 403
    client.force_login(make_user("al", group="Administrators", is_staff=True))
    assert save(client, "/admin/accounts/account/1/change/", name="Acme").status_code == 302
    assert Account.get().name == "Acme"
