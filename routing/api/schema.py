"""What /api/schema/ says of each door, with an example each."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta
from drf_spectacular.serializers import PolymorphicProxySerializerExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

from routing.intake.fields import LEAD

from . import serializers as shapes
from .pagination import DEFAULT_LIMIT, MAX_LIMIT

PROBLEM = "application/problem+json"
REFUSALS = {
    "400": "The request is not valid; `errors` lists each error.",
    "401": "The key is missing or not valid. The answer is the same for every reason.",
    "403": "The key lacks the scope, or its owner is not allowed to do this.",
    "404": "It does not exist, or the caller has no access to it.",
    "409": "The current state does not allow this; nothing was changed.",
    "410": "The contact was merged into another, which `detail` names.",
    "411": "The body was sent without Content-Length.",
    "413": "The body is too large.",
    "415": "The body is not plain JSON.",
    "422": "The Idempotency-Key was already used with another body.",
    "503": "Too busy at the moment: send the same request again after Retry-After seconds.",
}
IDS = {
    "lead_id": ("Id of the lead", "0195a1b2-0000-7000-8000-000000000001"),
    "hand_over_id": ("Id of the hand-over", "0195a1b2-0000-7000-8000-000000000004"),
    "contact_id": ("Id of the contact that stays", "0195a1b2-0000-7000-8000-000000000002"),
    "merge_id": ("Id of the merge", "0195a1b2-0000-7000-8000-000000000006"),
    "email": ("E-mail of the manager", "ann@example.com"),
}


class Described(AutoSchema):
    """A door's description, with the refusals that every door shares."""

    def get_operation(self, *args: Any, **options: Any) -> Any:
        operation = super().get_operation(*args, **options)
        if operation is not None:
            shape = self.resolve_serializer(shapes.ProblemOut(), "response").ref
            for status in self._refusals(operation):
                content = {PROBLEM: {"schema": shape, "example": problem_example(status)}}
                operation["responses"][status] = {"description": REFUSALS[status], "content": content}
            operation["responses"] = dict(sorted(operation["responses"].items()))
        return operation

    def get_description(self) -> str:  # type: ignore[override]
        return ""  # what the operation says of itself; the docstrings of views are for who reads the code

    def _get_serializer_name(self, serializer: Any, direction: str, bypass_extensions: bool = False) -> str:
        name: str = super()._get_serializer_name(serializer, direction, bypass_extensions)
        return name.removesuffix("Request").removesuffix("Out")

    def _refusals(self, operation: dict[str, Any]) -> list[str]:
        parameters = operation.get("parameters", [])
        statuses = ["400", "401", "403", "503"]
        if any(parameter["in"] == "path" for parameter in parameters):
            statuses.append("404")
        if any(parameter["name"] == "contact" for parameter in parameters):
            statuses.append("410")
        if self.method == "POST":
            statuses += ["409", "411", "413", "415"]
        if any(parameter["name"] == "Idempotency-Key" for parameter in parameters):
            statuses.append("422")
        return statuses

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        return [
            {
                "in": "path",
                "name": name,
                "required": True,
                "description": IDS[name][0],
                "schema": {"type": "string", "format": "uuid"} if name.endswith("_id") else {"type": "string"},
                "example": IDS[name][1],
            }
            for name in variables
        ]


def problem_example(status: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": "…",
        "status": int(status),
        "detail": REFUSALS[status],
        "code": "invalid-phone" if status == "400" else "…",
        **(
            {
                "errors": [
                    {
                        "pointer": "/contact/phone",
                        "field": "contact.phone",
                        "code": "invalid-phone",
                        "detail": "A text is expected.",
                    }
                ]
            }
            if status == "400"
            else {}
        ),
    }


class Keys(OpenApiAuthenticationExtension):
    target_class = "routing.api.authentication.ApiKeyAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, `lr_…`. You can also send it as `X-Api-Key`.",
        }


class Sessions(OpenApiAuthenticationExtension):
    target_class = "routing.api.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "The session of the pages. Requests that write also need the header X-CSRFToken.",
        }


