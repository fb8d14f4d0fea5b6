"""Where one is in the admin, in the words of its navigation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

from reports.navigation import place_of

register = template.Library()


@register.filter
def by_job(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the theme's breadcrumbs as the navigation has them: its group instead of the app, its name of the page."""
    if len(parts) < 2:
        return list(parts)
    place = place_of(str(parts[1].get("link", "")))
    if place is None:
        return list(parts[1:])
    group, page = place
    return [{"title": group}, {**parts[1], "title": page}, *parts[2:]]
