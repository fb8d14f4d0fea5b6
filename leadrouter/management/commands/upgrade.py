"""Migrations while the program runs: none waits for a lock so long that others wait behind it."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

from routing.locks import DEADLOCK, LOCK_TIMEOUT, sqlstate


class Command(BaseCommand):
    help = "Apply migrations and collect static files. Each migration waits only briefly for a lock, then retries."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lock-timeout", type=int, default=2_000, metavar="MS", help="default 2000")
        parser.add_argument("--tries", type=int, default=30, help="for each migration that gets no lock; default 30")

    def handle(self, **options: Any) -> None:
        for attempt in range(1, options["tries"] + 1):
            self._set_timeouts(options["lock_timeout"])
            try:
                call_command("migrate", interactive=False, verbosity=options["verbosity"])
                break
            except OperationalError as error:
                if sqlstate(error) not in (LOCK_TIMEOUT, DEADLOCK):
                    raise
                if attempt == options["tries"]:
                    raise CommandError(
                        "A lock was not available. Nothing is half done. Try again at a quieter time."
                    ) from None
                self.stderr.write(f"A table is in use; waiting a little (try {attempt} of {options['tries']}).")
                connection.close()
                time.sleep(min(5.0, 0.5 * attempt))
        if settings.STATIC_ROOT:
            call_command("collectstatic", interactive=False, verbosity=0)

    def _set_timeouts(self, lock_timeout: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{lock_timeout}ms"])
            cursor.execute("SELECT set_config('statement_timeout', '0', false)")
