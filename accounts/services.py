"""Writes about people: pauses, and when somebody was last seen."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Least

from .models import Manager, Pause, User

SEEN_EVERY = timedelta(seconds=30)  # an activity is written down no oftener


@transaction.atomic
def pause_manager(
    manager: Manager, *, at: datetime, minutes: int | None = None, reason: str = "", by: User | None = None
) -> Pause:
    """Take the manager out of distribution, for so many minutes or until resumed; a pause that runs gives way."""
    _end_pause(manager, at=at)
    ends_at = None if minutes is None else at + timedelta(minutes=minutes)
    return Pause.objects.create(manager=manager, started_at=at, ends_at=ends_at, reason=reason, by=by)


@transaction.atomic
def resume_manager(manager: Manager, *, at: datetime) -> bool:
    """Bring the manager back into distribution; tell whether a pause ran."""
    was_paused = Pause.objects.running(at=at).filter(manager=manager).exists()
    _end_pause(manager, at=at)
    return was_paused


def mark_online(manager_id: int, *, at: datetime) -> None:
    """Write down that the manager was seen."""
    Manager.objects.filter(Q(last_seen_at=None) | Q(last_seen_at__lt=at - SEEN_EVERY), pk=manager_id).update(
        last_seen_at=at
    )


def _end_pause(manager: Manager, *, at: datetime) -> None:
    Manager.objects.select_for_update(no_key=True).get(pk=manager.pk)  # two who pause the same manager take turns
    Pause.objects.filter(manager=manager, ended_at=None).update(ended_at=Least(at, F("ends_at")))
