"""Where something stands in the file, and what is wrong with it there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from reprlib import Repr
from typing import Any, NoReturn

MOST_TOLD = 100  # faults; of those beyond, their number is told
MOST_COMPARED = 2_000  # known words with which those of one report are compared, for "did you mean"
Message = str | Callable[[], str]  # one that costs something is made when it is told


class BadConfiguration(ValueError):
    """The configuration cannot be taken. Nothing was written.

    errors: the first places, in the order of the file, and what is wrong there; more: how many follow.
    """

    def __init__(self, errors: Sequence[tuple[str, str]], more: int = 0) -> None:
        lines = [f"{place}: {message}" if place else message for place, message in errors]
        super().__init__("\n".join([*lines, f"and {more:,} more"] if more else lines))
        self.errors = list(errors)
        self.more = more
        self.count = len(self.errors) + more

    @classmethod
    def of(cls, errors: Errors, sections: Sequence[str]) -> BadConfiguration:
        """Return it with the first errors in the order of the file: by section, then by the number of the object."""
        noted = sorted(errors.noted, key=lambda error: _order(error[0], sections))
        told = [(place, made if isinstance(made, str) else made()) for place, made in noted[:MOST_TOLD]]
        return cls(told, len(noted) - len(told))


class Errors:
    """The faults that were found so far, each with its place."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, Message]] = []
        self.places: set[str] = set()
        self.compared = 0

    def __len__(self) -> int:
        return len(self.noted)

    def note(self, place: str, message: Message) -> None:
        self.noted.append((place, message))
        self.places.add(place)

    def meant(self, word: str, *known: Collection[str]) -> str | None:
        """Return the known word that is spelt nearly like this one, while few enough were compared for this report."""
        for words in known:
            if len(words) > MOST_COMPARED:
                words = [other for other in words if other[:1] == word[:1]]
            self.compared += len(words)
            if self.compared > MOST_COMPARED * MOST_TOLD or len(words) > MOST_COMPARED:
                return None
            found = meant(word, words)
            if found:
                return found
        return None


def _order(place: str, sections: Sequence[str]) -> tuple[int, int]:
    match = re.match(r"([a-z]+)(?:\[([0-9]+)\])?", place)
    if match is None or match[1] not in sections:
        return -1, 0
    return sections.index(match[1]), int(match[2] or 0)


class NotTaken(Exception):
    """A value was refused, and noted as such; the reading goes on beside it."""


def quote(value: object) -> str:
    """Return the value as a message can carry it: quoted, and short whatever somebody sent."""
    text = value if isinstance(value, str) and value.isprintable() else _BEGINNING.repr(value)
    return f'"{text}"' if len(text) <= 60 else f'"{text[:60]}…"'


_BEGINNING = Repr()  # of a value however large
_BEGINNING.maxstring = _BEGINNING.maxother = _BEGINNING.maxlong = 200
_BEGINNING.maxlist = _BEGINNING.maxtuple = _BEGINNING.maxdict = 30


def meant(word: str, known: Collection[str]) -> str | None:
    """Return the known word that is spelt nearly like this one."""
    found = difflib.get_close_matches(word[:64], known, n=1, cutoff=0.7)
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file together with its place; faults found below it are collected, not raised one by one."""

    value: Any
    place: str
    errors: Errors
    known_elsewhere: Collection[str] = field(default=(), repr=False)  # keys of other mappings of the file

    def note(self, message: Message) -> None:
        self.errors.note(self.place, message)

    def refuse(self, message: Message) -> NoReturn:
        self.note(message)
        raise NotTaken

    def at(self, key: str | int) -> Node:
        """Return what stands under the key or number, null where there is nothing."""
        if isinstance(key, int):
            return Node(self.value[key], f"{self.place}[{key}]", self.errors, self.known_elsewhere)
        name = key if key.isprintable() and len(key) <= 60 else quote(key)
        place = f"{self.place}.{name}" if self.place else name
        below = self.value.get(key) if isinstance(self.value, Mapping) else None
        return Node(below, place, self.errors, self.known_elsewhere)

    def fields(self, readers: Mapping[str, Reader]) -> dict[str, Any]:
        """Read a mapping with these keys; what is refused is noted and left out."""
        found = {}
        for key in self.mapping():
            if key not in readers:
                self.at(key).note(self._unknown(key, readers))
                continue
            try:
                found[key] = readers[key](self.at(key))
            except NotTaken:
                continue
        return found

    def _unknown(self, key: str, here: Collection[str]) -> Message:
        def message() -> str:
            better = self.errors.meant(key, here, self.known_elsewhere)
            return f'unknown; did you mean "{better}"?' if better else f"unknown; known here are {', '.join(here)}"

        return message

    def mapping(self) -> Mapping[str, Any]:
        if not isinstance(self.value, Mapping):
            self.refuse(f"a mapping is needed, like {{key: value}}, not {quote(self.value)}")
        if not all(isinstance(key, str) for key in self.value):
            self.refuse("keys are words; write others in quotes")
        return self.value

    def items(self) -> Iterator[Node]:
        """Return the items of a list; null is an empty one."""
        if self.value is None:
            return
        if not isinstance(self.value, list | tuple):
            self.refuse(f"a list is needed, like [a, b], not {quote(self.value)}")
        yield from (self.at(number) for number in range(len(self.value)))

    def each(self, reader: Reader) -> list[Any]:
        """Read the items of a list; what is refused is noted and left out."""
        found = []
        for item in self.items():
            try:
                found.append(reader(item))
            except NotTaken:
                continue
        return found


Reader = Callable[[Node], Any]
