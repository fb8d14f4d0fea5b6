"""The supervisors' board: who can take leads, what waits and why, what is on offer, who got what today."""

import pytest

from accounts.models import Pause
from accounts.services import mark_online, pause_manager
from accounts.time import clock
from routing.models import Offer
from tests.factories import (
    MINUTE,
    asking_acceptance,
    fresh,
    hold,
    make_manager,
    make_schedule,
    make_supervisor,
    make_trigger,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db

MOST_QUERIES = 24  # of one request, whatever stands before the page included


@pytest.fixture
def sue(client):
    supervisor = make_supervisor()
    client.force_login(supervisor)
    return supervisor


@pytest.fixture
def ann(sue):
    return make_manager("ann")


@pytest.fixture
def bob(sue):
    return make_manager("bob")


def board(client, **facts):
    response = client.get("/board/", **facts)
    assert response.status_code == 200
    return response.context["board"]


def text(client):
    return " ".join(client.get("/board/").content.decode().split())


def colleague(client, name):
    return next(c for c in board(client).managers if c.name == name)


def test_everybody_is_shown_as_they_are(client, ann, bob):
    make_manager("cid", schedule=make_schedule(weekly={}))
    make_manager("dan", active=False)
    pause_manager(bob, at=clock.now(), minutes=30, reason="Lunch")
    mark_online(ann.pk, at=clock.now() - 3 * MINUTE)
    found = {c.name: c for c in board(client).managers}
    assert {name: c.state for name, c in found.items()} == {
        "Ann": "ready", "Bob": "paused", "Cid": "off_duty", "Dan": "inactive",
    }  # fmt: skip
    assert (found["Bob"].paused_until, found["Bob"].pause_reason) == (Pause.objects.get().ends_at, "Lunch")
    assert (found["Ann"].online, found["Ann"].seen_minutes) == (True, 3)
    assert (found["Bob"].online, found["Bob"].seen_minutes) == (False, None)
    counts = board(client).counts
    assert (counts.ready, counts.paused, counts.off_duty, counts.online) == (1, 1, 1, 1)


def test_who_is_full_is_shown_with_the_figures(client, ann, bob):
    make_trigger(members=[ann, {"manager": bob, "limit": 3}], limit=2)
    hold(ann, 2)
    hold(bob, 2)
    assert [(full.trigger, full.words) for full in colleague(client, "Ann").full] == [("new-leads", "2 of 2 leads")]
    assert not colleague(client, "Bob").full
    assert board(client).counts.full == 1


def test_a_waiting_lead_is_shown_with_why_nobody_can_take_it_now(client, ann, bob):
    cid = make_manager("cid", skills={"language": ["fr"]})
    make_trigger(members=[ann, bob, cid], limit=1)
    pause_manager(ann, at=clock.now() - 10 * MINUTE)
    hold(bob)
    take(at=clock.now() - 5 * MINUTE, name="Late one", language="en")
    [waiting] = board(client).waiting
    assert (waiting.title, waiting.minutes) == ("Late one", 5)
    assert waiting.why == "Nobody can take it: 1 paused, 1 lacks a skill it needs, 1 full."
    Pause.objects.update(ended_at=clock.now())
    assert board(client).waiting[0].why == "It will be assigned within seconds."


def test_a_lead_that_everybody_let_go_says_so(client, ann):
    make_trigger(members=[ann], **asking_acceptance(10, max_attempts=1))
    lead = take(at=clock.now())
    client.force_login(ann.user)
    client.post(f"/me/leads/{lead.pk}/decline/")
    client.force_login(make_supervisor("sid"))
    assert "no attempts left" in board(client).waiting[0].why


def test_open_offers_are_shown_with_their_deadlines(client, ann):
    make_trigger(members=[ann], **asking_acceptance(10))
    take(at=clock.now(), name="On offer")
    [offer] = board(client).offers
    assert (offer.title, offer.manager, offer.seconds, offer.overdue) == ("On offer", "Ann", 600, False)
    Offer.objects.update(offered_at=clock.now() - 9 * MINUTE, accept_by=clock.now() - MINUTE)
    assert board(client).offers[0].overdue


def test_what_each_got_today_is_counted(client, ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(10))
    first, second, _ = take_some(3, at=clock.now())
    client.force_login(ann.user)
    client.post(f"/me/leads/{first.pk}/accept/")
    client.force_login(bob.user)
    client.post(f"/me/leads/{second.pk}/decline/")
    client.force_login(make_supervisor("sid"))
    found = {c.name: (c.received, c.taken, c.missed) for c in board(client).managers}
    assert found == {"Ann": (3, 1, 0), "Bob": (1, 0, 1)}


def test_a_supervisor_pauses_others_and_brings_them_back(client, sue, ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(10))
    lead = take(at=clock.now())
    assert client.post(f"/board/{ann.pk}/pause/", {"reason": "Training", "minutes": "60"}).url == "/board/"
    pause = Pause.objects.get()
    assert (pause.manager, pause.reason, pause.by, pause.ends_at - pause.started_at) == (
        ann,
        "Training",
        sue,
        60 * MINUTE,
    )
    assert fresh(lead).responsible == bob
    client.post(f"/board/{ann.pk}/resume/")
    assert Pause.objects.get().ended_at is not None
    assert "Ann has resumed." in text(client)


def test_a_length_that_is_no_number_pauses_nobody(client, ann):
    client.post(f"/board/{ann.pk}/pause/", {"minutes": "soon"})
    assert not Pause.objects.exists()


def test_the_board_is_for_supervisors(client):
    manager = make_manager("ann")
    client.force_login(manager.user)
    assert client.get("/board/").status_code == 403
    assert client.post(f"/board/{manager.pk}/pause/").status_code == 403
    assert not Pause.objects.exists()


def test_the_number_of_queries_grows_with_neither_leads_nor_managers(
    client, ann, django_assert_max_num_queries, django_assert_num_queries
):
    make_trigger(limit=200, **asking_acceptance(10))
    take_some(3, at=clock.now())
    live = {"headers": {"HX-Request": "true"}}
    client.get("/board/", **live)
    with django_assert_max_num_queries(MOST_QUERIES) as queries:
        client.get("/board/", **live)
    before = len(queries)
    for name in ("bob", "cid", "dot"):
        make_manager(name)
    take_some(120, at=clock.now())
    client.get("/board/", **live)
    with django_assert_num_queries(before):
        client.get("/board/", **live)


def test_many_are_shown_some_at_a_time(client, ann):
    make_trigger(members=[ann], **asking_acceptance(10))
    take_some(60, at=clock.now())
    found = board(client)
    assert (len(found.offers), found.offers_count) == (50, 60)
    assert len(board(client, data={"most": "100"}).offers) == 60


def test_the_board_gives_htmx_what_changes_only(client, ann):
    part = client.get("/board/", headers={"HX-Request": "true"})
    assert b"<html" not in part.content
    seen = {"seen": part.context["mark"]}
    assert client.get("/board/", seen, headers={"HX-Request": "true"}).status_code == 204
    hold(ann)
    assert client.get("/board/", seen, headers={"HX-Request": "true"}).status_code == 200
