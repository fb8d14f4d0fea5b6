"""Take leads: check what was sent, find the contact and the company, enter the stage, distribute."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.db import DatabaseError, InterfaceError, connection
from django.utils.translation import gettext

from routing.candidates import Gathered, gather_candidates
from routing.engine import Case, LeadFacts, Verdict
from routing.exceptions import Busy, FieldError, IdempotencyKeyReused, InvalidLead, Refused, Undecided
from routing.intake import identity, names, placeholders
from routing.intake.clicks import click_key
from routing.intake.fields import COMPANY, LEAD, columns_of
from routing.intake.kinds import instant
from routing.json_text import rows_as_json
from routing.locks import ConfigurationChanged, in_transaction
from routing.models import Activity, IntakeRequest, Lead, LeadEvent, Source, Stage, new_id
from routing.prepared_statements import Statement, run
from routing.representations import LEAD_ANSWERS, Document, Point, lead_document, lead_documents
from routing.roster import Roster, SourceFacts, StageFacts, TriggerTerms, current

from .assignment import change_of_fields, insert_events, insert_leads, record, state_of
from .distribution import distribute

logger = logging.getLogger(__name__)

Form = Mapping[str, Any]  # what read_lead returns; `as_sent`: contact and company as they came
DOUBLE_CLICK = timedelta(minutes=10)  # as in leadrouter_sent_before
SAID = [each for each in LEAD_ANSWERS if each[0] not in ("external_id", "arrived_at")]
Row = dict[str, Any]  # a new lead on its way: the columns it will have, and beside them what BESIDES names


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeResult:
    """A lead that was taken now, or that the same source sent before."""

    lead_id: UUID
    created: bool
    document: Document  # the lead as the API answers it, and beside it what the sender is told of a repetition
    known_elsewhere: bool = False  # its contact, by leads of other sources

    @property
    def words(self) -> str:
        """Say what became of a lead that was not created."""
        if "duplicate_of" in self.document:
            return gettext("The same was sent within the last 10 minutes: this is that lead.")
        if "activity" in self.document:
            return gettext("This person has an open lead. What was sent is now an activity of it.")
        return gettext("The lead was already known.")


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """An Idempotency-Key: whose it is, of which route, with which body."""

    owner: str
    route: str
    key: str
    fingerprint: str  # of the body


Results = list[IntakeResult | InvalidLead]  # in the order of the forms
Answer = tuple[int, str]  # status and body
Render = Callable[[Results], Answer]


class Existing(NamedTuple):
    """The lead that something sent is, or of which it is an activity."""

    lead: UUID
    activity: UUID | None = None
    kind: Activity.Kind | None = None  # of an activity that is to be written


class Replayed(Exception):
    """The request was already answered; this is the first answer. Nothing was written."""

    def __init__(self, status: int, answer: str) -> None:
        super().__init__(status)
        self.status = status
        self.answer = answer


def take_lead(form: Form, *, source_id: int | None, at: datetime) -> IntakeResult:
    """Take one lead. Raises InvalidLead."""
    [taken] = take_leads([form], source_id=source_id, at=at)
    if isinstance(taken, InvalidLead):
        raise taken
    return taken


def take_leads(forms: Sequence[Form], *, source_id: int | None, at: datetime) -> Results:
    """Take leads and distribute each at once.

    source_id: the source that all of them come from; None: each may name its own, else it is the account's `api` source.
    """
    return answer_leads(forms, source_id=source_id, at=at, render=lambda _: (200, ""))[0]


def answer_leads(
    forms: Sequence[Form],
    *,
    source_id: int | None,
    at: datetime,
    render: Render,
    once: IdempotencyKey | None = None,
    version: int | None = None,
    activities: bool = True,
) -> tuple[Results, Answer]:
    """Take leads as `take_leads` does, and build the answer in the same transaction.

    render: writes the answer before the commit, so that no lead is kept of which nobody could be told.
    once: makes repetitions of a request one request. Without a valid lead nothing is stored for it.
    version: of the configuration that the request has read; a stale one is detected.
    activities: whether what known persons send may be one of their open lead; otherwise each is a lead.
    Raises Replayed, IdempotencyKeyReused.
    """
    try:
        return _take(forms, source_id, at, render, once, version, activities=activities, distributed=True)
    except (Busy, Undecided):
        # Somebody holds the registry for too long, or a decision fails: the leads are kept for the sweep.
        return _take(forms, source_id, at, render, once, None, activities=activities, distributed=False)


def check_leads(forms: Sequence[Form], *, source_id: int | None, at: datetime) -> list[InvalidLead | None]:
    """Return why `take_leads` would refuse each of the forms; None: it would not. Nothing is written."""
    roster = current()
    rows = (_prepare(form, roster, source_id, at=at) for form in forms)
    return [row if isinstance(row, InvalidLead) else None for row in rows]


def _take(
    forms: Sequence[Form],
    source_id: int | None,
    at: datetime,
    render: Render,
    once: IdempotencyKey | None,
    version: int | None,
    *,
    activities: bool,
    distributed: bool,
) -> tuple[Results, Answer]:
    versions = iter([version])  # a second try reads the version again

    @in_transaction
    def take() -> tuple[Results, Answer]:
        roster = current(next(versions, None))
        if source_id is None and "api" not in roster.source_by_code and not all(form.get("source") for form in forms):
            Source.objects.get_or_create(code="api", defaults={"title": "API", "channel": Source.Channel.API})
            roster = current()
        prepared = [_prepare(form, roster, source_id, at=at) for form in forms]
        valid = [row for row in prepared if not isinstance(row, InvalidLead)]
        if valid and once:
            _claim(once, at=at)
            for row in valid:  # the key says that this request is no other one
                row["asks_click"] = False
        if not activities:
            for row in valid:
                row["repeat_hours"] = 0
        known_leads, verdicts = _write_leads(valid, roster, at=at, distributed=distributed) if valid else ({}, {})
        results = _results(prepared, known_leads, verdicts, roster, at=at)
        status, answer = render(results)
        if valid and once:
            _once(once).update(status=status, answer=answer)
        return results, (status, answer)

    return take()


# --- Idempotency ---------------------------------------------------------------------------------------------------------


def _once(once: IdempotencyKey) -> Any:
    return IntakeRequest.objects.filter(owner=once.owner, route=once.route, key=once.key)


def _claim(once: IdempotencyKey, *, at: datetime) -> None:
    """Claim the key for this request. The same request sent at the same time waits here, then gets the same answer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO routing_intakerequest (owner, route, key, fingerprint, answer, created_at)"
            " VALUES (%s, %s, %s, %s, '', %s) ON CONFLICT DO NOTHING",
            [once.owner, once.route, once.key, once.fingerprint, at],
        )
        if cursor.rowcount:
            return
    status, answer, fingerprint = _once(once).values_list("status", "answer", "fingerprint").get()
    if fingerprint != once.fingerprint:
        raise IdempotencyKeyReused
    raise Replayed(status, answer)


