"""Phones, e-mails and chats of contacts, as people add, correct, remove and choose them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, transaction
from django.utils.translation import gettext

from accounts.models import Account
from routing.exceptions import Conflict, NotFound
from routing.intake import identity
from routing.locks import in_transaction
from routing.models import Contact, ContactPoint
from routing.roster import current


class Read(NamedTuple):
    """A phone, e-mail or chat as it is kept."""

    text: str
    extension: str
    key: str | None
    shared: bool  # by all who have it: it identifies nobody


def read_point(kind: str, text: str, *, contact: Any = None, point: int | None = None) -> Read:
    """Return the point that people wrote. Raises Conflict where nobody can be reached by it, or it is another contact's.

    point: the one that it corrects.
    """
    read = _read(kind, text.strip(), Account.get().country or None)
    others = ContactPoint.objects.filter(kind=kind, key=read.key).exclude(pk=point or 0)
    if others.filter(contact=contact).exists():
        raise Conflict(gettext("The contact already has this."))
    if not read.shared and others.filter(shared=False).exists():
        raise Conflict(gettext("Another contact already has this."))
    return read


def _read(kind: str, text: str, country: str | None) -> Read:
    nobody = current().placeholders
    if kind == ContactPoint.Kind.PHONE:
        number = identity.read_phone(text, country)
        if number is None:
            raise Conflict(gettext("Include the country code: +34 600 000 000."))
        return Read(number.number, number.extension, number.key, bool(nobody.of_phone(number.key)))
    if kind == ContactPoint.Kind.EMAIL:
        address = identity.normalise_email(text)
        if address is None:
            raise Conflict(gettext("Mail cannot reach this address."))
        return Read(address, "", address, bool(nobody.of_email(address)))
    handle = identity.normalise_chat(text, country)
    if handle is None:
        raise Conflict(gettext("Nobody can be reached by this handle."))
    return Read(text, "", handle, bool(nobody.of_chat(handle)))


@in_transaction
def add_point(contact_id: Any, kind: str, text: str, *, at: datetime) -> None:
    """Add a phone, e-mail or chat. Raises Conflict."""
    if kind not in ContactPoint.Kind.values:
        raise NotFound(gettext("No such kind of contact data."))
    contact = _locked(contact_id)
    write_point(ContactPoint(contact=contact, kind=kind, first_seen_at=at), read_point(kind, text, contact=contact_id))
    show_points(contact_id)


@in_transaction
def correct_point(contact_id: Any, point_id: int, text: str) -> None:
    """Write another text for one that was wrong. Raises NotFound, Conflict."""
    _locked(contact_id)
    point = _point(contact_id, point_id)
    write_point(point, read_point(point.kind, text, contact=contact_id, point=point.pk))
    show_points(contact_id)


@in_transaction
def remove_point(contact_id: Any, point_id: int) -> None:
    """Remove one. Raises NotFound."""
    _locked(contact_id)
    _point(contact_id, point_id).delete()
    show_points(contact_id)


@in_transaction
def choose_main(contact_id: Any, point_id: int) -> None:
    """Show this one first of its kind. Raises NotFound."""
    _locked(contact_id)
    point = _point(contact_id, point_id)
    ContactPoint.objects.filter(contact=contact_id, kind=point.kind, main=True).update(main=False)
    ContactPoint.objects.filter(pk=point_id).update(main=True)
    show_points(contact_id)


def write_point(point: ContactPoint, read: Read) -> None:
    """Write the point; what somebody else took meanwhile is a Conflict."""
    if point.key != read.key:
        point.shared = read.shared
    point.text, point.extension, point.key, _shared = read
    try:
        with transaction.atomic():
            point.save()
    except IntegrityError as error:
        raise Conflict(gettext("Another contact already has this.")) from error


def show_points(contact_id: Any) -> None:
    """Bring what lists, searches and files show of the contact in step with its points, and have it compared anew."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT leadrouter_show_points(%s)", [contact_id])
        cursor.execute(
            "INSERT INTO routing_contacttraits (contact_id, traits, keys, leads, version, stale)"
            " VALUES (%s, '[]', '{}', 0, 0, true) ON CONFLICT (contact_id) DO UPDATE SET stale = true",
            [contact_id],
        )


def _locked(contact_id: Any) -> Contact:
    contact = Contact.objects.select_for_update(no_key=True).filter(pk=contact_id).first()
    if contact is None:
        raise NotFound(gettext("No such contact."))
    return contact


def _point(contact_id: Any, point_id: int) -> ContactPoint:
    point = ContactPoint.objects.filter(pk=point_id, contact=contact_id).first()
    if point is None:
        raise NotFound(gettext("The contact no longer has this."))
    return point
