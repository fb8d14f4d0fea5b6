"""Wrong passwords, sessions, and the second factor."""

from __future__ import annotations

import time

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import AuditEntry, User
from accounts.people.invitations import invitation_path
from accounts.security import second_factor
from accounts.security.addresses import client_address
from accounts.security.limits import Limits
from tests.factories import MONDAY, make_account, make_manager, make_supervisor, make_user

pytestmark = pytest.mark.django_db

PASSWORD = "unguessable-1"


@pytest.fixture(autouse=True)
def no_limit_of_the_address(settings):
    settings.SIGN_INS_PER_MINUTE = 0


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def try_password(client: Client, user: User, password: str = "wrong", *, address: str = "192.0.2.1", **headers: str):
    return client.post("/", {"username": user.email, "password": password}, REMOTE_ADDR=address, headers=headers)


def signed_in(client: Client) -> bool:
    request = HttpRequest()
    request.session = client.session
    return get_user(request).is_authenticated


# Wrong passwords


def test_the_fifth_wrong_password_shuts_out_and_a_right_one_does_not_open(client):
    ann = with_password(make_manager().user)
    answers = [try_password(client, ann) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    answer = try_password(client, ann, PASSWORD)
    assert (answer.status_code, answer["Retry-After"]) == (429, "600")
    assert "Too many attempts" in answer.content.decode()
    assert not signed_in(client)


def test_a_stranger_does_not_shut_out_the_person_themselves(client):
    ann = with_password(make_manager().user)
    for _ in range(30):
        try_password(client, ann, address="203.0.113.9")
    assert try_password(client, ann, PASSWORD, address="192.0.2.1").url == "/me/"


def test_who_is_shut_out_may_try_again_after_a_quarter_of_an_hour_whatever_they_did_meanwhile(client):
    ann = with_password(make_manager().user)
    for _ in range(9):
        try_password(client, ann)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timezone.timedelta(minutes=15))
    assert try_password(client, ann, PASSWORD).url == "/me/"


