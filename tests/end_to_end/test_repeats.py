"""Keys sent again and again, at once and later, now and then with another body or by another source."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from typing import Any

import pytest
from django.db import connections

from routing.models import IntakeRequest, Lead
from tests.effort import by_night
from tests.routing.api.world import LEAD, World, make_world

pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.django_db(transaction=True), pytest.mark.timeout(900)]

KEYS, CLIENTS = by_night(400, by_day=80), 8
Sent = tuple[str, str, str]  # who sends, the key, the body's name


def plan(dice: random.Random) -> list[Sent]:
    """Return what is sent: each key once to twenty times, one of twenty with another body, one of twenty by key_b."""
    sends = []
    for number in range(KEYS):
        for _ in range(dice.randint(1, 20)):
            who = "key_b" if dice.random() < 0.05 else "key_a"
            other = " changed" if dice.random() < 0.05 else ""
            sends.append((who, f"key-{number}", f"Lead {number}{other}"))
    # Near each other, so that they overlap, but in no order.
    return sorted(sends, key=lambda sent: int(sent[1][4:]) + dice.uniform(0, 6))


def send_all(world: World, sends: list[Sent]) -> list[tuple[Sent, Any, float]]:
    answers: list[tuple[Sent, Any, float]] = []

    def client(number: int) -> None:
        apis = {who: world.api(who) for who in ("key_a", "key_b")}
        try:
            for sent in sends[number::CLIENTS]:
                started = time.perf_counter()
                answer = apis[sent[0]].post("leads", {**LEAD, "name": sent[2]}, idempotency_key=sent[1])
                answers.append((sent, answer, time.perf_counter() - started))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_however_often_a_key_is_sent_it_is_one_lead_of_its_source_with_one_answer():
    world = make_world()
    answers = send_all(world, plan(random.Random(1)))
    by_key = defaultdict(list)
    for (who, key, name), answer, _ in answers:
        by_key[who, key].append((name, answer))
    for sent in by_key.values():
        first = {answer.content for _, answer in sent if answer.status_code == 201}
        assert len(first) == 1  # the same answer to each, whoever of them came first
        taken = {name for name, answer in sent if answer.status_code == 201}
        assert len(taken) == 1
        assert {answer.status_code for name, answer in sent if name not in taken} <= {422}
        new = ["Idempotent-Replayed" not in answer.headers for name, answer in sent if name in taken]
        assert new.count(True) == 1
    assert Lead.objects.count() == IntakeRequest.objects.count() == len(by_key)
    by_a = Lead.objects.filter(source__code="landing").count()
    assert by_a == sum(who == "key_a" for who, _ in by_key)
    replays = sorted(seconds for _, answer, seconds in answers if "Idempotent-Replayed" in answer.headers)
    print(
        f"\n{len(answers)} requests, {len(replays)} replays, p50 {replays[len(replays) // 2] * 1000:.0f} ms, "
        f"p99 {replays[int(len(replays) * 0.99)] * 1000:.0f} ms"
    )
