"""The configuration of old versions: what is stored, with every change since taken back.

Triggers of the database write down each change of a row with the version that it made, so no version is stored whole.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils.translation import gettext

from accounts.models import Account, ConfigurationChange, Manager, ScheduleException, User, WorkSchedule
from routing.exceptions import NotFound
from routing.models import Decision, Member, Pipeline, Placeholder, Registry, Source, Stage, Trigger
from routing.policy import shapes

from .rows import Stored, Tables, join_tables
from .values import configuration_of

LIMIT_STAGES: type[Model] = Trigger.limit_stages.through
MODELS: dict[str, type[Model]] = {
    model._meta.label_lower: model
    for model in (
        *(Account, User, Manager, WorkSchedule, ScheduleException),
        *(Source, Placeholder, Pipeline, Stage, Registry, Trigger, Member, LIMIT_STAGES),
    )
}
LEFT_OUT = {"accounts.user": "{password,last_login}"}  # never to leave the database, or no configuration

# One statement, so that rows and changes are those of one instant.
READ = (
    "SELECT 0 AS change, 0 AS version, model, id, '' AS action, columns FROM ("
    + " UNION ALL ".join(
        f"SELECT '{label}' AS model, id::bigint, to_jsonb(t) - '{LEFT_OUT.get(label, '{}')}'::text[] AS columns "  # nosec B608
        f"FROM {model._meta.db_table} t"
        for label, model in MODELS.items()
    )
    + ") now UNION ALL SELECT id, version, model, row_id, action, before FROM accounts_configurationchange"
    " WHERE version > %s AND model = ANY (%s)"
)

Rows = dict[str, dict[int, dict[str, Any]]]  # model -> id -> columns, as JSON has them


class VersionUnknown(NotFound):
    """The configuration never had this version, or had it before its changes were numbered."""

    code = "configuration_version_unknown"


def configurations_of(versions: Collection[int]) -> dict[int, shapes.Configuration]:
    """Return the configuration of each of the versions, which decisions name, in one query.

    Versions between which nothing was changed are one object.
    """
    if not versions:
        return {}
    rows, changes = _read(min(versions))
    found: dict[int, shapes.Configuration] = {}
    last: shapes.Configuration | None = None
    for version in sorted(versions, reverse=True):
        while changes and changes[-1][1] > version:
            _take_back(rows, *changes.pop()[2:])
            last = None
        last = found[version] = last or configuration_of(_join(rows))
    return found


def read_version(version: int) -> Stored:
    """Return the configuration as it was stored at a version, to be shown as a file. Raises VersionUnknown."""
    _check_known(version)
    rows, changes = _read(version)
    while changes:
        _take_back(rows, *changes.pop()[2:])
    return _join(rows)


def _check_known(version: int) -> None:
    numbered = ConfigurationChange.objects.filter(version__isnull=False).order_by("version")
    first = numbered.values_list("version", flat=True).first()
    current = numbered.values_list("version", flat=True).last()
    if first is None or current is None or version < 1:
        raise VersionUnknown(gettext("There is no version %(version)s to go back to.") % {"version": version})
    if version < first and not Decision.objects.filter(version=version).exists():
        words = gettext("Version %(version)s is from before versions were kept; the first is %(first)s.")
        raise VersionUnknown(words % {"version": version, "first": first})
    if version > current and version > _current():
        words = gettext("There is no version %(version)s yet; the last is %(last)s.")
        raise VersionUnknown(words % {"version": version, "last": _current()})


def _current() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(version), 0) FROM accounts_configurationversion")
        return int(cursor.fetchone()[0])


Change = tuple[int, int, str, int, str, dict[str, Any]]  # id, version, model, row, action, columns before


def _read(version: int) -> tuple[Rows, list[Change]]:
    """Return the rows of now, and the changes after the version, oldest first."""
    rows: Rows = {label: {} for label in MODELS}
    changes: list[Change] = []
    with connection.cursor() as cursor:
        cursor.execute(READ, [version, list(MODELS)])
        for change, made, model, row_id, action, columns in cursor.fetchall():
            values = json.loads(columns) if isinstance(columns, str) else columns
            if change:
                changes.append((change, made, model, row_id, action, values))
            else:
                rows[model][row_id] = values
    return rows, sorted(changes, key=lambda change: (change[1], change[0]))


def _take_back(rows: Rows, model: str, row_id: int, action: str, before: Mapping[str, Any]) -> None:
    if action == ConfigurationChange.Action.ADDED:
        rows[model].pop(row_id, None)
    elif action == ConfigurationChange.Action.REMOVED:
        rows[model][row_id] = dict(before)
    else:
        rows[model][row_id] = {**rows[model][row_id], **before}


def _join(rows: Rows) -> Stored:
    made: dict[str, list[Any]] = {label: _make_rows(model, rows[label].values()) for label, model in MODELS.items()}
    accounts: list[Account] = made["accounts.account"]
    return join_tables(
        Tables(
            account=accounts[0] if accounts else Account(pk=1),
            users=made["accounts.user"],
            managers=made["accounts.manager"],
            schedules=made["accounts.workschedule"],
            exceptions=made["accounts.scheduleexception"],
            sources=made["routing.source"],
            placeholders=made["routing.placeholder"],
            pipelines=made["routing.pipeline"],
            stages=made["routing.stage"],
            registries=made["routing.registry"],
            triggers=made["routing.trigger"],
            members=made["routing.member"],
            limit_stages=[(row.trigger_id, row.stage_id) for row in made[LIMIT_STAGES._meta.label_lower]],
        )
    )


def _make_rows(model: type[Model], rows: Collection[Mapping[str, Any]]) -> list[Model]:
    """Return rows that are not saved. A column that is younger than the row has its default."""
    fields = [(field, field.attname, str(field.column)) for field in model._meta.concrete_fields]
    return [
        model(**{attname: field.to_python(row[column]) for field, attname, column in fields if column in row})
        for row in rows
    ]
