"""Where something stands in the file, and what is wrong with it there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

Errors = list[tuple[str, str]]  # place, message


class BadConfiguration(ValueError):
    """The configuration cannot be taken; `errors` names every place and what is wrong there. Nothing was written."""

    def __init__(self, errors: Errors) -> None:
        super().__init__("\n".join(f"{place}: {message}" if place else message for place, message in errors))
        self.errors = errors

    @classmethod
    def of(cls, errors: Errors, sections: Sequence[str]) -> BadConfiguration:
        """Return it with the errors in the order of the file: by section, then by the number of the object."""
        return cls(sorted(errors, key=lambda error: _order(error[0], sections)))


def _order(place: str, sections: Sequence[str]) -> tuple[int, int]:
    match = re.match(r"([a-z]+)(?:\[([0-9]+)\])?", place)
    if match is None or match[1] not in sections:
        return -1, 0
    return sections.index(match[1]), int(match[2] or 0)


class NotTaken(Exception):
    """A value was refused, and noted as such; the reading goes on beside it."""


def shown(value: object) -> str:
    """Return the value as a message can carry it: quoted, and short whatever somebody sent."""
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return f'"{text}"' if len(text) <= 60 else f'"{text[:60]}…"'


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

    def note(self, message: str) -> None:
        self.errors.append((self.place, message))

    def refuse(self, message: str) -> NoReturn:
        self.note(message)
        raise NotTaken

    def at(self, key: str | int) -> Node:
        """Return what stands under the key or number, null where there is nothing."""
        if isinstance(key, int):
            return Node(self.value[key], f"{self.place}[{key}]", self.errors, self.known_elsewhere)
        name = key if key.isprintable() and len(key) <= 60 else shown(key)
        place = f"{self.place}.{name}" if self.place else name
        below = self.value.get(key) if isinstance(self.value, Mapping) else None
        return Node(below, place, self.errors, self.known_elsewhere)

    def fields(self, readers: Mapping[str, Reader]) -> dict[str, Any]:
        """Read a mapping with these keys; what is refused is noted and left out."""
        found = {}
        for key in self.mapping():
            if key not in readers:
                self.at(key).note(_unknown(key, readers, self.known_elsewhere))
                continue
            try:
                found[key] = readers[key](self.at(key))
            except NotTaken:
                continue
        return found

    def mapping(self) -> Mapping[str, Any]:
        """Return the value when it is a mapping."""
        if not isinstance(self.value, Mapping):
            self.refuse(f"a mapping is needed, like {{key: value}}, not {shown(self.value)}")
        if not all(isinstance(key, str) for key in self.value):
            self.refuse("keys are words; write others in quotes")
        return self.value

    def items(self) -> Iterator[Node]:
        """Return the items of a list; null is an empty one."""
        if self.value is None:
            return
        if not isinstance(self.value, list | tuple):
            self.refuse(f"a list is needed, like [a, b], not {shown(self.value)}")
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


def _unknown(key: str, here: Collection[str], elsewhere: Collection[str]) -> str:
    better = meant(key, here) or meant(key, elsewhere)
    return f'unknown; did you mean "{better}"?' if better else f"unknown; known here are {', '.join(here)}"
