"""The roster worked out from rows another way, column by column and without any value in between: what `build` must equal."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields
from typing import Any

from accounts.models import Account
from accounts.time.availability import load_people
from accounts.time.timetables import ManagerFacts
from routing.intake import placeholders
from routing.intake.skills import tokens_served
from routing.models import Member, Pipeline, Placeholder, Registry, Source, Stage, Trigger
from routing.policy import Roster, TriggerTerms

WORKED_OUT = {"known", "lineups"}  # later, by who asks a rule


def duty_values(person: ManagerFacts, schedule: int | None) -> tuple[Any, ...]:
    """Return what the duty is made of; a function of holidays is told by its arguments."""
    duty = person.duty if schedule is None else person.duties(person.id, schedule)
    holidays = duty._holidays
    return (
        *(getattr(duty, name) for name in ("_days", "_first_ordinal", "_seamless", "_schedule", "_manager")),
        duty._zone.key,
        holidays and (holidays.func.__name__, holidays.args),
    )


def manager_values(person: ManagerFacts) -> dict[str, Any]:
    names = ("id", "email", "name", "active", "skills")
    return {name: getattr(person, name) for name in names} | {"duty": duty_values(person, None)}


def terms_values(trigger: TriggerTerms) -> dict[str, Any]:
    values = {
        f.name: getattr(trigger, f.name)
        for f in fields(trigger)
        if f.name not in {*WORKED_OUT, "managers_by_id", "skills_by_id"}
    }
    values["members"] = [tuple(member) for member in trigger.members]
    duties = [duty_values(trigger.managers_by_id[m.manager], m.schedule) for m in trigger.members]
    return values | {"duties": duties}


def values_of(roster: Roster) -> dict[str, Any]:
    """Return all that the roster says, as values that can be compared."""
    account = roster.account
    return {
        "version": roster.version,
        "account": {
            **{
                n: getattr(account, n)
                for n in ("name", "time_zone", "country", "unqualified", "online_minutes", "repeat_hours")
            },
            "pause_reasons": list(account.pause_reasons),
            "channels": dict(account.channels),
        },
        "zone": roster.zone.key,
        "managers": {key: manager_values(person) for key, person in roster.managers.items()},
        "managers_by_email": {email: person.id for email, person in roster.managers_by_email.items()},
        "skills": roster.skills,
        "sources": {key: tuple(source) for key, source in roster.sources.items()},
        "source_by_code": {code: source.id for code, source in roster.source_by_code.items()},
        "placeholders": (roster.placeholders._values, roster.placeholders._identifying),
        "stages": [tuple(stage) for stage in roster.stages.values()],
        "stage_by_path": {path: stage.id for path, stage in roster.stage_by_path.items()},
        "pipelines": [(code, [stage.id for stage in stages]) for code, stages in roster.pipelines.items()],
        "triggers": {key: terms_values(trigger) for key, trigger in roster.triggers.items()},
        "triggers_on": {key: trigger.id for key, trigger in roster.triggers_on.items()},
        "active_stages": roster.active_stages,
    }


def expected_values(version: int) -> dict[str, Any]:
    """Return what the roster of the rows must say, as `values_of` would."""
    account = Account.objects.filter(pk=1).first() or Account(pk=1)
    people = load_people(account)
    stages = [
        (s.pk, s.code, f"{s.pipeline.code}/{s.code}", s.pipeline.code, str(s.kind))
        for s in Stage.objects.select_related("pipeline").order_by(
            "pipeline__position", "pipeline_id", "position", "id"
        )
    ]
    active = [s[0] for s in stages if s[4] in ("unqualified", "open")]
    sources = {
        s.pk: (s.pk, s.code, s.channel, s.active, s.country, s.double_click, s.takes_activities)
        for s in Source.objects.all()
    }
    triggers = _expected_terms(version, people, active)
    triggers_on: dict[tuple[int, str], int] = {}
    for trigger in sorted(triggers.values(), key=lambda trigger: (trigger["priority"], trigger["id"]), reverse=True):
        triggers_on.update({(trigger["stage"], event): trigger["id"] for event in trigger["on"]})
    return {
        "version": version,
        "account": {
            **{
                n: getattr(account, n)
                for n in ("name", "time_zone", "country", "unqualified", "online_minutes", "repeat_hours")
            },
            "pause_reasons": account.pause_reasons,
            "channels": account.channels,
        },
        "zone": account.time_zone,
        "managers": {key: manager_values(person) for key, person in people.items()},
        "managers_by_email": {person.email: person.id for person in people.values()},
        "skills": {key: tokens_served(person.skills) for key, person in people.items() if person.skills},
        "sources": sources,
        "source_by_code": {source[1]: source[0] for source in sources.values()},
        "placeholders": _expected_placeholders(),
        "stages": stages,
        "stage_by_path": {stage[2]: stage[0] for stage in stages},
        "pipelines": [
            (p.code, [stage[0] for stage in stages if stage[3] == p.code])
            for p in Pipeline.objects.order_by("position", "id")
        ],
        "triggers": triggers,
        "triggers_on": triggers_on,
        "active_stages": active,
    }


def _expected_placeholders() -> tuple[Any, Any]:
    rows = Placeholder.objects.values_list("kind", "value", "identifies")
    nobody = placeholders.build(
        (placeholders.PlaceholderKind(kind), value, identifies) for kind, value, identifies in rows
    )
    return nobody._values, nobody._identifying


def _expected_terms(version: int, people: dict[int, ManagerFacts], active: list[int]) -> dict[int, dict[str, Any]]:
    members: dict[int, list[Member]] = defaultdict(list)
    for member in Member.objects.order_by("position", "id"):
        members[member.trigger_id].append(member)
    registries = {registry.pk: registry for registry in Registry.objects.select_related("trigger")}
    own = {registry.trigger_id: registry for registry in registries.values() if registry.trigger_id}
    found = {}
    for t in Trigger.objects.prefetch_related("limit_stages"):
        registry = registries.get(t.registry_id or 0) or own[t.pk]
        taking_part = [
            (m.manager_id, m.coefficient, t.limit if m.limit is None else m.limit, m.schedule_id) for m in members[t.pk]
        ] or [(p.id, 1, t.limit, None) for p in sorted(people.values(), key=lambda p: p.email) if p.active]
        by_totals = t.method == "fair_share" and registry.accounting == "totals"
        same = (
            *("id", "code", "priority", "online_only", "responsible_check", "responsible_available"),
            *("responsible_count", "also_assign", "max_attempts", "final_step", "on_pause", "if_nobody", "set_fields"),
        )
        found[t.pk] = {
            **{name: getattr(t, name) for name in same},
            "version": version,
            "stage": t.stage_id,
            "on": frozenset(t.on),
            "method": "totals" if by_totals else t.method,
            "registry": registry.pk,
            "registry_label": registry.label,
            "reset": registry.reset,
            "refund_missed": registry.refund_missed,
            "limit_stages": sorted(stage.pk for stage in t.limit_stages.all()) or active,
            "minutes": t.acceptance_minutes,
            "clock": t.acceptance_clock,
            "duty": t.duty_id,
            "members": taking_part,
            "skilled": any(people[m[0]].skills for m in taking_part),
            "managers": [m[0] for m in taking_part],
            "coefficients": [m[1] for m in taking_part],
            "limits": [m[2] for m in taking_part],
            "duties": [duty_values(people[m[0]], m[3]) for m in taking_part],
        }
    return found
