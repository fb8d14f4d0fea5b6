"""What identifies nobody: values that people type for want of a true one, and those that strangers share.

A list (mail_domains.txt, placeholders.txt) that supervisors add to and take from, and forms: names without letters, one
sign repeated, numbers in a row. All is asked by the keys of `identity`, of one contact or company at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

from . import identity

LONGEST_COMPANY = 40  # letters and digits of the longest name on the list, and some more
SHORTEST_NUMBER = 6  # without the country code: shorter ones have no form to judge by
ZEROS = 8  # at the end of a number: +34 600 000 000

_ASCENDING, _DESCENDING = "0123456789" * 2, "9876543210" * 2
_KIND = re.compile(r"\[(\w+)\]")
_SIGNS_OF_MAILBOX = re.compile(r"[._-]|\+.*")


class PlaceholderKind(StrEnum):
    """What a placeholder is."""

    MAIL_PROVIDER = "mail_provider"  # a domain
    SOCIAL_NETWORK = "social_network"  # a domain, with those below it
    COMPANY = "company"  # a name
    MAILBOX = "mailbox"  # the local part of the address of a company, not of a person
    EMAIL = "email"
    PHONE = "phone"
    CHAT = "chat"


Values = Mapping[PlaceholderKind, frozenset[str]]


class Placeholders:
    """Which values identify nobody. The methods return what the value is, or None where it may identify somebody."""

    def __init__(self, values: Values, identifying: Values | None = None) -> None:
        self._values, self._identifying = values, identifying or {}

    def of_domain(self, domain: str) -> PlaceholderKind | None:
        """domain: as `normalise_domain` returns it."""
        if domain in self._values[PlaceholderKind.MAIL_PROVIDER]:
            return PlaceholderKind.MAIL_PROVIDER
        networks, ends = self._values[PlaceholderKind.SOCIAL_NETWORK], domain
        while "." in ends:
            if ends in networks:
                return (
                    None if self._identifies(PlaceholderKind.SOCIAL_NETWORK, domain) else PlaceholderKind.SOCIAL_NETWORK
                )
            ends = ends.partition(".")[2]
        return None

    def of_company(self, name: str) -> PlaceholderKind | None:
        """name: as `normalise_name` returns it."""
        signs = _signs(name)
        if len(signs) > LONGEST_COMPANY:
            return None
        repeated = len(signs) > 1 and len(set(signs)) == 1
        if signs not in self._values[PlaceholderKind.COMPANY] and not repeated and any(map(str.isalpha, signs)):
            return None
        return None if self._identifies(PlaceholderKind.COMPANY, signs) else PlaceholderKind.COMPANY

    def of_email(self, address: str) -> PlaceholderKind | None:
        """address: as `normalise_email` returns it."""
        local, _, domain = address.rpartition("@")
        plain = _mailbox(local)
        if plain in self._values[PlaceholderKind.MAILBOX]:
            kind = PlaceholderKind.MAILBOX
        elif address in self._values[PlaceholderKind.EMAIL] or self._is_tried_out(plain, domain):
            kind = PlaceholderKind.EMAIL
        else:
            return None
        return None if self._identifies(PlaceholderKind.EMAIL, address) else kind

    def _is_tried_out(self, mailbox: str, domain: str) -> bool:
        label = domain.partition(".")[0]
        if len({*mailbox, *label}) == 1:  # aaa@a.com
            return True
        words = _words_of_tests()
        return mailbox in words and (label in words or domain in self._values[PlaceholderKind.MAIL_PROVIDER])

    def of_phone(self, number: str) -> PlaceholderKind | None:
        """number: a key of `Phone`; the extension does not count."""
        number = number.partition(";")[0]
        if number not in self._values[PlaceholderKind.PHONE] and not _is_made_up(number):
            return None
        return None if self._identifies(PlaceholderKind.PHONE, number) else PlaceholderKind.PHONE

    def of_chat(self, handle: str) -> PlaceholderKind | None:
        """handle: as `normalise_chat` returns it; a telephone number is judged as one."""
        if handle.startswith("+"):
            return self.of_phone(handle)
        return PlaceholderKind.CHAT if handle in self._values[PlaceholderKind.CHAT] else None

    def _identifies(self, kind: PlaceholderKind, value: str) -> bool:
        return value in self._identifying.get(kind, ())


def build(changes: Iterable[tuple[PlaceholderKind, str, bool]]) -> Placeholders:
    """Return the list with what supervisors changed of it: kind, value as `read_value` returns it, whether it identifies."""
    added: dict[PlaceholderKind, set[str]] = defaultdict(set)
    identifying: dict[PlaceholderKind, set[str]] = defaultdict(set)
    for kind, value, identifies in changes:
        (identifying if identifies else added)[kind].add(_to_compare(kind, value))
    if not added and not identifying:
        return built_in()
    values = {kind: (known | added[kind]) - identifying[kind] for kind, known in _listed().items()}
    return Placeholders(values, {kind: frozenset(known) for kind, known in identifying.items()})


@cache
def built_in() -> Placeholders:
    return Placeholders(_listed())


def read_value(kind: PlaceholderKind, text: str) -> str | None:
    """Return a value of the list in the form that it is compared by; None: it is no value of this kind."""
    if kind in (PlaceholderKind.MAIL_PROVIDER, PlaceholderKind.SOCIAL_NETWORK):
        return identity.normalise_domain(text)
    if kind is PlaceholderKind.COMPANY:
        return identity.normalise_name(text) or None
    if kind is PlaceholderKind.MAILBOX:
        return _mailbox(identity.normalise_name(text.partition("@")[0]).replace(" ", "")) or None
    if kind is PlaceholderKind.EMAIL:
        return identity.normalise_email(text)
    if kind is PlaceholderKind.PHONE:
        phone = identity.read_phone(text, None)
        return phone.key.partition(";")[0] if phone else None
    return identity.normalise_chat(text)


@cache
def _listed() -> dict[PlaceholderKind, frozenset[str]]:
    """Return what the files list, by kind."""
    values: dict[PlaceholderKind, set[str]] = {kind: set() for kind in PlaceholderKind}
    values[PlaceholderKind.MAIL_PROVIDER].update(_lines("mail_domains.txt"))
    kind = PlaceholderKind.MAIL_PROVIDER
    for line in _lines("placeholders.txt"):
        section = _KIND.fullmatch(line)
        if section:
            kind = PlaceholderKind(section[1])
        else:
            values[kind].add(_to_compare(kind, read_value(kind, line) or line))
    values[PlaceholderKind.MAIL_PROVIDER] -= values[PlaceholderKind.SOCIAL_NETWORK]
    return {kind: frozenset(listed) for kind, listed in values.items()}


def _lines(name: str) -> list[str]:
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _words_of_tests() -> frozenset[str]:
    """Return the words of addresses of the list that stand on both sides of the @: "test" of test@test.com."""
    parts = (address.partition("@") for address in _listed()[PlaceholderKind.EMAIL])
    return frozenset(local for local, _, domain in parts if local == domain.partition(".")[0])


def _to_compare(kind: PlaceholderKind, value: str) -> str:
    return _signs(value) if kind is PlaceholderKind.COMPANY else value


def _signs(name: str) -> str:
    """Return the letters and digits of a name that `normalise_name` returned, without accents."""
    if not name.isascii():
        name = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return "".join(filter(str.isalnum, name))


def _mailbox(local: str) -> str:
    """Return what of a local part says whose mailbox it is: "sales" of `sales-2+madrid`."""
    return _SIGNS_OF_MAILBOX.sub("", local).rstrip("0123456789") or local


def _is_made_up(number: str) -> bool:
    """Tell whether the form of the number says that nobody has it: one digit, zeros, ascending, descending."""
    end = number[-SHORTEST_NUMBER + 1 :]
    if len(set(end)) > 1 and end not in _ASCENDING and end not in _DESCENDING:  # as nearly all end
        return False
    length = next((n for n in (1, 2, 3) if identity.is_country_code(number[1 : n + 1])), 0)
    digits = number[length + 1 :]
    if len(digits) < SHORTEST_NUMBER:
        return False
    return len(set(digits)) == 1 or set(digits[1:][-ZEROS:]) == {"0"} or digits in _ASCENDING or digits in _DESCENDING
