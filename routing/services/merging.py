"""Make two contacts one, undo it within 30 days, or say that they are two.

The row of the contact that is merged away is deleted, and that keeps intake right: a lead that found it a moment ago refers to
nobody at its commit (a foreign key), is taken once more from the beginning, and then finds the one that stayed.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Model, Q
from django.utils.translation import gettext

from accounts.models import User
from routing.exceptions import Conflict, Gone, NotFound
from routing.locks import in_transaction, lock_leads
from routing.models import Contact, ContactPoint, ContactTraits, Lead, LeadEvent, Merge, PossibleDuplicate

from .contact_points import show_points

Row = dict[str, Any]  # of a table, in JSON
FILLED = ("name", "company_id", "responsible_id")  # columns of a contact that come from the other where they are empty

# Leads go with their contact. The name that they came under is found by the search as before, and nobody shares with oneself.
MOVE_LEADS = """
WITH before AS (
    SELECT id, contact_id = %(merged)s AS own, also_sent, shares_with FROM routing_lead
    WHERE contact_id = %(merged)s OR shares_with && ARRAY[%(merged)s]::uuid[]
), after AS (
    UPDATE routing_lead l SET
        contact_id = CASE WHEN own THEN %(kept)s ELSE l.contact_id END,
        also_sent = CASE WHEN own THEN trim(l.also_sent || ' ' || %(name)s) ELSE l.also_sent END,
        shares_with = ARRAY(
            SELECT other FROM unnest(array_replace(l.shares_with, %(merged)s, %(kept)s)) WITH ORDINALITY AS s (other, position)
            WHERE other <> CASE WHEN own THEN %(kept)s ELSE l.contact_id END GROUP BY other ORDER BY min(position))
    FROM before WHERE before.id = l.id RETURNING l.id, l.also_sent, l.shares_with
)
SELECT id, own, before.also_sent, after.also_sent AS also_sent_after, before.shares_with, after.shares_with AS shares_with_after
FROM before JOIN after USING (id)
"""
# What came later stays: leads that have another contact by now, words and notes that somebody has changed since.
RETURN_LEADS = """
UPDATE routing_lead l SET
    contact_id = CASE WHEN own AND contact_id = %(kept)s THEN %(merged)s ELSE contact_id END,
    also_sent = CASE WHEN l.also_sent = also_sent_after THEN was.also_sent ELSE l.also_sent END,
    shares_with = CASE WHEN l.shares_with = shares_with_after THEN was.shares_with ELSE l.shares_with END
FROM json_to_recordset(%(leads)s) AS was (
    id uuid, own boolean, also_sent text, also_sent_after text, shares_with uuid[], shares_with_after uuid[])
