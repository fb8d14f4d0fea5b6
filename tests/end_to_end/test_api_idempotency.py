"""One Idempotency-Key from many connections at once is one request."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connections

from routing.models import Decision, IntakeRequest, Lead
from tests.effort import by_night
from tests.routing.api.world import LEAD, World, make_world

CONNECTIONS = 32


def send_from_all(world: World, rounds: int) -> list[list[Any]]:
    """Send the same request from every connection, round by round; return the answers of each round."""
    barrier = threading.Barrier(CONNECTIONS)
    answers: list[list[Any]] = [[] for _ in range(rounds)]

    def send() -> None:
        try:
            api = world.api("key_a")
            for number in range(rounds):
                barrier.wait(timeout=100)
                body = {**LEAD, "external_id": f"form-{number}"}
                answers[number].append(api.post("leads", body, idempotency_key=f"key-{number}"))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def check(rounds: int) -> None:
    answers = send_from_all(make_world(), rounds)
    for answered in answers:
        assert [answer.status_code for answer in answered] == [201] * CONNECTIONS
        assert len({answer.content for answer in answered}) == 1
        assert Counter("Idempotent-Replayed" in answer.headers for answer in answered) == {
            True: CONNECTIONS - 1,
            False: 1,
        }
    assert Lead.objects.count() == Decision.objects.count() == IntakeRequest.objects.count() == rounds


@pytest.mark.django_db(transaction=True)
def test_32_connections_with_one_key_make_one_lead() -> None:
    check(rounds=4)


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.django_db(transaction=True)
def test_32_connections_with_one_key_make_one_lead_every_time() -> None:
    check(rounds=by_night(200, by_day=40))
