"""Conversion, against figures counted by hand from published pipelines."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, date, datetime, time

import pytest

from reports.pages import conversion
from reports.statistics import share
from routing.models import Lead
from tests.data import data_path
from tests.factories import MONDAY, make_lead, make_manager, make_source, stage
from tests.reports.asking import asked, table

pytestmark = pytest.mark.django_db

STAGES = {"Won": "sales/won", "Lost": "sales/lost", "Engaging": "sales/accepted"}


def noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), UTC)


@pytest.mark.slow
def test_the_wins_of_the_agents_of_maven_are_those_of_its_table():
    managers, leads, expected = {}, [], Counter[tuple[str, str]]()
    source, stages = make_source(), {word: stage(path) for word, path in STAGES.items()}
    with data_path("maven_crm/sales_pipeline.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if not "2017-01-01" <= row["engage_date"] <= "2017-06-30":
                continue
            agent = row["sales_agent"]
            if agent not in managers:
                managers[agent] = make_manager(f"a{len(managers)}")
            at = noon(row["engage_date"])
            leads.append(
                Lead(source=source, stage=stages[row["deal_stage"]], responsible=managers[agent],
                     state="assigned", arrived_at=at, created_at=at)
            )  # fmt: skip
            expected[agent, row["deal_stage"]] += 1
    Lead.objects.bulk_create(leads)
    rows = {row[0]: row[1:] for row in table(conversion, "managers", asked("2017-01-01", "2017-06-30"))}
    assert len(rows) == len(managers) > 25
    for agent, manager in managers.items():
        won, lost, open_ = (expected[agent, word] for word in ("Won", "Lost", "Engaging"))
        leads_, found_open, found_won, found_lost, closed, low, high, of_all = rows[manager.user.name]
        assert (leads_, found_open, found_won, found_lost) == (won + lost + open_, open_, won, lost)
        assert closed == (won / (won + lost) if won + lost else None)
        assert of_all == won / leads_
        assert closed is None or low < closed < high


@pytest.mark.slow
def test_the_deals_of_olist_by_origin_are_those_of_its_two_tables():
    with data_path("olist_funnel/closed_deals.csv").open(newline="", encoding="utf-8") as file:
        closed = {row["mql_id"] for row in csv.DictReader(file)}
    leads, expected, sources = [], Counter[tuple[str, bool]](), {}
    stages = {True: stage("sales/won"), False: stage("sales/new")}
    with data_path("olist_funnel/marketing_qualified_leads.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["first_contact_date"] >= "2018-01-01":
                origin, won = row["origin"] or "none", row["mql_id"] in closed
                if origin not in sources:
                    sources[origin] = make_source(origin)
                at = noon(row["first_contact_date"])
                leads.append(
                    Lead(source=sources[origin], stage=stages[won], arrived_at=at,
                         created_at=at)
                )  # fmt: skip
                expected[origin, won] += 1
    Lead.objects.bulk_create(leads)
    rows = table(conversion, "sources", asked("2018-01-01", "2018-12-31"))
    assert len(rows) == len({origin for origin, _ in expected})
    for origin, leads_, open_, won, lost, *_, of_all in rows:
        assert (won, open_, lost) == (expected[origin, True], expected[origin, False], 0)
        assert of_all == won / leads_


def test_without_closed_leads_there_is_no_data_and_not_zero_per_cent(client, sue):
    make_lead(arrived_at=MONDAY)
    page = client.get("/reports/conversion/?first=2026-03-02&last=2026-03-02").content.decode()
    assert page.count("no data") >= 4
    [row] = table(conversion, "sources", asked("2026-03-02", "2026-03-02"))
    assert row[5:8] == (None, None, None)


@pytest.mark.parametrize(
    ("won", "closed", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)  # 81 of 263: Newcombe, Statistics in Medicine 17 (1998), table I
def test_the_interval_is_that_of_the_literature(won, closed, low, high):
    assert share(won, closed) == pytest.approx((won / closed, low, high), abs=5e-5)


def test_of_nothing_there_is_no_share():
    assert share(0, 0) is None
