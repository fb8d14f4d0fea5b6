"""Imports of leads from a table, row by row; and what was exported."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import User

from .crm import Lead
from .intake import Source
from .pipelines import Stage


class LeadImportQuerySet(models.QuerySet["LeadImport"]):
    def running(self) -> LeadImportQuerySet:
        return self.filter(started_at__isnull=False, finished_at=None, cancelled_at=None)


class LeadImport(models.Model):
    """A table of leads that somebody uploaded, and how it is to be read. Its rows are taken in blocks, by jobs or the sweep."""

    file_name = models.CharField(_("file"), max_length=255)
    digest = models.CharField(max_length=64, editable=False, help_text=_("SHA-256 of the file"))
    encoding = models.CharField(max_length=16)
    delimiter = models.CharField(max_length=1, blank=True)
    header = ArrayField(models.TextField())
    columns = ArrayField(models.CharField(max_length=32), help_text=_("The meaning of each column"))
    joined = ArrayField(
        models.CharField(max_length=32),
        default=list,
        db_default=[],
        help_text=_("Fields made from several columns"),
    )
    month_first = models.BooleanField(
        _("order of day and month"), null=True, help_text=_("Whether 03/02/2026 means March 2. Empty: not chosen.")
    )
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, null=True, related_name="+", help_text=_("Where these leads came from.")
    )
    stage = models.ForeignKey(
        Stage,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text=_("The stage that the leads enter. A trigger on the stage distributes them."),
    )
    language = models.CharField(max_length=8, help_text=_("Language of the error messages"))
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(_("uploaded"))
    started_at = models.DateTimeField(_("started"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    cancelled_at = models.DateTimeField(_("stopped"), null=True)
    checked = models.JSONField(
        default=dict,
        db_default={},
        help_text=_(
            "Result of the check before the import: rows checked, rows that would be refused, and the choices made"
        ),
    )
    counts = models.JSONField(default=dict, help_text=_("Row counts by outcome, stored when the import ends"))

    objects = LeadImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("lead import")
        verbose_name_plural = _("lead imports")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(started_at=None) | Q(source__isnull=False, stage__isnull=False),
                name="leadimport_knows_where_to",
            ),
        ]
        indexes = [
            # The sweep asks every few seconds whether there is one.
            models.Index(
                fields=["id"],
                condition=Q(started_at__isnull=False, finished_at=None, cancelled_at=None),
                name="leadimport_running",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_running(self) -> bool:
        return self.started_at is not None and self.finished_at is None and self.cancelled_at is None


class ImportRow(models.Model):
    """A row of an import, and what became of it."""

    class Outcome(models.TextChoices):
        PENDING = "", pgettext_lazy("row of an import", "not imported yet")
        CREATED = "created", pgettext_lazy("row of an import", "new lead")
        KNOWN = "known", pgettext_lazy("row of an import", "known lead")
        REFUSED = "refused", pgettext_lazy("row of an import", "refused")

    batch = models.ForeignKey(LeadImport, on_delete=models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField(help_text=_("As the spreadsheet shows it"))
    block = models.PositiveIntegerField(help_text=_("All rows of a block are imported in one transaction"))
    cells = ArrayField(models.TextField())
    same_as = models.PositiveIntegerField(null=True, help_text=_("The first row with the same cells, if there is one"))
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True, default=Outcome.PENDING)
    lead = models.ForeignKey(Lead, on_delete=models.SET_NULL, null=True, related_name="+")
    problem = models.TextField(blank=True)

    class Meta:
        verbose_name = _("import row")
        verbose_name_plural = _("import rows")
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="importrow_once")]
        indexes = [models.Index(fields=["batch", "outcome", "block"], name="importrow_by_outcome")]

    def __str__(self) -> str:
        return f"{self.batch_id}:{self.number}"


class LeadExport(models.Model):
    """Somebody took leads out of the house: who, when, how many, by which filters. Rows are only added."""

    at = models.DateTimeField()
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(_("format"), max_length=4)
    filters = models.JSONField(default=dict, help_text=_("The filters of the list that was exported"))
    leads = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("lead export")
        verbose_name_plural = _("lead exports")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.leads}"
