"""Shape and types of what comes in; and of what goes out, for the schema.

Whether a pipeline exists or somebody can be reached is not asked here: that is the service's to know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import cached_property
from typing import Any, Never, NoReturn
from zoneinfo import ZoneInfo

from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import empty

from routing.intake import text
from routing.intake.limits import (
    AHEAD,
    FIRST_YEAR,
    LARGEST_BUDGET,
    LAST_YEAR,
    LONGEST,
    LONGEST_KEY,
    LONGEST_TAG,
    MOST_KEYS,
    MOST_TAGS,
)
from routing.intake.text import BadText
from routing.models import HandedLead, Lead

MOST_MINUTES = 525_600  # of a pause: a year

INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d|[+-]\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
MONEY = re.compile(r"\d{1,12}(?:\.\d{1,2})?", re.ASCII)


def _fail(code: str, detail: str) -> NoReturn:
    raise ValidationError([ErrorDetail(detail, code)])


def _at_pointer(bad: BadText) -> ValidationError:
    """Return the refusal with the place that the walk found: {"fields": {"city": [...]}}."""
    detail: Any = [ErrorDetail(f"This cannot be stored: {bad.detail}.", bad.code)]
    for step in reversed(bad.pointer.split("/")[1:]):
        detail = {step.replace("~1", "/").replace("~0", "~"): detail}
    return ValidationError(detail)


# Fields. Each takes null and what is absent; a wrong type is refused and never turned into a right one.


class Optional(serializers.Field[Any, Any, Any, Any]):
    """A field that may be null or absent: senders leave out what they do not know."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, **options})

    def run_validation(self, data: Any = empty) -> Any:
        if data is empty:
            raise serializers.SkipField
        return None if data is None else self.to_internal_value(data)

    def to_representation(self, value: Any) -> Any:
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return what is taken besides null, as JSON schema."""
        raise NotImplementedError


class Text(Optional):
    """A text, cleaned of what no text may hold, and never cut."""

    multiline = False

    def __init__(self, *, max_length: int | None = None, code: str = "invalid-text", **options: Any) -> None:
        self.max_length = max_length
        self.code = code
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if type(data) is not str:
            _fail(self.code, "A text is expected.")
        try:
            cleaned = self.cleaned(data)
        except BadText as bad:
            raise _at_pointer(bad) from None
        if self.max_length is not None and len(cleaned) > self.max_length:
            _fail("too-long", f"At most {self.max_length} characters are allowed.")
        return cleaned

    def cleaned(self, data: str) -> str:
        return text.clean(data, multiline=self.multiline)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", **({} if self.max_length is None else {"maxLength": self.max_length})}


class LongText(Text):
    multiline = True


class Identifier(Text):
    """A text that tells things apart: refused rather than cleaned, since two of them must never become one."""

    def cleaned(self, data: str) -> str:
        return text.refuse_controls(data)


class Numeral(Text):
    """A text that some senders write as a whole number: a phone, a postal code."""

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(str(data) if type(data) is int else data)

    def json_schema(self) -> dict[str, Any]:
        return {**super().json_schema(), "type": ["string", "integer"]}


class NumeralIdentifier(Numeral, Identifier):
    pass


class Address(Text):
    """An e-mail address: a control character in it is marked, and never left out."""

    def cleaned(self, data: str) -> str:
        return text.mark_controls(data)


class Code(Text):
    """A code in a fixed alphabet, written in any case: a currency, a country."""

    def __init__(self, pattern: str, example: str, **options: Any) -> None:
        self.pattern = re.compile(pattern, re.ASCII)
        self.example = example
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        code = super().to_internal_value(data)
        if code and not self.pattern.fullmatch(code):
            _fail(self.code, f"A code such as {self.example} is expected.")
        return code.upper()

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({self.pattern.pattern})?$"}


class Flag(Optional):
    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            _fail("invalid-boolean", "true or false is expected.")
        return data

    def json_schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Minutes(Optional):
    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int or not 1 <= data <= MOST_MINUTES:
            _fail("invalid-number", f"A whole number of minutes from 1 to {MOST_MINUTES} is expected.")
        return data

    def json_schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": MOST_MINUTES}


class Money(Optional):
    """An amount as text or number, exact to the cent or refused."""

    def to_internal_value(self, data: Any) -> Decimal | None:
        if data == "":
            return None
        if type(data) is float or type(data) is int:
            return self._from_number(data)
        if type(data) is not str or not MONEY.fullmatch(data):
            _fail("invalid-number", "An amount such as 1200.00 is expected, with at most two decimals.")
        return Decimal(data)

    def _from_number(self, number: int | float) -> Decimal:
        # repr: the shortest text that is this number, as the sender wrote it
        amount = abs(Decimal(repr(number))) if number == 0 else Decimal(repr(number))
        if not 0 <= amount <= LARGEST_BUDGET:
            _fail("invalid-number", f"An amount from 0 to {LARGEST_BUDGET} is expected.")
        if amount != amount.quantize(Decimal("0.01")):
            _fail("invalid-number", "An amount has at most two decimals.")
        return amount.quantize(Decimal("0.01"))

    def json_schema(self) -> dict[str, Any]:
        return {
            "oneOf": [
                {"type": "string", "pattern": r"^([0-9]{1,12}(\.[0-9]{1,2})?)?$"},
                {"type": "number", "minimum": 0, "maximum": float(LARGEST_BUDGET)},
            ],
            "description": "At most two decimals. More are refused, never rounded.",
        }


class Instant(Optional):
    """An instant; one without an offset stays naive until the door knows the account's zone."""

    def to_internal_value(self, data: Any) -> datetime | None:
        if data == "":
            return None
        if type(data) is not str:
            _fail("invalid-time", "A text such as 2026-03-02T09:00:00+01:00 is expected.")
        return read_instant(data)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "string", "examples": ["2026-03-02T09:00:00+01:00"]}


