"""Take leads: check what was sent, find the person and the company, enter the stage, hand over to distribution."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from routing.candidates import Gathered, gather_candidates
from routing.engine import Case, LeadFacts, Verdict
from routing.exceptions import Busy, FieldError, IdempotencyKeyReused, InvalidLead, Refused, Undecided
from routing.intake import identity
from routing.locks import ConfigurationChanged, in_transaction
from routing.models import IntakeRequest, Lead, LeadEvent, Source, Stage, new_id
from routing.prepared_statements import Statement, run
from routing.representations import Document, lead_document, lead_documents
from routing.roster import Roster, Rule, SourceFacts, StageFacts, current

from .assignment import change_of_fields, dumps, insert_events, insert_leads, record, state_of
from .distribution import distribute

logger = logging.getLogger(__name__)

Form = Mapping[str, Any]  # LeadIn.validated_data
Row = dict[str, Any]  # columns of a lead, and beside them its facts, its trigger, its contact and company


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeResult:
    """A lead that was taken now, or that the same source sent before."""

    lead_id: UUID
    created: bool
    document: Document  # the lead as the API answers it


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
) -> tuple[Results, Answer]:
    """Take leads as `take_leads` does, and return the answer, too.

    render: writes the answer before the commit, so that no lead is kept of which nobody could be told.
    once: makes repetitions of a request one request. Without a valid lead nothing is stored for it.
    version: of the configuration that the request has read; a stale one is detected.
    Raises Replayed, IdempotencyKeyReused.
    """
    try:
        return _take(forms, source_id, at, render, once, version, distributed=True)
    except (Busy, Undecided):
        # Somebody holds the registry for too long, or a decision fails: the leads are kept for the sweep.
        return _take(forms, source_id, at, render, once, None, distributed=False)


def check_leads(forms: Sequence[Form], *, source_id: int | None, at: datetime) -> list[InvalidLead | None]:
    """Return why `take_leads` would refuse each of the forms; None: it would not. Nothing is written."""
    roster = current()
    rows = (_prepared(form, roster, source_id, at=at) for form in forms)
    return [row if isinstance(row, InvalidLead) else None for row in rows]


def _take(
    forms: Sequence[Form],
    source_id: int | None,
    at: datetime,
    render: Render,
    once: IdempotencyKey | None,
    version: int | None,
    *,
    distributed: bool,
) -> tuple[Results, Answer]:
    versions = iter([version])  # the second try reads the version anew

    @in_transaction
    def take() -> tuple[Results, Answer]:
        roster = current(next(versions, None))
        if source_id is None and "api" not in roster.source_by_code and not all(form.get("source") for form in forms):
            Source.objects.get_or_create(code="api", defaults={"title": "API", "channel": Source.Channel.API})
            roster = current()
        prepared = [_prepared(form, roster, source_id, at=at) for form in forms]
        valid = [row for row in prepared if not isinstance(row, InvalidLead)]
        if valid and once:
            _claim(once, at=at)
        before, verdicts = _enter(valid, roster, at=at, distributed=distributed) if valid else ({}, {})
        results = _results(prepared, before, verdicts, roster, at=at)
        status, answer = render(results)
        if valid and once:
            _once(once).update(status=status, answer=answer)
        return results, (status, answer)

    return take()


# --- Idempotency ---------------------------------------------------------------------------------------------------------


def _once(once: IdempotencyKey) -> Any:
    return IntakeRequest.objects.filter(owner=once.owner, route=once.route, key=once.key)


def _claim(once: IdempotencyKey, *, at: datetime) -> None:
    """Make the request ours; who sends it at the same time waits here, and is then told the answer."""
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


def _prepared(form: Form, roster: Roster, source_id: int | None, *, at: datetime) -> Row | InvalidLead:
    """Return the columns of the lead that the form becomes, and its person and company as they are compared."""
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
        "external_id": form.get("external_id") or None,
        "name": form.get("name") or "",
        "stage_id": stage.id,
        "score": 0,
        "budget": form.get("budget"),
        **{
            key: form.get(key) or ""
            for key in ("currency", "language", "country", "region", "postal_code", "product", "comment")
        },
        "tags": form.get("tags") or [],
        "utm": form.get("utm") or {},
        "fields": form.get("fields") or {},
        "arrived_unqualified": stage.kind == Stage.Kind.UNQUALIFIED,
        "arrived_at": form.get("arrived_at") or at,
        "created_at": at,
        "contact": {
            **{key: contact.get(key) or "" for key in ("name", "email", "phone", "chat")},
            "email_key": contact.get("email") and identity.normalise_email(contact["email"]),
            "phone_key": contact.get("phone") and identity.normalise_phone(contact["phone"], country),
            "chat_key": contact.get("chat") and identity.normalise_chat(contact["chat"]),
        },
        "company": {
            **{key: company.get(key) or "" for key in ("name", "domain")},
            "name_key": company.get("name") and identity.normalise_name(company["name"]),
            "domain_key": company.get("domain") and identity.normalise_domain(company["domain"]),
        },
    }
    errors = _unreachable(row)
    if errors:
        return InvalidLead(errors[0]["detail"], errors=errors)
    _tidy(row)
    facts = LeadFacts.of(row, contact=row["contact"], company=row["company"])
    row |= {"facts": facts, "rule": roster.rule_for(stage.id, "created", facts)}
    return row


def phone_country(form: Form, source: SourceFacts, roster: Roster) -> str | None:
    """Return the country of a number without a prefix: the lead's; only where the lead names none the source's, else the
    account's."""
    return form.get("country") or source.country or roster.account.country or None


