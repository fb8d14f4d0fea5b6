"""The short chaos run: a real installation under fire keeps every promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.effort import by_night

from .run import chaos

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.thorough,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc"),
]

# A slow machine sends fewer leads rather than for longer.
LEADS, HITS, SECONDS, LONGEST = by_night((5_000, 60, 170, 420), by_day=(1_500, 24, 60, 150))


def test_a_tormented_installation_loses_nothing_and_does_nothing_twice():
    outcome = chaos(leads=LEADS, hits=HITS, seconds=SECONDS, longest=LONGEST, seed=20)
    print("\n" + "\n".join(outcome.lines()))
    assert outcome.verdict.green
    assert sum(outcome.hits.values()) >= HITS
    assert {target for target, _ in outcome.hits} == {"web", "worker", "beat", "redis", "postgresql"}
    assert outcome.acknowledged > LEADS / 10
    assert not [
        name for name in outcome.unexpected if name.startswith("web")
    ]  # Celery's may end, and are started again
