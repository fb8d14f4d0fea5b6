"""What triggers and scoring see of a lead: plain values, made once from a row, a request, a replay or a sample."""

from collections import defaultdict, namedtuple
from collections.abc import Mapping
from typing import Any, Self

from routing.intake.fields import LEAD, STORED
from routing.intake.skills import Tokens, says_nothing, tokens_asked
from routing.intake.text import comparable

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
    def asked(self) -> Mapping[str, list[str]]:
        """Return what the lead asks for, by skill, as it was sent.

        A lead asks by its own fields of that name, else by its custom fields; by what says nothing it does not ask.
        """
        asked: dict[str, list[str]] = defaultdict(list)
        custom = self.fields if isinstance(self.fields, Mapping) else {}
        for name, value in custom.items():
            asked[comparable(name)] += _texts(value)
        asked.update({name: own for name in ASKED_BY if (own := _texts(getattr(self, name)))})
        return {name: texts for name, texts in asked.items() if texts}

    @property
    def needs(self) -> Tokens:
        """Return what the lead asks for as skills are compared; a lead without a region may be anywhere in its country."""
        return tokens_asked(self.asked)


def _texts(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = (str(v).strip() for v in values if v is not None and not isinstance(v, dict | list))
    return [text for text in texts if not says_nothing(comparable(text))]
