"""Every URL prefix in one place."""

from django.contrib import admin
from django.urls import path, re_path

from . import health

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^metrics/?$", health.metrics, name="metrics"),
]
