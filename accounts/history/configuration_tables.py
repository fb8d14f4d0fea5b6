"""What makes a table configuration: a line in its model, and the database triggers that the line stands for.

`Versioned` and `Recorded` are constraints to Django, so `makemigrations` writes them with the table, and sees when a line
is changed or gone. The functions that the triggers call are in accounts, migrations 0002 and 0008.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import BaseConstraint, Model


def _column(model: type[Model], name: str) -> str:
    field: Any = model._meta.get_field(name)
    return str(field.column)


class TableTrigger(BaseConstraint):
    """A trigger on a model's table, or on that of one of its many-to-many fields."""

    kind: str
    trigger: str
    arguments: tuple[str, ...] = ("columns", "of")

    def __init__(self, *, columns: Sequence[str] = (), of: str = "", name: str = "") -> None:
        """
        columns: whose change counts; none: every column's. of: a many-to-many field, whose table is meant.
        """
        self.columns, self.of = tuple(columns), of
        super().__init__(name=name or "_".join(filter(None, ("%(app_label)s_%(class)s", of, self.kind))))

    def create_sql(self, model: Any, schema_editor: BaseDatabaseSchemaEditor | None) -> Any:
        # What was declared by hand before there were these lines has the same name: it is replaced.
        return f"{self.remove_sql(model, schema_editor)}; {self.statement(self.model_of(model))}"

    def constraint_sql(self, model: Any, schema_editor: BaseDatabaseSchemaEditor | None) -> Any:
        if schema_editor is not None:
            schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))  # when the tables are there
        return None

    def remove_sql(self, model: Any, schema_editor: BaseDatabaseSchemaEditor | None) -> Any:
        return f"DROP TRIGGER IF EXISTS {self.trigger} ON {self.model_of(model)._meta.db_table}"

    def statement(self, model: type[Model]) -> str:
        raise NotImplementedError

    def model_of(self, model: type[Model]) -> type[Model]:
        return model._meta.get_field(self.of).remote_field.through if self.of else model  # type: ignore[union-attr]

    def update(self, model: type[Model]) -> str:
        columns = ", ".join(f'"{_column(model, name)}"' for name in self.columns)
        return f"UPDATE OF {columns}" if columns else "UPDATE"

    def validate(self, *_: Any, **__: Any) -> None:
        """Nothing to check: it refuses no row."""

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, arguments, named = super().deconstruct()
        given = {name: value for name in self.arguments if (value := getattr(self, name))}
        return path, arguments, {**named, **given}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableTrigger) and self.deconstruct() == other.deconstruct()

    def __hash__(self) -> int:
        return hash(self.name)


class Versioned(TableTrigger):
    """Each change of the table takes the next version of the configuration."""

    kind, trigger = "versioned", "configuration_changed"

    def statement(self, model: type[Model]) -> str:
        # Before the rows, so that the change which is recorded of each knows its version.
        return (
            f"CREATE TRIGGER {self.trigger} BEFORE INSERT OR DELETE OR TRUNCATE OR {self.update(model)} "
            f"ON {model._meta.db_table} FOR EACH STATEMENT EXECUTE FUNCTION leadrouter_configuration_changed()"
        )


class Recorded(TableTrigger):
    """Each change of a row is written down, in accounts_configurationchange."""

    kind, trigger = "recorded", "record_change"
    arguments = ("owners", "omitted", "columns", "of")

    def __init__(
        self,
        *,
        owners: Sequence[str] = (),
        omitted: Sequence[str] = (),
        columns: Sequence[str] = (),
        of: str = "",
        name: str = "",
    ) -> None:
        """
        owners: fields that refer to the thing on whose page the change is looked for; the first that is set is it.
        omitted: columns that are never written down: secrets, and what changes by itself.
        """
        self.owners, self.omitted = tuple(owners), tuple(omitted)
        super().__init__(columns=columns, of=of, name=name)

    def statement(self, model: type[Model]) -> str:
        fields: list[Any] = [model._meta.get_field(name) for name in self.owners]
        owners = [f"{field.column}={field.related_model._meta.label_lower}" for field in fields]
        omitted = ",".join(_column(model, name) for name in self.omitted)
        given = ", ".join(f"'{value}'" for value in (model._meta.label_lower, f"{{{omitted}}}", *owners))
        return (
            f"CREATE TRIGGER {self.trigger} AFTER INSERT OR DELETE OR {self.update(model)} "
            f"ON {model._meta.db_table} FOR EACH ROW EXECUTE FUNCTION leadrouter_record_change({given})"
        )


def configuration_table(
    *, owners: Sequence[str] = (), omitted: Sequence[str] = (), columns: Sequence[str] = (), of: str = ""
) -> tuple[Versioned, Recorded]:
    """Return the constraints that make each change of a table, or of these columns, a change of the configuration."""
    return Versioned(columns=columns, of=of), Recorded(owners=owners, omitted=omitted, columns=columns, of=of)


def models_with_history() -> list[str]:
    """Return the labels of the models whose changes are recorded, with tables of many-to-many fields."""
    lines = ((model, line) for model in apps.get_models() for line in model._meta.constraints)
    return [line.model_of(model)._meta.label_lower for model, line in lines if isinstance(line, Recorded)]
