from django.urls import path, re_path

from . import views

urlpatterns = [
    re_path(r"^reports/?$", views.index, name="reports"),
    re_path(r"^reports/sources/?$", views.sources, name="report-sources"),
    path("reports/sources.svg", views.sources_svg, name="report-sources-svg"),
    path("reports/sources.png", views.sources_png, name="report-sources-png"),
]
