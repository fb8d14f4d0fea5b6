# ruff: noqa: E501  tables of cases: a case a line
"""The configuration as a file: what is read, what is refused and where, what an import writes and what it leaves."""

import re
import threading
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import yaml
from django.contrib.auth.models import Group
from django.contrib.auth.tokens import default_token_generator
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import Account, ConfigurationVersion, Manager, Pause, ScheduleException, User, WorkSchedule
from routing.configuration import (
    BadConfiguration,
    ImportReport,
    configuration_document,
    export_configuration,
    import_configuration,
    text,
)
from routing.models import Ledger, Member, Pipeline, Registry, Source, Stage, Trigger
from tests.effort import by_night
from tests.factories import (
    DAY,
    MONDAY,
    make_lead,
    make_manager,
    make_schedule,
    make_source,
    make_trigger,
    make_user,
    take,
)
from tests.routing.test_policy import check_rows

pytestmark = pytest.mark.django_db

EXAMPLE = """
version: 1
account: {name: Acme, time_zone: Europe/Madrid, unqualified: true, online_minutes: 5, channels: {site: true, chat: false}}
schedules:
  - {code: office, title: Office hours, weekly: {mon: ["09:00-13:00", "14:00-18:00"], tue: ["09:00-18:00"]}, holidays: {country: ES, subdivision: MD}}
  - {code: two-two, title: "2/2", cycle: {start: 2026-01-05, days: [["09:00-21:00"], ["09:00-21:00"], [], []]}}
managers:
  - {email: ann@example.com, name: Ann, schedule: two-two, offset: 2, time_zone: null, active: true, skills: {language: [es, no], region: [ES]},
     exceptions: [{from: 2026-03-02, to: 2026-03-06, off: true}, {from: 2026-03-07, to: 2026-03-07, extra: ["10:00-14:00"]}]}
  - {email: Boss@Example.com, name: Boss}
sources:
  - {code: landing, title: Landing page, channel: site, active: true}
pipelines:
  - {code: sales, title: Sales, stages: [{code: inbox, kind: unqualified}, {code: new, kind: open}, {code: accepted, kind: open}, {code: won, kind: won}, {code: lost, kind: lost}]}
registries:
  - {code: all-sales, title: All sales, accounting: fair_share}
triggers:
  - code: new-leads
    stage: sales/new
    on: [created, moved]
    method: fair_share
    members: [{manager: ann@example.com, coefficient: 40, limit: 10, schedule: null}]
    limit: {leads: 20, stages: [sales/new, sales/accepted]}
    registry: all-sales
    online_only: false
    responsible_check: {of: [contact, company], available: false, count: false}
    also_assign: [contact, company, tasks, contact_leads, company_leads]
    acceptance: {minutes: 10, clock: wall, max_attempts: 3, finally: duty, on_pause: redistribute}
    if_nobody: wait
    duty: boss@example.com
    set_fields: {taken: null}
    priority: 10
    when: []
"""

WORKING = MONDAY + 7 * DAY  # Ann is on duty


@pytest.fixture(autouse=True)
def one_roster_of_rows_and_file() -> Iterator[None]:
    """Whatever a test has made: what the rows come to is what their own file comes to."""
    yield
    check_rows()


@pytest.fixture
def example() -> ImportReport:
    return import_configuration(EXAMPLE)


def errors_of(source: Any, **options: Any) -> list[str]:
    """Return what an import is refused with, as `place: message`; and see that it wrote nothing."""
    before = export_configuration()
    with pytest.raises(BadConfiguration) as caught:
        import_configuration(source, **options)
    assert export_configuration() == before
    return [f"{place}: {message}" for place, message in caught.value.errors]


def changes_of(source: Any, **options: Any) -> list[tuple[str, str, str, dict[str, Any]]]:
    report = import_configuration(source, **options)
    return [(change.action, change.kind, change.key, change.fields) for change in report.changes]


def only(**sections: Any) -> dict[str, Any]:
    return {"version": 1, **sections}


def member_emails(code: str = "new-leads") -> list[str]:
    return list(Member.objects.filter(trigger__code=code).values_list("manager__user__email", flat=True))


# What is written


def test_the_example_becomes_rows(example: ImportReport) -> None:
    account, ann = Account.get(), Manager.objects.get(user__email="ann@example.com")
    assert (account.name, account.time_zone, account.channel_chat, account.channel_phone) == (
        "Acme", "Europe/Madrid", False, True,
    )  # fmt: skip
    assert (ann.user.name, ann.offset, ann.schedule.code) == ("Ann", 2, "two-two")
    assert ann.skills == {"language": ["es", "no"], "region": ["ES"]}
    assert WorkSchedule.objects.get(code="two-two").cycle_start == date(2026, 1, 5)
    assert WorkSchedule.objects.get(code="office").weekly["mon"] == ["09:00-13:00", "14:00-18:00"]
    assert list(ScheduleException.objects.values_list("first_day", "last_day", "kind", "intervals")) == [
        (date(2026, 3, 2), date(2026, 3, 6), "off", []),
        (date(2026, 3, 7), date(2026, 3, 7), "extra", ["10:00-14:00"]),
    ]
    assert list(Stage.objects.values_list("code", "kind")) == [
        ("inbox", "unqualified"), ("new", "open"), ("accepted", "open"), ("won", "won"), ("lost", "lost"),
    ]  # fmt: skip
    trigger = Trigger.objects.get()
    assert (trigger.stage.code, trigger.on, trigger.registry.code) == ("new", ["created", "moved"], "all-sales")
    assert (trigger.limit, {stage.code for stage in trigger.limit_stages.all()}) == (20, {"new", "accepted"})
    assert (trigger.acceptance_minutes, trigger.max_attempts, trigger.final_step) == (10, 3, "duty")
    assert (trigger.duty.user.email, trigger.set_fields) == ("boss@example.com", {"taken": None})
    assert trigger.responsible_check == ["contact", "company"]
    member = trigger.members.get()
    assert (member.manager, member.coefficient, member.limit) == (ann, 40, 10)


