"""The same person sends several times at the same moment, over real connections: one lead, whatever the order.

Each is tested again without the lock of the person, and must turn red then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest
from django.db import connection

from accounts.time import clock
from routing import audit
from routing.models import Activity, Decision, Lead, Source
from routing.services.intake import IntakeResult, take_lead, take_leads
from routing.services.stages import move_lead
from tests.factories import asking_acceptance, make_manager, make_pipeline, make_source, make_trigger, stage

from .interleaving import interleave, orders, sessions
from .test_concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)
CLIENTS = 8
ANA = {"name": "Ana Ruiz", "email": "ana@client.example"}


@pytest.fixture(autouse=True)
def landing() -> Source:
    make_pipeline()
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    return make_source()


def send(number: int = 0, *, source: Source, **facts: object) -> IntakeResult:
    form = {"name": "Demo", "comment": "Please call", "contact": ANA, **facts}
    return take_lead(form, source_id=source.pk, at=clock.now())


def make_known(source: Source) -> None:
    """Make Ana known, by a lead that is closed."""
    lead = send(source=source, comment="long ago", external_id="0")
    move_lead(lead.lead_id, stage("sales/lost").pk, at=clock.now())


def without_lock() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('leadrouter_sent_before'::regproc)")
        [text] = cursor.fetchone()
        assert " FOR NO KEY UPDATE" in text
        cursor.execute(text.replace(" FOR NO KEY UPDATE", ""))


@pytest.fixture
def unlocked():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('leadrouter_sent_before'::regproc)")
        [text] = cursor.fetchone()
    without_lock()
    yield
    with connection.cursor() as cursor:
        cursor.execute(text)


@pytest.mark.parametrize("is_known", [True, False])
def test_clicks_at_once_are_one_lead(landing, is_known):
    if is_known:
        make_known(landing)
    taken = at_once(partial(send, source=landing), times=CLIENTS, clients=CLIENTS)
    assert Counter(each.created for each in taken) == {True: 1, False: CLIENTS - 1}
    assert len({each.lead_id for each in taken}) == 1
    assert Lead.objects.filter(comment="Please call").count() == 1
    assert Activity.objects.filter(kind="repeat").count() == CLIENTS - 1
    assert Decision.objects.filter(lead__comment="Please call").count() == 1
    assert list(audit.violations()) == []


def test_without_the_lock_of_the_person_they_are_several(landing, unlocked):
    make_known(landing)
    leads = 0
    for number in range(5):  # until it happens
        at_once(lambda _, n=number: send(source=landing, comment=f"once {n}"), times=CLIENTS, clients=CLIENTS)
        leads = max(leads, Lead.objects.filter(comment=f"once {number}").count())
        if leads > 1:
            break
    assert leads > 1


def test_letters_at_once_are_one_lead_and_its_activities(landing):
    mailbox = make_source("mailbox", channel="mail")
    make_known(landing)
    taken = at_once(
        lambda n: send(source=mailbox, comment=f"letter {n}", external_id=f"<{n}@x>"), times=CLIENTS, clients=CLIENTS
    )
    assert Counter(each.created for each in taken) == {True: 1, False: CLIENTS - 1}
    assert Lead.objects.filter(source=mailbox).count() == 1
    assert Activity.objects.filter(kind="mail").count() == CLIENTS - 1


@pytest.mark.parametrize("has_open_lead", [True, False])
def test_one_letter_delivered_several_times_at_once_is_taken_once(landing, has_open_lead):
    mailbox = make_source("mailbox", channel="mail")
    if has_open_lead:
        send(source=landing, external_id="0")
    at_once(partial(send, source=mailbox, external_id="<1@x>"), times=CLIENTS, clients=CLIENTS)
    kept = (Lead.objects.filter(source=mailbox).count(), Activity.objects.count())
    assert kept == ((0, 1) if has_open_lead else (1, 0))


def test_lists_of_the_same_people_in_opposite_orders_do_not_wait_for_each_other(landing):
    people = [{"name": f"Person {n}", "email": f"p{n}@client.example"} for n in range(40)]
    take_leads(
        [{"contact": each, "comment": "long ago", "external_id": each["name"]} for each in people],
        source_id=landing.pk,
        at=clock.now(),
    )
    dead = deadlocks()

    def take_all(number: int) -> Counter[bool]:
        order: Callable[[list[dict[str, str]]], object] = reversed if number % 2 else list
        forms = [{"contact": each, "comment": "Please call"} for each in order(people)]  # type: ignore[attr-defined]
        return Counter(each.created for each in take_leads(forms, source_id=landing.pk, at=clock.now()))

    taken = sum(at_once(take_all, times=6, clients=6), Counter())
    assert taken == {True: 40, False: 200}
    assert deadlocks() == dead


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_in_every_order_of_their_steps_two_clicks_and_a_move_are_one_lead():
    """The move closes the lead that is there before, and takes no part in the click."""
    make_trigger("accepted", on_stage="sales/accepted", members=[], **asking_acceptance())
    mailbox = make_source("mailbox", channel="mail")
    with sessions(3) as lent:
        for number, order in enumerate(sorted(set(orders([2, 2, 2])))):
            person = {"name": "Bea", "email": f"bea{number}@client.example"}
            before = send(source=mailbox, contact=person, comment="first", external_id=f"<{number}@x>")
            click = partial(send, source=make_source(), contact=person, comment="second")
            close = partial(move_lead, before.lead_id, stage("sales/lost").pk, at=clock.now())
            assert interleave(lent, [click, click, close], order) == ["done"] * 3, order
            assert Lead.objects.filter(contact__points__text=person["email"], comment="second").count() == 1, order
    assert list(audit.violations()) == []