def read_instant(written: str) -> datetime:
    """Return the datetime as it is written, naive when it has no offset. Raises ValidationError."""
    match = INSTANT.fullmatch(written) if len(written) < 50 else None
    try:
        if match is None:
            raise ValueError
        day, time, offset = match.groups()
        return datetime.fromisoformat(f"{day}T{_to_microseconds(time or '00:00')}{(offset or '').upper()}")
    except ValueError:
        _fail("invalid-time", "An instant such as 2026-03-02T09:00:00+01:00 is expected.")


def _to_microseconds(time: str) -> str:
    clock, dot, fraction = time.partition(".")
    return clock + dot + fraction[:6].ljust(6, "0") if dot else clock


def in_utc(at: datetime, zone: tzinfo) -> datetime:
    """Return the instant in UTC, one without an offset as of the zone. Raises ValidationError outside of 1970..2100."""
    try:
        instant = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        instant = at.replace(tzinfo=UTC)
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        _fail("invalid-time", f"A year from {FIRST_YEAR} to {LAST_YEAR} is expected.")
    return instant


class Tags(Optional):
    tag = Text(max_length=LONGEST_TAG)

    def to_internal_value(self, data: Any) -> list[str]:
        if type(data) is not list:
            _fail("invalid-list", "A list of texts is expected.")
        if len(data) > MOST_TAGS:
            _fail("too-many-items", f"At most {MOST_TAGS} tags are allowed.")
        tags, errors = [], {}
        for index, tag in enumerate(data):
            try:
                tags.append(self.tag.to_internal_value(tag))
            except ValidationError as error:
                errors[str(index)] = error.detail
        if errors:
            raise ValidationError(errors)
        return tags

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {**self.tag.json_schema()}, "maxItems": MOST_TAGS}


class JsonObject(Optional):
    """An object with any JSON inside."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if type(data) is not dict:
            _fail("invalid-json", "A JSON object is expected.")
        if len(data) > MOST_KEYS:
            _fail("too-many-keys", f"At most {MOST_KEYS} fields are allowed.")
        try:
            cleaned = text.clean_json(data)
        except BadText as bad:
            raise _at_pointer(bad) from None
        assert isinstance(cleaned, dict)  # as it went in
        return cleaned

    def json_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "additionalProperties": True,
            "maxProperties": MOST_KEYS,
            "propertyNames": {"maxLength": LONGEST_KEY},
        }


# In


class Form(serializers.Serializer[Any]):
    """An object coming in. One instance serves all requests: one per request would cost more than the rest of the door.

    Fields that are not declared are passed over: advertising systems and form builders add some without a warning.
    """

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            _fail("not-an-object", "A JSON object is expected.")
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, required, read in self.readers:
            if name in data:
                value = data[name]
                try:
                    values[name] = None if value is None else read(value)
                except ValidationError as error:
                    errors[name] = error.detail
            elif required:
                errors[name] = [ErrorDetail("This is required.", "required")]
        if errors:
            raise ValidationError(errors)
        return values

    @cached_property
    def readers(self) -> list[tuple[str, bool, Callable[[Any], Any]]]:
        """Return each field's name, whether it is needed, and what reads it: to look them up costs more than to read."""
        return [(name, field.required, field.to_internal_value) for name, field in self.fields.items()]

    def run_validation(self, data: Any = empty) -> Any:
        return None if data is None else self.to_internal_value(data)


