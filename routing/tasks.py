"""Jobs. A job hurries what the rows already say is due; it is safe to run twice, late, or in two workers at once."""

from celery import shared_task
from django.db import transaction

from accounts import clock

from .services.sweep import sweep as sweep_now


@shared_task(name="routing.tasks.sweep")
def sweep() -> None:
    """Do what time has made due."""
    sweep_now(at=clock.now())


def hurry() -> None:
    """Have a sweep run as soon as what was written is there; without a broker it runs in its own time."""
    transaction.on_commit(sweep.delay, robust=True)
