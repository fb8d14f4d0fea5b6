"""`manage.py demo`: fill an empty database with a sales team to look at, and print how to get in."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import User
from accounts.time import clock
from routing.configuration import import_configuration
from routing.demo import CONFIGURATION, tell
from routing.models import ApiKey, Lead, Pipeline, Source

SUPERVISOR, MANAGER = "admin@example.com", "ann@example.com"
KEY_NAME = "Demo"
ADDRESS_MARK = "{address}"  # in the note: the address may be another one at the next start
KEY = re.compile(r"lr_[0-9a-f]{12}_[\w-]+")
NOTE = """\
Supervisor   {supervisor}   {supervisor_password}
Manager      {manager}     {manager_password}
API key      {key}

A lead, routed:
  curl -X POST {address}/api/v1/leads \\
    -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
    -d '{{"name": "Demo request", "contact": {{"name": "Ana Ruiz", "email": "ana@example.com"}}, "product": "GTX Pro"}}'
"""


class Command(BaseCommand):
    help = (
        "Fill an empty database with the demo: a configuration, about two hundred leads from the last days, a supervisor, "
        "a manager and an API key. A second run only prints the access data again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--note",
            type=Path,
            default=settings.DEMO_NOTE,
            help="file, for its owner's eyes only, that keeps login, password and key (default demo.txt in var/, or in LEADROUTER_VAR)",
        )

    def handle(self, *, note: Path, **options: Any) -> None:
        if not ApiKey.objects.filter(name=KEY_NAME).exists():
            if Pipeline.objects.exists():
                raise CommandError("This database is already configured. The demo needs an empty one.")
            keep(note, make_ways_in())
        if not Lead.objects.exists():
            count = tell(at=clock.now(), by=User.objects.get(email=SUPERVISOR))
            self.stderr.write(f"{count} demo leads")
        self.stdout.write(read_note(note).replace(ADDRESS_MARK, address()))


def address() -> str:
    return os.environ.get("LEADROUTER_ADDRESS", "").strip() or f"http://127.0.0.1:{os.environ.get('PORT') or 8000}"


@transaction.atomic
def make_ways_in() -> str:
    """Import the configuration, make who may sign in and the key; return how to get in, the only time it is known."""
    import_configuration(CONFIGURATION.read_text(encoding="utf-8"))
    passwords = {email: secrets.token_urlsafe(12) for email in (SUPERVISOR, MANAGER)}
    supervisor = User.objects.create_user(SUPERVISOR, passwords[SUPERVISOR], name="Sue", is_staff=True)
    supervisor.groups.add(*(Group.objects.get(name=name) for name in ("Supervisors", "Administrators")))
    manager = User.objects.get(email=MANAGER)
    manager.set_password(passwords[MANAGER])
    manager.save(update_fields=["password"])
    row = ApiKey(name=KEY_NAME, source=Source.objects.get(code="landing"), scopes=list(ApiKey.Scope.values))
    key = row.renew()
    row.save()
    return NOTE.format(
        supervisor=SUPERVISOR,
        supervisor_password=passwords[SUPERVISOR],
        manager=MANAGER,
        manager_password=passwords[MANAGER],
        key=key,
        address=ADDRESS_MARK,
    )


def keep(note: Path, text: str) -> None:
    """Write the note, readable by its owner only, whoever could read what stood there before."""
    note.parent.mkdir(parents=True, exist_ok=True)
    fresh = note.with_name(f"{note.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(note)


def read_note(note: Path) -> str:
    """Return the note, if it is of this database; passwords and keys are stored as hashes and cannot be shown again."""
    text = note.read_text(encoding="utf-8") if note.exists() else ""
    found = KEY.search(text)
    if found and ApiKey.objects.filter(name=KEY_NAME, digest=ApiKey.digest_of(found.group())).exists():
        return text
    return (
        f"The demo is loaded, but {note} does not say how to get in. New ways in:\n"
        f"  manage.py changepassword {SUPERVISOR}\n"
        "  manage.py apikey NAME --source landing --scope intake --scope read --scope manage\n"
    )