class Fields(OpenApiSerializerFieldExtension):
    target_class = "routing.api.serializers.Value"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return append_meta(self.target.kind.json_schema(), {})


# Examples

LEAD_SENT = {
    "external_id": "form-18-7741",
    "name": "Demo request",
    "contact": {"name": "Ana Ruiz", "email": "ana@example.com", "phone": "+34 600 010 101"},
    "company": {"name": "Ruiz SL", "domain": "ruiz.example"},
    "budget": "1200.00",
    "currency": "EUR",
    "language": "es",
    "country": "ES",
    "tags": ["demo"],
    "utm": {"source": "google"},
    "fields": {"employees": 240},
}
LEAD_ANSWERED = {
    "id": "0195a1b2-0000-7000-8000-000000000001",
    **{field.name: LEAD_SENT.get(field.name, field.kind.answer(field.kind.empty())) for field in LEAD},
    "source": "landing",
    "channel": "site",
    "pipeline": "sales",
    "stage": "sales/new",
    "state": "offered",
    "score": 0,
    "responsible": {"email": "ann@example.com", "name": "Ann"},
    "accept_by": "2026-03-02T10:10:00Z",
    "created_at": "2026-03-02T10:00:00Z",
    "arrived_at": "2026-03-02T10:00:00Z",
    "contact": {
        "id": "0195a1b2-0000-7000-8000-000000000002",
        "name": "Ana Ruiz",
        "email": "ana@example.com",
        "email_valid": True,
        "phone": "+34600010101",
        "phone_extension": None,
        "phone_valid": True,
        "chat": None,
        "emails": [{"email": "ana@example.com", "source": "landing", "first_seen_at": "2026-03-02T10:00:00Z"}],
        "phones": [{"phone": "+34600010101", "source": "landing", "first_seen_at": "2026-03-02T10:00:00Z"}],
        "chats": [],
    },
    "company": {"id": "0195a1b2-0000-7000-8000-000000000003", "name": "Ruiz SL", "domain": "ruiz.example"},
    "as_sent": {"contact": LEAD_SENT["contact"], "company": LEAD_SENT["company"]},
    "matched_by": "new",
    "shares_with": [],
    "placeholders": [],
    "decision": {"trigger": "new-leads", "reason": "fair_share", "registry": "sales", "at": "2026-03-02T10:00:00Z"},
}
ACTIVITY = {
    "id": "0195555f-3a1e-7000-8000-000000000001",
    "kind": "mail",
    "at": "2026-03-02T11:20:00Z",
    "created_at": "2026-03-02T11:20:04Z",
    "source": "mailbox",
    "external_id": "<9f2@example.com>",
    "data": {
        "name": "Re: Demo",
        "comment": "When do you call?",
        "contact": {"email": "ana@example.com"},
        "company": None,
    },
}
DECISION = {
    "at": "2026-03-02T10:00:00Z",
    "trigger": "new-leads",
    "registry": "sales",
    "method": "fair_share",
    "attempt": 1,
    "outcome": "assigned",
    "chosen": "ann@example.com",
    "reason": "fair_share",
    "candidates": [
        {
            "manager": "ann@example.com",
            "eligible": True,
            "reason": None,
            "coefficient": 1,
            "held": 3,
            "limit": 10,
            "balance_before": 500_000_000,
            "balance_after": -500_000_000,
        }
    ],
}
MANAGER = {
    "email": "ann@example.com",
    "name": "Ann",
    "active": True,
    "on_duty": True,
    "available": False,
    "reason": "paused",
    "next_start": "2026-03-03T08:00:00Z",
    "next_change": "2026-03-02T17:00:00Z",
    "paused_until": "2026-03-02T10:30:00Z",
    "online": True,
    "last_seen_at": "2026-03-02T09:59:12Z",
    "seen_seconds_ago": 48,
    "held": 4,
    "balances": {"sales": -500_000_000},
}


