"""What was decided, what was offered, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.models import Manager, Pause

from .crm import Lead
from .registries import Registry
from .triggers import Trigger


class Lineup(models.Model):
    """The candidates of decisions, side by side, as far as they are the same from one to the next. Rows are only added."""

    COLUMNS: ClassVar[tuple[str, ...]] = ("managers", "coefficients", "limits")

    digest = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the columns"))
    managers = ArrayField(models.BigIntegerField())
    coefficients = ArrayField(models.IntegerField())
    limits = ArrayField(models.IntegerField(null=True))

    def __str__(self) -> str:
        return self.digest[:12]

    @classmethod
    def digest_of(cls, columns: Mapping[str, Sequence[int | None]]) -> str:
        """Return what a line-up is known by: it holds all of the columns, and nothing else."""
        return hashlib.sha256(repr({name: list(columns[name]) for name in cls.COLUMNS}).encode()).hexdigest()


class Decision(models.Model):
    """One run of a trigger on one lead. Rows are only added."""

    class Outcome(models.TextChoices):
        ASSIGNED = "assigned", _("assigned")
        WAITING = "waiting", _("waiting")

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="decisions")
    at = models.DateTimeField()
    trigger = models.ForeignKey(Trigger, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    registry = models.ForeignKey(Registry, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    method = models.CharField(max_length=12)
    attempt = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    chosen = models.ForeignKey(Manager, on_delete=models.PROTECT, null=True, related_name="decisions", db_index=False)
    reason = models.CharField(max_length=16)
    turn = models.BigIntegerField(help_text=_("The registry's counter of turns"))
    counted = models.BooleanField(help_text=_("The lead counts in the registry"))
    version = models.BigIntegerField(
        null=True, help_text=_("The configuration version that decided. Empty if not known")
    )
    # What it saw of each candidate, side by side, in the order of the line-up.
    lineup = models.ForeignKey(Lineup, on_delete=models.PROTECT, related_name="+", db_index=False)
    held = ArrayField(models.IntegerField())
    balances = ArrayField(models.BigIntegerField(), help_text=_("Before the decision, in billionths of a lead"))
    received = ArrayField(models.IntegerField(), null=True, help_text=_("Only if totals decide"))
    last_turns = ArrayField(models.BigIntegerField())
    refusals = models.JSONField(
        default=dict,
        help_text=_("Reason codes by the candidate's position, from 0. A candidate without one was eligible"),
    )

    class Meta:
        verbose_name = _("decision")
        verbose_name_plural = pgettext_lazy("plural", "decisions")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="assigned", chosen__isnull=False) | Q(outcome="waiting", chosen=None),
                name="decision_assigned_to_somebody",
            ),
            # All who decide in a registry take turns: a turn is taken once.
            models.UniqueConstraint(
                fields=["registry", "turn"], condition=Q(counted=True), name="decision_turn_once_per_registry"
            ),
        ]
        indexes = [
            # The fairness report: who received how many, and how everybody stood at an instant.
            models.Index(
                fields=["registry", "lineup", "at", "turn"],
                include=["chosen", "method"],
                condition=Q(counted=True),
                name="decision_counted_by_lineup",
            ),
            # The report of workload and the board: which leads were assigned, by which trigger, to whom.
            models.Index(
                fields=["at"],
                include=["lead", "trigger", "chosen"],
                condition=Q(outcome="assigned"),
                name="decision_assigned_by_trigger",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.trigger}: {self.reason}"


def waiting_since() -> Coalesce:
    """Return since when a lead waits: since its last decision, for a sweep that finds nobody again writes none.

    One that was taken while the registry was busy has no decision yet: since it came.
    """
    last = Decision.objects.filter(lead=OuterRef("pk")).order_by().values("lead").annotate(latest=Max("at"))
    return Coalesce(Subquery(last.values("latest")), F("created_at"))


class OfferQuerySet(models.QuerySet["Offer"]):
    def open(self) -> OfferQuerySet:
        return self.filter(closed_at=None)

    def close(self, outcome: Offer.Outcome, *, at: datetime, reason: str = "") -> int:
        """End those that are open still; return how many.

        Never before they began: who acts on a lead may have waited for its lock while it was offered anew.
        """
        closed_at = Greatest(F("offered_at"), Value(at, output_field=models.DateTimeField()))
        return self.open().update(closed_at=closed_at, outcome=outcome, reason=reason)

    close.queryset_only = True  # type: ignore[attr-defined]  # never all offers there are

    def overdue(self, *, at: datetime) -> OfferQuerySet:
        return self.open().filter(accept_by__lte=at)

    def stranded(self, *, at: datetime) -> OfferQuerySet:
        """Offers to managers who are inactive, or who went on a pause since and whose trigger keeps no offers then."""
        pauses = Pause.objects.running(at=at).filter(
            manager=OuterRef("manager"), started_at__gte=OuterRef("offered_at")
        )
        paused = Q(Exists(pauses), trigger__on_pause=Trigger.OnPause.REDISTRIBUTE)
        return self.open().filter(Q(manager__active=False) | paused)


class Offer(models.Model):
    """A lead held for one manager until it is accepted, declined or out of time."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        DECLINED = "declined", _("declined")
        TIMED_OUT = "timed_out", _("timed out")
        WITHDRAWN = "withdrawn", _("withdrawn")

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="offers")
    manager = models.ForeignKey(Manager, on_delete=models.PROTECT, related_name="offers")
    trigger = models.ForeignKey(Trigger, on_delete=models.PROTECT, related_name="offers", db_index=False)
    round = models.PositiveIntegerField()
    offered_at = models.DateTimeField()
    accept_by = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    objects = OfferQuerySet.as_manager()

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = pgettext_lazy("plural", "offers")
        ordering = ["id"]
        constraints = [
            # A lead is never held by two managers: the database itself says no.
            models.UniqueConstraint(fields=["lead"], condition=Q(closed_at=None), name="offer_one_open_per_lead"),
            # Each offer has exactly one outcome, from the moment it is closed.
            models.CheckConstraint(
                condition=Q(closed_at=None, outcome="") | (Q(closed_at__isnull=False) & ~Q(outcome="")),
                name="offer_closed_with_an_outcome",
            ),
            models.CheckConstraint(condition=Q(accept_by__gte=F("offered_at")), name="offer_deadline_after_start"),
            models.CheckConstraint(
                condition=Q(closed_at=None) | Q(closed_at__gte=F("offered_at")), name="offer_ends_after_it_begins"
            ),
        ]
        indexes = [
            # The sweep asks every few seconds which open offers are overdue.
            models.Index(fields=["accept_by"], condition=Q(closed_at=None), name="offer_open_by_deadline"),
            # Reports read the offers of a range, and of them no more than stands here.
            models.Index(
                fields=["offered_at"],
                include=["lead", "manager", "trigger", "outcome", "closed_at"],
                name="offer_by_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lead} → {self.manager}"


class SetbackQuerySet(models.QuerySet["Setback"]):
    def set_aside(self) -> SetbackQuerySet:
        return self.exclude(set_aside_at=None)

    def due(self, *, at: datetime) -> SetbackQuerySet:
        return self.filter(set_aside_at=None, next_try_at__lte=at)

    def overcome(self) -> SetbackQuerySet:
        """Setbacks of leads that need no distribution any more: somebody has them, or they left the stage."""
        return self.exclude(lead__state__in=[Lead.State.WAITING, Lead.State.OFFERED])


class Setback(models.Model):
    """A lead whose distribution failed: how often, why, and when it is tried again; after some tries it is set aside."""

    lead = models.OneToOneField(Lead, on_delete=models.CASCADE, primary_key=True, related_name="setback")
    attempts = models.PositiveIntegerField(default=0, help_text=_("Number of tries, counted before each one"))
    error = models.CharField(max_length=500, blank=True)
    next_try_at = models.DateTimeField()
    set_aside_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Not tried again until somebody asks for it")
    )

    objects = SetbackQuerySet.as_manager()

    class Meta:
        verbose_name = _("setback")
        verbose_name_plural = pgettext_lazy("plural", "setbacks")
        ordering = ["-set_aside_at", "next_try_at"]

    def __str__(self) -> str:
        return str(self.lead)


class SweepBatch(models.Model):
    """Leads that a sweep has begun with. It ends with the row; a row that stays was the end of its sweep."""

    leads = ArrayField(models.UUIDField())
    begun_at = models.DateTimeField()

    class Meta:
        db_table = "routing_undertaking"  # processes of the version before write to it during an upgrade

    def __str__(self) -> str:
        return f"{len(self.leads)} {self.begun_at:%H:%M:%S}"


class Heartbeat(models.Model):
    """When something that must run was last seen running: `sweep`, `worker`."""

    name = models.CharField(max_length=32, primary_key=True)
    at = models.DateTimeField()
    took_seconds = models.FloatField(null=True, help_text=_("Duration of the last run"))

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
