"""Pages that refuse or ask again, as people see them: proof of presence, deleting what is in use, errors with words."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from django.utils.translation import override
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import User
from leadrouter import doors, problems
from tests.effort import by_night
from tests.factories import make_manager, make_source, make_supervisor, make_trigger, take

from .visitor import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = pytest.mark.parametrize(
    ("phone", "dark", "language"),
    by_night(
        [(True, True, "en"), (False, False, "ru"), (True, False, "ru"), (False, True, "en")],
        by_day=[(True, True, "en"), (False, False, "ru")],
    ),
)


def visitor_in(visit, language: str, **facts) -> Visitor:
    visitor = visit(**facts)
    visitor.context.add_cookies([{"name": "django_language", "value": language, "url": visitor.address}])
    return visitor


def long_ago() -> None:
    """Let everybody have signed in an hour ago."""
    for session in Session.objects.all():
        kept = session.get_decoded()
        kept["began_at"] = kept.get("began_at", 0) - 3_600
        kept.pop("proved_at", None)
        Session.objects.filter(pk=session.pk).update(session_data=Session.objects.encode(kept))


@LOOKS
def test_somebody_proves_that_it_is_them(visit, phone, dark, language):
    sue = make_supervisor()
    sue.set_password("unguessable-1")
    sue.language = language
    sue.save()
    visitor = visitor_in(visit, language, user=sue, phone=phone, dark=dark)
    visitor.open("/second-factor/")
    visitor.assert_well_made(f"security-off-{language}")
    long_ago()
    page = visitor.open("/second-factor/")
    visitor.assert_well_made(f"security-later-{language}")
    page = visitor.open("/prove/?next=/second-factor/")
    visitor.assert_well_made(f"prove-password-{language}")
    page.locator("input[name=password]").fill("wrong")
    page.locator("form button[type=submit], form button:not([type])").last.click()
    visitor.assert_well_made(f"prove-wrong-{language}")
    TOTPDevice.objects.create(user=sue, name="app")
    page = visitor.open("/prove/?next=/second-factor/")
    visitor.assert_well_made(f"prove-code-{language}")


@LOOKS
def test_the_security_page_with_a_factor_and_its_codes(visit, phone, dark, language):
    sue = make_supervisor()
    sue.set_password("unguessable-1")
    sue.language = language
    sue.save()
    TOTPDevice.objects.create(user=sue, name="app")
    visitor = visitor_in(visit, language, phone=phone, dark=dark)
    page = visitor.open("/")
    page.locator("input[name=username]").fill(sue.email)
    page.locator("input[name=password]").fill("unguessable-1")
    page.locator("main form button").last.click()
    page.locator("input[name=code]").wait_for()
    visitor.assert_well_made(f"sign-in-code-{language}")
    page.locator("input[name=code]").fill(f"{totp(TOTPDevice.objects.get().bin_key):06}")
    page.locator("main form button").last.click()
    page.wait_for_url(re.compile("/admin/"))
    page = visitor.open("/second-factor/")
    visitor.assert_well_made(f"security-on-{language}")
    page.locator("form[action='/second-factor/codes/'] button").click()
    page.wait_for_load_state()
    visitor.assert_well_made(f"recovery-codes-{language}")
    page = visitor.open("/second-factor/")
    page.locator("form[action='/second-factor/sign-out-elsewhere/'] button").click()
    page.wait_for_load_state()
    visitor.assert_well_made(f"signed-out-elsewhere-{language}")


@LOOKS
def test_what_is_in_use_is_not_deleted_and_the_page_says_what_to_do(visit, phone, dark, language):
    root = User.objects.create_superuser("root@example.com", language=language)
    source, ann = make_source(), make_manager("ann")
    trigger = make_trigger(members=[ann])
    for _ in range(3):
        take(source=source)
    visitor = visitor_in(visit, language, user=root, phone=phone, dark=dark)
    for kind, thing in (("routing/source", source), ("accounts/manager", ann), ("routing/trigger", trigger)):
        page = visitor.open(f"/admin/{kind}/{thing.pk}/delete/")
        visitor.assert_well_made(f"delete-in-use-{kind.split('/')[1]}-{language}")
    page = visitor.open("/admin/routing/source/")
    page.locator("input[name=_selected_action]").first.check(force=True)
    page.locator("select[name=action]").first.select_option("delete_selected", force=True)
    page.evaluate("document.querySelector('#changelist-form').submit()")
    page.wait_for_load_state()
    visitor.assert_well_made(f"delete-selected-in-use-{language}")
    other = make_source("other")
    visitor.open(f"/admin/routing/source/{other.pk}/delete/")
    visitor.assert_well_made(f"delete-asks-{language}")


@LOOKS
def test_who_tries_too_often_is_told_when_to_come_again(visit, settings, phone, dark, language):
    settings.SIGN_INS_PER_MINUTE = 0
    sue = make_supervisor()
    visitor = visitor_in(visit, language, phone=phone, dark=dark)
    for _ in range(5):
        page = visitor.open("/")
        page.locator("input[name=username]").fill(sue.email)
        page.locator("input[name=password]").fill("wrong")
        page.locator("main form button").last.click()
        page.wait_for_load_state()
    visitor.assert_well_made(f"too-many-tries-{language}", forgiving=("429",))


@LOOKS
@pytest.mark.parametrize("status", sorted(problems.PAGES))
def test_what_the_server_refuses_by_itself_is_told_on_a_page(visit, status, phone, dark, language):
    visitor = visitor_in(visit, language, phone=phone, dark=dark)
    content = doors.refused_page(status, {"HTTP_COOKIE": f"django_language={language}"}).decode()
    visitor.page.route("**/refused", lambda route: route.fulfill(body=content, content_type="text/html; charset=utf-8"))
    page = visitor.open("/refused")
    with override(language):
        page.get_by_role("heading", name=str(problems.PAGES[status][0])).wait_for()
    visitor.assert_well_made(f"refused-{status}-{language}")
