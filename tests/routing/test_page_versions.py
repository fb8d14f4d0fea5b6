"""Pages that poll ask for their version first: it changes whenever what they show does, and costs little."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F

from accounts.models import Account, Manager, ScheduleException
from accounts.services import mark_online, pause_manager, resume_manager
from accounts.time import clock
from routing.models import Activity, Contact, ContactPoint, Lead, Offer, Registry
from routing.roster import current
from routing.screens.board import board_of
from routing.screens.desk import desk_of
from routing.screens.versions import board_version, desk_version
from routing.services.assignment import credit_back, reassign
from routing.services.offers import accept_offer, decline_offer
from routing.services.stages import move_lead
from routing.services.sweep import sweep
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    hold,
    make_account,
    make_contact,
    make_manager,
    make_registry,
    make_schedule,
    make_supervisor,
    make_trigger,
    stage,
    take,
)

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
Step = Callable[[datetime], object]


def team() -> tuple[Manager, Manager, Manager]:
    make_account(time_zone="Asia/Kathmandu", online_minutes=5)  # midnight is at 18:15 UTC
    ann = make_manager("ann", time_zone="America/Sao_Paulo")
    bob, cid = make_manager("bob", schedule=make_schedule()), make_manager("cid")
    make_trigger(members=[ann, bob], limit=4, **asking_acceptance(10), registry=make_registry("sales"))
    make_trigger("others", on_stage="sales/accepted", members=[bob, cid], online_only=True, limit=2)
    return ann, bob, cid


def last(state: str) -> Lead:
    return Lead.objects.filter(state=state).latest("created_at", "id")


def counted_lead() -> Any:
    counted = Lead.objects.filter(decisions__counted=True, decisions__chosen=F("responsible"))
    return counted.values_list("pk", flat=True)[0]


def heard(at: Any, *, kind: str) -> None:
    for lead in Lead.objects.filter(state="assigned"):
        Activity.objects.create(lead=lead, kind=kind, at=at, created_at=at, data={"comment": "When?"})


def steps(ann: Manager, bob: Manager, cid: Manager) -> Iterator[tuple[timedelta, Step]]:
    """Yield what happens, and how long after what happened before."""
    nothing: Step = lambda at: None  # noqa: E731
    yield SECOND, lambda at: take(at=at)
    yield SECOND, lambda at: take(at=at)
    yield (
        SECOND,
        lambda at: ContactPoint.objects.create(
            contact=Lead.objects.get(responsible=ann).contact, kind="phone", text="+34600111222", first_seen_at=at
        ),
    )
    yield SECOND, lambda at: Lead.objects.filter(responsible=ann).update(shares_with=[make_contact().pk])
    yield SECOND, lambda at: Contact.objects.filter(email="ana@client.example").update(name="Ana Ruiz")
    yield SECOND, lambda at: Offer.objects.open().update(accept_by=F("accept_by") + SECOND)  # a day off, say
    yield timedelta(seconds=5), nothing
    yield SECOND, lambda at: accept_offer(last("offered").pk, at=at)
    yield SECOND, lambda at: credit_back(counted_lead(), at=at)
    yield SECOND, lambda at: Contact.objects.filter(leads=last("assigned")).update(name="Somebody else")
    yield SECOND, lambda at: Lead.objects.filter(pk=last("assigned").pk).update(name="Another name", budget=7)
    yield 10 * MINUTE, nothing  # the other offer is overdue
    yield timedelta(seconds=5), lambda at: sweep(at=at)
    yield SECOND, lambda at: decline_offer(last("offered").pk, at=at, reason="no")
    yield 3 * MINUTE, nothing  # a lead waits for minutes
    yield SECOND, lambda at: pause_manager(ann, at=at, minutes=20, reason="lunch")
    yield SECOND, lambda at: pause_manager(cid, at=at)
    yield SECOND, lambda at: mark_online(cid.pk, at=at)
    yield 2 * MINUTE, nothing  # since they were seen
    yield 4 * MINUTE, nothing  # no longer online
    yield SECOND, lambda at: resume_manager(cid, at=at)
    yield 15 * MINUTE, nothing  # the pause ends by itself
    yield SECOND, lambda at: move_lead(last("assigned").pk, stage("sales/accepted").pk, at=at)
    yield SECOND, lambda at: hold(bob, 4)
    yield SECOND, lambda at: hold(ann, 3)
    yield SECOND, lambda at: Lead.objects.filter(pk=last("assigned").pk).update(name="Renamed")
    yield SECOND, lambda at: reassign(last("assigned").pk, cid.pk, at=at)
    yield SECOND, lambda at: heard(at, kind="repeat")  # the desk does not tell that
    yield SECOND, lambda at: heard(at, kind="mail")
    yield SECOND, lambda at: Account.objects.update(online_minutes=10)
    yield (
        MINUTE,
        lambda at: ScheduleException.objects.create(
            manager=ann, kind="off", first_day=at.date() + DAY, last_day=at.date() + DAY
        ),
    )
    yield SECOND, lambda at: Registry.objects.filter(code="sales").update(accounting="totals", reset="day")
    yield SECOND, lambda at: take(at=at)
    yield SECOND, lambda at: Offer.objects.all().delete()
    for _ in range(30):
        yield HOUR / 2 + 7 * MINUTE, nothing  # shifts begin and end, days begin in three zones


def test_whenever_the_desk_or_the_board_changes_its_version_does():
    ann, bob, cid = team()
    at, changes = MONDAY, [0, 0]
    pages: list[tuple[Callable[[Any], str], Callable[[Any], object]]] = [
        (
            lambda roster: desk_version(fresh_manager(ann), roster, at=at, leads=3, decisions=3),
            lambda roster: desk_of(fresh_manager(ann), roster, at=at, leads=3, decisions=3),
        ),
        (lambda roster: board_version(roster, at=at, most=3), lambda roster: board_of(roster, at=at, most=3)),
    ]
    before = [(version(current()), repr(page(current()))) for version, page in pages]
    for number, (later, step) in enumerate(steps(ann, bob, cid)):
        at += later
        step(at)
        for place, (version, page) in enumerate(pages):
            roster = current()
            now = version(roster), repr(page(roster))
            if now[1] != before[place][1]:
                changes[place] += 1
                assert now[0] != before[place][0], (number, place, now[1], before[place][1])
            before[place] = now
    assert changes[0] > 25, "the steps change what is shown"
    assert changes[1] > 30


def fresh_manager(manager: Manager) -> Manager:
    return Manager.objects.select_related("user", "schedule").get(pk=manager.pk)


def test_while_nothing_happens_the_version_stays():
    ann, _, _ = team()
    take(at=MONDAY)
    for page in (
        lambda at: desk_version(fresh_manager(ann), current(), at=at, leads=30, decisions=8),
        lambda at: board_version(current(), at=at, most=50),
    ):
        assert len({page(MONDAY + timedelta(seconds=5 * n)) for n in range(12)}) == 1


# The polls


def poll(client: Any, address: str, seen: str) -> Any:
    return client.get(address, {"seen": seen}, headers={"HX-Request": "true"})


@pytest.mark.parametrize(("address", "most"), [("/me/", 8), ("/board/", 8)])
def test_a_poll_that_answers_nothing_new_asks_little(client, django_assert_max_num_queries, address, most):
    ann = make_manager("ann")
    make_trigger(members=[ann], **asking_acceptance(10))
    for _ in range(3):
        take(at=clock.now())
    client.force_login(ann.user if address == "/me/" else make_supervisor())
    mark = client.get(address, headers={"HX-Request": "true"}).context["mark"]
    mark = poll(client, address, mark).get("X-Seen") or mark  # the first request was seen
    with django_assert_max_num_queries(most):
        assert poll(client, address, mark).status_code == 204


def test_a_page_that_looks_as_before_is_told_its_new_version(client):
    ann = make_manager("ann")
    client.force_login(ann.user)
    mark = client.get("/me/", headers={"HX-Request": "true"}).context["mark"]
    make_manager("bob")  # a new version of the configuration, nothing of which is shown
    answer = poll(client, "/me/", mark)
    assert (answer.status_code, answer["X-Seen"].split(".")[0]) == (204, mark.split(".")[0])
    assert answer["X-Seen"] != mark
    again = poll(client, "/me/", answer["X-Seen"])
    assert (again.status_code, "X-Seen" in again) == (204, False)


@pytest.mark.parametrize("seen", ["", ".", "nonsense", "a.b.c", "\x00"])
def test_a_mark_that_is_none_gets_the_page(client, seen):
    ann = make_manager("ann")
    client.force_login(ann.user)
    assert poll(client, "/me/", seen).status_code == 200