# --- What was sent -------------------------------------------------------------------------------------------------------


def _prepare(form: Form, roster: Roster, source_id: int | None, *, at: datetime) -> Row | InvalidLead:
    """Return the columns of the lead that the form becomes, and its person and company as they are shown and compared."""
    try:
        source = _source(form, roster, source_id)
        stage = _stage(form, roster)
    except InvalidLead as refusal:
        return refusal
    country = phone_country(form, source, roster)
    contact, company = form.get("contact") or {}, form.get("company") or {}
    row: Row = {
        "id": new_id(),
        "source_id": source.id,
        "stage_id": stage.id,
        "score": 0,
        **columns_of(LEAD, form),
        "arrived_unqualified": stage.kind == Stage.Kind.UNQUALIFIED,
        "arrived_at": form.get("arrived_at") or at,
        "created_at": at,
        "contact": read_contact(contact, country),
        "company": {
            **columns_of(COMPANY, company),
            "name_key": company.get("name") and identity.normalise_name(company["name"]),
            "domain_key": (company.get("domain") and identity.normalise_domain(company["domain"])) or None,
        },
    }
    row["nobody"] = _take_off_placeholders(row, roster.placeholders)
    errors = _unreachable(row)
    if errors:
        return InvalidLead(errors[0]["detail"], errors=errors)
    row["sent"], row["as_sent"] = _as_sent(form, row)
    row["click_key"] = click_key(row) if source.double_click and not row["external_id"] else None
    row |= {
        "asks_click": row["click_key"] is not None,
        "repeat_hours": roster.account.repeat_hours if source.takes_activities else 0,
    }
    facts = LeadFacts.of(row, contact=row["contact"], company=row["company"])
    row |= {"facts": facts, "trigger": roster.rule_for(stage.id, "created", facts)}
    return row


