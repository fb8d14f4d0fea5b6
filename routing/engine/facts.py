"""What triggers and scoring see of a lead: plain values, made once from a row, a request, a replay or a sample."""

from collections import namedtuple
from collections.abc import Mapping
from typing import Any, Self

from routing.intake.fields import LEAD, STORED

Needs = Mapping[str, frozenset[str]]
COLUMNS = [(field.group, field.name, field.kind.empty()) for field in STORED]
EMPTY = [empty for _group, _name, empty in COLUMNS]
ASKED_BY = [field.name for field in LEAD if field.skill]
named: Any = namedtuple  # mypy would have the names written here; they are in the table
Columns: Any = named("Columns", ["source", "score", *(f.fact for f in STORED)], defaults=[None, 0, *EMPTY])


class LeadFacts(Columns):  # type: ignore[misc, unused-ignore]
    """A lead with its contact and company, as triggers and scoring may see them. Unknown values are empty."""

    __slots__ = ()

    @classmethod
    def of(
        cls,
        lead: Mapping[str, Any],
        *,
        contact: Mapping[str, Any] | None = None,
        company: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make facts of columns by their names."""
        groups = {"": lead, "contact": contact or {}, "company": company or {}}
        values = [empty if (v := groups[group].get(name)) is None else v for group, name, empty in COLUMNS]
        return cls(lead.get("source_id"), lead.get("score") or 0, *values)

    @property
    def needs(self) -> Needs:
        """Return which skills the lead asks for, by the skill's name, in lower case.

        A lead asks by its own fields of that name, else by its custom fields; a region is served by who has the region or
        the whole country.
        """
        own: dict[str, object] = {key: getattr(self, key) for key in ASKED_BY}
        own["region"] = [self.region, self.country]
        return {key: _fold(value) for key, value in {**_as_mapping(self.fields), **own}.items()}


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _fold(value: object) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    return frozenset(str(v).casefold() for v in values if v not in (None, "") and not isinstance(v, dict | list))