class ContactIn(Form):
    name = Text(max_length=LONGEST["contact.name"])
    email = Address(max_length=LONGEST["contact.email"], code="invalid-email")
    phone = Numeral(max_length=LONGEST["contact.phone"], code="invalid-phone")
    chat = Text(max_length=LONGEST["contact.chat"])


class CompanyIn(Form):
    name = Text(max_length=LONGEST["company.name"])
    domain = Text(max_length=LONGEST["company.domain"])


class LeadIn(Form):
    external_id = NumeralIdentifier(
        max_length=LONGEST["external_id"],
        help_text="The lead's identifier at the source. A second lead with the same identifier is the same lead.",
    )
    source = Identifier(  # type: ignore[assignment]
        max_length=63, help_text="Code of a source, for keys that do not belong to one."
    )
    unqualified = Flag(help_text="Puts the lead into the pipeline's unqualified stage.")
    pipeline = Identifier(max_length=63, help_text="Code. Default: the first pipeline.")
    stage = Identifier(max_length=127, help_text="Code. Default: the pipeline's first open stage.")
    name = Text(max_length=LONGEST["name"])
    contact = ContactIn(required=False, allow_null=True)
    company = CompanyIn(required=False, allow_null=True)
    budget = Money()
    currency = Code("[A-Za-z]{3}", "EUR", code="invalid-currency", max_length=LONGEST["currency"])
    language = Text(max_length=LONGEST["language"])
    country = Code("[A-Za-z]{2}", "ES", code="invalid-country", max_length=LONGEST["country"])
    region = Text(max_length=LONGEST["region"])
    postal_code = Numeral(max_length=LONGEST["postal_code"])
    product = Text(max_length=LONGEST["product"])
    tags = Tags()
    utm = JsonObject()
    fields_ = JsonObject()
    comment = LongText()
    arrived_at = Instant(
        help_text="When the lead reached the source. ISO 8601; without an offset, in the account's time zone."
    )

    def get_fields(self) -> dict[str, Any]:
        # `fields` is taken by REST framework itself.
        return {name.rstrip("_"): field for name, field in super().get_fields().items()}


class MoveIn(Form):
    stage = Identifier(
        max_length=127,
        required=True,
        allow_null=False,
        help_text="sales/accepted, or the code alone within the pipeline",
    )
    reason = Text(max_length=500)


class ReassignIn(Form):
    manager = Identifier(max_length=254, required=True, allow_null=False, help_text="E-mail")
    count = Flag(help_text="Whether the lead counts in the registry. Default: it does not.")
    reason = Text(max_length=500)


class CreditBackIn(Form):
    reason = Text(max_length=500, required=True, allow_null=False, help_text="Junk, a duplicate, …")


class HandOverIn(Form):
    to = Identifier(max_length=254, help_text="E-mail of the manager who gets all leads. Default: the triggers decide.")
    stages = Tags(help_text="sales/new, … Default: all active stages.")
    also = Tags(help_text="What else to hand over if the manager owns it: tasks, contact, company.")
    reason = Text(max_length=500)
    preview = Flag(help_text="Only preview who would get what.")


class DeclineIn(Form):
    reason = Text(max_length=500)


class PauseIn(Form):
    minutes = Minutes(help_text="Default: until resumed.")
    reason = Text(max_length=200)


