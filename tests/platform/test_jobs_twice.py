"""Every job is safe to run twice, one after the other and at once. A new job without a case here fails the test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import connections
from django.db.models import F

from accounts.models import Letter
from accounts.security import letters
from accounts.time import clock
from leadrouter.celery import app
from routing import audit, tasks
from routing.models import (
    ContactTraits,
    Decision,
    HandedLead,
    HandOver,
    Heartbeat,
    ImportRow,
    IntakeRequest,
    Lead,
    Ledger,
    Offer,
    PossibleDuplicate,
    Setback,
    SweepBatch,
)
from routing.services.imports import keep_table, start_import
from routing.spreadsheets.reading import read_table
from tests.conftest import empty_tables
from tests.factories import (
    DAY,
    HOUR,
    asking_acceptance,
    make_contact,
    make_lead,
    make_manager,
    make_source,
    make_trigger,
    make_user,
    stage,
    take_some,
)

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class Case:
    """What is there before a job, with which arguments it is called, and what must be the same however often it ran."""

    prepare: Callable[[], tuple[Any, ...]]
    state: Callable[[], object]


def leads_to_sweep() -> tuple[Any, ...]:
    people = [make_manager(name) for name in ("ann", "bob", "cid")]
    trigger = make_trigger(members=people, **asking_acceptance(10))
    past = clock.now() - HOUR
    take_some(12, at=past)  # all out of time
    for _ in range(12):
        make_lead(state="waiting", trigger=trigger, created_at=past, arrived_at=past)
    return ()


def swept() -> object:
    """Return what does not depend on who came first: two sweeps may part the leads otherwise than one."""
    return (
        Counter(Lead.objects.values_list("state", "responsible__user__name")),
        Counter(Offer.objects.values_list("outcome", flat=True)),
        Counter(Decision.objects.values_list("reason", flat=True)),
        [sorted(row.received) for row in Ledger.objects.all()],
        Setback.objects.count() + SweepBatch.objects.count(),
    )


def a_table_to_import() -> tuple[Any, ...]:
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    data = b"email\n" + b"".join(b"client%d@client.example\n" % number for number in range(30))
    batch = keep_table(read_table(data), data, file_name="leads.csv", at=clock.now(), by=None, language="en")
    start_import(batch, source=make_source(), stage=stage("sales/new"), at=clock.now())
    return (batch.pk,)


def imported() -> object:
    return (
        Counter(ImportRow.objects.values_list("outcome", flat=True)),
        Counter(Lead.objects.values_list("responsible__user__name", flat=True)),
        Decision.objects.count(),
    )


def leads_to_hand_over() -> tuple[Any, ...]:
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    for _ in range(30):
        make_lead(state="assigned", responsible=ann, trigger=trigger)
    return (str(HandOver.objects.create(manager=ann, at=clock.now(), leads=30).pk),)


def handed_over() -> object:
    return (
        Counter(HandedLead.objects.values_list("to__user__name", flat=True)),
        Counter(Lead.objects.values_list("responsible__user__name", flat=True)),
        Decision.objects.count(),
        HandOver.objects.filter(finished_at=None).count(),
    )


def rows_to_prune() -> tuple[Any, ...]:
    for number, days in enumerate((1, 3_000, 4_000)):
        IntakeRequest.objects.create(
            owner="account", route="lead", key=f"key-{number}", fingerprint="f", created_at=clock.now() - days * DAY
        )
    return ()


def letters_to_send() -> tuple[Any, ...]:
    for name in ("ann", "bob"):
        letters.tell(make_user(name), letters.LetterKind.PASSWORD, at=clock.now())
    return ()


def contacts_to_compare() -> tuple[Any, ...]:
    for number in range(6):
        contact = make_contact(f"{number}@client.example", name=("Rosa Gómez", "GOMEZ, ROSA")[number % 2])
        make_lead(contact=contact, postal_code=f"2801{number // 2}")
    return ()


def compared() -> object:
    return (
        sorted(ContactTraits.objects.values_list("contact__email", "leads", "stale")),
        sorted((*sorted((row.one.email, row.other.email)), row.reasons) for row in PossibleDuplicate.objects.all()),
    )


CASES = {
    "accounts.tasks.send_letters": Case(letters_to_send, Letter.objects.count),
    "routing.tasks.find_duplicates": Case(contacts_to_compare, compared),
    "routing.tasks.sweep": Case(leads_to_sweep, swept),
    "routing.tasks.run_hand_over": Case(leads_to_hand_over, handed_over),
    "routing.tasks.run_import": Case(a_table_to_import, imported),
    "routing.tasks.prune": Case(rows_to_prune, lambda: list(IntakeRequest.objects.values_list("key", flat=True))),
    "leadrouter.worker_heartbeat": Case(lambda: (), lambda: list(Heartbeat.objects.values_list("name"))),
}


def jobs() -> list[str]:
    app.loader.import_default_modules()
    return sorted(name for name in app.tasks if not name.startswith("celery."))


def at_once(job: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    barrier = Barrier(2)

    def run(_: int) -> None:
        barrier.wait(30)
        try:
            job(*arguments)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))


def test_every_job_has_a_case() -> None:
    assert jobs() == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_job_that_runs_twice_comes_to_the_same_as_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job, case = app.tasks[name], CASES[name]
    monkeypatch.setattr(type(job), "delay", lambda self, *arguments: None)  # who rings for more would reach a broker
    arguments = case.prepare()
    job(*arguments)
    once = case.state()
    job(*arguments)
    assert case.state() == once
    empty_tables()
    arguments = case.prepare()
    at_once(job, arguments)
    job(*arguments)  # what two left to each other
    assert case.state() == once
    assert list(audit.violations()) == []


def test_a_job_that_is_not_safe_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CASES, "routing.tasks.sweep", Case(leads_to_sweep, lambda: Decision.objects.count()))
    real = tasks.sweep_now

    def careless(*, at: datetime) -> None:
        Offer.objects.open().update(accept_by=F("offered_at"))  # as if nobody had looked at the deadline
        real(at=at)

    monkeypatch.setattr(tasks, "sweep_now", careless)
    with pytest.raises(AssertionError):
        test_a_job_that_runs_twice_comes_to_the_same_as_once("routing.tasks.sweep", monkeypatch)
