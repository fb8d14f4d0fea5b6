"""The registry: every place that holds data of people, how their rows are found, and what erasure leaves there.

A test compares it with all columns of text that there are: whoever adds one says here whose data it may hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from axes.models import AccessAttempt, AccessAttemptExpiration, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import BooleanField, F, Func, Model, Q, QuerySet, TextField, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp_webauthn.models import WebAuthnAttestation, WebAuthnCredential, WebAuthnUserHandle

from accounts.models import (
    Account,
    AuditEntry,
    ConfigurationChange,
    Letter,
    Manager,
    Pause,
    ScheduleException,
    User,
    WorkSchedule,
)
from routing.intake.fields import CONTACT, LEAD
from routing.models import (
    Activity,
    Adjustment,
    ApiKey,
    Company,
    Contact,
    ContactPoint,
    ContactTraits,
    Decision,
    HandedLead,
    HandOver,
    Heartbeat,
    ImportRow,
    IntakeRequest,
    Lead,
    LeadEdit,
    LeadEvent,
    LeadExport,
    LeadImport,
    Lineup,
    Merge,
    Offer,
    Pipeline,
    Placeholder,
    PossibleDuplicate,
    RefusedIntake,
    Registry,
    Setback,
    Source,
    Stage,
    Task,
    Trigger,
)

from .people import DataSubject

Rows = Callable[[DataSubject], QuerySet[Any]]


@dataclass(frozen=True, kw_only=True)
class PersonalTable:
    """A table with data of the people who are customers."""

    model: type[Model]
    rows: Rows  # those of one person
    emptied: Mapping[str, Any] = field(default_factory=dict)  # column → what erasure writes there
    deleted: bool = False  # the row goes, too
    kept: str = ""  # what stays of the row, and why

    @property
    def label(self) -> str:
        return self.model._meta.label


def mentioning(model: type[Model], *columns: str) -> Rows:
    """Return who finds rows in which a text mentions the person; a search of the whole table."""

    def rows(person: DataSubject) -> QuerySet[Any]:
        mentioned = Q(pk__in=[])
        for column in columns:
            for spelling in sorted(person.spellings):
                mentioned |= Q(**{f"{column}__icontains": spelling})
        return model._default_manager.filter(mentioned)

    return rows


def journal_of(person: DataSubject) -> QuerySet[RefusedIntake]:
    """Find bodies that name one of the person's e-mails or numbers, however the number is spaced out."""
    body = Func(F("body"), Value("escape"), function="encode", output_field=TextField())
    digits = Func(
        F("body_text"), Value("[^0-9]"), Value(""), Value("g"), function="regexp_replace", output_field=TextField()
    )
    mentioned = Q(pk__in=[])
    for spelling in sorted(person.spellings):
        mentioned |= Q(body_text__icontains=spelling) | Q(body_text__icontains=escape_bytes(spelling))
    for number in sorted(person.numbers):
        mentioned |= Q(digits__contains=number)
    return RefusedIntake.objects.alias(body_text=body).alias(digits=digits).filter(mentioned)


def escape_bytes(text: str) -> str:
    """Return the text as PostgreSQL writes the bytes of it: \\320\\277 for п."""
    return "".join(chr(byte) if byte < 128 else f"\\{byte:03o}" for byte in text.encode())


def rows_of_imports(person: DataSubject) -> QuerySet[ImportRow]:
    """Find rows that became a lead of the person, and refused ones that name them."""
    text = Func(F("cells"), Value(" "), function="array_to_string", output_field=TextField())
    digits = Func(
        F("text"), Value("[^0-9]"), Value(""), Value("g"), function="regexp_replace", output_field=TextField()
    )
    named = Q(lead__in=person.leads)
    for spelling in sorted(person.spellings):
        named |= Q(text__icontains=spelling)
    for number in sorted(person.numbers):
        named |= Q(digits__contains=number)
    return ImportRow.objects.alias(text=text).alias(digits=digits).filter(named)


def activities_with_keys_of(person: DataSubject) -> QuerySet[Activity]:
    """Find what somebody else sent with an e-mail, chat or number of the person; the lead that it followed may not share them."""
    text = Cast("as_sent", TextField())
    digits = Func(
        F("text"), Value("[^0-9]"), Value(""), Value("g"), function="regexp_replace", output_field=TextField()
    )
    named = Q(lead__shares_with__overlap=list(person.contacts))
    for spelling in sorted(person.spellings):
        named |= Q(text__icontains=spelling)
    for number in sorted(person.numbers):
        named |= Q(digits__contains=number)
    return Activity.objects.alias(text=text).alias(digits=digits).filter(named)


