"""The audit trail: what was done with people's data and rights. Rows are only added; the database refuses the rest.

Changes of rights, passwords and keys are written by triggers of the database (migrations), whoever makes them; who acts
they know from accounts/history/changes.py. What leaves no row elsewhere (an export, an erasure) its service notes here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection

from ..models import AuditEntry, User


def note(
    action: AuditEntry.Action, *, at: datetime, by: User | None = None, about: str = "", **facts: Any
) -> AuditEntry:
    """Add an entry. about and facts hold ids and counts, never names, e-mails or phones."""
    by_id = by.pk if by is not None else None
    origin = str(connection.settings_dict.get("OPTIONS", {}).get("application_name", ""))[:63]
    return AuditEntry.objects.create(at=at, action=action, by_id=by_id, about=about, facts=facts, origin=origin)
