"""Where one is in the admin, in the words of its navigation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

from leadrouter.navigation import group_of

register = template.Library()


@register.filter
def by_job(parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the theme's breadcrumbs with the group of the navigation instead of the app the table is in."""
    if len(parts) < 2:
        return list(parts)
    group = group_of(str(parts[1].get("link", "")))
    return [*([{"title": group}] if group else []), *parts[1:]]
