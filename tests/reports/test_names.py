"""What managers and sources are called where a report names them."""

from __future__ import annotations

import pytest

from accounts.models import Manager
from reports import names
from reports.pages import response
from tests.factories import MINUTE, MONDAY, make_manager, make_source, make_trigger, stage
from tests.reports.asking import asked, table
from tests.reports.history import History

pytestmark = pytest.mark.django_db


def make_ann(code: str) -> Manager:
    manager = make_manager(code)
    manager.user.name = "Ann"
    manager.user.save()
    return manager


def test_people_and_sources_of_one_name_are_told_apart():
    ann, bob, other = make_ann("ann"), make_manager("bob"), make_ann("ann2")
    assert names.managers() == {
        ann.pk: f"Ann ({ann.user.email})",
        bob.pk: "Bob",
        other.pk: f"Ann ({other.user.email})",
    }
    first, second = (make_source(code, title="Form") for code in ("form-1", "form-2"))
    assert names.sources() == {first.pk: "Form (form-1)", second.pk: "Form (form-2)"}


def test_none_of_two_people_of_one_name_is_left_out_of_a_report():
    history, source = History(trigger=make_trigger(), stage=stage()), make_source()
    for minutes, code in enumerate(("ann", "ann2"), start=1):
        ann = make_ann(code)
        lead = history.lead(source, MONDAY, responsible=ann)
        history.offer(lead, ann, MONDAY, MONDAY + minutes * MINUTE, "accepted")
    history.write()
    rows = table(response, "managers", asked("2026-03-02", "2026-03-02"))
    assert sorted(row[1:3] for row in rows) == [(1, 60), (1, 120)]
