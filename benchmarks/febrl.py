"""Records of people with known duplicates (Febrl), as contacts with a lead each, and what was found of the duplicates."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from routing.models import Contact, Lead, Pipeline, PossibleDuplicate, Source, Stage

Record = Mapping[str, str]
FIELDS = ("street_number", "address_1", "address_2", "suburb", "date_of_birth")


class Figures(NamedTuple):
    """What was found of the duplicates that there are."""

    precision: float
    recall: float
    pairs: int


def read_records(path: Path) -> list[Record]:
    with path.open(encoding="utf-8") as file:
        return [{key.strip(): value.strip() for key, value in row.items()} for row in csv.DictReader(file)]


def store(records: Sequence[Record], *, at: datetime, fields: Sequence[str] = FIELDS) -> list[UUID]:
    """Store each record as a contact with a lead, as intake would have left it."""
    source, _ = Source.objects.get_or_create(code="form", defaults={"title": "Form", "channel": "site"})
    pipeline, _ = Pipeline.objects.get_or_create(code="sales", defaults={"title": "Sales"})
    stage, _ = Stage.objects.get_or_create(pipeline=pipeline, code="new", defaults={"kind": Stage.Kind.OPEN})
    contacts = [
        Contact(name=f"{record['given_name']} {record['surname']}".strip(), created_at=at) for record in records
    ]
    leads = [
        Lead(
            source=source, stage=stage, contact=contact, arrived_at=at, created_at=at, country="AU",
            region=record["state"], postal_code=record["postcode"],
            fields={name: record[name] for name in fields if record[name]},
        )
        for contact, record in zip(contacts, records, strict=True)
    ]  # fmt: skip
    for first in range(0, len(records), 1_000):
        Contact.objects.bulk_create(contacts[first : first + 1_000])
        Lead.objects.bulk_create(leads[first : first + 1_000])
    return [contact.pk for contact in contacts]


def measure(ids: Sequence[UUID], records: Sequence[Record]) -> Figures:
    """Compare what is proposed with the duplicates that the records' numbers tell: rec-12-org and rec-12-dup-0 are one."""
    persons: dict[str, list[UUID]] = {}
    for id_, record in zip(ids, records, strict=True):
        persons.setdefault(record["rec_id"].split("-")[1], []).append(id_)
    true = {pair for same in persons.values() for pair in combinations(sorted(same), 2)}
    found = set(PossibleDuplicate.objects.filter(one__in=ids).values_list("one", "other"))
    return Figures(len(found & true) / max(1, len(found)), len(found & true) / len(true), len(true))
