"""Look for contacts that may be one person, and propose them. People decide; nothing here merges anybody.

What is compared is kept beside each contact (ContactTraits), with keys that an index finds others by. A look takes some
contacts that are new or changed: in one transaction it makes their traits, and compares them with whoever has a key in
common. Who searches holds the one row of DuplicateSearch: of two new contacts one always finds the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any, NamedTuple

import orjson
from django.db import connection
from django.db.models import Q

from routing.intake.identity import normalise_name
from routing.intake.likeness import ENOUGH, NAME_REASONS, VERSION, Traits, is_weak, keys_of, likeness, traits_of
from routing.intake.placeholders import Placeholders
from routing.locks import in_transaction
from routing.models import DuplicateSearch, PossibleDuplicate
from routing.roster import current

CONTACTS = 200  # of a look: a fifth of a second
CROWD = 50  # a key that more contacts have tells nobody apart
FEW = 5  # contacts with a key that is rare
LATEST = timedelta(minutes=2)  # after which a request that began has committed
GOES_ON = timedelta(seconds=5)  # within which the next look follows
ALL_AGAIN = timedelta(days=1)  # so often contacts are found that no lead has led to

# Contacts to look at: changed ones; those of new leads; and, now and then, all who have not been looked at.
DUE = """
WITH changed AS (SELECT contact_id FROM routing_contacttraits WHERE stale LIMIT %(most)s),
recent AS (
    SELECT l.contact_id FROM (
        SELECT DISTINCT contact_id FROM routing_lead WHERE created_at >= %(since)s AND contact_id IS NOT NULL
    ) l LEFT JOIN routing_contacttraits t USING (contact_id)
    WHERE t.leads IS DISTINCT FROM (SELECT count(*) FROM routing_lead WHERE contact_id = l.contact_id)
    LIMIT %(most)s
), others AS (
    SELECT c.id FROM routing_contact c WHERE %(everybody)s AND NOT EXISTS (
        SELECT FROM routing_contacttraits t WHERE t.contact_id = c.id AND t.version = %(version)s
    ) LIMIT %(most)s
)
SELECT contact_id FROM changed UNION SELECT contact_id FROM recent UNION SELECT id FROM others LIMIT %(most)s
"""
READ = """
SELECT c.id::text, c.xmin::text, c.name,
    (SELECT json_agg(json_build_array(kind, text, key)) FROM routing_contactpoint WHERE contact_id = c.id),
    lead.number, lead.told,
    ARRAY(SELECT name FROM routing_company WHERE name <> '' AND (id = c.company_id OR id = ANY (lead.companies)))
FROM routing_contact c CROSS JOIN LATERAL (
    SELECT count(*) AS number, array_agg(DISTINCT company_id) AS companies,
        json_agg(json_build_object('region', region, 'postal_code', postal_code, 'fields', fields) ORDER BY id DESC)
            FILTER (WHERE region <> '' OR postal_code <> '' OR fields <> '{}') AS told
    FROM routing_lead WHERE contact_id = c.id
) lead WHERE c.id = ANY (%(contacts)s::uuid[]) ORDER BY c.id
"""
KEEP = """
INSERT INTO routing_contacttraits (contact_id, traits, keys, leads, version, stale)
SELECT id, traits, keys, leads, %(version)s, false
FROM json_to_recordset(%(rows)s) AS r (id uuid, traits jsonb, keys bigint[], leads integer)
ON CONFLICT (contact_id) DO UPDATE SET traits = excluded.traits, keys = excluded.keys, leads = excluded.leads,
    version = excluded.version, stale = false
