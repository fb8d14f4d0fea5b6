"""The Celery app. It is a doorbell: what must happen is a row in PostgreSQL, a job only makes it happen sooner."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadrouter.settings")

app = Celery("leadrouter")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def log_as_django_does(**_: Any) -> None:
    """Keep Celery from bringing its own format: the logging of settings.py is already in place."""


@app.task(name="leadrouter.worker_heartbeat")
def worker_heartbeat() -> None:
    """Leave a sign that a worker takes jobs from the broker and reaches the database; /readyz reads its age."""
    from leadrouter import health  # here, because a process that only sends jobs needs no models

    health.beat("worker")
