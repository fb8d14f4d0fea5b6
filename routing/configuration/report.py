"""What an import adds, changes and leaves, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

# A kind of object as one of them is called.
ONE = {
    "account": "account",
    "schedules": "schedule",
    "managers": "manager",
    "sources": "source",
    "placeholders": "placeholder",
    "pipelines": "pipeline",
    "stages": "stage",
    "registries": "registry",
    "triggers": "trigger",
}
Differences = dict[str, tuple[Any, Any]]  # place within the object: before, after


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one object."""

    action: str  # add, change, remove, deactivate (a manager or source in use), turn off (a trigger in use)
    kind: str
    key: str
    fields: Differences = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.action:<10} {self.kind} {self.key}".rstrip()]
        lines += [
            f"             {name}: {_as_json(old)} -> {_as_json(new)}" for name, (old, new) in self.fields.items()
        ]
        return "\n".join(lines)


@dataclass(slots=True)
class ImportReport:
    """The outcome of an import; of a dry run what it would be."""

    dry_run: bool
    changes: list[Change] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)  # kind and key: in the file, and already so
    unnamed: list[tuple[str, str]] = field(default_factory=list)  # not in the file, and left as they are
    kept: list[tuple[str, str, str]] = field(default_factory=list)  # not in the file, wanted by the third: not removed
    invitations: dict[str, str] = field(default_factory=dict)  # e-mail of a new manager -> path of the link

    @property
    def adds(self) -> list[Change]:
        return [change for change in self.changes if change.action == "add"]

    @property
    def removals(self) -> list[Change]:
        return [change for change in self.changes if change.action not in ("add", "change")]

    def lines(self) -> Iterator[str]:
        yield from map(str, self.changes)
        yield from (f"keep       {kind} {key}: {why}" for kind, key, why in self.kept)
        if self.left:
            yield f"leave      {_count_by_kind(self.left)}"
        if self.unnamed:
            yield f"leave      {_count_by_kind(self.unnamed)} not in the file"
        yield from (f"invitation {email}: {path}" for email, path in self.invitations.items())
        if not self.changes:
            yield "Nothing to change."
        elif self.dry_run:
            yield "A dry run: nothing was written."

    def __str__(self) -> str:
        return "\n".join(self.lines())


def differences(old: dict[str, Any], new: dict[str, Any], place: str = "") -> Differences:
    """Return what differs, each with its place, mappings and members one by one."""
    found: Differences = {}
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key), new.get(key)
        if same(before, after):
            continue
        if isinstance(before, dict) and isinstance(after, dict):
            found |= differences(before, after, f"{place}{key}.")
        elif key == "members":
            found |= _member_differences(before or [], after or [])
        else:
            found[f"{place}{key}"] = (before, after)
    return found


def same(old: Any, new: Any) -> bool:
    """Tell whether two values are the same in a file, where true is not 1."""
    return old == new and _json(old) == _json(new)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=date.isoformat, sort_keys=True)


def _member_differences(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Differences:
    before, after = ({member["manager"]: member for member in members} for members in (old, new))
    found: Differences = {}
    for email in [*after, *(email for email in before if email not in after)]:
        if email in before and email in after:
            found |= differences(before[email], after[email], f"members.{email}.")
        else:
            found[f"members.{email}"] = (_terms(before.get(email)), _terms(after.get(email)))
    stay = [email for email in before if email in after]
    if stay != [email for email in after if email in before]:
        found["members"] = (stay, [email for email in after if email in before])
    elif not found:
        found["members"] = (list(before), list(after))  # a new one stands elsewhere than at the end
    return found


def _terms(member: dict[str, Any] | None) -> dict[str, Any] | None:
    return member and {key: value for key, value in member.items() if key != "manager"}


def _count_by_kind(objects: list[tuple[str, str]]) -> str:
    counts = Counter(kind for kind, _ in objects)
    plurals = {one: many for many, one in ONE.items()}
    return ", ".join(f"{count} {kind if count == 1 else plurals[kind]}" for kind, count in counts.items())


def _as_json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=date.isoformat)
    return text if len(text) <= 200 else f"{text[:200]}…"