def _tidy(row: Row) -> None:
    """Show addresses as they are compared, where they could be read; else as they were written."""
    contact = row["contact"]
    for key in ("email", "phone"):
        contact[f"{key}_key"] = contact[f"{key}_key"] or None
        contact[key] = contact[f"{key}_key"] or contact[key]
    contact["chat_key"] = contact["chat_key"] or None
    row["company"]["domain_key"] = row["company"]["domain_key"] or None


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
            detail=f"This is no {word} by which somebody can be reached.",
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


# --- Entering the stage --------------------------------------------------------------------------------------------------

# Known leads of the same source and number; the person and the company, found or made (migration 0002), in the order sent.
# What is found is left in a setting of the transaction as well, for the statement that gathers the candidates to return.
IDENTIFY = Statement(
    "identify",
    """
SELECT set_config('leadrouter.identified', json_agg(json_build_array(
    sent.position, known.id, contact.responsible_id, company.responsible_id,
    contact.id, contact.name, contact.email, contact.phone, contact.chat, company.id, company.name, company.domain))::text, true)
FROM json_to_recordset(%(sent)s) AS sent (
    position integer, source_id bigint, external_id text, contact_id uuid, name text, email text, phone text, chat text,
    email_key text, phone_key text, chat_key text, company_id uuid, company text, domain text, name_key text, domain_key text)
LEFT JOIN LATERAL (
    SELECT id FROM routing_lead WHERE source_id = sent.source_id AND external_id = sent.external_id LIMIT 1) AS known ON true
LEFT JOIN LATERAL (
    SELECT * FROM leadrouter_company(sent.company_id, sent.company, sent.domain, sent.name_key, sent.domain_key, %(at)s)
    WHERE known.id IS NULL OFFSET 0  -- asked before the function runs: a known lead changes nobody
) AS company ON true
LEFT JOIN LATERAL (
    SELECT * FROM leadrouter_contact(sent.contact_id, sent.name, sent.email, sent.phone, sent.chat,
        sent.email_key, sent.phone_key, sent.chat_key, company.id, %(at)s)
    WHERE known.id IS NULL OFFSET 0
) AS contact ON true
""",
    sent="json",
    at="timestamptz",
)


def _enter(
    rows: list[Row], roster: Roster, *, at: datetime, distributed: bool
) -> tuple[dict[UUID, UUID], dict[UUID, Verdict]]:
    """Write the leads, each with its decision; return which rows are known leads, and the verdicts on the others.

    However many triggers the leads come by: what they need is read once, under the locks of all their registries.
    """
    sent = {"sent": dumps(list(map(_sent, count(), rows))), "at": at}
    rules = list({row["rule"].id: row["rule"] for row in rows if row["rule"]}.values()) if distributed else []
    gathered = None
    if rules:  # then it is one round trip
        with _deciding(rules):
            gathered = gather_candidates(rules, roster, at=at, ahead=IDENTIFY, parameters=sent)
        found = gathered.identified
    else:
        [[found]] = run(IDENTIFY, **sent)
    before, new = _identified(rows, found)
    events = list(_fields_set(new.values(), at=at))
    by_trigger = [row for row in new.values() if row["rule"]]
    kept = [{**_columns(row), **IDLE} for row in new.values() if not row["rule"]]
    verdicts: dict[UUID, Verdict] = {}
    if gathered is None:  # the sweep will decide
        waits = {**IDLE, "state": Lead.State.WAITING.value}
        kept += [{**_columns(row), **waits, "trigger_id": row["rule"].id} for row in by_trigger]
    elif by_trigger:
        verdicts = _distributed(by_trigger, rules, roster, gathered, at=at)
    if kept:
        insert_leads(kept)
    if events:
        insert_events(events)
    return before, verdicts


def _fields_set(rows: Iterable[Row], *, at: datetime) -> Iterator[Row]:
    """Set the fields that triggers set on entering, and return what is told of it in the story of each lead."""
    for row in rows:
        rule = row["rule"]
        if rule is None or not rule.set_fields:
            continue
        data = change_of_fields(row["fields"], rule)
        row["fields"] = {**row["fields"], **rule.set_fields}
        row["facts"] = row["facts"]._replace(fields=row["fields"])
        if data:
            yield {"lead_id": row["id"], "at": at, "kind": LeadEvent.Kind.FIELDS_SET.value, "by_id": None, "data": data}


