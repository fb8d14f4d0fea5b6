"""Reports over a range: who may see them, what they are asked, what can be taken home; workload and waiting leads."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from html import unescape
from io import StringIO

import pytest
from django.contrib.auth.models import Permission

from accounts.services import pause_manager
from reports import catalogue, tables
from reports.charts import levels
from reports.pages import waiting, workload
from routing.services.stages import move_lead
from tests.factories import (
    DAY,
    HOUR,
    MONDAY,
    asking_acceptance,
    hold,
    make_account,
    make_contact,
    make_lead,
    make_manager,
    make_schedule,
    make_source,
    make_trigger,
    stage,
    take,
    take_some,
)
from tests.reports.asking import asked, table
from tests.reports.asking import tables as tables_of

pytestmark = pytest.mark.django_db

RANGED = pytest.mark.parametrize("report", catalogue.RANGED, ids=lambda report: report.code)


@RANGED
def test_each_report_has_its_own_permission(client, report):
    ann = make_manager().user
    client.force_login(ann)
    for path in (f"/reports/{report.code}/", f"/reports/{report.code}", f"/reports/{report.code}.csv"):
        assert client.get(path).status_code == 403
    ann.user_permissions.add(Permission.objects.get(codename=report.permission.split(".")[1]))
    for path in (f"/reports/{report.code}/", f"/reports/{report.code}", f"/reports/{report.code}.csv"):
        assert client.get(path).status_code == 200
    index = client.get("/reports/").content.decode()
    assert [other.code for other in catalogue.ALL if f'href="/reports/{other.code}"' in index] == [report.code]


def test_a_long_table_is_shown_to_who_asks_for_it(client, sue, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 1)
    make_trigger(members=[make_manager(), make_manager("bob")])
    page = client.get("/reports/workload/?trigger=").content.decode()
    assert "<tbody>" not in page
    [link] = re.findall(r'href="(\?[^"#]*)#table-limits"', page)
    page = client.get(f"/reports/workload/{unescape(link)}").content.decode()
    assert "<tbody>" in page
    assert ">Ann</th>" in page


@RANGED
def test_an_empty_installation_has_reports_that_say_so(client, sue, report):
    page = client.get(f"/reports/{report.code}/")
    assert page.status_code == 200
    assert "There is nothing to show for this range." in page.content.decode()


@RANGED
def test_each_report_is_shown_and_taken_home_in_few_statements(client, sue, report, django_assert_max_num_queries):
    make_trigger(members=[make_manager(), make_manager("bob")], **asking_acceptance())
    take_some(3)
    query = "first=2026-03-01&last=2026-03-03"
    client.get(f"/reports/{report.code}/")  # the configuration is kept from now on
    with django_assert_max_num_queries(25):
        page = client.get(f"/reports/{report.code}/?{query}")
    assert page.status_code == 200
    for one in page.context["content"].tables:
        answer = client.get(f"/reports/{report.code}.csv?{query}&table={one.code}")
        rows = list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))
        assert rows[0] == [column.code or column.heading for column in one.columns]
        assert len(rows) == len(one.rows) + 1
        assert f'filename="{report.code}-{one.code}.csv"' in answer.headers["Content-Disposition"]


def test_a_table_that_a_report_has_not_is_not_found(client, sue):
    assert client.get("/reports/fairness.csv?table=passwords").status_code == 404


def test_names_in_a_csv_are_never_formulas(client, sue):
    ann = make_manager()
    ann.user.name = "=HYPERLINK(1)"
    ann.user.save()
    make_trigger(members=[ann])
    assert '"\'=HYPERLINK(1)"' in client.get("/reports/workload.csv").content.decode()


@pytest.mark.parametrize(
    "query",
    ["first=2026-03-02&last=2026-03-01", "first=2024-01-01&last=2026-03-01", "first=yesterday", "last=9999-12-31",
     "manager=x", "manager=999", "target=0", "measure=luck", "clock=cuckoo"],
)  # fmt: skip
def test_a_question_that_cannot_be_read_is_refused(client, sue, query):
    page = client.get(f"/reports/response/?{query}")
    assert page.status_code == 400
    assert 'class="errors"' in page.content.decode()
    taken = client.get(f"/reports/response.csv?{query}")
    assert taken.status_code == 400
    assert 'class="errors"' in taken.content.decode()
    assert 'action="/reports/response"' in taken.content.decode()


def test_without_a_range_it_is_the_last_thirty_days_of_the_account(client, sue):
    make_account(time_zone="Pacific/Kiritimati")
    form = client.get("/reports/waiting/").context["form"]
    first, last = form.cleaned_data["first"], form.cleaned_data["last"]
    assert (last - first).days == 29


def test_instants_and_dates_are_for_programs_in_a_csv(client, sue):
    make_account(time_zone="Europe/Madrid")
    make_trigger("first", members=[{"manager": make_manager(), "limit": 0}])
    make_trigger("second", members=[make_manager("bob")], on_stage="sales/accepted")
    take(at=MONDAY)
    take(at=MONDAY, stage="accepted")
    query = "first=2026-03-02&last=2026-03-03"
    page = client.get(f"/reports/waiting/?{query}").content.decode()
    assert "03/02/2026 11 a.m." in page
    assert '"2026-03-02T11:00:00+01:00"' in client.get(f"/reports/waiting.csv?{query}&table=triggers").content.decode()
    over_time = client.get(f"/reports/fairness.csv?{query}&table=time").content.decode("utf-8-sig")
    assert over_time.splitlines()[0] == '"Manager","2026-03-02","2026-03-03"'
    assert "March 2" in client.get(f"/reports/fairness/?{query}").content.decode()


def test_a_table_is_not_nothing(client, sue):
    make_trigger(members=[make_manager()])
    take()  # assigned, and not to be accepted: no chart
    page = client.get("/reports/response/?first=2026-03-02&last=2026-03-02").content.decode()
    assert "arrival to assignment" in page[page.index("By step") :]
    assert "There is nothing to show" not in page


# Workload


def test_workload_is_what_the_limits_count():
    ann, bob = make_manager(), make_manager("bob")
    make_trigger(members=[{"manager": ann, "limit": 4}, bob], limit=10, limit_stages=["sales/new"])
    hold(ann, 4)
    hold(ann, 5, in_stage="sales/accepted")
    hold(bob, 1)
    take(at=MONDAY)  # Bob's: Ann is at her limit
    rows = table(workload, "limits", asked("2026-03-02", "2026-03-02"))
    assert rows == [("Ann", "new-leads", "member", 4, 4, 1.0, 0), ("Bob", "new-leads", "member", 2, 10, 0.2, 1)]


def test_workload_without_a_limit_says_so(client, sue):
    ann = make_manager()
    make_trigger(members=[ann])
    hold(ann, 3)
    question = asked("2026-03-02", "2026-03-02")
    assert table(workload, "limits", question) == [("Ann", "new-leads", "member", 3, None, None, 0)]
    [limits] = workload.content(question).tables
    assert limits.texts == [["Ann", "new-leads", "member", "3", "no limit", "no data", "0"]]


def test_leads_given_are_those_of_the_trigger():
    ann = make_manager()
    first = make_trigger("first", members=[ann])
    make_trigger("second", members=[ann], on_stage="sales/accepted")
    take_some(3)
    take_some(2, stage="accepted")
    question = asked("2026-03-02", "2026-03-02")
    assert {row[1]: row[-1] for row in table(workload, "limits", question)} == {"first": 3, "second": 2}
    question = asked("2026-03-02", "2026-03-02", trigger=first.pk)
    assert {row[1]: row[-1] for row in table(workload, "limits", question)} == {"first": 3}


def test_who_got_leads_without_being_a_member_is_shown_as_such():
    ann, eva, old = make_manager(), make_manager("eva"), make_manager("kim")
    trigger = make_trigger(
        members=[{"manager": ann, "limit": 0}], if_nobody="duty", duty=eva, responsible_check=["contact"]
    )
    make_contact("old@client.example", responsible=old)
    take_some(2)
    take(contact={"email": "old@client.example"})
    question = asked("2026-03-02", "2026-03-02", trigger=trigger.pk)
    assert table(workload, "limits", question) == [
        ("Ann", "new-leads", "member", 0, 0, 1.0, 0),
        ("Eva", "new-leads", "duty, not a member", 2, None, None, 2),
        ("Kim", "new-leads", "not a member", 1, None, None, 1),
    ]
    question = asked("2026-03-02", "2026-03-02", manager=eva.pk)
    assert [row[0] for row in table(workload, "limits", question)] == ["Eva"]


# Waiting leads


def test_leads_wait_for_every_reason_that_a_candidate_had():
    ann = make_manager()
    bob = make_manager("bob", schedule=make_schedule(weekly={}))
    make_trigger(members=[ann, bob])
    pause_manager(ann, at=MONDAY)
    take(at=MONDAY)
    take(at=MONDAY + HOUR)
    question = asked("2026-03-02", "2026-03-02", at=MONDAY + 2 * HOUR)
    reasons = {row[0]: row[1:] for row in table(waiting, "reasons", question)}
    assert reasons["paused"][0] >= 1
    assert reasons["off duty"][0] >= 1
    [row] = table(waiting, "triggers", question)
    assert (row[0], row[1], row[3]) == ("new-leads", 2, timedelta(hours=2).total_seconds())


def test_leads_that_came_on_other_days_are_left_out():
    make_trigger(members=[{"manager": make_manager(), "limit": 0}])
    take(at=MONDAY)
    take(at=MONDAY + DAY)
    [row] = table(waiting, "triggers", asked("2026-03-03", "2026-03-03", at=MONDAY + 2 * DAY))
    assert row[1] == 1


def test_waiting_leads_are_those_of_the_source_and_the_trigger():
    ann, bob = make_manager(), make_manager("bob")
    first = make_trigger("first", members=[{"manager": ann, "limit": 0}])
    make_trigger("second", members=[bob], on_stage="sales/accepted")
    pause_manager(bob, at=MONDAY)
    hotline = make_source("hotline", channel="phone")
    take(source=hotline)
    take()
    take(stage="accepted")
    for narrowed, triggers, reasons in (
        ({}, [("first", 2), ("second", 1)], [("at the limit", 2, 2), ("paused", 1, 1)]),
        ({"trigger": first.pk}, [("first", 2)], [("at the limit", 2, 2)]),
        ({"source": hotline.pk}, [("first", 1)], [("at the limit", 1, 1)]),
        ({"source": hotline.pk, "trigger": first.pk + 1}, [], []),
    ):
        found = tables_of(waiting, asked("2026-03-02", "2026-03-02", **narrowed))
        assert [row[:2] for row in found["triggers"]] == triggers
        assert found["reasons"] == reasons


def test_the_form_narrows_waiting_leads_to_source_and_trigger(client, sue):
    form = client.get("/reports/waiting/").context["form"]
    assert {"source", "trigger"} <= set(form.fields)


def test_a_lead_that_is_moved_begins_to_wait_when_it_is():
    make_trigger("first", members=[make_manager()])
    make_trigger("second", members=[{"manager": make_manager("bob"), "limit": 0}], on_stage="sales/accepted")
    lead = take(at=MONDAY)
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY + 9 * DAY)
    question = asked("2026-03-02", "2026-03-02", at=MONDAY + 9 * DAY + HOUR)
    [row] = table(waiting, "triggers", question)
    assert row[3] == HOUR.total_seconds()


def test_a_lead_that_nobody_decided_on_waits_since_it_came():
    trigger = make_trigger(members=[make_manager()])
    make_lead(state="waiting", trigger=trigger)
    [row] = table(waiting, "triggers", asked("2026-03-02", "2026-03-02", at=MONDAY + HOUR))
    assert row[3] == HOUR.total_seconds()


# Charts


@pytest.mark.parametrize(("lowest", "highest"), [(0, 0), (-0.4, 0.6), (0, 17), (-3, -1), (2, 900), (-12.5, 0.001)])
def test_the_levels_of_a_chart_hold_all_values_and_zero(lowest, highest):
    found = levels(lowest, highest)
    assert 0 in found
    assert found[0] <= lowest
    assert found[-1] >= highest
    assert 2 <= len(found) <= 8
