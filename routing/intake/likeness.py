"""How alike two contacts are: what is compared, the keys by which pairs are found at all, and how much each likeness says.

A likeness counts in bits: the logarithm of how much more often it is seen in one person than in two (Fellegi and Sunter).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from itertools import combinations, permutations, product
from typing import Any, NamedTuple

from . import names
from .identity import normalise_name

VERSION = 2  # of what is compared; contacts are looked at again when it rises
ENOUGH = 12.0  # bits, to propose a pair
MOST_VALUES = 6  # of one kind
MOST_WORDS = 4  # of a name: they are compared in every order
MOST_KEYS = 40
WEAK_KEYS = {"company", "year of birth", "place"}  # pairs who have one alone in common are not compared
NAME_REASONS = ["same_name", "similar_name"]  # one of them is among the reasons of each pair that is found here

_BIRTH = re.compile("birth|^dob|dob$|bday|nacim|nascim|рожд")
_POSTAL = re.compile("post_?code|postal|^zip|^plz$|^cep$|индекс")
_PLACE = re.compile(
    "address|street|city|town|suburb|village|direcci|calle|ciudad|poblaci|localidad|domicilio|endere|^rua|cidade|bairro"
    "|morada|адрес|улиц|город"
)
_NO_PLACE = re.compile("mail|^ip|_ip|mac|web|url|site")
_YEAR_FIRST = re.compile(r"(\d{4})\D?(\d\d?)\D?(\d\d?)(?!\d)")
_YEAR_LAST = re.compile(r"(\d\d?)\D(\d\d?)\D(\d{4})(?!\d)")
_SIGNS = re.compile(r"[\W_]+")


class Traits(NamedTuple):
    """What is compared of a contact, as it is kept."""

    words: Sequence[str] = ()  # of the name, in Latin letters
    postal_codes: Sequence[str] = ()
    births: Sequence[str] = ()  # year, then the smaller of day and month: some write the one first, some the other
    places: Sequence[str] = ()  # streets and towns
    regions: Sequence[str] = ()
    companies: Sequence[str] = ()
    mailboxes: Sequence[str] = ()  # e-mail addresses up to the @
    points: Sequence[str] = ()  # kind and key of phones, e-mails and chats: one has them, others share them


class Likeness(NamedTuple):
    """What two contacts have in common, as codes, and how much all of it says."""

    bits: float
    reasons: tuple[str, ...]


class Weight(NamedTuple):
    """How many bits a trait says where it is the same, where it is similar, and where it differs."""

    same: float
    similar: float
    differ: float


POSTAL_CODE, BIRTH_DATE, COMPANY = Weight(6, 3, -3), Weight(11, 6, -5), Weight(6, 5, -1)
PLACE, REGION, MAILBOX, SHARED = Weight(5, 5, -2), Weight(1, 0, -2), Weight(6, 5, 0), Weight(10, 0, 0)
WORD, SHORT_FORM, INITIAL = Weight(5, 4, -3), 3.5, 1.0
FAMILY = 7.0  # the most that an address says of people who have a surname in common and other first names
RARE_NAME = 2.0  # of two who have a name that few have, and nothing else to compare


def traits_of(
    name: str,
    *,
    leads: Iterable[Mapping[str, Any]] = (),
    companies: Iterable[str] = (),
    emails: Iterable[str] = (),
    points: Iterable[str] = (),
) -> Traits:
    """Return what is compared of a contact. leads: `region`, `postal_code` and `fields` of each."""
    postal_codes, births, places, regions = [], [], [], []
    for lead in leads:
        postal_codes.append(_bare(lead.get("postal_code") or ""))
        regions.append(_bare(lead.get("region") or ""))
        for key, text in _texts(lead.get("fields") or {}):
            if _BIRTH.search(key):
                births.append(_birth(text))
            elif _POSTAL.search(key):
                postal_codes.append(_bare(text))
            elif _PLACE.search(key) and not _NO_PLACE.search(key):
                places.append(_bare(text))
    return Traits(
        words=[word.plain for word in names.words(name)][:MOST_WORDS],
        postal_codes=_some(postal_codes),
        births=_some(births),
        places=_some(place for place in places if len(place) > 3),
        regions=_some(regions),
        companies=_some(map(normalise_name, companies)),
        mailboxes=_some(box for email in emails if len(box := _bare(email.rpartition("@")[0])) > 5),
        points=_some(points),
    )


def keys_of(traits: Traits) -> list[int]:
    """Return the keys by which contacts to compare are found, as numbers of 64 bits; those of weak keys are odd.

    Two contacts need one key in common, or two weak ones.
    """
    keys = list(dict.fromkeys(_keys(traits)))[:MOST_KEYS]
    return [_number(key) & ~1 | (key[0] in WEAK_KEYS) for key in keys]


def is_weak(key: int) -> bool:
    return bool(key & 1)


def _number(key: Sequence[str]) -> int:
    return int.from_bytes(blake2b("\0".join(key).encode(), digest_size=8).digest(), signed=True)


def _keys(traits: Traits) -> Iterator[tuple[str, ...]]:
    sounds = sorted(map(names.sound, traits.words))
    starts = dict.fromkeys(sound[:3] for sound in sounds if len(sound) > 1)
    yield from (("point", point) for point in traits.points)
    yield from (("name", *pair) for pair in combinations(sounds, 2))
    yield from (("mailbox", mailbox) for mailbox in traits.mailboxes)
    yield from (("birth date", birth) for birth in traits.births)
    yield from (("postal code", *pair) for pair in product(starts, traits.postal_codes))
    yield from (("company", start, company[:8]) for start, company in product(starts, traits.companies))
    yield from (("year of birth", sound, birth[:4]) for sound, birth in product(sounds, traits.births))
    yield from (("place", start, place[:8]) for start, place in product(starts, traits.places))


def likeness(one: Traits, other: Traits, *, rare: bool = False) -> Likeness:
    """Compare two contacts. rare: few have a key that these have in common."""
    name, how, may_be_family = _names(one.words, other.words)
    if name <= 0:
        return Likeness(name, ())
    reasons = [how]
    bits, compared = name, False

    def compare(ours: Collection[str], theirs: Collection[str], weight: Weight, reason: str) -> float:
        nonlocal compared
        if not ours or not theirs:
            return 0.0
        compared = True
        if set(ours) & set(theirs):
            reasons.append(f"same_{reason}")
            return weight.same
        if weight.similar and any(_similar(a, b) for a, b in product(ours, theirs)):
            reasons.append(f"similar_{reason}")
            return weight.similar
        return weight.differ

    bits += compare(one.births, other.births, BIRTH_DATE, "birth_date")
    born_alike = len(reasons) > 1
    place = compare(one.postal_codes, other.postal_codes, POSTAL_CODE, "postal_code")
    place += _places(one.places, other.places, reasons)
    bits += min(place, FAMILY) if may_be_family and not born_alike else place
    bits += compare(one.companies, other.companies, COMPANY, "company")
    bits += compare(one.mailboxes, other.mailboxes, MAILBOX, "mailbox")
    for point in sorted(set(one.points) & set(other.points)):
        bits += SHARED.same
        reasons.append(f"shared_{point.partition(' ')[0]}")
    if one.regions and other.regions:
        bits += REGION.same if set(one.regions) & set(other.regions) else REGION.differ
    if rare and how == "same_name" and not compared and len(one.words) > 1:
        bits += RARE_NAME
    return Likeness(bits, tuple(dict.fromkeys(reasons)))


def _places(ours: Sequence[str], theirs: Sequence[str], reasons: list[str]) -> float:
    """Return what streets and towns say, each for itself; forms do not agree on which line is which."""
    if not ours or not theirs:
        return 0.0
    in_common = sum(any(a == b or _similar(a, b) for b in theirs) for a in ours)
    if not in_common:
        return PLACE.differ
    reasons.append("similar_address")
    return PLACE.same * in_common


def _names(one: Sequence[str], other: Sequence[str]) -> tuple[float, str, bool]:
    """Return how much the names say, the reason, and whether only surnames agree, or what may be one.

    Somebody who married keeps the first name and, for a while, the address.
    """
    fewer, more = sorted((one, other), key=len)
    if not fewer:
        return 0.0, "", False
    if sorted(map(names.sound, fewer)) == sorted(map(names.sound, more)):
        return WORD.same * len(fewer), "same_name", False
    table = [[_words(word, each) for each in more] for word in fewer]
    orders = permutations(range(len(more)), len(fewer))
    best = max(([row[place] for row, place in zip(table, order, strict=True)] for order in orders), key=sum)
    bits, differ = sum(best), min(best) < 0
    if differ and _similar("".join(map(names.sound, one)), "".join(map(names.sound, other))):
        return 2 * WORD.similar, "similar_name", False  # "h o", "ho"
    return bits, "similar_name", differ and _words(one[0], other[0]) < WORD.similar


def _words(one: str, other: str) -> float:
    """Return how much two words of names say."""
    sound, sounds = names.sound(one), names.sound(other)
    if sound == sounds:
        return WORD.same
    if len(one) == 1 or len(other) == 1:
        return INITIAL if one[0] == other[0] or sound[0] == sounds[0] else WORD.differ
    if _similar(sound, sounds):
        return WORD.similar
    return SHORT_FORM if names.is_short_for(one, other) else WORD.differ


def _similar(one: str, other: str) -> bool:
    """Tell whether the one may be the other with typing errors: a letter more, less, or other, or two exchanged."""
    shorter = min(len(one), len(other))
    errors = 0 if shorter < 4 else 1 if shorter < 7 else 2 if shorter < 14 else 3
    return bool(errors) and _distance()(one, other, score_cutoff=errors) <= errors


@cache
def _distance() -> Callable[..., int]:
    from rapidfuzz.distance import OSA  # for who has names to compare

    return OSA.distance


def _some(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, texts)))[:MOST_VALUES]


def _bare(text: str) -> str:
    """Return letters and digits alone, in Latin letters and lower case."""
    return _SIGNS.sub("", names.latin(text[:200]))


def _birth(text: str) -> str:
    """Return a date of birth as it is compared, "" where it is none."""
    first, last = _YEAR_FIRST.match(text.strip()), _YEAR_LAST.match(text.strip())
    if not first and not last:
        return ""
    year, *rest = first.groups() if first else reversed(last.groups())  # type: ignore[union-attr]
    return year + "".join(sorted(part.zfill(2) for part in rest))


def _texts(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield keys in lower case and values of an object, and of objects in it."""
    for key, value in fields.items():
        name = f"{prefix}{key}".lower().replace(" ", "_").replace("-", "_")
        if isinstance(value, Mapping) and not prefix:
            yield from _texts(value, f"{name}_")
        elif isinstance(value, str | int) and not isinstance(value, bool):
            yield name, str(value)
