"""A new API key. It is printed once; only its hash is stored."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import Account, User
from accounts.security import letters
from accounts.time import clock, schedules
from accounts.time.instants import BadInstant, read_instant, to_iso
from routing.models import ApiKey, Source

DEFAULT_SCOPES = (ApiKey.Scope.INTAKE.value, ApiKey.Scope.READ.value)


class Command(BaseCommand):
    help = "Create an API key and print it. It cannot be shown again. Without --source or --user it belongs to the account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME", help="name of the key, shown in lists")
        whose = parser.add_mutually_exclusive_group()
        whose.add_argument("--source", metavar="CODE", help="the key sends leads from this source and sees only those")
        whose.add_argument("--user", metavar="EMAIL", help="the key can do what this user can")
        parser.add_argument(
            "--scope",
            action="append",
            metavar="SCOPE",
            help="intake, read, manage; several times or a comma list; default: intake,read",
        )
        parser.add_argument("--expires", metavar="ISO", help="when the key expires; without an offset, in account time")

    def handle(self, **options: Any) -> None:
        key = ApiKey(
            name=options["name"].strip(),
            source=_source(options["source"]),
            user=_user(options["user"]),
            scopes=_scopes(options["scope"]),
            expires_at=_expiry(options["expires"]),
        )
        secret = key.renew()
        try:
            key.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        with transaction.atomic():
            key.save()
            if key.user and ApiKey.Scope.MANAGE in key.scopes:
                letters.tell(key.user, letters.LetterKind.KEY, at=clock.now(), detail=str(key))
        whose = f"source {key.source.code}" if key.source else f"user {key.user.email}" if key.user else "the account"
        until = f", until {to_iso(key.expires_at)}" if key.expires_at else ""
        # Standard output carries the key alone, so that KEY=$(manage.py apikey ...) works.
        self.stderr.write(f'Key "{key.name}" of {whose}, may: {", ".join(key.scopes)}{until}. It is shown this once:')
        self.stdout.write(secret)


def _source(code: str | None) -> Source | None:
    if code is None:
        return None
    source = Source.objects.filter(code=code).first()
    if source is None:
        known = ", ".join(Source.objects.values_list("code", flat=True)) or "none"
        raise CommandError(f'--source: no source "{code}"; there are: {known}')
    return source


def _user(email: str | None) -> User | None:
    if email is None:
        return None
    user = User.objects.filter(email=email.strip().lower(), is_active=True).first()
    if user is None:
        raise CommandError(f'--user: no user "{email}" who may sign in')
    return user


def _scopes(given: list[str] | None) -> list[str]:
    asked = {scope.strip() for part in given or DEFAULT_SCOPES for scope in part.split(",") if scope.strip()}
    unknown = sorted(asked - set(ApiKey.Scope.values))
    if unknown or not asked:
        raise CommandError(
            f"--scope: use {', '.join(ApiKey.Scope.values)}" + (f", not {', '.join(unknown)}" if unknown else "")
        )
    return [scope for scope in ApiKey.Scope.values if scope in asked]


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        expiry = read_instant(text, schedules.zone(Account.get().time_zone))
    except BadInstant as error:
        raise CommandError(f"--expires: {error}") from None
    if expiry <= clock.now():
        raise CommandError("--expires: this time is in the past")
    return expiry
