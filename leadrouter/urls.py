"""Every URL prefix in one place."""

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path, re_path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from . import health, openapi

urlpatterns = [
    path("api/v1/", include("routing.api.urls")),
    path("api/v1/", include("reports.api")),
    *openapi.urlpatterns,
    path("", include("accounts.urls")),
    path("", include("routing.urls")),
    path("", include("reports.urls")),
    path("admin/", admin.site.urls),
    path(  # asked for unasked
        "favicon.ico",
        RedirectView.as_view(url=lazy(static, str)("leadrouter/icon.svg"), http_method_names=["get", "head"]),
    ),
    re_path(r"^healthz/?$", health.healthz, name="healthz"),
    re_path(r"^readyz/?$", health.readyz, name="readyz"),
    re_path(r"^metrics/?$", health.metrics, name="metrics"),
]

handler400 = "leadrouter.problems.handler400"
handler403 = "leadrouter.problems.handler403"
handler404 = "leadrouter.problems.handler404"
handler500 = "leadrouter.problems.handler500"
