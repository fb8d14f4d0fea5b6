"""Jobs. A job hurries what the rows already say is due; it is safe to run twice, late, or in two workers at once."""

from celery import shared_task

from accounts import clock

from .services.sweep import sweep as sweep_now


@shared_task(name="routing.tasks.sweep")
def sweep() -> None:
    """Do what time has made due."""
    sweep_now(at=clock.now())
