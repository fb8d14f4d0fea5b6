"""Contacts, companies, leads and their tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Replace
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.history.configuration_tables import TableTrigger
from accounts.models import Manager
from accounts.people.names import NameField
from routing.engine import LeadFacts
from routing.intake.fields import LEAD, LONGEST
from routing.intake.limits import LONGEST_TAG

from .as_sent import AsSent
from .identifiers import PublicId
from .intake import Source
from .pipelines import Stage

responsible_options: dict[str, Any] = {
    "on_delete": models.PROTECT,
    "null": True,
    "blank": True,
    "verbose_name": _("responsible"),
}


class Company(models.Model):
    """An organisation that contacts and leads belong to."""

    id = PublicId()
    name = NameField(max_length=LONGEST["company.name"], blank=True)
    domain = models.CharField(max_length=LONGEST["company.domain"], blank=True, help_text=_("As the source wrote it"))
    name_key = models.CharField(
        max_length=LONGEST["company.name"], blank=True, editable=False, help_text=_("Normalized name, used to compare")
    )
    domain_key = models.CharField(
        max_length=LONGEST["company.domain"],
        null=True,
        blank=True,
        unique=True,
        editable=False,
        help_text=_("Normalized domain, used to compare"),
    )
    responsible = models.ForeignKey(Manager, related_name="companies", **responsible_options)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("company")
        verbose_name_plural = _("companies")
        constraints = [
            # Companies without a domain are the same if their names are.
            models.UniqueConstraint(
                fields=["name_key"], condition=Q(domain_key=None), name="company_name_once_without_domain"
            ),
        ]
        indexes = [models.Index(fields=["name_key"], name="company_by_name")]

    def __str__(self) -> str:
        return self.name or self.domain


# What a search for words looks through; "simple": a name has no stem. The domain of an e-mail is a word of its own.
CONTACT_WORDS = SearchVector(
    "name",
    Replace("email", Value("@"), Value(" ")),
    Replace("other_emails", Value("@"), Value(" "), output_field=models.TextField()),
    config="simple",
)
LEAD_WORDS = SearchVector("name", config="simple")
SENT_WORDS = SearchVector("also_sent", config="simple")


class Contact(models.Model):
    """A person to reach. By what they are known again stands in ContactPoint; here is of each kind what is shown first."""

    id = PublicId()
    name = NameField(max_length=LONGEST["contact.name"], blank=True)
    # The echo of ContactPoint, for lists, searches and files (leadrouter_show_points).
    email = models.CharField(_("e-mail"), max_length=LONGEST["contact.email"], blank=True, editable=False)
    phone = models.CharField(max_length=LONGEST["contact.phone"], blank=True, editable=False)
    phone_extension = models.CharField(max_length=8, blank=True, editable=False, db_default="")
    chat = models.CharField(max_length=LONGEST["contact.chat"], blank=True, editable=False)
    other_emails = models.TextField(blank=True, editable=False, db_default="")
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, null=True, blank=True, related_name="contacts", db_index=False
    )
    responsible = models.ForeignKey(Manager, related_name="contacts", db_index=False, **responsible_options)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = pgettext_lazy("plural", "contacts")
        permissions = [
            ("erase_person", _("Can export and erase a person's data")),
            ("merge_contact", _("Can merge contacts who are one person, and undo it")),
        ]
        indexes = [
            # Search: people are found by any part of their name.
            GinIndex(CONTACT_WORDS, name="contact_by_all_words"),
            # New contacts mostly have neither: they cost these indexes nothing.
            models.Index(fields=["company"], condition=Q(company__isnull=False), name="contact_of_a_company"),
            models.Index(fields=["responsible"], condition=Q(responsible__isnull=False), name="contact_of_a_manager"),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone or self.chat


class LeadQuerySet(models.QuerySet["Lead"]):
    def waiting(self) -> LeadQuerySet:
        return self.filter(state=Lead.State.WAITING)

    def best_first(self) -> LeadQuerySet:
        return self.order_by("-score", "created_at", "id")

    def active(self) -> LeadQuerySet:
        return self.filter(stage__kind__in=Stage.ACTIVE)


# Columns that people edit, and triggers set: what a lead was before is kept, for whoever asks why it went where it went.
_FIELDS = (field.name for field in LEAD if field.name != "arrived_at")
LEAD_EDITED = tuple(dict.fromkeys(("external_id", "name", "contact", "company", "score", *_FIELDS)))
# The others have their own story, in decisions, offers and events; or never change.
LEAD_TOLD_ELSEWHERE = (
    *("id", "source", "stage", "state", "responsible", "trigger", "round", "attempt", "assigned_at", "accepted_at"),
    *("accepted_by", "arrived_unqualified", "arrived_at", "created_at"),
    *("as_sent", "also_sent", "matched_by", "shares_with", "click_key"),
)


class EditsKept(TableTrigger):
    """A database trigger that keeps the old values of these columns in routing_leadedit, except when a person is erased."""

    kind, trigger = "edits_kept", "keep_edit"

    def statement(self, model: type[models.Model]) -> str:
        fields: list[Any] = [model._meta.get_field(name) for name in self.columns]
        names = [str(field.column) for field in fields]
        before, after = (", ".join(f"{row}.{name}" for name in names) for row in ("OLD", "NEW"))
        return (
            f"CREATE TRIGGER {self.trigger} AFTER {self.update(model)} ON {model._meta.db_table} FOR EACH ROW "
            f"WHEN (({before}) IS DISTINCT FROM ({after})) "
            f"EXECUTE FUNCTION leadrouter_keep_edit({', '.join(map(repr, names))})"
        )


class Lead(models.Model):
    """Somebody's interest in buying. It is in one stage and has at most one responsible."""

    class MatchedBy(models.TextChoices):
        EMAIL = "email", _("e-mail")
        CHAT = "chat", pgettext_lazy("contact point", "chat")
        PHONE = "phone", pgettext_lazy("contact point", "phone")
        NEW = "new", pgettext_lazy("contact", "new")

    class State(models.TextChoices):
        IDLE = "idle", _("idle")
        WAITING = "waiting", _("waiting")
        OFFERED = "offered", _("offered")
        ASSIGNED = "assigned", _("assigned")

    id = PublicId()
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="leads", db_index=False
    )  # the constraint's index serves
    # NULL: the source sends no ids, so the constraint compares nothing.
    external_id = models.CharField(  # noqa: DJ001
        max_length=LONGEST["external_id"], null=True, blank=True, help_text=_("The lead's identifier at the source")
    )
    name = NameField(max_length=LONGEST["name"], blank=True)
    contact = models.ForeignKey(
        Contact, on_delete=models.PROTECT, null=True, blank=True, related_name="leads", db_index=False
    )  # lead_of_a_contact serves
    company = models.ForeignKey(
        Company, on_delete=models.PROTECT, null=True, blank=True, related_name="leads", db_index=False
    )
    # What came, and whose it was taken to be.
    as_sent: Any = AsSent(
        blank=True, editable=False, db_default="", help_text=_("Contact and company exactly as they came")
    )
    also_sent = models.TextField(
        blank=True,
        editable=False,
        db_default="",
        help_text=_("Words that came with the lead and that neither contact nor company shows; used by the search"),
    )
    matched_by = models.CharField(
        max_length=5,
        choices=MatchedBy.choices,
        blank=True,
        editable=False,
        db_default="",
        help_text=_("How its contact was found"),
    )
    shares_with = ArrayField(
        models.UUIDField(),
        default=list,
        blank=True,
        editable=False,
        db_default=Value("{}"),
        help_text=_("Other contacts who have a number, address or handle that came with it"),
    )
    click_key = models.UUIDField(
        null=True, editable=False, help_text=_("Digest of product and text as they came, to know a double click")
    )
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="leads")
    state = models.CharField(max_length=8, choices=State.choices, default=State.IDLE, editable=False)
    responsible = models.ForeignKey(Manager, related_name="leads", db_index=False, **responsible_options)
    score = models.IntegerField(default=0)
    budget = models.DecimalField(
        max_digits=14, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    currency = models.CharField(max_length=LONGEST["currency"], blank=True)
    language = models.CharField(max_length=LONGEST["language"], blank=True)
    country = models.CharField(max_length=LONGEST["country"], blank=True)
    region = models.CharField(max_length=LONGEST["region"], blank=True)
    postal_code = models.CharField(max_length=LONGEST["postal_code"], blank=True)
    product = models.CharField(max_length=LONGEST["product"], blank=True)
    tags = ArrayField(models.CharField(max_length=LONGEST_TAG), default=list, blank=True)
    utm = models.JSONField(default=dict, blank=True)
    fields = models.JSONField(default=dict, blank=True)
    comment = models.TextField(blank=True)
    arrived_unqualified = models.BooleanField(
        default=False, editable=False, help_text=_("Counts in the report of sources, whatever happened since")
    )
    arrived_at = models.DateTimeField(help_text=_("When it reached the source"))
    created_at = models.DateTimeField(help_text=_("When it reached Leadrouter"))
    trigger = models.ForeignKey(
        "routing.Trigger",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="leads",
        db_index=False,
        editable=False,
        help_text=_("The trigger that distributes it"),
    )
    round = models.PositiveIntegerField(default=1, editable=False)
    attempt = models.PositiveIntegerField(default=0, editable=False, help_text=_("Number of offers in this round"))
    # Copies from decisions, events and offers for the report of response times, which would otherwise join a month of them.
    # Services write the first; a trigger of the database writes the others when an offer is accepted (migration 0012).
    assigned_at = models.DateTimeField(null=True, editable=False, help_text=_("When it was first assigned"))
    accepted_at = models.DateTimeField(null=True, editable=False, help_text=_("When it was first accepted"))
    accepted_by = models.ForeignKey(
        Manager,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        editable=False,
        help_text=_("The manager who first accepted it"),
    )

    objects = LeadQuerySet.as_manager()

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = pgettext_lazy("plural", "leads")
        ordering = ["-created_at", "-id"]
        permissions = [
            ("view_unqualified", _("Can see the Unqualified section and where its leads came from")),
            ("export_lead", _("Can export leads with their contacts as a file")),
        ]
        constraints = [
            EditsKept(columns=LEAD_EDITED),
            # The same lead sent twice is one lead, for ever.
            models.UniqueConstraint(
                fields=["source", "external_id"],
                condition=Q(external_id__isnull=False),
                name="lead_external_id_once_per_source",
            ),
            # Offered and assigned leads have a responsible; waiting and idle ones have none. No lead is lost in between.
            models.CheckConstraint(
                condition=Q(state__in=["offered", "assigned"], responsible__isnull=False)
                | Q(state__in=["idle", "waiting"], responsible=None),
                name="lead_has_an_owner_when_assigned",
            ),
            models.CheckConstraint(
                condition=~Q(state="waiting") | Q(trigger__isnull=False), name="lead_waits_for_a_trigger"
            ),
        ]
        indexes = [
            # Lists, newest first.
            models.Index(fields=["-created_at", "-id"], name="lead_newest"),
            models.Index(
                fields=["responsible", "-created_at"], condition=Q(responsible__isnull=False), name="lead_of_a_manager"
            ),
            models.Index(fields=["company"], condition=Q(company__isnull=False), name="lead_of_a_company"),
            # What a person sent about the same time.
            models.Index(fields=["contact", "arrived_at"], name="lead_of_a_contact"),
            # The sweep takes the best waiting leads of each trigger first.
            models.Index(
                F("trigger"),
                F("score").desc(),
                F("created_at"),
                F("id"),
                condition=Q(state="waiting"),
                name="lead_waiting_best_first",
            ),
            # The ring of sources counts what arrived as unqualified in a period.
            models.Index(
                fields=["arrived_at", "source"], condition=Q(arrived_unqualified=True), name="lead_arrived_unqualified"
            ),
            # Reports read nothing but these columns of the leads in a range.
            models.Index(
                fields=["arrived_at"],
                include=["source", "stage", "responsible", "assigned_at", "accepted_at", "accepted_by"],
                name="lead_told_by_arrival",
            ),
            # Search. Most leads have no name of their own and are not in the index.
            GinIndex(LEAD_WORDS, condition=~Q(name=""), name="lead_by_words"),
            GinIndex(SENT_WORDS, condition=~Q(also_sent=""), name="lead_by_words_sent"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.contact or self.company or self.pk)

    @property
    def facts(self) -> LeadFacts:
        """Return what triggers and scoring see of the lead; join it with contact and company."""
        return LeadFacts.of(
            vars(self),
            contact=vars(self.contact) if self.contact else None,
            company=vars(self.company) if self.company else None,
        )

    def give(self, manager_id: int, *, at: datetime) -> None:
        """Set the columns in GIVEN, for a lead that a manager gets by hand."""
        self.responsible_id, self.state = manager_id, Lead.State.ASSIGNED
        self.assigned_at = min(self.assigned_at or at, at)

    GIVEN = ("responsible", "state", "assigned_at")


class UnqualifiedLeads(models.Manager["UnqualifiedLead"]):
    def get_queryset(self) -> models.QuerySet[UnqualifiedLead]:
        return super().get_queryset().filter(stage__kind=Stage.Kind.UNQUALIFIED)


class UnqualifiedLead(Lead):
    """A lead in the Unqualified section, for the page that lists them."""

    objects: ClassVar[Any] = UnqualifiedLeads()

    class Meta:
        proxy = True
        verbose_name = _("unqualified lead")
        verbose_name_plural = pgettext_lazy("plural", "unqualified leads")


class Load(models.Model):
    """How many leads a manager holds in a stage. Written only by a database trigger (migration 0002)."""

    manager = models.ForeignKey(Manager, on_delete=models.CASCADE, related_name="loads")
    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, related_name="loads")
    leads = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stage", "manager"], name="load_once"),
            models.CheckConstraint(condition=Q(leads__gte=0), name="load_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.manager_id} in {self.stage_id}: {self.leads}"


class LeadEvent(models.Model):
    """Something that happened to a lead besides its decisions and offers: a move, a hand-over. Rows are only added."""

    class Kind(models.TextChoices):
        MOVED = "moved", _("moved")
        REASSIGNED = "reassigned", _("reassigned by hand")
        CREDITED_BACK = "credited_back", _("credited back")
        HANDED_OVER = "handed_over", _("handed over with a related lead")
        HANDED_ALONG = "handed_along", _("contact, company or task handed over with it")
        HANDED_ALL = "handed_all", _("handed over with all leads of a manager")
        HANDED_BACK = "handed_back", _("hand-over undone")
        FIELDS_SET = "fields_set", _("fields set by the trigger")
        DEADLINE_MOVED = "deadline_moved", _("time to accept it changed")
        MERGED = "merged", _("its contact merged with another")
        SEPARATED = "separated", _("merge of its contact undone")

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    data = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("lead event")
        verbose_name_plural = pgettext_lazy("plural", "lead events")
        ordering = ["at", "id"]
        indexes = [
            # Who was responsible for a contact or company, told on its page.
            models.Index(KT("data__id"), F("at"), condition=Q(kind="handed_along"), name="event_by_what_went_along"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"


class Activity(models.Model):
    """Something that the person of a lead sent after it, and that became no lead. Rows are only added."""

    class Kind(models.TextChoices):
        FORM = "form", _("form")
        CALL = "call", _("call")
        MAIL = "mail", _("mail")
        MESSAGE = "message", _("message")
        CHAT = "chat", pgettext_lazy("activity", "chat")
        REPEAT = "repeat", _("sent twice")

    OF_CHANNEL: ClassVar[dict[str, Kind]] = {
        Source.Channel.SITE: Kind.FORM,
        Source.Channel.PHONE: Kind.CALL,
        Source.Channel.MAIL: Kind.MAIL,
        Source.Channel.API: Kind.MESSAGE,
        Source.Channel.CHAT: Kind.CHAT,
    }

    id = PublicId()
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="activities", db_index=False)
    kind = models.CharField(max_length=63, choices=Kind.choices)
    at = models.DateTimeField(help_text=_("When it reached the source"))
    created_at = models.DateTimeField(help_text=_("When it reached Leadrouter"))
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, null=True, related_name="activities", db_index=False
    )  # the constraint's index serves
    # NULL: the source sends no ids.
    external_id = models.CharField(max_length=LONGEST["external_id"], null=True)  # noqa: DJ001
    data = models.JSONField(default=dict, help_text=_("The fields of a lead that came"))
    as_sent: Any = AsSent(blank=True, db_default="", help_text=_("Contact and company exactly as they came"))
    also_sent = models.TextField(
        blank=True,
        editable=False,
        db_default="",
        help_text=_("Words that came with it and that neither contact nor company shows; used by the search"),
    )

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        constraints = [
            # The same sent twice is one activity, for ever.
            models.UniqueConstraint(fields=["source", "external_id"], name="activity_external_id_once_per_source"),
        ]
        indexes = [
            models.Index(fields=["lead", "at"], name="activity_of_a_lead"),
            # Reports count those of a range.
            models.Index(fields=["at"], include=["source", "lead"], name="activity_told_by_arrival"),
            GinIndex(SENT_WORDS, condition=~Q(also_sent=""), name="activity_by_words_sent"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M}"


class LeadEdit(models.Model):
    """The values of a lead before somebody edited it or a trigger set its fields. Added only by a database trigger."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="edits")
    at = models.DateTimeField()
    # No constraint: the edit stays even if the user is deleted.
    by = models.ForeignKey(
        "accounts.User", on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    last_decision = models.BigIntegerField(
        null=True, help_text=_("The last decision that saw the lead before the edit")
    )
    before = models.JSONField(help_text=_("The changed columns and their previous values"))

    class Meta:
        verbose_name = _("lead edit")
        verbose_name_plural = _("lead edits")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.lead_id} {self.at:%Y-%m-%d %H:%M}"

    @property
    def columns(self) -> list[str]:
        return sorted(self.before)


class TaskQuerySet(models.QuerySet["Task"]):
    def open(self) -> TaskQuerySet:
        return self.filter(done_at=None)

    def overdue(self, *, at: datetime) -> TaskQuerySet:
        return self.open().filter(due_at__lte=at)


class Task(models.Model):
    """Something to do for a lead."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="tasks")
    title = NameField(max_length=500)
    responsible = models.ForeignKey(Manager, related_name="tasks", **responsible_options)
    due_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = pgettext_lazy("plural", "tasks")

    def __str__(self) -> str:
        return self.title
