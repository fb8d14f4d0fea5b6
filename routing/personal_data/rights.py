"""What a person may ask for: all that is kept of them, and that it be erased."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Model

from accounts.history import audit_trail
from accounts.models import AuditEntry, User
from routing.locks import in_transaction, lock_leads
from routing.prepared_statements import Statement, run

from .people import DataSubject
from .places import PLACES


def export_person(person: DataSubject, *, at: datetime, by: User | None = None) -> dict[str, Any]:
    """Return everything that is kept of the person, by place; every column of each row."""
    places: dict[str, list[dict[str, Any]]] = {}
    for place in PLACES:
        rows, key = places.setdefault(place.label, []), place.model._meta.pk.attname
        known = {row[key] for row in rows}
        found = place.rows(person).values(*_columns(place.model))
        rows += [_readable(row) for row in found if row[key] not in known]
    audit_trail.note(AuditEntry.Action.EXPORTED, at=at, by=by, about=_about(person), contacts=len(person.contacts))
    return {"exported_at": at, "contacts": list(person.contacts), "places": places}


# What a lead was before an edit is kept (routing_leadedit), but not what is erased of it.
ERASING = Statement("erasing", "SELECT set_config('leadrouter.erasing', 'true', true)")


@in_transaction
def erase_person(person: DataSubject, *, at: datetime, by: User | None = None) -> dict[str, int]:
    """Empty what is kept of the person, and return the number of rows by place.

    Ids, counts, balances, limits and decisions stay: who got which lead, and why, is told without saying whose it was.
    """
    lock_leads(person.leads)
    run(ERASING)
    erased: dict[str, int] = {}
    # A text that is emptied no longer says that it was about the person: first all rows are found, then all written.
    found = [(place, list(place.rows(person).values_list("pk", flat=True))) for place in PLACES]
    for place, keys in found:
        rows = place.model._default_manager.filter(pk__in=keys)
        count = rows.delete()[0] if place.deleted else rows.update(**place.emptied)
        erased[place.label] = max(count, erased.get(place.label, 0))
    audit_trail.note(AuditEntry.Action.ERASED, at=at, by=by, about=_about(person), rows=erased)
    return erased


def _columns(model: type[Model]) -> list[str]:
    return [column.attname for column in model._meta.concrete_fields]


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else value
        for name, value in row.items()
    }


def _about(person: DataSubject) -> str:
    return f"routing_contact:{person.contacts[0]}" if person.contacts else ""
