"""Which tables are configuration: a line in the model stands for what the database does at each change."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.state import ModelState, ProjectState
from django.test.utils import CaptureQueriesContext, isolate_apps

from accounts.history.configuration_tables import Recorded, Versioned, configuration_table
from accounts.models import ConfigurationChange, Pause
from routing import roster
from routing.configuration import configuration_document
from tests.factories import make_manager, make_trigger

pytestmark = pytest.mark.django_db
TRIGGERS = {Versioned.trigger, Recorded.trigger}
# Read with the configuration, and no part of it: its own number, and what passes by itself.
BESIDE = {"accounts_configurationversion", Pause._meta.db_table}


def triggers() -> set[tuple[str, str]]:
    """Return table and name of the triggers that stand for a line."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgname = ANY (%s)", [list(TRIGGERS)]
        )
        return set(cursor.fetchall())


def without_line(tables: Iterable[str]) -> set[str]:
    """Return which of the tables are not configuration to the database."""
    found = triggers()
    return {table for table in tables if not {(table, name) for name in TRIGGERS} <= found}


def tables_read(action) -> set[str]:
    with CaptureQueriesContext(connection) as queries:
        action()
    return {table for q in queries for table in re.findall(r'(?:FROM|JOIN) "?([a-z_]+)"?', q["sql"])} - BESIDE


def test_every_table_of_which_the_roster_is_made_is_configuration():
    make_trigger(members=[(make_manager("ann"), 40)], limit_stages=["sales/new"])
    tables = tables_read(lambda: roster._read(1))
    assert {"accounts_manager", "routing_member", "routing_trigger_limit_stages"} < tables
    assert without_line(tables) == set(), "give the model of each a line: *configuration_table()"


def test_every_table_that_the_file_shows_is_configuration():
    make_trigger(members=[(make_manager("ann"), 40)], limit_stages=["sales/new"])
    assert without_line(tables_read(configuration_document)) == set()


def test_a_table_without_the_line_is_seen():
    assert without_line(["routing_trigger", "routing_lead"]) == {"routing_lead"}


def test_the_database_has_the_triggers_that_the_models_declare_and_no_others():
    lines = ((model, line) for model in apps.get_models() for line in model._meta.constraints)
    declared = {
        (line.model_of(model)._meta.db_table, line.trigger)
        for model, line in lines
        if isinstance(line, Versioned | Recorded)
    }
    assert {(table, name) for table, name in triggers() if table not in BESIDE} == declared


@isolate_apps("routing")
def test_a_new_table_of_configuration_needs_one_line():
    class Holiday(models.Model):
        title = models.CharField(max_length=20)
        seen = models.IntegerField(default=0)

        class Meta:
            app_label = "routing"
            constraints = configuration_table(columns=("title",), omitted=("seen",))

        def __str__(self) -> str:
            return self.title

    # The migration that makes the table makes the rest, and there is no other.
    state = ProjectState()
    state.add_model(ModelState.from_model(Holiday))
    [migration] = MigrationAutodetector(ProjectState(), state)._detect_changes()["routing"]
    assert [type(operation).__name__ for operation in migration.operations] == ["CreateModel"]

    with connection.schema_editor() as editor:
        editor.create_model(Holiday)
    before = roster.read_version()
    row = Holiday.objects.create(title="Harvest")
    added = ConfigurationChange.objects.get(model="routing.holiday")
    assert before < roster.read_version() == added.version
    assert (added.action, added.name, added.after) == ("added", "Harvest", {"id": row.pk, "title": "Harvest"})

    version = roster.read_version()
    Holiday.objects.update(seen=1)  # is not among the columns
    assert (roster.read_version(), ConfigurationChange.objects.filter(model="routing.holiday").count()) == (version, 1)
    Holiday.objects.update(title="Fair")
    changed = ConfigurationChange.objects.filter(model="routing.holiday").latest("id")
    assert changed.before == {"title": "Harvest"}
    assert version < roster.read_version() == changed.version


def test_a_line_that_is_changed_or_gone_is_a_migration():
    def changes(old, new) -> list[str]:
        states = []
        for constraints in (old, new):
            state = ProjectState()
            state.add_model(
                ModelState(
                    "routing",
                    "Thing",
                    [("id", models.AutoField(primary_key=True)), ("a", models.IntegerField())],
                    {"constraints": list(constraints)},
                )
            )
            states.append(state)
        found = MigrationAutodetector(*states)._detect_changes().get("routing", [])
        return [type(operation).__name__ for migration in found for operation in migration.operations]

    def named(**kwargs):
        return [Versioned(name="thing_versioned", **kwargs)]

    assert changes(named(), named()) == []
    assert changes(named(), named(columns=("a",))) == ["RemoveConstraint", "AddConstraint"]
    assert changes(named(), []) == ["RemoveConstraint"]


def test_changes_of_one_transaction_are_of_the_version_that_it_ends_with_or_one_on_the_way_to_it():
    before = roster.read_version()
    trigger = make_trigger(members=[(make_manager("ann"), 40)])
    versions = list(
        ConfigurationChange.objects.filter(version__gt=before).order_by("id").values_list("version", flat=True)
    )
    assert versions == sorted(versions)
    assert versions[-1] == roster.read_version()
    assert ConfigurationChange.objects.filter(model="routing.member", owner_id=trigger.pk).get().version > before
