"""Signing in, invitations, the manager's page, and the pages that say no."""

from __future__ import annotations

import json

import pytest
from django.test import Client, RequestFactory
from django.views.defaults import server_error
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import Manager, Pause, User
from accounts.people.invitations import invitation_path
from accounts.time import clock
from tests.factories import (
    asking_acceptance,
    hold,
    make_manager,
    make_supervisor,
    make_trigger,
    make_user,
    open_offer,
    take,
)

pytestmark = pytest.mark.django_db

PASSWORD = "unguessable-1"


def sign_in(client: Client, user: User, **facts: str):
    user.set_password(PASSWORD)
    user.save()
    return client.post("/", {"username": user.email.upper(), "password": PASSWORD, **facts})


def test_signed_out_the_first_page_asks_for_e_mail_and_password(client):
    page = client.get("/").content.decode()
    assert 'type="email"' in page
    assert 'autocomplete="current-password"' in page


def test_a_manager_comes_to_their_page_and_a_supervisor_to_the_admin(client):
    assert sign_in(client, make_manager().user).url == "/me/"
    assert client.get("/").url == "/me/"
    assert sign_in(Client(), make_supervisor()).url == "/admin/"


@pytest.mark.parametrize("second", [False, True], ids=["signed in", "before the code"])
def test_no_session_holds_the_hash_of_the_password(client, second):
    user = make_manager().user
    if second:
        TOTPDevice.objects.create(user=user, name="phone", confirmed=True)
    assert sign_in(client, user).url.startswith("/sign-in/" if second else "/me/")
    kept = json.dumps(dict(client.session.items()))
    assert user.get_session_auth_hash() in kept
    assert user.password not in kept
    assert user.password.rsplit("$")[-1] not in kept


def test_addresses_are_found_as_people_type_them(client):
    assert client.get("/me").url == "/me/"
    assert client.get("/admin").url == "/admin/"


def test_who_has_no_role_is_told_so(client):
    response = sign_in(client, make_user("max"))
    assert response.url == "/"
    assert "max@example.com" in client.get("/").content.decode()


@pytest.mark.parametrize(
    "address", ["/admin/", "/admin/routing/lead/?q=x", "/admin/login/?next=/admin/", "/admin/nowhere/"]
)
def test_a_manager_who_asks_for_the_admin_comes_to_their_page_with_a_word(client, address):
    ann = make_manager("ann").user
    client.force_login(ann)
    page = client.get(address, follow=True)  # raises where it is sent round and round
    assert page.redirect_chain[-1][0] == "/me/"
    assert page.status_code == 200
    assert "You cannot use the admin" in page.content.decode()
    assert sign_in(Client(), ann, next=address).url == "/me/"


def test_who_has_no_role_and_asks_for_the_admin_is_told_so(client):
    client.force_login(make_user("max"))
    page = client.get("/admin/", follow=True)
    assert "You cannot use the admin" in page.content.decode()
    assert "no access to leads or settings" in page.content.decode()


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_next_leads_nowhere_else(client, next_):
    assert sign_in(client, make_manager().user, next=next_).url == "/me/"
    assert client.get("/", {"next": next_}).url == "/me/"


def test_next_leads_on_within_the_house(client):
    assert sign_in(client, make_supervisor(), next="/admin/routing/lead/").url == "/admin/routing/lead/"


@pytest.mark.parametrize("username", ["ann@example.com", "nobody@example.com", "ann@example.com\x00"])
def test_a_wrong_password_is_told_without_telling_who_exists(client, username):
    make_manager()
    response = client.post("/", {"username": username, "password": "wrong"})
    assert response.status_code == 200
    assert response.context["form"].errors


def test_signing_out_needs_a_post(client):
    client.force_login(make_manager().user)
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").url == "/"
    assert client.get("/me/").status_code == 302


# Invitations


def test_an_invitation_sets_a_password_once(client):
    ann = make_manager().user
    path = invitation_path(ann)
    for _ in range(3):  # mail programs look at links, too
        assert client.get(path).status_code == 200
    ann.refresh_from_db()
    assert not ann.has_usable_password()
    assert client.post(path, {"new_password1": PASSWORD, "new_password2": PASSWORD}).url == "/"
    ann.refresh_from_db()
    assert ann.check_password(PASSWORD)
    assert client.get(path).status_code == 404
    assert client.post(path, {"new_password1": "another-1-word", "new_password2": "another-1-word"}).status_code == 404
    ann.refresh_from_db()
    assert ann.check_password(PASSWORD)


