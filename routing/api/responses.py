"""What a caller is shown of leads, and how an answer is written."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from rest_framework.settings import api_settings

from routing.exceptions import InvalidLead, NotAllowed, NotFound, Refused
from routing.intake.bodies import BadBody
from routing.intake.kinds import BadValue
from routing.json_text import answer_as_json
from routing.links import accept_paths
from routing.models import Lead
from routing.representations import Document, contact_document, lead_documents
from routing.roster import Roster
from routing.services.intake import IntakeResult, phone_country, points_sent, read_contact

from .authentication import Caller
from .permissions import visible_leads

Form = dict[str, Any]  # what read_lead made of a lead

# Leads that exist


def document_of(caller: Caller, lead: uuid.UUID) -> Document:
    """Return the lead. Raises NotFound when the caller lost sight of it meanwhile."""
    found = mask(caller, lead_documents(visible_leads(caller).filter(pk=lead)))
    if not found:
        raise NotFound("No such lead.")
    return found[0]


def result_of(caller: Caller, lead: uuid.UUID) -> Document:
    """Return the lead as the caller's action left it; it may be another manager's now."""
    return mask(caller, lead_documents(Lead.objects.filter(pk=lead)))[0]


def documents_of(caller: Caller, ids: Sequence[uuid.UUID]) -> list[Document]:
    """Return the leads in the order of their ids; those that are gone meanwhile are left out."""
    found = {document["id"]: document for document in lead_documents(visible_leads(caller).filter(pk__in=ids))}
    return mask(caller, [found[str(id_)] for id_ in ids if str(id_) in found])


def add_links(caller: Caller, documents: list[Document], absolute: Callable[[str], str]) -> list[Document]:
    """Add to leads on offer the link that accepts with one click, for who may accept them anyway.

    absolute: makes an address of a path.
    """
    offered = [uuid.UUID(document["id"]) for document in documents if document["state"] == Lead.State.OFFERED]
    if not offered or "manage" not in caller.scopes or caller.source_id:
        return documents
    paths = accept_paths(offered)
    for document in documents:
        manager_id, path = paths.get(uuid.UUID(document["id"]), (None, ""))
        if path and (caller.sees_everything or manager_id == caller.manager_id):
            document["accept_link"] = absolute(path)
    return documents


HIDDEN: dict[str, Document] = {
    "contact": dict.fromkeys(contact_document("", "", ()), None)
    | {"name": "", "emails": [], "phones": [], "chats": []},
    "company": {"name": "", "domain": None},
}


def mask(caller: Caller, documents: list[Document]) -> list[Document]:
    """Hide from the key of a source what others told of the same person or company."""
    if not caller.source_id:
        return documents
    for role, nothing in HIDDEN.items():
        ids = [document[role]["id"] for document in documents if document[role]]
        if not ids:
            continue
        others = Lead.objects.exclude(source=caller.source_id).filter(**{f"{role}__in": ids})
        shared = set(map(str, others.order_by().values_list(role, flat=True).distinct()))
        for document in documents:
            if document[role] and document[role]["id"] in shared:
                document[role] = {**nothing, "id": document[role]["id"]}
                if role == "contact":
                    document["matched_by"] = None
    for document in documents:
        document["shares_with"] = []
    return documents


# Leads that were just sent


def one_answer(result: IntakeResult | InvalidLead, form: Form, caller: Caller, roster: Roster) -> tuple[int, str]:
    """Return status and body of the answer. Raises InvalidLead, NotAllowed."""
    [document] = documents_for([result], [form], caller, roster)
    if isinstance(document, Exception):
        raise document
    return 201 if isinstance(result, IntakeResult) and result.created else 200, answer_as_json(document)


def bulk_lines(
    results: Sequence[IntakeResult | Exception], forms: Sequence[Form | Exception], caller: Caller, roster: Roster
) -> list[Document]:
    """Return the line of each item: the lead, or the problem it would have been answered with alone."""
    lines: list[Document] = []
    for index, (result, document) in enumerate(
        zip(results, documents_for(results, forms, caller, roster), strict=True)
    ):
        if isinstance(document, BadBody | BadValue | Refused):
            lines.append({"index": index, "status": 400, "error": {**problem_of(document), "status": 400}})
        else:
            created = isinstance(result, IntakeResult) and result.created
            lines.append({"index": index, "status": 201 if created else 200, "lead": document})
    return lines


def documents_for(
    results: Sequence[IntakeResult | Exception], forms: Sequence[Form | Exception], caller: Caller, roster: Roster
) -> list[Document | Exception]:
    """Return what the sender of each lead may see of it, or why it was refused or is not shown.

    Who does not see everything is told of a person or company what they sent themselves and no more: whether
    somebody is known already is no sender's business. Of leads known before they see those they might read anyway.
    """
    if caller.sees_everything:
        return [result.document if isinstance(result, IntakeResult) else result for result in results]
    before = [result for result in results if isinstance(result, IntakeResult) and not result.created]
    visible = _visible(before, caller) if before else set()
    return [_document_for(result, form, visible, caller, roster) for result, form in zip(results, forms, strict=True)]


def _visible(before: Sequence[IntakeResult], caller: Caller) -> set[uuid.UUID]:
    """Return the ids of those that the caller may read, after hiding what other sources told."""
    known = visible_leads(caller).filter(pk__in=[taken.lead_id for taken in before])
    visible = set(known.values_list("pk", flat=True))
    mask(caller, [taken.document for taken in before if taken.lead_id in visible])
    return visible


def _document_for(
    result: IntakeResult | Exception, form: Form | Exception, visible: set[uuid.UUID], caller: Caller, roster: Roster
) -> Any:
    if isinstance(result, Exception) or isinstance(form, Exception):
        return result
    if result.created:
        return told(result, form, caller, roster)
    if result.lead_id in visible:
        return result.document
    if "activity" in result.document:  # what was sent is kept, though nothing more can be told of the lead
        return {key: result.document[key] for key in ("duplicate_of", "activity") if key in result.document}
    return NotAllowed("A lead with this external_id exists already, and this key cannot see it.")


def told(result: IntakeResult, form: Form, caller: Caller, roster: Roster) -> Document:
    """Return the lead with the person and the company as its sender told of them, or may read them."""
    document = result.document
    document["shares_with"] = []
    contact, company = form.get("contact") or {}, form.get("company") or {}
    is_new = document["matched_by"] == Lead.MatchedBy.NEW
    if document["contact"] and not is_new and (result.known_elsewhere or not caller.source_id):
        source = roster.source_by_code[document["source"]]
        sent = read_contact(contact, phone_country(form, source, roster))
        points = points_sent(sent, source.code, at=datetime.fromisoformat(document["created_at"]))
        document["contact"] = contact_document(document["contact"]["id"], sent["name"], points)
        document["matched_by"] = None
    if document["company"]:
        document["company"] = {
            "id": document["company"]["id"],
            "name": company.get("name") or "",
            "domain": company.get("domain") or None,
        }
    return document


# Writing


def problem_of(error: Exception) -> Document:
    """Return the problem document that a request with this error alone would get."""
    handle: Any = api_settings.EXCEPTION_HANDLER
    document: Document = handle(error, {}).data
    return document


def json_response(status: int, text: str, *, replayed: bool = False) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def fingerprint(body: object) -> str:
    """Return the SHA-256 of the body as canonical JSON, so that spaces and the order of keys do not matter."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=lambda bad: f"\x00{bad}")
    return hashlib.sha256(canonical.encode()).hexdigest()