WHERE l.id = was.id RETURNING l.id, own AND contact_id = %(merged)s AS own
"""


@in_transaction
def merge_contacts(kept: UUID, merged: UUID, *, at: datetime, by: User | None = None) -> Merge:
    """Give the one contact all that the other has, and delete the other. Raises NotFound, Conflict."""
    if kept == merged:
        raise Conflict(gettext("This is one and the same contact."))
    lock_leads(Lead.objects.filter(contact=merged).values_list("pk", flat=True))
    one, other = _lock(kept, merged)
    moved: dict[str, Any] = {
        "contact": _row(merged),
        "kept": _row(kept),
        "pairs": _rows("SELECT * FROM routing_possibleduplicate WHERE %(merged)s IN (one_id, other_id)", merged=merged),
        "merges": [str(merge) for merge in Merge.objects.filter(holder=merged).values_list("pk", flat=True)],
        "points": _rows("SELECT * FROM routing_contactpoint WHERE contact_id = %(merged)s", merged=merged),
        "mains": list(ContactPoint.objects.filter(contact=kept, main=True).values_list("pk", flat=True)),
    }
    for column in FILLED:
        setattr(one, column, getattr(one, column) or getattr(other, column))
    one.created_at = min(one.created_at, other.created_at)
    one.save(update_fields=["name", "company", "responsible", "created_at"])
    moved["filled"] = _row(kept)
    moved["removed"] = _move_points(kept, merged)
    name = other.name if other.name != one.name else ""
    moved["leads"] = _rows(MOVE_LEADS, kept=kept, merged=merged, name=name)
    merge = Merge(kept=kept, merged=merged, holder=one, at=at, by=by)
    _tell(merge, moved["leads"], LeadEvent.Kind.MERGED, at=at, by=by)
    moved["new_pairs"] = _move_pairs(kept, merged)
    Merge.objects.filter(holder=merged).update(holder=kept)
    ContactTraits.objects.filter(contact=merged).delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM routing_contact WHERE id = %s", [merged])
    show_points(kept)
    merge.moved = moved
    merge.save(force_insert=True)
    return merge


@in_transaction
def undo_merge(merge_id: UUID, *, at: datetime, by: User | None = None) -> Merge:
    """Give back what moved, as far as nothing else has become of it since. Raises NotFound, Conflict."""
    found = Merge.objects.filter(pk=merge_id).first()
    if found is None:
        raise NotFound(gettext("No such merge."))
    lock_leads(lead["id"] for lead in found.moved.get("leads", ()))
    merge = Merge.objects.select_for_update().get(pk=merge_id)
    if merge.undone_at is not None:
        raise Conflict(gettext("This merge was already undone."))
    if merge.holder_id != merge.kept:
        raise Conflict(gettext("The contact that stayed was itself merged since: undo that first."))
    if not merge.may_be_undone(at=at):
        days = {"days": Merge.UNDONE_WITHIN.days}
        raise Conflict(gettext("A merge can be undone within %(days)d days, unless the person is erased.") % days)
    kept, merged, moved = merge.kept, merge.merged, merge.moved
    contact = Contact.objects.select_for_update(no_key=True).get(pk=kept)
    now = _row(kept)
    for column in (*FILLED, "created_at"):
        if now[column] == moved["filled"][column]:  # nobody has written it since
            setattr(contact, column, moved["kept"][column])
    contact.save(update_fields=["name", "company", "responsible", "created_at"])
    _restore(Contact, [moved["contact"]])
    _return_points(kept, merged, moved)
    returned = _rows(RETURN_LEADS, kept=kept, merged=merged, leads=orjson.dumps(moved["leads"]).decode())
    _tell(merge, returned, LeadEvent.Kind.SEPARATED, at=at, by=by)
    decided_since = Q(dismissed_at__gt=merge.at)
    PossibleDuplicate.objects.filter(pk__in=moved["new_pairs"]).exclude(decided_since).delete()
    _restore(PossibleDuplicate, moved["pairs"])
    Merge.objects.filter(pk__in=moved["merges"]).update(holder=merged)
    show_points(kept)
    show_points(merged)
    merge.undone_at, merge.undone_by, merge.moved = at, by, {}
    merge.save(update_fields=["undone_at", "undone_by", "moved"])
    return merge


@in_transaction
def dismiss_duplicate(pair_id: int, *, at: datetime, by: User | None = None) -> None:
    """Note that the two are not one person, for good. Raises NotFound."""
    if not PossibleDuplicate.objects.open().filter(pk=pair_id).update(dismissed_at=at, dismissed_by=by):
        raise NotFound(gettext("This pair is no longer proposed."))


def find_contact(contact_id: UUID) -> Contact:
    """Return the contact. Raises NotFound, or Gone with the contact that it was merged into."""
    contact = Contact.objects.filter(pk=contact_id).first()
    if contact is None:
        raise Gone(_gone_words(contact_id)) if successor(contact_id) else NotFound(gettext("No such contact."))
    return contact


def successor(contact_id: UUID) -> UUID | None:
    """Return the contact that has what this one had."""
    return Merge.objects.standing().filter(merged=contact_id).values_list("holder", flat=True).first()


def _gone_words(contact_id: UUID) -> str:
    told = {"contact": contact_id, "other": successor(contact_id)}
    return gettext("The contact %(contact)s was merged into %(other)s.") % told


def _lock(*ids: UUID) -> list[Contact]:
    """Lock the contacts, in the order of their ids. Raises NotFound, or Conflict for one that was merged away."""
    found = {row.pk: row for row in Contact.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    for id_ in ids:
        if id_ not in found:
            raise Conflict(_gone_words(id_)) if successor(id_) else NotFound(gettext("No such contact."))
    return [found[id_] for id_ in ids]


def _tell(merge: Merge, leads: Iterable[Row], kind: LeadEvent.Kind, *, at: datetime, by: User | None) -> None:
    """Tell the stories of the leads that changed their contact."""
    data = {"merge": str(merge.pk), "kept": str(merge.kept), "merged": str(merge.merged)}
    LeadEvent.objects.bulk_create(
        LeadEvent(lead_id=lead["id"], at=at, kind=kind, by=by, data=data) for lead in leads if lead["own"]
    )


# Phones, e-mails and chats


def _move_points(kept: UUID, merged: UUID) -> list[Row]:
    """Move the points of the one to the other, and return those that both had: {"row", "stays"}, the id of its like.

    The one whose key it is stays. The main one of the contact that stays remains the main one.
    """
    ours = {_likeness(point): point for point in ContactPoint.objects.filter(contact=kept)}
    removed = []
    for theirs in ContactPoint.objects.filter(contact=merged):
        point = ours.get(_likeness(theirs))
        if point is not None:
            gone, stays = (theirs, point) if theirs.shared or not point.shared else (point, theirs)
            [row] = _rows("SELECT * FROM routing_contactpoint WHERE id = %(id)s", id=gone.pk)
            removed.append({"row": row, "stays": stays.pk})
            gone_main, gone_id = gone.main, gone.pk
            ContactPoint.objects.filter(pk=gone_id).delete()
            if gone_main and gone is point:
                ContactPoint.objects.filter(contact=merged, kind=stays.kind, main=True).update(main=False)
                ContactPoint.objects.filter(pk=stays.pk).update(main=True, contact=kept)
    mains = ContactPoint.objects.filter(contact=kept, main=True).values_list("kind", flat=True)
    ContactPoint.objects.filter(contact=merged, main=True, kind__in=list(mains)).update(main=False)
    ContactPoint.objects.filter(contact=merged).update(contact=kept)
    return removed


def _likeness(point: ContactPoint) -> tuple[str, bool, str]:
    return point.kind, point.key is None, point.key or point.text


def _return_points(kept: UUID, merged: UUID, moved: Row) -> None:
    """Give back the points. One that was removed since stays removed, also from the other contact; a new text stays."""
    were = {row["id"]: row for row in moved["points"]}
    theirs = ContactPoint.objects.filter(contact=kept, pk__in=were)
    there = set(ContactPoint.objects.filter(contact=kept).values_list("pk", flat=True))
    theirs.update(contact=merged, main=False)
    ContactPoint.objects.filter(contact=merged, pk__in=[id_ for id_, row in were.items() if row["main"]]).update(
        main=True
    )
    rows = [each["row"] for each in moved["removed"] if each["stays"] in there]
    for row in rows:
        owned = ContactPoint.objects.filter(kind=row["kind"], key=row["key"], shared=False).exists()
        row["shared"] = row["key"] is not None and owned
    _restore(ContactPoint, rows)
    for point in ContactPoint.objects.filter(contact=kept, pk__in=moved["mains"]):
        if not ContactPoint.objects.filter(contact=kept, kind=point.kind, main=True).exists():
            ContactPoint.objects.filter(pk=point.pk).update(main=True)


# Proposals


def _move_pairs(kept: UUID, merged: UUID) -> list[int]:
    """Let proposals of the one be the other's, dismissed ones too; return those that are new."""
    rows = []
    for pair in PossibleDuplicate.objects.of(merged):
        other = pair.other_id if pair.one_id == merged else pair.one_id
        if other != kept and not PossibleDuplicate.objects.of(kept).of(other).exists():
            one, two = sorted((kept, other))
            rows.append(
                PossibleDuplicate(
                    one_id=one,
                    other_id=two,
                    reasons=pair.reasons,
                    found_at=pair.found_at,
                    dismissed_at=pair.dismissed_at,
                    dismissed_by_id=pair.dismissed_by_id,
                )
            )
    PossibleDuplicate.objects.of(merged).delete()
    return [row.pk for row in PossibleDuplicate.objects.bulk_create(rows)]


# Rows as JSON and back


def _rows(statement: str, **parameters: Any) -> list[Row]:
    """Run a statement, and return its rows as JSON has them."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description]
        rows = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    read: list[Row] = orjson.loads(orjson.dumps(rows))
    return read


def _row(contact_id: UUID) -> Row:
    [row] = _rows("SELECT * FROM routing_contact WHERE id = %(id)s", id=contact_id)
    return row


def _restore(model: type[Model], rows: Iterable[Row]) -> None:
    """Write rows again, without what they referred to that is no longer there; what cannot do without it stays away."""
    for row in rows:
        values = {field.attname: row[field.attname] for field in model._meta.concrete_fields if field.attname in row}
        lost = [
            field
            for field in model._meta.concrete_fields
            if field.related_model
            and values.get(field.attname) is not None
            and not field.related_model._default_manager.filter(pk=values[field.attname]).exists()
        ]
        if all(field.null for field in lost):
            model._default_manager.bulk_create(
                [model(**values | {field.attname: None for field in lost})], ignore_conflicts=True
            )
