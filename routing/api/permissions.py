"""What a caller may, and what they may see: one place for both."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import Manager
from routing.exceptions import NotAllowed, NotFound
from routing.models import Lead

from .authentication import Caller


class HasScope(BasePermission):
    """The caller has the scope that the view asks for this method: `scopes = {"GET": "read"}`.

    A method that the view does not name passes only to be answered with 405.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        caller: Any = request.auth
        if not isinstance(caller, Caller):
            return False
        method = "GET" if request.method == "HEAD" else request.method
        scope = view.scopes.get(method)
        if scope is None and method in view.allowed_methods:
            return False
        if scope is not None and scope not in caller.scopes:
            raise NotAllowed(f"This requires a key with the scope `{scope}`.")
        return True


def visible_leads(caller: Caller) -> QuerySet[Lead]:
    """Return the leads that the caller may know of: of its source, or for which the manager is responsible."""
    if caller.source_id:
        return Lead.objects.filter(source_id=caller.source_id)
    if caller.sees_everything:
        return Lead.objects.all()
    if caller.manager_id:
        return Lead.objects.filter(responsible_id=caller.manager_id)
    return Lead.objects.none()


def visible_lead_id(caller: Caller, lead_id: uuid.UUID) -> uuid.UUID:
    """Return the id when the caller may know of the lead. Raises NotFound, as for a lead that does not exist."""
    if not visible_leads(caller).filter(pk=lead_id).exists():
        raise NotFound("No such lead.")
    return lead_id


def visible_managers(caller: Caller) -> QuerySet[Manager]:
    """Return the managers that the caller may know of: all of them for supervisors, oneself for a manager.

    The key of a source stands in forms and programs of others: it is shown no colleagues unless it may manage them.
    """
    if caller.source_id:
        if "manage" not in caller.scopes:
            raise NotAllowed("A source's key can see managers only with the scope `manage`.")
        return Manager.objects.all()
    if caller.sees_everything:
        return Manager.objects.all()
    return Manager.objects.filter(pk=caller.manager_id or 0)


def refuse_part_sight(caller: Caller) -> None:
    """Raise NotAllowed for what touches leads of every source: it is for who sees them all."""
    if not caller.sees_everything:
        raise NotAllowed("This is for supervisors and the account's keys only.")


def refuse_managers(caller: Caller) -> None:
    """Raise NotAllowed for what only who distributes may do: give leads to others by hand."""
    if caller.user_id and not caller.sees_everything:
        raise NotAllowed("This is for supervisors only.")