def read_contact(contact: Mapping[str, Any], country: str | None) -> Row:
    """Return what was sent of the contact as it is shown, and the keys it is compared by; None: it cannot be read."""
    name, email, phone, chat = (contact.get(key) or "" for key in ("name", "email", "phone", "chat"))
    address = identity.normalise_email(email) if email else None
    number = identity.read_phone(phone, country) if phone else None
    handle = identity.normalise_chat(chat, country) if chat else None
    called = identity.phone_of_chat(chat, country) if handle and handle.startswith("+") else None
    if called and number and called.key == number.key:
        called = None
    return {
        "name": name,
        "email": address or email,
        "email_key": address,
        "phone": number.number if number else phone,
        "phone_extension": number.extension if number else "",
        "phone_key": number.key if number else None,
        "chat": chat,
        "chat_key": handle,
        "chat_phone": called.key if called else None,  # the number of a handle that is one
    }


def _take_off_placeholders(row: Row, nobody: placeholders.Placeholders) -> dict[str, str]:
    """Take off the keys of the company that identify none; return all fields that identify nobody, and what each is.

    The contact keeps its keys, which can be read: leadrouter_meet is told by what nobody is found. The mailbox of a
    company tells which one it is, if it is known by that domain.
    """
    contact, company = row["contact"], row["company"]
    email, phone, chat = contact["email_key"], contact["phone_key"], contact["chat_key"]
    name, domain = company["name_key"], company["domain_key"]
    kinds = {
        "contact.email": nobody.of_email(email) if email else None,
        "contact.phone": nobody.of_phone(phone) if phone else None,
        "contact.chat": nobody.of_chat(chat) if chat else None,
        "company.name": nobody.of_company(name) if name else None,
        "company.domain": nobody.of_domain(domain) if domain else None,
    }
    if kinds["company.name"]:
        name = company["name_key"] = ""
    if kinds["company.domain"]:
        domain = company["domain_key"] = None
    if kinds["contact.email"] is placeholders.PlaceholderKind.MAILBOX and not name and not domain:
        at_domain = email.rpartition("@")[2]
        company["mailbox_domain"] = None if nobody.of_domain(at_domain) else at_domain
    return {field: kind.value for field, kind in kinds.items() if kind}


def _as_sent(form: Form, row: Row) -> tuple[Document, str]:
    """Return contact and company exactly as they came, what of it cannot be read or identifies nobody; and the same as JSON."""
    contact = row["contact"]
    unreadable = [key for key in ("email", "phone") if contact[key] and not contact[f"{key}_key"]]
    marks = {key: told for key, told in (("unreadable", unreadable), ("nobody", row["nobody"])) if told}
    read = {key: form.get(key) for key in ("contact", "company")}
    sent = {**form.get("as_sent", read), **marks}
    try:
        return sent, orjson.dumps(sent).decode()
    except TypeError:  # half a surrogate pair, or a number beyond all bounds, in a field that nobody has asked for
        sent = {**read, **marks}
        return sent, orjson.dumps(sent).decode()


def phone_country(form: Form, source: SourceFacts, roster: Roster) -> str | None:
    """Return the country of a number without a prefix: the lead's; only where the lead names none the source's, else the
    account's."""
    return form.get("country") or source.country or roster.account.country or None


def _unreachable(row: Row) -> list[FieldError]:
    """Return why nobody could be reached by this; a telephone number that cannot be read may still be dialled."""
    contact, company = row["contact"], row["company"]
    if (
        contact["email_key"]
        or contact["phone_key"]
        or contact["chat_key"]
        or sum(map(str.isdigit, contact["phone"])) >= 5
    ):
        return []
    if (row["name"] or contact["name"]) and (company["name"] or company["domain"]):
        return []
    bad = [
        FieldError(
            pointer=f"/contact/{key}",
            code=f"invalid-{key}",
            detail=f"This is not a usable {word}.",
        )
        for key, word in (("email", "e-mail address"), ("phone", "phone number"))
        if contact[key]
    ]
    return bad or [
        FieldError(
            pointer="/contact",
            code="unreachable",
            detail="Give a contact e-mail or phone or a chat handle; or a name and a company.",
        )
    ]


def _source(form: Form, roster: Roster, source_id: int | None) -> SourceFacts:
    code = form.get("source")
    source = roster.sources.get(source_id) if source_id is not None else roster.source_by_code.get(code or "api")
    if source is None or (code and code != source.code):
        raise _invalid(
            "/source", f'No source "{code}".' if source is None else f'This key belongs to the source "{source.code}".'
        )
    if not source.active:
        raise _invalid("/source", f'The source "{source.code}" is not active.')
    return source


