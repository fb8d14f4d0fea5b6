"""What happens to a lead that is not accepted: the deadline of its offer, and the step after a decline or time-out."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol


class Finally(StrEnum):
    """What happens to a lead that nobody accepted."""

    DUTY = "duty"
    KEEP = "keep"
    RESTART = "restart"
    WAIT = "wait"


class WorkingTime(Protocol):
    """The part of a manager's duty that a deadline needs."""

    def working_minutes_after(self, at: datetime, minutes: int) -> datetime | None: ...


class NeverOnDuty(ValueError):
    """The duty ahead has fewer minutes than required."""


def accept_by(offered_at: datetime, *, minutes: int, duty: WorkingTime | None) -> datetime:
    """Return the instant at which an offer runs out.

    duty: counts the manager's working time; None counts by the wall clock.
    Raises NeverOnDuty when the manager does not work that long within 400 days.
    Source: docs/rules.md, "Acceptance".
    """
    if duty is None:
        return offered_at + timedelta(minutes=minutes)
    deadline = duty.working_minutes_after(offered_at, minutes)
    if deadline is None:
        raise NeverOnDuty(f"no {minutes} working minutes within 400 days")
    return deadline


def attempts_left(*, attempt: int, max_attempts: int | None) -> bool:
    """Tell whether a lead that was offered `attempt` times in this round may be offered again."""
    return max_attempts is None or attempt < max_attempts
