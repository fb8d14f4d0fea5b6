"""Writes about people: pauses, and when somebody was last seen."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Least

from .models import Manager, Pause, User
from .security import letters, second_factor

SEEN_EVERY = timedelta(seconds=30)  # an activity is written down no oftener


@transaction.atomic
def pause_manager(
    manager: Manager, *, at: datetime, minutes: int | None = None, reason: str = "", by: User | None = None
) -> Pause:
    """Take the manager out of distribution, for so many minutes or until resumed; a pause that runs gives way.

    No row of configuration is locked, so nobody who changes the configuration keeps a manager from a pause.
    """
    _end_pause(manager, at=at)
    ends_at = None if minutes is None else at + timedelta(minutes=minutes)
    return Pause.objects.create(manager=manager, started_at=at, ends_at=ends_at, reason=reason, by=by)


@transaction.atomic
def resume_manager(manager: Manager, *, at: datetime) -> bool:
    """Bring the manager back into distribution; tell whether a pause ran."""
    was_paused = Pause.objects.running(at=at).filter(manager=manager).exists()
    _end_pause(manager, at=at)
    return was_paused


# A manager whose row somebody holds, an import say, is seen the next time: nobody waits for that.
MARK_ONLINE = """
UPDATE accounts_manager SET last_seen_at = %(at)s WHERE id = (
    SELECT id FROM accounts_manager WHERE id = %(manager)s AND (last_seen_at IS NULL OR last_seen_at < %(before)s)
    FOR NO KEY UPDATE SKIP LOCKED)
"""


def mark_online(manager_id: int, *, at: datetime) -> None:
    """Write down that the manager was seen."""
    with connection.cursor() as cursor:
        cursor.execute(MARK_ONLINE, {"at": at, "manager": manager_id, "before": at - SEEN_EVERY})


PAUSING = 0x5041555345  # names this lock among others of the database


def note_new_password(user: User, *, at: datetime, by: User | None = None) -> None:
    """Tell the user that they have a new password; what wrong codes have slowed down is quick again."""
    second_factor.forget_wrong_codes(user)
    letters.tell(user, letters.LetterKind.PASSWORD, at=at, by=by)


def note_new_email(user: User, before: str, *, at: datetime, by: User | None = None) -> None:
    """Tell the user at both addresses: who had the old one may be somebody else than who has the new one."""
    for address in (before, user.email):
        letters.tell(user, letters.LetterKind.EMAIL, at=at, by=by, to=address, detail=f"{before} → {user.email}")


def _end_pause(manager: Manager, *, at: datetime) -> None:
    # Two who pause the same manager take turns. Not by the manager's row: whoever changes the configuration holds that.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [(PAUSING << 20) + manager.pk])
    Pause.objects.filter(manager=manager, ended_at=None).update(ended_at=Least(at, F("ends_at")))
