"""What rules see of a lead: plain values, made once from a row, a request, a replay or a sample."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, Self

Needs = Mapping[str, frozenset[str]]
ASKED_BY = ("language", "country", "region", "product", "postal_code")  # skills that a lead asks for by its own fields


class LeadFacts(NamedTuple):
    """A lead with its contact and company, as rules may see them. Unknown values are empty."""

    source: int | None = None
    name: str = ""
    budget: Decimal | None = None
    currency: str = ""
    language: str = ""
    country: str = ""
    region: str = ""
    postal_code: str = ""
    product: str = ""
    comment: str = ""
    tags: Sequence[str] = ()
    utm: Mapping[str, Any] = {}
    fields: Mapping[str, Any] = {}
    score: int = 0
    contact_name: str = ""
    email: str = ""
    phone: str = ""
    chat: str = ""
    company_name: str = ""
    domain: str = ""

    @classmethod
    def of(
        cls,
        lead: Mapping[str, Any],
        *,
        contact: Mapping[str, Any] | None = None,
        company: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make facts of columns by their names."""
        person, firm = contact or {}, company or {}
        texts = {key: lead.get(key) or "" for key in ("name", "currency", *ASKED_BY, "comment")}
        return cls(
            source=lead.get("source_id"),
            budget=lead.get("budget"),
            tags=lead.get("tags") or (),
            utm=_as_mapping(lead.get("utm")),
            fields=_as_mapping(lead.get("fields")),
            score=lead.get("score") or 0,
            contact_name=person.get("name") or "",
            email=person.get("email") or "",
            phone=person.get("phone") or "",
            chat=person.get("chat") or "",
            company_name=firm.get("name") or "",
            domain=firm.get("domain") or "",
            **texts,
        )

    @property
    def needs(self) -> Needs:
        """Return which skills the lead asks for, by the skill's name, in lower case.

        A lead asks by its own fields of that name (language, country, region, product, postal_code), else by its custom
        fields; a region is served by who has the region or the whole country.
        """
        own: dict[str, object] = {key: getattr(self, key) for key in ASKED_BY}
        own["region"] = [self.region, self.country]
        return {key: _folded(value) for key, value in {**self.fields, **own}.items()}


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _folded(value: object) -> frozenset[str]:
    values = value if isinstance(value, list) else [value]
    return frozenset(str(v).casefold() for v in values if v not in (None, "") and not isinstance(v, dict | list))