def read_lead(data: object, *, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Return what the service takes. Raises ValidationError."""
    form: dict[str, Any] = LEAD_IN.run_validation({} if data is None else data)
    if isinstance(data, Mapping):
        form["as_sent"] = {"contact": data.get("contact"), "company": data.get("company")}
    written = form.get("arrived_at")
    if written is not None:
        try:
            form["arrived_at"] = in_utc(written, zone)
            if form["arrived_at"] > at + AHEAD:
                _fail("invalid-time", "This is more than a day in the future.")
        except ValidationError as error:
            raise ValidationError({"arrived_at": error.detail}) from None
    return form


def ready(form: Form) -> Form:
    """Return the form with its fields made, for threads to share."""
    assert form.readers is not None  # made at first use
    for field in form.fields.values():
        if isinstance(field, Form):
            ready(field)
    return form


LEAD_IN = ready(LeadIn())
MOVE_IN = ready(MoveIn())
REASSIGN_IN = ready(ReassignIn())
CREDIT_BACK_IN = ready(CreditBackIn())
HAND_OVER_IN = ready(HandOverIn())
DECLINE_IN = ready(DeclineIn())
PAUSE_IN = ready(PauseIn())


# Out: how the documents look. Nothing is rendered by these.


class Out(serializers.Serializer[Any]):
    def to_representation(self, instance: Any) -> Never:
        raise NotImplementedError


class PersonOut(Out):
    email = serializers.CharField()
    name = serializers.CharField(allow_blank=True)


class PointOut(Out):
    main = serializers.BooleanField(required=False, help_text="Chosen to be shown first. Only when true")
    shared = serializers.BooleanField(required=False, help_text="It is another contact's. Only when true")
    first_seen_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        source = serializers.CharField(allow_null=True, help_text="Code of the source it was first sent by")
        return {**super().get_fields(), "source": source}


class EmailOut(PointOut):
    email = serializers.CharField()
    valid = serializers.BooleanField(required=False, help_text="Only when false: it is no address")


class PhoneOut(PointOut):
    phone = serializers.CharField(help_text="E.164, or as it was written where it cannot be read")
    phone_extension = serializers.CharField(required=False)
    valid = serializers.BooleanField(required=False, help_text="Only when false: it is no number")


class ChatOut(PointOut):
    chat = serializers.CharField()


class ContactOut(Out):
    """The known contact; `email`, `phone` and `chat` are the first of the lists."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    email_valid = serializers.BooleanField(allow_null=True, help_text="false: it is no address. null: there is none")
    phone = serializers.CharField(allow_null=True)
    phone_extension = serializers.CharField(allow_null=True)
    phone_valid = serializers.BooleanField(allow_null=True, help_text="false: it is no number. null: there is none")
    chat = serializers.CharField(allow_null=True)
    emails = EmailOut(many=True, help_text="The main one first, then the newest")
    phones = PhoneOut(many=True)
    chats = ChatOut(many=True)


class AsSentOut(Out):
    contact = serializers.DictField(
        allow_null=True, help_text="Exactly as it came. `email_valid`, `phone_valid`: false beside what cannot be read"
    )
    company = serializers.DictField(allow_null=True, help_text="Exactly as it came")


class ContactNameOut(Out):
    id = serializers.UUIDField()
    name = serializers.CharField()


class CompanyOut(Out):
    id = serializers.UUIDField()
    name = serializers.CharField()
    domain = serializers.CharField(allow_null=True)


class LeadDecisionOut(Out):
    trigger = serializers.CharField()
    reason = serializers.CharField()
    registry = serializers.CharField()
    at = serializers.DateTimeField()


class LeadOut(Out):
    id = serializers.UUIDField()
    external_id = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    channel = serializers.CharField()
    pipeline = serializers.CharField()
    stage = serializers.CharField(help_text="sales/new")
    state = serializers.ChoiceField(choices=[(value, value) for value in Lead.State.values])
    score = serializers.IntegerField()
    responsible = PersonOut(allow_null=True)
    accept_by = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField(help_text="When it reached Leadrouter")
    arrived_at = serializers.DateTimeField(help_text="When it reached the source")
    contact = ContactOut(allow_null=True)
    company = CompanyOut(allow_null=True)
    as_sent = AsSentOut(allow_null=True, help_text="null for leads from before it was kept, and erased ones")
    matched_by = serializers.ChoiceField(
        choices=[(value, value) for value in Lead.MatchedBy.values],
        allow_null=True,
        help_text="By what the contact was found; new: it was made of this lead",
    )
    shares_with = ContactNameOut(
        many=True, help_text="Other contacts who have a number, address or handle that came with the lead"
    )
    budget = serializers.CharField(allow_null=True, help_text="1200.00")
    currency = serializers.CharField(allow_null=True)
    language = serializers.CharField(allow_null=True)
    country = serializers.CharField(allow_null=True)
    region = serializers.CharField(allow_null=True)
    postal_code = serializers.CharField(allow_null=True)
    product = serializers.CharField(allow_null=True)
    tags = serializers.ListField(child=serializers.CharField())
    utm = serializers.DictField()
    comment = serializers.CharField()
    decision = LeadDecisionOut(allow_null=True, help_text="The last one")
    accept_link = serializers.CharField(
        required=False,
        help_text="A page that accepts the offer with one click, without signing in. Only when an offered lead is read with "
        "its manager's key, or with the account's key with the scope manage",
    )

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "fields": serializers.DictField()}


