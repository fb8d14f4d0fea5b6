from django.urls import path, re_path

from . import catalogue, views

urlpatterns = [
    re_path(r"^reports/?$", views.index, name="reports"),
    re_path(r"^reports/sources/?$", views.sources, name="report-sources"),
    path("reports/sources.svg", views.sources_svg, name="report-sources-svg"),
    path("reports/sources.png", views.sources_png, name="report-sources-png"),
    *(re_path(rf"^reports/{r.code}/?$", views.range_page(r), name=r.address) for r in catalogue.RANGED),
    *(path(f"reports/{r.code}.csv", views.range_csv(r), name=f"{r.address}-csv") for r in catalogue.RANGED),
]
