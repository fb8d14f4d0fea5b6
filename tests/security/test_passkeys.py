"""Answers of passkeys that are not believed: passed on, repeated, somebody else's, made up."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from django_otp_webauthn.models import WebAuthnCredential as Passkey

from accounts.models import User
from accounts.security import passkeys, second_factor
from tests.authenticator import Authenticator, add, asked, offered
from tests.factories import make_supervisor

pytestmark = pytest.mark.django_db

PASSWORD = "unguessable-1"


@pytest.fixture(autouse=True)
def no_limit_of_the_address(settings):
    settings.SIGN_INS_PER_MINUTE = 0


def staff(name: str) -> tuple[User, Authenticator]:
    """Return somebody with a password and a passkey."""
    user, passkey = make_supervisor(name), Authenticator()
    user.set_password(PASSWORD)
    user.save()
    client = Client()
    client.force_login(user)
    assert add(client, passkey).status_code == 200
    return user, passkey


@pytest.fixture
def sue() -> tuple[User, Authenticator]:
    return staff("sue")


def after_password(user: User, **extra: str) -> Client:
    client = Client()
    client.post("/", {"username": user.email, "password": PASSWORD}, **extra)
    return client


def send(client: Client, answer: str, **extra: Any) -> Any:
    return client.post("/sign-in/code/", {"passkey": answer}, **extra)


def who(client: Client) -> Any:
    request = HttpRequest()
    request.session = client.session
    return get_user(request)


def assert_refused(client: Client, response: Any) -> None:
    assert response.status_code == 200
    assert "This passkey was not accepted" in response.content.decode()
    assert not who(client).is_authenticated
    assert client.get("/admin/").status_code == 302


def test_nobody_is_signed_in_before_the_passkey_has_answered(sue):
    user, passkey = sue
    client = after_password(user)
    question = asked(client)
    assert not who(client).is_authenticated
    assert client.get("/admin/").status_code == 302
    assert client.get("/second-factor/").status_code == 302
    assert client.post("/passkeys/offer/").status_code == 302, "and adds no passkey of their own"
    assert client.get("/api/v1/leads").status_code == 401
    assert send(client, passkey.answer(question)).url == "/admin/"
    assert who(client) == user


def test_a_passkey_without_the_password_is_asked_nothing(sue):
    user, passkey = sue
    stranger = Client()
    assert stranger.post("/passkeys/ask/").status_code == 404
    question = asked(after_password(user))
    assert send(stranger, passkey.answer(question)).url == "/"
    assert not who(stranger).is_authenticated


def test_the_passkey_of_somebody_else_is_refused(sue):
    user, _ = sue
    _, other = staff("sam")
    client = after_password(user)
    assert_refused(client, send(client, other.answer(asked(client))))


def test_an_answer_to_another_question_is_refused(sue):
    user, passkey = sue
    client, elsewhere = after_password(user), after_password(user)
    asked(client)
    assert_refused(client, send(client, passkey.answer(asked(elsewhere))))
    older = asked(client)
    asked(client)
    assert_refused(client, send(client, passkey.answer(older)))


def test_an_answer_is_not_taken_twice(sue):
    user, passkey = sue
    passkey.count = None  # so that nothing but the question tells the two apart
    Passkey.objects.update(sign_count=0)
    client = after_password(user)
    answer = passkey.answer(asked(client))
    thief = Client()
    thief.cookies["sessionid"] = client.cookies["sessionid"].value
    assert send(client, answer).url == "/admin/"
    assert send(thief, answer).url == "/", "the session of before is gone"
    again = after_password(user)
    assert_refused(again, send(again, answer))
    asked(again)
    assert_refused(again, send(again, answer))


def test_of_two_requests_with_one_answer_at_once_one_is_believed(sue, rf):
    user, passkey = sue
    passkey.count = None
    Passkey.objects.update(sign_count=0)
    client = after_password(user)
    answer = passkey.answer(asked(client))
    both = []
    for _ in range(2):
        request = rf.post("/sign-in/code/")
        request.session = client.session
        assert request.session[passkeys.ASKED], "each of them has read the question before the other closed it"
        both.append(request)
    believed = [passkeys.answering(request, user, answer) for request in both]
    assert [passkey is not None for passkey in believed] == [True, False]


def test_a_wrong_answer_closes_the_question_too(sue):
    user, passkey = sue
    client = after_password(user)
    question = asked(client)
    assert_refused(client, send(client, Authenticator().answer(question)))
    assert_refused(client, send(client, passkey.answer(question)))


def test_an_answer_that_comes_late_is_refused(sue):
    user, passkey = sue
    client = after_password(user)
    question = asked(client)
    session = client.session
    session[passkeys.ASKED] = session[passkeys.ASKED] | {"at": int(time.time()) - passkeys.ANSWER_SECONDS - 1}
    session.save()
    assert_refused(client, send(client, passkey.answer(question)))


def test_a_question_to_one_user_is_not_answered_by_another(sue):
    user, passkey = sue
    sam, _ = staff("sam")
    client = after_password(sam)
    question = asked(client)
    client.post("/", {"username": user.email, "password": PASSWORD})
    assert client.session["password_given"]["user"] == user.pk
    assert_refused(client, send(client, passkey.answer(question)))


@pytest.mark.parametrize(
    ("origin", "domain"),
    [
        ("https://testserver.example", "testserver.example"),
        ("https://evil.example", "testserver"),
        ("http://testserver:8000", "testserver"),
        ("https://testserver", "testserver"),
        ("http://testserver.evil.example", "testserver"),
        ("http://testserver", "evil.example"),
    ],
)
def test_an_answer_given_at_another_origin_is_refused(sue, origin, domain):
    user, passkey = sue
    passkey.origin, passkey.domain = origin, domain
    client = after_password(user)
    assert_refused(client, send(client, passkey.answer(asked(client))))


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver:8000"])
def test_a_passkey_made_at_another_origin_is_not_kept(origin):
    client = Client()
    client.force_login(make_supervisor())
    add(client, Authenticator(origin, domain="testserver"))
    add(client, Authenticator("http://testserver", domain="evil.example"))
    assert not Passkey.objects.exists()


def test_a_forwarded_host_is_not_believed(sue, settings):
    user, passkey = sue
    passkey.origin = "http://evil.example"
    forged = {"HTTP_X_FORWARDED_HOST": "evil.example", "HTTP_ORIGIN": "http://evil.example"}
    for passkey.domain in ("testserver", "evil.example"):
        client = after_password(user)
        assert_refused(client, send(client, passkey.answer(asked(client, **forged)), **forged))
    settings.ALLOWED_HOSTS = ["testserver"]
    assert client.post("/passkeys/ask/", HTTP_HOST="evil.example").status_code == 400


def test_a_signature_by_another_key_is_refused(sue):
    user, passkey = sue
    forger = Authenticator()
    forger.id = passkey.id
    client = after_password(user)
    assert_refused(client, send(client, forger.answer(asked(client))))


def test_a_copy_that_counts_behind_is_refused(sue):
    user, passkey = sue
    Passkey.objects.update(sign_count=7)
    client = after_password(user)
    assert_refused(client, send(client, passkey.answer(asked(client))))


def test_a_passkey_that_is_removed_or_not_confirmed_is_refused(sue):
    user, passkey = sue
    client = after_password(user)
    question = asked(client)
    Passkey.objects.update(confirmed=False)
    assert_refused(client, send(client, passkey.answer(question)))
    Passkey.objects.update(confirmed=True)
    question = asked(client)
    Passkey.objects.all().delete()
    assert_refused(client, send(client, passkey.answer(question)))


def test_a_new_password_ends_what_the_old_one_began(sue):
    user, passkey = sue
    client = after_password(user)
    answer = passkey.answer(asked(client))
    user.set_password("changed-meanwhile-2")
    user.save()
    assert send(client, answer).url == "/"
    assert client.post("/passkeys/ask/").status_code == 404
    assert not who(client).is_authenticated


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_after_a_passkey_nobody_is_sent_elsewhere(sue, next_):
    user, passkey = sue
    client = after_password(user)
    answer = client.post("/sign-in/code/", {"passkey": passkey.answer(asked(client)), "next": next_})
    assert answer.url == "/admin/"


def test_an_offer_makes_one_passkey_and_is_of_its_session():
    client, other = Client(), Client()
    user = make_supervisor()
    client.force_login(user)
    other.force_login(user)
    question = offered(client)
    other.post("/passkeys/add/", {"name": "x", "passkey": Authenticator().make(question)})
    assert not Passkey.objects.exists()
    client.post("/passkeys/add/", {"name": "x", "passkey": Authenticator().make(question)})
    client.post("/passkeys/add/", {"name": "y", "passkey": Authenticator().make(question)})
    assert [passkey.name for passkey in Passkey.objects.all()] == ["x"]


def test_one_passkey_is_not_two_peoples(sue):
    _, passkey = sue
    client = Client()
    client.force_login(make_supervisor("sam"))
    add(client, passkey)
    assert Passkey.objects.count() == 1


def test_nobody_removes_the_passkey_of_somebody_else(sue):
    user, _ = sue
    sam, passkey = staff("sam")
    client = after_password(sam)
    send(client, passkey.answer(asked(client)))
    theirs = Passkey.objects.get(user=user)
    answer = client.post(f"/passkeys/{theirs.pk}/remove/", {"passkey": passkey.answer(asked(client))})
    assert answer.status_code == 404
    assert second_factor.is_on(user)


def test_wrong_answers_shut_out_as_wrong_passwords_do_and_a_right_one_does_not_open(sue):
    user, passkey = sue
    client = after_password(user)
    answers = [send(client, Authenticator().answer(asked(client))) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    answer = send(client, passkey.answer(asked(client)))
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    assert not who(client).is_authenticated
    written = AccessAttempt.objects.get()
    assert (written.username, written.failures_since_start) == (user.email, 5)
    assert "clientDataJSON" not in written.post_data
    elsewhere = after_password(user, REMOTE_ADDR="192.0.2.7")
    answer = send(elsewhere, passkey.answer(asked(elsewhere)), REMOTE_ADDR="192.0.2.7")
    assert answer.url == "/admin/", "a stranger does not shut out the person themselves"
    AccessAttempt.objects.update(attempt_time=timezone.now() - timezone.timedelta(minutes=15))
    assert send(client, passkey.answer(asked(client))).url == "/admin/"


GOOD = Authenticator()
QUESTION = {"challenge": "AAAA"}
ODD = {
    "nothing": "",
    "no json": "x",
    "a number": "7",
    "a list": "[]",
    "deep": "[" * 50_000,
    "half a character": '"\\ud800"',
    "empty": "{}",
    "an answer to add": GOOD.make(QUESTION),
    "an answer to ask": GOOD.answer(QUESTION),
    "no base64": json.dumps(json.loads(GOOD.answer(QUESTION)) | {"rawId": "é"}),
    "odd results": json.dumps(json.loads(GOOD.make(QUESTION)) | {"clientExtensionResults": 7}),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_odd_answers_are_refused_in_words(sue, odd):
    user, _ = sue
    client = after_password(user)
    asked(client)
    assert_refused(client, send(client, odd))
    client = Client()
    client.force_login(make_supervisor("sam"))
    offered(client)
    answer = client.post("/passkeys/add/", {"name": "x", "passkey": odd}, follow=True)
    assert "This passkey was not accepted" in answer.content.decode()


def test_a_true_answer_with_odd_parts_is_refused_in_words():
    client = Client()
    client.force_login(make_supervisor("sam"))
    for results in (7, None, {"credProps": 7}):
        made = json.loads(Authenticator().make(offered(client))) | {"clientExtensionResults": results}
        answer = client.post("/passkeys/add/", {"name": "x", "passkey": json.dumps(made)}, follow=True)
        assert "This passkey was not accepted" in answer.content.decode()
    assert "not accepted" in add(client, Authenticator(count=2**32 - 1)).client.get("/second-factor/").content.decode()
    assert not Passkey.objects.exists()
