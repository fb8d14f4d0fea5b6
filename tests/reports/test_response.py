"""Response times, against figures worked out by hand from the calls of a bank."""

from __future__ import annotations

import csv
import gzip
import random
import statistics
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from reports.pages import response
from routing.services.assignment import reassign
from routing.services.offers import accept_offer
from tests.data import data_path
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
    make_trigger,
    stage,
    take,
)
from tests.reports.asking import asked, table, tables
from tests.reports.history import History, quantile

pytestmark = pytest.mark.django_db

JERUSALEM = ZoneInfo("Asia/Jerusalem")


def moment(day: str, clock: str) -> datetime:
    return datetime.strptime(f"{day} {clock}", "%y%m%d %H:%M:%S").replace(tzinfo=JERUSALEM).astimezone(UTC)


@pytest.mark.slow
def test_the_bank_answers_its_prospects_as_fast_as_its_log_says():
    """Arrival: the voice menu; assignment: its end; acceptance: an operator speaks."""
    history = History(trigger=make_trigger(), stage=stage())
    source, servers = make_source(channel="phone"), {}
    waits, by_server, by_hour = [], defaultdict(list), defaultdict(list)
    with gzip.open(data_path("bank_call_centre/calls_1999_02_01_17.csv.gz"), "rt", newline="") as file:
        for row in csv.DictReader(file):
            if row["type"] != "NW" or row["outcome"] != "AGENT" or row["server"] == "NO_SERVER":
                continue
            if row["server"] not in servers:
                servers[row["server"]] = make_manager(f"s{len(servers)}")
            server = servers[row["server"]]
            arrived, assigned, accepted = (moment(row["date"], row[k]) for k in ("vru_entry", "vru_exit", "ser_start"))
            accepted = max(accepted, assigned)  # a second apart, now and then
            lead = history.lead(source, arrived, responsible=server)
            history.offer(lead, server, assigned, accepted, "accepted")
            seconds, local = (accepted - arrived).total_seconds(), arrived.astimezone(JERUSALEM)
            waits.append(seconds)
            by_server[server.user.name].append(seconds)
            by_hour[local.weekday(), local.hour].append(seconds)
    history.write()
    question = asked("1999-02-01", "1999-02-17", zone="Asia/Jerusalem", target=1)
    assert len(waits) > 3_000
    found = tables(response, question)
    [whole] = [row for row in found["steps"] if row[0] == "arrival to acceptance"]
    within = sum(seconds <= 60 for seconds in waits) / len(waits)
    assert whole[1:] == (len(waits), statistics.median(waits), pytest.approx(quantile(waits, 0.9)), within)
    for name, count, median, p90, share in found["managers"]:
        expected = by_server[name]
        assert (count, median, p90) == (
            len(expected),
            statistics.median(expected),
            pytest.approx(quantile(expected, 0.9)),
        )
        assert share == sum(seconds <= 60 for seconds in expected) / len(expected)
    assert [row[1:3] for row in found["hours"]] == [(len(v), statistics.median(v)) for _, v in sorted(by_hour.items())]


def test_the_hours_are_those_of_the_account_on_both_sides_of_a_change_of_clocks():
    for at in (datetime(2026, 10, 24, 9, 30, tzinfo=UTC), datetime(2026, 10, 26, 9, 30, tzinfo=UTC)):
        history = History(trigger=make_trigger(f"t{at.day}"), stage=stage())
        ann = make_manager(f"ann{at.day}")
        history.offer(history.lead(make_source(), at, responsible=ann), ann, at, at + MINUTE, "accepted")
        history.write()
    rows = table(response, "hours", asked("2026-10-20", "2026-10-31", zone="Europe/Madrid"))
    assert [row[0] for row in rows] == ["Monday 10:00", "Saturday 11:00"]


def test_working_time_leaves_out_what_is_not_on_duty():
    office = make_schedule()  # 9 to 18
    ann, bob = make_manager(schedule=office), make_manager("bob")
    make_account(time_zone="UTC")
    history = History(trigger=make_trigger(), stage=stage())
    evening = MONDAY.replace(hour=17, minute=30)
    for manager in (ann, bob):
        lead = history.lead(make_source(), evening, responsible=manager)
        history.offer(lead, manager, evening + MINUTE, evening + 16 * HOUR, "accepted")  # at 9:30 on Tuesday
    history.write()
    rows = table(response, "managers", asked("2026-03-02", "2026-03-02", clock="working"))
    assert {row[0]: row[2] for row in rows} == {"Ann": 3_600, "Bob": 16 * 3_600}
    rows = table(response, "managers", asked("2026-03-02", "2026-03-02", clock="wall"))
    assert {row[2] for row in rows} == {16 * 3_600}


