"""What cannot be known later is kept when it happens: when managers were online, what a lead was before an edit."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Account, Manager, OnlineTime
from accounts.services import mark_online
from accounts.time import clock
from routing.audit import impossible
from routing.models import Decision, Lead, LeadEdit
from routing.models.crm import LEAD_EDITED, LEAD_TOLD_ELSEWHERE
from routing.personal_data.people import find
from routing.personal_data.retention import prune
from routing.personal_data.rights import erase_person, export_person
from routing.services.stages import move_lead
from tests.admin_pages import save
from tests.factories import MONDAY, make_lead, make_manager, make_supervisor, make_trigger, stage, take

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def online(manager: Manager) -> list[tuple[float, float]]:
    """Return the times of a manager online, in minutes since Monday."""
    times = OnlineTime.objects.filter(manager=manager).order_by("began_at")
    return [((t.began_at - MONDAY) / MINUTE, (t.seen_at - MONDAY) / MINUTE) for t in times]


def test_a_manager_seen_again_in_time_stays_online_and_one_seen_later_comes_anew():
    ann = make_manager("ann")
    for minute in (0, 3, 8, 13.5, 14.5, 30):
        mark_online(ann.pk, at=MONDAY + minute * MINUTE)
    assert online(ann) == [(0, 8), (13.5, 14.5), (30, 30)]


def test_the_accounts_minutes_count_that_stand_when_somebody_is_seen():
    Account.objects.update_or_create(pk=1, defaults={"online_minutes": 20})
    ann = make_manager("ann")
    for minute in (0, 15, 36):
        mark_online(ann.pk, at=MONDAY + minute * MINUTE)
    assert online(ann) == [(0, 15), (36, 36)]


def test_who_was_online_at_an_instant_is_known_long_after():
    ann = make_manager("ann")
    for minute in (0, 4, 30):
        mark_online(ann.pk, at=MONDAY + minute * MINUTE)
    found = [bool(OnlineTime.objects.at(MONDAY + m * MINUTE, minutes=5)) for m in (-1, 0, 4, 9, 9.1, 29, 30, 35, 36)]
    assert found == [False, True, True, True, False, False, True, True, False]


class OnlineTimes(TestCase):
    @given(st.lists(st.integers(min_value=0, max_value=200), min_size=1, max_size=25))
    def test_they_hold_each_time_somebody_was_seen_and_never_overlap(self, minutes):
        """Whatever order they are written in: a clock may have been set back."""
        ann = Manager.objects.filter(user__email="ann@example.com").first() or make_manager("ann")
        OnlineTime.objects.all().delete()
        Manager.objects.update(last_seen_at=None)
        for minute in minutes:
            Manager.objects.filter(pk=ann.pk).update(last_seen_at=MONDAY + minute * MINUTE)
        times = online(ann)
        assert all(before[1] + 5 < after[0] for before, after in pairwise(times))
        if minutes == sorted(minutes):
            assert all(any(start <= minute <= end for start, end in times) for minute in minutes)
        assert not [sentence for sentence in impossible() if "overlap" in sentence]


def test_times_that_overlap_are_found_by_the_audit():
    ann = make_manager("ann")
    for start in (0, 3):
        OnlineTime.objects.create(manager=ann, began_at=MONDAY + start * MINUTE, seen_at=MONDAY + 5 * MINUTE)
    assert [sentence for sentence in impossible() if "overlap" in sentence]


def test_a_decision_by_a_version_that_there_never_was_is_found_by_the_audit():
    make_trigger(members=[(make_manager("ann"), 1)])
    take(at=MONDAY)
    assert not [sentence for sentence in impossible() if "version" in sentence]
    Decision.objects.update(version=10**12)
    assert [sentence for sentence in impossible() if "version" in sentence]


def test_online_times_are_kept_for_as_long_as_the_setting_says(settings):
    ann = make_manager("ann")
    mark_online(ann.pk, at=MONDAY)
    settings.RETENTION = settings.RETENTION | {"ONLINE_DAYS": 30}
    assert "online times" not in prune(at=MONDAY + timedelta(days=29))
    assert prune(at=MONDAY + timedelta(days=31))["online times"] == 1


# Edits of leads


def test_what_a_lead_was_before_an_edit_is_kept_whoever_edits():
    lead = make_lead(budget="5000.50", tags=["a"], fields={"size": "L"})
    Lead.objects.filter(pk=lead.pk).update(budget=10, language="es", fields={"size": "M"})
    [edit] = LeadEdit.objects.all()
    assert edit.before == {"budget": 5000.5, "language": "", "fields": {"size": "L"}}
    assert (edit.lead_id, edit.by, edit.last_decision) == (lead.pk, None, None)
    Lead.objects.filter(pk=lead.pk).update(budget=10)  # is so already
    assert LeadEdit.objects.count() == 1


def test_who_edits_on_a_page_is_named(client):
    sue = make_supervisor()
    client.force_login(sue)
    lead = make_lead(product="Flat")
    answer = save(client, f"/admin/routing/lead/{lead.pk}/change/", product="House")
    assert answer.status_code == 302
    [edit] = LeadEdit.objects.all()
    assert (edit.before, edit.by) == ({"product": "Flat"}, sue)


def test_an_edit_knows_the_last_decision_that_saw_the_lead_as_it_was():
    make_trigger(members=[(make_manager("ann"), 1)], set_fields={"taken": True})
    make_trigger("later", on_stage="sales/accepted", members=[(make_manager("bob"), 1)], set_fields={"taken": False})
    lead = take(at=MONDAY)
    [first] = Decision.objects.all()
    Lead.objects.filter(pk=lead.pk).update(language="es")
    assert LeadEdit.objects.get().last_decision == first.pk
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY, by=None)
    edit = LeadEdit.objects.latest("id")
    assert edit.before == {"fields": {"taken": True}}
    assert edit.last_decision == first.pk < Decision.objects.latest("id").pk


def test_a_lead_that_is_only_distributed_leaves_no_edit():
    make_trigger(members=[(make_manager("ann"), 1)], acceptance_minutes=10)
    take(at=MONDAY)
    assert not LeadEdit.objects.exists()


def test_every_column_of_a_lead_is_kept_before_an_edit_or_told_elsewhere():
    columns = {field.name for field in Lead._meta.concrete_fields}
    assert columns == {*LEAD_EDITED, *LEAD_TOLD_ELSEWHERE}
    assert not {*LEAD_EDITED} & {*LEAD_TOLD_ELSEWHERE}


def test_erasure_empties_what_was_kept_and_keeps_nothing_of_what_it_erases():
    make_trigger(members=[(make_manager("ann"), 1)])
    lead = take(at=MONDAY, contact={"email": "rosa@example.org", "name": "Rosa"}, comment="Rosa wants a house")
    Lead.objects.filter(pk=lead.pk).update(comment="Rosa wants a flat")
    rosa = find(email="rosa@example.org")
    assert export_person(rosa, at=clock.now())["places"]["routing.LeadEdit"][0]["before"] == {
        "comment": "Rosa wants a house"
    }
    erase_person(rosa, at=clock.now())
    assert [edit.before for edit in LeadEdit.objects.all()] == [{}]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM routing_leadedit t WHERE t::text LIKE '%Rosa%'")
        assert cursor.fetchone() == (0,)
    Lead.objects.filter(pk=lead.pk).update(language="es")  # and what comes after is kept again