def test_the_example_routes_a_lead(example: ImportReport) -> None:
    lead = take(at=WORKING, source=Source.objects.get(code="landing"), name="Demo")
    assert lead.trigger.code == "new-leads"
    assert lead.responsible is not None


def test_importing_it_again_changes_nothing_and_writes_nothing(example: ImportReport) -> None:
    version = ConfigurationVersion.objects.get().version
    report = import_configuration(EXAMPLE)
    assert (report.changes, report.unnamed) == ([], [])
    assert ("trigger", "new-leads") in report.left
    assert ConfigurationVersion.objects.get().version == version


def test_the_export_imports_without_a_change_and_reads_like_the_example(example: ImportReport) -> None:
    exported = export_configuration()
    assert import_configuration(exported, prune=True).changes == []
    assert "\n    on: [created, moved]\n" in exported
    assert "start: 2026-01-05" in exported
    assert "\n      - {manager: ann@example.com, coefficient: 40, limit: 10, schedule: null}\n" in exported
    assert exported == export_configuration()


def test_the_export_makes_the_same_configuration_elsewhere(example: ImportReport) -> None:
    exported = export_configuration()
    for model in (Trigger, Registry, Manager, Source, Stage, Pipeline, WorkSchedule, User, Account):
        model.objects.all().delete()
    import_configuration(exported)
    assert export_configuration() == exported


def test_a_new_manager_is_a_user_who_is_invited(example: ImportReport) -> None:
    user = User.objects.get(email="boss@example.com")  # in lower case
    assert not user.has_usable_password()
    assert list(user.groups.values_list("name", flat=True)) == ["Managers"]
    match = re.fullmatch(r"/invitation/([^/]+)/([^/]+)/", example.invitations["boss@example.com"])
    assert match
    assert default_token_generator.check_token(user, match[2])
    assert import_configuration(EXAMPLE).invitations == {}


def test_a_user_who_becomes_a_manager_keeps_name_and_password() -> None:
    sue = make_user("sue", password="a long password")
    report = import_configuration(only(managers=[{"email": "sue@example.com"}]))
    sue.refresh_from_db()
    assert (sue.name, sue.has_usable_password(), report.invitations) == ("Sue", True, {})
    assert sue.manager.active
    assert Group.objects.get(name="Managers") in sue.groups.all()


def test_an_omitted_key_leaves_the_value_and_null_sets_it(example: ImportReport) -> None:
    assert changes_of(only(managers=[{"email": "ann@example.com", "name": "Anna"}])) == [
        ("change", "manager", "ann@example.com", {"name": ("Ann", "Anna")})
    ]
    ann = Manager.objects.get(user__email="ann@example.com")
    assert (ann.user.name, ann.schedule.code, ann.exceptions.count()) == ("Anna", "two-two", 2)
    import_configuration(only(managers=[{"email": "ann@example.com", "schedule": None, "exceptions": None}]))
    ann.refresh_from_db()
    assert (ann.schedule, ann.exceptions.count(), ann.offset) == (None, 0, 2)
    assert changes_of(only(triggers=[{"code": "new-leads", "acceptance": {"minutes": 15}, "limit": None}])) == [
        (
            "change", "trigger", "new-leads",
            {"acceptance.minutes": (10, 15), "limit": ({"leads": 20, "stages": ["sales/accepted", "sales/new"]}, None)},
        )
    ]  # fmt: skip
    trigger = Trigger.objects.get()
    assert (trigger.acceptance_minutes, trigger.max_attempts, trigger.limit) == (15, 3, None)
    assert not trigger.limit_stages.exists()


def test_members_of_the_file_are_the_whole_list_in_its_order_and_balances_stay(example: ImportReport) -> None:
    take(at=WORKING)
    before = Ledger.objects.get(registry__code="all-sales").standings
    assert before
    assert changes_of(
        only(
            managers=[{"email": "bob@example.com"}],
            triggers=[{"code": "new-leads", "members": [{"manager": "bob@example.com"}, {"manager": "ann@example.com"}]}],
        )
    )[1:] == [
        ("change", "trigger", "new-leads",
         {"members.bob@example.com": (None, {"coefficient": 1, "limit": None, "schedule": None})}),
    ]  # fmt: skip
    assert member_emails() == ["bob@example.com", "ann@example.com"]
    assert Member.objects.get(manager__user__email="ann@example.com").coefficient == 40  # omitted: as it was
    import_configuration(only(triggers=[{"code": "new-leads", "members": [{"manager": "bob@example.com"}]}]))
    assert member_emails() == ["bob@example.com"]
    assert Ledger.objects.get(registry__code="all-sales").standings == before


def test_the_order_of_members_is_a_change(example: ImportReport) -> None:
    names = ["ann@example.com", "boss@example.com"]
    import_configuration(only(triggers=[{"code": "new-leads", "members": [{"manager": name} for name in names]}]))
    turned = only(triggers=[{"code": "new-leads", "members": [{"manager": name} for name in reversed(names)]}])
    assert changes_of(turned)[0][3] == {"members": (names, names[::-1])}
    assert member_emails() == names[::-1]


