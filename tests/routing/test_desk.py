"""The manager's page: their leads and what they may do with them; nothing of other people's customers."""

import pytest
from django.utils.html import escape

from accounts.models import Pause
from accounts.services import pause_manager
from accounts.time import clock
from accounts.time.feeds import feed_path
from routing.models import Decision, LeadEvent, Offer
from routing.services.assignment import reassign
from routing.services.intake import take_lead
from routing.services.sweep import sweep
from tests.factories import (
    DAY,
    MINUTE,
    asking_acceptance,
    form,
    fresh,
    hold,
    make_exception,
    make_manager,
    make_schedule,
    make_source,
    make_supervisor,
    make_task,
    make_trigger,
    outcomes,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db

MOST_QUERIES = 22  # of one request, whatever stands before the page included

NADIA = {
    "name": "CRM for twelve",
    "contact": {"name": "Nadia Kowalska", "email": "nadia@client.example", "phone": "+34600123456", "chat": "@nadia_k"},
    "company": {"name": "Kowalska SA"},
    "comment": "Call after three",
}


@pytest.fixture
def ann(client):
    manager = make_manager("ann")
    client.force_login(manager.user)
    return manager


@pytest.fixture
def bob(ann):
    return make_manager("bob")


@pytest.fixture
def offered(ann):
    """A lead that is offered to Ann now."""
    make_trigger(members=[ann], limit=10, **asking_acceptance(10))
    return take(at=clock.now(), **NADIA)


def text(client, address="/me/", **facts):
    response = client.get(address, **facts)
    assert response.status_code == 200, (address, response.status_code)
    return " ".join(response.content.decode().split())


# What it shows


def test_an_offer_is_shown_with_its_deadline_and_ways_to_reach_the_customer(client, offered):
    page = text(client)
    assert "1 lead to accept" in page
    assert "Nadia Kowalska" in page
    assert 'href="tel:+34600123456"' in page
    assert 'href="mailto:nadia@client.example"' in page
    assert 'href="https://t.me/nadia_k"' in page
    assert f'data-deadline="{Offer.objects.get().accept_by:%Y-%m-%dT%H:%M:%S.%f}Z"' in page


def test_the_limit_the_standing_and_the_rules_are_told_in_words(client, ann, bob):
    make_trigger(members=[(ann, 1), (bob, 3)], limit=10)
    hold(ann, 4)
    page = text(client)
    assert "4 of 10 leads" in page
    assert "You are owed 0.25 of a lead" in page or "number 2 of 2 in line" in page
    assert "go to 2 managers by coefficient" in page
    assert "Your coefficient is 1: if everybody is available, you get 25 % of the leads." in page


def test_who_can_take_no_lead_is_told_why_and_until_when(client, ann):
    make_trigger(members=[ann])
    pause_manager(ann, at=clock.now(), minutes=30, reason="Lunch")
    page = text(client)
    assert "Paused until" in page
    assert "Lunch" in page
    assert "You get no leads here now: paused until" in page


def test_who_works_by_a_schedule_may_subscribe_to_it(client, ann):
    assert "webcal:" not in client.get("/me/").content.decode()
    ann.schedule = make_schedule()
    ann.save()
    assert f'href="webcal://testserver{escape(feed_path(ann))}"' in client.get("/me/").content.decode()
    assert client.get(feed_path(ann)).status_code == 200
    ann.active = False
    ann.save()
    assert "webcal:" not in client.get("/me/").content.decode()


def test_who_told_the_address_of_their_calendar_to_too_many_gives_it_a_new_one(client, ann):
    ann.schedule = make_schedule()
    ann.save()
    old = feed_path(ann)
    assert "The calendar has a new address." in client.post("/me/calendar/", follow=True).content.decode()
    ann.refresh_from_db()
    assert client.get(old).status_code == 404
    assert client.get(feed_path(ann)).status_code == 200
    assert feed_path(ann) in client.get("/me/").content.decode()


def test_two_weeks_of_the_schedule_are_shown_with_what_makes_days_special(client, ann):
    ann.schedule = make_schedule(holiday_country="ES")
    ann.save()
    today = clock.now().date()
    make_exception(ann, on=today)
    make_exception(ann.schedule, kind="extra", on=today, intervals=["19:00-20:00"])
    page = text(client)
    assert page.count('<li class="day') == 14
    assert "09:00–18:00" in page
    assert "day off" in page
    assert "extra hours (everybody)" in page


def test_a_decision_for_somebody_else_says_why_not_me_and_nothing_of_the_customer(client, ann, bob):
    make_trigger(members=[ann, bob])
    pause_manager(ann, at=clock.now(), minutes=30)
    take(at=clock.now(), **NADIA)
    page = text(client)
    assert "Bob got it: nobody else could take it." in page
    assert "Why not you: paused until" in page
    for secret in ("Nadia", "Kowalska", "nadia", "34600123456", "CRM for twelve", "Call after"):
        assert secret not in page


def test_a_lead_that_went_on_to_somebody_else_shows_no_customer_any_more(client, ann, bob, offered):
    reassign(offered.pk, bob.pk, at=clock.now())
    page = text(client)
    assert "Ann got it" in page
    assert "Nadia" not in page
    assert client.get(f"/me/leads/{offered.pk}/").status_code == 404


def test_why_not_me_is_answered_for_any_lead(client, ann, bob):
    make_trigger(members=[bob])
    lead = take(at=clock.now(), **NADIA)
    page = text(client, f"/me/why/?lead=http://testserver/me/leads/{lead.pk}/")
    assert "Bob got it" in page
    assert "Why not you: not a member of the trigger new-leads." in page
    assert "Nadia" not in page


@pytest.mark.parametrize("asked", ["", "nonsense", "00000000-0000-0000-0000-000000000000", "\x00"])
def test_why_not_me_of_an_unknown_lead_says_that_there_is_none(client, ann, asked):
    assert ("No trigger has distributed this lead." in text(client, "/me/why/", data={"lead": asked})) == bool(asked)


def test_what_customers_write_is_never_markup(client, ann):
    make_trigger(members=[ann])
    evil = "<script>alert(1)</script>"
    lead = take(at=clock.now(), name=evil, contact={"name": evil, "chat": "javascript:alert(1)"}, comment=evil)
    for address in ("/me/", f"/me/leads/{lead.pk}/"):
        page = text(client, address)
        assert evil not in page
        assert escape(evil) in page
        assert 'href="javascript' not in page


def test_a_lead_has_a_page_with_what_happened_to_it(client, ann, bob, offered):
    make_task(offered, title="Send the offer", responsible=ann)
    client.post(f"/me/leads/{offered.pk}/accept/")
    page = text(client, f"/me/leads/{offered.pk}/")
    for words in ("Arrived from landing.", "Ann got it", "Ann accepted it.", "Send the offer", "Call after three"):
        assert words in page
    assert "chosen: was" in page


# What may be done


def test_accepting_makes_the_lead_mine(client, offered):
    assert client.post(f"/me/leads/{offered.pk}/accept/").url == "/me/"
    assert fresh(offered).state == "assigned"
    assert outcomes(offered) == ["accepted"]


def test_declining_keeps_the_reason_and_the_lead_goes_on(client, ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(10))
    lead = take(at=clock.now())
    assert lead.responsible == ann
    response = client.post(f"/me/leads/{lead.pk}/decline/", {"reason": "On the road"})
    assert response.url == "/me/"
    assert fresh(lead).responsible == bob
    assert Offer.objects.filter(manager=ann).values_list("outcome", "reason").get() == ("declined", "On the road")


def test_moving_on_accepts_and_is_told_in_the_leads_story(client, offered):
    client.post(f"/me/leads/{offered.pk}/move/", {"stage": "sales/accepted"})
    assert str(fresh(offered).stage) == "sales/accepted"
    assert outcomes(offered) == ["accepted"]
    assert "Moved from sales/new to sales/accepted." in text(client, f"/me/leads/{offered.pk}/")
    assert LeadEvent.objects.get().by == fresh(offered).responsible.user


@pytest.mark.parametrize("stage", ["", "sales/nowhere", "partners/new"])
def test_a_lead_moves_within_its_pipeline_only(client, offered, stage):
    assert client.post(f"/me/leads/{offered.pk}/move/", {"stage": stage}).status_code == 404
    assert str(fresh(offered).stage) == "sales/new"


@pytest.mark.parametrize("deed", ["accept", "decline", "move"])
def test_who_is_too_late_is_told_so_and_nothing_happens(client, ann, bob, offered, deed):
    Offer.objects.update(offered_at=clock.now() - DAY, accept_by=clock.now() - MINUTE)
    response = client.post(f"/me/leads/{offered.pk}/{deed}/", {"stage": "sales/accepted"}, follow=True)
    assert "Too late: this lead is no longer offered to you." in response.content.decode()
    assert outcomes(offered) == [""]


@pytest.mark.parametrize("deed", ["accept", "decline", "move"])
def test_a_lead_that_went_on_is_no_longer_answered(client, bob, offered, deed):
    reassign(offered.pk, bob.pk, at=clock.now())
    response = client.post(f"/me/leads/{offered.pk}/{deed}/", {"stage": "sales/accepted"}, follow=True)
    assert "This lead is no longer yours" in response.content.decode()
    assert fresh(offered).responsible == bob
    assert str(fresh(offered).stage) == "sales/new"


@pytest.mark.parametrize("deed", ["accept", "decline", "move"])
def test_leads_of_others_do_not_exist(client, ann, bob, deed):
    make_trigger(members=[bob], **asking_acceptance(10))
    lead = take(at=clock.now())
    assert client.get(f"/me/leads/{lead.pk}/").status_code == 404
    assert client.post(f"/me/leads/{lead.pk}/{deed}/", {"stage": "sales/accepted"}).status_code == 404
    assert outcomes(lead) == [""]


def test_a_pause_of_a_preset_length_gives_back_offers_and_has_its_reason(client, ann, bob):
    make_trigger(members=[ann, bob], **asking_acceptance(10))
    lead = take(at=clock.now())
    client.post("/me/pause/", {"reason": "Lunch", "minutes": "30"})
    pause = Pause.objects.get()
    assert (pause.reason, pause.ends_at - pause.started_at, pause.by) == ("Lunch", 30 * MINUTE, ann.user)
    assert fresh(lead).responsible == bob
    client.post("/me/resume/")
    assert Pause.objects.get().ended_at is not None


# Live


def live(client, address="/me/", **facts):
    return client.get(address, headers={"HX-Request": "true"}, **facts)


def mark(response):
    return response.context["mark"]


def test_htmx_gets_the_part_that_changes_and_nothing_where_nothing_did(client, ann):
    part = live(client)
    assert "<html" not in part.content.decode()
    again = live(client, "/me/", data={"seen": mark(part)})
    assert (again.status_code, again.content) == (204, b"")
    assert again["X-Now"]
    hold(ann)
    assert live(client, "/me/", data={"seen": mark(part)}).status_code == 200


def test_an_action_by_htmx_is_answered_with_the_page_as_it_is_then(client, offered):
    answer = client.post(f"/me/leads/{offered.pk}/accept/", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert "is yours" in answer.content.decode()
    assert "Nothing to accept" in answer.content.decode()


def test_a_deed_is_not_told_as_failed_when_the_page_cannot_be_shown_after_it(client, offered, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("routing.views.desk.desk_of", broken)
    answer = client.post(f"/me/leads/{offered.pk}/accept/", headers={"HX-Request": "true"})
    assert (answer.status_code, answer["HX-Refresh"]) == (200, "true")
    assert fresh(offered).state == "assigned"


def test_a_page_that_polls_after_the_session_ended_is_sent_to_sign_in(client, ann):
    client.logout()
    answer = live(client)
    assert answer["HX-Refresh"] == "true"
    assert b"Ann" not in answer.content


def test_polling_is_being_seen(client, ann):
    live(client)
    ann.refresh_from_db()
    assert ann.last_seen_at is not None


def test_pages_are_kept_by_nobody(client, offered):
    for address in ("/me/", f"/me/leads/{offered.pk}/", "/me/why/"):
        assert "no-store" in client.get(address)["Cache-Control"], address


def test_the_number_of_queries_does_not_grow_with_the_leads(
    client, ann, bob, django_assert_max_num_queries, django_assert_num_queries
):
    make_trigger(members=[ann, bob], **asking_acceptance(10))
    take_some(3, at=clock.now())
    live(client)  # the roster is read, and the manager was seen
    with django_assert_max_num_queries(MOST_QUERIES) as queries:
        live(client)
    before = len(queries)
    take_some(40, at=clock.now())
    hold(ann, 60)
    with django_assert_num_queries(before):
        live(client)


def test_many_leads_are_shown_some_at_a_time(client, ann):
    hold(ann, 35)
    page = text(client)
    assert page.count('<article class="card" id="lead-') == 30
    assert "Show 5 more" in page
    assert text(client, "/me/", data={"leads": "80"}).count('<article class="card" id="lead-') == 35


def test_a_supervisor_has_no_desk(client):
    client.force_login(make_supervisor())
    for address in ("/me/", "/me/why/"):
        assert client.get(address).status_code == 403


def test_what_waited_is_mine_after_the_sweep(client, ann):
    make_trigger(members=[ann])
    pause_manager(ann, at=clock.now())
    taken = take_lead(form(**NADIA), source_id=make_source().pk, at=clock.now())
    client.post("/me/resume/")
    sweep(at=clock.now())
    assert "CRM for twelve" in text(client)
    assert Decision.objects.filter(lead=taken.lead_id).count() == 2
