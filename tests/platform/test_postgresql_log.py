"""The log of PostgreSQL: statements that fail are told without what is in them, which opens things or is personal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Letter
from leadrouter import doctor
from leadrouter.development import private_services
from routing.models import ApiKey, Contact, Lead
from tests.data import REPOSITORY
from tests.factories import MONDAY, make_contact, make_manager, make_trigger, make_user, take

LOG = private_services.LOGS / "postgresql.log"
CANARY = "canary-4f9d20c3a1"
LOCKED = (
    "accounts_user", "django_session", "otp_totp_totpdevice", "otp_static_staticdevice", "routing_contact", "accounts_letter",
    "routing_apikey", "routing_lead",
)  # fmt: skip

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not settings.DATABASES["default"]["ENGINE"].endswith(".private_postgresql"),
        reason="reads the log of the private PostgreSQL",
    ),
]


@pytest.fixture
def told() -> Iterator[Callable[[], str]]:
    """Return what PostgreSQL has logged since the test began."""
    began = LOG.stat().st_size

    def read() -> str:
        with LOG.open("rb") as log:
            log.seek(began)
            return log.read().decode(errors="replace")

    return read


@contextmanager
def another() -> Iterator[Any]:
    """Give another session of the database, in a transaction."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        yield other
        other.rollback()
    finally:
        other.close()


@contextmanager
def at_most(limit: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"SET {limit} = '20ms'")
        yield
        cursor.execute(f"SET {limit} = '10s'")


def test_statements_that_fail_are_told_without_their_values(told):
    user, contact = make_user("ann"), make_contact("ana@client.example")
    make_trigger(members=[make_manager("bob")])
    lead = take()
    session = import_module(settings.SESSION_ENGINE).SessionStore(CANARY)
    session["password_given"] = CANARY
    key = ApiKey(name=CANARY, scopes=["read"])
    whole = key.renew()
    user.password = contact.name = contact.phone = lead.comment = CANARY
    writes: list[Callable[[], object]] = [
        user.save,
        lambda: session.save(must_create=True),
        lambda: TOTPDevice.objects.create(user=user, name=CANARY, key=CANARY.encode().hex()),
        lambda: StaticDevice.objects.create(user=user, name=CANARY),
        contact.save,
        key.save,
        lead.save,
        lambda: Letter.objects.create(to=CANARY, subject=CANARY, body=CANARY, due_at=MONDAY),
    ]
    with another() as other, other.cursor() as theirs:
        theirs.execute(f"LOCK TABLE {', '.join(LOCKED)} IN EXCLUSIVE MODE")
        for write in writes:  # the lock is not given in time
            with at_most("lock_timeout"), pytest.raises(OperationalError):
                write()
    with pytest.raises(IntegrityError):  # a value that is there already
        make_contact("ana@client.example", name=CANARY)
    with pytest.raises(DatabaseError):  # the row that breaks a promise
        Lead.objects.filter(pk=lead.pk).update(comment=CANARY, state="nowhere")
    with at_most("statement_timeout"), connection.cursor() as cursor, pytest.raises(OperationalError):
        cursor.execute("SELECT pg_sleep(1), %s", [CANARY])
    said = told()
    assert said.count("ERROR:  ") >= len(writes) + 3, "that they fail is told"
    for secret in (CANARY, CANARY.encode().hex(), whole, "ana@client.example", key.digest):
        assert str(secret) not in said, said


def test_a_deadlock_is_told_without_the_statements(told):
    first, second = (make_contact(f"{name}@client.example") for name in ("ana", "bea"))
    failed: list[Exception] = []

    def cross(mine: Contact, then: Contact, barrier: threading.Barrier) -> None:
        with another() as other, other.cursor() as cursor:
            try:
                for contact in (mine, then):
                    cursor.execute("UPDATE routing_contact SET name = %s WHERE id = %s", [CANARY, contact.pk])
                    if contact is mine:
                        barrier.wait(10)
            except DatabaseError as error:
                failed.append(error)

    barrier = threading.Barrier(2)
    threads = [threading.Thread(target=cross, args=(*pair, barrier)) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1
    assert "deadlock detected" in told()
    assert CANARY not in told()


def test_the_doctor_says_what_a_log_would_tell():
    def found() -> doctor.Finding:
        return next(finding for finding in doctor.examine() if finding.about == "database log")

    assert found().state == "ok"
    for name, value in {
        "log_min_error_statement": "error",
        "log_error_verbosity": "default",
        "log_statement": "all",
    }.items():
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL {name} = '{value}'")
            finding = found()
        assert (finding.state, name in finding.says) == ("warning", True)
        assert f"SET {name}" in finding.mend


def test_what_the_containers_run_tells_as_little():
    compose = (REPOSITORY / "compose.yaml").read_text(encoding="utf-8")
    page = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")
    for name, value in private_services.LOGS_NO_VALUES.items():
        assert f"{name}={value}" in compose
        assert name in page
