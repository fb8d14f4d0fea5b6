"""One sweep by hand: overdue offers, and leads that wait."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.time import clock
from routing.services.setbacks import try_again
from routing.services.sweep import sweep


class Command(BaseCommand):
    help = "Handle overdue offers and assign waiting leads, once. The running program does this every few seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--again", action="store_true", help="retry leads that were set aside because their distribution failed"
        )

    def handle(self, **options: Any) -> None:
        at = clock.now()
        if options["again"]:
            self.stdout.write(f"leads tried again: {try_again(at=at)}")
        swept = sweep(at=at)
        self.stdout.write(
            f"offers out of time: {swept.expired}\noffers given back: {swept.given_back}\n"
            f"waiting leads assigned: {swept.assigned}"
        )
