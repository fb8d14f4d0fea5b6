"""One table of a lead's fields: whoever reads, shows, stores or forgets a lead knows every one of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rest_framework.test import APIClient

from routing.admin.exports import COLUMNS, export_leads
from routing.intake.fields import CELLS, FIELDS, STORED, Field
from routing.intake.reading import read_lead
from routing.models import ApiKey, Company, Contact, Lead
from routing.spreadsheets.leads import Reading, guess_columns, read_row
from routing.spreadsheets.reading import read_table
from tests.factories import MONDAY, make_pipeline, make_supervisor

UTC = ZoneInfo("UTC")
SENT: dict[str, Any] = {
    "external_id": "form-18-7741", "name": "Demo request", "budget": "1200.00", "currency": "EUR", "language": "es",
    "country": "ES", "region": "Cataluña", "postal_code": "08001", "product": "GTX Pro", "tags": ["demo", "spring"],
    "utm": {"source": "google", "term": "crm"}, "fields": {"employees": 240}, "comment": "Two lines:\nafter 16:00",
    "arrived_at": "2026-03-02T09:00:00Z",
    "contact": {"name": "Ana Ruiz", "email": "ana@client.example", "phone": "+34600010100", "chat": "@ana"},
    "company": {"name": "Ruiz SL", "domain": "ruiz.example"},
}  # fmt: skip


def value_of(lead: dict[str, Any], field: Field) -> Any:
    return (lead[field.group] if field.group else lead)[field.name]


@pytest.fixture
def answer(db: None) -> dict[str, Any]:
    """The API's answer to a lead that has every field."""
    make_pipeline()
    key = ApiKey(name="account", scopes=["intake", "read"])
    secret = key.renew()
    key.save()
    response = APIClient().post("/api/v1/leads", SENT, format="json", headers={"authorization": f"Bearer {secret}"})
    assert response.status_code == 201, response.content
    found: dict[str, Any] = json.loads(response.content)
    return found


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_lead_with_every_field_goes_in_is_answered_exported_and_imported_again(answer: dict[str, Any], kind: str):
    assert {field.key for field in STORED if value_of(answer, field) != value_of(SENT, field)} == set()

    file = export_leads(Lead.objects.all(), kind, filters={}, by=make_supervisor(), at=MONDAY)
    table = read_table(b"".join(file.streaming_content))  # type: ignore[arg-type]
    file.close()
    [(_number, row)] = table.rows
    own = {str(COLUMNS[field.path]) for field in FIELDS if field.path in COLUMNS}
    header = [title for title in table.header if title in own]
    cells = [cell for title, cell in zip(table.header, row, strict=True) if title in own]
    columns = guess_columns(header, [cells])
    assert set(columns) == {field.key for field in CELLS if field.group != "utm"}

    lead, faults = read_row(cells, Reading(header=header, columns=columns, zone=UTC), at=MONDAY)
    assert faults == []
    read = read_lead(SENT, at=MONDAY, zone=UTC)
    assert lead == {**read, "utm": {}, "fields": {}}  # these are no cells


@pytest.mark.parametrize("field", STORED, ids=lambda field: field.key)
def test_a_field_is_a_column_that_holds_what_its_kind_reads(field: Field):
    model: Any = {"": Lead, "contact": Contact, "company": Company}[field.group]
    column = model._meta.get_field(field.name)
    assert column.max_length == getattr(field.kind, "longest", None)
    assert field.kind.empty() == (None if column.null else column.get_default())


