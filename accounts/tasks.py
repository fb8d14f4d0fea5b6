"""Jobs of people's accounts. A job is safe to run twice, late, or in two workers at once."""

from celery import shared_task

from .security import letters
from .time import clock


@shared_task(name="accounts.tasks.send_letters")
def send_letters() -> None:
    """Send the letters that are due."""
    letters.send_due(at=clock.now())
