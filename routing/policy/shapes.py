"""The configuration, typed: what rows, a file, a draft or an old version are read into.

Objects refer to each other by key: a code, an e-mail, `pipeline/stage`. Rows of leads and decisions refer to them by
number; an object without a row gets a number that no row has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

ACTIVE_KINDS = ("unqualified", "open")  # of stages in which leads are under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    name: str
    time_zone: str
    country: str  # default country of phone numbers; "" none
    unqualified: bool
    online_minutes: int
    repeat_hours: int
    pause_reasons: tuple[str, ...]
    channels: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionDays:
    """Days on which somebody works otherwise; both are included."""

    first: date
    last: date
    kind: str  # off, extra, hours
    intervals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    id: int
    code: str
    title: str
    weekly: Mapping[str, tuple[str, ...]] | None  # None: a cycle
    cycle_start: date | None
    cycle_days: tuple[tuple[str, ...], ...]
    holiday_country: str
    holiday_subdivision: str
    exceptions: tuple[ExceptionDays, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    id: int
    email: str
    name: str
    active: bool
    schedule: str | None  # None: always on duty
    offset: int
    time_zone: str  # "": the account's
    skills: Mapping[str, list[str]]
    exceptions: tuple[ExceptionDays, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    id: int
    code: str
    title: str
    channel: str
    active: bool
    country: str
    double_click: bool
    takes_activities: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A value that identifies nobody, or that does, though the list says otherwise."""

    kind: str  # of routing.intake.placeholders
    value: str
    identifies: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    id: int
    code: str
    title: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    id: int
    code: str
    title: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    id: int
    code: str | None  # None: the own one of a trigger
    title: str
    accounting: str
    reset: str
    refund_missed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    manager: str
    coefficient: int
    limit: int | None  # beats the trigger's
    schedule: str | None  # replaces the manager's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    id: int
    code: str
    stage: str  # pipeline/stage
    on: frozenset[str]
    priority: int
    method: str
    registry: str | Registry  # its own, where it names none
    limit: int | None
    limit_stages: tuple[str, ...]  # none: all active stages
    online_only: bool
    responsible_check: tuple[str, ...]
    responsible_available: bool
    responsible_count: bool
    also_assign: tuple[str, ...]
    minutes: int | None  # to accept within; None: no acceptance asked
    clock: str
    max_attempts: int | None
    final_step: str
    on_pause: str
    if_nobody: str
    duty: str | None
    set_fields: Mapping[str, object]
    members: tuple[Member, ...]  # none: all active managers


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All of it, each section in its order."""

    account: Account
    schedules: tuple[Schedule, ...]
    managers: tuple[Manager, ...]
    sources: tuple[Source, ...]
    placeholders: tuple[Placeholder, ...]
    pipelines: tuple[Pipeline, ...]
    registries: tuple[Registry, ...]
    triggers: tuple[Trigger, ...]

    def stages(self) -> Iterator[tuple[str, Pipeline, Stage]]:
        """Yield path, pipeline and stage, both in order."""
        for pipeline in self.pipelines:
            yield from ((f"{pipeline.code}/{stage.code}", pipeline, stage) for stage in pipeline.stages)