def test_a_made_up_forwarded_address_is_no_new_try(client, settings):
    settings.TRUSTED_PROXIES = 1
    ann = with_password(make_manager().user)
    spoofed = [try_password(client, ann, x_forwarded_for=f"10.0.0.{n}, 203.0.113.9") for n in range(30)]
    assert {answer.status_code for answer in spoofed[4:]} == {429}
    assert try_password(client, ann, PASSWORD, x_forwarded_for="192.0.2.1").url == "/me/", (
        "another visitor of the proxy"
    )


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        (2, "1.1.1.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (1, "not an address", "192.0.2.1"),
        (1, "2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_address_is_what_the_outermost_trusted_proxy_saw(rf, settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    assert client_address(rf.get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)) == expected


def test_spellings_of_a_login_are_one_login(client):
    ann = with_password(make_manager().user)
    for spelling in ("ann@example.com", "ANN@example.com", " Ann@Example.com ", "aNn@example.com", "ann@EXAMPLE.com"):
        answer = client.post("/", {"username": spelling, "password": "wrong"})
    assert answer.status_code == 429
    assert try_password(client, ann, PASSWORD, address="127.0.0.1").status_code == 429


def test_one_address_may_not_try_everybody(client, settings):
    settings.SIGN_INS_PER_MINUTE = 5
    address = f"2001:db8::{time.time_ns() % 65_536:x}"
    answers = [
        client.post("/", {"username": f"m{n}@example.com", "password": "x"}, REMOTE_ADDR=address) for n in range(12)
    ]
    assert [answer.status_code for answer in answers].count(200) in range(5, 11), "five a minute, of two at most"
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60


def test_the_door_of_the_admin_is_the_one_sign_in(client):
    assert client.get("/admin/login/", {"next": "/admin/routing/lead/"}).url == "/?next=%2Fadmin%2Frouting%2Flead%2F"
    assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 405
    assert not AccessAttempt.objects.exists()


# Limits


def test_a_limit_is_exact_over_several_processes():
    processes, name = [Limits() for _ in range(4)], f"test-{time.time_ns()}"
    taken = sum(processes[n % 4].wait(name, limit=250, at=MONDAY) == 0 for n in range(1_000))
    assert taken == 250


def test_a_limit_counts_anew_each_minute_and_says_how_long_to_wait():
    one, name = Limits(), f"test-{time.time_ns()}"
    assert [one.wait(name, limit=2, at=MONDAY) for _ in range(3)] == [0, 0, 60]
    assert one.wait(name, limit=2, at=MONDAY.replace(second=59)) == 1
    assert one.wait(name, limit=2, at=MONDAY.replace(minute=1)) == 0


def test_without_redis_everything_is_let_through_and_redis_is_left_alone_for_a_while(settings, caplog):
    settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    one = Limits()
    started = time.monotonic()
    assert [one.wait("test", limit=1, at=MONDAY) for _ in range(200)] == [0] * 200
    assert time.monotonic() - started < 2
    assert len(caplog.records) == 1


# Sessions


def signed_in_client(user: User) -> Client:
    client = Client()
    client.force_login(user)
    client.get("/me/")
    return client


def age(client: Client, **seconds: int) -> None:
    session = client.session
    for name, ago in seconds.items():
        session[name] = int(time.time()) - ago
    session.save()


@pytest.mark.parametrize(
    ("facts", "ends"),
    [
        ({"used_at": 11 * 3_600}, False),
        ({"used_at": 12 * 3_600}, True),
        ({"began_at": 6 * 86_400}, False),
        ({"began_at": 7 * 86_400}, True),
    ],
)
def test_a_session_ends_when_idle_for_twelve_hours_and_after_seven_days_in_any_case(facts, ends):
    client = signed_in_client(make_manager().user)
    age(client, **facts)
    assert (client.get("/me/").status_code == 302) is ends


def test_using_a_session_keeps_it_but_writes_it_no_more_than_every_ten_minutes(django_assert_num_queries):
    client = signed_in_client(make_manager().user)
    age(client, used_at=3_600)
    client.get("/me/")
    assert int(time.time()) - client.session["used_at"] < 60
    with connection.execute_wrapper(refuse_writes_of_sessions):
        client.get("/me/")


def refuse_writes_of_sessions(execute, sql, params, many, context):
    assert not ("django_session" in sql and sql.split()[0] in {"INSERT", "UPDATE"}), sql
    return execute(sql, params, many, context)


def test_signing_in_gives_a_new_session_key_and_signing_out_ends_the_old(client):
    ann = with_password(make_manager().user)
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    planted = session.session_key
    client.cookies["sessionid"] = planted
    try_password(client, ann, PASSWORD)
    assert client.session.session_key != planted
    stolen = Client()
    stolen.cookies["sessionid"] = client.cookies["sessionid"].value
    assert stolen.get("/me/").status_code == 200
    client.post("/sign-out/")
    assert stolen.get("/me/").status_code == 302


def test_a_new_password_and_deactivation_end_all_sessions():
    ann = make_manager().user
    first, second = signed_in_client(ann), signed_in_client(ann)
    Client().post(invitation_path(ann), {"new_password1": PASSWORD, "new_password2": PASSWORD})
    assert [each.get("/me/").status_code for each in (first, second)] == [302, 302]
    ann.refresh_from_db()
    third = signed_in_client(ann)
    assert third.get("/me/").status_code == 200
    User.objects.filter(pk=ann.pk).update(is_active=False)
    assert third.get("/me/").status_code == 302


def test_signed_out_everywhere_by_an_administrator():
    ann, root = make_manager().user, make_user("root", is_staff=True, is_superuser=True)
    theirs, admin = signed_in_client(ann), signed_in_client(root)
    admin.post("/admin/accounts/user/", {"action": "sign_out_everywhere", "_selected_action": [ann.pk]})
    assert theirs.get("/me/").status_code == 302
    assert AuditEntry.objects.filter(action="sessions_ended", about=f"accounts_user:{ann.pk}", by=root).exists()


def test_a_short_password_is_refused(client):
    ann = make_manager().user
    answer = client.post(invitation_path(ann), {"new_password1": "x7-q9-z1-w", "new_password2": "x7-q9-z1-w"})
    assert "12" in str(answer.context["form"].errors)


# The second factor


def code_of(user: User, *, confirmed: bool = True) -> str:
    device = TOTPDevice.objects.get(user=user, confirmed=confirmed)
    TOTPDevice.objects.filter(pk=device.pk).update(last_t=-1, throttling_failure_count=0)  # the test is fast
    return f"{totp(device.bin_key):06}"


def turn_on(client: Client, user: User) -> list[str]:
    client.post("/second-factor/")
    answer = client.post("/second-factor/", {"code": code_of(user, confirmed=False)})
    return list(answer.context["codes"])


def test_the_second_factor_is_set_up_by_picture_and_first_code():
    sue = with_password(make_supervisor())
    client = signed_in_client(sue)
    assert client.get("/second-factor/qr.svg").status_code == 404
    assert client.post("/second-factor/").url == "/second-factor/"
    assert client.get("/second-factor/qr.svg")["Content-Type"] == "image/svg+xml"
    wrong = client.post("/second-factor/", {"code": "000000"})
    assert "The code is wrong" in wrong.content.decode()
    assert not second_factor.is_on(sue)
    codes = turn_on(client, sue)
    assert len(set(codes)) == 10
    assert second_factor.is_on(sue)
    assert client.get("/admin/").status_code == 200, "who sets it up stays signed in"


def test_other_sessions_end_when_the_second_factor_comes_on():
    sue = make_supervisor()
    client, other = signed_in_client(sue), signed_in_client(sue)
    turn_on(client, sue)
    assert other.get("/admin/").status_code == 302


def test_a_password_alone_signs_nobody_in_who_has_a_second_factor(client):
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    answer = client.post("/", {"username": sue.email, "password": PASSWORD, "next": "/admin/routing/lead/"})
    assert answer.url == "/sign-in/code/?next=%2Fadmin%2Frouting%2Flead%2F"
    assert not signed_in(client)
    assert client.get("/admin/").status_code == 302
    assert "The code is wrong" in client.post("/sign-in/code/", {"code": "000000"}).content.decode()
    assert not signed_in(client)
    assert client.post(answer.url, {"code": code_of(sue)}).url == "/admin/routing/lead/"
    assert client.get("/admin/").status_code == 200


def test_the_page_of_the_code_is_for_who_gave_their_password(client):
    assert client.get("/sign-in/code/").url == "/"
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    client.post("/", {"username": sue.email, "password": PASSWORD})
    assert client.get("/sign-in/code/").status_code == 200
    sue.set_password("changed-meanwhile-2")
    sue.save()
    assert client.get("/sign-in/code/").url == "/"


def test_between_password_and_code_the_session_does_not_hold_the_password_hash(client):
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    client.post("/", {"username": sue.email, "password": PASSWORD})
    sue.refresh_from_db()
    assert client.get("/sign-in/code/").status_code == 200
    assert sue.password not in str(dict(client.session))


def test_signing_out_everywhere_ends_a_sign_in_that_awaits_its_code(client):
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    client.post("/", {"username": sue.email, "password": PASSWORD})
    second_factor.end_sessions(sue, at=MONDAY, by=sue)
    assert client.get("/sign-in/code/").url == "/"


def test_a_sign_in_that_awaits_its_code_survives_a_new_secret_key_while_the_old_one_counts(client, settings):
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    client.post("/", {"username": sue.email, "password": PASSWORD})
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-secret-key-of-more-than-thirty-two-signs"
    assert client.get("/sign-in/code/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get("/sign-in/code/").url == "/"


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example"])
def test_after_the_code_nobody_is_sent_elsewhere(client, next_):
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    client.post("/", {"username": sue.email, "password": PASSWORD})
    assert client.post("/sign-in/code/", {"code": code_of(sue), "next": next_}).url == "/admin/"


def test_a_recovery_code_works_once_and_is_stored_as_a_digest(client):
    sue = with_password(make_supervisor())
    codes = turn_on(signed_in_client(sue), sue)
    assert not set(StaticToken.objects.values_list("token", flat=True)) & {code.replace("-", "") for code in codes}
    for expected in ("/admin/", None):
        client = Client()
        client.post("/", {"username": sue.email, "password": PASSWORD})
        answer = client.post("/sign-in/code/", {"code": codes[3].upper()})
        assert getattr(answer, "url", None) == expected
    assert second_factor.codes_left(sue) == 9


def test_a_code_works_once(client):
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    code = code_of(sue)
    assert second_factor.matching_device(sue, code, at=MONDAY)
    assert second_factor.matching_device(sue, code, at=MONDAY) is None


def test_codes_cannot_be_tried_one_after_the_other(client):
    sue = with_password(make_supervisor())
    turn_on(signed_in_client(sue), sue)
    right = code_of(sue)
    for wrong in range(5):
        assert second_factor.matching_device(sue, f"{wrong:06}", at=MONDAY) is None
    assert second_factor.matching_device(sue, right, at=MONDAY) is None, "the next try has to wait"


def test_where_the_account_asks_for_it_staff_set_it_up_before_anything_else():
    make_account(second_factor=True)
    sue, ann = make_supervisor(), make_manager().user
    client = signed_in_client(sue)
    assert client.get("/admin/routing/lead/?q=x").url == "/second-factor/?next=%2Fadmin%2Frouting%2Flead%2F%3Fq%3Dx"
    assert client.get("/api/v1/leads").status_code == 401
    turn_on(client, sue)
    assert client.get("/admin/").status_code == 200
    assert client.get("/api/v1/leads").status_code == 200
    assert signed_in_client(ann).get("/me/").status_code == 200, "managers are asked nothing"
    client.post("/second-factor/off/", {"code": code_of(sue)})
    assert second_factor.is_on(sue), "what the account asks for stays on"


def test_the_second_factor_goes_off_by_a_code_or_by_an_administrator():
    sue = make_supervisor()
    client = signed_in_client(sue)
    turn_on(client, sue)
    client.post("/second-factor/off/", {"code": "000000"})
    assert second_factor.is_on(sue)
    client.post("/second-factor/off/", {"code": code_of(sue)})
    assert not second_factor.is_on(sue)
    assert client.get("/admin/").status_code == 200
    turn_on(client, sue)
    admin = signed_in_client(make_user("root", is_staff=True, is_superuser=True))
    admin.post("/admin/accounts/user/", {"action": "forget_second_factor", "_selected_action": [sue.pk]})
    assert not second_factor.is_on(sue)
    assert client.get("/admin/").status_code == 302, "whoever had the session has it no more"


def test_nobody_turns_off_the_second_factor_of_somebody_above_them():
    root, sue = make_user("root", is_staff=True, is_superuser=True), make_supervisor()
    turn_on(signed_in_client(root), root)
    signed_in_client(sue).post(
        "/admin/accounts/user/", {"action": "forget_second_factor", "_selected_action": [root.pk]}
    )
    assert second_factor.is_on(root)


def test_looking_at_the_pages_makes_no_secret():
    sue = make_supervisor()
    client = signed_in_client(sue)
    client.get("/second-factor/")
    assert not TOTPDevice.objects.exists()