# In a copy of the project: one field more is a line of the table and a column of the model.
NEW_FIELD = '    Field("shoe_size", kinds.Text(20), _("Shoe size"), skill=True),\n'
NEW_COLUMN = '    shoe_size = models.CharField(max_length=LONGEST["shoe_size"], blank=True)\n'
WHO_KNOWS_IT = """
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import django

django.setup()

from drf_spectacular.generators import SchemaGenerator

from routing.admin.exports import COLUMNS
from routing.admin.leads import LeadAdmin
from routing.api.schema import LEAD_ANSWERED
from routing.engine import LeadFacts
from routing.forms import LeadForm, TrialForm
from routing.intake.fields import LEAD, columns_of
from routing.intake.kinds import BadValue
from routing.intake.reading import read_lead
from routing.models import Lead
from routing.models.crm import LEAD_EDITED
from routing.personal_data.places import PLACES
from routing.representations import LEAD_VALUES, lead_document
from routing.spreadsheets.leads import CHOICES, Reading, guess_columns, read_row

AT, ZONE = datetime(2026, 3, 2, 10, tzinfo=UTC), ZoneInfo("UTC")
schemas = SchemaGenerator().get_schema(request=None, public=True)["components"]["schemas"]
row = dict.fromkeys(LEAD_VALUES) | {"shoe_size": "42"}
document = lead_document(row, points=(), sharers=(), accept_by=None, decision=None)
columns = guess_columns(["Shoe size"], [["42"]])


def refused(size):
    try:
        read_lead({"shoe_size": size}, at=AT, zone=ZONE)
    except BadValue as bad:
        return bad.faults


print(json.dumps({
    "API, in": read_lead({"shoe_size": "42"}, at=AT, zone=ZONE)["shoe_size"],
    "API, limit": [fault.code for fault in refused("x" * 21)["shoe_size"]],
    "API, type": [fault.code for fault in refused(42)["shoe_size"]],
    "intake": columns_of(LEAD, {"shoe_size": "42"})["shoe_size"],
    "API, out": document["shoe_size"],
    "schema, in": schemas["LeadIn"]["properties"]["shoe_size"]["maxLength"],
    "schema, out": sorted(schemas["Lead"]["properties"]["shoe_size"]["type"]),
    "schema, example": LEAD_ANSWERED["shoe_size"],
    "import, column": [str(dict(CHOICES)[column]) for column in columns],
    "import, row": read_row(["42"], Reading(header=["Shoe size"], columns=columns, zone=ZONE), at=AT)[0]["shoe_size"],
    "export": str(COLUMNS["shoe_size"]),
    "form of a lead": LeadForm().fields["shoe_size"].max_length,
    "page of a lead": "shoe_size" in str(LeadAdmin.fieldsets),
    "form of a trial": str(TrialForm().fields["shoe_size"].label),
    "rules": sorted(LeadFacts.of({"shoe_size": "42"}).needs["shoe_size"]),
    "history of edits": "shoe_size" in LEAD_EDITED,
    "erasure": [place.emptied["shoe_size"] for place in PLACES if place.model is Lead and "shoe_size" in place.emptied],
}))
"""


@pytest.mark.slow
def test_a_new_field_is_a_line_of_the_table_and_a_column_and_everything_knows_it(tmp_path: Path):
    for part in ("accounts", "routing", "reports", "leadrouter", "templates", "pyproject.toml"):
        original = Path(part).resolve()
        if original.is_dir():
            shutil.copytree(original, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "static"))
        else:
            shutil.copy(original, tmp_path / part)
    insert(tmp_path / "routing/intake/fields.py", NEW_FIELD, before='    Field("product"')
    insert(tmp_path / "routing/models/crm.py", NEW_COLUMN, before="    product = models.CharField")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "leadrouter.settings", "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", WHO_KNOWS_IT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "API, in": "42",
        "API, limit": ["too-long"],
        "API, type": ["invalid-text"],
        "intake": "42",
        "API, out": "42",
        "schema, in": 20,
        "schema, out": ["null", "string"],
        "schema, example": None,
        "import, column": ["Shoe size"],
        "import, row": "42",
        "export": "Shoe size",
        "form of a lead": 20,
        "page of a lead": True,
        "form of a trial": "Shoe size",
        "rules": ["42"],
        "history of edits": True,
        "erasure": [""],
    }


def insert(path: Path, line: str, *, before: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, line + before), encoding="utf-8")
