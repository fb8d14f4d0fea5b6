"""Hand-overs in front of a browser: the preview, the progress while the worker goes on, the result, and undoing it."""

from __future__ import annotations

import pytest

from accounts.time import clock
from routing.models import HandOver
from routing.services import hand_over
from routing.services.sweep import sweep
from tests.effort import by_night
from tests.factories import hold, make_account, make_manager, make_supervisor, make_trigger

from .test_desk import HIDDEN

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def ann(monkeypatch):
    """A manager whose five leads go to Bob in pieces of two."""
    monkeypatch.setattr(hand_over, "AT_ONCE", 2)
    make_account(time_zone="Europe/Madrid")
    ann = make_manager("ann")
    make_trigger(members=[ann, make_manager("bob")])
    hold(ann, 5)
    return ann


@pytest.mark.parametrize(
    ("phone", "dark", "language"),
    by_night(
        [(False, True, "en"), (True, False, "ru"), (True, True, "en"), (False, False, "pt-br")],
        by_day=[(False, True, "en"), (True, False, "ru")],
    ),
)
def test_a_long_hand_over_shows_how_far_it_is(visit, ann, phone, dark, language):
    sue = make_supervisor()
    sue.language = language
    sue.save()
    visitor = visit(user=sue, phone=phone, dark=dark)
    page = visitor.open(f"/admin/routing/handover/of/{ann.pk}/")
    page.locator(".lr-form button[type=submit]").last.click()
    page.locator("button[name=confirmed]").wait_for()
    visitor.assert_well_made(f"hand-over-preview-{language}")
    page.locator("button[name=confirmed]").click()
    page.locator("#progress progress[value='2'][max='5']").wait_for()
    visitor.assert_well_made(f"hand-over-progress-{language}")
    sweep(at=clock.now())
    page.locator("#progress").wait_for(state="detached")
    visitor.assert_well_made(f"hand-over-result-{language}")
    page.locator("form[action$='/undo/'] button").click()
    page.locator("#progress progress[value='2'][max='5']").wait_for()
    visitor.assert_well_made(f"hand-over-undo-{language}")
    sweep(at=clock.now())
    page.locator("#progress").wait_for(state="detached")
    assert HandOver.objects.get().undone_at is not None


def test_progress_is_asked_for_only_while_the_page_is_visible(visit, ann):
    batch = hand_over.hand_over(ann.pk, at=clock.now())
    page = visit(user=make_supervisor()).open(f"/admin/routing/handover/{batch.pk}/change/")
    polls = []
    page.on("request", lambda request: polls.append(request) if "/progress/" in request.url else None)
    page.wait_for_timeout(3_000)
    assert polls, "a visible page asks"
    page.evaluate(HIDDEN % "true")
    page.wait_for_timeout(500)
    del polls[:]
    page.wait_for_timeout(5_000)
    assert not polls
    sweep(at=clock.now())
    page.evaluate(HIDDEN % "false")
    page.locator("#progress").wait_for(state="detached")
