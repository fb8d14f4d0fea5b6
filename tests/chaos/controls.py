"""Positive controls: what is broken on purpose, to see that the checker turns red. One that stays green is blind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .installation import Installation


@dataclass(frozen=True)
class Control:
    """A fault of the installation, and the promises of which at least one must be seen broken."""

    promises: tuple[str, ...]
    settings: str = "leadrouter.settings"
    before: Callable[[Installation], None] = lambda installation: None  # the first start
    after: Callable[[Installation], None] = lambda installation: None  # all is configured


def answer_before_disk(installation: Installation) -> None:
    installation.page = "healthz"  # /readyz sees the weakness, and says so
    part = installation.parts["postgresql"]
    part.command += ["-c", "synchronous_commit=off", "-c", "wal_writer_delay=10s"]


def nobody_sweeps(installation: Installation) -> None:
    for part in installation.of("worker") + installation.of("beat"):
        part.wanted = False


def drop_turns(installation: Installation) -> None:
    installation.execute("DROP INDEX decision_turn_once_per_registry")


def drop_uniqueness(installation: Installation) -> None:
    installation.execute("ALTER TABLE routing_intakerequest DROP CONSTRAINT intakerequest_once")
    installation.execute("DROP INDEX lead_external_id_once_per_source")


CONTROLS = {
    "none": Control(()),
    "async-commit": Control(("acknowledged leads lost", "acknowledged actions lost"), after=answer_before_disk),
    "no-lock": Control(
        ("limits overrun", "ledger other than its replay, or rows that contradict each other"),
        settings="tests.chaos.settings_without_lock", after=drop_turns,
    ),
    "no-sweep": Control(
        (
            "leads that waited over 60 s while somebody was eligible",
            "offers without exactly one outcome, or ended at the wrong time",
        ),
        before=nobody_sweeps,
    ),
    "no-index": Control(("leads twice, of one key or number",), after=drop_uniqueness),
}  # fmt: skip