def test_a_weak_password_is_refused(client):
    ann = make_manager().user
    response = client.post(invitation_path(ann), {"new_password1": "12345", "new_password2": "12345"})
    assert response.context["form"].errors
    ann.refresh_from_db()
    assert not ann.has_usable_password()


@pytest.mark.parametrize(
    "path",
    [
        "/invitation/MQ/abc-def/",
        "/invitation/%00/x/",
        "/invitation/OTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ/x-y/",
        "/invitation/!!/x/",
    ],
)
def test_a_link_that_nobody_was_sent_opens_nothing(client, path):
    make_manager()
    assert client.get(path).status_code == 404
    assert client.post(path, {"new_password1": PASSWORD, "new_password2": PASSWORD}).status_code == 404


def test_an_invitation_of_somebody_who_may_not_sign_in_any_more_opens_nothing(client):
    ann = make_manager().user
    path = invitation_path(ann)
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert client.get(path).status_code == 404


# The manager's page


def test_a_manager_sees_their_leads_and_pauses_and_resumes(client):
    ann = make_manager()
    hold(ann, 3)
    hold(ann, 1, in_stage="sales/won")
    client.force_login(ann.user)
    assert "You hold 3 active leads." in client.get("/me/").content.decode()
    assert client.post("/me/pause/", {"minutes": "30", "reason": "lunch"}).url == "/me/"
    pause = Pause.objects.get(ended_at=None)
    assert (pause.manager, pause.by, pause.reason) == (ann, ann.user, "lunch")
    assert "Paused until" in client.get("/me/").content.decode()
    assert client.post("/me/resume/").url == "/me/"
    assert not Pause.objects.filter(ended_at=None).exists()


def test_who_pauses_gives_back_what_is_on_offer(client):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], method="direct", **asking_acceptance(minutes=10**5))
    lead = take(at=clock.now())
    assert open_offer(lead).manager == ann
    client.force_login(ann.user)
    client.post("/me/pause/")
    assert open_offer(lead).manager == bob


@pytest.mark.parametrize("minutes", ["0", "-5", "1,5", "99999999999999999999", "soon"])
def test_a_pause_of_impossible_length_is_refused(client, minutes):
    client.force_login(make_manager().user)
    response = client.post("/me/pause/", {"minutes": minutes})
    assert response.status_code == 200
    assert response.context["form"].errors["minutes"]
    assert not Pause.objects.exists()


def test_nobody_pauses_by_looking_at_a_link(client):
    client.force_login(make_manager().user)
    assert client.get("/me/pause/").status_code == 405
    assert client.get("/me/resume/").status_code == 405
    assert not Pause.objects.exists()


def test_the_managers_page_is_for_managers(client):
    assert client.get("/me/").url == "/?next=/me/"
    client.force_login(make_supervisor())
    response = client.get("/me/")
    assert response.status_code == 403
    assert "Not allowed" in response.content.decode()


def test_a_manager_seen_is_online_and_the_row_is_written_once(client):
    ann = make_manager()
    client.force_login(ann.user)
    assert ann.last_seen_at is None
    client.get("/me/")
    ann.refresh_from_db()
    seen = ann.last_seen_at
    assert seen is not None
    client.get("/me/")
    assert Manager.objects.get().last_seen_at == seen


# Pages that say no


def test_a_page_that_is_not_there_says_so_in_our_words(client, settings):
    response = client.get("/nowhere/")
    assert response.status_code == 404
    assert "Page not found" in response.content.decode()


def test_a_form_without_its_token_is_refused_with_an_explanation():
    client = Client(enforce_csrf_checks=True)
    response = client.post("/", {"username": "a", "password": "b"})
    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()


def test_a_crash_shows_a_page():
    assert "Something went wrong" in server_error(RequestFactory().get("/")).content.decode()


def test_our_pages_have_no_inline_script_or_style(client):
    client.force_login(make_manager().user)
    for address in ("/me/", "/nowhere/"):
        page = client.get(address).content.decode()
        assert page.count("<script") == page.count('<script src="/static/')
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
