"""Hand-overs as the API shows them: who got what, or would get it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from routing.models import HandOver
from routing.representations import Document, instant
from routing.roster import Roster
from routing.services.hand_over import HandOverLine

from .pagination import refusal


def preview_document(manager_id: int, lines: Iterable[HandOverLine], asked: dict[str, Any], roster: Roster) -> Document:
    """Return what a hand-over would do, in the shape of one that was done."""
    results = [_result(str(x.lead.pk), x.lead.name, x.lead.stage_id, x.to, x.why, None, roster) for x in lines]
    return {
        "id": None,
        "manager": roster.managers[manager_id].email,
        "to": asked["to"] and roster.managers[asked["to"]].email,
        "at": None,
        "leads": len(results),
        "done": 0,
        "finished_at": None,
        "undone_at": None,
        "reason": asked["reason"],
        **_summary(results),
    }


def hand_over_document(batch: HandOver, roster: Roster) -> Document:
    """Return a hand-over with what became of each lead, in the order in which it took them."""
    rows = batch.lines.values_list("lead", "lead__name", "stage", "to", "why", "undone")
    results = [_result(str(lead), name, stage, to, why, undone, roster) for lead, name, stage, to, why, undone in rows]
    return {
        "id": str(batch.pk),
        "manager": roster.managers[batch.manager_id].email,
        "to": batch.to_id and roster.managers[batch.to_id].email,
        "at": instant(batch.at),
        "leads": batch.leads,
        "done": len(results),
        "finished_at": instant(batch.finished_at),
        "undone_at": instant(batch.undone_at),
        "reason": batch.reason,
        **_summary(results),
    }


def _result(lead: str, name: str, stage: int, to: int | None, why: str, undone: str | None, roster: Roster) -> Document:
    return {
        "lead": lead,
        "name": name,
        "stage": roster.stages[stage].path,
        "to": roster.managers[to].email if to else None,
        "reason": why,
        "undone": undone or None,
    }


def _summary(results: list[Document]) -> Document:
    counts = Counter(result["to"] for result in results if result["to"])
    return {"received": dict(counts), "stayed": sum(result["to"] is None for result in results), "results": results}


def parse_hand_over(form: dict[str, Any], roster: Roster) -> dict[str, Any]:
    """Return what a hand-over asks for, in ids. Raises BadValue for what there is not."""
    person = roster.managers_by_email.get((form.get("to") or "").strip().lower())
    if form.get("to") and person is None:
        raise refusal("to", "unknown-manager", "No manager has this e-mail.")
    paths = form.get("stages") or []
    if unknown := [path for path in paths if path not in roster.stage_by_path]:
        raise refusal("stages", "unknown-stage", f"There is no stage {unknown[0]}; write it as sales/new.")
    return {
        "to": person.id if person else None,
        "stages": [roster.stage_by_path[path].id for path in paths],
        "also": read_also(form),
        "reason": form.get("reason") or "",
    }


def read_also(form: dict[str, Any]) -> list[str]:
    """Return what is to go along with leads. Raises BadValue."""
    also = form.get("also") or []
    if strange := [kind for kind in also if kind not in HandOver.Along.values]:
        raise refusal("also", "unknown-value", f"{strange[0]} is none of {', '.join(HandOver.Along.values)}.")
    return list(also)
