"""Import leads from a table: keep its rows, then take them block by block, each once whatever is killed in between.

A block is one request under an idempotency key, in one transaction with its leads: a job that is killed before it has
noted the outcome is told the first answer when the block is taken again. Beyond that, every lead has a number of its
own within its source, so that no row becomes two leads, ever.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import DataError, transaction
from django.db.models import Count
from django.utils import translation
from django.utils.translation import gettext

from accounts.models import User
from routing.exceptions import Busy, Conflict, InvalidLead
from routing.models import ImportRow, Lead, LeadImport, Source, Stage
from routing.prepared_statements import Statement, run
from routing.roster import current
from routing.spreadsheets.leads import Reading, guessed_columns, read_row
from routing.spreadsheets.reading import Table

from .intake import Answer, IdempotencyKey, IntakeResult, Replayed, Results, answer_leads, check_leads

ROWS_OF_A_BLOCK = 200  # about a third of a second, and the registry is free again
Outcome = tuple[str, str | None, str]  # of a row: ImportRow.Outcome, lead, problem

logger = logging.getLogger(__name__)


@transaction.atomic
def keep_table(
    table: Table, data: bytes, *, file_name: str, at: datetime, by: User | None, language: str
) -> LeadImport:
    """Store an uploaded table as an import to be reviewed."""
    batch = LeadImport.objects.create(
        file_name=file_name[-255:],
        digest=hashlib.sha256(data).hexdigest(),
        encoding=table.encoding,
        delimiter=table.delimiter,
        header=table.header,
        columns=guessed_columns(table.header, [cells for _, cells in table.rows[:50]]),
        language=language,
        by=by,
        created_at=at,
    )
    rows = (
        ImportRow(
            batch=batch, number=number, block=place // ROWS_OF_A_BLOCK, cells=[c.replace("\x00", "") for c in cells]
        )
        for place, (number, cells) in enumerate(table.rows)
    )
    ImportRow.objects.bulk_create(rows, batch_size=1000)
    return batch


def start_import(batch: LeadImport, *, source: Source, stage: Stage, at: datetime) -> None:
    """Set where the leads go, and start taking rows. Raises Conflict when it was already started."""
    waiting = LeadImport.objects.filter(pk=batch.pk, started_at=None, cancelled_at=None)
    if not waiting.update(source=source, stage=stage, started_at=at):
        raise Conflict(gettext("This import was already started."))


def stop_import(batch: LeadImport, *, at: datetime) -> bool:
    """Leave the remaining rows; tell whether there was anything to stop."""
    going = LeadImport.objects.filter(pk=batch.pk, finished_at=None, cancelled_at=None)
    return bool(going.update(cancelled_at=at, counts=counts_of(batch)))


def counts_of(batch: LeadImport) -> dict[str, int]:
    """Return the number of rows by outcome."""
    return dict(batch.rows.order_by().values_list("outcome").annotate(rows=Count("pk")))


def continue_imports(*, at: datetime, blocks: int) -> None:
    """Take some blocks of the running imports, oldest first."""
    for batch_id in LeadImport.objects.running().order_by("pk").values_list("pk", flat=True):
        while blocks and continue_import(batch_id, at=at):
            blocks -= 1


def continue_import(batch_id: int, *, at: datetime) -> bool:
    """Take the next block of an import; tell whether there may be another."""
    batch = LeadImport.objects.running().filter(pk=batch_id).first()
    if batch is None:
        return False
    block = batch.rows.filter(outcome="").order_by("block").values_list("block", flat=True).first()
    if block is None:
        LeadImport.objects.filter(pk=batch_id, finished_at=None).update(finished_at=at, counts=counts_of(batch))
        return False
    rows = list(batch.rows.filter(block=block))  # all of it, taken or not, so that a repetition is the same request
    try:
        with translation.override(batch.language):
            outcomes = _taken(batch, rows, key=str(block), at=at)
    except Busy:
        return False  # the next sweep goes on
    _note(rows, outcomes)
    return True


def preview(
    batch: LeadImport, rows: Sequence[ImportRow], source: Source | None, stage: Stage | None, *, at: datetime
) -> list[tuple[dict[str, Any], list[str]]]:
    """Return what would become of the rows: the lead as it was understood, and its faults. Nothing is written."""
    reading = _reading(batch)
    answers = [read_row(row.cells, reading, at=at) for row in rows]
    if source is None or stage is None:
        return answers
    forms = [_form(batch, row, form, source, stage) for row, (form, _faults) in zip(rows, answers, strict=True)]
    refusals = check_leads(forms, source_id=source.pk, at=at)
    return [
        (form, faults or [error["detail"] for error in refusal.errors] if refusal else faults)
        for (form, faults), refusal in zip(answers, refusals, strict=True)
    ]


def known_already(forms: Sequence[Mapping[str, Any]], source: Source) -> int:
    """Return how many leads the source already sent, or are twice in the file: they change nothing."""
    numbers = [form["external_id"] for form in forms if form.get("external_id")]
    sent = Lead.objects.filter(source=source, external_id__in=set(numbers)).count()
    return len(numbers) - (len(set(numbers)) - sent)


def _reading(batch: LeadImport) -> Reading:
    return Reading(header=batch.header, columns=batch.columns, zone=current().zone, month_first=batch.month_first)


def _form(batch: LeadImport, row: ImportRow, form: dict[str, Any], source: Source, stage: Stage) -> dict[str, Any]:
    """Return the form as `take_leads` takes it; a row without a number of its own is numbered by the import."""
    numbered = {"external_id": f"import-{batch.pk}-{row.number}", **form}
    return {**numbered, "source": source.code, "stage": f"{stage.pipeline.code}/{stage.code}"}


def _taken(batch: LeadImport, rows: Sequence[ImportRow], *, key: str, at: datetime) -> list[Outcome]:
    """Return what became of the rows, in their order."""
    source, stage = batch.source, batch.stage
    assert source, "leadimport_knows_where_to"
    assert stage, "leadimport_knows_where_to"
    reading = _reading(batch)
    outcomes: dict[int, Outcome] = {}
    forms: dict[int, dict[str, Any]] = {}
    for row in rows:
        form, faults = read_row(row.cells, reading, at=at)
        if faults:
            outcomes[row.number] = _refused("; ".join(faults))
        else:
            forms[row.number] = _form(batch, row, form, source, stage)
    try:
        outcomes |= zip(forms, _answers(batch, list(forms.values()), key=key, at=at), strict=True)
    except DataError:
        if len(forms) <= 1:
            logger.exception("a row of import %s could not be stored", batch.pk, extra={"action": "import_row_failed"})
            outcomes |= dict.fromkeys(forms, _refused("The database could not store this row."))
        else:  # one of them: find out which, each in a transaction of its own
            for row in rows:
                if row.number in forms:
                    [outcomes[row.number]] = _taken(batch, [row], key=f"row {row.number}", at=at)
    return [outcomes[row.number] for row in rows]


def _answers(batch: LeadImport, forms: Sequence[Mapping[str, Any]], *, key: str, at: datetime) -> list[Outcome]:
    if not forms:
        return []
    once = IdempotencyKey(owner=f"import:{batch.pk}", route="import", key=key, fingerprint="")

    def render(results: Results) -> Answer:
        return 200, json.dumps(list(map(_outcome, results)))

    try:
        results, _ = answer_leads(forms, source_id=batch.source_id, at=at, render=render, once=once)
        return list(map(_outcome, results))
    except Replayed as first:
        return [(kind, lead, problem) for kind, lead, problem in json.loads(first.answer)]


def _outcome(result: IntakeResult | InvalidLead) -> Outcome:
    if isinstance(result, InvalidLead):
        return _refused("; ".join(error["detail"] for error in result.errors) or result.detail)
    return ("created" if result.created else "known", str(result.lead_id), "")


def _refused(problem: str) -> Outcome:
    return ("refused", None, problem)


NOTE = Statement(
    "note_import_rows",
    "UPDATE routing_importrow note SET outcome = r.outcome, lead_id = r.lead, problem = r.problem"
    " FROM json_to_recordset(%(notes)s) AS r (id bigint, outcome text, lead uuid, problem text) WHERE note.id = r.id",
    notes="json",
)


def _note(rows: Sequence[ImportRow], outcomes: Sequence[Outcome]) -> None:
    notes = [
        {"id": row.pk, "outcome": kind, "lead": lead, "problem": problem}
        for row, (kind, lead, problem) in zip(rows, outcomes, strict=True)
    ]
    run(NOTE, notes=json.dumps(notes))
