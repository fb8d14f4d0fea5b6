"""The configuration as decisions need it: by number, with working time compiled.

`build` needs only the values of the configuration, whether they come from rows, a file, a draft or an old version. It
asks no database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from accounts.time import schedules
from accounts.time.timetables import Duties, Habits, ManagerFacts, Timetable
from routing.engine import LeadFacts, Reason
from routing.intake import placeholders
from routing.intake.skills import Tokens, tokens_served

from .shapes import ACTIVE_KINDS, Account, Configuration, ExceptionDays, Registry, Schedule, Trigger


class SourceFacts(NamedTuple):
    id: int
    code: str
    channel: str
    active: bool
    country: str  # default country of phone numbers; "" none
    double_click: bool  # the same twice is one lead
    takes_activities: bool  # of what known persons send


class StageFacts(NamedTuple):
    id: int
    code: str
    path: str  # "sales/new"
    pipeline: str  # code
    kind: str

    @property
    def active(self) -> bool:
        return self.kind in ACTIVE_KINDS


class MemberFacts(NamedTuple):
    manager: int
    coefficient: int
    limit: int | None
    schedule: int | None  # replaces the manager's own


@dataclass(slots=True, kw_only=True, eq=False)
class TriggerTerms:
    """A trigger with its members, limit and registry."""

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
    managers_by_id: dict[int, ManagerFacts]
    skills_by_id: dict[int, Tokens]  # of managers who have skills, as they are compared
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

        Pauses and who is online are not configuration; they are read with the decision.
        """
        known = self.known
        if known is None or not known[0] <= at < known[1]:
            known = self.known = (at, *self._look(at))
        return known[2]

    def _look(self, at: datetime) -> tuple[datetime, list[Reason | None]]:
        until, reasons = datetime.max.replace(tzinfo=UTC), []
        for member in self.members:
            manager = self.managers_by_id[member.manager]
            reason = manager.unavailable(at, paused=False, schedule_id=member.schedule)
            reasons.append(Reason(reason) if reason else None)
            until = min(until, manager.next_duty_change(at, schedule_id=member.schedule) or until)
        return until, reasons


@dataclass(slots=True, kw_only=True, eq=False)
class Roster:
    """The whole configuration at one version."""

    version: int
    account: Account
    zone: ZoneInfo
    managers: dict[int, ManagerFacts]
    managers_by_email: dict[str, ManagerFacts]
    skills: dict[int, Tokens]  # of managers who have skills, as they are compared
    sources: dict[int, SourceFacts]
    source_by_code: dict[str, SourceFacts]
    placeholders: placeholders.Placeholders  # what identifies nobody
    stages: dict[int, StageFacts]
    stage_by_path: dict[str, StageFacts]
    pipelines: dict[str, list[StageFacts]]  # code -> stages, both in order
    triggers: dict[int, TriggerTerms]
    triggers_on: dict[tuple[int, str], TriggerTerms]  # (stage, event) -> the trigger that runs

    def rule_for(self, stage: int, event: str, facts: LeadFacts) -> TriggerTerms | None:
        """Return the trigger that runs on a lead that enters the stage. event: created, moved."""
        return self.triggers_on.get((stage, event))

    @property
    def active_stages(self) -> list[int]:
        return [stage.id for stage in self.stages.values() if stage.active]


def build(configuration: Configuration, *, version: int) -> Roster:
    """Build the roster of a configuration. version: the version that the roster is to carry."""
    people = _managers(configuration)
    stages = {
        stage.id: StageFacts(stage.id, stage.code, path, pipeline.code, stage.kind)
        for path, pipeline, stage in configuration.stages()
    }
    sources = {
        s.id: SourceFacts(s.id, s.code, s.channel, s.active, s.country, s.double_click, s.takes_activities)
        for s in configuration.sources
    }
    pipelines: dict[str, list[StageFacts]] = {pipeline.code: [] for pipeline in configuration.pipelines}
    for stage in stages.values():
        pipelines[stage.pipeline].append(stage)
    roster = Roster(
        version=version,
        account=configuration.account,
        zone=schedules.zone(configuration.account.time_zone),
        managers=people,
        managers_by_email={manager.email: manager for manager in people.values()},
        skills={manager.id: tokens_served(manager.skills) for manager in people.values() if manager.skills},
        sources=sources,
        source_by_code={source.code: source for source in sources.values()},
        placeholders=placeholders.build(
            (placeholders.PlaceholderKind(p.kind), p.value, p.identifies) for p in configuration.placeholders
        ),
        stages=stages,
        stage_by_path={stage.path: stage for stage in stages.values()},
        pipelines=pipelines,
        triggers={},
        triggers_on={},
    )
    by_code = {schedule.code: schedule.id for schedule in configuration.schedules}
    named = {registry.code: registry for registry in configuration.registries}
    for trigger in configuration.triggers:
        registry = named[trigger.registry] if isinstance(trigger.registry, str) else trigger.registry
        roster.triggers[trigger.id] = _terms(trigger, registry, roster, by_code)
    for terms in sorted(roster.triggers.values(), key=lambda terms: (terms.priority, terms.id), reverse=True):
        roster.triggers_on.update({(terms.stage, event): terms for event in terms.on})
    return roster