def test_a_dry_run_reports_the_same_and_writes_nothing() -> None:
    before = export_configuration()
    dry = import_configuration(EXAMPLE, dry_run=True)
    assert export_configuration() == before
    assert not User.objects.exists()
    wet = import_configuration(EXAMPLE)
    assert dry.changes == wet.changes
    assert "A dry run: nothing was written." in str(dry)
    assert not any("/invitation/" in path for path in dry.invitations.values())  # such a link would lead nowhere


def test_what_the_file_does_not_name_stays(example: ImportReport) -> None:
    report = import_configuration(only(sources=[{"code": "other", "channel": "mail"}]))
    assert [str(change) for change in report.changes] == ["add        source other"]
    assert ("source", "landing") in report.unnamed
    assert Source.objects.get(code="other").title == "other"
    assert Trigger.objects.count() == 1


def test_stages_stand_in_the_order_of_the_file_and_those_not_named_keep_their_places(example: ImportReport) -> None:
    def order() -> str:
        return " ".join(Stage.objects.order_by("position").values_list("code", flat=True))

    import_configuration(only(pipelines=[{"code": "sales", "stages": [{"code": "new"}, {"code": "called"}]}]))
    assert order() == "inbox new called accepted won lost"
    report = import_configuration(
        only(pipelines=[{"code": "sales", "stages": [{"code": "accepted"}, {"code": "new"}]}])
    )
    assert order() == "inbox accepted called new won lost"
    assert "order of stages" in report.changes[0].fields


def test_a_new_pipeline_does_not_become_the_first(example: ImportReport) -> None:
    import_configuration(only(pipelines=[{"code": "after-sales", "stages": [{"code": "new"}]}]))
    assert list(Pipeline.objects.values_list("code", flat=True)) == ["sales", "after-sales"]
    swapped = only(pipelines=[{"code": "after-sales"}, {"code": "sales"}])
    assert [change[1] for change in changes_of(swapped)] == ["pipeline order"]
    assert list(Pipeline.objects.values_list("code", flat=True)) == ["after-sales", "sales"]


def test_the_unqualified_stage_can_change_places(example: ImportReport) -> None:
    stages = [{"code": "inbox", "kind": "open"}, {"code": "new", "kind": "unqualified"}]
    import_configuration(only(pipelines=[{"code": "sales", "stages": stages}]))
    assert Stage.objects.get(kind="unqualified").code == "new"


def test_a_week_becomes_a_cycle(example: ImportReport) -> None:
    import_configuration(
        only(schedules=[{"code": "office", "cycle": {"start": "2026-02-01", "days": [["20:00-08:00"], []]}}])
    )
    schedule = WorkSchedule.objects.get(code="office")
    assert (schedule.kind, schedule.cycle_start, schedule.weekly) == ("cycle", date(2026, 2, 1), {})
    schedule.full_clean()


def test_a_triggers_own_registry_travels_with_it(example: ImportReport) -> None:
    import_configuration(only(triggers=[{"code": "new-leads", "registry": {"accounting": "totals", "reset": "month"}}]))
    own = Registry.objects.get(trigger__code="new-leads")
    assert (own.accounting, own.reset, Trigger.objects.get().registry) == ("totals", "month", None)
    assert "registry: {accounting: totals, reset: month, refund_missed: false}" in export_configuration()


def test_a_part_of_a_country_is_taken_by_its_name_and_exported_by_its_code():
    for written, code in (("Madrid", "MD"), ("Barcelona", "Barcelona")):
        holidays = {"country": "ES", "subdivision": written}
        import_configuration(only(schedules=[{"code": "office", "weekly": {}, "holidays": holidays}]))
        assert WorkSchedule.objects.get(code="office").holiday_subdivision == code
        assert f"subdivision: {code}" in export_configuration()


# What is refused, and where


