"""The manager's page in a browser, at both widths: answered, paused, counted down, and kept through a lost connection."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from accounts.models import Pause
from accounts.time import clock
from routing.models import Offer
from routing.services.sweep import sweep
from tests.effort import by_night
from tests.factories import (
    asking_acceptance,
    form,
    fresh,
    hold,
    make_account,
    make_manager,
    make_schedule,
    make_supervisor,
    make_trigger,
    outcomes,
    take,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OFFLINE = ("ERR_INTERNET_DISCONNECTED", "htmx:sendError", "htmx:afterRequest")  # what the console says then
LOOKS = pytest.mark.parametrize(("phone", "dark"), [(True, False), (False, True)], ids=["phone-light", "desktop-dark"])
BOTH = pytest.mark.parametrize(
    "phone", by_night([True, False], by_day=[True]), ids=lambda phone: "phone" if phone else "desktop"
)
NADIA = {
    "name": "CRM for twelve people",
    "contact": {"name": "Nadia Kowalska", "email": "nadia@client.example", "phone": "+34600123456", "chat": "@nadia_k"},
    "company": {"name": "Kowalska SA"},
    "product": "Team plan",
}


@pytest.fixture
def ann():
    make_account(time_zone="Europe/Madrid")
    return make_manager("ann")


@pytest.fixture
def bob(ann):
    return make_manager("bob")


@pytest.fixture
def lead(ann, bob):
    """A lead that is offered to Ann, who holds others as well."""
    make_trigger(members=[ann, bob], limit=10, **asking_acceptance(10))
    hold(ann, 3)
    return take(at=clock.now(), **NADIA)


def run_out(lead, *, seconds=3):
    """Let the offer end in some seconds."""
    now = clock.now()
    Offer.objects.filter(lead=lead).update(
        offered_at=now - timedelta(minutes=9), accept_by=now + timedelta(seconds=seconds)
    )


def card(page, lead):
    return page.locator(f"#lead-{lead.pk}")


@LOOKS
def test_the_desk_is_well_made(visit, ann, bob, lead, phone, dark):
    ann.schedule = make_schedule(holiday_country="ES")
    ann.save()
    page = (visitor := visit(user=ann.user, phone=phone, dark=dark)).open("/me/")
    expect(card(page, lead).locator(".countdown")).to_have_text(re.compile(r"^9:\d\d$"))
    page.get_by_text("The rules").first.click()
    visitor.assert_well_made("desk")
    page.get_by_text("Decline", exact=True).first.click()
    visitor.assert_well_made("desk-decline")
    visitor.open(f"/me/leads/{lead.pk}/")
    visitor.assert_well_made("desk-lead")
    visitor.open(f"/me/why/?lead={lead.pk}")
    visitor.assert_well_made("desk-why")


@BOTH
def test_a_lead_shows_up_and_is_accepted_without_loading_the_page(visit, ann, bob, phone):
    make_trigger(members=[ann], **asking_acceptance(10))
    page = visit(user=ann.user, phone=phone).open("/me/")
    page.evaluate("window.same = true")
    lead = take(at=clock.now(), **NADIA)
    card(page, lead).get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Accepted: CRM for twelve people is yours.")).to_be_visible()
    expect(page.get_by_text("Nothing to accept.")).to_be_visible()
    assert outcomes(lead) == ["accepted"]
    page.get_by_role("button", name="→ accepted").click()
    expect(card(page, lead).locator(".tag")).to_have_text("accepted")
    assert str(fresh(lead).stage) == "sales/accepted"
    assert page.evaluate("window.same") is True


@BOTH
def test_a_lead_is_declined_with_a_reason_that_polling_does_not_take_away(visit, ann, bob, lead, phone):
    page = visit(user=ann.user, phone=phone).open("/me/")
    card(page, lead).get_by_text("Decline", exact=True).first.click()
    reason = card(page, lead).get_by_label("Another reason")
    reason.fill("They speak only Basque")
    hold(ann)  # something changes, so the part is exchanged while she types
    expect(page.get_by_text("You hold 5 active leads.")).to_be_visible()
    expect(reason).to_have_value("They speak only Basque")
    expect(reason).to_be_focused()
    reason.press("Enter")
    expect(page.get_by_text("Declined: CRM for twelve people goes to somebody else.")).to_be_visible()
    assert fresh(lead).responsible == bob
    assert Offer.objects.get(manager=ann).reason == "They speak only Basque"
    expect(page.get_by_text("Nadia")).to_have_count(0)


@BOTH
def test_the_countdown_follows_the_servers_clock_and_ends(visit, ann, bob, lead, phone):
    run_out(lead)
    visitor = visit(user=ann.user, phone=phone)
    # The browser's own clock is wrong by hours; only the server's counts.
    visitor.context.add_init_script("const now = Date.now.bind(Date); Date.now = () => now() - 7200000;")
    page = visitor.open("/me/")
    expect(card(page, lead).locator(".countdown")).to_have_text("Time is up")
    expect(card(page, lead).get_by_role("button", name="Accept")).to_be_disabled()
    sweep(at=clock.now())
    expect(card(page, lead)).to_have_count(0)
    assert fresh(lead).responsible == bob


@BOTH
def test_a_pause_begins_with_two_taps_and_ends_with_one(visit, ann, bob, lead, phone):
    visitor = visit(user=ann.user, phone=phone)
    page = visitor.open("/me/")
    page.get_by_text("Pause", exact=True).first.click()
    visitor.assert_well_made("desk-pause")
    page.get_by_text("Training", exact=True).click()
    page.get_by_role("button", name="30 minutes").click()
    expect(page.locator(".status")).to_contain_text("Paused until")
    expect(page.locator(".status .countdown")).to_have_text(re.compile(r"^(30:00|29:\d\d)$"))
    assert Pause.objects.get().reason == "Training"
    assert fresh(lead).responsible == bob
    visitor.assert_well_made("desk-paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".status")).to_contain_text("On duty")
    assert Pause.objects.get().ended_at is not None


HIDDEN = "Object.defineProperty(document, 'hidden', {configurable: true, value: %s});"
SHOWN_ANEW = "document.dispatchEvent(new Event('visibilitychange'))"


@BOTH
def test_a_hidden_page_sends_nothing_and_looks_at_once_when_it_is_shown(visit, ann, bob, phone):
    page = visit(user=ann.user, phone=phone).open("/me/")
    polls = []
    page.on("response", lambda response: polls.append(response) if "seen=" in response.url else None)
    page.wait_for_timeout(6_000)
    assert [poll.status for poll in polls] == [204], "a visible page looks"
    page.evaluate(HIDDEN % "true" + SHOWN_ANEW)
    del polls[:]
    make_trigger(members=[ann, bob], **asking_acceptance(10))
    lead = take(at=clock.now(), **NADIA)
    page.wait_for_timeout(11_000)
    assert polls == []
    page.evaluate(HIDDEN % "false" + SHOWN_ANEW)
    expect(card(page, lead)).to_be_visible(timeout=2_000)


def wait_for(page, arrived):
    while not arrived:
        page.wait_for_timeout(50)
    return arrived.pop(0)


@pytest.mark.parametrize("where", ["desk", "board"])
def test_a_slow_poll_does_not_replace_the_answer_to_what_was_sent_meanwhile(visit, ann, bob, lead, where):
    polls, sent = [], []
    page = visit(user=ann.user if where == "desk" else make_supervisor()).open("/me/" if where == "desk" else "/board/")
    page.route(re.compile("seen="), lambda route: polls.append(route))  # not the method: it takes no marks
    page.route(re.compile("/(accept|pause)/"), lambda route: sent.append((route, route.fetch())))
    page.evaluate("htmx.trigger('#live', 'again')")
    poll = wait_for(page, polls)
    if where == "desk":
        card(page, lead).get_by_role("button", name="Accept").click()
    else:
        person = page.locator(".person", has=page.get_by_role("heading", name="Ann"))
        person.get_by_text("Pause", exact=False).first.click()
        person.get_by_role("button", name="60 minutes").or_(person.get_by_role("button", name="1 hour")).click()
    post, answer = wait_for(page, sent)  # the server has done it, and the browser does not know yet
    page.unroute(re.compile("seen="))
    with page.expect_response(re.compile("seen=")) as told:
        poll.continue_()
    assert told.value.status == 200, "the poll brings another page"
    page.wait_for_timeout(300)
    post.fulfill(response=answer)
    expect(page.get_by_text("is yours." if where == "desk" else "Ann is paused.")).to_be_visible(timeout=3_000)


def test_a_page_on_which_nothing_new_is_seen_asks_by_its_new_version(visit, ann):
    page = visit(user=ann.user).open("/me/")
    polls = []
    page.on("response", lambda response: polls.append(response) if "seen=" in response.url else None)
    make_manager("cid")  # another version of the configuration, nothing of which is shown
    page.wait_for_timeout(12_000)
    first, second = polls[:2]
    assert (first.status, second.status) == (204, 204)
    assert second.url.endswith(f"seen={first.headers['x-seen']}")
    assert "x-seen" not in second.headers


@BOTH
def test_a_lost_connection_is_said_and_found_again(visit, ann, bob, lead, phone):
    visitor = visit(user=ann.user, phone=phone)
    page = visitor.open("/me/")
    countdown = card(page, lead).locator(".countdown")
    visitor.context.set_offline(True)
    expect(page.get_by_text("Offline, trying again…")).to_be_visible()
    before = countdown.inner_text()
    expect(countdown).not_to_have_text(before)  # it goes on
    card(page, lead).get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Not sent: there is no connection.")).to_be_visible()
    visitor.assert_well_made("desk-offline", forgiving=OFFLINE)
    hold(ann)
    visitor.context.set_offline(False)
    expect(page.get_by_text("Offline, trying again…")).to_be_hidden()
    expect(page.get_by_text("You hold 5 active leads.")).to_be_visible()
    assert outcomes(lead) == [""]
    card(page, lead).get_by_role("button", name="Accept").click()
    expect(page.get_by_text("is yours.")).to_be_visible()
    visitor.assert_well_made("desk-back", forgiving=OFFLINE)


def test_a_session_that_ended_leads_to_the_sign_in_page(visit, ann, lead):
    visitor = visit(user=ann.user)
    page = visitor.open("/me/")
    visitor.context.clear_cookies()
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.get_by_text("Nadia").count() == 0


def test_everything_works_without_scripts(visit, ann, bob, lead):
    page = visit(user=ann.user, phone=True, scripts=False).open("/me/")
    expect(card(page, lead)).to_contain_text("to accept, until")
    card(page, lead).get_by_role("button", name="Accept").click()
    expect(page.get_by_text("Accepted: CRM for twelve people is yours.")).to_be_visible()
    page.get_by_text("Pause", exact=True).first.click()
    page.get_by_role("button", name="Until I resume").click()
    expect(page.get_by_text("Paused until you resume")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("You have resumed and get leads again.")).to_be_visible()
    page.get_by_role("link", name="CRM for twelve people").first.click()
    expect(page.get_by_text("Ann accepted it.")).to_be_visible()


@LOOKS
def test_the_board_is_well_made_and_pauses_others(visit, ann, bob, lead, phone, dark):
    make_manager("cid", schedule=make_schedule(weekly={"sun": ["01:00-01:01"]}))
    make_trigger("french", on_stage="partners/new", members=[make_manager("eva", skills={"language": ["fr"]})])
    take(at=clock.now(), pipeline="partners", language="en", name="Partner request")
    sue = make_supervisor()
    visitor = visit(user=sue, phone=phone, dark=dark)
    page = visitor.open("/board/")
    expect(page.locator(".until .countdown").first).to_have_text(re.compile(r"^9:\d\d$"))
    expect(page.get_by_text("Nobody can take it: 1 lacks a skill it needs.")).to_be_visible()
    visitor.assert_well_made("board")
    person = page.locator(".person", has=page.get_by_role("heading", name="Ann"))
    person.get_by_text("Pause", exact=False).first.click()
    visitor.assert_well_made("board-pause")
    person.get_by_role("button", name="1 hour").or_(person.get_by_role("button", name="60 minutes")).click()
    expect(page.get_by_text("Ann is paused.")).to_be_visible()
    expect(person).to_contain_text("paused until")
    assert fresh(lead).responsible == bob
    person.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Ann has resumed.")).to_be_visible()
    another = take(at=clock.now(), **form(name="Seen without loading"))
    expect(page.get_by_text("Seen without loading")).to_be_visible()
    assert another.responsible is not None
