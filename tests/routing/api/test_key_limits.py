"""How often a key may be used."""

from __future__ import annotations

import time

import pytest

from routing.models import ApiKey, Lead, RefusedIntake

from .world import LEAD, World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


def limit(world: World, actor: str, requests: int | None) -> None:
    ApiKey.objects.filter(name=actor).update(requests_per_minute=requests)


def wait_for_a_young_minute() -> None:
    """Let a minute pass that is nearly over: what is counted then would be counted anew."""
    if time.time() % 60 > 50:
        time.sleep(60 - time.time() % 60)


def test_beyond_its_limit_a_key_is_told_when_to_come_again(world):
    wait_for_a_young_minute()
    limit(world, "key_a", 3)
    api = world.api("key_a")
    answers = [api.post("leads", LEAD) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [201, 201, 201, 429, 429, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60
    assert answers[-1].json()["code"] == "too-many-requests"
    assert Lead.objects.count() == 3, "every 2xx is kept, and nothing else"
    assert not RefusedIntake.objects.exists(), "a flood does not fill the journal"
    assert world.api("key_b").post("leads", LEAD).status_code == 201, "one source does not use up another's"


def test_a_key_without_a_limit_of_its_own_has_that_of_the_settings(world, settings):
    wait_for_a_young_minute()
    settings.KEY_REQUESTS_PER_MINUTE = 2
    limit(world, "key_b", 0)
    assert [world.api("key_a").get("leads").status_code for _ in range(3)] == [200, 200, 429]
    assert [world.api("key_b").get("leads").status_code for _ in range(3)] == [200, 200, 200]


def test_without_redis_leads_are_taken(world, settings):
    settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1/0"}}
    limit(world, "key_a", 1)
    assert {world.api("key_a").post("leads", LEAD).status_code for _ in range(5)} == {201}
