"""Leads as a file: what the list shows, in a form that no spreadsheet runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject
from django.http import FileResponse, StreamingHttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Account, User

from ..intake.fields import CELLS, COMPANY, FIELDS, Field
from ..models import Activity, Lead, LeadExport, Pipeline
from ..roster import Roster
from ..screens.who import SENT, sent_text
from ..spreadsheets.writing import csv_lines, xlsx_file
from ..wording.said import differences

MOST_EXPORTED = 100_000
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def titles(fields: Iterable[Field]) -> dict[str, Any]:
    return {field.path: gettext_lazy(field.label) for field in fields if field in CELLS and field.group != "utm"}


PEOPLE = FIELDS.index(COMPANY[-1]) + 1  # the table begins with who it is
COLUMNS = {  # column of the table → its title
    "pk": gettext_lazy("Id"),
    **titles(FIELDS[:PEOPLE]),
    "contact__phone_extension": gettext_lazy("Extension"),
    "matched_by": gettext_lazy("Contact found by"),
    "source__code": gettext_lazy("Source"),
    "stage__pipeline__code": gettext_lazy("Pipeline"),
    "stage__code": gettext_lazy("Stage"),
    "state": gettext_lazy("State"),
    "responsible__user__email": gettext_lazy("Responsible"),
    "score": gettext_lazy("Score"),
    **titles(FIELDS[PEOPLE:]),
    "created_at": gettext_lazy("Created at"),
}

SIGNS = {"gte": " ≥", "from": " ≥", "to": " ≤", "lt": " <"}
DAYS = re.compile(r"(created_at)_(from|to)")

logger = logging.getLogger(__name__)


def export_leads(
    leads: QuerySet[Lead], kind: str, *, filters: dict[str, Any], by: User, at: datetime
) -> StreamingHttpResponse | FileResponse:
    """Return the leads as a file of this kind, the newest first, after writing down who takes them."""
    number = leads.order_by()[:MOST_EXPORTED].count()
    export = LeadExport.objects.create(at=at, by=by, kind=kind, filters=filters, leads=number)
    logger.info("user %s exports %s leads", by.pk, number, extra={"action": "leads_exported", "export": export.pk})
    header, rows = list(map(str, [*COLUMNS.values(), *SENT.values(), _("Activities")])), _rows(leads)
    name = f"leads-{at:%Y-%m-%d}.{kind}"
    if kind == "xlsx":
        return FileResponse(
            xlsx_file(header, rows, title=_("Leads")), as_attachment=True, filename=name, content_type=XLSX
        )
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(csv_lines(header, rows), content_type="text/csv; charset=utf-8", headers=headers)


def filters_in_words(export: LeadExport, roster: Roster) -> SafeString:
    """Return by what was filtered, in words that lead to the leads that the list would show so today."""
    said = "; ".join(_filter_in_words(lookup, values, roster) for lookup, values in export.filters.items())
    address = f"{reverse('admin:routing_lead_changelist')}?{urlencode(export.filters, doseq=True)}"
    return format_html('<a class="lr-link" href="{}">{}</a>', address, said or _("all leads"))


def _filter_in_words(lookup: str, values: Sequence[str], roster: Roster) -> str:
    if lookup == "q":
        search = _("search")
        return f"{search}: {', '.join(values)}"
    lookup = DAYS.sub(r"\1__\2", lookup.replace("stage__pipeline", "pipeline"))
    name, _rest, comparison = lookup.partition("__")
    columns = {field.name: field.verbose_name for field in Lead._meta.concrete_fields}
    label = columns.get(name) or (Pipeline._meta.verbose_name if name == "pipeline" else name)
    sign = SIGNS.get(comparison, ":")
    names = _names(name, roster)
    return f"{label}{sign} {', '.join(names.get(value, value) for value in values)}"


def _names(column: str, roster: Roster) -> dict[str, str]:
    if column == "responsible":
        return {str(person.id): person.name or person.email for person in roster.managers.values()}
    if column == "stage":
        return {str(stage.id): stage.path for stage in roster.stages.values()}
    if column == "source":
        return {str(source.id): source.code for source in roster.sources.values()}
    return {value: str(name) for value, name in Lead.State.choices} if column == "state" else {}


def _rows(leads: QuerySet[Lead]) -> Iterator[list[object]]:
    zone = ZoneInfo(Account.get().time_zone)
    after = Activity.objects.filter(lead=OuterRef("pk")).order_by("at", "pk")
    activities = ArraySubquery(after.values(row=JSONObject(at="at", kind="kind", data="data", as_sent="as_sent")))
    rows = leads.order_by("-created_at", "-pk").annotate(after=activities)
    for *row, as_sent, after_it in rows.values_list(*COLUMNS, "as_sent", "after")[:MOST_EXPORTED].iterator(
        chunk_size=1000
    ):
        sent = (sent_text(as_sent, *which) for which in SENT)
        yield [*(_cell(value, zone) for value in row), *sent, "\n".join(_activity(each, zone) for each in after_it)]


def _activity(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    """Return in a line what was sent after the lead."""
    as_sent = orjson.loads(row["as_sent"]) if row["as_sent"] else None
    said = differences(row["data"], as_sent, lead={}, lead_as_sent=None)
    at = datetime.fromisoformat(row["at"])
    return " · ".join([str(_cell(at, zone)), row["kind"], *(f"{title}: {text}" for title, text in said)])


def _cell(value: object, zone: ZoneInfo) -> object:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat(" ", "seconds")
    return ", ".join(map(str, value)) if isinstance(value, list) else value