def _stage(form: Form, roster: Roster) -> StageFacts:
    code, name = form.get("pipeline"), form.get("stage")
    if name and "/" in name:
        code, name = name.split("/", 1)
    if not roster.pipelines:
        raise _invalid("/pipeline", "There is no pipeline yet; a supervisor adds one in the admin.")
    code = code or next(iter(roster.pipelines))
    stages = roster.pipelines.get(code)
    if stages is None:
        raise _invalid("/pipeline", f'No pipeline "{code}".')
    if name:
        stage = next((stage for stage in stages if stage.code == name), None)
        if stage is None:
            raise _invalid("/stage", f'No stage "{name}" in the pipeline "{code}".')
        return stage
    kinds = (
        [Stage.Kind.UNQUALIFIED, Stage.Kind.OPEN]
        if form.get("unqualified") and roster.account.unqualified
        else [Stage.Kind.OPEN]
    )
    for kind in kinds:
        for stage in stages:
            if stage.kind == kind:
                return stage
    raise _invalid("/pipeline", f'The pipeline "{code}" has no open stage.')


def _invalid(pointer: str, detail: str) -> InvalidLead:
    return InvalidLead(detail, errors=[FieldError(pointer=pointer, code="invalid", detail=detail)])


# --- Whose leads they are; writing them ------------------------------------------------------------------------------------

# Known leads of the same source and number; the person and the company, found or made, in the order sent (migrations 0002,
# 0026, 0036); then, in the order of the persons, so that two requests do not wait for each other, what each sent before (0038).
# What is found is left in a setting of the transaction as well, for the statement that gathers the candidates.
SELECT_IDENTIFIED = """
SELECT set_config('leadrouter.identified', json_agg(json_build_array(
    met.position, coalesce(met.known, sent_before.known), coalesce(met.activity, sent_before.activity), met.met, met.matched,
    met.shares, met.asked, met.known_name, met.responsible, met.points, met.elsewhere, sent_before.clicked,
    sent_before.open_lead, met.company_id, met.company_name, met.company_domain, met.company_responsible))::text, true)
FROM (
    SELECT sent.position, sent.source_id, sent.external_id, sent.click_key, sent.repeat_hours, sent.arrived_at, known.lead AS known,
        known.activity, person.*, company.id AS company_id, company.name AS company_name, company.domain AS company_domain,
        company.responsible_id AS company_responsible
    FROM json_to_recordset(%(sent)s) AS sent (
        position integer, source_id bigint, external_id text, contact_id uuid, name text, email text, email_key text, chat text,
        chat_key text, phone text, phone_key text, phone_extension text, chat_phone text, same uuid[], others uuid[], nobody text[],
        company_id uuid, company text, domain text, name_key text, domain_key text, mailbox_domain text, click_key uuid,
        repeat_hours integer, arrived_at timestamptz)
"""
LEADS_KNOWN = """
    LEFT JOIN LATERAL (
        SELECT id AS lead, NULL::uuid AS activity FROM routing_lead
        WHERE source_id = sent.source_id AND external_id = sent.external_id
        UNION ALL
        SELECT lead_id, id FROM routing_activity WHERE source_id = sent.source_id AND external_id = sent.external_id
        LIMIT 1) AS known ON true
"""
NO_LEADS_KNOWN = "CROSS JOIN (SELECT NULL::uuid AS lead, NULL::uuid AS activity) AS known"
COMPANIES = """
    LEFT JOIN LATERAL (
        (SELECT * FROM leadrouter_company(sent.company_id, sent.company, sent.domain, sent.name_key, sent.domain_key, %(at)s)
        WHERE known.lead IS NULL AND sent.mailbox_domain IS NULL OFFSET 0)  -- asked before the function runs: a known lead changes nobody
        UNION ALL SELECT c.* FROM routing_company c WHERE known.lead IS NULL AND c.domain_key = sent.mailbox_domain
    ) AS company ON true
"""
NO_COMPANIES = """
    CROSS JOIN (SELECT NULL::uuid AS id, NULL::text AS name, NULL::text AS domain, NULL::bigint AS responsible_id) AS company
"""
PEOPLE = """
    LEFT JOIN LATERAL (
        SELECT * FROM leadrouter_meet(sent.contact_id, sent.name, sent.email, sent.email_key, sent.chat, sent.chat_key,
            sent.phone, sent.phone_key, sent.phone_extension, sent.chat_phone, company.id, sent.source_id, sent.same, sent.others,
            sent.nobody, %(at)s)
        WHERE known.lead IS NULL OFFSET 0
    ) AS person ON true
    ORDER BY person.met
) AS met
LEFT JOIN LATERAL (
    SELECT * FROM leadrouter_sent_before(met.met, met.source_id, met.external_id, met.click_key, met.arrived_at, met.repeat_hours)
    WHERE met.matched <> 'new' AND (met.click_key IS NOT NULL OR met.repeat_hours > 0) OFFSET 0
) AS sent_before ON true
"""
# By whether any lead has a number, and any a company: a part costs also where nothing asks for it.
IDENTIFY = {
    (numbered, firms): Statement(
        f"identify_{numbered}_{firms}",
        SELECT_IDENTIFIED
        + (LEADS_KNOWN if numbered else NO_LEADS_KNOWN)
        + (COMPANIES if firms else NO_COMPANIES)
        + PEOPLE,
        sent="json",
        at="timestamptz",
    )
    for numbered in (False, True)
    for firms in (False, True)
}


