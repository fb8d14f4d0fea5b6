"""Pages of the admin on which somebody could take over an account: they ask for a factor given a few minutes ago."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin.utils import unquote
from django.http import HttpRequest

from accounts.admin_theme import ModelAdmin

from .presence import ask_for_proof


def present_action(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run an action for who is there; others are asked, and nothing is done."""

    @wraps(function)
    def ask_first(self: Any, request: HttpRequest, queryset: Any) -> Any:
        return ask_for_proof(request) or function(self, request, queryset)

    return ask_first


class PresentAdmin(ModelAdmin):
    """Asks on the pages that add, change and delete; who may but look is asked nothing."""

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        if self.needs_presence(request, object_id) and (page := ask_for_proof(request)):
            return page
        return super().changeform_view(request, object_id, *args, **kwargs)

    def needs_presence(self, request: HttpRequest, object_id: str | None) -> bool:
        if object_id is None:
            return self.has_add_permission(request)
        row = self.get_object(request, unquote(object_id))
        return row is not None and self.has_change_permission(request, row)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        return ask_for_proof(request) or super().delete_view(request, object_id, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if "delete_selected" in request.POST.getlist("action") and (page := ask_for_proof(request)):
            return page
        return super().changelist_view(request, *args, **kwargs)
