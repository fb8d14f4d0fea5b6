"""What of the configuration cannot work, in words, each with the thing to mend. Without a query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext, ngettext, pgettext

from accounts.time import availability, calendars

from .models import Trigger
from .roster import MemberFacts, Roster, TriggerTerms
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
    found = [fault for trigger in roster.triggers.values() if trigger.on for fault in faults_of(trigger, roster, at=at)]
    return sorted(found, key=lambda fault: not fault.grave)


def faults_of(trigger: TriggerTerms, roster: Roster, *, at: datetime) -> list[Fault]:
    """Return what of one trigger cannot work."""
    return [
        *_nobody_takes_part(trigger, roster, at=at),
        *_inactive_members(trigger, roster),
        *_never_on_duty(trigger, roster, at=at),
        *_nobody_on_duty(trigger, roster),
        *_rivals(trigger, roster),
    ]


def _fault(trigger: TriggerTerms, words: str, *, grave: bool = False) -> Fault:
    return Fault(f"{trigger.code}: {words}", "routing.trigger", trigger.id, grave)


def _active(trigger: TriggerTerms, roster: Roster) -> list[MemberFacts]:
    return [m for m in trigger.members if roster.managers[m.manager].active]


def _nobody_takes_part(trigger: TriggerTerms, roster: Roster, *, at: datetime) -> Iterator[Fault]:
    """Look for the one reason why no lead can ever be taken."""
    active = _active(trigger, roster)
    if not active:
        yield _fault(trigger, gettext("no member is active, so nobody can get the leads."), grave=True)
    elif not any(m.coefficient for m in active):
        yield _fault(trigger, gettext("all coefficients are 0, so nobody can get the leads."), grave=True)
    elif not any(m.coefficient and m.limit != 0 for m in active):
        yield _fault(trigger, gettext("the limit is 0, so nobody can get the leads."), grave=True)
    elif all(_is_never_on_duty(m, trigger, roster, at=at) for m in active):
        yield _fault(trigger, gettext("no member is ever on duty, so nobody can get the leads."), grave=True)


def _inactive_members(trigger: TriggerTerms, roster: Roster) -> Iterator[Fault]:
    names = [name_of(m.manager, roster) for m in trigger.members if not roster.managers[m.manager].active]
    if names:
        words = ngettext("%(names)s is a member but not active.", "%(names)s are members but not active.", len(names))
        yield _fault(trigger, words % {"names": _list_names(names)})


def _list_names(names: Sequence[str]) -> str:
    more = f" +{len(names) - 5}" if len(names) > 5 else ""
    return pgettext("between names", ", ").join(names[:5]) + more


def _is_never_on_duty(member: MemberFacts, trigger: TriggerTerms, roster: Roster, *, at: datetime) -> bool:
    duty = roster.managers[member.manager].duty_by(member.schedule)
    return not duty.on_duty(at) and duty.next_start(at) is None


def _never_on_duty(trigger: TriggerTerms, roster: Roster, *, at: datetime) -> Iterator[Fault]:
    for member in _active(trigger, roster):
        if _is_never_on_duty(member, trigger, roster, at=at):
            name = name_of(member.manager, roster)
            words = gettext("%(trigger)s: %(name)s is never on duty because the schedule has no hours for them.")
            yield Fault(words % {"trigger": trigger.code, "name": name}, "accounts.manager", member.manager)


def _nobody_on_duty(trigger: TriggerTerms, roster: Roster) -> Iterator[Fault]:
    """Look at who is to take what nobody took."""
    asked = trigger.if_nobody == Trigger.IfNobody.DUTY or (
        trigger.minutes is not None and trigger.final_step == Trigger.FinalStep.DUTY
    )
    if asked and trigger.duty is not None and not roster.managers[trigger.duty].active:
        name = name_of(trigger.duty, roster)
        yield _fault(
            trigger,
            gettext("%(name)s is on duty for leads that nobody took, but not active.") % {"name": name},
            grave=True,
        )
    if trigger.minutes is not None and trigger.final_step == Trigger.FinalStep.WAIT and trigger.max_attempts == 1:
        yield _fault(trigger, gettext("a lead that one manager does not accept waits at once. Allow more attempts."))


def _rivals(trigger: TriggerTerms, roster: Roster) -> Iterator[Fault]:
    """Look for triggers that fire on the same, so that chance of age decides between them."""
    for other in roster.triggers.values():
        same = other.stage == trigger.stage and other.priority == trigger.priority and other.on & trigger.on
        if same and other.id > trigger.id:
            words = gettext("%(other)s has the same stage, event and priority. Only the older trigger runs.")
            yield _fault(trigger, words % {"other": other.code})


# Who covers what


def coverage_gaps(
    trigger: TriggerTerms, roster: Roster, pauses: Mapping[int, availability.Stretch], *, at: datetime
) -> list[Stretch]:
    """Return when, within a day, nobody whom leads may go to is at work: on duty, and not on a pause."""
    places = [(m.manager, m.schedule) for m in _active(trigger, roster) if m.coefficient and m.limit != 0]
    stand_in = stand_in_of(trigger, roster)
    if stand_in is not None:
        places.append((stand_in, None))
    end = at + AHEAD
    work = [
        roster.managers[manager].at_work(at, end, pause=pauses.get(manager), schedule_id=schedule)
        for manager, schedule in places
    ]
    return calendars.gaps(work, at, end)


def stand_in_of(trigger: TriggerTerms, roster: Roster) -> int | None:
    """Return who takes at once what no member can: active is all they must be, on duty or not."""
    takes = (
        trigger.if_nobody == Trigger.IfNobody.DUTY and trigger.duty is not None and roster.managers[trigger.duty].active
    )
    return trigger.duty if takes else None