def _statement_to_identify(sent: Sequence[Row]) -> Statement:
    return IDENTIFY[
        any(row["external_id"] for row in sent),
        any(row["name_key"] or row["domain_key"] or row["mailbox_domain"] for row in sent),
    ]


class Found(NamedTuple):
    """What IDENTIFY says of one lead."""

    position: int
    known: str | None  # id of the lead, if it exists
    activity: str | None  # the activity of that lead which has the number
    contact: str | None
    matched_by: str | None
    shares_with: list[tuple[str, str]] | None  # ids and names of contacts
    asked: list[tuple[str, str]] | None  # contacts whose names are to be compared first
    name: str | None
    owner: int | None
    points: list[list[Any]] | None  # of a contact that is not new
    elsewhere: bool | None
    clicked: str | None  # the lead that this one is a double click of
    open_lead: str | None  # the lead that it is an activity of
    company: str | None
    company_name: str | None
    domain: str | None
    company_owner: int | None


def _write_leads(
    rows: list[Row], roster: Roster, *, at: datetime, distributed: bool
) -> tuple[dict[UUID, Existing], dict[UUID, Verdict]]:
    """Write the new leads, each with its decision. Return what the other rows are (by id of the row), and verdicts.

    However many triggers the leads come by: what they need is read once, under the locks of all their registries.
    """
    asked = list(map(_parameters, count(), rows))  # of IDENTIFY
    sent = {"sent": rows_as_json(asked), "at": at}
    triggers = (
        list({row["trigger"].id: row["trigger"] for row in rows if row["trigger"]}.values()) if distributed else []
    )
    gathered = None
    if triggers:  # then both take one round trip
        with _deciding(triggers):
            gathered = gather_candidates(triggers, roster, at=at, ahead=_statement_to_identify(asked), parameters=sent)
        found = gathered.identified
    else:
        [[found]] = run(_statement_to_identify(asked), **sent)
    known_leads, new = _sort_known(rows, _identify(asked, found, at=at), roster, at=at)
    if known_leads:
        _keep_activities(rows, known_leads, at=at)
    events = list(_set_fields(new.values(), at=at))
    by_trigger = [row for row in new.values() if row["trigger"]]
    kept = [{**_columns(row), **IDLE} for row in new.values() if not row["trigger"]]
    verdicts: dict[UUID, Verdict] = {}
    if gathered is None:  # the sweep will decide
        waits = {**IDLE, "state": Lead.State.WAITING.value}
        kept += [{**_columns(row), **waits, "trigger_id": row["trigger"].id} for row in by_trigger]
    elif by_trigger:
        verdicts = _distribute(by_trigger, triggers, roster, gathered, at=at)
    if kept:
        insert_leads(kept)
    if events:
        insert_events(events)
    return known_leads, verdicts


def _set_fields(rows: Iterable[Row], *, at: datetime) -> Iterator[Row]:
    """Set the fields that triggers set on entering, and return what is told of it in the story of each lead."""
    for row in rows:
        trigger = row["trigger"]
        if trigger is None or not trigger.set_fields:
            continue
        data = change_of_fields(row["fields"], trigger)
        row["fields"] = {**row["fields"], **trigger.set_fields}
        row["facts"] = row["facts"]._replace(fields=row["fields"])
        if data:
            yield {"lead_id": row["id"], "at": at, "kind": LeadEvent.Kind.FIELDS_SET.value, "by_id": None, "data": data}


