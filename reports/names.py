"""Names of managers, sources, triggers and registries in reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from accounts.models import Manager
from routing.models import Registry, Source, Trigger


def managers() -> dict[int, str]:
    return _distinct(Manager.objects.values_list("pk", "user__name", "user__email"))


def sources() -> dict[int, str]:
    return _distinct(Source.objects.values_list("pk", "title", "code"))


def triggers() -> dict[int, str]:
    return dict(Trigger.objects.values_list("pk", "code"))


def registries() -> dict[int, str]:
    return {registry.pk: str(registry) for registry in Registry.objects.select_related("trigger")}


def _distinct(rows: Iterable[tuple[int, str, str]]) -> dict[int, str]:
    """Return the name of each; those who share a name get what tells them apart beside it."""
    named = {id_: (name or alone, alone) for id_, name, alone in rows}
    times = Counter(name for name, _ in named.values())
    return {id_: name if times[name] == 1 else f"{name} ({alone})" for id_, (name, alone) in named.items()}
