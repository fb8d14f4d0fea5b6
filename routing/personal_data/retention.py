"""How long rows are kept that serve for a while only, and that they go, some at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.history import audit_trail
from accounts.models import AuditEntry, OnlineTime
from routing.models import Activity, Contact, ContactPoint, ImportRow, IntakeRequest, Lead, Merge, RefusedIntake

from .people import person_of
from .rights import erase_person

BATCH = 1_000
PEOPLE = 100  # erased in one run
LEAST_AUDIT_DAYS = 90  # what the database allows


@dataclass(frozen=True)
class Retention:
    """Rows that are deleted so many days after they came."""

    name: str
    setting: str  # of the days; 0: they stay
    rows: Callable[[datetime], QuerySet[Any]]  # those of before an instant
    least_days: int = 1


RETENTIONS = (
    Retention("intake journal", "JOURNAL_DAYS", lambda before: RefusedIntake.objects.filter(at__lt=before)),
    Retention(
        "idempotency keys", "IDEMPOTENCY_DAYS", lambda before: IntakeRequest.objects.filter(created_at__lt=before), 7
    ),
    Retention("rows of imports", "IMPORT_DAYS", lambda before: ImportRow.objects.filter(batch__finished_at__lt=before)),
    Retention("sessions", "SESSION_DAYS", lambda before: Session.objects.filter(expire_date__lt=before)),
    Retention("sign-in failures", "SIGN_IN_DAYS", lambda before: AccessAttempt.objects.filter(attempt_time__lt=before)),
    Retention("admin log", "ADMIN_LOG_DAYS", lambda before: LogEntry.objects.filter(action_time__lt=before)),
    Retention("online times", "ONLINE_DAYS", lambda before: OnlineTime.objects.filter(seen_at__lt=before)),
    Retention("audit trail", "AUDIT_DAYS", lambda before: AuditEntry.objects.filter(at__lt=before), LEAST_AUDIT_DAYS),
)


def prune(*, at: datetime, seconds: float = 30) -> dict[str, int]:
    """Remove what was kept long enough, for so many seconds; return the rows by what they were. Safe to run twice."""
    until = monotonic() + seconds
    removed = {each.name: _remove(each, at=at, until=until) for each in RETENTIONS}
    old = Merge.objects.filter(at__lt=at - Merge.UNDONE_WITHIN).exclude(moved={})
    removed["merges that can no longer be undone"] = old.update(moved={})
    removed["people"] = _forget_people(at=at, until=until)
    removed = {name: rows for name, rows in removed.items() if rows}
    if removed:
        audit_trail.note(AuditEntry.Action.PRUNED, at=at, rows=removed)
    return removed


def _remove(retention: Retention, *, at: datetime, until: float) -> int:
    days = settings.RETENTION[retention.setting]
    if not days:
        return 0
    old = retention.rows(at - timedelta(days=max(days, retention.least_days))).order_by("pk")
    removed = 0
    while monotonic() < until:
        # A batch is a statement of its own: nobody waits behind it, and what is done is done.
        rows = old.model._default_manager.filter(pk__in=list(old.values_list("pk", flat=True)[:BATCH]))
        count = rows.delete()[0]
        removed += count
        if count < BATCH:
            break
    return removed


def _forget_people(*, at: datetime, until: float) -> int:
    """Erase contacts of whom nothing was heard for long and with whom nothing is under way."""
    days = settings.RETENTION["PERSON_DAYS"]
    if not days:
        return 0
    before = at - timedelta(days=days)
    theirs = Lead.objects.filter(contact=OuterRef("pk"))
    heard = Exists(Activity.objects.filter(lead=OuterRef("pk"), created_at__gte=before))
    alive = theirs.filter(Q(created_at__gte=before) | Q(stage__kind__in=["unqualified", "open"]) | heard)
    known = Exists(ContactPoint.objects.filter(contact=OuterRef("pk"))) | ~Q(name="")
    forgotten = 0
    for contact in Contact.objects.filter(~Exists(alive), known, created_at__lt=before).order_by("pk")[:PEOPLE]:
        if monotonic() >= until:
            break
        erase_person(person_of([contact]), at=at)
        forgotten += 1
    return forgotten