def test_the_first_assignment_and_the_first_acceptance_count_whoever_decided():
    ann, bob = make_manager(), make_manager("bob")
    make_trigger(members=[ann, bob], **asking_acceptance())
    lead = take(at=MONDAY)
    reassign(make_lead(arrived_at=MONDAY).pk, bob.pk, at=MONDAY + HOUR)
    accept_offer(lead.pk, at=MONDAY + 4 * MINUTE)
    reassign(lead.pk, bob.pk, at=MONDAY + 2 * HOUR)
    rows = {row[0]: row[1:3] for row in table(response, "steps", asked("2026-03-02", "2026-03-02"))}
    assert rows == {
        "arrival to acceptance": (1, 240),
        "arrival to assignment": (2, 1_800),  # at once, and an hour later by hand
        "assignment to acceptance": (1, 240),
    }
    [row] = table(response, "managers", asked("2026-03-02", "2026-03-02"))
    assert row[0] == "Ann"  # who accepted it, not who has it now


@pytest.mark.parametrize("clock", ["wall", "working"])
def test_every_figure_is_that_of_the_single_leads(clock):
    """Worked out one lead at a time, with fractions of seconds and ties."""
    dice, zone = random.Random(clock), ZoneInfo("Europe/Madrid")
    office = make_schedule()
    people = [make_manager(schedule=office), make_manager("bob")]
    make_account(time_zone="Europe/Madrid")
    sources = [make_source(), make_source("phone", channel="phone")]
    history, waits = History(trigger=make_trigger(), stage=stage()), []
    for _ in range(401):
        at = MONDAY + timedelta(milliseconds=dice.randrange(5 * 86_400_000))
        manager, source = dice.choice(people), dice.choice(sources)
        lead = history.lead(source, at, responsible=manager)
        assigned = at + timedelta(seconds=dice.randrange(3))
        accepted = assigned + timedelta(milliseconds=dice.choice([60_000, dice.randrange(40_000_000)]))
        history.offer(lead, manager, assigned, accepted, dice.choice(["accepted", "accepted", "timed_out"]))
        if lead.accepted_at:
            waits.append((source.code, manager, at.astimezone(zone), _seconds(at, accepted, manager, clock, zone)))
    history.write()
    found = tables(response, asked("2026-03-02", "2026-03-07", zone="Europe/Madrid", clock=clock, target=60))
    groups = {"sources": lambda w: w[0], "managers": lambda w: w[1].user.name,
              "hours": lambda w: f"{w[2]:%A %H}:00", "steps": lambda w: "arrival to acceptance"}  # fmt: skip
    for code, group in groups.items():
        expected = defaultdict(list)
        for wait in waits:
            expected[group(wait)].append(wait[3])
        rows = {row[0]: row[1:] for row in found[code] if row[0] in expected}
        assert rows == {
            name: (
                len(values),
                pytest.approx(statistics.median(values), abs=1e-5),
                pytest.approx(quantile(values, 0.9), abs=1e-5),
                sum(value <= 3_600 for value in values) / len(values),
            )
            for name, values in expected.items()
        }


def _seconds(start, end, manager, clock, zone):
    """Return the seconds between, of the office's hours alone when the manager has some: 9 to 18 on working days."""
    if clock == "wall" or manager.schedule is None:
        return (end - start).total_seconds()
    total = 0.0
    for day in range(9):
        opens = datetime(2026, 3, 2 + day, 9, tzinfo=zone)
        if opens.weekday() < 5:
            total += max(0.0, (min(end, opens + 9 * HOUR) - max(start, opens)).total_seconds())
    return total


@pytest.mark.parametrize("clock", ["wall", "working"])
def test_leads_that_nobody_accepted_are_no_data(clock):
    make_lead(arrived_at=MONDAY)
    question = asked("2026-03-02", "2026-03-02", clock=clock)
    facts = response.content(question).facts
    assert (facts[0], facts[3], facts[4]) == (
        ("Leads that arrived", "1"), ("Within the target", "no data"), ("Not reached yet", "1"),
    )  # fmt: skip
    assert {row[1:] for row in table(response, "steps", question)} == {(0, None, None, None)}


def test_leads_of_other_days_sources_and_managers_are_left_out():
    ann, bob = make_manager(), make_manager("bob")
    history = History(trigger=make_trigger(), stage=stage())
    phone = make_source("phone", channel="phone")
    for source, manager, at in ((phone, ann, MONDAY), (make_source(), bob, MONDAY), (phone, bob, MONDAY - DAY)):
        history.offer(history.lead(source, at, responsible=manager), manager, at, at + timedelta(seconds=9), "accepted")
    history.write()
    whole = {code: table(response, "steps", asked("2026-03-02", "2026-03-02", **facts))[0][1]
             for code, facts in (("all", {}), ("source", {"source": phone.pk}), ("manager", {"manager": bob.pk}),
                                 ("both", {"source": phone.pk, "manager": bob.pk}))}  # fmt: skip
    assert whole == {"all": 2, "source": 1, "manager": 1, "both": 0}
