"""What a signed-in manager sends to the pages of another's offers, leads and pauses: refused, and nothing changes."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import Manager, Pause
from accounts.services import pause_manager
from accounts.time import clock
from accounts.time.feeds import feed_path
from routing.links import SIGNER, accept_path
from routing.models import Lead, Offer
from routing.services.offers import accept_offer, decline_offer
from tests.factories import (
    asking_acceptance,
    make_lead,
    make_manager,
    make_supervisor,
    make_task,
    make_trigger,
    open_offer,
    take,
)
from tests.permissions import changed, rows, snapshot

pytestmark = pytest.mark.django_db

DESK = [row.route for row in rows() if row.method == "POST" and row.route.startswith(("me/", "board/", "accept/"))]
OF_A_LEAD = [route for route in DESK if "<uuid:lead_id>" in route]
OF_ONESELF = [route for route in DESK if route.startswith("me/") and route not in OF_A_LEAD]
OF_THE_BOARD = [route for route in DESK if route.startswith("board/")]
SENT = {"reason": "mine", "stage": "sales/accepted", "minutes": "5", "back": "lead"}


@pytest.fixture
def ann() -> Manager:
    return make_manager("ann")


@pytest.fixture
def bob() -> Manager:
    return make_manager("bob")


@pytest.fixture
def as_bob(bob) -> Client:
    client = Client()
    client.force_login(bob.user)
    client.get("/me/")
    return client


@pytest.fixture
def offered(ann) -> Lead:
    """Return a lead that is offered to Ann, who is alone in the trigger."""
    make_trigger(members=[ann], **asking_acceptance())
    return take(at=clock.now())


def test_every_address_of_the_desk_is_tried_here():
    assert set(OF_A_LEAD) | set(OF_ONESELF) | set(OF_THE_BOARD) | {"accept/<str:token>/"} == set(DESK)


@pytest.mark.parametrize("route", OF_A_LEAD)
@pytest.mark.parametrize("state", ["offered", "assigned", "nobody's", "unknown"])
def test_a_lead_of_another_is_not_found_whatever_is_sent(as_bob, offered, ann, bob, route, state):
    lead_id = offered.pk
    make_task(offered, responsible=ann)
    if state == "assigned":
        accept_offer(offered.pk, at=clock.now())
    elif state == "nobody's":
        lead_id = make_lead().pk
    elif state == "unknown":
        lead_id = uuid4()
    sent = SENT | {"manager": bob.pk, "responsible": bob.pk, "lead_id": str(offered.pk), "by": ann.user.pk}
    before = snapshot()
    for headers in ({}, {"hx-request": "true"}):
        answer = as_bob.post("/" + route.replace("<uuid:lead_id>", str(lead_id)), sent, headers=headers)
        assert answer.status_code == 404
        assert "Demo" not in answer.content.decode()
    assert changed(before, snapshot()) == []


@pytest.mark.parametrize("route", OF_A_LEAD)
def test_a_lead_that_was_once_offered_to_somebody_is_theirs_no_more(as_bob, ann, bob, route):
    make_trigger(members=[bob, ann], **asking_acceptance())
    lead = take(at=clock.now())
    if lead.responsible == ann:
        decline_offer(lead.pk, at=clock.now())
        lead = take(at=clock.now())
    decline_offer(lead.pk, at=clock.now())
    assert open_offer(lead).manager == ann
    before = snapshot()
    answer = as_bob.post("/" + route.replace("<uuid:lead_id>", str(lead.pk)), SENT, follow=True)
    assert "This lead is no longer yours" in answer.content.decode()
    assert changed(before, snapshot()) == []


@pytest.mark.parametrize("route", OF_ONESELF)
def test_what_is_done_to_oneself_is_done_to_nobody_else(as_bob, offered, ann, bob, route):
    pause_manager(ann, at=clock.now(), minutes=30, by=ann.user)
    theirs, feed = list(Pause.objects.filter(manager=ann).values()), feed_path(ann)
    for name in ("manager", "manager_id", "user", "email", "id", "pk", "object_id"):
        for value in (ann.pk, ann.user.pk, ann.user.email):
            as_bob.post(f"/{route}?{name}={value}", SENT | {name: value})
    assert list(Pause.objects.filter(manager=ann).values()) == theirs
    assert feed_path(Manager.objects.get(pk=ann.pk)) == feed
    assert open_offer(offered).manager == ann


@pytest.mark.parametrize("route", OF_THE_BOARD)
def test_the_board_is_forbidden_to_managers_for_themselves_too(as_bob, ann, bob, route):
    for manager in (ann, bob):
        pause_manager(manager, at=clock.now(), minutes=30, by=manager.user)
    before = snapshot()
    for manager in (ann.pk, bob.pk, 10**6):
        answer = as_bob.post("/" + route.replace("<int:manager_id>", str(manager)), SENT)
        assert answer.status_code == 403
    assert changed(before, snapshot()) == []


def test_a_link_of_ones_own_offer_opens_no_other(as_bob, offered, ann, bob):
    """Bob has a link that is signed, and knows how links are made; the key he has not."""
    make_trigger("bobs", on_stage="partners/new", members=[bob], **asking_acceptance())
    own, theirs = open_offer(take(at=clock.now(), pipeline="partners")), open_offer(offered)
    token = accept_path(own).split("/")[2]
    signature = token.rpartition(":")[2]
    forged = [f"{SIGNER.sign_object([theirs.pk, manager.pk]).rpartition(':')[0]}:{signature}" for manager in (ann, bob)]
    crossed = [SIGNER.sign_object([theirs.pk, bob.pk]), SIGNER.sign_object([own.pk, ann.pk])]
    calendar = feed_path(bob).removeprefix("/calendar/").removesuffix(".ics")
    before = snapshot()
    for tried in (*forged, *crossed, calendar, json.dumps([theirs.pk, ann.pk])):
        assert as_bob.post(f"/accept/{tried}/").status_code == 404
    assert changed(before, snapshot()) == []
    assert as_bob.post(accept_path(own)).status_code == 200


def test_a_supervisor_who_receives_no_leads_has_no_desk(offered):
    client = Client()
    client.force_login(make_supervisor("sue"))
    before = snapshot()
    for route in (*OF_A_LEAD, *OF_ONESELF):
        assert client.post("/" + route.replace("<uuid:lead_id>", str(offered.pk)), SENT).status_code == 403
    assert changed(before, snapshot()) == []
    assert Offer.objects.open().count() == 1
