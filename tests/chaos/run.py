"""One chaos run: an installation, its clients, the nemesis, and the checker at the end."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.platform.processes import until

from . import checker
from .clients import Api, Crowd, send
from .controls import CONTROLS
from .installation import Installation, installed
from .journal import Journal
from .nemesis import Nemesis

WEBS, WORKERS, BEATS = 3, 2, 2
SENDERS, MANAGERS = 16, 8
LONGEST_BETWEEN_HITS = 6.0  # seconds
SETTLE_SECONDS = 30  # a few sweeps


@dataclass
class Outcome:
    """What a run came to."""

    verdict: checker.Verdict
    hits: dict[tuple[str, str], int]
    unexpected: dict[str, int] = field(default_factory=dict)  # parts that died by themselves
    starts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    acknowledged: int = 0
    errors: dict[str, int] = field(default_factory=dict)  # of the logs

    def lines(self) -> list[str]:
        targets = sorted({target for target, _ in self.hits})
        table = [
            f"  {target:<11} {sum(n for (t, _), n in self.hits.items() if t == target):>4}   "
            + ", ".join(f"{action} {n}" for (t, action), n in sorted(self.hits.items()) if t == target)
            for target in targets
        ]
        return [
            f"hits: {sum(self.hits.values())} in {self.seconds:.0f} s",
            *table,
            f"  starts: {self.starts}",
            f"  ended by themselves: {self.unexpected or 'none'}",
            "errors in the logs of web, worker and beat:",
            *(f"  {count:>4}  {error}" for error, count in self.errors.items()),
            "results:",
            *self.verdict.lines(),
        ]


def chaos(
    *, leads: int, hits: int, seconds: float, seed: int, control: str = "none", longest: float = 0, logs: str = ""
) -> Outcome:
    """Run until so many requests are sent and so many hits made; the rate is that of the answers, at most leads/seconds.

    longest: seconds after which no more is sent; 0: three times `seconds`. logs: a folder to copy them into.
    """
    broken = CONTROLS[control]
    with installed(
        webs=WEBS, workers=WORKERS, beats=BEATS, settings=broken.settings, prepare=broken.before
    ) as installation:
        installation.execute(checker.LOG)
        broken.after(installation)
        if control == "async-commit":
            installation.parts["postgresql"].kill()
            assert until(installation.database_answers, seconds=30)
        journal = Journal(installation.home.var / "journal.jsonl")
        crowd = Crowd(installation.ports, installation.key, journal, requests=leads, rate=leads / seconds, seed=seed)
        nemesis = Nemesis(installation, seed=seed)
        started = time.monotonic()
        crowd.start(senders=SENDERS, workers=MANAGERS)
        torment(nemesis, crowd, hits=hits, until_=started + (longest or 3 * seconds))
        taken = time.monotonic() - started
        settle(installation, crowd, journal)
        journal.close()
        verdict = checker.check(installation, journal)
        if logs:
            shutil.copytree(installation.home.var / "logs", logs, dirs_exist_ok=True)
        parts = installation.parts.values()
        return Outcome(
            verdict=verdict,
            hits=dict(nemesis.table),
            unexpected={part.name: part.unexpected for part in parts if part.unexpected},
            starts={part.name: part.starts for part in parts},
            seconds=taken,
            acknowledged=journal.acknowledged,
            errors=errors(installation),
        )


def errors(installation: Installation) -> dict[str, int]:
    """Return what the program's logs call an error, with the last line of its traceback, and how often."""
    found: Counter[str] = Counter()
    for part in filter(lambda part: part.log.exists(), installation.parts.values()):
        for line in part.log.read_text(errors="replace").splitlines():
            if '"level": "error"' in line or '"level": "critical"' in line:
                entry = json.loads(line)
                if entry["event"].startswith("Service Unavailable"):  # what else, while the database is away
                    continue
                last = str(entry.get("exception", "")).strip().splitlines()[-1:]
                found[f"{part.kind}: {entry['event'][:160]} {' '.join(last)[:200]}"] += 1
    return dict(found.most_common(20))


def torment(nemesis: Nemesis, crowd: Crowd, *, hits: int, until_: float) -> None:
    """Hit at the pace of the requests that are sent, or of time where nothing can be sent."""
    last = time.monotonic()
    while time.monotonic() < until_ and not (crowd.done and nemesis.hits >= hits):
        nemesis.go_on()
        due = nemesis.hits * crowd.requests <= crowd.sent * hits
        waited = time.monotonic() - last
        if nemesis.hits < hits and ((due and waited > 0.5) or waited > LONGEST_BETWEEN_HITS):
            nemesis.hit()
            last = time.monotonic()
        time.sleep(0.1)
    crowd.over.set()
    nemesis.leave()


def settle(installation: Installation, crowd: Crowd, journal: Journal) -> None:
    """Let everything run again; then send once more what nobody knows of, and let the sweep finish."""
    installation.wait_until_ready(seconds=180)
    api = Api(installation.ports, installation.key, seed=0, timeout=30)
    deadline = time.monotonic() + 120
    while (unresolved := journal.unresolved()) and time.monotonic() < deadline:
        for number in unresolved:
            send(api, journal, number)
    api.close()
    crowd.finish()
    time.sleep(SETTLE_SECONDS)
