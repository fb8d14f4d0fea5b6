"""The Celery app. It is a doorbell: what must happen is a row in PostgreSQL, a job only makes it happen sooner."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "leadrouter.settings")

app = Celery("leadrouter")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
