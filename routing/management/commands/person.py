"""What a person may ask for: an export of all that is kept of them, and that it be erased."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from accounts.time import clock
from routing.personal_data.people import DataSubject, contacts_sharing, find
from routing.personal_data.rights import erase_person, export_person


class Command(BaseCommand):
    help = "Export all stored data about a person as JSON, or erase it. Ids, counts and balances stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["export", "erase"])
        parser.add_argument("--email", help="if several are given, anybody who has one of them")
        parser.add_argument("--phone", help="in any notation; without a country code, the account's country is used")
        parser.add_argument("--contact", type=uuid.UUID, metavar="ID")
        parser.add_argument("--yes", action="store_true", help="erase without asking")

    def handle(self, **options: Any) -> None:
        person = find(email=options["email"], phone=options["phone"], contact=options["contact"])
        if person.is_unknown:
            raise CommandError("Name the person: --email, --phone or --contact.")
        if not person.contacts and (sharing := contacts_sharing(email=options["email"], phone=options["phone"])):
            raise CommandError(
                "This identifies nobody: several people may have given it. Name one of them by --contact:\n"
                + "\n".join(f"  {contact.pk} {contact}" for contact in sharing)
            )
        at = clock.now()
        if options["what"] == "export":
            document = export_person(person, at=at)
            self.stdout.write(json.dumps(document, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2))
            return
        if not options["yes"] and not self._confirm(person):
            raise CommandError("Nothing was erased.")
        for place, rows in erase_person(person, at=at).items():
            self.stdout.write(f"{place}: {rows}")

    def _confirm(self, person: DataSubject) -> bool:
        self.stderr.write(f"{len(person.contacts)} contacts, {len(person.leads)} leads. This cannot be undone.")
        return input("Type erase to continue: ").strip() == "erase"
