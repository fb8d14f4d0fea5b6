"""Which reports there are, and who may see them."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Report(NamedTuple):
    address: str  # name of its URL
    permission: str
    title: str | Promise
    about: str | Promise


SOURCES = Report(
    "report-sources",
    "routing.view_unqualified",
    _("Sources of leads"),
    _("Where the leads came from that arrived as Unqualified."),
)
ALL = [SOURCES]
