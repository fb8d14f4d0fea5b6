"""The configuration as decisions need it: plain values, kept in each process under the version the database hands out.

A version is never used twice, and it becomes visible with the change itself (accounts, migration 0002); whoever holds
the lock of a registry compares it, so a stale roster never decides.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from accounts import schedules
from accounts.availability import Person, load_people
from accounts.models import Account, ConfigurationVersion

from .engine import Reason
from .models import Member, Pipeline, Registry, Source, Stage, Trigger


class SourceFacts(NamedTuple):
    id: int
    code: str
    channel: str
    active: bool
    country: str  # default country of phone numbers; "" none


class StageFacts(NamedTuple):
    id: int
    code: str
    path: str  # "sales/new"
    pipeline: str  # code
    kind: str

    @property
    def active(self) -> bool:
        return self.kind in Stage.ACTIVE


class MemberFacts(NamedTuple):
    manager: int
    coefficient: int
    limit: int | None
    schedule: int | None  # replaces the manager's own


@dataclass(slots=True, kw_only=True, eq=False)
class Rule:
    """A trigger, whole: its members, its limit, its registry."""

    version: int  # of the configuration
    id: int
    code: str
    stage: int
    on: frozenset[str]
    priority: int
    method: Reason  # as the registry's accounting makes it
    registry: int
    registry_label: str
    reset: str  # of the registry's totals
    refund_missed: bool
    limit_stages: list[int]
    online_only: bool
    responsible_check: list[str]
    responsible_available: bool
    responsible_count: bool
    also_assign: list[str]
    minutes: int | None  # to accept within; None: no acceptance asked
    clock: str
    max_attempts: int | None
    final_step: str
    on_pause: str
    if_nobody: str
    duty: int | None
    set_fields: dict[str, object]
    members: Sequence[MemberFacts]
    people: dict[int, Person]
    skilled: bool  # some member has skills, so leads may not match
    # The members side by side, as decisions take them.
    managers: list[int] = field(init=False)
    coefficients: list[int] = field(init=False)
    limits: list[int | None] = field(init=False)
    known: tuple[datetime, datetime, list[Reason | None]] | None = field(default=None, init=False)
    # Line-ups that are written down already, by all that they hold.
    lineups: dict[tuple[tuple[Any, ...], ...], int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.managers = [member.manager for member in self.members]
        self.coefficients = [member.coefficient for member in self.members]
        self.limits = [member.limit for member in self.members]

    def unavailable(self, at: datetime) -> list[Reason | None]:
        """Return, in the order of the members, why each is inactive or off duty; kept until the first of them changes.

        Pauses and who is online are not of the configuration; they are read with the decision.
        """
        known = self.known
        if known is None or not known[0] <= at < known[1]:
            known = self.known = (at, *self._look(at))
        return known[2]

    def _look(self, at: datetime) -> tuple[datetime, list[Reason | None]]:
        until, reasons = datetime.max.replace(tzinfo=UTC), []
        for member in self.members:
            person = self.people[member.manager]
            reason = person.unavailable(at, paused=False, schedule_id=member.schedule)
            reasons.append(Reason(reason) if reason else None)
            until = min(until, person.unchanged_until(at, schedule_id=member.schedule) or until)
        return until, reasons


@dataclass(slots=True, kw_only=True, eq=False)
class Roster:
    """The whole configuration at one version."""

    version: int
    account: Account
    zone: ZoneInfo
    people: dict[int, Person]
    people_by_email: dict[str, Person]
    sources: dict[int, SourceFacts]
    source_by_code: dict[str, SourceFacts]
    stages: dict[int, StageFacts]
    stage_by_path: dict[str, StageFacts]
    pipelines: dict[str, list[StageFacts]]  # code -> stages, both in order
    rules: dict[int, Rule]
    rules_on: dict[tuple[int, str], Rule]  # (stage, event) -> the rule that fires

    @property
    def active_stages(self) -> list[int]:
        return [stage.id for stage in self.stages.values() if stage.active]


_kept: Roster | None = None
_loading = threading.Lock()


def current(version: int | None = None) -> Roster:
    """Return the roster of this version of the configuration; None: of the version that stands in the database."""
    version = read_version() if version is None else version
    kept = _kept
    return kept if kept is not None and kept.version == version else _load()


def read_version() -> int:
    return ConfigurationVersion.objects.values_list("version", flat=True).first() or 0


def _load() -> Roster:
    global _kept
    with _loading:
        while True:
            version = read_version()
            if _kept is not None and _kept.version == version:
                return _kept
            roster = _read(version)
            if read_version() == version:  # nothing changed while it was read in several queries
                _kept = roster
                return roster


def _read(version: int) -> Roster:
    account = Account.objects.filter(pk=1).first() or Account(pk=1)
    people = load_people(account)
    stages = {
        s.pk: StageFacts(s.pk, s.code, f"{s.pipeline.code}/{s.code}", s.pipeline.code, s.kind)
        for s in Stage.objects.select_related("pipeline")
    }
    sources = {s.pk: SourceFacts(s.pk, s.code, s.channel, s.active, s.country) for s in Source.objects.all()}
    pipelines: dict[str, list[StageFacts]] = {p.code: [] for p in Pipeline.objects.all()}
    for stage in stages.values():
        pipelines[stage.pipeline].append(stage)
    rules = _rules(version, people, stages)
    rules_on: dict[tuple[int, str], Rule] = {}
    for rule in sorted(rules.values(), key=lambda rule: (rule.priority, rule.id), reverse=True):
        rules_on.update({(rule.stage, event): rule for event in rule.on})
    return Roster(
        version=version,
        account=account,
        zone=schedules.zone(account.time_zone),
        people=people,
        people_by_email={person.email: person for person in people.values()},
        sources=sources,
        source_by_code={source.code: source for source in sources.values()},
        stages=stages,
        stage_by_path={stage.path: stage for stage in stages.values()},
        pipelines=pipelines,
        rules=rules,
        rules_on=rules_on,
    )


def _rules(version: int, people: dict[int, Person], stages: dict[int, StageFacts]) -> dict[int, Rule]:
    members: dict[int, list[Member]] = defaultdict(list)
    for member in Member.objects.order_by("position", "id"):
        members[member.trigger_id].append(member)
    registries = {registry.pk: registry for registry in Registry.objects.select_related("trigger")}
    own = {registry.trigger_id: registry for registry in registries.values() if registry.trigger_id}
    active = [stage.id for stage in stages.values() if stage.active]
    return {
        trigger.pk: _rule(
            version,
            trigger,
            registries.get(trigger.registry_id or 0) or own[trigger.pk],
            members[trigger.pk],
            people,
            active,
        )
        for trigger in Trigger.objects.prefetch_related("limit_stages")
    }


def _rule(
    version: int,
    trigger: Trigger,
    registry: Registry,
    members: list[Member],
    people: dict[int, Person],
    active: list[int],
) -> Rule:
    taking_part = [
        MemberFacts(m.manager_id, m.coefficient, trigger.limit if m.limit is None else m.limit, m.schedule_id)
        for m in members
    ] or [MemberFacts(p.id, 1, trigger.limit, None) for p in sorted(people.values(), key=lambda p: p.email) if p.active]
    by_totals = trigger.method == Trigger.Method.FAIR_SHARE and registry.accounting == Registry.Accounting.TOTALS
    return Rule(
        version=version,
        id=trigger.pk,
        code=trigger.code,
        stage=trigger.stage_id,
        on=frozenset(trigger.on),
        priority=trigger.priority,
        method=Reason.TOTALS if by_totals else Reason(trigger.method),
        registry=registry.pk,
        registry_label=registry.label,
        reset=registry.reset,
        refund_missed=registry.refund_missed,
        limit_stages=sorted(stage.pk for stage in trigger.limit_stages.all()) or active,
        online_only=trigger.online_only,
        responsible_check=trigger.responsible_check,
        responsible_available=trigger.responsible_available,
        responsible_count=trigger.responsible_count,
        also_assign=trigger.also_assign,
        minutes=trigger.acceptance_minutes,
        clock=trigger.acceptance_clock,
        max_attempts=trigger.max_attempts,
        final_step=trigger.final_step,
        on_pause=trigger.on_pause,
        if_nobody=trigger.if_nobody,
        duty=trigger.duty_id,
        set_fields=trigger.set_fields,
        members=taking_part,
        people=people,
        skilled=any(people[m.manager].skills for m in taking_part),
    )
