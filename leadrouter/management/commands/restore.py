"""An empty database filled from a backup, and looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from leadrouter.backups import BackupFailed, restore
from routing import audit


class Command(BaseCommand):
    help = "Restore FILE into the empty database that DATABASE_URL names, and check that it keeps every promise."
    requires_system_checks: list[str] = []  # there is nothing to check in an empty database

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")
        parser.add_argument(
            "--unchecked", action="store_true", help="skip the check of the promises, which takes long on large tables"
        )

    def handle(self, **options: Any) -> None:
        connection.ensure_connection()  # the private server starts when it is needed
        try:
            restore(options["file"], database=connection.get_connection_params())
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from None
        broken = [] if options["unchecked"] else list(audit.violations())
        if broken:
            raise CommandError("\n".join(["Restored, but:", *broken]))
        self.stdout.write("Restored. Now: manage.py upgrade, then start the program.")
