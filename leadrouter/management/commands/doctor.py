"""What is wrong with this installation, and how to mend it."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from leadrouter.doctor import examine, verdict

EXIT = {"ok": 0, "warning": 0, "error": 1}
SIGNS = {"ok": "✓", "warning": "!", "error": "✗"}


class Command(BaseCommand):
    help = "Check settings, database, broker, worker, sweep, clock and promises. Exits with 1 if something is wrong."
    requires_system_checks: list[str] = []  # the doctor runs them itself, and tells of them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object")
        parser.add_argument("--full", action="store_true", help="also replay every decision; this takes long")

    def handle(self, **options: Any) -> None:
        found = list(examine(full=options["full"]))
        document = verdict(found)
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, indent=2))
        else:
            for finding in found:
                self.stdout.write(f"{SIGNS[finding.state]} {finding.about}: {finding.says}")
                if finding.mend:
                    self.stdout.write(f"    {finding.mend}")
        sys.exit(EXIT[document["state"]])