def _results(
    prepared: Sequence[Row | InvalidLead],
    before: Mapping[UUID, UUID],
    verdicts: Mapping[UUID, Verdict],
    roster: Roster,
    *,
    at: datetime,
) -> Results:
    """Return what became of each form; leads that were known already are told as they stand."""
    known = lead_documents(Lead.objects.filter(pk__in=before.values())) if before else []
    documents = {document["id"]: document for document in known}

    def result(row: Row | InvalidLead) -> IntakeResult | InvalidLead:
        if isinstance(row, InvalidLead):
            return row
        lead = before.get(row["id"])
        if lead is not None:
            return IntakeResult(lead_id=lead, created=False, document=documents[str(lead)])
        document = _document(row, verdicts.get(row["id"]), roster, at=at)
        return IntakeResult(lead_id=row["id"], created=True, document=document)

    return list(map(result, prepared))


IDLE = {"state": Lead.State.IDLE.value, "responsible_id": None, "trigger_id": None, "round": 1, "attempt": 0}


def _sent(position: int, row: Row) -> Row:
    """Return what IDENTIFY is told of a lead."""
    return {
        "position": position,
        "source_id": row["source_id"],
        "external_id": row["external_id"],
        **row["contact"],
        "contact_id": new_id(),
        "company_id": new_id(),
        "company": row["company"]["name"],
        "domain": row["company"]["domain"],
        "name_key": row["company"]["name_key"],
        "domain_key": row["company"]["domain_key"],
    }


def _identified(rows: list[Row], found: str | None) -> tuple[dict[UUID, UUID], dict[UUID, Row]]:
    """Return which rows are leads that exist (row id -> lead id), and those that are new, with their person and company."""
    before: dict[UUID, UUID] = {}
    new: dict[UUID, Row] = {}
    first: dict[tuple[int, str], UUID] = {}  # a number that comes twice in one request is one lead
    for position, existing, contact_owner, company_owner, *people in sorted(
        json.loads(found or "[]"), key=itemgetter(0)
    ):
        row = rows[position]
        contact, name, email, phone, chat, company, company_name, domain = people
        known = UUID(existing) if existing else None
        if row["external_id"]:
            known = known or first.setdefault((row["source_id"], row["external_id"]), row["id"])
        if known and known != row["id"]:
            before[row["id"]] = known
            continue
        row |= {
            "contact_id": contact and UUID(contact),
            "contact": {"name": name, "email": email, "phone": phone, "chat": chat},
            "company_id": company and UUID(company),
            "company": {"name": company_name, "domain": domain},
            "owners": {"contact": contact_owner, "company": company_owner},
        }
        new[row["id"]] = row
    return before, new


def _distributed(
    rows: list[Row], rules: Sequence[Rule], roster: Roster, gathered: Gathered, *, at: datetime
) -> dict[UUID, Verdict]:
    with _deciding(rules):
        distributed = distribute([_case(row, at=at) for row in rows], roster, at=at, gathered=gathered)
    record(distributed, roster, at=at, new={row["id"]: _columns(row) for row in rows})
    return {verdict.case.id: verdict for verdict in distributed.verdicts}


@contextmanager
def _deciding(rules: Sequence[Rule]) -> Iterator[None]:
    """Raise Undecided where decisions on new leads fail for no reason that another try would mend."""
    try:
        yield
    except (ConfigurationChanged, Refused, DatabaseError, InterfaceError):
        raise
    except Exception as error:  # whatever it is, a lead that was sent is kept
        triggers = ", ".join(str(rule.id) for rule in rules)
        logger.exception("trigger %s failed on new leads", triggers, extra={"action": "decision_failed"})
        raise Undecided from error


def _case(row: Row, *, at: datetime) -> Case:
    return Case(
        id=row["id"],
        terms=row["rule"],
        stage=row["stage_id"],
        score=row["score"],
        created_at=at,
        facts=row["facts"],
        contact=row["contact_id"],
        company=row["company_id"],
        owners=row["owners"],
    )


BESIDES = {"contact", "company", "owners", "facts", "rule"}  # what a row holds beside the columns of its lead


def _columns(row: Row) -> Row:
    return {key: value for key, value in row.items() if key not in BESIDES}


def _document(row: Row, verdict: Verdict | None, roster: Roster, *, at: datetime) -> Document:
    source, stage = roster.sources[row["source_id"]], roster.stages[row["stage_id"]]
    rule = row["rule"]
    state = state_of(verdict, at=at) if verdict else {**IDLE, **({"state": "waiting"} if rule else {})}
    person = roster.people[verdict.manager] if verdict and verdict.manager else None
    values = {
        **row,
        "source__code": source.code,
        "source__channel": source.channel,
        "stage__pipeline__code": stage.pipeline,
        "stage__code": stage.code,
        "state": state["state"],
        "responsible__user__email": person and person.email,
        "responsible__user__name": person and person.name,
        **{f"contact__{key}": row["contact"][key] for key in ("name", "email", "phone", "chat")},
        **{f"company__{key}": row["company"][key] for key in ("name", "domain")},
    }
    decision = (
        verdict
        and rule
        and {
            "trigger": rule.code,
            "reason": verdict.decision.reason.value,
            "registry": rule.registry_label,
            "at": at.isoformat().replace("+00:00", "Z"),
        }
    )
    return lead_document(values, accept_by=verdict.accept_by if verdict else None, decision=decision or None)
