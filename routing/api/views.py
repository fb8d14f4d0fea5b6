"""The doors of the API: each reads, asks one service, answers."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from accounts.models import Manager, User
from accounts.services import pause_manager, resume_manager
from routing.documents import Document, decision_documents, lead_documents
from routing.exceptions import InvalidLead, NotAllowed, NotFound, Refused
from routing.models import Decision, Lead
from routing.roster import Roster, current
from routing.services.assignment import reassign
from routing.services.intake import Once, Replayed, Taken, take_leads
from routing.services.offers import accept_offer, decline_offer, give_back_offers
from routing.services.stages import move_lead

from . import journal
from . import schema as described
from .authentication import ApiKeyAuthentication, Caller, SessionAuthentication, caller_of
from .duty import manager_documents
from .filters import PAGE, filtered, instant_parameter, refuse_unknown
from .pagination import ByEmail, NewestFirst, OldestFirst, refused
from .parsers import BadBody, BulkParser, LeadJSONParser, NotAList
from .permissions import HasScope, refuse_managers, visible_lead_id, visible_leads, visible_managers
from .renderers import AlwaysJSON, JSONRenderer
from .serializers import DECLINE_IN, MOVE_IN, PAUSE_IN, REASSIGN_IN, read_lead

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class ApiView(APIView):
    """A door of the API: known callers, a scope a method, JSON whatever was asked for."""

    authentication_classes = (ApiKeyAuthentication, SessionAuthentication)
    permission_classes = (HasScope,)
    content_negotiation_class = AlwaysJSON
    renderer_classes = (JSONRenderer,)
    parser_classes: Sequence[type[LeadJSONParser]] = (LeadJSONParser,)
    schema = described.Described()
    metadata_class = None  # OPTIONS describes nothing: the schema does
    scopes: Mapping[str, str] = {}

    def roster(self, request: Request) -> Roster:
        return current(caller_of(request).version)


# Intake


class IntakeView(ApiView):
    """A door for leads: what is refused here is kept in the journal."""

    route = ""

    def handle_exception(self, exc: Exception) -> Response:
        request = self.request
        if isinstance(exc, Replayed):
            return answer(exc.status, exc.answer, replayed=True)  # type: ignore[return-value]
        try:
            response = super().handle_exception(exc)
        except Exception:
            if request.method == "POST":
                journal.keep_request(request, {"code": "internal-error", "status": 500})
            raise
        if request.method == "POST" and 400 <= response.status_code < 500:
            journal.keep_request(request, response.data)
        return response

    def once(self, request: Request, render: Callable[[list[Taken | InvalidLead]], tuple[int, str]]) -> Once | None:
        """Return what makes the request one request, None when it has no Idempotency-Key."""
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return None
        if not IDEMPOTENCY_KEY.fullmatch(key):
            raise refused(
                "Idempotency-Key", "invalid-idempotency-key", "1 to 255 visible ASCII characters are expected."
            )
        return Once(
            owner=caller_of(request).owner,
            route=self.route,
            key=key,
            fingerprint=fingerprint(request.data),
            render=render,
        )


class LeadsView(IntakeView):
    route = "lead"
    scopes = {"GET": "read", "POST": "intake"}

    @described.LIST_LEADS
    def get(self, request: Request) -> Response:
        leads = filtered(visible_leads(caller_of(request)), request, self.roster(request))
        page = NewestFirst()
        ids = page.paginate_queryset(leads, request)
        return page.get_paginated_response(documents_of(caller_of(request), ids))

    @described.TAKE_LEAD
    def post(self, request: Request) -> HttpResponseBase:
        caller = caller_of(request)
        once = self.once(request, render_one(caller))
        form = read_lead(request.data, at=caller.at, zone=self.roster(request).zone)
        results = take_leads([form], source_id=caller.source_id, at=caller.at, once=once, version=caller.version)
        return answer(*render_one(caller)(results))


class BulkView(IntakeView):
    route = "bulk"
    scopes = {"POST": "intake"}
    parser_classes = (BulkParser,)

    @described.TAKE_LEADS
    def post(self, request: Request) -> HttpResponseBase:
        caller, items = caller_of(request), request.data
        if not isinstance(items, list):  # no body at all
            raise NotAList()
        read = [self._read(item, caller, self.roster(request)) for item in items]
        forms = [form for form in read if isinstance(form, dict)]
        problems: dict[int, Document] = {}

        def render(results: list[Taken | InvalidLead]) -> tuple[int, str]:
            following = iter(results)
            all_results = [next(following) if isinstance(form, dict) else form for form in read]
            lines = [bulk_line(index, result, caller) for index, result in enumerate(all_results)]
            problems.update({line["index"]: line["error"] for line in lines if "error" in line})
            return 200, dumps({"results": lines})

        once = self.once(request, render)
        results = take_leads(forms, source_id=caller.source_id, at=caller.at, once=once, version=caller.version)
        response = answer(*render(results))
        journal.keep_items(request, ((problem, items[index]) for index, problem in problems.items()))
        return response

    def _read(self, item: object, caller: Caller, roster: Roster) -> dict[str, Any] | Exception:
        """Return the form of one lead, or what is wrong with it: a bad item does not spoil the others."""
        if isinstance(item, BadBody):
            return item
        try:
            return read_lead(item, at=caller.at, zone=roster.zone)
        except ValidationError as error:
            return error


def render_one(caller: Caller) -> Callable[[list[Taken | InvalidLead]], tuple[int, str]]:
    def render(results: list[Taken | InvalidLead]) -> tuple[int, str]:
        [taken] = results
        if isinstance(taken, InvalidLead):
            raise taken
        return 201 if taken.created else 200, dumps(shown(taken, caller))

    return render


def bulk_line(index: int, result: Taken | Exception, caller: Caller) -> Document:
    try:
        if isinstance(result, Exception):
            raise result
        return {"index": index, "status": 201 if result.created else 200, "lead": shown(result, caller)}
    except (APIException, Refused) as error:
        problem = {**problem_of(error), "status": 400}
        return {"index": index, "status": 400, "error": problem}


def problem_of(error: Exception) -> Document:
    """Return the problem as it is answered when it stands alone."""
    handle: Any = api_settings.EXCEPTION_HANDLER
    document: Document = handle(error, {}).data
    return document


def shown(taken: Taken, caller: Caller) -> Document:
    """Return the lead as its sender may see it. Raises NotAllowed for another's lead with this external_id."""
    if taken.created or caller.sees_everything:
        return taken.document
    if not visible_leads(caller).filter(pk=taken.lead_id).exists():
        raise NotAllowed("A lead with this external_id was taken before, and is not shown with this key.")
    return masked(caller, [taken.document])[0]