class CandidateOut(Out):
    manager = serializers.CharField(help_text="E-mail")
    eligible = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)
    coefficient = serializers.IntegerField()
    held = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True)
    balance_before = serializers.IntegerField(help_text="Billionths of a lead")
    balance_after = serializers.IntegerField(help_text="Billionths of a lead")


class DecisionOut(Out):
    at = serializers.DateTimeField()
    trigger = serializers.CharField()
    registry = serializers.CharField()
    method = serializers.CharField()
    attempt = serializers.IntegerField()
    outcome = serializers.CharField(help_text="assigned or waiting")
    chosen = serializers.CharField(allow_null=True, help_text="E-mail")
    reason = serializers.CharField()
    candidates = CandidateOut(many=True)


class ManagerOut(Out):
    email = serializers.CharField()
    name = serializers.CharField()
    active = serializers.BooleanField()
    on_duty = serializers.BooleanField()
    available = serializers.BooleanField()
    reason = serializers.CharField(
        allow_null=True, help_text="Why the manager is not available: inactive, paused or off_duty"
    )
    next_start = serializers.DateTimeField(allow_null=True)
    next_change = serializers.DateTimeField(allow_null=True)
    paused_until = serializers.DateTimeField(allow_null=True, help_text="null while paused means until resumed")
    online = serializers.BooleanField(help_text="Seen within the account's online_minutes")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    seen_seconds_ago = serializers.IntegerField(allow_null=True, help_text="null if never seen")
    held = serializers.IntegerField(help_text="Leads in active stages, offers included")
    balances = serializers.DictField(child=serializers.IntegerField(), help_text="Registry → billionths of a lead")


class HandedLeadOut(Out):
    lead = serializers.UUIDField()
    name = serializers.CharField()
    stage = serializers.CharField(help_text="sales/new")
    to = serializers.CharField(allow_null=True, help_text="E-mail. null: the lead stayed")
    reason = serializers.CharField(help_text="Reason of the decision, or by_hand, nobody, no_trigger")
    undone = serializers.ChoiceField(choices=[(v, v) for v in HandedLead.Undone.values], allow_null=True)


class HandOverOut(Out):
    id = serializers.UUIDField(allow_null=True, help_text="null for a preview")
    manager = serializers.CharField(help_text="E-mail")
    to = serializers.CharField(allow_null=True, help_text="E-mail. null: the triggers decided")
    at = serializers.DateTimeField(allow_null=True)
    leads = serializers.IntegerField(allow_null=True, help_text="Leads when it began. null: of an older version")
    done = serializers.IntegerField(help_text="Leads that were given, or stayed")
    finished_at = serializers.DateTimeField(allow_null=True, help_text="null while it is going on")
    undone_at = serializers.DateTimeField(allow_null=True, help_text="null until all leads are returned")
    reason = serializers.CharField()
    received = serializers.DictField(child=serializers.IntegerField(), help_text="E-mail → leads")
    stayed = serializers.IntegerField(help_text="Leads that nobody could take")
    results = HandedLeadOut(many=True)


class FieldErrorOut(Out):
    pointer = serializers.CharField(help_text="JSON pointer: /contact/phone")
    field = serializers.CharField(help_text="contact.phone")
    code = serializers.CharField(help_text="Stable, for programs")
    detail = serializers.CharField(help_text="For people")


class ProblemOut(Out):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="Stable, for programs")
    errors = FieldErrorOut(many=True, required=False)  # type: ignore[assignment]


class BulkItemOut(Out):
    index = serializers.IntegerField()
    status = serializers.IntegerField(help_text="201 created, 200 already known, 400 refused")
    lead = LeadOut(required=False)
    error = ProblemOut(required=False)


class BulkOut(Out):
    results = BulkItemOut(many=True)
