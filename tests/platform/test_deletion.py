"""Deleting in the admin: what is in use is not loaded to say so, and the page names the way out."""

from __future__ import annotations

import time

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models.expressions import RawSQL
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import deletion
from accounts.models import ScheduleException, User, WorkSchedule
from accounts.time import clock
from routing.models import ApiKey, Contact, Decision, Lead, LeadEvent, Pipeline, RefusedIntake, Source, Stage, Trigger
from tests.factories import (
    MONDAY,
    make_company,
    make_contact,
    make_manager,
    make_pipeline,
    make_registry,
    make_schedule,
    make_source,
    make_trigger,
    make_user,
    stage,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def used(root) -> dict[str, object]:
    """Return one thing of each kind that leads or settings refer to, by where its pages are."""
    ann = make_manager("ann", schedule=make_schedule())
    company = make_company()
    contact = make_contact("ana@client.example", company=company)
    registry = make_registry()
    trigger = make_trigger(members=[ann], registry=registry)
    source = make_source()
    for _ in range(3):
        take(source=source)

    Lead.objects.update(contact=contact, company=company)
    return {
        "routing/source": source,
        "routing/pipeline": Pipeline.objects.get(code="sales"),
        "routing/stage": Lead.objects.first().stage,
        "routing/contact": contact,
        "routing/company": company,
        "routing/registry": registry,
        "routing/trigger": trigger,
        "accounts/user": ann.user,
        "accounts/manager": ann,
        "accounts/workschedule": ann.schedule,
    }


WAYS_OUT = {
    "routing/source": "Deactivate: ",
    "routing/pipeline": "Show the stages: ",
    "routing/stage": "Show the leads: ",
    "routing/contact": "Show the contact: ",
    "routing/company": "Rename: ",
    "routing/registry": "Show the triggers: ",
    "routing/trigger": "Show in the list: ",
    "accounts/user": "Deactivate: ",
    "accounts/manager": "Hand over: ",
    "accounts/workschedule": "Show who uses it: ",
}


@pytest.mark.parametrize("kind", WAYS_OUT)
def test_what_is_in_use_stays_and_the_page_names_the_way_out(root, used, kind):
    thing = used[kind]
    kept = type(thing).objects.count()
    chosen = {"action": "delete_selected", "_selected_action": [thing.pk]}
    pages = [
        lambda: root.get(f"/admin/{kind}/{thing.pk}/delete/"),
        lambda: root.post(f"/admin/{kind}/{thing.pk}/delete/", {"post": "yes"}),
        lambda: root.post(f"/admin/{kind}/", chosen),
        lambda: root.post(f"/admin/{kind}/", {**chosen, "post": "yes"}),
    ]
    for ask in pages:
        with CaptureQueriesContext(connection) as queries:
            page = ask()
        text = page.content.decode()
        assert page.status_code == 200
        assert "It is in use, so it cannot be deleted:" in text
        assert WAYS_OUT[kind] in text
        address = page.context["ways_out"][0][0]
        assert root.get(address).status_code == 200, address
        assert not [q["sql"] for q in queries if _loads_facts(q["sql"])]
    assert type(thing).objects.count() == kept


def _loads_facts(statement: str) -> bool:
    """Tell whether a statement reads whole rows of what leads leave, or more than a person would read."""
    facts = ("routing_decision", "routing_offer", "routing_lead", "routing_leadevent", "routing_handedlead")
    reads = [f'FROM "{table}"' in statement for table in facts]
    return any(reads) and ("LIMIT" not in statement or '"comment"' in statement)


UNUSED = {
    "routing/source": lambda: make_source("other"),
    "routing/pipeline": lambda: Pipeline.objects.create(code="empty", title="Empty"),
    "routing/stage": lambda: stage("sales/lost"),
    "routing/contact": lambda: make_contact("bea@client.example"),
    "routing/company": lambda: make_company("Other SL"),
    "routing/registry": lambda: make_registry("other"),
    "routing/trigger": lambda: make_trigger("other", on_stage="partners/new"),
    "accounts/user": lambda: make_user("kim"),
    "accounts/manager": lambda: make_manager("zoe"),
    "accounts/workschedule": lambda: make_schedule("other"),
}


@pytest.mark.parametrize("kind", UNUSED)
@pytest.mark.parametrize("way", ["page", "selected"])
def test_what_nothing_refers_to_is_deleted_after_a_page_that_asks(root, used, kind, way):
    thing = UNUSED[kind]()
    if way == "page":
        address, sent = f"/admin/{kind}/{thing.pk}/delete/", {}
        asked = root.get(address)
    else:
        address, sent = f"/admin/{kind}/", {"action": "delete_selected", "_selected_action": [thing.pk]}
        asked = root.post(address, sent)
    assert asked.status_code == 200
    assert "Are you sure" in asked.content.decode()
    assert root.post(address, {**sent, "post": "yes"}).status_code == 302
    assert not type(thing).objects.filter(pk=thing.pk).exists()


def test_no_page_of_ours_counts_without_a_bound():
    own = [
        model._meta.label
        for model, its in admin.site._registry.items()
        if type(its).get_deleted_objects.__module__ != "accounts.admin_theme"
        and model._meta.app_label in ("accounts", "routing", "auth")
    ]
    assert not own


def test_what_hangs_on_a_thing_is_counted_to_the_limit_and_no_further(root, monkeypatch):
    monkeypatch.setattr(deletion, "MOST", 5)
    schedule = make_schedule("busy")
    days = [clock.now().date().replace(day=1, month=m) for m in range(1, 8)]
    rows = [ScheduleException(schedule=schedule, first_day=day, last_day=day, kind="off") for day in days]
    ScheduleException.objects.bulk_create(rows[:5])
    page = root.get(f"/admin/accounts/workschedule/{schedule.pk}/delete/").content.decode()
    assert "Schedule exceptions: 5" in page
    ScheduleException.objects.bulk_create(rows[5:])
    page = root.get(f"/admin/accounts/workschedule/{schedule.pk}/delete/").content.decode()
    assert "Schedule exceptions: more than 5" in page
    root.post(f"/admin/accounts/workschedule/{schedule.pk}/delete/", {"post": "yes"})
    assert WorkSchedule.objects.filter(pk=schedule.pk).exists()


def test_rows_that_would_lose_what_they_refer_to_count_as_well(root, monkeypatch):
    monkeypatch.setattr(deletion, "MOST", 5)
    source = make_source()
    for _ in range(6):
        RefusedIntake.objects.create(at=MONDAY, source=source, code="x", problem={}, body=b"", size=0)
    root.post(f"/admin/routing/source/{source.pk}/delete/", {"post": "yes"})
    assert Source.objects.exists()
    RefusedIntake.objects.first().delete()
    root.post(f"/admin/routing/source/{source.pk}/delete/", {"post": "yes"})
    assert not Source.objects.exists()
    assert RefusedIntake.objects.filter(source=None).count() == 5


def test_more_than_can_be_looked_at_are_not_chosen_at_once(root, monkeypatch):
    monkeypatch.setattr(deletion, "MOST", 5)
    for number in range(6):
        make_contact(f"c{number}@client.example")
    everything = {"action": "delete_selected", "select_across": "1", "post": "yes"}
    some = list(Contact.objects.values_list("pk", flat=True))
    page = root.post("/admin/routing/contact/", {**everything, "_selected_action": some[:1]}, follow=True)
    assert "Choose at most 5 to delete at once." in page.content.decode()
    assert Contact.objects.count() == 6


def test_what_comes_into_use_while_somebody_confirms_is_said_and_nothing_is_deleted(root, monkeypatch):
    pipeline = make_pipeline("late", stages={})
    real = deletion.hanging_on

    def look_and_then_use(model, keys, **how):
        found = real(model, keys, **how)
        Stage.objects.get_or_create(pipeline=pipeline, code="new", defaults={"kind": "open", "position": 1})
        return found

    monkeypatch.setattr(deletion, "hanging_on", look_and_then_use)
    page = root.post(f"/admin/routing/pipeline/{pipeline.pk}/delete/", {"post": "yes"}, follow=True)
    assert "It has come into use in the meantime" in page.content.decode()
    assert Pipeline.objects.filter(code="late").exists()


def test_a_table_without_an_index_is_searched_to_its_end_before_anything_is_deleted(root, used, monkeypatch):
    trigger = used["routing/trigger"]
    real, asked = deletion._search_in_time, []

    def search(rows, *, sure):
        asked.append(sure)
        return real(rows, sure=True) if sure else []  # as if the time were over

    monkeypatch.setattr(deletion, "_search_in_time", search)
    root.get(f"/admin/routing/trigger/{trigger.pk}/delete/")
    assert asked
    assert not any(asked)
    page = root.post(f"/admin/routing/trigger/{trigger.pk}/delete/", {"post": "yes"}).content.decode()
    assert "It is in use" in page
    assert Trigger.objects.filter(pk=trigger.pk).exists()


def test_an_index_of_some_rows_is_none_of_all():
    assert deletion._is_indexed(LeadEvent._meta.get_field("by"))
    assert deletion._is_indexed(ScheduleException._meta.get_field("schedule"))
    assert not deletion._is_indexed(Decision._meta.get_field("registry")), "counted decisions alone have one"
    assert not deletion._is_indexed(Lead._meta.get_field("trigger")), "waiting leads alone have one"


@pytest.mark.django_db(transaction=True)
def test_a_search_ends_in_time_and_leaves_the_limit_as_it_was():
    make_contact()
    slow = Contact.objects.annotate(late=RawSQL("pg_sleep(2)::text", [])).values_list("late", flat=True)
    began = time.monotonic()
    assert deletion._search_in_time(slow, sure=False) == []
    assert time.monotonic() - began < 1.5
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("10s",)


def test_a_user_who_did_much_stays(root, monkeypatch, used):
    monkeypatch.setattr(deletion, "MOST", 5)
    kim = make_user("kim")

    lead = Lead.objects.first()
    LeadEvent.objects.bulk_create([LeadEvent(lead=lead, at=MONDAY, kind="moved", by=kim) for _ in range(6)])
    page = root.post(f"/admin/accounts/user/{kim.pk}/delete/", {"post": "yes"})
    assert "Deactivate: Kim" in page.content.decode()
    assert User.objects.filter(pk=kim.pk).exists()


def test_a_trigger_in_use_is_turned_off_by_an_action(root, used):
    trigger = used["routing/trigger"]
    root.post("/admin/routing/trigger/", {"action": "turn_off", "_selected_action": [trigger.pk]})
    assert Trigger.objects.get(pk=trigger.pk).on == []


def test_keys_are_revoked_and_never_deleted(root):
    key = ApiKey(name="x", scopes=["read"])
    key.renew()
    key.save()
    assert root.post(f"/admin/routing/apikey/{key.pk}/delete/", {"post": "yes"}).status_code == 403
    root.post("/admin/routing/apikey/", {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"})
    assert ApiKey.objects.exists()
