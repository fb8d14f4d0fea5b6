"""What of the configuration cannot work, in words, each with the thing to mend. Without a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext, ngettext, pgettext

from accounts.time import availability, calendars

from .models import Trigger
from .roster import MemberFacts, Roster, Rule
from .timelines import name_of

AHEAD = timedelta(hours=24)
Stretch = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that cannot work, or not as it seems meant."""

    words: str
    model: str  # of the thing to mend: routing.trigger
    id: int | None
    grave: bool = False  # leads will find nobody


def faults(roster: Roster, *, at: datetime) -> list[Fault]:
    """Return the faults of all triggers that fire, grave ones first."""
    found = [fault for rule in roster.rules.values() if rule.on for fault in faults_of(rule, roster, at=at)]
    return sorted(found, key=lambda fault: not fault.grave)


def faults_of(rule: Rule, roster: Roster, *, at: datetime) -> list[Fault]:
    """Return what of one trigger cannot work."""
    return [
        *_nobody_takes_part(rule, roster, at=at),
        *_inactive_members(rule, roster),
        *_never_on_duty(rule, roster, at=at),
        *_nobody_on_duty(rule, roster),
        *_rivals(rule, roster),
    ]


def _fault(rule: Rule, words: str, *, grave: bool = False) -> Fault:
    return Fault(f"{rule.code}: {words}", "routing.trigger", rule.id, grave)


def _active(rule: Rule, roster: Roster) -> list[MemberFacts]:
    return [m for m in rule.members if roster.people[m.manager].active]


def _nobody_takes_part(rule: Rule, roster: Roster, *, at: datetime) -> Iterator[Fault]:
    """Look for the one reason why no lead can ever be taken."""
    active = _active(rule, roster)
    if not active:
        yield _fault(rule, gettext("no member is active, so nobody can get the leads."), grave=True)
    elif not any(m.coefficient for m in active):
        yield _fault(rule, gettext("all coefficients are 0, so nobody can get the leads."), grave=True)
    elif not any(m.coefficient and m.limit != 0 for m in active):
        yield _fault(rule, gettext("the limit is 0, so nobody can get the leads."), grave=True)
    elif all(_is_never_on_duty(m, rule, roster, at=at) for m in active):
        yield _fault(rule, gettext("no member is ever on duty, so nobody can get the leads."), grave=True)


def _inactive_members(rule: Rule, roster: Roster) -> Iterator[Fault]:
    names = [name_of(m.manager, roster) for m in rule.members if not roster.people[m.manager].active]
    if names:
        words = ngettext("%(names)s is a member but not active.", "%(names)s are members but not active.", len(names))
        yield _fault(rule, words % {"names": _list_names(names)})


def _list_names(names: Sequence[str]) -> str:
    more = f" +{len(names) - 5}" if len(names) > 5 else ""
    return pgettext("between names", ", ").join(names[:5]) + more


def _is_never_on_duty(member: MemberFacts, rule: Rule, roster: Roster, *, at: datetime) -> bool:
    duty = roster.people[member.manager].duty_by(member.schedule)
    return not duty.on_duty(at) and duty.next_start(at) is None


def _never_on_duty(rule: Rule, roster: Roster, *, at: datetime) -> Iterator[Fault]:
    for member in _active(rule, roster):
        if _is_never_on_duty(member, rule, roster, at=at):
            name = name_of(member.manager, roster)
            words = gettext("%(trigger)s: %(name)s is never on duty because the schedule has no hours for them.")
            yield Fault(words % {"trigger": rule.code, "name": name}, "accounts.manager", member.manager)


def _nobody_on_duty(rule: Rule, roster: Roster) -> Iterator[Fault]:
    """Look at who is to take what nobody took."""
    asked = rule.if_nobody == Trigger.IfNobody.DUTY or (
        rule.minutes is not None and rule.final_step == Trigger.FinalStep.DUTY
    )
    if asked and rule.duty is not None and not roster.people[rule.duty].active:
        name = name_of(rule.duty, roster)
        yield _fault(
            rule,
            gettext("%(name)s is on duty for leads that nobody took, but not active.") % {"name": name},
            grave=True,
        )
    if rule.minutes is not None and rule.final_step == Trigger.FinalStep.WAIT and rule.max_attempts == 1:
        yield _fault(rule, gettext("a lead that one manager does not accept waits at once. Allow more attempts."))


def _rivals(rule: Rule, roster: Roster) -> Iterator[Fault]:
    """Look for triggers that fire on the same, so that chance of age decides between them."""
    for other in roster.rules.values():
        same = other.stage == rule.stage and other.priority == rule.priority and other.on & rule.on
        if same and other.id > rule.id:
            words = gettext("%(other)s has the same stage, event and priority. Only the older trigger runs.")
            yield _fault(rule, words % {"other": other.code})


# Who covers what


def coverage_gaps(
    rule: Rule, roster: Roster, pauses: Mapping[int, availability.Stretch], *, at: datetime
) -> list[Stretch]:
    """Return when, within a day, nobody whom leads may go to is at work: on duty, and not on a pause."""
    places = [(m.manager, m.schedule) for m in _active(rule, roster) if m.coefficient and m.limit != 0]
    stand_in = stand_in_of(rule, roster)
    if stand_in is not None:
        places.append((stand_in, None))
    end = at + AHEAD
    work = [
        roster.people[manager].at_work(at, end, pause=pauses.get(manager), schedule_id=schedule)
        for manager, schedule in places
    ]
    return calendars.gaps(work, at, end)


def stand_in_of(rule: Rule, roster: Roster) -> int | None:
    """Return who takes at once what no member can: active is all they must be, on duty or not."""
    takes = rule.if_nobody == Trigger.IfNobody.DUTY and rule.duty is not None and roster.people[rule.duty].active
    return rule.duty if takes else None