HANDED_OVER = {
    "id": "0195a1b2-0000-7000-8000-000000000004",
    "manager": "ann@example.com",
    "to": None,
    "at": "2026-03-02T17:00:00Z",
    "leads": 1,
    "done": 1,
    "finished_at": "2026-03-02T17:00:01Z",
    "undone_at": None,
    "reason": "leaves",
    "received": {"bob@example.com": 1},
    "stayed": 0,
    "results": [
        {
            "lead": "0195a1b2-0000-7000-8000-000000000001",
            "name": "Demo request",
            "stage": "sales/new",
            "to": "bob@example.com",
            "reason": "fair_share",
            "undone": None,
        }
    ],
}


def request_example(value: object, *, media_type: str = "application/json") -> OpenApiExample:
    return OpenApiExample("sent", value=value, request_only=True, media_type=media_type)


def response_example(value: object, *statuses: str) -> OpenApiExample:
    return OpenApiExample("answered", value=value, response_only=True, status_codes=list(statuses) or ["200"])


def page_of(name: str, child: type[serializers.Serializer[Any]]) -> Any:
    return inline_serializer(
        name,
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": child(many=True),
        },
    )


def page_example(result: object) -> OpenApiExample:
    return response_example({"next": None, "previous": None, "results": [result]})


# Parameters

LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    description="Rows per page",
)
CURSOR = OpenApiParameter("cursor", str, description="As returned in `next` and `previous`")
AT = OpenApiParameter(
    "at", str, description="An instant, ISO 8601. Default: now. Held leads and balances are always the current ones."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="Makes it safe to repeat the request: the same key and body return the first answer.",
)
REPLAYED = OpenApiParameter(
    "Idempotent-Replayed",
    {"type": "string", "enum": ["true"]},
    OpenApiParameter.HEADER,
    response=[200, 201],
    description="On a repeated request",
)
LEAD_FILTERS = [
    OpenApiParameter("state", str, enum=["idle", "waiting", "offered", "assigned"]),
    OpenApiParameter("stage", str, description="sales/new"),
    OpenApiParameter("pipeline", str, description="Code"),
    OpenApiParameter("responsible", str, description="E-mail"),
    OpenApiParameter("source", str, description="Code"),
    OpenApiParameter("external_id", str),
    OpenApiParameter("created_after", str, description="At this instant or later; ISO 8601"),
    OpenApiParameter("created_before", str, description="Before this instant; ISO 8601"),
]

# Operations


class AnyOf(PolymorphicProxySerializer):
    """Shapes of which an answer may fit more than one: a known lead has all that a repetition has."""


class AnyOfExtension(PolymorphicProxySerializerExtension):
    target_class = "routing.api.schema.AnyOf"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"anyOf": super().map_serializer(auto_schema, direction)["oneOf"]}


