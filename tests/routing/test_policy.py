"""The configuration as values: one roster, whether it is made of rows, of a file, or of a draft."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import roster
from routing.configuration import (
    BadConfiguration,
    configuration_document,
    configuration_of_file,
    export_configuration,
    import_configuration,
)
from routing.configuration.rows import read_stored
from routing.configuration.values import read_configuration
from routing.demo import CONFIGURATION
from routing.policy import Configuration, build
from tests.effort import by_night
from tests.factories import MONDAY, make_manager, make_trigger
from tests.routing.roster_oracle import expected_values, values_of

EVERYTHING = """
version: 1
account: {name: Acme, time_zone: Europe/Madrid, country: ES, online_minutes: 7, channels: {chat: false}}
schedules:
  - {code: office, title: Office, weekly: {mon: ["09:00-13:00", "14:00-18:00"], sat: []}, holidays: {country: ES, subdivision: MD},
     exceptions: [{from: 2026-03-07, extra: ["10:00-14:00"]}]}
  - {code: two-two, title: 2/2, cycle: {start: 2026-01-05, days: [["09:00-21:00"], ["09:00-21:00"], [], []]}}
managers:
  - {email: bob@example.com, name: Bob, schedule: office, skills: {language: [es, en]}, time_zone: Europe/London}
  - {email: ann@example.com, name: Ann, schedule: two-two, offset: 2, exceptions: [{from: 2026-03-02, to: 2026-03-06, off: true}]}
  - {email: max@example.com, active: false}
sources: [{code: landing, title: Landing, channel: site, country: PT}]
pipelines:
  - {code: sales, title: Sales, stages: [{code: inbox, kind: unqualified}, {code: new, kind: open}, {code: won, kind: won}]}
  - {code: other, title: Other, stages: [{code: first, kind: open}]}
registries: [{code: shared, title: Shared, accounting: totals, reset: week, refund_missed: true}]
triggers:
  - {code: direct, stage: sales/new, on: [created], method: direct, priority: 10}
  - {code: fair, stage: sales/new, on: [created, moved], method: fair_share, priority: 10, registry: shared,
     limit: {leads: 20, stages: [sales/new, other/first]},
     members: [{manager: bob@example.com, coefficient: 40, limit: 5, schedule: two-two},
               {manager: ann@example.com, coefficient: 60}],
     acceptance: {minutes: 15, clock: working, max_attempts: 2, finally: duty},
     duty: ann@example.com, also_assign: [tasks, contact], responsible_check: {of: [contact], available: true}, set_fields: {taken: null}}
  - {code: own, stage: other/first, on: [moved], registry: {accounting: totals, reset: day}, online_only: true}
