"""A beat of which any number may run: each tick is claimed in the database, and only who gets it sends the job.

There is no leader to lose and no lock to leak. A beat that dies is missed by nobody, because the others try each tick
anyway; two beats cannot both send it, because the claim is one conditional UPDATE. The clock is the database's: a host
whose own clock is wrong neither hurries nor stops the schedule.
"""

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from accounts.time import clock

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0  # while the database is away

CLAIM = """
    UPDATE django_celery_beat_periodictask
       SET last_run_at = clock_timestamp(), total_run_count = total_run_count + 1
     WHERE id = %(id)s AND enabled
       AND (last_run_at IS NULL OR last_run_at = %(seen)s)
       AND (last_run_at IS NULL OR last_run_at <= clock_timestamp() - %(least)s::interval
            OR last_run_at > clock_timestamp())
 RETURNING last_run_at
"""


class ClaimedEntry(ModelEntry):
    """A periodic task whose `last_run_at` is the database's time in its row and the host's own time in memory."""

    last_run_at: datetime
    skew = timedelta(0)  # the database's clock less ours, measured by the scheduler; one for all entries

    def __init__(self, model: Any, app: Any = None) -> None:
        self.seen = model.last_run_at  # as the row had it: the claim holds only while nobody else has written it
        self.won = False
        super().__init__(model, app=app)
        ours = self.last_run_at - self.skew
        self.last_run_at = min(ours, datetime.now(UTC))  # a time to come would stop the task until then

    def claim(self) -> "ClaimedEntry":
        """Take this tick if nobody has, and return the entry for the next one."""
        every: timedelta = getattr(
            self.schedule, "run_every", timedelta(0)
        )  # a crontab has none: there the seen value is enough
        with connection.cursor() as cursor:
            cursor.execute(
                CLAIM, {"id": self.model.pk, "seen": self.seen, "least": f"{every.total_seconds() * 0.9} seconds"}
            )
            self.won = cursor.fetchone() is not None
        self.model.refresh_from_db()
        return type(self)(self.model, app=self.app)


class ClaimingScheduler(DatabaseScheduler):
    """Celery beat's scheduler over the database, safe to run more than once."""

    Entry = ClaimedEntry
    _last_timestamp: datetime | None  # of the changes that it has read

    def setup_schedule(self) -> None:
        """Write the schedule of the settings into the database, as soon as there is one."""
        while not self.database_answers():
            time.sleep(RETRY_SECONDS)
        super().setup_schedule()

    def database_answers(self) -> bool:
        try:
            self.measure_skew()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("beat waits for the database: %s", error, extra={"action": "beat_waits"})
            connection.close()
            return False
        return True

    def all_as_schedule(self) -> dict[str, ClaimedEntry]:
        """Read the schedule; what is known of it stands where the database went away, and is read at the next look."""
        try:
            self.measure_skew()
            return super().all_as_schedule()
        except (DatabaseError, InterfaceError) as error:
            if self._schedule is None:
                raise
            logger.warning("beat could not read its schedule: %s", error, extra={"action": "beat_schedule_not_read"})
            connection.close()
            self._last_timestamp = datetime.min.replace(tzinfo=UTC)
            return self._schedule

    def measure_skew(self) -> None:
        ClaimedEntry.skew = clock.now() - datetime.now(UTC)

    def reserve(self, entry: ClaimedEntry) -> ClaimedEntry:
        try:
            following = entry.claim()
        except (DatabaseError, InterfaceError) as error:
            # Without the database nothing can be swept either. Drop the connection; the next tick opens another.
            logger.warning("beat could not claim %s: %s", entry.name, error, extra={"action": "beat_claim_failed"})
            connection.close()
            entry.won = False
            entry.last_run_at = datetime.now(UTC)
            return entry
        if not entry.won:
            logger.debug("another beat took %s", entry.name)
        self._schedule[entry.name] = following
        return following

    def apply_entry(self, entry: ClaimedEntry, producer: Any = None) -> None:
        if entry.won:
            super().apply_entry(entry, producer=producer)
