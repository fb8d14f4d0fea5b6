"""Who somebody is in the program, and who may change whose rights: groups are made by routing/migrations/0003_roles.py."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from ..models import Manager, User

RAISED = ("Supervisors", "Administrators")


def supervises(user: Any) -> bool:
    """Tell whether the user sees everybody's leads and may act for others."""
    if not isinstance(user, User) or not user.is_active:
        return False
    return user.is_superuser or user.groups.filter(name__in=RAISED).exists()


def manager_of(user: Any) -> Manager | None:
    return Manager.objects.select_related("user").filter(user=user).first() if user.is_authenticated else None


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Return which pages templates may offer; the database is asked only where a template does."""
    user = getattr(request, "user", None)
    return {
        "offers_desk": SimpleLazyObject(lambda: user is not None and manager_of(user) is not None),
        "offers_board": SimpleLazyObject(lambda: supervises(user)),
    }


def may_edit_roles(actor: Any) -> bool:
    return bool(actor.has_perm("auth.change_group"))


def may_edit_user(actor: Any, user: User) -> bool:
    """Tell whether the actor may change the user, and so take over their account: never upwards."""
    if actor.is_superuser:
        return True
    if user.is_superuser:
        return False
    if may_edit_roles(actor):
        return True
    return not (user.is_staff or user.user_permissions.exists() or user.groups.filter(name__in=RAISED).exists())


def editable_users(actor: Any) -> QuerySet[User]:
    """Return the users whom the actor may change, and the actor."""
    users = User.objects.all()
    if actor.is_superuser:
        return users
    if may_edit_roles(actor):
        return users.filter(Q(is_superuser=False) | Q(pk=actor.pk))
    raised = Q(is_superuser=True) | Q(is_staff=True) | Q(user_permissions__isnull=False) | Q(groups__name__in=RAISED)
    return users.exclude(pk__in=User.objects.filter(raised).exclude(pk=actor.pk).values("pk"))
