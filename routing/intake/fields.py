"""A lead's fields, in one table. The API and its schema, imports, exports, forms, what triggers see, the history of edits and
erasure read it: a new field is a line here and a column of the model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import kinds


def _(text: str) -> str:
    """Mark a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Field:
    """A field of a lead, or of its contact or company."""

    key: str  # its place in a lead: "region", "contact.email"
    kind: kinds.Kind
    label: str
    long_label: str = ""  # where it stands among fields of others
    skill: bool = False  # a manager may need it as a skill
    origin: bool = False  # says where the lead came from; nobody edits it
    joint: str | None = None  # between the cells of several columns; None: only one of them counts
    personal: bool = True  # emptied when the person is erased

    @cached_property
    def group(self) -> str:
        return self.key.rpartition(".")[0]

    @cached_property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    @cached_property
    def path(self) -> str:
        """Return its column as seen from a lead."""
        return self.key.replace(".", "__")

    @cached_property
    def fact(self) -> str:
        """Return what conditions call it: `contact_name`, but `email`, which nothing else has."""
        return self.key.replace(".", "_") if self.name == "name" else self.name


FIELDS = (
    Field("external_id", kinds.NumeralIdentifier(
        255, help="The lead's identifier at the source. A second lead with the same identifier is the same lead."
    ), _("External id"), origin=True, personal=False),
    Field("name", kinds.Name(500), _("Lead"), _("Lead name"), joint=" "),
    Field("contact.name", kinds.Name(500), _("Contact"), _("Contact: name"), joint=" "),
    Field("contact.email", kinds.Email(500, "invalid-email"), _("E-mail"), _("Contact: e-mail")),
    Field("contact.phone", kinds.Phone(200, "invalid-phone"), _("Phone"), _("Contact: phone")),
    Field("contact.chat", kinds.Text(500), _("Chat"), _("Contact: chat")),
    Field("company.name", kinds.Name(500), _("Company"), _("Company: name"), joint=" "),
    Field("company.domain", kinds.Text(255), _("Domain"), _("Company: domain")),
    Field("budget", kinds.Money(), _("Budget"), personal=False),
    Field("currency", kinds.Code(3, "invalid-currency", example="EUR"), _("Currency"), personal=False),
    Field("language", kinds.Text(35), _("Language"), skill=True, personal=False),
    Field("country", kinds.Code(2, "invalid-country", example="ES"), _("Country"), _("Country, two letters"), skill=True,
          personal=False),
    Field("region", kinds.Text(200), _("Region"), skill=True, joint=", "),
    Field("postal_code", kinds.Numeral(32), _("Postal code"), skill=True),
    Field("product", kinds.Text(200), _("Product"), skill=True, joint=", ", personal=False),
    Field("tags", kinds.Tags(), _("Tags"), joint=","),
    Field("utm", kinds.JsonObject(), "UTM", origin=True),
    Field("utm.source", kinds.Text(), _("UTM source")),
    Field("utm.medium", kinds.Text(), _("UTM medium")),
    Field("utm.campaign", kinds.Text(), _("UTM campaign")),
    Field("utm.term", kinds.Text(), _("UTM term")),
    Field("utm.content", kinds.Text(), _("UTM content")),
    Field("fields", kinds.JsonObject(), _("Fields")),
    Field("comment", kinds.LongText(), _("Comment"), joint="\n"),
    Field("arrived_at", kinds.Instant(
        help="When the lead reached the source. ISO 8601; without an offset, in the account's time zone."
    ), _("Arrived at"), joint=" ", origin=True, personal=False),
)  # fmt: skip
LEAD, CONTACT, COMPANY = (tuple(f for f in FIELDS if f.group == group) for group in ("", "contact", "company"))
STORED = LEAD + CONTACT + COMPANY  # each has a column
CELLS = tuple(f for f in FIELDS if not isinstance(f.kind, kinds.JsonObject))  # what a cell of a table may hold
LONGEST = {f.key: f.kind.longest for f in FIELDS if isinstance(f.kind, kinds.Text) and f.kind.longest}


def columns_of(fields: Iterable[Field], form: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of the fields that a form may have."""
    return {f.name: f.kind.empty() if (value := form.get(f.name)) in (None, "") else value for f in fields}