"""


def test_a_file_makes_a_roster_without_a_database():
    """There is no mark of a database here: to ask one would fail."""
    made = build(configuration_of_file(EVERYTHING), version=0)
    fair = made.triggers_on[made.stage_by_path["sales/new"].id, "moved"]
    bob, ann = (made.managers_by_email[f"{name}@example.com"] for name in ("bob", "ann"))
    assert (fair.code, fair.method, fair.reset, fair.minutes, fair.duty) == ("fair", "totals", "week", 15, ann.id)
    assert [(m.manager, m.coefficient, m.limit) for m in fair.members] == [(bob.id, 40, 5), (ann.id, 60, 20)]
    assert made.triggers_on[made.stage_by_path["sales/new"].id, "created"].code == "direct"  # the first of one priority
    # Monday 2 March: Bob, at 10:00 in London; Ann is on leave, and Bob replaces his hours in this trigger by 2/2.
    assert bob.unavailable(MONDAY, paused=False) is None
    assert ann.unavailable(MONDAY, paused=False) == "off_duty"
    assert fair.unavailable(MONDAY)[1] == "off_duty"
    assert bob.unavailable(MONDAY + timedelta(hours=12), paused=False) == "off_duty"


def test_a_file_with_faults_says_where_and_what_is_meant_without_a_database():
    with pytest.raises(BadConfiguration) as caught:
        configuration_of_file({
            "version": 1,
            "pipelines": [{"code": "sales", "stages": [{"code": "new", "kind": "open"}]}],
            "managers": [{"email": "ann@example.com"}],
            "triggers": [
                {"code": "a", "stage": "sales/nwe", "members": [{"manager": "anna@example.com"}], "methd": "direct"}
            ],
        })  # fmt: skip
    assert [f"{place}: {message}" for place, message in caught.value.errors] == [
        'triggers[0].methd: unknown; did you mean "method"?',
        'triggers[0].stage: no stage "sales/nwe"; did you mean "sales/new"?',
        'triggers[0].members[0].manager: no manager "anna@example.com"',
    ]


def without_numbers(values: Any) -> Any:
    """Return a configuration with all numbers as zero, which rows have and files have not."""
    if isinstance(values, tuple):
        return tuple(map(without_numbers, values))
    if not hasattr(values, "__dataclass_fields__"):
        return values
    changed = {name: without_numbers(getattr(values, name)) for name in values.__dataclass_fields__}
    return type(values)(**{**changed, **({"id": 0} if "id" in changed else {})})


def as_a_file_says(configuration: Configuration) -> Configuration:
    """Return the configuration without terms that mean nothing, which a file does not say: of no acceptance, say."""
    nothing_asked = {
        "clock": "wall",
        "max_attempts": None,
        "final_step": "wait",
        "on_pause": "redistribute",
    }
    triggers = [
        replace(
            trigger,
            **(nothing_asked if trigger.minutes is None else {}),
            **({} if trigger.responsible_check else {"responsible_available": False, "responsible_count": False}),
        )
        for trigger in configuration.triggers
    ]
    return replace(configuration, triggers=tuple(triggers))


def check_rows() -> None:
    """Check that rows and the file that they export make one configuration, and one roster, that of the oracle."""
    of_rows, version = read_configuration(), roster.read_version()
    assert values_of(build(of_rows, version=version)) == expected_values(version)
    document = configuration_document()
    of_file = configuration_of_file(document)
    assert without_numbers(of_file) == without_numbers(as_a_file_says(of_rows))
    # A draft: the same file over what is stored keeps the numbers, so its roster is the very same.
    draft = configuration_of_file(document, over=read_stored())
    assert values_of(build(draft, version=version)) == values_of(build(as_a_file_says(of_rows), version=version))


@pytest.mark.django_db
def test_rows_and_file_make_one_roster():
    import_configuration(EVERYTHING)
    assert without_numbers(read_configuration()) == without_numbers(configuration_of_file(EVERYTHING))
    check_rows()


@pytest.mark.django_db
def test_rows_and_file_of_the_demo_make_one_roster():
    import_configuration(CONFIGURATION.read_text(encoding="utf-8"))
    check_rows()


@pytest.mark.django_db
def test_terms_that_a_file_does_not_say_are_those_of_the_rows():
    make_trigger(members=[make_manager("ann")], final_step="keep", max_attempts=3, responsible_available=True)
    [trigger] = roster.current().triggers.values()
    assert (trigger.final_step, trigger.max_attempts, trigger.responsible_available) == ("keep", 3, True)
    assert values_of(roster.current()) == expected_values(roster.read_version())


@pytest.mark.django_db
def test_a_draft_is_laid_over_what_is_stored_and_writes_nothing():
    import_configuration(EVERYTHING)
    before, version, stored = export_configuration(), roster.read_version(), read_stored()
    draft = build(
        configuration_of_file(
            {
                "version": 1,
                "managers": [{"email": "eva@example.com"}],
                "triggers": [{"code": "fair", "members": [{"manager": "eva@example.com"}]}],
            },
            over=stored,
        ),
        version=0,
    )
    kept = roster.current()
    fair = next(trigger for trigger in kept.triggers.values() if trigger.code == "fair")
    assert draft.triggers.keys() == kept.triggers.keys()
    assert draft.triggers[fair.id].registry == fair.registry
    assert draft.managers.keys() > kept.managers.keys()
    [member] = draft.triggers[fair.id].members
    assert (draft.managers[member.manager].email, member.manager < 0) == ("eva@example.com", True)
    assert (export_configuration(), roster.read_version()) == (before, version)


# Any configuration

CODES = st.sampled_from(["a", "b", "c"])
PEOPLE = ["ann@example.com", "bob@example.com", "eva@example.com"]
INTERVALS = ["09:00-13:00", "14:00-18:00", "22:00-06:00", "00:00-24:00"]
SHIFTS = st.sampled_from([[], INTERVALS[:1], INTERVALS[:2], INTERVALS[2:3], INTERVALS[3:]])
DAYS = st.dates(min_value=MONDAY.date(), max_value=MONDAY.date() + timedelta(days=30))
STAGES = ["sales/new", "sales/won", "other/new"]


@st.composite
def exceptions(draw: Any) -> list[dict[str, Any]]:
    found = []
    for first in draw(st.lists(DAYS, max_size=2, unique=True)):
        kind = draw(st.sampled_from(["off", "extra", "hours"]))
        value = True if kind == "off" else [draw(st.sampled_from(INTERVALS))]
        found.append({"from": first, "to": first + timedelta(days=draw(st.integers(0, 3))), kind: value})
    return found


@st.composite
def schedules(draw: Any, code: str) -> dict[str, Any]:
    cycle = {"start": draw(DAYS), "days": draw(st.lists(SHIFTS, min_size=1, max_size=4))}
    week = draw(st.dictionaries(st.sampled_from(["mon", "tue", "sun"]), SHIFTS))
    chart = {"cycle": cycle} if draw(st.booleans()) else {"weekly": week}
    holidays = draw(st.sampled_from([None, {"country": "ES"}, {"country": "ES", "subdivision": "MD"}]))
    return {"code": code, "title": code, "exceptions": draw(exceptions()), "holidays": holidays, **chart}


@st.composite
def triggers(draw: Any, code: str, known: list[str]) -> dict[str, Any]:
    schedule = st.sampled_from([None, *known])
    members = [
        {"manager": email, "coefficient": draw(st.integers(0, 100)), "limit": draw(st.none() | st.integers(0, 9)),
         "schedule": draw(schedule)}
        for email in draw(st.permutations(PEOPLE))[: draw(st.integers(0, 3))]
    ]  # fmt: skip
    acceptance = {
        "minutes": draw(st.integers(1, 60)),
        "clock": draw(st.sampled_from(["wall", "working"])),
        "max_attempts": draw(st.none() | st.integers(1, 5)),
        "finally": draw(st.sampled_from(["duty", "keep", "wait"])),
    }
    accounting = st.sampled_from(["fair_share", "totals"])
    own = st.fixed_dictionaries({"accounting": accounting, "refund_missed": st.booleans()})
    return {
        "code": code,
        "stage": draw(st.sampled_from(STAGES)),
        "on": draw(st.lists(st.sampled_from(["created", "moved"]), unique=True)),
        "method": draw(st.sampled_from(["fair_share", "totals", "least_loaded", "direct"])),
        "priority": draw(st.integers(9, 11)),
        "registry": draw(st.sampled_from([None, "shared"]) | own),
        "limit": draw(st.sampled_from([None, {"leads": 3, "stages": []}, {"leads": 9, "stages": STAGES[:2]}])),
        "acceptance": draw(st.none() | st.just(acceptance)),
        "duty": PEOPLE[0],
        "online_only": draw(st.booleans()),
        "responsible_check": draw(st.sampled_from([None, {"of": ["company", "contact"], "available": True}])),
        "members": members,
    }


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    known = draw(st.lists(CODES, unique=True))
    return {
        "version": 1,
        "account": {"time_zone": draw(st.sampled_from(["UTC", "Europe/Madrid", "America/Sao_Paulo"]))},
        "schedules": [draw(schedules(code)) for code in known],
        "managers": [
            {
                "email": email,
                "schedule": draw(st.sampled_from([None, *known])),
                "offset": draw(st.integers(-2, 2)),
                "time_zone": draw(st.sampled_from([None, "Asia/Tokyo"])),
                "active": draw(st.booleans()),
                "skills": draw(st.sampled_from([{}, {"language": ["es"]}])),
                "exceptions": draw(exceptions()),
            }
            for email in draw(st.permutations(PEOPLE))
        ],
        "pipelines": draw(
            st.permutations([
                {"code": "sales", "stages": [{"code": "won", "kind": "won"}, {"code": "new", "kind": "open"}]},
                {"code": "other", "stages": [{"code": "new", "kind": "open"}]},
            ])
        ),
        "registries": [{"code": "shared", "accounting": draw(st.sampled_from(["fair_share", "totals"]))}],
        "triggers": [draw(triggers(code, known)) for code in draw(st.lists(CODES, unique=True))],
    }  # fmt: skip


@pytest.mark.django_db
@settings(
    max_examples=by_night(25, by_day=8),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(document=documents())
def test_any_configuration_is_one_roster_of_rows_and_of_its_file(document):
    with transaction.atomic():
        import_configuration(document, prune=True)
        assert without_numbers(configuration_of_file(document)) == without_numbers(as_a_file_says(read_configuration()))
        check_rows()
        transaction.set_rollback(True)


@given(document=documents())
@settings(max_examples=by_night(50, by_day=15))
def test_the_numbers_of_what_has_no_row_are_each_of_one_thing(document):
    configuration = configuration_of_file(document)
    for things in (configuration.managers, configuration.schedules, configuration.triggers, configuration.pipelines):
        numbers = [thing.id for thing in things]
        assert len(set(numbers)) == len(numbers)
        assert all(number < 0 for number in numbers)
    assert len(build(configuration, version=0).stages) == 3
