"""What may be wrong with an installation, found by asking its parts, each with the way to mend it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

from django.conf import settings
from django.core.checks import ERROR, Tags, run_checks
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Min

from accounts.models import Account, Letter, Manager, User
from accounts.time import clock, schedules
from routing import audit
from routing.models import Lead, Offer, RefusedIntake, Trigger, waiting_since

from . import checks, health

MOST_SKEW = 2.0  # seconds between this host and PostgreSQL
OVERDUE_SECONDS = 60


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    about: str
    state: Literal["ok", "warning", "error"]
    says: str
    mend: str = ""

    def document(self) -> dict[str, str]:
        return asdict(self)


def examine(*, full: bool = False) -> Iterator[Finding]:
    """Yield a finding of each part. full: also read every decision, which takes minutes where there are millions."""
    yield from _settings()
    yield _time_zones()
    try:
        yield _database()
        yield _database_log()
        yield _migrations()
        yield _clock()
        yield _mail()
        for part in (_signs_of_life, _waiting, _configuration, lambda: _promises(full=full)):
            yield from part()
    except (DatabaseError, InterfaceError) as error:
        yield Finding(
            "database", "error", f"PostgreSQL refuses: {type(error).__name__}: {str(error).splitlines()[0]}",
            "Is DATABASE_URL right, and is the server up? Then: manage.py migrate",
        )  # fmt: skip
    yield _broker()


def _settings() -> Iterator[Finding]:
    found = [] if settings.DEBUG else run_checks(tags=[Tags.security], include_deployment_checks=True)
    if settings.DEBUG:
        yield Finding("settings", "error", "DEBUG is on: error pages show internals to everybody.", "Set DEBUG=false.")
    if not settings.HTTPS:
        yield Finding("settings", "warning", "HTTPS is off: passwords are sent unencrypted.", "Set HTTPS=true.")
    elif found:
        for message in found:
            state: Literal["warning", "error"] = "error" if message.level >= ERROR else "warning"
            yield Finding(
                "settings", state, f"{message.id}: {message.msg}", str(message.hint or "manage.py check --deploy")
            )
    if settings.HTTPS and not settings.DEBUG and not found:
        yield Finding("settings", "ok", "manage.py check --deploy finds nothing")


def _mail() -> Finding:
    if settings.EMAIL_BACKEND.endswith(("dummy.EmailBackend", "console.EmailBackend")):
        return Finding(
            "mail", "warning", "No mail server is set: nobody is told when their password or second factor is changed.",
            "Set EMAIL_URL, and DEFAULT_FROM_EMAIL.",
        )  # fmt: skip
    late = Letter.objects.filter(tries__gte=3).count()
    if late:
        return Finding("mail", "error", f"{late} letters were tried three times or more.", "Is EMAIL_URL right?")
    return Finding("mail", "ok", "a mail server is set")


def _time_zones() -> Finding:
    try:
        for name in ("Europe/Madrid", "America/Sao_Paulo", "Asia/Kolkata"):
            schedules.zone(name)
    except schedules.BadZone as error:
        return Finding("time zones", "error", str(error), "Run pip install -r requirements.txt; it includes tzdata.")
    return Finding("time zones", "ok", f"tzdata {version('tzdata')}")


def _database() -> Finding:
    started = time.monotonic()
    weakened = checks.unsafe_settings()
    milliseconds = (time.monotonic() - started) * 1_000
    if weakened:
        named = ", ".join(f"{name} = {value}" for name, value in weakened.items())
        return Finding(
            "database", "error", f"An acknowledged lead may be lost in a crash: {named}.",
            "ALTER SYSTEM RESET those; SELECT pg_reload_conf(); look for ALTER ROLE … SET, too.",
        )  # fmt: skip
    number = connection.pg_version  # type: ignore[attr-defined]
    if number < 140_000:
        return Finding("database", "error", f"PostgreSQL {number // 10_000} is too old.", "Use PostgreSQL 14 or newer.")
    said = f"PostgreSQL {number // 10_000}.{number % 10_000}, safe settings, answers in {milliseconds:.1f} ms"
    return Finding("database", "ok", said)


def _database_log() -> Finding:
    talkative = checks.talkative()
    if not talkative:
        return Finding("database log", "ok", "statements are logged without their values")
    named = ", ".join(f"{name} = {value}" for name, value in talkative.items())
    role = connection.settings_dict["USER"]
    return Finding(
        "database log", "warning", f"PostgreSQL logs statements with secrets and people in them: {named}.",
        " ".join(f"ALTER ROLE {role} SET {name} = '{checks.SILENT[name][0]}';" for name in talkative),
    )  # fmt: skip


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        names = ", ".join(f"{step.app_label}.{step.name}" for step, _ in waiting[:5])
        return Finding("migrations", "error", f"{len(waiting)} are not applied: {names}", "manage.py upgrade")
    return Finding("migrations", "ok", "all are applied")


def _clock() -> Finding:
    skew = (clock.now() - datetime.now(UTC)).total_seconds()
    if abs(skew) > MOST_SKEW:
        return Finding(
            "clock", "warning", f"This host is {abs(skew):.1f} s {'behind' if skew > 0 else 'ahead of'} PostgreSQL.",
            "Let chrony or systemd-timesyncd keep both. Leads follow PostgreSQL's clock, sign-in codes this host's.",
        )  # fmt: skip
    return Finding("clock", "ok", f"{abs(skew) * 1_000:.0f} ms from PostgreSQL's")


def _signs_of_life() -> Iterator[Finding]:
    mends = {
        "worker": "Start a worker: python -m celery -A leadrouter.celery worker … If one is running, see its log.",
        "sweep": "Check that worker and beat are running. Until then, run manage.py sweep.",
    }
    for name, check in health.check_heartbeats().items():
        age = check.get("age_seconds")
        said = "was never seen" if age is None else f"was seen {age:.0f} s ago"
        yield Finding(name, "ok" if check["ok"] else "error", said, "" if check["ok"] else mends[name])


def _waiting() -> Iterator[Finding]:
    at = clock.now()
    since = Lead.objects.waiting().aggregate(since=Min(waiting_since()))["since"]
    if since:
        yield Finding(
            "waiting leads", "warning",
            f"{Lead.objects.waiting().count()} leads wait; the longest for {(at - since).total_seconds() / 60:.0f} minutes.",
            "Somebody must be on duty and below the limit: see manage.py duty. The board says why each lead waits.",
        )  # fmt: skip
    else:
        yield Finding("waiting leads", "ok", "none")
    overdue = Offer.objects.open().filter(accept_by__lt=at).order_by("accept_by").first()
    late = (at - overdue.accept_by).total_seconds() if overdue else 0
    if late > OVERDUE_SECONDS:
        yield Finding("offers", "error", f"An offer is {late:.0f} s past its deadline.", "manage.py sweep")
    unsettled = RefusedIntake.objects.filter(settled_at=None).count()
    if unsettled:
        says = f"{unsettled} refused leads are not settled yet."
        yield Finding(
            "intake journal", "warning", says, "In the admin, under Intake journal, take them in again or settle them."
        )


def _configuration() -> Iterator[Finding]:
    if not Trigger.objects.exists():
        yield Finding(
            "configuration", "warning", "There is no trigger, so nobody gets any leads.", "manage.py config import"
        )
    if not Manager.objects.active().exists():
        yield Finding("configuration", "warning", "There is no active manager.", "Add managers in the admin.")
    if Account.objects.filter(second_factor=False).exists() and User.objects.filter(is_staff=True).exists():
        yield Finding(
            "second factor",
            "warning",
            "Staff can sign in with only a password.",
            "In the admin, under Account, turn on the second factor for staff.",
        )
    if settings.KEY_REQUESTS_PER_MINUTE == 0:
        yield Finding("limits", "warning", "API keys have no limit.", "Set KEY_REQUESTS_PER_MINUTE.")


def _promises(*, full: bool) -> Iterator[Finding]:
    broken = list(audit.violations(decisions=full)) if full else list(audit.impossible())
    if sums := audit.count_broken_sums():
        broken.append(f"{sums} ledgers do not add up")
    for sentence in broken:
        yield Finding("promises", "error", sentence, "Keep a backup and the logs, and report this to the developers.")
    for sentence in audit.over_limits():
        yield Finding(
            "limits of managers",
            "warning",
            sentence,
            "Leads were assigned by hand, or the limit was lowered. Reassign leads, or wait.",
        )
    if not broken:
        yield Finding(
            "promises", "ok", "kept" if full else "kept, as far as a check without reading every decision can tell"
        )


def _broker() -> Finding:
    check = health.check_broker()
    if check["ok"]:
        return Finding("broker", "ok", "Redis answers")
    return Finding("broker", "error", f"Redis does not answer: {check['error']}", "Is REDIS_URL right, and Redis up?")


def verdict(findings: list[Finding]) -> dict[str, Any]:
    states = {finding.state for finding in findings}
    worst = next(state for state in ("error", "warning", "ok") if state in states)
    return {"state": worst, "findings": [finding.document() for finding in findings]}
