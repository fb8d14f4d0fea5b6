"""A lead's fields, in one table. The API and its schema, imports, exports, forms, what rules see, the history of edits and
erasure read it: a new field is a line here and a column of the model."""

from __future__ import annotations

from dataclasses import dataclass

from .kinds import (
    Country,
    Currency,
    Email,
    Instant,
    JsonObject,
    Kind,
    LongText,
    Money,
    Name,
    Numeral,
    NumeralIdentifier,
    Phone,
    Tags,
    Text,
)


def _(text: str) -> str:
    """Mark a text for the catalogues; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Field:
    """A field of a lead, or of its contact or company."""

    key: str  # its place in a lead: "region", "contact.email"
    kind: Kind
    label: str
    long_label: str = ""  # where it stands among fields of others
    skill: bool = False  # a manager may need it as a skill
    origin: bool = False  # says where the lead came from; nobody edits it
    personal: bool = True  # emptied when the person is erased

    @property
    def group(self) -> str:
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        return self.key.rpartition(".")[2]

    @property
    def path(self) -> str:
        """Return its column as seen from a lead."""
        return self.key.replace(".", "__")

    @property
    def fact(self) -> str:
        """Return what rules call it: `contact_name`, but `email`, which nothing else has."""
        return self.key.replace(".", "_") if self.name == "name" else self.name


FIELDS = (
    Field(
        "external_id",
        NumeralIdentifier(
            255, help="The lead's identifier at the source. A second lead with the same identifier is the same lead."
        ),
        _("External id"),
        origin=True,
        personal=False,
    ),
    Field("name", Name(500), _("Lead"), _("Lead name")),
    Field("contact.name", Name(500), _("Contact"), _("Contact: name")),
    Field("contact.email", Email(500), _("E-mail"), _("Contact: e-mail")),
    Field("contact.phone", Phone(200), _("Phone"), _("Contact: phone")),
    Field("contact.chat", Text(500), _("Chat"), _("Contact: chat")),
    Field("company.name", Name(500), _("Company"), _("Company: name")),
    Field("company.domain", Text(255), _("Domain"), _("Company: domain")),
    Field("budget", Money(), _("Budget"), personal=False),
    Field("currency", Currency(3, example="EUR"), _("Currency"), personal=False),
    Field("language", Text(35), _("Language"), skill=True, personal=False),
    Field("country", Country(2, example="ES"), _("Country"), _("Country, two letters"), skill=True, personal=False),
    Field("region", Text(200), _("Region"), skill=True),
    Field("postal_code", Numeral(32), _("Postal code"), skill=True),
    Field("product", Text(200), _("Product"), skill=True, personal=False),
    Field("tags", Tags(), _("Tags")),
    Field("utm", JsonObject(), _("UTM"), origin=True),
    Field("utm.source", Text(), _("UTM source")),
    Field("utm.medium", Text(), _("UTM medium")),
    Field("utm.campaign", Text(), _("UTM campaign")),
    Field("utm.term", Text(), _("UTM term")),
    Field("utm.content", Text(), _("UTM content")),
    Field("fields", JsonObject(), _("Fields")),
    Field("comment", LongText(), _("Comment")),
    Field(
        "arrived_at",
        Instant(
            help="When the lead reached the source. ISO 8601; without an offset, in the account's time zone.",
        ),
        _("Arrived at"),
        origin=True,
        personal=False,
    ),
)
LEAD, CONTACT, COMPANY = (tuple(f for f in FIELDS if f.group == group) for group in ("", "contact", "company"))
CELLS = tuple(f for f in FIELDS if not isinstance(f.kind, JsonObject))  # what a cell of a table may hold
LONGEST = {f.key: f.kind.longest for f in FIELDS if isinstance(f.kind, Text) and f.kind.longest}
