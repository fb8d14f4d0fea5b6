"""The link that accepts an offer with one click: signed, for one offer and one manager, good until it closes."""

from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from accounts.models import Manager
from accounts.templatetags.moments import in_zone
from accounts.time import clock
from routing.links import accept_path
from routing.models import Lead, Offer
from routing.services.assignment import reassign
from routing.services.offers import accept_offer, decline_offer
from routing.services.sweep import sweep
from tests.factories import (
    DAY,
    MINUTE,
    asking_acceptance,
    fresh,
    make_account,
    make_manager,
    make_trigger,
    open_offer,
    outcomes,
    owners,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return make_manager("ann")


@pytest.fixture
def bob():
    return make_manager("bob")


@pytest.fixture
def lead(ann, bob):
    make_account(time_zone="Europe/Madrid")
    make_trigger(members=[ann, bob], **asking_acceptance())
    return take(at=clock.now(), name="Demo request", contact={"name": "Ana Ruiz", "phone": "+34600000001"})


@pytest.fixture
def link(lead):
    return accept_path(open_offer(lead))


def test_looking_at_the_link_accepts_nothing(client, lead, link):
    for method in (client.get, client.head):
        assert method(link).status_code == 200
    assert (fresh(lead).state, outcomes(lead)) == ("offered", [""])


def test_one_click_accepts_without_signing_in(lead, link, ann):
    answer = Client(enforce_csrf_checks=True).post(link)
    assert (answer.status_code, "This lead is yours" in answer.content.decode()) == (200, True)
    assert (fresh(lead).state, owners([lead]), outcomes(lead)) == ("assigned", "A", ["accepted"])
    assert "_auth_user_id" not in answer.client.session


def test_clicking_again_says_that_the_lead_is_theirs(client, lead, link):
    client.post(link)
    for answer in (client.post(link), client.get(link)):
        assert (answer.status_code, "This lead is yours" in answer.content.decode()) == (200, True)
    assert outcomes(lead) == ["accepted"]


def test_the_page_tells_nothing_of_the_customer(client, link):
    page = client.get(link).content.decode()
    assert "Demo request" in page
    assert "CET" in page or "CEST" in page
    assert "Ana" not in page
    assert "600" not in page


def test_times_are_those_of_the_manager_with_the_accounts_beside(client, lead, link, ann):
    until = Offer.objects.get().accept_by
    madrid, tokyo = (in_zone(until, ZoneInfo(zone), "j N H:i") for zone in ("Europe/Madrid", "Asia/Tokyo"))
    page = client.get(link).content.decode()
    assert f">{madrid}</time>" in page
    Manager.objects.filter(pk=ann.pk).update(time_zone="Asia/Tokyo")
    page = client.get(link).content.decode()
    assert f">{tokyo} <small>({madrid})</small></time>" in page


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        (lambda lead, bob: decline_offer(lead.pk, at=clock.now()), "You declined this lead"),
        (lambda lead, bob: reassign(lead.pk, bob.pk, at=clock.now()), "no longer offered to you"),
        (lambda lead, bob: sweep(at=clock.now() + DAY), "The time to accept this lead has run out"),
    ],
)
def test_a_link_of_an_offer_that_is_over_says_what_became_of_it(client, lead, link, bob, deed, words):
    deed(lead, bob)
    state = Lead.objects.values_list("state", "responsible").get()
    answer = client.post(link)
    assert words in answer.content.decode()
    assert "Bob" not in answer.content.decode()
    assert Lead.objects.values_list("state", "responsible").get() == state


def test_at_the_deadline_the_link_is_over_before_the_sweep_comes(client, lead, link):
    now = clock.now()
    Offer.objects.update(offered_at=now - 10 * MINUTE, accept_by=now)
    assert "<button>Accept" not in client.get(link).content.decode()
    answer = client.post(link)
    assert (answer.status_code, "The time to accept this lead has run out" in answer.content.decode()) == (409, True)
    assert (fresh(lead).state, outcomes(lead)) == ("offered", [""])


def test_a_link_does_not_accept_a_later_offer_of_the_same_lead(client, ann):
    make_trigger(members=[ann], **asking_acceptance(final_step="restart"))
    lead = take(at=clock.now())
    first = accept_path(open_offer(lead))
    decline_offer(lead.pk, at=clock.now())
    assert owners([lead]) == "A"
    client.post(first)
    assert outcomes(lead) == ["declined", ""]
    assert client.post(accept_path(open_offer(lead))).status_code == 200
    assert outcomes(lead) == ["declined", "accepted"]


def test_who_may_not_sign_in_cannot_accept_by_a_link(client, lead, link, ann):
    ann.user.is_active = False
    ann.user.save()
    assert client.post(link).status_code == 404
    assert outcomes(lead) == [""]


@pytest.mark.parametrize(
    "change", [lambda t: t[:-2] + ("AA" if t[-2:] != "AA" else "BB"), lambda t: "x" + t, lambda t: "nonsense"]
)
def test_a_link_that_was_tampered_with_does_not_work(client, lead, link, change):
    token = link.split("/")[-2]
    answer = client.post(f"/accept/{change(token)}/")
    assert (answer.status_code, "This link does not work" in answer.content.decode()) == (404, True)
    assert outcomes(lead) == [""]


def test_the_link_of_one_manager_is_no_link_of_another(client, lead, link, bob):
    accept_offer(lead.pk, at=clock.now())
    Offer.objects.filter(lead=lead).update(manager=bob)
    assert client.get(link).status_code == 404