def _managers(configuration: Configuration) -> dict[int, ManagerFacts]:
    zone, by_code = configuration.account.time_zone, {s.code: s.id for s in configuration.schedules}
    duties = Duties(
        {
            m.id: Habits(zone=m.time_zone or zone, offset=m.offset, exceptions=_days(m.exceptions))
            for m in configuration.managers
        },
        {schedule.id: _timetable(schedule) for schedule in configuration.schedules},
    )
    return {
        m.id: ManagerFacts(
            id=m.id,
            email=m.email,
            name=m.name,
            active=m.active,
            skills=dict(m.skills),
            duty=duties(m.id, by_code[m.schedule] if m.schedule is not None else None),
            duties=duties,
        )
        for m in configuration.managers
    }


def _timetable(schedule: Schedule) -> Timetable:
    return Timetable(
        weekly=schedule.weekly,
        cycle_start=schedule.cycle_start,
        cycle_days=schedule.cycle_days,
        holiday_country=schedule.holiday_country,
        holiday_subdivision=schedule.holiday_subdivision,
        exceptions=_days(schedule.exceptions),
    )


def _days(exceptions: Sequence[ExceptionDays]) -> tuple[schedules.DayException, ...]:
    return tuple(
        schedules.DayException(
            first=days.first,
            last=days.last,
            off=days.kind != "extra",
            extra=tuple(map(schedules.parse_interval, days.intervals)),
        )
        for days in exceptions
    )


def _terms(trigger: Trigger, registry: Registry, roster: Roster, schedule_by_code: dict[str, int]) -> TriggerTerms:
    people = roster.managers_by_email
    members = [
        MemberFacts(
            people[m.manager].id,
            m.coefficient,
            trigger.limit if m.limit is None else m.limit,
            schedule_by_code[m.schedule] if m.schedule is not None else None,
        )
        for m in trigger.members
    ] or [MemberFacts(people[email].id, 1, trigger.limit, None) for email in sorted(people) if people[email].active]
    by_totals = trigger.method == "fair_share" and registry.accounting == "totals"
    return TriggerTerms(
        version=roster.version,
        id=trigger.id,
        code=trigger.code,
        stage=roster.stage_by_path[trigger.stage].id,
        on=trigger.on,
        priority=trigger.priority,
        method=Reason.TOTALS if by_totals else Reason(trigger.method),
        registry=registry.id,
        registry_label=registry.code or trigger.code,
        reset=registry.reset,
        refund_missed=registry.refund_missed,
        limit_stages=sorted(roster.stage_by_path[path].id for path in trigger.limit_stages) or roster.active_stages,
        online_only=trigger.online_only,
        responsible_check=list(trigger.responsible_check),
        responsible_available=trigger.responsible_available,
        responsible_count=trigger.responsible_count,
        also_assign=list(trigger.also_assign),
        minutes=trigger.minutes,
        clock=trigger.clock,
        max_attempts=trigger.max_attempts,
        final_step=trigger.final_step,
        on_pause=trigger.on_pause,
        if_nobody=trigger.if_nobody,
        duty=people[trigger.duty].id if trigger.duty is not None else None,
        set_fields=dict(trigger.set_fields),
        members=members,
        managers_by_id=roster.managers,
        skills_by_id=roster.skills,
        skilled=any(m.manager in roster.skills for m in members),
    )