# Leads


class LeadView(ApiView):
    scopes = {"GET": "read"}

    @described.READ_LEAD
    def get(self, request: Request, lead_id: str) -> Response:
        refuse_unknown(request, ())
        return Response(document_of(caller_of(request), read_id(caller_of(request), lead_id)))


class DecisionsView(ApiView):
    scopes = {"GET": "read"}

    @described.LIST_DECISIONS
    def get(self, request: Request, lead_id: str) -> Response:
        refuse_unknown(request, PAGE)
        lead = read_id(caller_of(request), lead_id)
        page = OldestFirst()
        ids = page.paginate_queryset(Decision.objects.filter(lead=lead), request)
        rows = Decision.objects.select_related("trigger", "registry__trigger").filter(pk__in=ids).order_by("pk")
        return page.get_paginated_response(decision_documents(rows))


class AcceptView(ApiView):
    scopes = {"POST": "manage"}

    @described.ACCEPT_LEAD
    def post(self, request: Request, lead_id: str) -> Response:
        caller = caller_of(request)
        lead = read_id(caller, lead_id)
        accept_offer(lead, at=caller.at, by=as_themselves(caller))
        return Response(result_of(caller, lead))


class DeclineView(ApiView):
    scopes = {"POST": "manage"}

    @described.DECLINE_LEAD
    def post(self, request: Request, lead_id: str) -> Response:
        caller = caller_of(request)
        lead = read_id(caller, lead_id)
        form = DECLINE_IN.run_validation(request.data)
        decline_offer(lead, at=caller.at, reason=form.get("reason") or "", by=as_themselves(caller))
        return Response(result_of(caller, lead))


class MoveView(ApiView):
    scopes = {"POST": "manage"}

    @described.MOVE_LEAD
    def post(self, request: Request, lead_id: str) -> Response:
        caller, roster = caller_of(request), self.roster(request)
        lead = read_id(caller, lead_id)
        name = MOVE_IN.run_validation(request.data)["stage"] or ""
        if "/" not in name:
            pipeline = Lead.objects.values_list("stage__pipeline__code", flat=True).get(pk=lead)
            name = f"{pipeline}/{name}"
        stage = roster.stage_by_path.get(name)
        if stage is None:
            raise refused("stage", "unknown-stage", "There is no such stage; write it as sales/accepted.")
        move_lead(lead, stage.id, at=caller.at, by=caller.user)
        return Response(result_of(caller, lead))


class ReassignView(ApiView):
    scopes = {"POST": "manage"}

    @described.REASSIGN_LEAD
    def post(self, request: Request, lead_id: str) -> Response:
        caller = caller_of(request)
        refuse_managers(caller)
        lead = read_id(caller, lead_id)
        form = REASSIGN_IN.run_validation(request.data)
        person = self.roster(request).people_by_email.get((form["manager"] or "").strip().lower())
        if person is None:
            raise refused("manager", "unknown-manager", "There is no manager with this e-mail.")
        count, reason = bool(form.get("count")), form.get("reason") or ""
        reassign(lead, person.id, at=caller.at, by=caller.user, count=count, reason=reason)
        return Response(result_of(caller, lead))


