"""A trigger tried on a lead that is not there: who would get it and why. Decided as a real one is, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from accounts.people.preferences import zone_beside
from accounts.time.availability import Stretch, pauses_at

from ..candidates import gather_candidates
from ..engine import LEAD, Candidate, Case, LeadFacts, Reason, Verdict, run
from ..intake import identity
from ..intake.placeholders import Placeholders
from ..models import Company, Contact, ContactPoint, Lead, new_id
from ..prepared_statements import Statement
from ..prepared_statements import run as run_statements
from ..roster import Roster, TriggerTerms
from ..wording import explanations
from .desk import candidate_facts

OPEN_LEAD = Statement(
    "open_lead",
    "SELECT leadrouter_open_lead(%(person)s, %(at)s, %(hours)s)",
    person="uuid",
    at="timestamptz",
    hours="integer",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A candidate of the trial."""

    name: str
    chosen: bool
    eligible: bool
    words: str
    coefficient: int
    held: int
    limit: int | None
    before: float  # leads
    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What would happen."""

    words: str
    chosen: str  # "" nobody
    reason: str
    accept_by: datetime | None
    rows: tuple[Row, ...]
    others_wait: bool  # older leads would come first
    open_lead: str = ""  # of which a lead by some sources would be an activity
    sources: str = ""  # these sources


def try_on(trigger: TriggerTerms, roster: Roster, sample: Mapping[str, Any], *, at: datetime) -> Outcome:
    """Decide the sample by the trigger as if it came at the instant, by the numbers that stand in the database now.

    sample: the fields of a lead, and `email`, `phone`, `domain` to know old customers by; the phone as by a source
    without a country of its own.
    Raises ConfigurationChanged when the configuration has changed since the roster was read.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")  # the database itself refuses to write now
        case = _case(trigger, sample, roster, at=at)
        gathered = gather_candidates([trigger], roster, at=at, lock=False)
        others_wait = bool(gathered.others_wait)
        [verdict] = run([case], gathered.teams, at=at)
        pauses = pauses_at(at)
        open_lead = _open_lead(case.contact, roster, at=at)
    outcome = _outcome(verdict, trigger, roster, pauses, others_wait=others_wait, at=at)
    return replace(outcome, open_lead=open_lead, sources=_activity_sources(roster)) if open_lead else outcome


def _activity_sources(roster: Roster) -> str:
    return ", ".join(source.code for source in roster.sources.values() if source.active and source.takes_activities)


def _open_lead(contact: UUID | None, roster: Roster, *, at: datetime) -> str:
    """Return the lead of which something from the contact would be an activity, where a source takes it so."""
    hours = roster.account.repeat_hours
    if contact is None or not hours or not _activity_sources(roster):
        return ""
    [[found]] = run_statements(OPEN_LEAD, person=contact, at=at, hours=hours)
    return str(Lead.objects.select_related("contact", "company").get(pk=found)) if found else ""


def _case(trigger: TriggerTerms, sample: Mapping[str, Any], roster: Roster, *, at: datetime) -> Case:
    contact = _find_contact(sample, sample.get("country") or roster.account.country or None, roster.placeholders)
    company = _find_company(sample, roster.placeholders)
    return Case(
        id=new_id(),
        terms=trigger,
        stage=trigger.stage,
        score=0,
        created_at=at,
        facts=facts_of(sample),
        contact=contact.pk if contact else None,
        company=company.pk if company else None,
        owners={
            "contact": contact.responsible_id if contact else None,
            "company": company.responsible_id if company else None,
        },
    )


def facts_of(sample: Mapping[str, Any]) -> LeadFacts:
    """Return what a trigger sees of the sample."""
    return LeadFacts.of(
        sample, contact={key: sample.get(key) for key in ("email", "phone")}, company={"domain": sample.get("domain")}
    )


def _find_contact(sample: Mapping[str, Any], country: str | None, nobody: Placeholders) -> Contact | None:
    """Return the contact by e-mail, else by phone, as intake does; a sample has no name to compare."""
    phone = identity.read_phone(sample.get("phone") or "", country)
    email = identity.normalise_email(sample.get("email") or "")
    keys = {
        "email": email if email and not nobody.of_email(email) else None,
        "phone": phone.key if phone and not nobody.of_phone(phone.key) else None,
    }
    for kind, key in keys.items():
        point = (
            ContactPoint.objects.filter(kind=kind, key=key, shared=False).select_related("contact").first()
            if key
            else None
        )
        if point:
            return point.contact
    return None


def _find_company(sample: Mapping[str, Any], nobody: Placeholders) -> Company | None:
    key = identity.normalise_domain(sample.get("domain") or "")
    return Company.objects.filter(domain_key=key).first() if key and not nobody.of_domain(key) else None


def _outcome(
    verdict: Verdict,
    trigger: TriggerTerms,
    roster: Roster,
    pauses: Mapping[int, Stretch],
    *,
    others_wait: bool,
    at: datetime,
) -> Outcome:
    decision, zone = verdict.decision, roster.zone
    seen = [
        _candidate_facts(c, refusal, after, verdict, trigger, roster, pauses, at=at)
        for c, refusal, after in zip(verdict.candidates, decision.refusals, decision.balances, strict=True)
    ]
    rows = [
        _row(s, c.balance, after, reason=decision.reason, at=at, zone=zone)
        for s, c, after in zip(seen, verdict.candidates, decision.balances, strict=True)
    ]
    return Outcome(
        words=explanations.would_be(seen, reason=decision.reason),
        chosen=next((s.name for s in seen if s.chosen), ""),
        reason=decision.reason.value,
        accept_by=verdict.accept_by,
        rows=tuple(sorted(rows, key=lambda row: (not row.chosen, not row.eligible))),
        others_wait=others_wait,
    )


def _candidate_facts(
    c: Candidate,
    refusal: Reason | None,
    after: int,
    verdict: Verdict,
    trigger: TriggerTerms,
    roster: Roster,
    pauses: Mapping[int, Stretch],
    *,
    at: datetime,
) -> explanations.CandidateFacts:
    chosen = c.manager == verdict.manager
    owed = after + (LEAD if chosen and verdict.counted else 0)  # their share of this lead included, before anybody paid
    by_share = verdict.decision.reason is Reason.FAIR_SHARE
    seen = candidate_facts(c, trigger, roster, pauses.get(c.manager), at=at, refusal=refusal)
    return replace(seen, refusal=refusal, chosen=chosen, owed=owed if by_share else c.balance)


def _row(
    seen: explanations.CandidateFacts, before: int, after: int, *, reason: Reason, at: datetime, zone: ZoneInfo
) -> Row:
    return Row(
        name=seen.name,
        chosen=seen.chosen,
        eligible=seen.refusal is None,
        words=explanations.why(seen, reason=reason, at=at, zone=zone, beside=zone_beside()),
        coefficient=seen.coefficient,
        held=seen.held,
        limit=seen.limit,
        before=before / LEAD,
        after=after / LEAD,
    )
