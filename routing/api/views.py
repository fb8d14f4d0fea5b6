"""The views of the API: each reads the request, calls one service and answers."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress

from django.db import DatabaseError, Error, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from structlog.contextvars import bind_contextvars

from accounts.models import Manager, User
from accounts.services import pause_manager, resume_manager
from routing.exceptions import InvalidLead, NotFound, OfferClosed
from routing.intake.bodies import BadBody, NotAList
from routing.intake.kinds import BadValue
from routing.intake.reading import read_lead
from routing.json_text import answer_as_json
from routing.locks import with_answer
from routing.models import Activity, Decision, HandOver, Lead, Offer
from routing.representations import Document, activity_documents, decision_documents
from routing.roster import Roster, current
from routing.services import journal
from routing.services.assignment import credit_back, reassign
from routing.services.hand_over import hand_over, preview_hand_over, undo_hand_over
from routing.services.intake import Answer, IdempotencyKey, IntakeResult, Replayed, Results, answer_leads
from routing.services.offers import accept_offer, decline_offer
from routing.services.stages import move_lead
from routing.tasks import give_back_soon, hurry, hurry_hand_over

from . import schema as described
from .authentication import ApiKeyAuthentication, Caller, SessionAuthentication, caller_of
from .collector import collector_paused
from .duty import manager_documents
from .filters import PAGE, filter_leads, instant_parameter, refuse_unknown
from .hand_overs import hand_over_document, parse_hand_over, preview_document, read_also
from .pagination import ByEmail, NewestFirst, OldestActivityFirst, OldestFirst, refusal
from .parsers import BulkParser, LeadJSONParser, readable_body
from .permissions import HasScope, refuse_managers, refuse_part_sight, visible_lead_id, visible_leads, visible_managers
from .renderers import AlwaysJSON, JSONRenderer
from .responses import (
    Form,
    add_links,
    bulk_lines,
    document_of,
    documents_of,
    fingerprint,
    json_response,
    one_answer,
    result_of,
)
from .serializers import CreditBackIn, DeclineIn, HandOverIn, MoveIn, PauseIn, ReassignIn
from .throttling import KeyLimit

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
MOST_LOGGED = 20  # leads of a request that its log line names
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class ApiView(APIView):
    """A view of the API: requires a known caller and, for each method, a scope; always answers JSON."""

    authentication_classes = (ApiKeyAuthentication, SessionAuthentication)
    permission_classes = (HasScope,)
    throttle_classes = (KeyLimit,)
    content_negotiation_class = AlwaysJSON
    renderer_classes = (JSONRenderer,)
    parser_classes: Sequence[type[LeadJSONParser]] = (LeadJSONParser,)
    schema = described.Described()
    http_method_names = ["get", "head", "post"]
    metadata_class = None  # the schema describes the API, OPTIONS does not
    scopes: Mapping[str, str] = {}

    def roster(self, request: Request) -> Roster:
        return current(caller_of(request).version)


# Intake


class IntakeView(ApiView):
    """A view that takes leads. Refused requests are kept in the journal."""

    route = ""

    def handle_exception(self, exc: Exception) -> Response:
        request = self.request
        if isinstance(exc, Replayed):
            return json_response(exc.status, exc.answer, replayed=True)  # type: ignore[return-value]
        try:
            response = super().handle_exception(exc)
        except Exception:
            if request.method == "POST":
                self.keep([({"code": "internal-error", "status": 500}, *readable_body(request))])
            raise
        # Throttled senders are told when to try again; keeping each try would fill the journal.
        if request.method == "POST" and 400 <= response.status_code < 500 and response.status_code != 429:
            self.keep([(response.data, *readable_body(request))])
        return response

    def keep(self, refusals: Sequence[journal.Refusal]) -> None:
        """Keep the refused request in the journal. Never raises: the answer matters more."""
        try:
            caller = self.request.auth
        except Error:  # the caller is unknown because the database went away
            return
        if refusals and isinstance(caller, Caller):
            kind = str(self.request.META.get("CONTENT_TYPE", ""))
            journal.keep(refusals, at=caller.at, key_id=caller.key_id, source_id=caller.source_id, content_type=kind)

    def once(self, request: Request) -> IdempotencyKey | None:
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return None
        if not IDEMPOTENCY_KEY.fullmatch(key):
            raise refusal(
                "Idempotency-Key", "invalid-idempotency-key", "1 to 255 visible ASCII characters are expected."
            )
        return IdempotencyKey(
            owner=caller_of(request).owner,
            route=self.route,
            key=key,
            fingerprint=fingerprint(request.data),
        )


class LeadsView(IntakeView):
    route = "lead"
    scopes = {"GET": "read", "POST": "intake"}

    @described.LIST_LEADS
    def get(self, request: Request) -> Response:
        leads = filter_leads(visible_leads(caller_of(request)), request, self.roster(request))
        page = NewestFirst()
        ids = page.paginate_queryset(leads, request)
        documents = documents_of(caller_of(request), ids)
        return page.get_paginated_response(add_links(caller_of(request), documents, request.build_absolute_uri))

    @described.TAKE_LEAD
    def post(self, request: Request) -> HttpResponseBase:
        caller, roster = caller_of(request), self.roster(request)

        def render(results: Results) -> Answer:
            return one_answer(results[0], form, caller, roster)

        once = self.once(request)
        form = read_lead(request.data, at=caller.at, zone=roster.zone)
        results, answer = answer_leads(
            [form], source_id=caller.source_id, at=caller.at, render=render, once=once, version=caller.version
        )
        return count_outcomes(json_response(*answer), results)


class BulkView(IntakeView):
    route = "bulk"
    scopes = {"POST": "intake"}
    parser_classes = (BulkParser,)

    @described.TAKE_LEADS
    @collector_paused()
    def post(self, request: Request) -> HttpResponseBase:
        caller, roster, items = caller_of(request), self.roster(request), request.data
        if not isinstance(items, list):  # there is no body
            raise NotAList()
        read = [self._read(item, caller, roster) for item in items]
        forms = [form for form in read if isinstance(form, dict)]
        lines: list[Document] = []

        def render(results: Results) -> Answer:
            taken = iter(results)
            lines[:] = bulk_lines([next(taken) if isinstance(x, dict) else x for x in read], read, caller, roster)
            return 200, answer_as_json({"results": lines})

        results, answer = answer_leads(
            forms,
            source_id=caller.source_id,
            at=caller.at,
            render=render,
            once=self.once(request),
            version=caller.version,
        )
        response = count_outcomes(json_response(*answer), results, refused=len(read) - len(forms))
        self.keep([(line["error"], *journal.as_bytes(items[line["index"]])) for line in lines if "error" in line])
        return response

    def _read(self, item: object, caller: Caller, roster: Roster) -> Form | Exception:
        """Return the form of one lead, or its error: a bad item does not affect the others."""
        if isinstance(item, BadBody):
            return item
        try:
            return read_lead(item, at=caller.at, zone=roster.zone)
        except BadValue as bad:
            return bad


# Leads


class LeadView(ApiView):
    scopes = {"GET": "read"}

    @described.READ_LEAD
    def get(self, request: Request, lead_id: str) -> Response:
        refuse_unknown(request, ())
        caller = caller_of(request)
        document = document_of(caller, read_id(caller, lead_id))
        return Response(add_links(caller, [document], request.build_absolute_uri)[0])


class DecisionsView(ApiView):
    scopes = {"GET": "read"}

    @described.LIST_DECISIONS
    def get(self, request: Request, lead_id: str) -> Response:
        refuse_unknown(request, PAGE)
        lead = read_id(caller_of(request), lead_id)
        page = OldestFirst()
        ids = page.paginate_queryset(Decision.objects.filter(lead=lead), request)
        rows = (
            Decision.objects.select_related("trigger", "registry__trigger", "lineup").filter(pk__in=ids).order_by("pk")
        )
        return page.get_paginated_response(decision_documents(rows))


class ActivitiesView(ApiView):
    scopes = {"GET": "read"}

    @described.LIST_ACTIVITIES
    def get(self, request: Request, lead_id: str) -> Response:
        refuse_unknown(request, PAGE)
        caller = caller_of(request)
        found = Activity.objects.filter(lead=read_id(caller, lead_id))
        if caller.source_id:  # what other sources sent is not for this one
            found = found.filter(source=caller.source_id)
        page = OldestActivityFirst()
        ids = page.paginate_queryset(found, request)
        rows = Activity.objects.select_related("source").filter(pk__in=ids).order_by("created_at", "pk")
        return page.get_paginated_response(activity_documents(rows))


class AcceptView(ApiView):
    scopes = {"POST": "manage"}

    @described.ACCEPT_LEAD
    def post(self, request: Request, lead_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        lead = id_of_offer(caller, lead_id)
        accept = with_answer(accept_offer, lambda _: answer_as_json(result_of(caller, lead)))
        return json_response(200, accept(lead, at=caller.at, by=as_themselves(caller)))


class DeclineView(ApiView):
    scopes = {"POST": "manage"}

    @described.DECLINE_LEAD
    def post(self, request: Request, lead_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        lead = id_of_offer(caller, lead_id)
        form = DeclineIn.form.read(request.data)
        decline = with_answer(decline_offer, lambda _: answer_as_json(result_of(caller, lead)))
        return json_response(
            200, decline(lead, at=caller.at, reason=form.get("reason") or "", by=as_themselves(caller))
        )


class MoveView(ApiView):
    scopes = {"POST": "manage"}

    @described.MOVE_LEAD
    def post(self, request: Request, lead_id: str) -> HttpResponseBase:
        caller, roster = caller_of(request), self.roster(request)
        lead = read_id(caller, lead_id)
        form = MoveIn.form.read(request.data)
        name = form["stage"] or ""
        if "/" not in name:
            pipeline = Lead.objects.values_list("stage__pipeline__code", flat=True).get(pk=lead)
            name = f"{pipeline}/{name}"
        stage = roster.stage_by_path.get(name)
        if stage is None:
            raise refusal("stage", "unknown-stage", "No such stage. Write it as sales/accepted.")
        own = as_themselves(caller) is not None
        move = with_answer(move_lead, lambda _: answer_as_json(result_of(caller, lead)))
        reason = form.get("reason") or ""
        return json_response(200, move(lead, stage.id, at=caller.at, by=caller.user, reason=reason, theirs=own))


class ReassignView(ApiView):
    scopes = {"POST": "manage"}

    @described.REASSIGN_LEAD
    def post(self, request: Request, lead_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        lead = read_id(caller, lead_id)
        refuse_managers(caller)
        form = ReassignIn.form.read(request.data)
        manager = self.roster(request).managers_by_email.get((form["manager"] or "").strip().lower())
        if manager is None:
            raise refusal("manager", "unknown-manager", "No manager has this e-mail.")
        give = with_answer(reassign, lambda _: answer_as_json(result_of(caller, lead)))
        answer = give(
            lead,
            manager.id,
            at=caller.at,
            by=caller.user,
            count=bool(form.get("count")),
            also=read_also(form),
            reason=form.get("reason") or "",
        )
        return json_response(200, answer)


class CreditBackView(ApiView):
    scopes = {"POST": "manage"}

    @described.CREDIT_BACK
    def post(self, request: Request, lead_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        lead = read_id(caller, lead_id)
        refuse_managers(caller)
        reason = (CreditBackIn.form.read(request.data)["reason"] or "").strip()
        if not reason:
            raise refusal("reason", "required", "Give a reason: junk, a duplicate, …")
        credit = with_answer(credit_back, lambda _: answer_as_json(result_of(caller, lead)))
        return json_response(200, credit(lead, at=caller.at, by=caller.user, reason=reason))


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
        form = PauseIn.form.read(request.data)
        minutes, reason = form.get("minutes"), form.get("reason") or ""
        with transaction.atomic():
            pause_manager(manager, at=caller.at, minutes=minutes, reason=reason, by=caller.user)
            [answer] = self._documents(manager, caller)
        if give_back_soon(manager.pk, at=caller.at):
            with suppress(
                DatabaseError
            ):  # the pause is already stored: an answer with slightly old values is better than none
                [answer] = self._documents(manager, caller)
        return Response(answer)

    def _documents(self, manager: Manager, caller: Caller) -> list[Document]:
        return manager_documents([manager.user.email], current(), at=None, now=caller.at)


class ResumeView(ApiView):
    scopes = {"POST": "manage"}

    @described.RESUME_MANAGER
    def post(self, request: Request, email: str) -> Response:
        caller = caller_of(request)
        manager = visible_manager(caller, email)
        with transaction.atomic():
            resume_manager(manager, at=caller.at)
            [answer] = manager_documents([manager.user.email], current(), at=None, now=caller.at)
        hurry()
        return Response(answer)


class HandOverView(ApiView):
    scopes = {"POST": "manage"}

    @described.HAND_OVER
    def post(self, request: Request, email: str) -> HttpResponseBase:
        caller, roster = caller_of(request), self.roster(request)
        manager = visible_manager(caller, email)
        refuse_part_sight(caller)
        form = HandOverIn.form.read(request.data)
        asked = parse_hand_over(form, roster)
        if form.get("preview"):
            lines = preview_hand_over(manager.pk, at=caller.at, to=asked["to"], stages=asked["stages"])
            return Response(preview_document(manager.pk, lines, asked, roster))
        do = with_answer(hand_over, hand_over_answer)
        batch, answer = do(manager.pk, at=caller.at, by=caller.user, **asked)
        hurry_hand_over(batch)
        return json_response(*answer)


class HandOverBatchView(ApiView):
    scopes = {"GET": "read"}

    @described.READ_HAND_OVER
    def get(self, request: Request, hand_over_id: str) -> Response:
        refuse_unknown(request, ())
        return Response(hand_over_document(read_hand_over(caller_of(request), hand_over_id), self.roster(request)))


class UndoView(ApiView):
    scopes = {"POST": "manage"}

    @described.UNDO_HAND_OVER
    def post(self, request: Request, hand_over_id: str) -> HttpResponseBase:
        caller = caller_of(request)
        batch = read_hand_over(caller, hand_over_id)
        batch, answer = with_answer(undo_hand_over, hand_over_answer)(batch.pk, at=caller.at, by=caller.user)
        hurry_hand_over(batch)
        return json_response(*answer)


# What they share


def hand_over_answer(batch: HandOver) -> tuple[HandOver, Answer]:
    """Return the batch, and the answer that tells of it: 202 while it is going on."""
    return batch, (202 if batch.is_running else 200, answer_as_json(hand_over_document(batch, current())))


def count_outcomes(
    response: HttpResponse, results: Sequence[IntakeResult | InvalidLead], *, refused: int = 0
) -> HttpResponse:
    """Say of the answer, for metrics and log, which leads it is about and how many were new, known or refused."""
    taken = [result for result in results if isinstance(result, IntakeResult)]
    created = sum(result.created for result in taken)
    outcomes = {"created": created, "known": len(taken) - created, "refused": refused + len(results) - len(taken)}
    response.intake = outcomes  # type: ignore[attr-defined]
    bind_contextvars(leads=[str(result.lead_id) for result in taken[:MOST_LOGGED]])
    return response


def read_id(caller: Caller, text: str) -> uuid.UUID:
    """Return the id of a lead that the caller may see. Raises NotFound."""
    if not UUID.fullmatch(text):
        raise NotFound("No such lead.")
    return visible_lead_id(caller, uuid.UUID(text))


def id_of_offer(caller: Caller, text: str) -> uuid.UUID:
    """Return the id of a lead whose offer the caller answers. Raises NotFound, or OfferClosed if the caller had the offer."""
    try:
        return read_id(caller, text)
    except NotFound:
        known = caller.manager_id and UUID.fullmatch(text)
        if known and Offer.objects.filter(lead=uuid.UUID(text), manager=caller.manager_id).exists():
            raise OfferClosed("Your offer is closed. The lead went to somebody else.") from None
        raise


def read_hand_over(caller: Caller, text: str) -> HandOver:
    """Return a hand-over, for callers who see everything. Raises NotFound."""
    found = HandOver.objects.filter(pk=text).first() if caller.sees_everything and UUID.fullmatch(text) else None
    if found is None:
        raise NotFound("No such hand-over.")
    return found


def as_themselves(caller: Caller) -> User | None:
    """Return the user if they may answer only their own offers; None if they may answer for everybody."""
    return None if caller.sees_everything or caller.source_id else caller.user


def visible_manager(caller: Caller, email: str) -> Manager:
    """Return a manager that the caller may see. Raises NotFound."""
    known = visible_managers(caller).select_related("user")
    found = None if "\x00" in email else known.filter(user__email=email.strip().lower()).first()
    if found is None:
        raise NotFound("No such manager.")
    return found
