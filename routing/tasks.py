"""Jobs. A job hurries what the rows already say is due; it is safe to run twice, late, or in two workers at once."""

import logging
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from accounts.time import clock

from .exceptions import Busy
from .models import HandOver
from .personal_data.retention import prune as prune_now
from .services.duplicates import is_searching, look_for_duplicates
from .services.hand_over import continue_hand_over
from .services.imports import continue_import
from .services.offers import give_back_offers
from .services.sweep import sweep as sweep_now

logger = logging.getLogger(__name__)


@shared_task(name="routing.tasks.sweep")
def sweep() -> None:
    """Do what time has made due."""
    sweep_now(at=clock.now())


@shared_task(name="routing.tasks.prune")
def prune() -> None:
    """Remove what was kept long enough."""
    prune_now(at=clock.now())


def hurry() -> None:
    """Have a sweep run as soon as what was written is there; without a broker it runs in its own time."""
    transaction.on_commit(sweep.delay, robust=True)


def give_back_soon(manager_id: int, *, at: datetime) -> int:
    """Give back what a manager who pauses has on offer, now or, where others hold what that needs, in the next sweep.

    Return how many leads went to others at once.
    """
    try:
        return give_back_offers(manager_id, at=at)
    except Busy:
        pass
    except Exception:  # the pause is kept, and says so; the sweep gives back what it can, lead by lead
        logger.exception(
            "offers of manager %s not given back at once", manager_id, extra={"action": "give_back_failed"}
        )
    hurry()
    return 0


@shared_task(name="routing.tasks.run_import")
def run_import(import_id: int) -> None:
    """Take the next rows of an import, and ring for those after them: in small jobs, so that others have their turn."""
    if continue_import(import_id, at=clock.now()):
        run_import.delay(import_id)


def hurry_import(import_id: int) -> None:
    """Begin an import now; without a broker the sweep does."""
    with suppress(OperationalError):
        run_import.delay(import_id)


@shared_task(name="routing.tasks.run_hand_over")
def run_hand_over(batch_id: str) -> None:
    """Give or return the next leads of a hand-over, and ring for those after them."""
    if continue_hand_over(UUID(batch_id), at=clock.now()):
        run_hand_over.delay(batch_id)


def hurry_hand_over(batch: HandOver) -> None:
    """Have the worker go on with a hand-over that has more leads than one transaction takes; else the sweep does."""
    if batch.is_running:
        with suppress(OperationalError):
            run_hand_over.delay(str(batch.pk))


@shared_task(name="routing.tasks.find_duplicates")
def find_duplicates(go_on: bool = False) -> None:
    """Look at the next new contacts, and ring for those after them; a tick leaves alone whoever is at it already."""
    at = clock.now()
    with suppress(Busy):  # somebody holds what it needs: the next tick
        if (go_on or not is_searching(at=at)) and look_for_duplicates(at=at):
            find_duplicates.delay(True)
