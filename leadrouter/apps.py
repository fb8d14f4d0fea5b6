from django.apps import AppConfig
from django.core.checks import Tags, register


class LeadrouterConfig(AppConfig):
    name = "leadrouter"

    def ready(self) -> None:
        from . import checks
        from .celery import app  # so that `shared_task` of every process finds this app

        app.set_default()
        register(checks.durability, Tags.database)
