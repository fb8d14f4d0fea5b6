"""How well possible duplicates of people are found, and how fast: python -m benchmarks.duplicates

Precision and recall are of two published sets of records with known duplicates (Febrl), by what the product knows of
people: name, postal code, region, and fields for address and date of birth. The weights were chosen on set 1; set 2 was held
out. LEADROUTER_DATA names the folder of the data.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import median

import django
from django.db import connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
django.setup()

from accounts.time import clock  # noqa: E402  Django comes first
from routing.models import PossibleDuplicate  # noqa: E402
from routing.services.duplicates import look_for_duplicates  # noqa: E402

from .febrl import FIELDS, Record, measure, read_records, store  # noqa: E402
from .harness import database_cpu, drop_database, make_database  # noqa: E402

CONTACTS, NEW = 100_000, 200


def data_folder() -> Path:
    return Path(os.environ.get("LEADROUTER_DATA") or Path(__file__).parents[2] / "shared" / "data") / "febrl"


def look_at_all(*, at: datetime) -> tuple[int, int]:
    """Look until nobody is left; return the contacts and the pairs."""
    looks = iter(lambda: look_for_duplicates(at=at), None)
    contacts, compared, _ = map(sum, zip((0, 0, 0), *looks, strict=True))
    return contacts, compared


def strangers(records: Sequence[Record], number: int) -> list[Record]:
    """Make records of as many people, each value as frequent as in the data; dates of birth of a whole century."""
    chance = random.Random(1)
    columns = {name: [record[name] for record in records] for name in records[0]}
    people = [{name: chance.choice(values) for name, values in columns.items()} for _ in range(number)]
    for person, place in zip(people, chance.choices(records, k=number), strict=True):
        person |= {name: place[name] for name in ("postcode", "state", "suburb")}
        born = date(1900, 1, 1) + timedelta(days=chance.randrange(36_500))
        person |= {"date_of_birth": f"{born:%Y%m%d}" if person["date_of_birth"] else ""}
    return people


def main() -> int:
    folder = data_folder()
    if not folder.exists():
        print(f"There is no {folder}. LEADROUTER_DATA names the folder that has febrl/dataset1.csv.", file=sys.stderr)
        return 2
    make_database()
    past = clock.now() - timedelta(days=1)
    passed = True
    for number, part in ((1, "chosen on it"), (2, "held out")):
        records = read_records(folder / f"dataset{number}.csv")
        for fields in (FIELDS, ("date_of_birth",)):
            clear()
            ids = store(records, at=past, fields=fields)
            look_at_all(at=clock.now())
            figures = measure(ids, records)
            passed &= figures.precision >= 0.98 and figures.recall >= 0.80
            known = "name, postal code, region, date of birth" + (", address" if len(fields) > 1 else "")
            print(
                f"set {number} ({part}), {known}: precision {figures.precision:.4f}, recall {figures.recall:.4f}"
                f" of {figures.pairs} pairs"
            )
    clear()
    everybody = strangers(records, CONTACTS - len(records)) + records
    ids = store(everybody, at=past)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE routing_contact, routing_lead")  # in time the database does it by itself
    began, cpu = time.monotonic(), time.process_time() + database_cpu()
    contacts, compared = look_at_all(at=clock.now())
    seconds, cpu = time.monotonic() - began, time.process_time() + database_cpu() - cpu
    passed &= contacts == CONTACTS and seconds <= 60
    figures = measure(ids[-len(records) :], records)
    print(
        f"{contacts:,} contacts in {seconds:.1f} s, {cpu:.1f} s of CPU ({compared:,} pairs compared,"
        f" {PossibleDuplicate.objects.count():,} proposed); recall of set 2 among them {figures.recall:.4f}"
    )
    took = sorted(_seconds_for_one(record) for record in strangers(records, NEW))
    passed &= median(took) <= 0.02
    print(f"a new contact among them: median {median(took) * 1000:.1f} ms, 95 % {took[int(NEW * 0.95)] * 1000:.1f} ms")
    drop_database()
    return not passed


def _seconds_for_one(record: Record) -> float:
    at = clock.now()
    store([record], at=at)
    began = time.monotonic()
    look = look_for_duplicates(at=at)
    assert look is not None
    assert look.contacts == 1
    return time.monotonic() - began


def clear() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE routing_contact, routing_duplicatesearch CASCADE")


if __name__ == "__main__":
    sys.exit(main())
