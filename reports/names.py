"""What managers, sources, triggers and registries are called in reports."""

from __future__ import annotations

from accounts.models import Manager
from routing.models import Registry, Source, Trigger


def managers() -> dict[int, str]:
    return {id_: name or email for id_, name, email in Manager.objects.values_list("pk", "user__name", "user__email")}


def sources() -> dict[int, str]:
    return dict(Source.objects.values_list("pk", "title"))


def triggers() -> dict[int, str]:
    return dict(Trigger.objects.values_list("pk", "code"))


def registries() -> dict[int, str]:
    return {registry.pk: str(registry) for registry in Registry.objects.select_related("trigger")}
