"""Who is on duty and available at an instant, and when that changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Account, Manager
from accounts.time import clock, schedules
from accounts.time.availability import ManagerFacts, Stretch, load_people, pauses_at
from accounts.time.instants import BadInstant, read_instant, to_iso


class Command(BaseCommand):
    help = "Tell who is on duty and available, by schedule and pauses, online or not, and when that changes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at", metavar="ISO", help="the instant; without an offset in account time; default: now")
        parser.add_argument("--manager", metavar="EMAIL", help="only this manager")
        parser.add_argument("--json", action="store_true", help="a JSON list, instants in UTC")

    def handle(self, **options: Any) -> None:
        account = Account.get()
        try:
            at = (
                clock.now() if options["at"] is None else read_instant(options["at"], schedules.zone(account.time_zone))
            )
        except BadInstant as error:
            raise CommandError(f"--at: {error}") from None
        people = sorted(load_people(account).values(), key=lambda person: person.email)
        pauses = pauses_at(at, past=True)
        if options["manager"]:
            people = [person for person in people if person.email == options["manager"].strip().lower()]
            if not people:
                raise CommandError(f'no manager "{options["manager"]}"')
        if options["json"]:
            self.stdout.write(
                json.dumps([state(person, at, pauses) for person in people], indent=1, ensure_ascii=False)
            )
        else:
            self.stdout.write("\n".join(table(people, at, account, pauses)))


def state(person: ManagerFacts, at: datetime, pauses: Mapping[int, Stretch]) -> dict[str, Any]:
    reason = person.unavailable(at, paused=person.id in pauses)
    duty = person.duty.state(at)
    return {
        "manager": person.email,
        "on_duty": duty.on_duty,
        "available": reason is None,
        "reason": reason,
        "next_start": to_iso(duty.next_start),
        "next_change": to_iso(duty.next_change),
    }


def table(people: list[ManagerFacts], at: datetime, account: Account, pauses: Mapping[int, Stretch]) -> list[str]:
    """Return the same for people, each in the manager's own time."""
    zones = dict(Manager.objects.exclude(time_zone="").values_list("id", "time_zone"))
    rows: list[tuple[str, ...]] = [("manager", "on duty", "available", "next start", "next change", "time zone")]
    for person in people:
        zone = schedules.zone(zones.get(person.id, account.time_zone))
        duty, reason = person.duty.state(at), person.unavailable(at, paused=person.id in pauses)
        turns = [_local(turn, zone) for turn in (duty.next_start, duty.next_change)]
        rows.append((person.email, "yes" if duty.on_duty else "no", reason or "yes", *turns, zone.key))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [f"At {_local(at, schedules.zone(account.time_zone))} {account.time_zone}", *lines]


def _local(instant: datetime | None, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%a %Y-%m-%d %H:%M}" if instant else "-"