def answers_to(person: DataSubject) -> QuerySet[IntakeRequest]:
    """Find requests whose stored answer is about one of the person's leads."""
    about = RawSQL("answer LIKE ANY (%s)", [[f"%{lead}%" for lead in person.lead_texts]], BooleanField())  # nosec B611
    return IntakeRequest.objects.filter(about) if person.leads else IntakeRequest.objects.none()


def admin_log_of(person: DataSubject) -> QuerySet[LogEntry]:
    kinds = ContentType.objects.get_for_models(Contact, Lead)
    return LogEntry.objects.filter(
        Q(content_type=kinds[Contact], object_id__in=[str(pk) for pk in person.contacts])
        | Q(content_type=kinds[Lead], object_id__in=person.lead_texts)
    )


def _number_of(person: DataSubject) -> Q:
    """Find what has a number at the source that is an e-mail or phone of the person, or has one in it."""
    named = Q(pk__in=[])
    for text in sorted(person.spellings | person.numbers):
        named |= Q(external_id__icontains=text)
    return named


ERASED_NUMBER = Func(
    Value("erased-"),
    Func(F("external_id"), function="md5", output_field=TextField()),
    function="concat",
    output_field=TextField(),
)


ERASED_ANSWER = '{"erased": true}'  # what a repeated request is answered; its lead is still one lead

PLACES = (
    PersonalTable(
        model=Contact,
        rows=lambda person: Contact.objects.filter(pk__in=person.contacts),
        emptied={
            **{field.name: field.kind.empty() for field in CONTACT},
            "phone_extension": "",
            "other_emails": "",
        },
        kept="the row, its company and its responsible: leads refer to it",
    ),
    PersonalTable(
        model=ContactPoint,
        rows=lambda person: ContactPoint.objects.filter(contact__in=person.contacts),
        emptied={"text": "", "extension": "", "key": None},
        deleted=True,
    ),
    PersonalTable(
        model=ContactTraits,
        rows=lambda person: ContactTraits.objects.filter(contact__in=person.contacts),
        emptied={"traits": []},
        deleted=True,
    ),
    PersonalTable(
        model=Merge,
        rows=lambda person: Merge.objects.filter(holder__in=person.contacts),
        emptied={"moved": {}},
        kept="which contact was merged into which, and when; it can no longer be undone",
    ),
    PersonalTable(
        model=PossibleDuplicate,
        rows=lambda person: PossibleDuplicate.objects.filter(Q(one__in=person.contacts) | Q(other__in=person.contacts)),
        deleted=True,
    ),
    PersonalTable(
        model=Lead,
        rows=lambda person: Lead.objects.filter(pk__in=person.leads),
        emptied={
            **{field.name: field.kind.empty() for field in LEAD if field.personal},
            "as_sent": "",
            "also_sent": "",
            "shares_with": [],
            "click_key": None,
        },
        kept="stage, state, responsible, score, budget, product, language, country: counts and limits are made of them",
    ),
    PersonalTable(
        model=Lead,
        rows=lambda person: Lead.objects.filter(shares_with__overlap=list(person.contacts)),
        emptied={"as_sent": "", "also_sent": "", "shares_with": []},
        kept="the lead of somebody else, with whom a number or an address was shared",
    ),
    PersonalTable(
        model=Lead,
        rows=lambda person: Lead.objects.filter(_number_of(person), pk__in=person.leads),
        emptied={"external_id": ERASED_NUMBER},
        kept="a digest of the number, so that nothing else takes its place",
    ),
    PersonalTable(
        model=Activity,
        rows=lambda person: Activity.objects.filter(lead__in=person.leads),
        emptied={"data": {}, "as_sent": "", "also_sent": ""},
        kept="that something came after the lead, when, and from which source",
    ),
    PersonalTable(
        model=Activity,
        rows=activities_with_keys_of,
        emptied={"as_sent": "", "also_sent": ""},
        kept="what somebody else sent, with whom a number or an address was shared",
    ),
    PersonalTable(
        model=Activity,
        rows=lambda person: Activity.objects.filter(_number_of(person), lead__in=person.leads),
        emptied={"external_id": ERASED_NUMBER},
        kept="a digest of the number, so that nothing else takes its place",
    ),
    PersonalTable(
        model=Task,
        rows=lambda person: Task.objects.filter(lead__in=person.leads),
        emptied={"title": "–"},
        kept="whose it was and when",
    ),
    PersonalTable(
        model=Offer,
        rows=lambda person: Offer.objects.filter(lead__in=person.leads),
        emptied={"reason": ""},
        kept="who had it, until when, and its outcome",
    ),
    PersonalTable(
        model=Adjustment,
        rows=lambda person: Adjustment.objects.filter(lead__in=person.leads),
        emptied={"reason": ""},
        kept="its amount: the balances add up by it",
    ),
    PersonalTable(
        model=LeadEvent,
        rows=lambda person: LeadEvent.objects.filter(lead__in=person.leads).exclude(kind=LeadEvent.Kind.FIELDS_SET),
        emptied={"data": RawSQL("data - 'reason'", [])},
        kept="what happened, from which stage or manager to which",
    ),
    PersonalTable(
        model=LeadEvent,
        rows=lambda person: LeadEvent.objects.filter(lead__in=person.leads, kind=LeadEvent.Kind.FIELDS_SET),
        emptied={"data": {}},
        kept="that it happened, and when",
    ),
    PersonalTable(
        model=LeadEdit,
        rows=lambda person: LeadEdit.objects.filter(lead__in=person.leads),
        emptied={"before": {}},
        kept="that it was edited, and when",
    ),
    PersonalTable(
        model=Setback,
        rows=lambda person: Setback.objects.filter(lead__in=person.leads),
        emptied={"error": ""},
        kept="how often it was tried",
    ),
    PersonalTable(
        model=ImportRow,
        rows=rows_of_imports,
        emptied={"cells": RawSQL("array_fill(''::text, ARRAY[cardinality(cells)])", []), "problem": ""},
        kept="that the row was there, and what became of it",
    ),
    PersonalTable(
        model=LeadExport,
        rows=mentioning(LeadExport, "filters"),
        emptied={"filters": {}},
        kept="who exported how many leads, and when",
    ),
    PersonalTable(
        model=IntakeRequest,
        rows=answers_to,
        emptied={"answer": ERASED_ANSWER},
        kept="key and fingerprint: the same request again is still no new lead",
    ),
    PersonalTable(
        model=RefusedIntake,
        rows=journal_of,
        emptied={"body": b"", "problem": {}},
        kept="when, from which source, and which fault",
    ),
    PersonalTable(
        model=LogEntry,
        rows=admin_log_of,
        emptied={"object_repr": "–", "change_message": ""},
        kept="who changed something, and when",
    ),
)

