"""All of the database as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from accounts.history import audit_trail
from accounts.models import AuditEntry
from accounts.time import clock
from leadrouter.backups import BackupFailed, back_up


class Command(BaseCommand):
    help = "Write the whole database to FILE (PostgreSQL's custom format). The program keeps running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, **options: Any) -> None:
        audit_trail.note(AuditEntry.Action.BACKED_UP, at=clock.now())  # before it, so that the backup tells of itself
        try:
            size = back_up(options["file"], database=connection.get_connection_params())
        except (BackupFailed, OSError) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{options['file']}: {size:,} bytes")
