"""An app that takes away the lock of the registry, as the control `no-lock` of the chaos run wants it."""

from django.apps import AppConfig


class WithoutLock(AppConfig):
    name = "tests.chaos"
    label = "without_lock"

    def ready(self) -> None:
        from routing import candidates  # here, because models are not ready before
        from routing.prepared_statements import Statement

        look = Statement("look", "SELECT FROM routing_ledger WHERE registry_id = %(registry)s", registry="bigint")
        candidates.LOCK_LEDGER = look
