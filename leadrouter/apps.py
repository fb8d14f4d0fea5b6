from django.apps import AppConfig
from django.contrib.admin import apps as admin
from django.core.checks import Tags, register


class AdminConfig(admin.AdminConfig):
    default_site = "reports.admin_site.AdminSite"
    default = False


class LeadrouterConfig(AppConfig):
    name = "leadrouter"

    def ready(self) -> None:
        from . import checks, labels
        from .celery import app  # so that `shared_task` of every process finds this app

        app.set_default()
        register(checks.durability, Tags.database)
        labels.translate()
