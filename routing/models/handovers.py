"""Hand-overs: the leads of one manager given to others at once, because they leave or their shift ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Manager, User

from .crm import Lead
from .decisions import Decision
from .identifiers import PublicId
from .pipelines import Stage


class HandOverQuerySet(models.QuerySet["HandOver"]):
    def running(self) -> HandOverQuerySet:
        """Return those that are going on: leads are given, or returned."""
        giving = Q(finished_at=None, undo_began_at=None, undone_at=None)
        return self.filter(giving | Q(undo_began_at__isnull=False, undone_at=None))


class HandOver(models.Model):
    """One hand-over of a manager's leads: what was asked, and when it was done and undone."""

    UNDONE_WITHIN = timedelta(days=1)

    class Along(models.TextChoices):
        TASKS = "tasks", _("open tasks of the leads")
        CONTACT = "contact", _("contacts")
        COMPANY = "company", _("companies")

    id = PublicId()
    manager = models.ForeignKey(
        Manager, on_delete=models.PROTECT, related_name="hand_overs", verbose_name=_("from"), db_index=False
    )
    to = models.ForeignKey(
        Manager,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text=_("Empty if the triggers decided."),
    )
    stages = ArrayField(models.BigIntegerField(), default=list, help_text=_("Empty: all active stages."))
    also = ArrayField(models.CharField(max_length=8, choices=Along.choices), default=list)
    reason = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    at = models.DateTimeField()
    leads = models.PositiveIntegerField(null=True, help_text=_("Number of leads when it began"))
    finished_at = models.DateTimeField(
        null=True, help_text=_("Empty while it is going on, or if it was undone before.")
    )
    undo_began_at = models.DateTimeField(null=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)

    objects = HandOverQuerySet.as_manager()

    class Meta:
        verbose_name = _("hand-over")
        verbose_name_plural = pgettext_lazy("plural", "hand-overs")
        ordering = ["-at"]
        indexes = [
            models.Index(fields=["manager", "-at"], name="handover_of_a_manager"),
            # The sweep looks for those that are going on.
            models.Index(
                fields=["at"],
                condition=Q(finished_at=None, undone_at=None) | Q(undo_began_at__isnull=False, undone_at=None),
                name="handover_going_on",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.manager} {self.at:%Y-%m-%d %H:%M}"

    def may_be_undone(self, *, at: datetime) -> bool:
        return self.undo_began_at is None and self.undone_at is None and at < self.at + self.UNDONE_WITHIN

    @property
    def is_running(self) -> bool:
        return self.undone_at is None and (self.finished_at is None or self.undo_began_at is not None)


class HandedLead(models.Model):
    """What became of one lead in a hand-over. Rows are added, and once undone or left at the undoing."""

    class Undone(models.TextChoices):
        BACK = "back", _("returned")
        LEFT = "left", _("not returned: it has moved on since the hand-over")

    batch = models.ForeignKey(HandOver, on_delete=models.CASCADE, related_name="lines", db_index=False)
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="+")
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="+", db_index=False)
    to = models.ForeignKey(
        Manager,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        help_text=_("Empty if nobody could take it and it stayed."),
    )
    why = models.CharField(max_length=16, help_text=_("The decision's reason"))
    decision = models.ForeignKey(Decision, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    along = models.JSONField(default=dict, help_text=_("Objects handed over with it: HandOver.Along → ids"))
    undone = models.CharField(max_length=4, choices=Undone.choices, blank=True)

    class Meta:
        verbose_name = _("lead handed over")
        verbose_name_plural = _("leads handed over")
        ordering = ["id"]
        constraints = [
            # A hand-over takes each lead once, also when it is interrupted and goes on.
            models.UniqueConstraint(fields=["batch", "lead"], name="handedlead_once"),
        ]

    def __str__(self) -> str:
        return f"{self.lead} → {self.to or '–'}"
