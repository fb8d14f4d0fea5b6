"""Keys: how they are sent, when they end, what they cost."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Manager, User
from accounts.time import clock
from routing.models import ApiKey

from .world import LEAD, Api, World


def status(world: World, **headers: str) -> int:
    return int(Api().get("leads", **headers).status_code)


@pytest.mark.parametrize("scheme", ["Bearer {}", "bearer {}", "BEARER  {}", " Bearer {} "])
def test_a_bearer_key_opens_whatever_the_case_of_its_scheme(world: World, scheme: str) -> None:
    assert status(world, authorization=scheme.format(world.keys["account"])) == 200


def test_a_key_may_come_in_its_own_header(world: World) -> None:
    assert status(world, x_api_key=world.keys["account"]) == 200
    assert status(world, x_api_key=world.keys["account"], authorization="Basic YTpi") == 200


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer {}x",
        "Bearer x{}",
        "Bearer {} {}",
        "Basic {}",
        "{}",
        "Bearer lr_",
        "Bearer lr_000000000000_secret",
        "Bearer ключ",
        "Bearer " + "a" * 5000,
        "Bearer lr_\x7f\x80\xff",
        "Bearer \x00",
        "Token {}",
    ],
)
def test_anything_else_is_refused_with_401(world: World, header: str) -> None:
    key = world.keys["account"]
    answer = Api().get("leads", authorization=header.replace("{}", key).encode().decode("latin-1"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert key not in answer.content.decode()


def test_another_key_with_the_same_prefix_is_refused(world: World) -> None:
    prefix = world.keys["account"][:15]
    assert status(world, authorization=f"Bearer {prefix}_{'A' * 43}") == 401


def test_a_key_in_the_body_or_the_query_is_no_key(world: World) -> None:
    key = world.keys["account"]
    assert Api().post("leads", {**LEAD, "api_key": key}).status_code == 401
    assert Api().get(f"leads?api_key={key}").status_code == 401


def test_a_key_ends_within_the_next_request(world: World) -> None:
    api, row = world.api("ann"), ApiKey.objects.get(name="ann")
    assert api.get("leads").status_code == 200
    ApiKey.objects.filter(pk=row.pk).update(expires_at=clock.now() + timedelta(hours=1))
    assert api.get("leads").status_code == 200
    ApiKey.objects.filter(pk=row.pk).update(expires_at=clock.now())
    assert api.get("leads").status_code == 401
    ApiKey.objects.filter(pk=row.pk).update(expires_at=None, revoked_at=clock.now())
    assert api.get("leads").status_code == 401


def test_last_use_is_written_once_a_minute(world: World) -> None:
    api, rows = world.api(), ApiKey.objects.filter(name="account")
    api.get("leads")
    first = rows.get().last_used_at
    assert first is not None
    api.get("leads")
    assert rows.get().last_used_at == first
    rows.update(last_used_at=first - timedelta(seconds=61))
    api.get("leads")
    assert rows.get().last_used_at >= first


def test_a_refused_key_is_not_marked_as_used(world: World) -> None:
    world.api("revoked").get("leads")
    Api(world.keys["account"] + "x").get("leads")
    assert not ApiKey.objects.exclude(last_used_at=None).exists()


def test_a_manager_who_calls_is_online(world: World) -> None:
    managers = Manager.objects.filter(pk=world.managers["ann"].pk)
    world.api("ann").get("leads")
    seen = managers.get().last_seen_at
    assert seen is not None
    world.api("ann").get("leads")
    assert managers.get().last_seen_at == seen
    managers.update(last_seen_at=seen - timedelta(seconds=40))
    world.api("ann").get("leads")
    assert managers.get().last_seen_at >= seen
    assert Manager.objects.get(pk=world.managers["bob"].pk).last_seen_at is None


def test_a_caller_is_known_by_one_statement(world: World, django_assert_num_queries: Any) -> None:
    api = world.api("key_a")
    api.get("leads")  # marks the key, and reads the configuration once
    with django_assert_num_queries(1):
        assert api.get("leads/00000000-0000-7000-8000-0000000000zz").status_code == 404
    with django_assert_num_queries(1):
        assert Api("lr_000000000000_wrong").get("leads").status_code == 401
    with django_assert_num_queries(0):
        assert Api().get("leads").status_code == 401


def test_a_user_without_a_role_is_let_in_and_sees_nothing(world: World) -> None:
    assert world.api("max").get("leads").json()["results"] == []


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["leads", "leads/bulk", "managers"])
def test_other_methods_are_405_for_callers_and_401_for_strangers(world: World, method: str, path: str) -> None:
    assert world.api().send(method, path, b"{}").status_code == 405
    assert Api(client=Client(raise_request_exception=False)).send(method, path, b"{}").status_code == 401


def test_head_is_get_without_its_body(world: World) -> None:
    answer = Client().head("/api/v1/leads", headers={"authorization": f"Bearer {world.keys['account']}"})
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_key_of_a_deactivated_user_is_refused(world: World) -> None:
    assert world.api("sue").get("leads").status_code == 200
    User.objects.filter(email__startswith="sue").update(is_active=False)
    assert world.api("sue").get("leads").status_code == 401
