"""Redistribution, against the reassignments in the log of an incident process."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest

from reports.pages import redistribution
from routing.services.offers import accept_offer, decline_offer
from tests.data import data_path
from tests.factories import MINUTE, MONDAY, asking_acceptance, make_manager, make_source, make_trigger, stage, take
from tests.reports.asking import asked, table
from tests.reports.history import History

pytestmark = pytest.mark.django_db

INCIDENTS = 1_500


@pytest.mark.slow
def test_incidents_go_on_as_often_and_from_whom_their_log_says():
    """Each one to whom an incident was given is an offer: who had it last accepted, the others let it go."""
    history, people = History(trigger=make_trigger(), stage=stage()), {}
    source, given, let_go, lengths = make_source(), Counter[str](), Counter[str](), Counter[int]()
    path = data_path("servicenow_incidents/incident_event_log.csv.gz")
    with gzip.open(path, "rt", newline="", encoding="utf-8") as file:
        incidents = groupby(csv.DictReader(file), key=lambda row: row["number"])
        for _, (_number, events) in zip(range(INCIDENTS), incidents, strict=False):
            rows = list(events)
            chain = [name for name, _ in groupby(row["assigned_to"] for row in rows if row["assigned_to"] != "?")]
            if not chain:
                continue
            at = datetime.strptime(rows[0]["opened_at"], "%d/%m/%Y %H:%M").replace(tzinfo=UTC)
            lead = history.lead(source, at)
            lengths[len(chain)] += 1
            for step, name in enumerate(chain):
                if name not in people:
                    people[name] = make_manager(f"r{len(people)}")
                person = people[name]
                last = step == len(chain) - 1
                given[person.user.name] += 1
                let_go[person.user.name] += not last
                offered_at = at + step * MINUTE
                history.offer(lead, person, offered_at, offered_at + MINUTE, "accepted" if last else "timed_out")
    history.write()
    question = asked("2016-02-29", "2016-05-01")
    rows = table(redistribution, "managers", question)
    assert {row[0]: row[1] for row in rows} == given
    assert {row[0]: row[4] for row in rows} == {name: let_go[name] for name in given}
    assert all(share == let_go[name] / given[name] for name, *_, share in rows)
    assert table(redistribution, "times", question) == sorted(lengths.items())
    assert lengths.total() > 1_000
    assert max(lengths) > 3


def test_what_managers_say_when_they_decline_is_counted():
    make_trigger(members=[make_manager(), make_manager("bob")], **asking_acceptance())
    for reason in ("on a call", "on a call", ""):
        lead = take()
        decline_offer(lead.pk, at=MONDAY + MINUTE, reason=reason)
        accept_offer(lead.pk, at=MONDAY + 2 * MINUTE)
    question = asked("2026-03-02", "2026-03-02")
    assert table(redistribution, "reasons", question) == [("on a call", 2), ("without a reason", 1)]
    headings = {one.code: one.columns[1].heading for one in redistribution.content(question).tables}
    assert (headings["reasons"], headings["times"]) == ("Offers", "Leads")  # a lead may be declined by several
    assert table(redistribution, "times", question) == [(2, 3)]
    [row] = table(redistribution, "triggers", question)
    assert row == ("new-leads", 6, 3, 3, 0, 0, 0, 0.5)


def test_offers_are_counted_on_the_day_they_were_made_in_account_time():
    ann = make_manager()
    history = History(trigger=make_trigger(), stage=stage())
    midnight = datetime(2026, 3, 1, 23, tzinfo=UTC)  # in Madrid
    for at in (midnight, midnight - timedelta(microseconds=1), midnight + timedelta(hours=24)):
        history.offer(history.lead(make_source(), MONDAY), ann, at, None, "")
        history.offers[-1].closed_at, history.offers[-1].outcome = at, "declined"
    history.write()
    [row] = table(redistribution, "managers", asked("2026-03-02", "2026-03-02", zone="Europe/Madrid"))
    assert row[1] == 1
