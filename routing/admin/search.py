"""How leads and contacts are found: by words of names, by e-mail, number and handle, each by an index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import phonenumbers
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Case, F, QuerySet, Value, When

from ..intake import identity
from ..models import Activity, Company, Contact, ContactPoint, Lead
from ..models.crm import CONTACT_WORDS, LEAD_WORDS, SENT_WORDS
from ..roster import current

MOST_FOUND = 200  # in each way to find; more than anybody reads
COMMON = 1000  # rows: so many have a common word


class Way(NamedTuple):
    """A way to find rows; `newest` are those of a common word, which are read until enough have it."""

    of: str  # the column of a lead that holds what is found
    rows: QuerySet[Any]
    newest: QuerySet[Any] | None = None
    id: str = "pk"  # the column of the rows that is found


def contacts_found(term: str) -> list[UUID]:
    """Return the ids of contacts whose name or e-mail has these words, or who are reached so."""
    return _ids(_ways_to_contacts(term.strip()))["contact"]


def people_found(term: str) -> dict[str, list[UUID]]:
    """Return, by column of a lead, the ids of such contacts, companies by their domain, and of leads whose name, or what was
    sent with them or after them, has the words."""
    term = term.strip()
    companies = Company.objects.filter(domain_key__startswith=term.lower())
    # Without those that have no such words, as the indexes have it.
    named = _with_words("pk", Lead.objects.exclude(name=""), LEAD_WORDS, term)
    spellings = _spellings(term)
    sent = [_with_words("pk", Lead.objects.exclude(also_sent=""), SENT_WORDS, each) for each in spellings]
    activities = Activity.objects.exclude(also_sent="")
    sent += [_with_words("pk", activities, SENT_WORDS, each, id_="lead") for each in spellings]
    return _ids([Way("company", companies), named, *sent, *_ways_to_contacts(term)])


def _spellings(term: str) -> list[str]:
    """Return what came, as it may be written: a number also with its country."""
    number = identity.normalise_phone(term, current().account.country)
    return [term, number.lstrip("+")] if number else [term]


def _ids(ways: Sequence[Way]) -> dict[str, list[UUID]]:
    """Ask all ways at once, and once more for the newest rows with words that too many have."""
    asked = [
        (n, way.rows.values(of=F(way.id)), MOST_FOUND if way.newest is None else COMMON) for n, way in enumerate(ways)
    ]
    found = _ids_by_way(asked)
    common = [
        (n, newest.values(of=F(ways[n].id)), MOST_FOUND)
        for n, _rows, most in asked
        if most == COMMON == len(found[n]) and (newest := ways[n].newest) is not None
    ]
    found |= _ids_by_way(common) if common else {}
    ids: dict[str, list[UUID]] = {way.of: [] for way in ways}
    for n, way in enumerate(ways):
        ids[way.of] += sorted(found[n])[-MOST_FOUND:]  # ids are in the order of time
    return ids


def _ids_by_way(ways: Sequence[tuple[int, Any, int]]) -> dict[int, list[UUID]]:
    """Return the ids of the rows of each way, by its number."""
    first, *others = (rows.annotate(way=Value(n)).values_list("way", "of")[:most] for n, rows, most in ways)
    found: dict[int, list[UUID]] = {n: [] for n, _rows, _most in ways}
    for n, id_ in first.union(*others, all=True):
        found[n].append(id_)
    return found


def _ways_to_contacts(term: str) -> list[Way]:
    key = identity.normalise_email(term) or term.lower()
    ways = [_points("email").filter(key__startswith=key)]
    digits = "".join(c for c in term if c.isdecimal() and c.isascii())
    if len(digits) >= 3 and not any(c.isalpha() for c in term):
        ways.append(_points("phone").filter(key__startswith=f"+{digits}"))
        ways += _ways_by_phone(term, digits.lstrip("0"))
    if handle := identity.normalise_chat(term):
        ways.append(_points("chat").filter(key__startswith=handle))
    return [
        _with_words("contact", Contact.objects.order_by(), CONTACT_WORDS, term),
        *(Way("contact", rows, id="contact") for rows in ways),
    ]


def _points(kind: str) -> QuerySet[ContactPoint]:
    """Return the phones, e-mails or chats, each of its owner alone."""
    return ContactPoint.objects.order_by().filter(kind=kind, shared=False)


def _ways_by_phone(term: str, digits: str) -> list[QuerySet[ContactPoint]]:
    """Return those with the number of the account's country that begins so, else with the whole number of any other."""
    country = current().account.country
    if own := identity.read_phone(term, country):
        return [_points("phone").filter(key__startswith=own.key), _sharing(own.key)]
    ways = [_points("phone").filter(key__in=[f"+{code}{digits}" for code in _calling_codes()])]
    if code := phonenumbers.country_code_for_region(country):
        ways.append(_points("phone").filter(key__startswith=f"+{code}{digits}"))
    return ways


def _sharing(key: str) -> QuerySet[ContactPoint]:
    return ContactPoint.objects.order_by().filter(kind="phone", shared=True, key=key)


@cache
def _calling_codes() -> list[int]:
    return sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def _with_words(of: str, rows: QuerySet[Any], words: SearchVector, term: str, *, id_: str = "pk") -> Way:
    """Return the rows that have words which begin as those of the term, in any order."""
    # Quotes and backslashes are all that has a meaning inside quotes.
    begun = [f"'{word}':*" for word in term.replace("'", " ").replace("\\", " ").split()]
    query = SearchQuery(" & ".join(begun), config="simple", search_type="raw")
    rows = rows.order_by().alias(words=words)
    has = Case(When(words=query, then=True), default=False)  # a condition that the index of words cannot answer
    return Way(of, rows.filter(words=query), rows.filter(has).order_by("-pk"), id_)
