"""Registries: the books in which fairness is counted."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.history.configuration_tables import configuration_table
from accounts.models import Manager, User, code_validator
from accounts.people.names import NameField
from routing.engine import Standing


class RegistryQuerySet(models.QuerySet["Registry"]):
    def named(self) -> RegistryQuerySet:
        return self.filter(trigger=None)


class Registry(models.Model):
    """A named record in which fairness is counted; without a name, the own registry of one trigger."""

    class Accounting(models.TextChoices):
        FAIR_SHARE = "fair_share", _("fair share: absence earns nothing and costs nothing")
        TOTALS = "totals", _("totals: managers who were away catch up")

    class Reset(models.TextChoices):
        NEVER = "never", _("never")
        DAY = "day", _("every day")
        WEEK = "week", _("every week")
        MONTH = "month", _("every month")

    code = models.CharField(max_length=63, unique=True, null=True, blank=True, validators=[code_validator])
    title = NameField(max_length=200, blank=True)
    accounting = models.CharField(max_length=12, choices=Accounting.choices, default=Accounting.FAIR_SHARE)
    reset = models.CharField(
        max_length=8, choices=Reset.choices, default=Reset.NEVER, help_text=_("For totals only, in account time")
    )
    refund_missed = models.BooleanField(
        default=False,
        help_text=_("Leads that a manager declines or does not accept in time do not count for that manager."),
    )
    trigger = models.OneToOneField(
        "routing.Trigger", on_delete=models.CASCADE, null=True, blank=True, related_name="own_registry", editable=False
    )

    objects = RegistryQuerySet.as_manager()

    class Meta:
        verbose_name = _("registry")
        verbose_name_plural = _("registries")
        ordering = ["code"]
        constraints = [
            *configuration_table(owners=("trigger",)),
            models.CheckConstraint(condition=Q(code=None) ^ Q(trigger=None), name="registry_has_a_code_or_a_trigger"),
        ]

    def __str__(self) -> str:
        return self.title or self.label

    @property
    def label(self) -> str:
        """Return the code; of a trigger's own registry, the trigger's code."""
        return self.code or (self.trigger.code if self.trigger else "")


class Ledger(models.Model):
    """Where everybody stands in a registry: one row, so that its lock, its sum and its write are one.

    The four arrays stand side by side: the managers, and what Standing says of each.
    added: what was deliberately added to the balances (credit back +, leads by hand -), in billionths of a lead.
    """

    registry = models.OneToOneField(Registry, on_delete=models.CASCADE, primary_key=True, related_name="ledger")
    turn = models.BigIntegerField(default=0, help_text=_("Decisions made in this registry"))
    managers = ArrayField(models.BigIntegerField(), default=list)
    balances = ArrayField(models.BigIntegerField(), default=list)
    received = ArrayField(models.IntegerField(), default=list)
    last_turns = ArrayField(models.BigIntegerField(), default=list)
    added = models.BigIntegerField(default=0)
    reset_at = models.DateTimeField(null=True, help_text=_("Start of the period that `received` counts"))

    class Meta:
        constraints = [
            # No drift: the balances always add up to what was deliberately added or taken.
            models.CheckConstraint(
                condition=Q(added=Func("balances", function="leadrouter_sum", output_field=models.BigIntegerField())),
                name="ledger_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(
                    managers__len=F("balances__len"),
                    received__len=F("balances__len"),
                    last_turns__len=F("balances__len"),
                ),
                name="ledger_side_by_side",
            ),
        ]

    def __str__(self) -> str:
        return str(self.registry)

    @property
    def standings(self) -> dict[int, Standing]:
        columns = zip(self.balances, self.received, self.last_turns, strict=True)
        return dict(zip(self.managers, map(Standing._make, columns), strict=True))

    @standings.setter
    def standings(self, standings: Mapping[int, Standing]) -> None:
        self.managers = list(standings)
        columns = list(zip(*standings.values(), strict=True)) or [(), (), ()]
        self.balances, self.received, self.last_turns = map(list, columns)


class Adjustment(models.Model):
    """A deliberate change of a balance: a lead credited back, or given by hand. Rows are only added."""

    class Kind(models.TextChoices):
        CREDIT_BACK = "credit_back", _("credited back")
        BY_HAND = "by_hand", _("given by hand")
        REFUND = "refund", _("declined or timed out")
        UNDONE = "undone", _("hand-over undone")

    registry = models.ForeignKey(Registry, on_delete=models.CASCADE, related_name="adjustments")
    manager = models.ForeignKey(Manager, on_delete=models.PROTECT, related_name="adjustments")
    lead = models.ForeignKey(
        "routing.Lead", on_delete=models.SET_NULL, null=True, blank=True, related_name="adjustments"
    )
    kind = models.CharField(max_length=12, choices=Kind.choices)
    amount = models.BigIntegerField(help_text=_("Billionths of a lead added to the balance"))
    reason = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("adjustment")
        verbose_name_plural = pgettext_lazy("plural", "adjustments")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.manager}: {self.amount / 1_000_000_000:+g}"
