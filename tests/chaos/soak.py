"""`make soak`: a steady load for long, and whether anything grows: memory, connections, dead rows, the time to answer.

Half an hour at 20 leads a second is what a team with 36,000 leads a day sees in a day. The table compares the last
quarter of the time with the second one (the first warms up).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from .clients import Crowd
from .installation import Installation, children_of, installed
from .journal import Journal

EVERY = 5.0  # seconds between two looks
MEASURES = {  # name -> what the last quarter may be of the second, at most
    "memory of the webs, MiB": 1.05,
    "memory of the workers, MiB": 1.05,
    "memory of the beats, MiB": 1.05,
    "connections to PostgreSQL": 1.10,
    "dead rows of hot tables, %": 1.20,
    "intake p99, ms": 1.10,
    "oldest overdue offer, s": 1.20,
}
UNTOUCHED = {
    "connections to PostgreSQL": 14.0,
    "dead rows of hot tables, %": 20.0,
    "oldest overdue offer, s": 15.0,
}  # below this its growth says nothing
DEAD = """
SELECT coalesce(100.0 * sum(n_dead_tup) / nullif(sum(n_live_tup + n_dead_tup), 0), 0) FROM pg_stat_user_tables
WHERE relname IN ('routing_lead', 'routing_offer', 'routing_contact', 'routing_decision')
"""
OVERDUE = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - accept_by)), 0) FROM routing_offer
WHERE closed_at IS NULL AND accept_by < clock_timestamp()
"""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leadrouter'"


@dataclass
class Soak:
    """What was seen, a look at a time."""

    installation: Installation
    journal: Journal
    looks: list[dict[str, float]] = field(default_factory=list)
    told: int = 0  # answers of the journal that were looked at

    def look(self) -> None:
        seen = {f"memory of the {kind}s, MiB": self._memory(kind) for kind in ("web", "worker", "beat")}
        seen["connections to PostgreSQL"] = float(self.installation.value(CONNECTIONS))
        seen["dead rows of hot tables, %"] = float(self.installation.value(DEAD))
        seen["oldest overdue offer, s"] = float(self.installation.value(OVERDUE))
        latest = sorted(seconds for _, seconds in self.journal.seconds[self.told :])
        self.told += len(latest)
        if latest:
            seen["intake p99, ms"] = latest[int(len(latest) * 0.99)] * 1000
        self.looks.append(seen)

    def _memory(self, kind: str) -> float:
        return sum(map(resident, (part.process.pid for part in self.installation.of(kind) if part.process)))

    def quarters(self) -> dict[str, list[float]]:
        """Return the median of each measure in each quarter of the time."""
        quarter = max(1, len(self.looks) // 4)
        parts = [self.looks[quarter * n : quarter * (n + 1)] for n in range(4)]
        found: dict[str, list[float]] = defaultdict(list)
        for name in MEASURES:
            found[name] = [median([look[name] for look in part if name in look] or [0.0]) for part in parts]
        return found


def resident(pid: int) -> float:
    """Return the memory of a process and its children, in MiB."""
    total = 0
    for each in [pid, *children_of(pid)]:
        try:
            with open(f"/proc/{each}/statm") as file:
                total += int(file.read().split()[1]) * 4096
        except OSError:
            continue
    return total / 2**20


def grew(name: str, quarters: list[float]) -> bool:
    if quarters[3] <= UNTOUCHED.get(name, 0.0):
        return False
    return quarters[3] > MEASURES[name] * quarters[1]


def table(soak: Soak) -> list[str]:
    lines = [f"{'':<30}" + "".join(f"{f'quarter {n}':>12}" for n in range(1, 5)) + f"{'4th / 2nd':>12}{'at most':>10}"]
    for name, quarters in soak.quarters().items():
        ratio = quarters[3] / quarters[1] if quarters[1] else 1.0
        verdict = "GROWS" if grew(name, quarters) else "flat"
        numbers = "".join(f"{value:>12.1f}" for value in quarters)
        lines.append(f"{name:<30}{numbers}{ratio:>12.2f}{MEASURES[name]:>10.2f}  {verdict}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=20, help="leads a second")
    options = parser.parse_args()
    with installed(webs=2, workers=2, beats=2) as installation:
        journal = Journal(installation.home.var / "journal.jsonl")
        requests = int(options.rate * options.minutes * 60)
        crowd = Crowd(installation.ports, installation.key, journal, requests=requests, rate=options.rate, seed=1)
        soak = Soak(installation, journal)
        crowd.start(senders=8, workers=4)
        over = time.monotonic() + options.minutes * 60
        while time.monotonic() < over:
            time.sleep(EVERY)
            soak.look()
        crowd.finish()
        journal.close()
        print(*table(soak), sep="\n")
        print(f"{journal.acknowledged} leads in {options.minutes:g} min; answers: {dict(journal.statuses)}", flush=True)
    failed = [name for name, quarters in soak.quarters().items() if grew(name, quarters)]
    return 1 if failed or journal.unresolved() else 0


if __name__ == "__main__":
    sys.exit(main())
