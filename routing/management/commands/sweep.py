"""One sweep by hand: overdue offers, and leads that wait."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts import clock
from routing.services.sweep import sweep


class Command(BaseCommand):
    help = "Handle overdue offers and assign waiting leads, once. The running program does this every few seconds."

    def handle(self, **options: Any) -> None:
        swept = sweep(at=clock.now())
        self.stdout.write(
            f"offers out of time: {swept.expired}\noffers given back: {swept.given_back}\n"
            f"waiting leads assigned: {swept.assigned}"
        )
