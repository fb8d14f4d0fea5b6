"""The admin as one site: its names, its first page, its navigation."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .admin_theme import ThemeAdminSite


class AdminSite(ThemeAdminSite):
    site_header = site_title = "Leadrouter"
    index_title = _("Today")
    settings_name = "UNFOLD"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
