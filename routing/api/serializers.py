"""Shapes of what comes in and goes out, for the schema. Nothing is read or rendered by these."""

from __future__ import annotations

from typing import Any, ClassVar, Never

from rest_framework import serializers

from routing.intake import kinds
from routing.intake.fields import COMPANY, CONTACT, LEAD, Field
from routing.intake.kinds import Flag, Form, Identifier, Kind, Minutes, Tags, Text
from routing.intake.reading import COMPANY_FORM, CONTACT_FORM, LEAD_FORM
from routing.models import Activity, HandedLead, Lead, Placeholder


class Value(serializers.Field[Any, Any, Any, Any]):
    """A value that comes in, described by its kind."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(required=kind.required, allow_null=not kind.required, help_text=kind.help or None)
        self.kind = kind


class In(serializers.Serializer[Any]):
    """Unknown fields are ignored: advertising systems and form builders add some without warning."""

    form: ClassVar[Form]  # reads it

    def get_fields(self) -> dict[str, Any]:
        return {name: Value(kind) for name, kind in self.form.fields.items()} | super().get_fields()


class ContactIn(In):
    form = CONTACT_FORM


class CompanyIn(In):
    form = COMPANY_FORM


class LeadIn(In):
    form = LEAD_FORM
    contact = ContactIn(required=False, allow_null=True)
    company = CompanyIn(required=False, allow_null=True)


class MoveIn(In):
    form = Form(
        {
            "stage": Identifier(127, required=True, help="sales/accepted, or the code alone within the pipeline"),
            "reason": Text(500),
        }
    )


class ReassignIn(In):
    form = Form(
        {
            "manager": Identifier(254, required=True, help="E-mail"),
            "count": Flag(help="Whether the lead counts in the registry. Default: it does not."),
            "also": Tags(
                help="What else the manager becomes responsible for: contact, company, tasks. Default: nothing."
            ),
            "reason": Text(500),
        }
    )


class CreditBackIn(In):
    form = Form({"reason": Text(500, required=True, help="Junk, a duplicate, …")})


class HandOverIn(In):
    form = Form(
        {
            "to": Identifier(254, help="E-mail of the manager who gets all leads. Default: the triggers decide."),
            "stages": Tags(help="sales/new, … Default: all active stages."),
            "also": Tags(help="What else to hand over if the manager owns it: tasks, contact, company."),
            "reason": Text(500),
            "preview": Flag(help="Only preview who would get what."),
        }
    )


class MergeIn(In):
    form = Form({"contact": Identifier(36, required=True, help="Id of the contact that is merged into this one")})


class DeclineIn(In):
    form = Form({"reason": Text(500)})


class PauseIn(In):
    form = Form({"minutes": Minutes(help="Default: until resumed."), "reason": Text(200)})


# Out


class Out(serializers.Serializer[Any]):
    table: ClassVar[tuple[Field, ...]] = ()  # of a lead's fields, those that stand beside the declared ones

    def get_fields(self) -> dict[str, Any]:
        return {field.name: answered(field.kind) for field in self.table} | super().get_fields()

    def to_representation(self, instance: Any) -> Never:
        raise NotImplementedError


def answered(kind: Kind) -> serializers.Field[Any, Any, Any, Any]:
    match kind:
        case kinds.JsonObject():
            return serializers.DictField()
        case kinds.Tags():
            return serializers.ListField(child=serializers.CharField())
        case kinds.Name():
            return serializers.CharField()
        case kinds.Money():
            return serializers.CharField(allow_null=True, help_text="1200.00")
    return serializers.CharField(allow_null=True)


class PersonOut(Out):
    email = serializers.CharField()
    name = serializers.CharField(allow_blank=True)


class PointOut(Out):
    main = serializers.BooleanField(required=False, help_text="Chosen to be shown first. Only when true")
    shared = serializers.BooleanField(
        required=False, help_text="Also belongs to another contact, or identifies nobody. Only when true"
    )
    first_seen_at = serializers.DateTimeField()

    def get_fields(self) -> dict[str, Any]:
        source = serializers.CharField(allow_null=True, help_text="Code of the source it was first sent by")
        return {**super().get_fields(), "source": source}


class EmailOut(PointOut):
    email = serializers.CharField()
    valid = serializers.BooleanField(required=False, help_text="Only when false: not a valid address")


class PhoneOut(PointOut):
    phone = serializers.CharField(help_text="E.164, or as written if it cannot be read")
    phone_extension = serializers.CharField(required=False)
    valid = serializers.BooleanField(required=False, help_text="Only when false: not a valid number")


class ChatOut(PointOut):
    chat = serializers.CharField()


class ContactOut(Out):
    """The known contact; `email`, `phone` and `chat` are the first of the lists."""

    table = CONTACT
    id = serializers.UUIDField()
    email_valid = serializers.BooleanField(allow_null=True, help_text="false: not a valid address. null: no e-mail")
    phone_extension = serializers.CharField(allow_null=True)
    phone_valid = serializers.BooleanField(allow_null=True, help_text="false: not a valid number. null: no phone")
    emails = EmailOut(many=True, help_text="The main one first, then the newest")
    phones = PhoneOut(many=True)
    chats = ChatOut(many=True)


class AsSentOut(Out):
    contact = serializers.DictField(
        allow_null=True, help_text="Exactly as sent. `email_valid`, `phone_valid`: false for what cannot be read"
    )
    company = serializers.DictField(allow_null=True, help_text="Exactly as sent")


class ContactNameOut(Out):
    id = serializers.UUIDField()
    name = serializers.CharField()


class PlaceholderOut(Out):
    field = serializers.CharField(help_text="contact.phone")
    kind = serializers.ChoiceField(choices=[(value, value) for value in Placeholder.Kind.values])


class CompanyOut(Out):
    table = COMPANY
    id = serializers.UUIDField()


class LeadDecisionOut(Out):
    trigger = serializers.CharField()
    reason = serializers.CharField()
    registry = serializers.CharField()
    at = serializers.DateTimeField()


class TakenActivityOut(Out):
    id = serializers.UUIDField()
    kind = serializers.CharField(help_text=", ".join(Activity.Kind.values))
    at = serializers.DateTimeField(help_text="When it reached the source")


class ActivityOut(TakenActivityOut):
    created_at = serializers.DateTimeField(help_text="When it reached Leadrouter")
    external_id = serializers.CharField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        source = serializers.CharField(allow_null=True, help_text="Code")
        data = serializers.DictField(
            help_text="The fields of a lead that came; contact and company exactly as they came"
        )
        return {**super().get_fields(), "source": source, "data": data}


class LeadOut(Out):
    table = LEAD
    id = serializers.UUIDField()
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
    as_sent = AsSentOut(allow_null=True, help_text="null for erased leads, and for leads older than this field")
    matched_by = serializers.ChoiceField(
        choices=[(value, value) for value in Lead.MatchedBy.values],
        allow_null=True,
        help_text="How the contact was found; new: it was created from this lead",
    )
    shares_with = ContactNameOut(
        many=True, help_text="Other contacts with a number, address or handle that came with the lead"
    )
    placeholders = PlaceholderOut(
        many=True, help_text="What came and identifies nobody, so that it was compared with nothing"
    )
    decision = LeadDecisionOut(allow_null=True, help_text="The last one")
    accept_link = serializers.CharField(
        required=False,
        help_text="A page that accepts the offer with one click, without signing in. Only when an offered lead is read with "
        "its manager's key, or with the account's key with the scope manage",
    )


class RepetitionOut(Out):
    """What is told of a lead that the key may not read."""

    duplicate_of = serializers.UUIDField(
        required=False, help_text="Only for a double click: the lead that stands for it, which is this one"
    )
    activity = TakenActivityOut(
        required=False, help_text="Only when what was sent made no lead and is an activity of this one"
    )


class KnownLeadOut(RepetitionOut, LeadOut):
    """A lead that was there before."""


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
    leads = serializers.IntegerField(
        allow_null=True, help_text="Number of leads when it began. null for hand-overs of an older version"
    )
    done = serializers.IntegerField(help_text="Leads handed over or left so far")
    finished_at = serializers.DateTimeField(allow_null=True, help_text="null while it is going on")
    undone_at = serializers.DateTimeField(allow_null=True, help_text="null until all leads are returned")
    reason = serializers.CharField()
    received = serializers.DictField(child=serializers.IntegerField(), help_text="E-mail → leads")
    stayed = serializers.IntegerField(help_text="Leads that nobody could take")
    results = HandedLeadOut(many=True)


class PairOut(Out):
    id = serializers.IntegerField()
    contacts = ContactNameOut(many=True)
    reasons = serializers.ListField(
        child=serializers.CharField(),
        help_text="same_… or similar_… name, postal_code, birth_date, address, company, mailbox; shared_phone, _email, _chat",
    )
    found_at = serializers.DateTimeField()


class MergeOut(Out):
    id = serializers.UUIDField()
    contact = serializers.UUIDField(help_text="The contact that stayed")
    merged = serializers.UUIDField(help_text="The contact that is no longer there")
    at = serializers.DateTimeField()
    by = serializers.CharField(allow_null=True, help_text="E-mail")
    undo_until = serializers.DateTimeField(allow_null=True, help_text="null: it can no longer be undone")
    undone_at = serializers.DateTimeField(allow_null=True)


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
    lead = KnownLeadOut(required=False)
    error = ProblemOut(required=False)


class BulkOut(Out):
    results = BulkItemOut(many=True)