def _results(
    prepared: Sequence[Row | InvalidLead],
    known_leads: Mapping[UUID, Existing],
    verdicts: Mapping[UUID, Verdict],
    roster: Roster,
    *,
    at: datetime,
) -> Results:
    """Return the result of each form; leads that were already known are returned as they are now."""
    known = (
        lead_documents(Lead.objects.filter(pk__in={found.lead for found in known_leads.values()}))
        if known_leads
        else []
    )
    documents = {document["id"]: document for document in known}
    activities = _answers_of_activities(known_leads)

    def result(row: Row | InvalidLead) -> IntakeResult | InvalidLead:
        if isinstance(row, InvalidLead):
            return row
        found = known_leads.get(row["id"])
        if found is not None:
            document = {**documents[str(found.lead)], **activities.get(found.activity, {})}
            return IntakeResult(lead_id=found.lead, created=False, document=document)
        document = _document(row, verdicts.get(row["id"]), roster, at=at)
        return IntakeResult(lead_id=row["id"], created=True, document=document, known_elsewhere=row["known_elsewhere"])

    return list(map(result, prepared))


def _keep_activities(rows: Sequence[Row], known_leads: Mapping[UUID, Existing], *, at: datetime) -> None:
    """Write what was sent and became an activity of a lead."""
    Activity.objects.bulk_create(
        Activity(
            id=found.activity,
            lead_id=found.lead,
            kind=found.kind,
            at=row["arrived_at"],
            created_at=at,
            source_id=row["source_id"],
            external_id=row["external_id"],
            data={name: answer(row[name]) for name, _path, answer in SAID if row[name]},
            as_sent=row["as_sent"],
            also_sent=row["also_sent"],
        )
        for row in rows
        if (found := known_leads.get(row["id"])) and found.kind and found.activity
    )


def _answers_of_activities(known_leads: Mapping[UUID, Existing]) -> dict[UUID | None, Document]:
    """Return what the senders of activities are told, by id."""
    wanted = {found.activity for found in known_leads.values() if found.activity}
    rows = Activity.objects.filter(pk__in=wanted) if wanted else ()
    return {
        row.pk: {
            **({"duplicate_of": str(row.lead_id)} if row.kind == Activity.Kind.REPEAT else {}),
            "activity": {"id": str(row.pk), "kind": row.kind, "at": instant(row.at)},
        }
        for row in rows
    }


IDLE = {"state": Lead.State.IDLE.value, "responsible_id": None, "trigger_id": None, "round": 1, "attempt": 0}


def _parameters(position: int, row: Row) -> Row:
    """Return the parameters of IDENTIFY for one lead."""
    return {
        "position": position,
        "source_id": row["source_id"],
        "external_id": row["external_id"],
        **row["contact"],
        "nobody": [field.removeprefix("contact.") for field in row["nobody"]],
        "contact_id": new_id(),
        "company_id": new_id(),
        "company": row["company"]["name"],
        "domain": row["company"]["domain"],
        "name_key": row["company"]["name_key"],
        "domain_key": row["company"]["domain_key"],
        "mailbox_domain": row["company"].get("mailbox_domain"),
        "click_key": row["click_key"] if row["asks_click"] else None,
        "repeat_hours": row["repeat_hours"],
        "arrived_at": row["arrived_at"],
    }


def _identify(sent: list[Row], found: str | None, *, at: datetime) -> list[Found]:
    """Return what was found of each lead, in the order sent; where a number is known, after the names were compared.

    Names on one number differ seldom: only then there is another round trip.
    """
    answers = [Found(*answer) for answer in orjson.loads(found or "[]")]
    while asked := [answer for answer in answers if answer.asked]:
        for answer in asked:
            row = sent[answer.position]
            for contact, name in answer.asked or ():
                row.setdefault("same" if names.may_be_one(row["name"], name) else "others", []).append(contact)
        again = [sent[answer.position] for answer in asked]
        [[found]] = run(_statement_to_identify(again), sent=rows_as_json(again), at=at)
        answers = [answer for answer in answers if not answer.asked] + [Found(*a) for a in orjson.loads(found)]
    return sorted(answers, key=attrgetter("position"))


