"""Proof that the person is there: asked before whatever lets somebody take over an account; and the letters about it."""

from __future__ import annotations

import re
import smtplib
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.conf import settings as configured
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core import mail
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex
from django_otp_webauthn.models import WebAuthnCredential as Passkey

from accounts.models import Account, Letter, Manager, User
from accounts.people.invitations import invitation_path
from accounts.security import letters, presence, second_factor
from accounts.time import clock
from routing.models import ApiKey
from tests.authenticator import Authenticator, add, asked
from tests.factories import make_account, make_manager, make_user

pytestmark = pytest.mark.django_db

PASSWORD, NEW = "unguessable-1", "another-kestrel-2"


@pytest.fixture(autouse=True)
def no_limit_of_the_address(settings):
    settings.SIGN_INS_PER_MINUTE = 0


@pytest.fixture
def root() -> User:
    return with_password(make_user("root", is_staff=True, is_superuser=True))


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def enter(user: User) -> Client:
    client = Client()
    client.post("/", {"username": user.email, "password": PASSWORD})
    return client


def enter_long_ago(user: User, *, seconds: int = presence.PRESENT_SECONDS + 1) -> Client:
    client = enter(user)
    grow_old(client, seconds=seconds)
    return client


def grow_old(client: Client, *, seconds: int = presence.PRESENT_SECONDS + 1) -> None:
    session = client.session
    for moment in (presence.BEGAN, presence.PROVED):
        if moment in session:
            session[moment] -= seconds
    session.save()


def with_app(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="app", key=random_hex())


def code_of(user: User) -> str:
    TOTPDevice.objects.filter(user=user).update(last_t=-1, throttling_failure_count=0)
    return f"{totp(TOTPDevice.objects.get(user=user, confirmed=True).bin_key):06}"


def everything() -> list[Any]:
    """Return what somebody could take over an account by."""
    tables = (Group, User, Manager, TOTPDevice, Passkey, StaticToken, ApiKey, Account, Letter)
    left_out = {"last_login", "last_seen_at"}
    return [
        [{k: v for k, v in row.items() if k not in left_out} for row in table.objects.order_by("pk").values()]
        for table in tables
    ]


# What asks


def user_form(user: User, **facts: Any) -> dict[str, Any]:
    return {"email": user.email, "name": user.name, "language": "", "is_active": "on", **facts}


