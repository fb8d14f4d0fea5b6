"""What a list may be asked for: these parameters and no others, each read by its own line."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request

from routing.intake.kinds import BadValue, Fault, in_utc, read_instant
from routing.intake.text import BadText, refuse_controls
from routing.models import Lead
from routing.roster import Roster

from .authentication import Caller, caller_of
from .pagination import refusal

LEAD_FILTERS = ("state", "stage", "pipeline", "responsible", "source", "external_id", "created_after", "created_before")
PAGE = ("cursor", "limit")
LONGEST_VALUE = 500
# A plus sign that nobody escaped arrives as a blank: 2026-03-02T09:00:00 01:00
BLANK_FOR_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d\Z)", re.ASCII)


def refuse_unknown(request: Request, known: tuple[str, ...]) -> None:
    """Raise BadValue for a parameter that means nothing here, is given twice, or is no text."""
    errors = {}
    for name, values in request.query_params.lists():
        try:
            refuse_controls(values[0])
        except BadText:
            errors[printable(name)] = [Fault("This is not text.", "invalid-text")]
        if name not in known:
            errors[printable(name)] = [Fault(f"Unknown parameter; use one of {', '.join(known)}.", "unknown-parameter")]
        elif len(values) > 1:
            errors[name] = [Fault("This is given more than once.", "given-twice")]
        elif len(values[0]) > LONGEST_VALUE and name != "cursor":
            errors[name] = [Fault(f"At most {LONGEST_VALUE} characters.", "too-long")]
    if errors:
        raise BadValue(errors)


def printable(name: str) -> str:
    return name[:100].encode("ascii", "backslashreplace").decode()


def filter_leads(leads: QuerySet[Lead], request: Request, roster: Roster) -> QuerySet[Lead]:
    """Return the leads that the query of the request asks for. Raises BadValue."""
    refuse_unknown(request, (*LEAD_FILTERS, *PAGE))
    errors: dict[str, Any] = {}
    for name, read in READERS.items():
        value = request.query_params.get(name)
        if value is None:
            continue
        try:
            leads = leads.filter(**read(value, roster, caller_of(request)))
        except BadValue as bad:
            errors |= bad.faults if isinstance(bad.faults, dict) else {name: bad.faults}
    if errors:
        raise BadValue(errors)
    return leads


def instant_parameter(request: Request, name: str, roster: Roster) -> datetime | None:
    """Return the instant in the query, None when it has none. Raises BadValue."""
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        return _instant(value, roster)
    except BadValue as bad:
        raise BadValue({name: bad.faults}) from None


def _instant(value: str, roster: Roster) -> datetime:
    return in_utc(read_instant(BLANK_FOR_PLUS.sub("+", value)), roster.zone)


def _state(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    if value not in Lead.State.values:
        raise refusal("state", "invalid-choice", f"One of {', '.join(Lead.State.values)} is expected.")
    return {"state": value}


def _stage(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    stage = roster.stage_by_path.get(value)
    if stage is None:
        raise refusal("stage", "unknown-stage", "No such stage. Write it as sales/new.")
    return {"stage": stage.id}


def _pipeline(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    if value not in roster.pipelines:
        raise refusal("pipeline", "unknown-pipeline", "No such pipeline.")
    return {"stage__in": [stage.id for stage in roster.pipelines[value]]}


def _source(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    source = roster.source_by_code.get(value)
    if source is None and caller.sees_everything:
        raise refusal("source", "unknown-source", "No such source.")
    return {"source": source.id if source else 0}  # who may not see it is not told whether it exists


def _responsible(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    person = roster.managers_by_email.get(value.strip().lower())
    if person is None and caller.sees_everything:
        raise refusal("responsible", "unknown-manager", "No manager has this e-mail.")
    return {"responsible": person.id if person else 0}


def _external_id(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    return {"external_id": value}


def _after(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    return {"created_at__gte": _instant(value, roster)}


def _before(value: str, roster: Roster, caller: Caller) -> dict[str, Any]:
    return {"created_at__lt": _instant(value, roster)}


READERS: dict[str, Callable[[str, Roster, Caller], dict[str, Any]]] = {
    "state": _state,
    "stage": _stage,
    "pipeline": _pipeline,
    "responsible": _responsible,
    "source": _source,
    "external_id": _external_id,
    "created_after": _after,
    "created_before": _before,
}
