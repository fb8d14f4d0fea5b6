"""docs/scaling.md says how each table is spread over a Citus cluster: no table is forgotten, and no foreign key breaks it."""

from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.apps import apps

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scaling.md"
# What Citus takes: from a table of this kind a foreign key may lead to tables of those kinds.
ALLOWED = {"distributed": {"distributed", "reference"}, "reference": {"reference"}, "local": {"local", "reference"}}


def rows() -> list[tuple[str, str, str]]:
    """Return pattern, kind and distribution key of each line of the table, in its order."""
    lines = PAGE.read_text().partition("## Distribution keys")[2].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return [(name.strip(" `"), kind, key.strip("`")) for names, kind, key in cells for name in names.split(",")]


def placed(table: str) -> tuple[str, str]:
    """Return kind and key of a table; the first pattern that fits decides."""
    return next((kind, key) for pattern, kind, key in rows() if fnmatch(table, pattern))


MODELS = apps.get_models(include_auto_created=True)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.db_table)
def test_every_table_has_its_place_and_its_foreign_keys_stay_within_a_shard(model):
    kind, key = placed(model._meta.db_table)
    for field in model._meta.concrete_fields:
        if not field.is_relation:
            continue
        to_kind, to_key = placed(field.related_model._meta.db_table)
        assert to_kind in ALLOWED[kind], f"{field}: from {kind} to {to_kind}"
        assert to_kind != "distributed" or key == to_key, f"{field}: the two are not in one shard"


def test_every_line_of_the_table_is_about_a_table_that_exists():
    tables = {model._meta.db_table for model in MODELS} | {"django_migrations"}
    assert not [name for name, *_ in rows() if "*" not in name and name not in tables]


def test_what_belongs_to_an_account_is_distributed_by_it():
    ours = [model for model in MODELS if model._meta.app_label in ("accounts", "routing", "reports")]
    assert {placed(model._meta.db_table) for model in ours if model._meta.managed} == {("distributed", "account_id")}
