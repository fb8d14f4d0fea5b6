"""Possible duplicates of people, and merges: for supervisors and the account's keys."""

from __future__ import annotations

import uuid

from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from routing.exceptions import NotAllowed, NotFound
from routing.json_text import answer_as_json
from routing.locks import with_answer
from routing.models import Contact, Merge, PossibleDuplicate
from routing.representations import Document, instant
from routing.services.merging import find_contact, merge_contacts, undo_merge

from . import schema as described
from .authentication import Caller, caller_of
from .filters import PAGE, refuse_unknown
from .pagination import NewestById, refusal
from .permissions import refuse_part_sight
from .responses import json_response
from .serializers import MergeIn
from .views import UUID, ApiView


class DuplicatesView(ApiView):
    scopes = {"GET": "read"}

    @described.LIST_DUPLICATES
    def get(self, request: Request) -> Response:
        refuse_part_sight(caller_of(request))
        refuse_unknown(request, ("contact", *PAGE))
        pairs = PossibleDuplicate.objects.open()
        text = request.query_params.get("contact")
        if text is not None:
            pairs = pairs.of(_known(text).pk)
        page = NewestById()
        ids = page.paginate_queryset(pairs, request)
        rows = {row.pk: row for row in PossibleDuplicate.objects.filter(pk__in=ids).select_related("one", "other")}
        return page.get_paginated_response([_pair_document(rows[id_]) for id_ in ids if id_ in rows])


class MergeView(ApiView):
    scopes = {"POST": "manage"}

    @described.MERGE_CONTACT
    def post(self, request: Request, contact_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        _refuse_others(caller)
        if not UUID.fullmatch(contact_id):
            raise NotFound("No such contact.")
        text = MergeIn.form.read(request.data)["contact"] or ""
        other = uuid.UUID(text) if UUID.fullmatch(text) else None
        if other is None or not (Contact.objects.filter(pk=other).exists() or _was_merged(other)):
            raise refusal("contact", "unknown-contact", "No contact has this id.")
        merge = with_answer(merge_contacts, lambda merge: answer_as_json(_merge_document(merge)))
        return json_response(200, merge(uuid.UUID(contact_id), other, at=caller.at, by=caller.user))


class UndoMergeView(ApiView):
    scopes = {"POST": "manage"}

    @described.UNDO_MERGE
    def post(self, request: Request, merge_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        _refuse_others(caller)
        if not UUID.fullmatch(merge_id):
            raise NotFound("No such merge.")
        undo = with_answer(undo_merge, lambda merge: answer_as_json(_merge_document(merge)))
        return json_response(200, undo(uuid.UUID(merge_id), at=caller.at, by=caller.user))


def _refuse_others(caller: Caller) -> None:
    """Raise NotAllowed unless the caller may merge contacts."""
    refuse_part_sight(caller)
    if caller.user and not caller.user.has_perm("routing.merge_contact"):
        raise NotAllowed("This requires the permission to merge contacts.")


def _known(text: str) -> Contact:
    """Return the contact of a filter. Raises BadValue; Gone for one that was merged into another."""
    try:
        return find_contact(uuid.UUID(text) if UUID.fullmatch(text) else uuid.UUID(int=0))
    except NotFound:
        raise refusal("contact", "unknown-contact", "No contact has this id.") from None


def _was_merged(contact_id: uuid.UUID) -> bool:
    return Merge.objects.standing().filter(merged=contact_id).exists()


def _pair_document(pair: PossibleDuplicate) -> Document:
    return {
        "id": pair.pk,
        "contacts": [{"id": str(contact.pk), "name": contact.name} for contact in (pair.one, pair.other)],
        "reasons": pair.reasons,
        "found_at": instant(pair.found_at),
    }


def _merge_document(merge: Merge) -> Document:
    return {
        "id": str(merge.pk),
        "contact": str(merge.kept),
        "merged": str(merge.merged),
        "at": instant(merge.at),
        "by": merge.by.email if merge.by else None,
        "undo_until": instant(merge.at + Merge.UNDONE_WITHIN) if merge.moved else None,
        "undone_at": instant(merge.undone_at),
    }
