"""Every URL prefix in one place."""

from django.contrib import admin
from django.urls import include, path, re_path

from . import health, openapi

urlpatterns = [
    path("api/v1/", include("routing.api.urls")),
    *openapi.urlpatterns,
    path("", include("accounts.urls")),
    path("", include("routing.urls")),
    path("admin/", admin.site.urls),
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^metrics/?$", health.metrics, name="metrics"),
]

handler400 = "leadrouter.problems.handler400"
handler403 = "leadrouter.problems.handler403"
handler404 = "leadrouter.problems.handler404"
handler500 = "leadrouter.problems.handler500"