def attempts(root: User) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return everything that lets somebody take over an account: name → address, and what is sent."""
    sam = with_password(make_user("sam"))
    new = make_user("new")
    ann = make_manager("ann")
    key = ApiKey(name="Reader", scopes=["read"])
    key.renew()
    key.save()
    users, managers = "/admin/accounts/user/", "/admin/accounts/manager/"
    return {
        "begin with an app": ("/second-factor/", {}),
        "confirm an app": ("/second-factor/", {"code": "000000"}),
        "make recovery codes": ("/second-factor/codes/", {}),
        "sign out elsewhere": ("/second-factor/sign-out-elsewhere/", {}),
        "add a passkey": ("/passkeys/add/", {"name": "x", "passkey": "{}"}),
        "own password": (
            "/admin/password_change/",
            {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW},
        ),
        "password of another": (
            f"{users}{sam.pk}/password/",
            {"password1": NEW, "password2": NEW, "usable_password": "true"},
        ),
        "e-mail of another": (f"{users}{sam.pk}/change/", user_form(sam, email="sam@elsewhere.example")),
        "own e-mail": (f"{users}{root.pk}/change/", user_form(root, email="x@elsewhere.example", is_staff="on")),
        "rights of another": (f"{users}{sam.pk}/change/", user_form(sam, is_staff="on", is_superuser="on")),
        "a new user": (f"{users}add/", {"email": "eve@example.com", "name": "Eve"}),
        "a user removed": (f"{users}{sam.pk}/delete/", {"post": "yes"}),
        "users removed": (users, {"action": "delete_selected", "_selected_action": [sam.pk], "post": "yes"}),
        "sign out another": (users, {"action": "sign_out_everywhere", "_selected_action": [sam.pk]}),
        "factor of another": (users, {"action": "forget_second_factor", "_selected_action": [sam.pk]}),
        "links to set a password": (users, {"action": "invitation_links", "_selected_action": [new.pk]}),
        "links of managers": (managers, {"action": "invitation_links", "_selected_action": [ann.pk]}),
        "a new manager": (f"{managers}add/", {"email": "eve@example.com", "name": "Eve", "offset": 0, **NO_ROWS}),
        "a new key": ("/admin/routing/apikey/add/", {"name": "Eve", "scopes": ["manage"]}),
        "more rights of a key": (
            f"/admin/routing/apikey/{key.pk}/change/",
            {"name": "Reader", "scopes": ["read", "manage"]},
        ),
        "a new group": ("/admin/auth/group/add/", {"name": "Everything"}),
    }


NO_ROWS = {"exceptions-TOTAL_FORMS": 0, "exceptions-INITIAL_FORMS": 0}


def test_a_session_alone_changes_nothing_of_how_somebody_signs_in(root):
    tried = attempts(root)
    client = enter_long_ago(root)
    before = everything()
    done = []
    for what, (address, sent) in tried.items():
        answer = client.post(address, sent)
        if answer.status_code != 302 or not answer.url.startswith("/prove/?next=") or everything() != before:
            done.append(what)
    assert not done
    assert "Nothing has changed yet" in client.get("/prove/").content.decode()
    assert client.post("/passkeys/offer/").status_code == 403


def test_with_a_fresh_proof_the_same_is_done(root):
    """The other half of the test before: what is refused there is refused for want of a proof alone."""
    tried = attempts(root)
    alone = {"confirm an app", "add a passkey", "make recovery codes"}  # these need more, and have tests of their own
    undone = []
    for what in ("users removed", "own e-mail", "own password"):  # last, since others need what they change
        tried[what] = tried.pop(what)
    del tried["a user removed"]
    client = enter(root)
    for what, (address, sent) in tried.items():
        before = everything()
        answer = client.post(address, sent)
        assert "/prove/" not in answer.headers.get("Location", "")
        shows_a_link = "links" in what and answer.status_code == 302
        if everything() == before and what not in alone and not shows_a_link:
            undone.append(what)
    assert not undone


@pytest.mark.parametrize(
    "page",
    [
        "/second-factor/",
        "/admin/password_change/",
        "/admin/accounts/user/add/",
        "/admin/accounts/manager/add/",
        "/admin/routing/apikey/add/",
    ],
)
def test_a_page_sends_to_the_proof_and_back(root, page):
    client = enter_long_ago(root)
    asked_at = client.get(f"{page}?a=b&c=d")
    assert asked_at.url.startswith("/prove/?next=")
    assert "Password" in client.get(asked_at.url).content.decode()
    assert client.post(asked_at.url, {"password": PASSWORD}).url == f"{page}?a=b&c=d"
    assert client.get(page).status_code == 200


def test_pages_of_users_ask_who_may_change_them_and_nobody_else(root):
    sue = with_password(make_user("sue", group="Supervisors", is_staff=True))
    ann = make_manager("ann").user
    client = enter_long_ago(sue)
    assert client.get(f"/admin/accounts/user/{root.pk}/change/").status_code == 200, "she may but look"
    assert client.get(f"/admin/accounts/user/{ann.pk}/change/").url.startswith("/prove/")
    assert client.get("/admin/accounts/user/").status_code == 200
    assert client.get(f"/admin/accounts/user/{ann.pk}/password/").url.startswith("/prove/")


def test_who_lets_staff_in_without_a_second_factor_is_asked(root):
    make_account(second_factor=True)
    passkey = Authenticator()
    client = enter(root)
    add(client, passkey)
    grow_old(client)
    client.post("/admin/accounts/account/1/change/", {"name": "x"})
    assert Account.get().second_factor


def test_the_secret_of_a_new_app_is_shown_to_the_person_alone(root):
    client = enter(root)
    client.post("/second-factor/")
    assert client.get("/second-factor/qr.svg").status_code == 200
    grow_old(client)
    assert client.get("/second-factor/").status_code == 302
    assert client.get("/second-factor/qr.svg").status_code == 302


# What a proof is


def test_signing_in_counts_for_ten_minutes(root):
    assert enter(root).get("/second-factor/").status_code == 200
    assert enter_long_ago(root, seconds=590).get("/second-factor/").status_code == 200
    assert enter_long_ago(root).get("/second-factor/").status_code == 302
    assert enter_long_ago(root, seconds=-60).get("/second-factor/").status_code == 302, "nor of a clock that was wrong"


def test_who_has_no_second_factor_gives_the_password(root):
    client = enter_long_ago(root)
    for wrong in ("", "wrong", PASSWORD.upper()):
        assert client.post("/prove/", {"password": wrong}).status_code == 200
        assert client.get("/second-factor/").status_code == 302
    before = client.session.session_key
    assert client.post("/prove/", {"password": PASSWORD}).url == "/second-factor/"
    assert client.get("/second-factor/").status_code == 200
    assert client.session.session_key != before
    grow_old(client)
    assert client.get("/second-factor/").status_code == 302


def test_who_has_a_second_factor_gives_that_and_the_password_is_not_enough(root):
    passkey = Authenticator()
    client = enter(root)
    codes = add(client, passkey).context["codes"]
    with_app(root)
    for proof in ("code", "recovery code", "passkey"):
        grow_old(client)
        assert client.post("/prove/", {"password": PASSWORD}).status_code in (200, 302)
        assert client.get("/second-factor/").url.startswith("/prove/"), "a password is no proof here"
        page = client.get("/prove/").content.decode()
        assert 'type="password"' not in page
        assert "Use a passkey" in page
        sent = {"code": code_of(root), "recovery code": codes[0], "passkey": ""}[proof]
        wrong = client.post("/prove/", {"code": "000000" if sent.isdigit() else "abcde-abcde"})
        assert wrong.status_code == 200
        TOTPDevice.objects.update(throttling_failure_count=0)
        StaticToken.objects.first().device.__class__.objects.update(throttling_failure_count=0)
        body = {"code": sent} if sent else {"passkey": passkey.answer(asked(client))}
        assert client.post("/prove/?next=/admin/accounts/user/add/", body).url == "/admin/accounts/user/add/"
        assert client.get("/second-factor/").status_code == 200, proof


def test_a_session_that_was_there_before_the_second_factor_is_asked_for_it(root):
    client = enter(root)
    with_app(root)
    assert client.get("/second-factor/").url.startswith("/prove/")
    assert client.post("/prove/", {"code": code_of(root)}).status_code == 302
    assert client.get("/second-factor/").status_code == 200


def test_wrong_passwords_shut_out_here_as_at_the_sign_in(root):
    client = enter_long_ago(root)
    answers = [client.post("/prove/", {"password": "wrong"}).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    assert client.post("/prove/", {"password": PASSWORD}).status_code == 429, list(AccessAttempt.objects.values())
    assert client.get("/second-factor/").status_code == 302


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_after_the_proof_nobody_is_sent_elsewhere(root, elsewhere):
    client = enter_long_ago(root)
    assert client.post("/prove/", {"password": PASSWORD, "next": elsewhere}).url == "/second-factor/"


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Confirm that it is you"), ("ru", "Это вы?"), ("es", "¿Es usted?"), ("pt-br", "É você?")],
)
def test_the_page_speaks_the_language_of_the_person(root, language, words):
    User.objects.update(language=language)
    assert words in enter_long_ago(root).get("/prove/").content.decode()


def test_no_call_of_the_api_makes_keys_or_touches_how_somebody_signs_in():
    from tests.permissions import routes

    calls = {route for route in routes() if route.startswith("api/")}
    assert calls
    assert not [call for call in calls if re.search("key|user|password|factor|session|passkey", call)]


def test_no_page_of_the_admin_shows_devices():
    assert not [m for m in admin.site._registry if m._meta.app_label.startswith(("otp_", "django_otp"))]


# Letters


def letters_to(user: User) -> list[str]:
    return [letter.subject.removeprefix("Leadrouter: ") for letter in Letter.objects.filter(to=user.email)]


def test_every_change_of_how_somebody_signs_in_is_told_by_letter(root):
    client, passkey = enter(root), Authenticator()
    codes = add(client, passkey, "Blue key").context["codes"]
    client.post("/second-factor/codes/")
    client.post("/second-factor/")
    device = TOTPDevice.objects.get(confirmed=False)
    client.post("/second-factor/", {"code": f"{totp(device.bin_key):06}"})
    client.post(f"/passkeys/{Passkey.objects.get().pk}/remove/", {"passkey": passkey.answer(asked(client))})
    client.post("/second-factor/off/", {"code": code_of(root)})
    client.post("/second-factor/sign-out-elsewhere/")
    client.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})
    client.post("/admin/routing/apikey/add/", {"name": "Mine", "scopes": ["manage", "read"]})
    assert letters_to(root) == [
        "A passkey was added",
        "New recovery codes were created",
        "A new authenticator app was set up",
        "A passkey was removed",
        "Your second factor was turned off",
        "You were signed out everywhere",
        "Your password was changed",
        "An API key was created",
    ]
    bodies = "\n".join(Letter.objects.values_list("body", flat=True))
    assert "Blue key" in bodies
    assert "from one of your sessions" in bodies
    assert "http" not in bodies
    key = ApiKey.objects.get()
    assert f"lr_{key.prefix}_…" in bodies
    for secret in (*codes, PASSWORD, NEW, second_factor.readable_key(device)):
        assert secret not in bodies


def test_a_key_that_may_only_read_is_no_matter_of_a_letter(root):
    client = enter(root)
    client.post("/admin/routing/apikey/add/", {"name": "Reader", "scopes": ["read"]})
    assert not letters_to(root)
    client.post(f"/admin/routing/apikey/{ApiKey.objects.get().pk}/change/", {"name": "Reader", "scopes": ["manage"]})
    assert letters_to(root) == ["An API key was created"]


def test_a_key_for_another_is_told_to_both(root):
    sam = make_user("sam")
    enter(root).post("/admin/routing/apikey/add/", {"name": "x", "user": sam.pk, "scopes": ["manage"]})
    assert letters_to(sam) == letters_to(root) == ["An API key was created"]


def test_what_an_administrator_changes_is_told_to_the_person_with_who_it_was(root):
    sam, client = with_password(make_user("sam")), enter(root)
    users = "/admin/accounts/user/"
    client.post(users, {"action": "sign_out_everywhere", "_selected_action": [sam.pk]})
    client.post(users, {"action": "forget_second_factor", "_selected_action": [sam.pk]})
    client.post(f"{users}{sam.pk}/password/", {"password1": NEW, "password2": NEW, "usable_password": "true"})
    assert letters_to(sam) == [
        "You were signed out everywhere",
        "Your second factor was turned off",
        "Your password was changed",
    ]
    assert all(f"by {root.email}" in body for body in Letter.objects.values_list("body", flat=True))
    Letter.objects.all().delete()
    client.post(f"{users}{sam.pk}/password/", {"password1": NEW, "password2": "x", "usable_password": "true"})
    assert not Letter.objects.exists(), "a form that was refused is no change"


def test_a_new_address_is_told_at_the_old_one_too(root):
    sam = make_user("sam")
    client = enter(root)
    client.post(f"/admin/accounts/user/{sam.pk}/change/", user_form(sam, name="Samuel"))
    assert not Letter.objects.exists()
    client.post(f"/admin/accounts/user/{sam.pk}/change/", user_form(sam, email="sam@new.example"))
    assert sorted(Letter.objects.values_list("to", flat=True)) == ["sam@example.com", "sam@new.example"]
    assert all("sam@example.com → sam@new.example" in body for body in Letter.objects.values_list("body", flat=True))


def test_a_password_set_by_an_invitation_is_told(client):
    ann = make_manager().user
    client.post(invitation_path(ann), {"new_password1": NEW, "new_password2": "other"})
    assert not letters_to(ann)
    client.post(invitation_path(ann), {"new_password1": NEW, "new_password2": NEW})
    assert letters_to(ann) == ["Your password was changed"]


@pytest.mark.parametrize(
    ("language", "words"),
    [("ru", "Ваш пароль изменён"), ("es", "Se cambió su contraseña"), ("pt-br", "Sua senha foi alterada")],
)
def test_a_letter_is_in_the_language_of_the_person_and_the_time_of_the_account(root, language, words):
    make_account(time_zone="Europe/Madrid")
    User.objects.filter(pk=root.pk).update(language=language)
    root.refresh_from_db()
    letters.tell(root, letters.LetterKind.PASSWORD, at=clock.now(), by=root)
    letter = Letter.objects.get()
    assert words in letter.subject
    assert "(Europe/Madrid)" in letter.body


def test_letters_are_sent_once_and_are_gone(root):
    at = clock.now()
    for kind in letters.LetterKind:
        letters.tell(root, kind, at=at)
    assert letters.send_due(at=at) == len(letters.LetterKind)
    assert len(mail.outbox) == len(letters.LetterKind)
    assert mail.outbox[0].to == [root.email]
    assert letters.send_due(at=at) == 0
    assert not Letter.objects.exists()


def test_a_letter_that_cannot_be_sent_is_tried_again_and_holds_up_no_other(root, monkeypatch, caplog):
    sam, at = make_user("sam"), clock.now()
    letters.tell(root, letters.LetterKind.PASSWORD, at=at)
    letters.tell(sam, letters.LetterKind.PASSWORD, at=at)
    real = letters.send_mail

    def refuse_root(subject: str, body: str, sender: Any, to: list[str]) -> int:
        if to == [root.email]:
            raise smtplib.SMTPRecipientsRefused({root.email: (550, b"no such person")})
        return int(real(subject, body, sender, to))

    monkeypatch.setattr(letters, "send_mail", refuse_root)
    assert letters.send_due(at=at) == 1
    assert [message.to for message in mail.outbox] == [[sam.email]]
    assert root.email not in caplog.text
    assert letters.send_due(at=at) == 0, "not at once"
    for _ in range(letters.MOST_TRIES):
        at += letters.LONGEST_WAIT
        letters.send_due(at=at)
    assert not Letter.objects.exists(), "in the end it is given up"
    assert "letter_given_up" in [getattr(record, "action", "") for record in caplog.records]


@pytest.mark.django_db(transaction=True)
def test_two_workers_send_a_letter_once():
    root = make_user("root")
    at = clock.now()
    for _ in range(20):
        letters.tell(root, letters.LetterKind.PASSWORD, at=at)

    def work(_: int) -> int:
        try:
            return letters.send_due(at=at)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(work, range(2))) == 20
    assert len(mail.outbox) == 20


def test_without_a_mail_server_of_their_own_nobody_has_letters_in_the_log():
    assert configured.EMAIL_CONFIG["EMAIL_BACKEND"].endswith(("console.EmailBackend", "dummy.EmailBackend"))


# Guessing codes


def pass_time(user: User, seconds: float) -> None:
    for device in TOTPDevice.objects.filter(user=user).exclude(throttling_failure_timestamp=None):
        device.throttling_failure_timestamp -= timedelta(seconds=seconds)
        device.save()


def test_guessing_codes_for_a_day_is_some_tries_and_the_person_is_told(root):
    device = with_app(root)
    client = Client()
    client.post("/", {"username": root.email, "password": PASSWORD})
    tries = passed = 0
    while passed < 24 * 3_600:  # whoever guesses comes back as soon as it is worth it
        client.post("/sign-in/code/", {"code": "000000"})
        tries += 1
        assert TOTPDevice.objects.get().throttling_failure_count == tries
        if tries > 5:
            pass_time(root, 2 ** (tries - 1) - 5)
            client.post("/sign-in/code/", {"code": "000000"})
            assert TOTPDevice.objects.get().throttling_failure_count == tries, "too early, and not looked at"
        pass_time(root, 2 ** (tries - 1))
        passed += 2 ** (tries - 1)
        session = client.session
        session["password_given"] = session["password_given"] | {"at": int(time.time())}
        session.save()
    assert tries == 17, "three codes in a million are right at a time: a day of guessing finds one in 20,000 times"
    assert letters_to(root) == ["Wrong codes were entered in your name"]
    client.post("/sign-in/code/", {"code": "000000"})
    right = f"{totp(device.bin_key):06}"
    assert client.post("/sign-in/code/", {"code": right}).status_code == 200, "even the right one waits"
    with_password(root)
    second_factor.forget_wrong_codes(root)
    assert second_factor.matching_device(root, right, at=clock.now())


def test_after_six_wrong_codes_the_right_one_waits_half_a_minute(root):
    device = with_app(root)
    at = clock.now()
    for wrong in range(6):
        assert second_factor.matching_device(root, f"{wrong:06}", at=at) is None
        if wrong < 5:
            pass_time(root, 2**wrong)
    assert TOTPDevice.objects.get().throttling_failure_count == 6
    pass_time(root, 30)
    right = f"{totp(device.bin_key):06}"
    assert second_factor.matching_device(root, right, at=at) is None
    assert TOTPDevice.objects.get().throttling_failure_count == 6, "who is too early does not make it longer"
    pass_time(root, 2)
    assert second_factor.matching_device(root, f"{totp(device.bin_key):06}", at=at)
    assert TOTPDevice.objects.get().throttling_failure_count == 0


@pytest.mark.django_db(transaction=True)
def test_of_six_wrong_codes_at_once_one_is_looked_at():
    root = make_user("root")
    with_app(root)
    at = clock.now()

    def guess(code: int) -> Any:
        try:
            return second_factor.matching_device(root, f"{code:06}", at=at)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(guess, range(6))) == [None] * 6
    assert TOTPDevice.objects.get().throttling_failure_count == 1, "the others came within the second that it costs"


def test_a_new_password_ends_the_wait(root):
    device = with_app(root)
    at = clock.now()
    TOTPDevice.objects.update(throttling_failure_count=12, throttling_failure_timestamp=timezone.now())
    assert second_factor.matching_device(root, f"{totp(device.bin_key):06}", at=at) is None
    other = with_password(make_user("ada", is_staff=True, is_superuser=True))
    enter(other).post(
        f"/admin/accounts/user/{root.pk}/password/", {"password1": NEW, "password2": NEW, "usable_password": "true"}
    )
    assert second_factor.matching_device(root, f"{totp(device.bin_key):06}", at=at)