class SentBefore:
    """What persons sent earlier in the same request, and what the database found of them."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.clicks: dict[tuple[str | None, int, UUID], list[Row]] = defaultdict(list)
        self.heard: dict[str | None, list[tuple[UUID, datetime]]] = defaultdict(list)  # of open leads

    def find(self, each: Found, row: Row) -> Existing | None:
        """Return the lead of which the row is a double click or an activity."""
        if each.matched_by in (None, Lead.MatchedBy.NEW):
            return None  # nobody knows who it is
        at = row["arrived_at"]
        for lead in self.clicks.get((each.contact, row["source_id"], row["click_key"]), ()):
            if abs(at - lead["arrived_at"]) <= DOUBLE_CLICK:
                return Existing(lead["id"], new_id(), Activity.Kind.REPEAT)
        if each.clicked:
            return Existing(UUID(each.clicked), new_id(), Activity.Kind.REPEAT)
        kind = Activity.OF_CHANNEL[self.roster.sources[row["source_id"]].channel]
        hours = timedelta(hours=row["repeat_hours"])
        if hours:
            for lead_id, heard_at in reversed(self.heard[each.contact]):
                if abs(at - heard_at) <= hours:
                    return Existing(lead_id, new_id(), kind)
        return Existing(UUID(each.open_lead), new_id(), kind) if each.open_lead else None

    def add(self, each: Found, row: Row, existing: Existing | None) -> None:
        if each.contact is None:
            return
        if existing is None and row["click_key"]:
            self.clicks[each.contact, row["source_id"], row["click_key"]].append(row)
        if existing is None and self.roster.stages[row["stage_id"]].active:
            self.heard[each.contact].append((row["id"], row["arrived_at"]))
        elif existing and existing.kind:
            self.heard[each.contact].append((existing.lead, row["arrived_at"]))


def _sort_known(
    rows: list[Row], found: Sequence[Found], roster: Roster, *, at: datetime
) -> tuple[dict[UUID, Existing], dict[UUID, Row]]:
    """Return which rows are, or belong to, leads that exist, and those that are new, with their person and company."""
    known_leads: dict[UUID, Existing] = {}
    new: dict[UUID, Row] = {}
    numbers: dict[tuple[int, str], Existing] = {}  # a number that comes twice in one request is one lead
    sent = SentBefore(roster)
    for each in found:
        row = rows[each.position]
        number = (row["source_id"], row["external_id"])
        existing = (
            Existing(UUID(each.known), UUID(each.activity) if each.activity else None)
            if each.known
            else numbers.get(number) or sent.find(each, row)
        )
        if row["external_id"]:
            numbers[number] = existing._replace(kind=None) if existing else Existing(row["id"])
        sent.add(each, row, existing)
        person = row["contact"]
        if existing:
            known_leads[row["id"]] = existing
            nowhere = {"name": "", "domain": ""}  # the company may be another than the lead's
            row["also_sent"] = _also_sent(person, row["company"], each.name or "", _points(each, roster), nowhere)
            continue
        firm = {"name": each.company_name or "", "domain": each.domain or ""}
        is_new = each.matched_by == Lead.MatchedBy.NEW
        if is_new:
            source = _code(row["source_id"], roster)
            points = points_sent(person, source, at=at, shared=bool(each.shares_with), nobody=row["nobody"])
        else:
            points = _points(each, roster)
        name = person["name"] if is_new else each.name or ""
        row |= {
            "contact_id": each.contact and UUID(each.contact),
            "contact": {"name": name, "points": points},
            "company_id": each.company and UUID(each.company),
            "matched_by": each.matched_by or "",
            "shares_with": [contact for contact, _name in each.shares_with or ()],
            "sharers": each.shares_with or [],
            "known_elsewhere": bool(each.elsewhere),
            "also_sent": _also_sent(person, row["company"], name, points, firm),
            "company": firm,
            "owners": {"contact": each.owner, "company": each.company_owner},
        }
        new[row["id"]] = row
    return known_leads, new


def _points(found: Found, roster: Roster) -> list[Point]:
    """Return the phones, e-mails and chats of a known contact."""
    return [
        Point(kind, text, extension, valid, shared, main, _code(source, roster), datetime.fromisoformat(at))
        for kind, text, extension, valid, shared, main, source, at in found.points or ()
    ]


def points_sent(
    sent: Row, source: str | None, *, at: datetime, shared: bool = False, nobody: Collection[str] = ()
) -> list[Point]:
    """Return those of a contact that a lead makes, as leadrouter_meet writes them.

    shared: the number is another's. nobody: fields that identify nobody, which everybody shares.
    """
    email, phone, chat = (f"contact.{kind}" in nobody for kind in ("email", "phone", "chat"))
    by_phone = shared and bool(sent["phone_key"]) and not phone
    by_chat = shared and not by_phone
    kinds = (
        ("email", sent["email"], "", sent["email_key"], email),
        ("phone", sent["phone"], sent["phone_extension"], sent["phone_key"], phone or by_phone),
        ("phone", sent["chat_phone"], "", sent["chat_phone"], chat or by_chat),
        ("chat", sent["chat"], "", sent["chat_key"], chat or (by_chat and bool(sent["chat_phone"]))),
    )
    return [
        Point(kind, text, extension, bool(key), is_shared, False, source=source, first_seen_at=at)
        for kind, text, extension, key, is_shared in kinds
        if text
    ]


def _code(source_id: int | None, roster: Roster) -> str | None:
    source = roster.sources.get(source_id) if source_id else None
    return source.code if source else None


def _also_sent(sent: Row, firm_sent: Row, name: str, points: Sequence[Point], firm: Mapping[str, str]) -> str:
    """Return the words that came and that neither contact nor company shows, and what cannot be read, for the search."""
    shown = {point.text for point in points if point.valid}
    words = [sent[key] for key in ("email", "phone", "chat") if sent[key] not in shown]
    if sent["phone_key"] and sent["phone"] not in shown:
        words.append(sent["phone"].lstrip("+"))  # with the plus it is another word
    words += [text for text, known in ((sent["name"], name), (firm_sent["name"], firm["name"])) if text != known]
    domain, known_domain = firm_sent["domain"], firm["domain"]
    if domain != known_domain and identity.normalise_domain(domain) != identity.normalise_domain(known_domain):
        words.append(domain)
    return " ".join(filter(None, words))


def _distribute(
    rows: list[Row], triggers: Sequence[TriggerTerms], roster: Roster, gathered: Gathered, *, at: datetime
) -> dict[UUID, Verdict]:
    with _deciding(triggers):
        distributed = distribute([_case(row, at=at) for row in rows], roster, at=at, gathered=gathered)
    record(distributed, roster, at=at, new={row["id"]: _columns(row) for row in rows})
    return {verdict.case.id: verdict for verdict in distributed.verdicts}


@contextmanager
def _deciding(triggers: Sequence[TriggerTerms]) -> Iterator[None]:
    """Raise Undecided if decisions fail for a reason that another try would not mend."""
    try:
        yield
    except (ConfigurationChanged, Refused, DatabaseError, InterfaceError):
        raise
    except Exception as error:  # whatever the fault, a lead that was sent is kept
        ids = ", ".join(str(trigger.id) for trigger in triggers)
        logger.exception("trigger %s failed on new leads", ids, extra={"action": "decision_failed"})
        raise Undecided from error


def _case(row: Row, *, at: datetime) -> Case:
    return Case(
        id=row["id"],
        terms=row["trigger"],
        stage=row["stage_id"],
        score=row["score"],
        created_at=at,
        facts=row["facts"],
        contact=row["contact_id"],
        company=row["company_id"],
        owners=row["owners"],
    )


# What a row holds beside the columns of its lead.
BESIDES = {"contact", "company", "owners", "facts", "trigger", "sent", "sharers", "known_elsewhere", "nobody"}


def _columns(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in BESIDES}


def _document(row: Row, verdict: Verdict | None, roster: Roster, *, at: datetime) -> Document:
    source, stage = roster.sources[row["source_id"]], roster.stages[row["stage_id"]]
    trigger = row["trigger"]
    state = state_of(verdict, at=at) if verdict else {**IDLE, **({"state": "waiting"} if trigger else {})}
    manager = roster.managers[verdict.manager] if verdict and verdict.manager else None
    values = {
        **row,
        "as_sent": row["sent"],
        "source__code": source.code,
        "source__channel": source.channel,
        "stage__pipeline__code": stage.pipeline,
        "stage__code": stage.code,
        "state": state["state"],
        "responsible__user__email": manager and manager.email,
        "responsible__user__name": manager and manager.name,
        "contact__name": row["contact"]["name"],
        **{f"company__{key}": value for key, value in row["company"].items()},
    }
    decision = (
        verdict
        and trigger
        and {
            "trigger": trigger.code,
            "reason": verdict.decision.reason.value,
            "registry": trigger.registry_label,
            "at": at.isoformat().replace("+00:00", "Z"),
        }
    )
    return lead_document(
        values,
        points=row["contact"]["points"],
        sharers=row["sharers"],
        accept_by=verdict.accept_by if verdict else None,
        decision=decision or None,
    )
