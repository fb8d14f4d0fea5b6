"""Remove what was kept long enough, by hand."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.time import clock
from routing.personal_data.retention import prune


class Command(BaseCommand):
    help = (
        "Remove data whose retention period is over (settings RETENTION_…). The running program does this every hour."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=600, help="stop after this many seconds; default 600")

    def handle(self, **options: Any) -> None:
        removed = prune(at=clock.now(), seconds=options["seconds"])
        for name, rows in removed.items():
            self.stdout.write(f"{name}: {rows}")
        if not removed:
            self.stdout.write("nothing is old enough")
