"""Passkeys as a second factor: added, asked for at sign-in, removed."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_otp.util import random_hex
from django_otp_webauthn.models import WebAuthnCredential as Passkey

from accounts.models import AuditEntry, User
from accounts.security import second_factor
from tests.authenticator import Authenticator, add, asked, offered
from tests.factories import make_account, make_manager, make_supervisor, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "unguessable-1"


@pytest.fixture(autouse=True)
def no_limit_of_the_address(settings):
    settings.SIGN_INS_PER_MINUTE = 0


@pytest.fixture
def sue() -> User:
    sue = make_supervisor()
    sue.set_password(PASSWORD)
    sue.save()
    return sue


def signed_in_client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def signed_in(client: Client) -> bool:
    request = HttpRequest()
    request.session = client.session
    return get_user(request).is_authenticated


def after_password(user: User, **extra: str) -> Client:
    """Return the client of somebody who gave the password, and nothing more yet."""
    client = Client()
    answer = client.post("/", {"username": user.email, "password": PASSWORD}, **extra)
    assert answer.url.startswith("/sign-in/code/")
    return client


def with_passkey(user: User, **facts: object) -> Authenticator:
    passkey = Authenticator(**facts)
    add(signed_in_client(user), passkey)
    return passkey


def with_app(user: User) -> TOTPDevice:
    return TOTPDevice.objects.create(user=user, name="app", key=random_hex())


# Adding


def test_the_first_passkey_turns_the_second_factor_on_and_gives_recovery_codes(sue):
    client, other = signed_in_client(sue), signed_in_client(sue)
    answer = add(client, Authenticator(), "Laptop of Sue")
    assert len(set(answer.context["codes"])) == 10
    assert second_factor.is_on(sue)
    assert client.get("/admin/").status_code == 200, "who adds it stays signed in"
    assert other.get("/admin/").status_code == 302, "other sessions end"
    entry = AuditEntry.objects.get(action="second_factor", about=f"accounts_user:{sue.pk}")
    assert (entry.by_id, entry.facts) == (sue.pk, {"on": True, "passkeys": 1})
    page = client.get("/second-factor/").content.decode()
    assert "Laptop of Sue" in page
    assert "not used yet" in page
    assert "10 recovery codes are left" in page


def test_another_passkey_gives_no_new_codes_and_ends_no_session(sue):
    client = signed_in_client(sue)
    codes = add(client, Authenticator()).context["codes"]
    second = after_password(sue)
    second.post("/sign-in/code/", {"code": codes[0]})
    assert add(client, Authenticator(), "Blue key").url == "/second-factor/"
    assert [passkey.name for passkey in Passkey.objects.order_by("pk")] == ["Laptop", "Blue key"]
    assert second_factor.codes_left(sue) == 9
    assert second.get("/admin/").status_code == 200


def test_beside_an_app_a_passkey_is_one_more_factor(sue):
    client = signed_in_client(sue)
    with_app(sue)
    assert client.post("/passkeys/offer/").status_code == 403, "a session without the second factor adds none"
    client = after_password(sue)
    client.post("/sign-in/code/", {"code": f"{totp(TOTPDevice.objects.get().bin_key):06}"})
    assert add(client, Authenticator()).url == "/second-factor/"
    assert second_factor.has_app(sue)
    assert Passkey.objects.filter(user=sue).exists()


def test_a_passkey_is_what_the_account_asks_of_staff(sue):
    make_account(second_factor=True)
    client = signed_in_client(sue)
    assert client.get("/admin/").url.startswith("/second-factor/")
    add(client, Authenticator())
    assert client.get("/admin/").status_code == 200
    assert client.get("/api/v1/leads").status_code == 200


@pytest.mark.parametrize(("name", "fits"), [("", False), ("x" * 64, True), ("x" * 65, False), ("a\x00b", False)])
def test_a_passkey_has_a_name(sue, name, fits):
    add(signed_in_client(sue), Authenticator(), name)
    assert second_factor.is_on(sue) is fits


def test_an_authenticator_is_told_which_passkeys_it_has_already(sue):
    client, passkey = signed_in_client(sue), Authenticator()
    assert offered(client)["excludeCredentials"] == []
    add(client, passkey)
    again = offered(client)
    assert len(again["excludeCredentials"]) == 1
    assert (again["rp"]["id"], again["user"]["name"]) == ("testserver", sue.email)
    assert len(again["user"]["id"]) > 80, "a random handle, not the number of the user"


def test_managers_have_passkeys_too():
    client = signed_in_client(make_manager().user)
    assert add(client, Authenticator()).status_code == 200
    assert client.get("/me/").status_code == 200


# Signing in


def test_after_the_password_a_passkey_signs_in(sue):
    passkey = with_passkey(sue)
    client = after_password(sue)
    page = client.get("/sign-in/code/").content.decode()
    assert "Use a passkey" in page
    assert "Enter one of your recovery codes" in page
    question = asked(client)
    assert not signed_in(client)
    assert question["userVerification"] == "preferred"
    before = client.session.session_key
    answer = client.post("/sign-in/code/", {"passkey": passkey.answer(question), "next": "/admin/routing/lead/"})
    assert answer.url == "/admin/routing/lead/"
    assert signed_in(client)
    assert client.session.session_key != before
    assert client.get("/admin/").status_code == 200
    kept = Passkey.objects.get()
    assert kept.sign_count == 1
    assert kept.last_used_at is not None
    assert "last used" in client.get("/second-factor/").content.decode()


def test_a_passkey_counts_as_second_factor_where_the_account_asks_for_it(sue):
    make_account(second_factor=True)
    passkey = with_passkey(sue)
    client = after_password(sue)
    client.post("/sign-in/code/", {"passkey": passkey.answer(asked(client))})
    assert client.get("/admin/").status_code == 200


def test_a_recovery_code_stands_in_for_a_lost_passkey(sue):
    codes = add(signed_in_client(sue), Authenticator()).context["codes"]
    client = after_password(sue)
    assert client.post("/sign-in/code/", {"code": codes[3]}).url == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_who_has_an_app_alone_is_offered_no_passkey(sue):
    with_app(sue)
    client = after_password(sue)
    assert "Use a passkey" not in client.get("/sign-in/code/").content.decode()
    assert client.post("/passkeys/ask/").status_code == 404


def test_who_has_no_code_is_shown_no_box_for_one(sue):
    with_passkey(sue)
    StaticToken.objects.all().delete()
    page = after_password(sue).get("/sign-in/code/").content.decode()
    assert 'name="passkey"' in page
    assert 'name="code"' not in page


def test_without_scripts_the_button_is_off_and_the_page_says_why(sue):
    with_passkey(sue)
    page = after_password(sue).get("/sign-in/code/").content.decode()
    assert "<button disabled>Use a passkey</button>" in page
    assert "Passkeys need JavaScript" in page


@pytest.mark.parametrize(
    ("origin", "extra"),
    [
        ("https://leads.example.com", {"HTTP_HOST": "leads.example.com", "HTTP_X_FORWARDED_PROTO": "https"}),
        ("https://leads.example.com:8443", {"HTTP_HOST": "leads.example.com:8443", "HTTP_X_FORWARDED_PROTO": "https"}),
        ("http://localhost:8000", {"HTTP_HOST": "localhost:8000"}),
        ("http://localhost", {"HTTP_HOST": "localhost"}),
    ],
)
def test_a_passkey_belongs_to_the_host_as_the_browser_sees_it(settings, sue, origin, extra):
    settings.ALLOWED_HOSTS = ["leads.example.com", "localhost"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    passkey = Authenticator(origin)
    assert offered(signed_in_client(sue), **extra)["rp"]["id"] == passkey.domain
    assert add(signed_in_client(sue), passkey, **extra).status_code == 200
    client = after_password(sue, **extra)
    question = asked(client, **extra)
    assert question["rpId"] == passkey.domain
    assert client.post("/sign-in/code/", {"passkey": passkey.answer(question)}, **extra).url == "/admin/"


def test_an_authenticator_that_never_counts_signs_in_again_and_again(sue):
    passkey = with_passkey(sue, count=None)
    for _ in range(2):
        client = after_password(sue)
        assert client.post("/sign-in/code/", {"passkey": passkey.answer(asked(client))}).url == "/admin/"


# Removing


def address(passkey: Authenticator) -> str:
    return f"/passkeys/{Passkey.get_by_credential_id(passkey.id).pk}/remove/"


def test_a_passkey_is_removed_by_who_shows_that_it_is_them(sue):
    client, one, two = signed_in_client(sue), Authenticator(), Authenticator()
    codes = add(client, one, "One").context["codes"]
    other = after_password(sue)
    other.post("/sign-in/code/", {"code": codes[0]})
    add(client, two, "Two")
    assert client.get(address(one)).status_code == 200
    client.post(address(one), {"code": "000000"})
    client.post(address(one), {"passkey": Authenticator().answer(asked(client))})
    client.post(address(one), {})
    assert Passkey.objects.count() == 2, "nothing, or what is wrong, removes nothing"
    assert client.post(address(one), {"passkey": two.answer(asked(client))}).url == "/second-factor/"
    assert [passkey.name for passkey in Passkey.objects.all()] == ["Two"]
    assert client.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302, "whoever has the lost device has no session, either"
    assert second_factor.codes_left(sue) == 9
    assert client.post(address(two), {"code": codes[1]}).url == "/second-factor/"
    assert not second_factor.is_on(sue)
    facts = list(AuditEntry.objects.filter(action="second_factor").order_by("pk").values_list("facts", flat=True))
    assert facts == [{"on": True, "passkeys": n} for n in (1, 2, 1)] + [{"on": False}]


def test_with_the_last_passkey_the_second_factor_is_off(sue):
    client, passkey = signed_in_client(sue), Authenticator()
    add(client, passkey)
    assert "your only second factor" in client.get(address(passkey)).content.decode()
    client.post(address(passkey), {"passkey": passkey.answer(asked(client))})
    assert not second_factor.is_on(sue)
    assert not StaticToken.objects.exists()
    assert client.get("/admin/").status_code == 200
    assert Client().post("/", {"username": sue.email, "password": PASSWORD}).url == "/admin/"


def test_beside_an_app_the_last_passkey_may_go(sue):
    client, passkey = signed_in_client(sue), Authenticator()
    add(client, passkey)
    with_app(sue)
    client.post(address(passkey), {"passkey": passkey.answer(asked(client))})
    assert second_factor.is_on(sue)
    assert second_factor.codes_left(sue) == 10


def test_what_the_account_asks_for_stays_on_until_there_is_another(sue):
    make_account(second_factor=True)
    client, one, two = signed_in_client(sue), Authenticator(), Authenticator()
    add(client, one)
    for _ in range(2):
        answer = client.post(address(one), {"passkey": one.answer(asked(client))}, follow=True)
        assert "Set up another one first" in answer.content.decode()
    assert second_factor.is_on(sue)
    add(client, two)
    client.post(address(one), {"passkey": one.answer(asked(client))})
    assert Passkey.objects.count() == 1
    assert client.get("/admin/").status_code == 200, "the session was made by the one that is gone"


def test_turned_off_by_a_passkey(sue):
    client, passkey = signed_in_client(sue), Authenticator()
    assert client.get("/second-factor/off/").url == "/second-factor/"
    add(client, passkey)
    assert "Turn off the second factor" in client.get("/second-factor/off/").content.decode()
    client.post("/second-factor/off/", {"passkey": Authenticator().answer(asked(client))})
    assert second_factor.is_on(sue)
    client.post("/second-factor/off/", {"passkey": passkey.answer(asked(client))})
    assert not second_factor.is_on(sue)
    assert client.get("/admin/").status_code == 200


def test_an_administrator_turns_off_passkeys_that_are_lost(sue):
    client = signed_in_client(sue)
    add(client, Authenticator())
    root = signed_in_client(make_user("root", is_staff=True, is_superuser=True))
    root.post("/admin/accounts/user/", {"action": "forget_second_factor", "_selected_action": [sue.pk]})
    assert not second_factor.is_on(sue)
    assert not Passkey.objects.exists()
    assert client.get("/admin/").status_code == 302


def test_a_new_app_leaves_the_passkeys(sue):
    client, passkey = signed_in_client(sue), Authenticator()
    add(client, passkey)
    client.post("/second-factor/")
    device = TOTPDevice.objects.get(confirmed=False)
    assert len(client.post("/second-factor/", {"code": f"{totp(device.bin_key):06}"}).context["codes"]) == 10
    client = after_password(sue)
    assert client.post("/sign-in/code/", {"passkey": passkey.answer(asked(client))}).url == "/admin/"


def test_the_tables_of_passkeys_have_no_pages_in_the_admin():
    assert not [model for model in admin.site._registry if "webauthn" in model._meta.app_label]
