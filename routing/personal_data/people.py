"""Who is meant: the contacts of one person, their leads, and the ways in which the person is written."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q, QuerySet

from accounts.models import Account
from routing.intake import identity
from routing.models import Contact, ContactPoint, Lead, Merge

SHORTEST_NUMBER = 7  # digits; what is shorter is found in too many texts that mean something else


@dataclass(frozen=True)
class DataSubject:
    """Somebody whose data is asked for, as far as it is known here."""

    contacts: tuple[uuid.UUID, ...]
    leads: tuple[uuid.UUID, ...]
    spellings: frozenset[str]  # e-mails and chat handles, in lower case, as they may stand in a text
    numbers: frozenset[str]  # digits of telephone numbers, without the country

    @property
    def is_unknown(self) -> bool:
        return not (self.contacts or self.spellings or self.numbers)

    @cached_property
    def lead_texts(self) -> list[str]:
        return [str(lead) for lead in self.leads]


def person_of(contacts: Iterable[Contact], *, written: Iterable[str] = ()) -> DataSubject:
    """Return the person behind contacts. written: other spellings by which they were asked for."""
    rows = list(contacts)
    ids = [row.pk for row in rows]
    points = list(ContactPoint.objects.filter(contact__in=ids, shared=False))  # what they share is somebody else's
    numbers = {text for p in points if p.kind == ContactPoint.Kind.PHONE for text in (p.text, p.key) if text}
    texts = {text for p in points if p.kind != ContactPoint.Kind.PHONE for text in (p.text, p.key) if text}
    for text in written:
        (texts if re.search(r"[^\d\s()+./-]", text) else numbers).add(text)
    return DataSubject(
        contacts=tuple(ids),
        leads=tuple(Lead.objects.filter(contact__in=ids).order_by("pk").values_list("pk", flat=True)),
        spellings=frozenset(text.strip().lower() for text in texts if len(text.strip()) > 3),
        numbers=frozenset(filter(None, map(_national, numbers))),
    )


def find(*, email: str | None = None, phone: str | None = None, contact: uuid.UUID | None = None) -> DataSubject:
    """Return the person with this e-mail, phone or contact; if several are given, anybody who has one of them.

    A number without an extension finds those of all its extensions.
    """
    address = identity.normalise_email(email) if email else None
    number = identity.read_phone(phone, Account.get().country or None) if phone else None
    points = _points_of(address, number)
    asked = Q(pk__in=points.filter(shared=False).values("contact"))  # who shares a number is somebody else
    if contact:
        asked |= Q(pk=contact) | Q(pk__in=Merge.objects.standing().filter(merged=contact).values("holder"))
    written = filter(None, (email, address, phone, number and number.number))
    return person_of(Contact.objects.filter(asked).order_by("pk"), written=written)


def contacts_sharing(*, email: str | None, phone: str | None) -> list[Contact]:
    """Return who gave this e-mail or phone where it identifies nobody, as a mailbox of a company does."""
    address = identity.normalise_email(email) if email else None
    number = identity.read_phone(phone, Account.get().country or None) if phone else None
    return list(Contact.objects.filter(pk__in=_points_of(address, number).values("contact")).order_by("pk"))


def _points_of(address: str | None, number: identity.Phone | None) -> QuerySet[ContactPoint]:
    asked = Q(pk__in=[])
    if address:
        asked |= Q(kind=ContactPoint.Kind.EMAIL, key=address)
    if number:
        own = Q(key=number.key) if number.extension else Q(key=number.key) | Q(key__startswith=f"{number.key};ext=")
        asked |= own & Q(kind=ContactPoint.Kind.PHONE)
    return ContactPoint.objects.filter(asked)


def _national(number: str) -> str:
    """Return the last nine digits of a number, by which it is recognised with and without its country."""
    digits = "".join(re.findall(r"\d", number, re.ASCII))
    return digits[-9:] if len(digits) >= SHORTEST_NUMBER else ""