# Managers


class ManagersView(ApiView):
    scopes = {"GET": "read"}

    @described.LIST_MANAGERS
    def get(self, request: Request) -> Response:
        refuse_unknown(request, ("at", *PAGE))
        roster = self.roster(request)
        at = instant_parameter(request, "at", roster)
        page = ByEmail()
        emails = page.paginate_queryset(visible_managers(caller_of(request)), request)
        return page.get_paginated_response(manager_documents(emails, roster, at=at, now=caller_of(request).at))


class ManagerView(ApiView):
    scopes = {"GET": "read"}

    @described.READ_MANAGER
    def get(self, request: Request, email: str) -> Response:
        refuse_unknown(request, ("at",))
        roster = self.roster(request)
        at = instant_parameter(request, "at", roster)
        manager = visible_manager(caller_of(request), email)
        return Response(manager_documents([manager.user.email], roster, at=at, now=caller_of(request).at)[0])


class PauseView(ApiView):
    scopes = {"POST": "manage"}

    @described.PAUSE_MANAGER
    def post(self, request: Request, email: str) -> Response:
        caller = caller_of(request)
        manager = visible_manager(caller, email)
        form = PAUSE_IN.run_validation(request.data)
        pause_manager(
            manager, at=caller.at, minutes=form.get("minutes"), reason=form.get("reason") or "", by=caller.user
        )
        give_back_offers(manager.pk, at=caller.at)
        return Response(manager_documents([manager.user.email], current(), at=None, now=caller.at)[0])


class ResumeView(ApiView):
    scopes = {"POST": "manage"}

    @described.RESUME_MANAGER
    def post(self, request: Request, email: str) -> Response:
        caller = caller_of(request)
        manager = visible_manager(caller, email)
        resume_manager(manager, at=caller.at)
        return Response(manager_documents([manager.user.email], current(), at=None, now=caller.at)[0])


# What they share


def read_id(caller: Caller, text: str) -> uuid.UUID:
    """Return the id of a lead that the caller may know of. Raises NotFound."""
    if not UUID.fullmatch(text):
        raise NotFound("There is no such lead.")
    return visible_lead_id(caller, uuid.UUID(text))


def as_themselves(caller: Caller) -> User | None:
    """Return the user who may answer only offers of their own; None for who may answer for everybody."""
    return None if caller.sees_everything or caller.source_id else caller.user


def visible_manager(caller: Caller, email: str) -> Manager:
    """Return a manager that the caller may know of. Raises NotFound."""
    known = visible_managers(caller).select_related("user")
    found = None if "\x00" in email else known.filter(user__email=email.strip().lower()).first()
    if found is None:
        raise NotFound("There is no such manager.")
    return found


def document_of(caller: Caller, lead: uuid.UUID) -> Document:
    """Return the lead. Raises NotFound when the caller lost sight of it meanwhile."""
    found = masked(caller, lead_documents(visible_leads(caller).filter(pk=lead)))
    if not found:
        raise NotFound("There is no such lead.")
    return found[0]


def result_of(caller: Caller, lead: uuid.UUID) -> Document:
    """Return the lead as the caller's own deed left it, another manager's perhaps."""
    return masked(caller, lead_documents(Lead.objects.filter(pk=lead)))[0]


def documents_of(caller: Caller, ids: Sequence[uuid.UUID]) -> list[Document]:
    """Return the leads in the order of their ids; those that are gone meanwhile are left out."""
    found = {document["id"]: document for document in lead_documents(visible_leads(caller).filter(pk__in=ids))}
    return masked(caller, [found[str(id_)] for id_ in ids if str(id_) in found])


def masked(caller: Caller, documents: list[Document]) -> list[Document]:
    """Hide from the key of a source what others told of the same person or company."""
    if not caller.source_id:
        return documents
    for role in ("contact", "company"):
        ids = [document[role]["id"] for document in documents if document[role]]
        others = Lead.objects.exclude(source=caller.source_id).filter(**{f"{role}__in": ids})
        shared = set(map(str, others.values_list(role, flat=True).distinct())) if ids else set()
        for document in documents:
            if document[role] and document[role]["id"] in shared:
                document[role] = {"id": document[role]["id"], **HIDDEN[role]}
    return documents


HIDDEN: dict[str, dict[str, str | None]] = {
    "contact": {"name": "", "email": None, "phone": None, "chat": None},
    "company": {"name": "", "domain": None},
}


def answer(status: int, text: str, *, replayed: bool = False) -> HttpResponse:
    """Return a JSON answer that is written already."""
    response = HttpResponse(text, status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def dumps(document: object) -> str:
    return json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def fingerprint(body: object) -> str:
    """Return the SHA-256 of the body as canonical JSON: blanks and the order of keys do not make another body."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=lambda bad: f"\x00{bad}")
    return hashlib.sha256(canonical.encode()).hexdigest()