KNOWN = AnyOf(
    component_name="LeadSentBefore",
    serializers=[shapes.KnownLeadOut, shapes.RepetitionOut],
    resource_type_field_name=None,
)
TAKE_LEAD = extend_schema(
    operation_id="take_lead",
    summary="Take one lead and distribute it",
    description="201 with the lead and its decision. 200 with the existing lead if the source already sent this "
    "external_id; if it is a double click (`duplicate_of`); or if it is an activity of the open lead of a known person "
    "(`activity`), where the source says so. A key that may not read that lead gets `duplicate_of` and `activity` alone. "
    "Unknown fields are ignored.",
    request=shapes.LeadIn,
    parameters=[IDEMPOTENCY_KEY, REPLAYED],
    responses={
        201: shapes.LeadOut,
        200: OpenApiResponse(KNOWN, description="Already known, unchanged; or its activity"),
    },
    examples=[request_example(LEAD_SENT), response_example(LEAD_ANSWERED, "200", "201")],
)
TAKE_LEADS = extend_schema(
    operation_id="take_leads",
    summary="Take up to 1,000 leads",
    description="A JSON list, or one object per line. Results are in the same order. A bad lead does not affect the others.",
    request={
        "application/json": {
            "oneOf": [
                {"type": "array", "maxItems": 1000, "items": {"description": "A lead, as in take_lead"}},
                {"type": "object", "description": "A single lead is a list of one"},
            ]
        },
        "application/x-ndjson": {"description": "One lead per line"},
    },
    parameters=[IDEMPOTENCY_KEY, REPLAYED],
    responses=shapes.BulkOut,
    examples=[
        request_example([LEAD_SENT]),
        request_example(
            '{"contact": {"email": "ana@example.com"}}\n{"contact": {"phone": "+34600000001"}}\n',
            media_type="application/x-ndjson",
        ),
        response_example({"results": [{"index": 0, "status": 201, "lead": LEAD_ANSWERED}]}),
    ],
)
LIST_LEADS = extend_schema(
    operation_id="list_leads",
    summary="List leads, newest first",
    parameters=[*LEAD_FILTERS, LIMIT, CURSOR],
    responses=page_of("LeadPage", shapes.LeadOut),
    examples=[page_example(LEAD_ANSWERED)],
)
READ_LEAD = extend_schema(
    operation_id="read_lead",
    summary="Read one lead",
    responses=shapes.LeadOut,
    examples=[response_example(LEAD_ANSWERED)],
)
LIST_DECISIONS = extend_schema(
    operation_id="list_decisions",
    summary="List a lead's decisions, oldest first",
    parameters=[LIMIT, CURSOR],
    responses=page_of("DecisionPage", shapes.DecisionOut),
    examples=[page_example(DECISION)],
)
LIST_ACTIVITIES = extend_schema(
    operation_id="list_activities",
    summary="List what came after a lead and made no lead: its activities, oldest first",
    description="The key of a source gets those of that source.",
    parameters=[LIMIT, CURSOR],
    responses=page_of("ActivityPage", shapes.ActivityOut),
    examples=[page_example(ACTIVITY)],
)
ACCEPT_LEAD = extend_schema(
    operation_id="accept_lead",
    summary="Accept the lead for the manager it is offered to",
    request=None,
    responses=shapes.LeadOut,
    examples=[response_example({**LEAD_ANSWERED, "state": "assigned", "accept_by": None})],
)
DECLINE_LEAD = extend_schema(
    operation_id="decline_lead",
    summary="Decline the lead. It is distributed again",
    request=shapes.DeclineIn,
    responses=shapes.LeadOut,
    examples=[request_example({"reason": "on a call"}), response_example(LEAD_ANSWERED)],
)
MOVE_LEAD = extend_schema(
    operation_id="move_lead",
    summary="Move the lead to another stage",
    request=shapes.MoveIn,
    responses=shapes.LeadOut,
    examples=[
        request_example({"stage": "sales/accepted"}),
        response_example({**LEAD_ANSWERED, "stage": "sales/accepted"}),
    ],
)
REASSIGN_LEAD = extend_schema(
    operation_id="reassign_lead",
    summary="Assign the lead to a manager by hand",
    description="For supervisors, and keys of the account or a source. With `also`, the manager becomes responsible for "
    "the lead's contact, company and open tasks as well.",
    request=shapes.ReassignIn,
    responses=shapes.LeadOut,
    examples=[
        request_example({"manager": "ann@example.com", "count": True, "also": ["contact", "tasks"]}),
        response_example({**LEAD_ANSWERED, "state": "assigned"}),
    ],
)
CREDIT_BACK = extend_schema(
    operation_id="credit_back",
    summary="Credit back a junk or duplicate lead to its responsible manager",
    description="Adds one lead to the manager's balance in the registry where the lead counted, once per lead and "
    "responsible manager. For supervisors, and keys of the account or a source.",
    request=shapes.CreditBackIn,
    responses=shapes.LeadOut,
    examples=[request_example({"reason": "junk"}), response_example(LEAD_ANSWERED)],
)
LIST_MANAGERS = extend_schema(
    operation_id="list_managers",
    summary="List managers: who is on duty and available, and their balances",
    parameters=[AT, LIMIT, CURSOR],
    responses=page_of("ManagerPage", shapes.ManagerOut),
    examples=[page_example(MANAGER)],
)
READ_MANAGER = extend_schema(
    operation_id="read_manager",
    summary="One manager",
    parameters=[AT],
    responses=shapes.ManagerOut,
    examples=[response_example(MANAGER)],
)
PAUSE_MANAGER = extend_schema(
    operation_id="pause_manager",
    summary="Pause a manager",
    description="For the given minutes, or until resumed. Open offers are redistributed unless the trigger keeps them.",
    request=shapes.PauseIn,
    responses=shapes.ManagerOut,
    examples=[request_example({"minutes": 30, "reason": "lunch"}), response_example(MANAGER)],
)
RESUME_MANAGER = extend_schema(
    operation_id="resume_manager",
    summary="Resume a manager",
    request=None,
    responses=shapes.ManagerOut,
    examples=[response_example({**MANAGER, "available": True, "reason": None, "paused_until": None})],
)
HAND_OVER = extend_schema(
    operation_id="hand_over",
    summary="Hand over a manager's leads, or preview who would get them",
    description="The trigger of each lead's stage decides, else the one that distributed it last. With `to`, all leads go "
    "to one manager. `preview` changes nothing. More than 200 leads are answered with 202: the worker goes on. "
    "For supervisors and keys of the account.",
    request=shapes.HandOverIn,
    responses={200: shapes.HandOverOut, 202: shapes.HandOverOut},
    examples=[
        request_example({"also": ["tasks", "contact"], "reason": "leaves", "preview": True}),
        response_example(HANDED_OVER, "200", "202"),
    ],
)
READ_HAND_OVER = extend_schema(
    operation_id="read_hand_over",
    summary="Read a hand-over and the outcome for each lead",
    responses=shapes.HandOverOut,
    examples=[response_example(HANDED_OVER)],
)
UNDO_HAND_OVER = extend_schema(
    operation_id="undo_hand_over",
    summary="Undo a hand-over",
    description="Possible once, within a day. Leads that have moved on since are not returned, and the answer lists them. "
    "202 while the worker goes on.",
    request=None,
    responses={200: shapes.HandOverOut, 202: shapes.HandOverOut},
    examples=[response_example(HANDED_OVER, "200", "202")],
)

