"""Old versions of the configuration come back whole, and old decisions are explained by them."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings

from accounts.models import ConfigurationChange, Manager, User, WorkSchedule
from routing import roster
from routing.configuration import configurations_of, export_configuration, import_configuration
from routing.configuration.values import read_configuration
from routing.models import Decision, Lead, Member, Trigger
from routing.policy import build
from routing.timelines import EXPLAINED, explain
from tests.effort import by_night
from tests.factories import MONDAY, make_manager, make_schedule, make_trigger, take
from tests.routing.roster_oracle import values_of
from tests.routing.test_policy import EVERYTHING, documents

pytestmark = pytest.mark.django_db


class Kept:
    """Versions as they were, to compare with what comes back."""

    def __init__(self) -> None:
        self.files: dict[int, str] = {}
        self.configurations = {}

    def keep(self) -> None:
        version = roster.read_version()
        self.files[version], self.configurations[version] = export_configuration(), read_configuration()

    def check(self) -> None:
        assert configurations_of(self.configurations) == self.configurations
        assert {version: export_configuration(version=version) for version in self.files} == self.files


def test_every_version_comes_back_whoever_made_the_change_and_whatever_it_was():
    kept = Kept()
    import_configuration(EVERYTHING)
    kept.keep()
    Member.objects.filter(coefficient=40).update(coefficient=41, schedule=None)
    kept.keep()
    Manager.objects.filter(user__email="bob@example.com").update(skills={"language": ["fr"]}, offset=1)
    User.objects.filter(email="bob@example.com").update(email="rob@example.com", name="Rob")
    kept.keep()
    WorkSchedule.objects.filter(code="two-two").update(cycle_start="2026-02-01")
    kept.keep()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM routing_member; DELETE FROM routing_trigger_limit_stages")
    kept.keep()
    Trigger.objects.filter(code="own").delete()
    kept.keep()
    gone = Manager.objects.get(user__email="max@example.com")
    gone.delete()
    User.objects.filter(email="max@example.com").delete()
    kept.keep()
    import_configuration(EVERYTHING)
    kept.keep()
    assert len(kept.files) == 8
    kept.check()
    assert values_of(roster.current()) == values_of(
        build(configurations_of([roster.read_version()])[roster.read_version()], version=roster.read_version())
    )


def test_versions_take_one_query_however_many(django_assert_num_queries):
    kept = Kept()
    import_configuration(EVERYTHING)
    for coefficient in range(5):
        Member.objects.update(coefficient=coefficient)
        kept.keep()
    with django_assert_num_queries(1):
        assert configurations_of(kept.configurations) == kept.configurations


@settings(
    max_examples=by_night(15, by_day=5),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=documents(), second=documents(), third=documents())
def test_any_configuration_comes_back_from_under_any_other(first, second, third):
    with transaction.atomic():
        kept = Kept()
        for document in (first, second, third):
            import_configuration(document, prune=True)
            kept.keep()
        kept.check()
        transaction.set_rollback(True)


def test_an_old_version_is_exported_by_the_command(tmp_path, capsys):
    import_configuration(EVERYTHING)
    before, version = export_configuration(), roster.read_version()
    Member.objects.update(coefficient=7)
    call_command("config", "export", str(tmp_path / "old.yaml"), "--version", str(version))
    assert (tmp_path / "old.yaml").read_text() == before != export_configuration()


def test_a_version_that_there_is_not_is_refused(tmp_path):
    import_configuration(EVERYTHING)
    last = roster.read_version()
    for version, words in ((last + 1, f"the last is {last}"), (0, "no version 0")):
        with pytest.raises(CommandError, match=words):
            call_command("config", "export", str(tmp_path / "none.yaml"), "--version", str(version))
    first = ConfigurationChange.objects.filter(version__isnull=False).order_by("version").first()
    assert first is not None
    if first.version > 1:
        with pytest.raises(CommandError, match="from before versions were kept"):
            call_command("config", "export", str(tmp_path / "none.yaml"), "--version", str(first.version - 1))
    assert not (tmp_path / "none.yaml").exists()


# Old decisions


def words_of(lead: Lead, manager: Manager) -> str:
    decisions = Decision.objects.filter(lead=lead).select_related(*EXPLAINED)
    [told] = explain(decisions, roster.current(), zone=ZoneInfo("UTC"))
    found = told.of(manager.pk)
    assert found is not None
    return found.words


def test_who_was_off_duty_is_told_by_the_schedule_of_then():
    early = make_schedule("early", weekly={"tue": ["09:00-18:00"]})
    late = make_schedule("late", weekly={"mon": ["00:00-24:00"], "thu": ["09:00-18:00"]})
    ann, bob = make_manager("ann", schedule=early), make_manager("bob")
    make_trigger(members=[(ann, 1), (bob, 1)])
    lead = take(at=MONDAY)
    assert (then := words_of(lead, ann)).startswith("off duty, next on duty Tue 3 Mar, 09:00")
    Manager.objects.filter(pk=ann.pk).update(schedule=late)
    assert words_of(lead, ann) == then
    WorkSchedule.objects.filter(pk=early.pk).update(weekly={"wed": ["10:00-12:00"]})
    assert words_of(lead, ann) == then


def test_a_member_who_has_left_is_told_by_the_schedule_they_had_in_the_trigger():
    ann, bob = make_manager("ann"), make_manager("bob")
    tuesdays = make_schedule("tuesdays", weekly={"tue": ["09:00-18:00"]})
    trigger = make_trigger(members=[{"manager": ann, "schedule": tuesdays}, {"manager": bob}])
    lead = take(at=MONDAY)
    Member.objects.filter(trigger=trigger, manager=ann).delete()
    assert words_of(lead, ann).startswith("off duty, next on duty Tue 3 Mar, 09:00")


def test_who_did_not_fit_is_told_by_the_skills_and_the_lead_of_then():
    ann, bob = make_manager("ann", skills={"language": ["es"]}), make_manager("bob")
    make_trigger(members=[(ann, 1), (bob, 1)])
    lead = take(at=MONDAY, language="no")
    assert "language no" in (then := words_of(lead, ann))
    Manager.objects.filter(pk=ann.pk).update(skills={"language": ["no"], "region": ["ES"]})
    assert words_of(lead, ann) == then
    Lead.objects.filter(pk=lead.pk).update(language="de", region="FR")
    Lead.objects.filter(pk=lead.pk).update(language="it")
    assert words_of(lead, ann) == then


def test_the_limit_is_that_of_then():
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[{"manager": ann, "limit": 0}, {"manager": bob}])
    lead = take(at=MONDAY)
    Member.objects.filter(trigger=trigger, manager=ann).update(limit=9)
    assert words_of(lead, ann) == "0 of 0 leads"


def test_a_decision_that_does_not_know_its_version_is_told_as_things_are_unless_they_say_otherwise():
    tuesdays = make_schedule("tuesdays", weekly={"tue": ["09:00-18:00"]})
    ann, bob = make_manager("ann", schedule=tuesdays), make_manager("bob")
    make_trigger(members=[(ann, 1), (bob, 1)])
    lead = take(at=MONDAY)
    Decision.objects.update(version=None)
    assert words_of(lead, ann).startswith("off duty, next on duty Tue 3 Mar, 09:00")
    Manager.objects.filter(pk=ann.pk).update(schedule=None)
    assert words_of(lead, ann) == "off duty"


def test_decisions_of_many_versions_take_no_more_queries_than_of_one(django_assert_max_num_queries):
    tuesdays = make_schedule("tuesdays", weekly={"tue": ["09:00-18:00"]})
    ann, bob = make_manager("ann", schedule=tuesdays), make_manager("bob")
    make_trigger(members=[(ann, 1), (bob, 1)])
    for number in range(6):
        take(at=MONDAY + timedelta(minutes=number))
        Member.objects.update(coefficient=number + 2)
    now = roster.current()
    decisions = list(Decision.objects.select_related(*EXPLAINED))
    assert len({row.version for row in decisions}) == 6
    with django_assert_max_num_queries(2):  # pauses, versions
        told = explain(decisions, now, zone=ZoneInfo("UTC"))
    assert all("Tue 3 Mar" in t.of(ann.pk).words for t in told)