@pytest.mark.parametrize(
    ("section", "wrong", "error"),
    [
        ("schedules", {"code": "x", "weekly": {"mon": ["09:00-13:00", "8-17"]}},
         'schedules[0].weekly.mon[1]: write it as "08:00-17:00", not "8-17"'),
        ("schedules", {"code": "x"}, 'schedules[0]: needs "weekly" or "cycle"'),
        ("schedules", {"code": "x", "weekly": {}, "cycle": {"start": "2026-01-01", "days": [[]]}},
         'schedules[0]: has "weekly" and "cycle"; it can be only one'),
        ("schedules", {"code": "x", "cycle": {"days": [[]]}},
         "schedules[0].cycle.start: missing; write the date on which the cycle begins, as 2026-01-05"),
        ("schedules", {"code": "x", "weekly": {}, "holidays": {"country": "ES", "subdivision": "ES-MD"}},
         'schedules[0].holidays.subdivision: ES has no subdivision "ES-MD"; write it as "MD"'),
        ("schedules", {"code": "x", "weekly": {}, "holidays": {"country": "FR", "subdivision": "Zone A"}},
         'schedules[0].holidays.subdivision: "Zone A" has the same public holidays as the whole of FR; leave the subdivision empty'),
        ("schedules", {"code": "x", "weekly": {}, "holidays": {"country": "UK"}},
         'schedules[0].holidays.country: no public holidays are known for the country "UK"; write it as "GB"'),
        ("schedules", {"title": "x", "weekly": {}}, "schedules[0].code: missing"),
        ("managers", {"email": "bob@example.com", "time_zone": "Europe/Madird"},
         'managers[0].time_zone: "Europe/Madird" is no time zone; use a name like "Europe/Madrid" (did you mean "Europe/Madrid"?)'),
        ("managers", {"email": "bob"}, "managers[0].email: Enter a valid email address."),
        ("managers", {"email": "bob@example.com", "schedule": "night"}, 'managers[0].schedule: no schedule "night"'),
        ("managers", {"email": "bob@example.com", "active": "yes"}, 'managers[0].active: true or false is needed, not "yes"'),
        ("managers", {"email": "bob@example.com", "exceptions": [{"from": "2026-03-06", "to": "2026-03-02", "off": True}]},
         "managers[0].exceptions[0].to: The last day is before the first."),
        ("managers", {"email": "bob@example.com", "exceptions": [{"from": "2026-02-30", "off": True}]},
         'managers[0].exceptions[0].from: "2026-02-30" is no date; write it as 2026-01-05'),
        ("managers", {"email": "bob@example.com", "skills": {"language": "es"}},
         'managers[0].skills.language: a list is needed, like [a, b], not "es"'),
        ("sources", {"code": "x"}, "sources[0].channel: missing; use site or phone or mail or api or chat"),
        ("sources", {"code": "x", "channel": "sites"}, 'sources[0].channel: no "sites"; did you mean "site"?'),
        ("sources", {"code": "x", "channel": "site", "country": "spain"},
         'sources[0].country: no country "spain"; use two letters, for example ES'),
        ("sources", {"code": "Big Form", "channel": "site"},
         "sources[0].code: Use 1 to 63 characters: a-z, 0-9, dot, dash and underscore. Begin with a letter or digit."),
        ("sources", {"code": "x", "channel": "site", "title": "a\0b"}, "sources[0].title: a character in it cannot be stored"),
        ("pipelines", {"code": "p", "stages": [{"code": "a", "kind": "unqualified"}, {"code": "b", "kind": "unqualified"}, {"code": "c"}]},
         "pipelines[0].stages: one stage of a pipeline is unqualified, not several: a, b"),
        ("pipelines", {"code": "p", "stages": [{"code": "a", "kind": "won"}]},
         "pipelines[0].stages: a stage of kind open is missing; leads that name no stage go to the first of them"),
        ("registries", {"code": "x", "reset": "yearly"}, 'registries[0].reset: no "yearly"; use never or day or week or month'),
        ("triggers", {"coeficient": 40}, 'triggers[0].coeficient: unknown; did you mean "coefficient"?'),
        ("triggers", {"members": [{"manager": "bob@example.com"}]},
         'triggers[0].members[0].manager: no manager "bob@example.com"'),
        ("triggers", {"members": [{"manager": "ann@example.com", "schedule": "night"}]},
         'triggers[0].members[0].schedule: no schedule "night"'),
        ("triggers", {"members": [{"manager": "ann@example.com"}, {"manager": "Ann@example.com"}]},
         'triggers[0].members[1].manager: "ann@example.com" is a member of this trigger already, at triggers[0].members[0]'),
        ("triggers", {"members": [{"manager": "ann@example.com", "limit": -1}]},
         "triggers[0].members[0].limit: Ensure this value is greater than or equal to 0."),
        ("triggers", {"members": [{"manager": "ann@example.com", "coefficient": 1.5}]},
         'triggers[0].members[0].coefficient: a whole number is needed, not "1.5"'),
        ("triggers", {"stage": "sales/nwe"}, 'triggers[0].stage: no stage "sales/nwe"; did you mean "sales/new"?'),
        ("triggers", {"registry": "some"}, 'triggers[0].registry: no registry "some"'),
        ("triggers", {"duty": "bob@example.com"}, 'triggers[0].duty: no manager "bob@example.com"'),
        ("triggers", {"duty": None},
         'triggers[0].duty: "finally: duty" needs the manager on duty for such leads; write their e-mail here'),
        ("triggers", {"duty": None, "acceptance": None, "if_nobody": "duty"},
         'triggers[0].duty: "if_nobody: duty" needs the manager on duty for such leads; write their e-mail here'),
        ("triggers", {"limit": {"leads": -1}}, "triggers[0].limit.leads: Ensure this value is greater than or equal to 0."),
        ("triggers", {"limit": {"stages": ["sales/new", "sales/old"]}},
         'triggers[0].limit.stages[1]: no stage "sales/old"; did you mean "sales/won"?'),
        ("triggers", {"limit": 20}, "triggers[0].limit: write it as {leads: 20}"),
        ("triggers", {"acceptance": {"minutes": 0}},
         "triggers[0].acceptance.minutes: Ensure this value is greater than or equal to 1."),
        ("triggers", {"acceptance": {"clock": "sun"}}, 'triggers[0].acceptance.clock: no "sun"; use wall or working'),
        ("triggers", {"on": ["create"]}, 'triggers[0].on[0]: no "create"; did you mean "created"?'),
        ("triggers", {"method": "performance"},
         "triggers[0].method: performance is not supported in this version; use fair_share with coefficients"),
        ("triggers", {"when": [{"country": "ES"}]},
         "triggers[0].when: conditions are not supported in this version; leave the list empty"),
        ("triggers", {"registry": None, "code": "all-sales", "stage": "sales/new"},
         'triggers[0].registry: trigger "all-sales" counts in its own registry, which has its code, and there is a registry '
         '"all-sales"; give one of the two another code, or let the trigger count in a registry with a code'),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(
    example: ImportReport, section: str, wrong: dict[str, Any], error: str
) -> None:
    if section == "triggers":
        wrong = {"code": "new-leads", **wrong}
    assert errors_of(only(**{section: [wrong]})) == [error]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, "version: missing; begin with version: 1"),
        ({"version": 2}, 'version: only version 1 can be read, not "2"'),
        ({"version": True}, 'version: only version 1 can be read, not "True"'),
        ({"version": 1, "trigers": []}, 'trigers: unknown; did you mean "triggers"?'),
        ({"version": 1, "managers": {}}, 'managers: a list is needed, like [a, b], not "{}"'),
        ({"version": 1, "managers": ["ann"]}, 'managers[0]: a mapping is needed, like {key: value}, not "ann"'),
        ({"version": 1, "account": {"online_minutes": 0}},
         "account.online_minutes: Ensure this value is greater than or equal to 1."),
        ("- a", ": a mapping is needed, like {key: value}, not \"['a']\""),
        ("", ': a mapping is needed, like {key: value}, not "None"'),
    ],
)  # fmt: skip
def test_a_fault_of_the_whole_is_named(document: Any, error: str) -> None:
    assert errors_of(document) == [error]