"""
# Contacts who have a key in common, one of them of these.
MEET = """
SELECT wanted.key, array_agg(block.contact_id::text) FROM (
    SELECT DISTINCT unnest(keys) AS key FROM routing_contacttraits WHERE contact_id = ANY (%(contacts)s::uuid[])
) wanted CROSS JOIN LATERAL (
    SELECT contact_id FROM routing_contacttraits WHERE keys @> ARRAY[wanted.key] LIMIT %(crowd)s + 1
) block GROUP BY wanted.key HAVING count(*) BETWEEN 2 AND %(crowd)s
"""
OTHERS = (
    "SELECT contact_id::text, traits::text FROM routing_contacttraits WHERE contact_id = ANY (%(contacts)s::uuid[])"
)
# Whoever was written meanwhile, erased say, or is being written, is looked at again.
MARK_CHANGED = """
WITH unchanged AS (
    SELECT c.id FROM routing_contact c
    JOIN unnest(%(contacts)s::uuid[], %(written)s::text[]) AS read (id, written) ON read.id = c.id AND read.written = c.xmin::text
    FOR SHARE OF c SKIP LOCKED
)
UPDATE routing_contacttraits SET stale = true
WHERE contact_id = ANY (%(contacts)s::uuid[]) AND contact_id NOT IN (SELECT id FROM unchanged)
"""


class Look(NamedTuple):
    """What one look came to."""

    contacts: int  # that were looked at
    compared: int  # pairs
    alike: int  # pairs


class Compared(NamedTuple):
    """A contact as READ answers."""

    id: str
    written: str  # by which transaction
    name: str
    points: list[tuple[str, str, str | None]] | None
    leads: int
    told: list[dict[str, Any]] | None  # by its leads
    companies: list[str]

    def traits(self, nobody: Placeholders) -> Traits:
        is_nobody = {"email": nobody.of_email, "phone": nobody.of_phone, "chat": nobody.of_chat}
        points = [(kind, text, key) for kind, text, key in self.points or () if not (key and is_nobody[kind](key))]
        return traits_of(
            self.name,
            leads=self.told or (),
            companies=[name for name in self.companies if not nobody.of_company(normalise_name(name))],
            emails=[text for kind, text, _ in points if kind == "email"],
            points=[f"{kind} {key}" for kind, _, key in points if key],
        )


@in_transaction
def look_for_duplicates(*, at: datetime, most: int = CONTACTS) -> Look | None:
    """Compare some contacts that are new or changed with all others, and propose pairs that are alike.

    Return None where nobody is left to look at, or somebody else is looking. Safe to run twice, late, or killed.
    """
    DuplicateSearch.objects.get_or_create(pk=1, defaults={"seen_until": at})
    search = DuplicateSearch.objects.select_for_update(skip_locked=True).first()
    if search is None:
        return None
    everybody = search.all_seen_at is None or at - search.all_seen_at >= ALL_AGAIN
    due = _rows(DUE, most=most, since=search.seen_until - LATEST, everybody=everybody, version=VERSION)
    if not due:
        search.seen_until = max(at, search.seen_until)
        search.all_seen_at = at if everybody else search.all_seen_at
        search.save()
        return None
    search.looked_at = at
    search.save()
    contacts = [Compared(*row) for row in _rows(READ, contacts=[contact for [contact] in due])]
    nobody = current().placeholders
    traits = {contact.id: contact.traits(nobody) for contact in contacts}
    kept = [
        {
            "id": contact.id,
            "traits": list(traits[contact.id]),
            "keys": keys_of(traits[contact.id]),
            "leads": contact.leads,
        }
        for contact in contacts
    ]
    _write(KEEP, rows=orjson.dumps(kept).decode(), version=VERSION)
    pairs = _pairs(traits)
    alike = _alike(pairs, traits)
    _propose(alike, among=list(traits), at=at)
    _write(MARK_CHANGED, contacts=list(traits), written=[contact.written for contact in contacts])
    return Look(len(contacts), len(pairs), len(alike))


def is_searching(*, at: datetime) -> bool:
    """Tell whether a worker is on its way through contacts, and will go on."""
    return DuplicateSearch.objects.filter(looked_at__gt=at - GOES_ON).exists()


Pair = tuple[str, str]  # ids of contacts, in their order


def _pairs(traits: Mapping[str, Traits]) -> dict[Pair, int]:
    """Return the pairs to compare, one of each among these, and how many contacts have their rarest key in common."""
    pairs: dict[Pair, int] = {}
    once: set[Pair] = set()  # who have one weak key in common
    for key, block in _rows(MEET, contacts=list(traits), crowd=CROWD):
        for pair in combinations(sorted(block), 2):
            if pair[0] not in traits and pair[1] not in traits:
                continue
            if is_weak(key) and pair not in pairs and pair not in once:
                once.add(pair)
            else:
                pairs[pair] = min(len(block), pairs.get(pair, CROWD))
    return pairs


def _alike(pairs: Mapping[Pair, int], traits: Mapping[str, Traits]) -> dict[Pair, Sequence[str]]:
    """Return the pairs that are alike enough, with the reasons."""
    others = {contact for pair in pairs for contact in pair} - traits.keys()
    known = {
        **traits,
        **{contact: Traits(*orjson.loads(values)) for contact, values in _rows(OTHERS, contacts=list(others))},
    }
    likenesses = ((pair, likeness(*map(known.__getitem__, pair), rare=number <= FEW)) for pair, number in pairs.items())
    return {pair: likeness.reasons for pair, likeness in likenesses if likeness.bits >= ENOUGH}


def _propose(alike: Mapping[Pair, Sequence[str]], *, among: Sequence[str], at: datetime) -> None:
    """Propose the pairs; a proposal of one of these contacts goes where they are no longer alike and nobody has decided.

    What a lead said of two contacts, or people, stays.
    """
    open_ = PossibleDuplicate.objects.open().filter(Q(one__in=among) | Q(other__in=among))
    was = {(str(row.one_id), str(row.other_id)): row for row in open_.filter(reasons__overlap=NAME_REASONS)}
    obsolete = [row.pk for pair, row in was.items() if pair not in alike]
    if obsolete:
        PossibleDuplicate.objects.filter(pk__in=obsolete).delete()
    for pair in was.keys() & alike.keys():
        if was[pair].reasons != list(alike[pair]):
            PossibleDuplicate.objects.filter(pk=was[pair].pk).update(reasons=list(alike[pair]))
    rows = (
        PossibleDuplicate(one_id=one, other_id=other, reasons=list(reasons), found_at=at)
        for (one, other), reasons in alike.items()
        if (one, other) not in was
    )
    PossibleDuplicate.objects.bulk_create(rows, ignore_conflicts=True)


def _rows(statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


def _write(statement: str, **parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
