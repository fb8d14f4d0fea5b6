"""Import leads from a table: keep its rows, then take them block by block, each once whatever is killed in between.

A block is one request under an idempotency key, in one transaction with its leads: a job that is killed before it has
noted the outcome is told the first answer when the block is taken again. Beyond that, every lead has a number of its
own within its source, so that no row becomes two leads, ever.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db import DataError, transaction
from django.db.models import Count, F, Func, Min, QuerySet, TextField, Value
from django.db.models.functions import Coalesce, Lower, NullIf, Right, Trim
from django.utils import translation
from django.utils.translation import gettext

from accounts.models import User
from routing.exceptions import Busy, Conflict, InvalidLead
from routing.intake.identity import normalise_chat, normalise_email, read_phone
from routing.intake.names import may_be_one
from routing.models import ImportRow, Lead, LeadImport, Source, Stage
from routing.prepared_statements import Statement, run
from routing.roster import current
from routing.spreadsheets.cell_errors import ERRORS
from routing.spreadsheets.dates import DayOrder, day_order
from routing.spreadsheets.leads import FIELDS, IGNORED, PARTS, Reading, guess_columns, read_row
from routing.spreadsheets.reading import Table

from .intake import (
    Answer,
    IdempotencyKey,
    IntakeResult,
    Replayed,
    Results,
    answer_leads,
    check_leads,
    phone_country,
    read_contact,
)

ROWS_OF_A_BLOCK = 200  # about a third of a second, and the registry is free again
Outcome = tuple[str, str | None, str]  # of a row: ImportRow.Outcome, lead, problem


class SamePerson(NamedTuple):
    """Rows that one person is in, and the e-mail, phone or chat that shows it."""

    known_by: str
    rows: tuple[int, ...]


class Checked(NamedTuple):
    """What would become of the rows that were looked at."""

    rows: int
    total: int
    refused: int
    known: int
    repeated: int  # the same as a row before

    @property
    def taken(self) -> int:
        return self.rows - self.refused - self.known - self.repeated

    @property
    def is_whole(self) -> bool:
        return self.rows == self.total


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
        columns=guess_columns(table.header, [cells for _, cells in table.rows[:50]]),
        language=language,
        by=by,
        created_at=at,
    )
    ImportRow.objects.bulk_create(_rows_of(batch, table), batch_size=1000)
    return batch


def _rows_of(batch: LeadImport, table: Table) -> Iterator[ImportRow]:
    first: dict[tuple[str, ...], int] = {}
    for place, (number, text) in enumerate(table.rows):
        cells = [cell.replace("\x00", "") for cell in text]
        same_as = first.setdefault(tuple(cells), number)
        yield ImportRow(
            batch=batch,
            number=number,
            block=place // ROWS_OF_A_BLOCK,
            cells=cells,
            same_as=None if same_as == number else same_as,
        )


def start_import(batch: LeadImport, *, source: Source, stage: Stage, at: datetime) -> None:
    """Set where the leads go, and start taking rows. Raises Conflict when it was already started, or when nobody knows
    whether its dates have the day or the month first."""
    order = order_of_dates(batch)
    if fault := order.fault(batch.month_first):
        raise Conflict(fault)
    month_first = order.month_first_proposal if batch.month_first is None else batch.month_first
    waiting = LeadImport.objects.filter(pk=batch.pk, started_at=None, cancelled_at=None)
    if not waiting.update(source=source, stage=stage, month_first=month_first, started_at=at):
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
            outcomes = _take(batch, rows, key=str(block), at=at)
    except Busy:
        return False  # the next sweep goes on
    _note(rows, outcomes)
    return True


def order_of_dates(batch: LeadImport) -> DayOrder:
    """Return what the whole column of dates says of the order of day and month."""
    dates = _rows_with(batch, "arrived_at").values_list("text").annotate(first=Min("number")).order_by("first")
    return day_order((number, text) for text, number in dates)


def same_people(batch: LeadImport, source: Source | None) -> list[SamePerson]:
    """Return who is in several rows of the file, by an e-mail, a phone or a chat."""
    usual = (source and source.country) or current().account.country
    countries = dict(_rows_with(batch, "country").values_list("number", "text"))
    nobody = current().placeholders
    is_nobody = {"contact.email": nobody.of_email, "contact.phone": nobody.of_phone, "contact.chat": nobody.of_chat}
    found: dict[tuple[int, ...], str] = {}
    for key, (roughly, person_of) in PERSON_BY.items():
        rows = _rows_with(batch, key).annotate(roughly=roughly)
        repeated = rows.order_by().values("roughly").annotate(rows=Count("pk")).filter(rows__gt=1).values("roughly")
        people: dict[str, list[int]] = defaultdict(list)
        for number, text in rows.filter(roughly__in=repeated).order_by("number").values_list("number", "text"):
            person = person_of(text, countries.get(number) or usual or None)
            if person and not is_nobody[key](person):
                people[person].append(number)
        names = _names(batch, people.values()) if key == "contact.phone" else {}
        for person, numbers in people.items():
            same = [number for number in numbers if may_be_one(names.get(numbers[0], ""), names.get(number, ""))]
            if len(same) > 1:
                found.setdefault(tuple(same), person)
    return [SamePerson(known_by=person, rows=numbers) for numbers, person in sorted(found.items())]


def _names(batch: LeadImport, groups: Iterable[Sequence[int]]) -> dict[int, str]:
    """Return the names in the rows of the groups: a phone may be shared."""
    places = [place for key in ("contact.name", *PARTS) for place, column in enumerate(batch.columns) if column == key]
    rows = batch.rows.filter(number__in=[number for group in groups if len(group) > 1 for number in group])
    return {row.number: " ".join(row.cells[place] for place in places if row.cells[place]) for row in rows}


def _phone_key(text: str, country: str | None) -> str | None:
    phone = read_phone(text, country)
    return phone and phone.key


def _digits(text: F) -> Func:
    return Func(text, Value(r"\D"), Value(""), Value("g"), function="regexp_replace", output_field=TextField())


# How a person is known: what is the same in all spellings and the database finds fast, then the key itself.
PERSON_BY: dict[str, tuple[Func, Callable[[str, str | None], str | None]]] = {
    "contact.email": (Lower(Trim(F("text"))), lambda text, _country: normalise_email(text)),
    "contact.phone": (Right(_digits(F("text")), 7), _phone_key),
    "contact.chat": (Right(Lower(Trim(F("text"))), 5), lambda text, _country: normalise_chat(text)),
}


def _rows_with(batch: LeadImport, key: str) -> QuerySet[Any]:
    """Return the rows that have something of a field of the file, as `text`; several columns of it as they are joined."""
    places = [place for place, column in enumerate(batch.columns) if column == key]
    if not places:
        return batch.rows.none().annotate(text=Value(""))
    empty = Value("", output_field=TextField())
    cells = [NullIf(F(f"cells__{place}"), empty, output_field=TextField()) for place in places]
    joint = FIELDS[key].joint
    if joint is None:
        text: Func = Coalesce(*cells, empty)
    else:
        text = Func(Value(joint), *cells, function="concat_ws", output_field=TextField())
    return batch.rows.annotate(text=text).exclude(text="").exclude(text__in=ERRORS)


def preview(
    batch: LeadImport, rows: Sequence[ImportRow], source: Source | None, stage: Stage | None, *, at: datetime
) -> list[tuple[dict[str, Any], list[str]]]:
    """Return what would become of the rows: the lead as it was understood, and its faults. Nothing is written.

    The order of day and month is a question of the whole column, which `check_more_rows` has looked at: while it has no
    answer, the dates are left out.
    """
    reading = _reading(batch, batch.checked["month_first"])
    if batch.checked["asks"]:
        reading = replace(reading, columns=[IGNORED if key == "arrived_at" else key for key in batch.columns])
    answers = [read_row(row.cells, reading, at=at) for row in rows]
    if source is None or stage is None:
        return answers
    forms = [_form(batch, row, form, source, stage) for row, (form, _faults) in zip(rows, answers, strict=True)]
    refusals = check_leads(forms, source_id=source.pk, at=at)
    return [
        (form, [*faults, *_details(refusal)] if refusal else faults)
        for (form, faults), refusal in zip(answers, refusals, strict=True)
    ]


def check_more_rows(
    batch: LeadImport, source: Source | None, stage: Stage | None, *, rows: int, at: datetime
) -> Checked:
    """Check some more rows as they would be taken; return how many would be, of those that were looked at so far.

    Other choices begin anew. Two who look at once do the same work, and neither counts a row twice.
    """
    choices = [
        *(source and source.pk, source and source.double_click, stage and stage.pk),
        *(batch.month_first, batch.columns),
    ]
    stored, checked = batch.checked, batch.checked
    if checked.get("choices") != choices:
        order = order_of_dates(batch)
        checked = {
            "choices": choices,
            "month_first": order.month_first_proposal if batch.month_first is None else batch.month_first,
            "asks": bool(order.fault(batch.month_first)),
            "rows": 0,
            "last": 0,
            "refused": [],
            "repeated": 0,
        }
    batch.checked = checked
    more = list(batch.rows.filter(number__gt=checked["last"]).order_by("number")[:rows])
    if more:
        answers = preview(batch, more, source, stage, at=at)
        refused = [row.number for row, (_form, faults) in zip(more, answers, strict=True) if faults]
        repeated = [
            row.number
            for row, (form, faults) in zip(more, answers, strict=True)
            if source and not faults and not form.get("external_id") and _repeats_a_row(row, form, source)
        ]
        batch.checked = checked = {
            **checked,
            "rows": checked["rows"] + len(more),
            "last": more[-1].number,
            "refused": checked["refused"] + refused,
            "repeated": checked["repeated"] + len(repeated),
        }
        LeadImport.objects.filter(pk=batch.pk, checked=stored, started_at=None).update(checked=checked)
    return Checked(
        rows=checked["rows"],
        total=batch.rows.count(),
        refused=len(checked["refused"]),
        known=_count_known(batch, source, last=checked["last"]) if source else 0,
        repeated=checked["repeated"],
    )


def _count_known(batch: LeadImport, source: Source, *, last: int) -> int:
    """Return how many rows are leads that the source already sent, or are twice in the file: they change nothing."""
    refused = set(batch.checked["refused"])
    rows = _rows_with(batch, "external_id").filter(number__lte=last).values_list("number", "text")
    numbers = [text for number, text in rows if number not in refused]
    sent = Lead.objects.filter(source=source, external_id__in=set(numbers)).count() if numbers else 0
    return len(numbers) - (len(set(numbers)) - sent)


def _reading(batch: LeadImport, month_first: bool | None) -> Reading:
    return Reading(header=batch.header, columns=batch.columns, zone=current().zone, month_first=month_first)


def _form(batch: LeadImport, row: ImportRow, form: dict[str, Any], source: Source, stage: Stage) -> dict[str, Any]:
    """Return the form as `take_leads` takes it; a row without a number of its own is numbered by the import.

    A row that is the same as one before has the number of that one, and so is one lead with it.
    """
    number = row.same_as if _repeats_a_row(row, form, source) else row.number
    numbered = {"external_id": f"import-{batch.pk}-{number}", **form}
    return {**numbered, "source": source.code, "stage": f"{stage.pipeline.code}/{stage.code}"}


def _repeats_a_row(row: ImportRow, form: Mapping[str, Any], source: Source) -> bool:
    """Tell whether the row is that of a known person again, word by word; of strangers nobody knows whether they are one."""
    if row.same_as is None or not source.double_click:
        return False
    roster = current()
    person = read_contact(form.get("contact") or {}, phone_country(form, roster.sources[source.pk], roster))
    nobody = roster.placeholders
    reads = {"email": nobody.of_email, "phone": nobody.of_phone, "chat": nobody.of_chat}
    return any(not is_nobodys(key) for kind, is_nobodys in reads.items() if (key := person[f"{kind}_key"]))


def _take(batch: LeadImport, rows: Sequence[ImportRow], *, key: str, at: datetime) -> list[Outcome]:
    """Return what became of the rows, in their order."""
    source, stage = batch.source, batch.stage
    assert source, "leadimport_knows_where_to"
    assert stage, "leadimport_knows_where_to"
    reading = _reading(batch, batch.month_first)
    outcomes: dict[int, Outcome] = {}
    forms: dict[int, dict[str, Any]] = {}
    for row in rows:
        form, faults = read_row(row.cells, reading, at=at)
        forms[row.number] = _form(batch, row, form, source, stage)
        if faults:
            [refusal] = check_leads([forms.pop(row.number)], source_id=source.pk, at=at)
            outcomes[row.number] = _refusal("; ".join([*faults, *_details(refusal)]))
    try:
        outcomes |= zip(forms, _answers(batch, list(forms.values()), key=key, at=at), strict=True)
    except DataError:
        if len(forms) <= 1:
            logger.exception("a row of import %s could not be stored", batch.pk, extra={"action": "import_row_failed"})
            outcomes |= dict.fromkeys(forms, _refusal("The database could not store this row."))
        else:  # one of them: find out which, each in a transaction of its own
            for row in rows:
                if row.number in forms:
                    [outcomes[row.number]] = _take(batch, [row], key=f"row {row.number}", at=at)
    return [outcomes[row.number] for row in rows]


def _answers(batch: LeadImport, forms: Sequence[Mapping[str, Any]], *, key: str, at: datetime) -> list[Outcome]:
    if not forms:
        return []
    once = IdempotencyKey(owner=f"import:{batch.pk}", route="import", key=key, fingerprint="")

    def render(results: Results) -> Answer:
        return 200, json.dumps(list(map(_outcome, results)))

    try:
        results, _ = answer_leads(forms, source_id=batch.source_id, at=at, render=render, once=once, activities=False)
        return list(map(_outcome, results))
    except Replayed as first:
        return [(kind, lead, problem) for kind, lead, problem in json.loads(first.answer)]


def _outcome(result: IntakeResult | InvalidLead) -> Outcome:
    if isinstance(result, InvalidLead):
        return _refusal("; ".join(_details(result)))
    return ("created" if result.created else "known", str(result.lead_id), "")


def _details(refusal: InvalidLead | None) -> list[str]:
    return [error["detail"] for error in refusal.errors] or [refusal.detail] if refusal else []


def _refusal(problem: str) -> Outcome:
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