def test_all_faults_are_told_at_once_in_the_order_of_the_file(example: ImportReport) -> None:
    found = errors_of(
        only(
            triggers=[{"code": "a", "stage": "x/y", "members": [{"manager": "bob@example.com"}]}, {"code": "b"}],
            managers=[{"email": "max@example.com", "offset": "2", "time_zone": "Mars"}],
            account={"time_zone": "Venus"},
        )
    )
    assert [error.split(": ")[0] for error in found] == [
        "account.time_zone", "managers[0].offset", "managers[0].time_zone",
        "triggers[0].stage", "triggers[0].members[0].manager", "triggers[1].stage",
    ]  # fmt: skip


def test_one_fault_refuses_all_of_it() -> None:
    assert errors_of(EXAMPLE.replace("duty: boss@", "duty: nobody@")) == [
        'triggers[0].duty: no manager "nobody@example.com"'
    ]
    assert not Manager.objects.exists()


def test_a_registry_cannot_take_the_code_that_a_trigger_lends_its_own(example: ImportReport) -> None:
    import_configuration(only(triggers=[{"code": "mine", "stage": "sales/new", "registry": None}]))
    [error] = errors_of(only(registries=[{"code": "mine"}]))
    assert error.startswith('registries[0].code: trigger "mine" counts in its own registry')
    assert import_configuration(only(registries=[{"code": "new-leads"}])).adds  # that trigger counts in all-sales


# Pruning


def test_pruning_removes_what_the_file_does_not_name_in_the_sections_it_has(example: ImportReport) -> None:
    make_manager("max")
    make_source("old")
    report = import_configuration(
        only(managers=[{"email": "ann@example.com"}, {"email": "boss@example.com"}]), prune=True
    )
    assert [str(change) for change in report.changes] == ["remove     manager max@example.com"]
    assert not User.objects.filter(email="max@example.com").exists()
    assert Source.objects.filter(code="old").exists()  # the file has no sources: it says nothing of them
    assert changes_of(EXAMPLE, prune=True) == [("remove", "source", "old", {})]


def test_pruning_makes_inactive_who_has_leads_and_turns_off_what_has_decided(example: ImportReport) -> None:
    lead = take(at=WORKING)
    ann = lead.responsible.user.email
    report = import_configuration(only(managers=[], triggers=[], registries=[], sources=[], schedules=[]), prune=True)
    actions = {(change.action, change.kind, change.key) for change in report.changes}
    assert {
        ("deactivate", "manager", ann),
        ("turn off", "trigger", "new-leads"),
        ("deactivate", "source", lead.source.code),
    } <= actions
    assert {(kind, key) for kind, key, _ in report.kept} == {("registry", "all-sales"), ("schedule", "two-two")}
    assert not WorkSchedule.objects.filter(code="office").exists()
    lead.refresh_from_db()
    assert lead.responsible.active is False
    assert Trigger.objects.get().on == []
    again = import_configuration(only(managers=[], triggers=[], registries=[], sources=[], schedules=[]), prune=True)
    assert again.changes == []
    assert import_configuration(export_configuration(), prune=True).changes == []


def test_a_stage_with_leads_cannot_be_pruned(example: ImportReport) -> None:
    make_lead(in_stage="sales/lost")
    stages = [{"code": code} for code in ("inbox", "new", "accepted", "won")]
    assert errors_of(only(pipelines=[{"code": "sales", "stages": stages}]), prune=True) == [
        'pipelines[0].stages: stage "sales/lost" cannot be removed: 1 leads stand in it; move them to another stage, or name it '
        "in the file"
    ]  # fmt: skip


def test_a_stage_that_a_limit_counts_cannot_be_pruned(example: ImportReport) -> None:
    stages = [{"code": code} for code in ("inbox", "new", "won", "lost")]
    assert errors_of(only(pipelines=[{"code": "sales", "stages": stages}]), prune=True) == [
        'pipelines[0].stages: stage "sales/accepted" cannot be removed: trigger new-leads needs it; name it in the file'
    ]
    stages = [{"code": code} for code in ("inbox", "new", "accepted", "won")]
    assert changes_of(only(pipelines=[{"code": "sales", "stages": stages}]), prune=True) == [
        ("remove", "stage", "sales/lost", {})
    ]


def test_a_reference_to_what_is_pruned_is_refused(example: ImportReport) -> None:
    [error] = errors_of(only(managers=[{"email": "boss@example.com"}], triggers=[{"code": "new-leads"}]), prune=True)
    assert error == (
        'triggers[0].members: no manager "ann@example.com" afterwards: the file does not name it, so it is pruned'
    )