ONE, OTHER = "0195a1b2-0000-7000-8000-000000000002", "0195a1b2-0000-7000-8000-000000000005"
MERGED = {
    "id": "0195a1b2-0000-7000-8000-000000000006",
    "contact": ONE,
    "merged": OTHER,
    "at": "2026-03-02T10:00:00Z",
    "by": "sue@example.com",
    "undo_until": "2026-04-01T10:00:00Z",
    "undone_at": None,
}
LIST_DUPLICATES = extend_schema(
    operation_id="list_duplicates",
    summary="List pairs of contacts who may be one person, newest first",
    description="Found by the worker within seconds of a lead. Pairs that somebody has dismissed are left out. "
    "For supervisors and keys of the account.",
    parameters=[
        OpenApiParameter("contact", {"type": "string", "format": "uuid"}, description="Only pairs with this contact"),
        LIMIT,
        CURSOR,
    ],
    responses=page_of("DuplicatePage", shapes.PairOut),
    examples=[
        page_example(
            {
                "id": 7,
                "contacts": [{"id": ONE, "name": "Rosa Gómez"}, {"id": OTHER, "name": "GOMEZ ROSA"}],
                "reasons": ["same_name", "same_postal_code"],
                "found_at": "2026-03-02T10:00:00Z",
            }
        )
    ],
)
MERGE_CONTACT = extend_schema(
    operation_id="merge_contact",
    summary="Merge another contact into this one",
    description="Leads with their tasks and stories, phones, e-mails and chats go to the contact in the address; its name, "
    "company and responsible stay, and are taken from the other where it has none. The other contact is no longer there. "
    "Can be undone within 30 days. For supervisors and keys of the account.",
    request=shapes.MergeIn,
    responses=shapes.MergeOut,
    examples=[request_example({"contact": OTHER}), response_example(MERGED)],
)
UNDO_MERGE = extend_schema(
    operation_id="undo_merge",
    summary="Undo a merge",
    description="Possible once, within 30 days. What moved goes back; what came after the merge stays where it is.",
    request=None,
    responses=shapes.MergeOut,
    examples=[response_example({**MERGED, "undo_until": None, "undone_at": "2026-03-03T10:00:00Z"})],
)