# Text about customers that is not erased row by row, with the reason; and text about staff, who are told apart.
STAFF = {
    User: {"email", "name"},
    Manager: {"skills"},
    Pause: {"reason"},
    Letter: {"to", "subject", "body"},
    Session: {"session_key", "session_data"},
    AccessAttempt: {"user_agent", "ip_address", "username", "http_accept", "path_info", "get_data", "post_data"},
    HandOver: {"reason"},
    ConfigurationChange: {"name", "before", "after"},
    AccessAttemptExpiration: set(),
    AccessLog: {"user_agent", "ip_address", "username", "http_accept", "path_info", "session_hash"},
    AccessFailureLog: {"user_agent", "ip_address", "username", "http_accept", "path_info"},
    TOTPDevice: {"name", "key"},
    StaticDevice: {"name"},
    StaticToken: {"token"},
    WebAuthnCredential: {"name", "credential_id", "credential_id_sha256", "public_key", "transports", "aaguid"},
    WebAuthnAttestation: {"data", "client_data_json"},
    WebAuthnUserHandle: {"handle_hex"},
}
COMPANIES = {Company: {"name", "domain", "name_key", "domain_key"}}  # no persons; they have no right of erasure

# Columns of text that hold nothing of a person: words and numbers of the configuration, digests, codes.
IMPERSONAL: dict[type[Model], set[str]] = {
    Account: {"name", "time_zone", "country", "pause_reasons"},
    AuditEntry: {"about", "facts", "origin"},
    ConfigurationChange: {"way", "model", "owner_model"},
    User: {"password", "language"},
    Manager: {"time_zone"},
    WorkSchedule: {"title", "weekly", "cycle_days", "holiday_country", "holiday_subdivision"},
    ScheduleException: {"intervals"},
    Source: {"title", "country"},
    Placeholder: {"value"},
    ApiKey: {"name", "prefix", "digest", "scopes"},
    IntakeRequest: {"owner", "route", "key", "fingerprint"},
    RefusedIntake: {"code", "content_type"},
    Pipeline: {"title"},
    Stage: {"title"},
    Lead: {field.name for field in LEAD if not field.personal and not field.origin},
    PossibleDuplicate: {"reasons"},
    Registry: {"title"},
    Trigger: {"set_fields"},
    Heartbeat: {"name"},
    Lineup: {"digest"},
    Decision: {"method", "reason", "refusals"},
    HandedLead: {"why", "along"},
    LeadImport: {
        "file_name",
        "digest",
        "counts",
        "encoding",
        "delimiter",
        "header",
        "columns",
        "joined",
        "checked",
        "language",
    },
    LeadExport: {"kind"},
    LogEntry: {"object_id"},
}