# YAML


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a: 21:00", "21:00"), ("a: on", "on"), ("a: no", "no"), ("a: yes", "yes"), ("a: y", "y"), ("a: true", True),
        ("a: False", False), ("a: ~", None), ("a:", None), ("a: null", None), ("a: 12", 12), ("a: -3", -3),
        ("a: 010", "010"), ("a: 1_000", "1_000"), ("a: 0x1f", "0x1f"), ("a: 1.5", 1.5), ("a: .inf", ".inf"),
        ("a: 2026-01-05", date(2026, 1, 5)), ("a: '2026-01-05'", "2026-01-05"), ("a: 2026-02-30", "2026-02-30"),
        ("a: 2026-01-05 10:00:00", "2026-01-05 10:00:00"), ("a: <<", "<<"), ("a: =", "="), ('a: "12"', "12"),
        ("a: !!str 12", "12"), ("a: &x [1]", [1]), ("a: " + "9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_yaml_is_read_without_its_surprises(source: str, value: Any) -> None:
    found = text.read(source)["a"]
    assert (found, type(found)) == (value, type(value))


def test_a_key_may_be_on_or_off() -> None:
    assert text.read("{on: [created], off: true, no: 1, 1: 2}") == {"on": ["created"], "off": True, "no": 1, "1": 2}


def test_an_alias_repeats_a_value() -> None:
    assert text.read("a: &week {mon: [x]}\nb: *week") == {"a": {"mon": ["x"]}, "b": {"mon": ["x"]}}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3: "a" is here twice; first in line 1'),
        ("managers:\n  - {email: a,\n     email: b}", 'line 3: "email" is here twice; first in line 2'),
        (BOMB, "line 5: aliases repeat more than 10,000 values"),
        ("a: &a [*a]", "line 1: nothing is called *a before this line"),
        ("a: !!python/object/apply:os.system ['true']",
         'line 1: tags such as "tag:yaml.org,2002:python/object/apply:os.system" are not allowed'),
        ("a: !!binary aGk=", 'line 1: tags such as "tag:yaml.org,2002:binary" are not allowed'),
        ("!!set {a}", 'line 1: tags such as "tag:yaml.org,2002:set" are not allowed'),
        ("a: " + "[" * 50 + "]" * 50, "line 1: nested more than 24 deep"),
        ("[" * 100_000, "line 1, column 1001: no YAML: exceeded maximum nesting depth"),
        ("? [a]\n: 1", "line 1: a key is a word, not a list or a mapping"),
        ("a: 1\n---\nb: 2", "line 2: a second document begins here; one file is one document"),
        (b"a: \xff", ": the file is not UTF-8; save it as UTF-8"),
        ("a: \ud800", ": the file is not UTF-8; save it as UTF-8"),
        ("#" * (1024 * 1024 + 1), ": the file has 1,048,577 bytes; 1,048,576 are the most"),
    ],
)  # fmt: skip
def test_yaml_that_is_dangerous_or_ambiguous_is_refused(source: str | bytes, error: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        text.read(source)
    assert [f"{place}: {message}" for place, message in caught.value.errors] == [error]


def test_a_key_of_a_field_that_a_trigger_sets_is_not_too_long() -> None:
    trigger = {"code": "x", "stage": "sales/new", "set_fields": {"plan": [{"k" * 201: 1}]}}
    pipeline = {"code": "sales", "stages": [{"code": "new"}]}
    assert errors_of({"version": 1, "pipelines": [pipeline], "triggers": [trigger]}) == [
        f"triggers[0].set_fields.plan[0]: a key has at most 200 characters, but “{'k' * 40}…” has 201"
    ]


def test_broken_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(BadConfiguration, match=r"line \d, column \d+: no YAML: "):
        text.read("a: 1\nb: [1, 2")
    with pytest.raises(BadConfiguration, match="no YAML"):
        text.read("a: \x01")


SIGNS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")
WORDS = st.text(SIGNS, max_size=12) | st.sampled_from(
    [
        "on",
        "no",
        "21:00",
        "null",
        "~",
        "1e5",
        "012",
        "2026-01-05",
        "a: b",
        "#x",
        "- a",
        "é\u2028",
        "\x85",
        "😀",
        " x ",
        "=",
        "<<",
        "1.0e+20",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@given(value=st.dictionaries(WORDS, VALUES, max_size=4))
def test_what_is_written_is_read_again_the_same(value: dict[str, Any]) -> None:
    document = {
        "version": 1,
        "account": {"a": value},
        "triggers": [{"code": "x", "set_fields": value, "members": [{"a": "b"}]}],
    }
    again = text.read(text.write(document))
    assert again == document
    assert repr(again) == repr(document)  # true is not 1, and 1 not 1.0


def test_other_readers_of_yaml_see_the_same_values(example: ImportReport) -> None:
    document = yaml.safe_load(export_configuration())
    assert document["schedules"][0]["weekly"]["mon"] == ["09:00-13:00", "14:00-18:00"]
    assert document["managers"][0]["skills"]["language"] == ["es", "no"]


# Properties of the whole

HOURS = st.sampled_from(["09:00-13:00", "14:00-18:00", "21:00-06:00", "00:00-24:00"])
DAYS = st.lists(HOURS, max_size=2, unique=True)
DATES = st.dates(date(2026, 1, 1), date(2026, 12, 31))
NAMES = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=8).map(
    str.strip
)  # a name is one line
FLAGS = st.booleans()
CODES = ["one", "two", "three", "on", "no"]
PEOPLE = [f"{name}@example.com" for name in ("ann", "bob", "sue", "max")]
PATHS = [f"{pipeline}/{stage}" for pipeline in ("one", "two") for stage in ("new", "won")]


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def object_lists(
    keys: list[str], name: str, **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw objects with different keys, each with some of the fields."""
    return st.lists(st.sampled_from(keys), unique=True).flatmap(
        lambda found: st.tuples(*(st.fixed_dictionaries({name: st.just(key)}, optional=fields) for key in found)).map(
            list
        )
    )


EXCEPTIONS = st.lists(
    st.tuples(
        DATES,
        st.integers(0, 9),
        st.sampled_from([{"off": True}, {"extra": ["10:00-14:00"]}, {"hours": ["09:00-10:00"]}]),
    ).map(lambda drawn: {"from": drawn[0], "to": date.fromordinal(drawn[0].toordinal() + drawn[1]), **drawn[2]}),
    max_size=3,
)


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a file that refers to nothing but what it has: all schedules, managers, stages, some registries."""
    week = st.dictionaries(st.sampled_from(["mon", "tue", "sun"]), DAYS)
    cycle = st.fixed_dictionaries({"start": DATES, "days": st.lists(DAYS, min_size=1, max_size=4)})
    shape = st.sampled_from(["weekly", "cycle"])
    holidays = maybe(st.sampled_from([{"country": "ES", "subdivision": "MD"}, {"country": "PT"}]))
    schedules = [
        {"code": code, (kind := draw(shape)): draw(week if kind == "weekly" else cycle),
         "holidays": draw(holidays), "exceptions": draw(EXCEPTIONS)}
        for code in CODES[:3]
    ]  # fmt: skip
    skills = st.dictionaries(
        st.sampled_from(["language", "on", "región"]), st.lists(st.sampled_from(["es", "no", "21:00"]), unique=True)
    )
    managers = [
        {"email": email, "name": draw(NAMES), "schedule": draw(maybe(st.sampled_from(CODES[:3]))), "offset": draw(st.integers(-9, 9)),
         "time_zone": draw(maybe(st.sampled_from(["Asia/Tokyo", "America/New_York"]))), "active": draw(FLAGS),
         "skills": draw(skills), "exceptions": draw(EXCEPTIONS)}
        for email in draw(st.permutations(PEOPLE))
    ]  # fmt: skip
    stages = [{"code": "new", "kind": "open"}, {"code": "won", "kind": "won"}, {"code": "in", "kind": "unqualified"}]
    pipelines = [
        {"code": code, "stages": draw(st.permutations(stages))} for code in draw(st.permutations(["one", "two"]))
    ]
    registries = draw(
        object_lists(
            ["r1", "r2"],
            "code",
            accounting=st.sampled_from(["fair_share", "totals"]),
            reset=st.just("month"),
            refund_missed=FLAGS,
        )
    )
    own = st.sampled_from([None, {"accounting": "totals"}])
    registry = own | st.sampled_from([row["code"] for row in registries]) if registries else own
    members = object_lists(
        PEOPLE,
        "manager",
        coefficient=st.integers(0, 100),
        limit=maybe(st.integers(0, 9)),
        schedule=maybe(st.sampled_from(CODES[:3])),
    )
    acceptance = st.fixed_dictionaries(
        {"minutes": st.integers(1, 99)},
        optional={
            "finally": st.sampled_from(["duty", "keep", "wait"]),
            "clock": st.just("working"),
            "max_attempts": maybe(st.integers(1, 5)),
        },
    )
    limit = st.fixed_dictionaries(
        {}, optional={"leads": st.integers(0, 99), "stages": st.lists(st.sampled_from(PATHS), unique=True)}
    )
    check = st.fixed_dictionaries(
        {"of": st.permutations(["contact", "company"])}, optional={"available": FLAGS, "count": FLAGS}
    )
    triggers = draw(
        object_lists(
            CODES, "code", on=st.lists(st.sampled_from(["created", "moved"]), unique=True), members=members, limit=maybe(limit),
            registry=registry, acceptance=maybe(acceptance), responsible_check=maybe(check), set_fields=maybe(st.dictionaries(WORDS, VALUES, max_size=2)),
            also_assign=st.lists(st.sampled_from(["contact", "tasks"]), unique=True), priority=st.integers(-5, 5), online_only=FLAGS,
        )
    )  # fmt: skip
    for trigger in triggers:
        trigger |= {"stage": draw(st.sampled_from(PATHS)), "duty": draw(st.sampled_from(PEOPLE))}
        trigger.setdefault("registry", None)  # left out it could stay one that the file prunes, and that is refused
    return only(
        account={"name": draw(NAMES.filter(bool)), "channels": {"chat": draw(FLAGS)}}, schedules=schedules, managers=managers,
        sources=draw(object_lists(CODES, "code", title=NAMES.filter(bool), channel=st.just("chat"), active=FLAGS).map(
            lambda rows: [{"channel": "site", **row} for row in rows])),
        pipelines=pipelines, registries=registries, triggers=triggers,
    )  # fmt: skip


@settings(
    max_examples=by_night(15, by_day=5),
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(first=configurations(), second=configurations())
def test_whatever_is_imported_exports_and_imports_without_a_change(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    with transaction.atomic():
        import_configuration(first)
        for document in (first, configuration_document()):
            assert import_configuration(document).changes == []
        import_configuration(second, prune=True)  # over what is there
        exported = export_configuration()
        for document in (second, exported):
            assert import_configuration(document, prune=True).changes == []
        assert export_configuration() == exported
        transaction.set_rollback(True)


# Size, and others at the same time


@pytest.mark.slow
def test_a_thousand_managers_are_imported_in_a_fixed_number_of_statements(django_assert_max_num_queries: Any) -> None:
    shift = {"code": "office", "weekly": {"mon": ["09:00-18:00"]}}
    managers = [
        {"email": f"m{n}@example.com", "schedule": "office", "skills": {"language": ["es"]}} for n in range(1000)
    ]
    document = only(
        schedules=[shift], managers=managers, pipelines=[{"code": "sales", "stages": [{"code": "new"}]}],
        triggers=[{"code": "t", "stage": "sales/new", "members": [{"manager": row["email"]} for row in managers]}],
    )  # fmt: skip
    started = time.monotonic()
    with django_assert_max_num_queries(60):
        import_configuration(document)
    assert time.monotonic() - started < 20
    for row in document["managers"]:
        row["name"] = "New"
    with django_assert_max_num_queries(40):
        assert len(import_configuration(document).changes) == 1000
    assert import_configuration(export_configuration()).changes == []


@pytest.mark.django_db(transaction=True)
def test_an_import_and_a_change_in_the_admin_at_the_same_time_follow_one_another() -> None:
    make_schedule()
    make_trigger(members=[make_manager("ann")])
    imported = threading.Event()

    def change_by_import() -> None:
        try:
            import_configuration(only(triggers=[{"code": "new-leads", "priority": 3}]))
        finally:
            imported.set()
            connection.close()

    thread = threading.Thread(target=change_by_import)
    with transaction.atomic():
        Trigger.objects.update(limit=7)
        thread.start()
        assert not imported.wait(0.5)  # it waits for the transaction, and only then reads
    thread.join(10)
    trigger = Trigger.objects.get()
    assert (trigger.limit, trigger.priority) == (7, 3)


def test_pauses_are_not_touched(example: ImportReport) -> None:
    pause = Pause.objects.create(manager=Manager.objects.first(), started_at=MONDAY)
    import_configuration(EXAMPLE, prune=True)
    assert Pause.objects.get() == pause


# Files that are wrong in many places, or too large

WRONG = {
    "managers": lambda n: {"managers": [{"email": f"x{i}", "name": 1} for i in range(n)]},
    "unknown keys": lambda n: {"account": {f"k{i}": 1 for i in range(n)}},
    "repetitions": lambda n: {"account": {"pause_reasons": ["Lunch"] * (n + 1)}},
    "no dates": lambda n: {"managers": [{"email": "a@b.co", "exceptions": [{"from": "2026-01-0", "off": True}] * n}]},
    "no intervals": lambda n: {"schedules": [{"code": "a", "weekly": {"mon": ["09-18"] * n}}]},
}


@pytest.mark.parametrize("shape", WRONG)
def test_the_first_hundred_faults_are_told_and_how_many_follow(shape: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        import_configuration(only(**WRONG[shape](20_000)))
    assert (len(caught.value.errors), caught.value.more) == (100, 19_900)
    assert str(caught.value).endswith("\nand 19,900 more")


@pytest.mark.slow
@pytest.mark.parametrize("shape", WRONG)
def test_ten_times_as_many_faults_cost_ten_times_as_much(shape: str) -> None:
    def seconds(number: int) -> float:
        document, began = only(**WRONG[shape](number)), time.process_time()
        with pytest.raises(BadConfiguration):
            import_configuration(document)
        return time.process_time() - began

    seconds(1_000)
    few = max(min(seconds(2_000) for _ in range(3)), 0.01)
    assert min(seconds(20_000) for _ in range(2)) < 40 * few  # a square would be a hundred times


def test_many_wrong_names_are_compared_with_few_known_ones() -> None:
    document = only(
        pipelines=[{"code": "p", "stages": [{"code": f"stage-{i}"} for i in range(3_000)]}],
        triggers=[{"code": f"t{i}", "stage": f"p/stage-{i}x"} for i in range(200)],
    )
    began = time.process_time()
    with pytest.raises(BadConfiguration) as caught:
        import_configuration(document)
    assert time.process_time() - began < 5
    assert caught.value.count == 200


def test_a_file_that_changes_too_much_at_once_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.configuration.importing.MOST_CHANGED", 10)
    document = only(managers=[{"email": f"m{i}@example.com"} for i in range(5)])
    import_configuration(document)
    assert errors_of(only(managers=[{"email": f"n{i}@example.com"} for i in range(6)])) == [
        ": the file adds or changes too much at once: 6 managers. With their members and exceptions that counts as 12, and"
        " 10 is the most; split the file"
    ]
    changed = only(managers=[{"email": f"m{i}@example.com", "name": "M"} for i in range(5)])
    import_configuration(only(**changed | {"sources": []}))  # ten again
    assert not import_configuration(document).changes  # what stays as it is does not count


def test_new_ones_stand_where_the_file_has_them() -> None:
    from routing.configuration.importing import arrange

    assert arrange(["a", "b", "c"], ["x", "c", "y", "z", "a"]) == ["x", "c", "y", "z", "b", "a"]
    assert arrange(["a"], ["x", "y"]) == ["a", "x", "y"]
    assert arrange([], ["x", "y"]) == ["x", "y"]
    many = [str(n) for n in range(20_000)]
    began = time.process_time()
    assert arrange(many[::2], many) == many
    assert time.process_time() - began < 1


def test_a_long_text_counts_as_several_values_where_aliases_repeat_it() -> None:
    def repeated(letters: int, times: int) -> str:
        return f'version: 1\na: [&a "{"x" * letters}", {", ".join(["*a"] * times)}]\n'

    assert len(text.read(repeated(99, 9_000))["a"]) == 9_001
    assert len(text.read(repeated(5_000, 190))["a"]) == 191
    with pytest.raises(BadConfiguration, match="aliases repeat more than 10,000 values"):
        text.read(repeated(5_000, 200))
