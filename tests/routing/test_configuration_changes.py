"""The history of the configuration, and two people who edit the same thing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.core import signing
from django.db import connection
from django.test import Client

from accounts.admin import ConfigurationChangeAdmin
from accounts.history.changes import CALLED, describe_changes, sign_changes
from accounts.history.configuration_tables import models_with_history
from accounts.models import ConfigurationChange, Manager, ScheduleException, User
from accounts.time import clock
from routing.configuration import export_configuration, import_configuration
from routing.models import ApiKey, Member, Placeholder, Registry, Stage, Trigger
from tests.admin_pages import errors, filled, form_in, save
from tests.factories import (
    MONDAY,
    make_exception,
    make_manager,
    make_registry,
    make_schedule,
    make_source,
    make_supervisor,
    make_trigger,
    stage,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sue(client):
    sue = make_supervisor()
    client.force_login(sue)
    return sue


@pytest.fixture
def trigger():
    return make_trigger(members=[(make_manager("ann"), 40)], limit_stages=["sales/new"])


def address(row) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def last() -> ConfigurationChange:
    return ConfigurationChange.objects.select_related("by").latest("id")


def lines(changes) -> list[str]:
    return [f"{t.kind} {t.change.action}: {', '.join(map(' '.join, t.values))}" for t in describe_changes(changes)]


# What is written down


def test_a_page_writes_down_who_changed_what(client, sue, trigger):
    save(client, address(trigger), priority="3")
    change = last()
    assert (change.by, change.model, change.row_id, change.name) == (sue, "routing.trigger", trigger.pk, "new-leads")
    assert (change.action, change.before, change.after) == ("changed", {"priority": 10}, {"priority": 3})


def test_saving_unchanged_writes_nothing_down(client, sue, trigger):
    client.get(address(trigger))  # the account comes into being when first asked for
    before = ConfigurationChange.objects.count()
    save(client, address(trigger))
    assert ConfigurationChange.objects.count() == before


def test_members_and_stages_of_the_limit_are_found_with_their_trigger(client, sue, trigger):
    ann = Member.objects.get()
    won = stage("sales/won")
    save(client, address(trigger), **{"members-0-coefficient": "60", "limit_stages": [won.pk]})
    found = ConfigurationChange.objects.of("routing.trigger", trigger.pk).filter(by=sue)
    assert {(c.model, c.action) for c in found} == {
        ("routing.member", "changed"),
        ("routing.trigger_limit_stages", "added"),
        ("routing.trigger_limit_stages", "removed"),
    }
    assert found.get(model="routing.member").row_id == ann.pk
    page = client.get(f"/admin/routing/trigger/{trigger.pk}/history/").content.decode()
    assert "<del>40</del>" in page
    assert "sales/won" in page
    assert "Sue" in page


def test_a_file_is_written_down_with_who_imported_it(sue):
    make_trigger(members=[make_manager("ann")])
    text = export_configuration().replace("coefficient: 1", "coefficient: 7").replace("priority: 10", "priority: 2")
    with sign_changes(by=sue, way="file it's 100%.yaml"):
        import_configuration(text)
    found = ConfigurationChange.objects.filter(by=sue)
    assert {c.model: c.after for c in found} == {
        "routing.trigger": {"priority": 2},
        "routing.member": {"coefficient": 7},
    }
    assert {c.way for c in found} == {"file it's 100%.yaml"}
    with sign_changes():
        Trigger.objects.update(priority=1)
    assert (last().by, last().way, last().after) == (None, "", {"priority": 1})


def test_sql_by_hand_is_written_down_as_well(trigger):
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM routing_member")
    assert (last().model, last().action, last().owner_id) == ("routing.member", "removed", trigger.pk)


def test_changes_are_told_in_words(trigger):
    ann = Manager.objects.get()
    schedule = make_schedule()
    ann.schedule = schedule
    ann.save()
    make_exception(ann, on=clock.now().date())
    Member.objects.update(coefficient=0, schedule=schedule)
    newest = list(ConfigurationChange.objects.all()[:3])
    assert lines(newest)[0] in (
        "Member changed: Schedule  Office, Coefficient 40 0",
        "Member changed: Coefficient 40 0, Schedule  Office",
    )
    assert lines(newest)[1].startswith("Schedule exception added: ")
    assert lines(newest)[2] == "Manager changed: Schedule  Office"


def test_intake_and_being_seen_write_nothing_down(trigger):
    make_source()
    before = ConfigurationChange.objects.count()
    take(at=clock.now())
    Manager.objects.update(last_seen_at=clock.now())
    ApiKey.objects.update(last_used_at=clock.now())
    assert ConfigurationChange.objects.count() == before


def test_no_secret_is_written_down(client, sue):
    key = ApiKey(name="Landing", scopes=["read"])
    secret = key.renew()
    key.save()
    sue.set_password("a secret of Sue")
    sue.name = "Susan"
    sue.save()
    written = str(list(ConfigurationChange.objects.values_list("before", "after")))
    assert key.digest not in written
    assert secret not in written
    assert sue.password not in written
    assert last().after == {"name": "Susan"}


def test_the_history_takes_no_more_queries_for_more_changes(client, sue, trigger, django_assert_max_num_queries):
    for number in range(10):
        Member.objects.create(trigger=trigger, manager=make_manager(f"m{number}"))
    client.get(address(trigger))
    with django_assert_max_num_queries(14):
        client.get(f"/admin/routing/trigger/{trigger.pk}/history/")
    with django_assert_max_num_queries(11):
        client.get("/admin/accounts/configurationchange/")


def test_the_history_takes_few_queries_for_changes_of_every_kind(
    client, sue, trigger, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(ConfigurationChangeAdmin, "list_per_page", 200)
    ann, office = Member.objects.get().manager, make_schedule()
    make_exception(ann, on=MONDAY.date(), kind="off")
    make_exception(office, on=MONDAY.date(), kind="off")
    make_manager("new", schedule=office)
    make_registry()
    make_source()
    Placeholder.objects.create(kind="company", value="nobody")
    for number in range(5):
        make_trigger(f"own-{number}", on_stage="sales/accepted")
    Registry.objects.update(refund_missed=True)
    ScheduleException.objects.update(last_day=MONDAY.date() + timedelta(1))
    Member.objects.update(limit=5)
    Manager.objects.update(active=False)
    Trigger.objects.update(priority=7)
    Registry.objects.update(title="")
    Stage.objects.filter(code="won").update(title="Won!")
    Member.objects.all().delete()
    told_of = set(ConfigurationChange.objects.values_list("model", flat=True))
    assert told_of >= set(models_with_history()) - {"accounts.account", "accounts.user", "routing.apikey"}
    client.get("/admin/")
    with django_assert_max_num_queries(8):
        page = client.get("/admin/accounts/configurationchange/")
    assert {change.model for change in page.context["cl"].result_list} == told_of
    assert "#" not in "".join(change.called for change in page.context["cl"].result_list)


@pytest.mark.parametrize("label", list(CALLED))
def test_the_history_calls_rows_what_they_are_called_elsewhere(trigger, label):
    make_manager("nameless")
    User.objects.filter(email="nameless@example.com").update(name="")
    make_schedule()
    Placeholder.objects.create(kind="company", value="nobody")
    model = apps.get_model(label)
    names = {row.pk: str(row) for row in model.objects.all()}
    assert names
    assert dict(model.objects.values_list("pk", CALLED[label])) == names


def test_the_history_names_things_as_people_do(client, sue, trigger):
    Member.objects.update(limit=5)
    changed = client.get(f"/admin/accounts/configurationchange/{last().pk}/change/").content.decode()
    assert "Member Ann in new-leads: changed" in changed
    Member.objects.all().delete()
    removed = client.get(f"/admin/accounts/configurationchange/{last().pk}/change/").content.decode()
    assert "Member Ann in new-leads: removed" in removed
    page = client.get("/admin/accounts/configurationchange/").content.decode()
    assert page.count("Member Ann in new-leads") >= 2
    assert "Limit stages sales/new in new-leads" in page
    assert "manager_id" not in page
    assert ">Member<" in re.sub(r"\s+", "", page)


# Two people


@pytest.fixture
def max_(db):
    other = Client()
    other.force_login(make_supervisor("max"))
    return other


def test_the_second_of_two_is_told_what_the_first_changed_and_may_save_again(client, sue, max_, trigger):
    place = address(trigger)
    mine, theirs = filled(client, place), filled(max_, place)
    assert max_.post(place, theirs | {"priority": "3", "members-0-coefficient": "60"}).status_code == 302
    refused = client.post(place, mine | {"priority": "7"})
    said = list(errors(refused)["__all__"])
    assert said[0].startswith("Max changed this while you were editing.")
    assert said[1:] == ["Priority: 10 → 3", "Ann: Coefficient: 40 → 60"]
    assert Trigger.objects.get().priority == 3
    again = mine | {"priority": "7", "seen": refused.context["seen"]}
    assert client.post(place, again).status_code == 302
    assert Trigger.objects.get().priority == 7


def test_who_saves_again_keeps_their_changes_and_undoes_nobodys(client, sue, max_, trigger):
    bob = make_manager("bob")
    Member.objects.create(trigger=trigger, manager=bob, coefficient=5, limit=4, position=2)
    place = address(trigger)
    mine, theirs = filled(client, place), filled(max_, place)
    removal = {"members-1-DELETE": "on", "members-0-coefficient": "60", "priority": "3", "online_only": "on"}
    assert max_.post(place, theirs | removal).status_code == 302
    refused = client.post(place, mine | {"limit": "9", "members-0-limit": "7"})
    said = set(list(errors(refused)["__all__"])[1:])
    assert said == {"Online only: no → yes", "Priority: 10 → 3", "Ann: Coefficient: 40 → 60", "Bob: removed"}
    assert client.post(place, form_in(refused)).status_code == 302
    stored, [ann] = Trigger.objects.get(), Member.objects.all()
    assert (stored.priority, stored.online_only, stored.limit) == (3, True, 9)
    assert (ann.coefficient, ann.limit) == (60, 7)


def test_who_saves_again_keeps_their_new_members_beside_those_added_meanwhile(client, sue, max_, trigger):
    place = address(trigger)
    mine, bob = filled(client, place), make_manager("bob")
    Member.objects.create(trigger=trigger, manager=bob, coefficient=5)
    new = {"members-1-manager": str(make_manager("cora").pk), "members-1-coefficient": "7", "members-1-position": "3"}
    refused = client.post(place, mine | new | {"members-TOTAL_FORMS": "2", "members-1-id": ""})
    assert client.post(place, form_in(refused)).status_code == 302
    assert dict(Member.objects.values_list("manager__user__name", "coefficient")) == {"Ann": 40, "Bob": 5, "Cora": 7}


def test_what_is_empty_is_no_word_of_a_programming_language(client, sue, max_, trigger):
    mine = filled(client, address(trigger))
    save(max_, address(trigger), limit="8", online_only="on")
    said = list(errors(client.post(address(trigger), mine))["__all__"])
    assert "Limit: – → 8" in said
    assert not any("None" in line or "True" in line for line in said)


def test_a_form_of_a_schedule_is_merged_with_its_times(client, sue, max_):
    schedule = make_schedule()
    mine = filled(client, address(schedule))
    save(max_, address(schedule), title="Days")
    refused = client.post(address(schedule), mine | {"code": "days"})
    assert client.post(address(schedule), form_in(refused)).status_code == 302
    schedule.refresh_from_db()
    assert (schedule.title, schedule.code) == ("Days", "days")


def test_a_member_added_meanwhile_is_named(client, sue, max_, trigger):
    mine = filled(client, address(trigger))
    Member.objects.create(trigger=trigger, manager=make_manager("bob"), coefficient=5)
    said = errors(client.post(address(trigger), mine | {"priority": "7"}))["__all__"]
    assert "Bob: Coefficient: – → 5" in said
    assert Trigger.objects.get().priority == 10


def test_a_form_whose_seal_is_broken_is_refused(client, sue, trigger):
    mine = filled(client, address(trigger))
    assert "damaged" in errors(client.post(address(trigger), mine | {"seen": "forged"}))["__all__"][0]


@pytest.mark.parametrize("make", [make_schedule, make_manager, make_trigger, lambda: stage().pipeline])
def test_what_nobody_touched_is_saved(client, sue, make):
    row = make()
    assert "seen" in filled(client, address(row))
    assert save(client, address(row)).status_code == 302


def test_the_form_of_a_user_carries_no_password(client):
    root = User.objects.create_superuser("root@example.com", "a secret")
    client.force_login(root)
    ann = make_manager().user
    state = signing.loads(filled(client, address(ann))["seen"][0], salt="accounts.history.conflict_aware_admin")
    assert "'password'" not in str(state)
    assert ann.password not in str(state)


def test_the_filter_of_the_history_has_every_table_that_is_recorded(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT encode(tgargs, 'escape') FROM pg_trigger WHERE tgname = 'record_change'")
        recorded = {arguments.split("\\000")[0] for (arguments,) in cursor.fetchall()}
    assert recorded == set(models_with_history())
