"""Leads and decisions as the API and the pages show them: plain values, in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery

from accounts.models import Manager

from . import engine
from .engine import Candidate, Reason
from .intake.fields import COMPANY, LEAD
from .intake.kinds import instant
from .models import Activity, Contact, ContactPoint, Decision, Lead, Offer

Document = dict[str, Any]

LEAD_VALUES = (
    "id", "source__code", "source__channel", "stage__pipeline__code", "stage__code", "state", "score", "responsible__user__email",
    "responsible__user__name", "created_at", "contact_id", "contact__name", "company_id", "as_sent", "matched_by", "shares_with",
    *(field.path for field in LEAD + COMPANY),
)  # fmt: skip


LEAD_ANSWERS, COMPANY_ANSWERS = (
    [(field.name, field.path, field.kind.answer) for field in fields] for fields in (LEAD, COMPANY)
)


class Point(NamedTuple):
    """A phone, e-mail or chat of a contact."""

    kind: str
    text: str
    extension: str
    valid: bool  # it can be read
    shared: bool  # it is another contact's, or identifies nobody
    main: bool
    source: str | None
    first_seen_at: datetime


def points_of(contacts: Iterable[Any]) -> dict[Any, list[Point]]:
    """Return phones, e-mails and chats of each contact, the first to be shown first."""
    points: dict[Any, list[Point]] = defaultdict(list)
    rows = ContactPoint.objects.filter(contact__in=set(contacts)).best_first().select_related("source")
    for row in rows:
        source = row.source.code if row.source else None
        point = Point(
            row.kind, row.text, row.extension, row.key is not None, row.shared, row.main, source, row.first_seen_at
        )
        points[row.contact_id].append(point)
    return points


def contact_document(id_: Any, name: str, points: Sequence[Point]) -> Document:
    """Return the contact as the API answers it. points: the first to be shown first."""
    phones, emails, chats = ([p for p in points if p.kind == kind] for kind in ("phone", "email", "chat"))
    return {
        "id": str(id_),
        "name": name,
        "email": emails[0].text if emails else None,
        "email_valid": emails[0].valid if emails else None,
        "phone": phones[0].text if phones else None,
        "phone_extension": (phones[0].extension or None) if phones else None,
        "phone_valid": phones[0].valid if phones else None,
        "chat": chats[0].text if chats else None,
        "emails": list(map(_point_document, emails)),
        "phones": list(map(_point_document, phones)),
        "chats": list(map(_point_document, chats)),
    }


def _point_document(point: Point) -> Document:
    told = {"phone_extension": point.extension, "main": point.main, "shared": point.shared}
    return {
        point.kind: point.text,
        **{key: value for key, value in told.items() if value},
        **({} if point.valid or point.kind == "chat" else {"valid": False}),
        "source": point.source,
        "first_seen_at": instant(point.first_seen_at),
    }


def as_sent_document(sent: Mapping[str, Any] | None) -> Document | None:
    """Return contact and company as they came, and beside them what cannot be read."""
    if sent is None:
        return None
    contact = sent.get("contact")
    marks = {f"{key}_valid": False for key in sent.get("unreadable", ())}
    return {"contact": {**contact, **marks} if contact and marks else contact, "company": sent.get("company")}


def placeholder_documents(sent: Mapping[str, Any] | None) -> list[Document]:
    """Return which fields of what came identify nobody, and what they are."""
    return [{"field": field, "kind": kind} for field, kind in (sent or {}).get("nobody", {}).items()]


def lead_document(
    row: Mapping[str, Any],
    *,
    points: Sequence[Point],
    sharers: Iterable[tuple[Any, str]],
    accept_by: datetime | None,
    decision: Document | None,
) -> Document:
    """Return the lead as the API answers it. row: LEAD_VALUES. sharers: ids and names of contacts."""
    return {
        "id": str(row["id"]),
        **_answers(LEAD_ANSWERS, row),
        "source": row["source__code"],
        "channel": row["source__channel"],
        "pipeline": row["stage__pipeline__code"],
        "stage": f"{row['stage__pipeline__code']}/{row['stage__code']}",
        "state": row["state"],
        "score": row["score"],
        "responsible": {"email": row["responsible__user__email"], "name": row["responsible__user__name"]}
        if row["responsible__user__email"]
        else None,
        "accept_by": instant(accept_by),
        "created_at": instant(row["created_at"]),
        "contact": row["contact_id"] and contact_document(row["contact_id"], row["contact__name"], points),
        "company": row["company_id"] and {"id": str(row["company_id"]), **_answers(COMPANY_ANSWERS, row)},
        "as_sent": as_sent_document(row["as_sent"]),
        "matched_by": row["matched_by"] or None,
        "shares_with": [{"id": str(contact), "name": name} for contact, name in sharers],
        "placeholders": placeholder_documents(row["as_sent"]),
        "decision": decision,
    }


def _answers(fields: Iterable[tuple[str, str, Callable[[Any], Any]]], row: Mapping[str, Any]) -> Document:
    return {name: answer(row[column]) for name, column, answer in fields}


def lead_documents(leads: QuerySet[Lead]) -> list[Document]:
    """Return the leads of the queryset, in its order, each with its last decision."""
    offers = Offer.objects.open().filter(lead=OuterRef("pk")).values("accept_by")[:1]
    rows = list(leads.annotate(accept_by=Subquery(offers)).values(*LEAD_VALUES, "accept_by"))
    last = (
        Decision.objects.filter(lead__in=[row["id"] for row in rows])
        .order_by("lead_id", "-id")
        .distinct("lead_id")
        .values("lead_id", "trigger__code", "reason", "registry__code", "registry__trigger__code", "at")
    )
    decisions = {row["lead_id"]: brief(row) for row in last}
    points = points_of(row["contact_id"] for row in rows if row["contact_id"])
    sharers = names_of(contact for row in rows for contact in row["shares_with"])
    return [
        lead_document(
            row,
            points=points.get(row["contact_id"], ()),
            sharers=[(contact, sharers[contact]) for contact in row["shares_with"] if contact in sharers],
            accept_by=row["accept_by"],
            decision=decisions.get(row["id"]),
        )
        for row in rows
    ]


def activity_documents(activities: Iterable[Activity]) -> list[Document]:
    """Return activities as the API answers them; each joined with its source."""
    return [
        {
            "id": str(row.pk),
            "kind": row.kind,
            "at": instant(row.at),
            "created_at": instant(row.created_at),
            "source": row.source and row.source.code,
            "external_id": row.external_id,
            "data": {**row.data, **(as_sent_document(row.as_sent) or {})},
        }
        for row in activities
    ]


def names_of(contacts: Iterable[Any]) -> dict[Any, str]:
    wanted = set(contacts)
    return dict(Contact.objects.filter(pk__in=wanted).values_list("pk", "name")) if wanted else {}


def brief(row: Mapping[str, Any]) -> Document:
    return {
        "trigger": row["trigger__code"],
        "reason": row["reason"],
        "registry": row["registry__code"] or row["registry__trigger__code"],
        "at": instant(row["at"]),
    }


def decision_documents(decisions: Iterable[Decision]) -> list[Document]:
    """Return decisions with everybody who could have taken the lead, and why or why not."""
    rows = list(decisions)
    ids = {manager for row in rows for manager in row.lineup.managers} | {row.chosen_id for row in rows}
    emails = dict(
        Manager.objects.filter(pk__in=[id_ for id_ in ids if id_ is not None]).values_list("pk", "user__email")
    )
    return [_decision_document(row, emails) for row in rows]


def _decision_document(row: Decision, emails: Mapping[int, str]) -> Document:
    return {
        "at": instant(row.at),
        "trigger": row.trigger.code,
        "registry": row.registry.label,
        "method": row.method,
        "attempt": row.attempt,
        "outcome": row.outcome,
        "chosen": emails[row.chosen_id] if row.chosen_id else None,
        "reason": row.reason,
        "candidates": [
            {
                "manager": emails.get(c.manager),
                "eligible": refusal is None,
                "reason": refusal,
                "coefficient": c.coefficient,
                "held": c.held,
                "limit": c.limit,
                "balance_before": c.balance,
                "balance_after": after,
            }
            for c, refusal, after in zip(*read_decision(row), strict=True)
        ],
    }


def read_decision(row: Decision) -> tuple[list[Candidate], list[Reason | None], list[int]]:
    """Return what a decision saw of each candidate, why they could not take the lead, and their balance after it."""
    return candidates_of(row), refusals(row), list(replay(row).balances)


def candidates_of(row: Decision) -> list[Candidate]:
    line = row.lineup
    received = row.received or [0] * len(line.managers)
    columns = (line.managers, line.coefficients, line.limits, row.held, row.balances, received, row.last_turns)
    return [_candidate(values, refusal) for *values, refusal in zip(*columns, refusals(row), strict=True)]


def refusals(row: Decision) -> list[Reason | None]:
    """Return why each candidate of a decision could not take the lead; None: they could."""
    return [Reason(row.refusals[place]) if (place := str(n)) in row.refusals else None for n in range(len(row.held))]


def _candidate(values: list[Any], refusal: Reason | None) -> Candidate:
    availability = (Reason.INACTIVE, Reason.PAUSED, Reason.OFF_DUTY, Reason.OFFLINE)
    return Candidate(*values)._replace(
        unavailable=refusal if refusal in availability else None,
        matches=refusal is not Reason.NO_MATCH,
        tried=refusal is Reason.ALREADY_TRIED,
    )


def replay(row: Decision) -> engine.Decision:
    """Run the engine on what the decision saw; the answer is the one that stands in the row."""
    candidates, method, reason = candidates_of(row), Reason(row.method), Reason(row.reason)
    turn = row.turn if row.counted else row.turn + 1
    if reason in engine.METHODS:
        return engine.decide(candidates, method=method, turn=turn)
    if row.chosen_id is None:
        return engine.nobody(candidates, reason)
    chosen = row.lineup.managers.index(row.chosen_id)
    return engine.assign(candidates, chosen=chosen, reason=reason, count=row.counted, method=method, turn=turn)
