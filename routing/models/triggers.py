"""Triggers: how leads that enter a stage are distributed, and among whom."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.history.configuration_tables import configuration_table
from accounts.models import Manager, WorkSchedule, code_validator

from ..engine import Finally
from .pipelines import Stage
from .registries import Registry


class Trigger(models.Model):
    """A distribution rule on a stage."""

    class Event(models.TextChoices):
        CREATED = "created", _("a lead is created in the stage")
        MOVED = "moved", _("a lead is moved into the stage")

    class Method(models.TextChoices):
        FAIR_SHARE = "fair_share", _("fair share, equal or by coefficient")
        TOTALS = "totals", _("fewest received")
        LEAST_LOADED = "least_loaded", _("fewest leads held")
        DIRECT = "direct", _("first available, in order")

    class Owner(models.TextChoices):
        CONTACT = "contact", _("contact")
        COMPANY = "company", _("company")

    class Related(models.TextChoices):
        CONTACT = "contact", _("main contact")
        COMPANY = "company", _("company")
        TASKS = "tasks", _("open tasks of the lead")
        CONTACT_LEADS = "contact_leads", _("other active leads of the main contact")
        COMPANY_LEADS = "company_leads", _("active leads of the company")

    class Clock(models.TextChoices):
        WALL = "wall", _("wall clock")
        WORKING = "working", _("the manager's working time")

    class FinalStep(models.TextChoices):
        DUTY = Finally.DUTY.value, _("goes to the manager on duty")
        KEEP = Finally.KEEP.value, _("stays with the last manager")
        RESTART = Finally.RESTART.value, _("starts a new round")
        WAIT = Finally.WAIT.value, _("waits with nobody responsible")

    class OnPause(models.TextChoices):
        REDISTRIBUTE = "redistribute", _("open offers are redistributed at once")
        KEEP = "keep", _("open offers stay")

    class IfNobody(models.TextChoices):
        WAIT = "wait", _("waits")
        DUTY = "duty", _("goes to the manager on duty")

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, related_name="triggers")
    on = ArrayField(models.CharField(max_length=8, choices=Event.choices), default=list)
    priority = models.IntegerField(
        default=10, help_text=_("If several triggers match, the one with the lowest number runs.")
    )
    method = models.CharField(max_length=12, choices=Method.choices, default=Method.FAIR_SHARE)
    registry = models.ForeignKey(
        Registry,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="triggers",
        help_text=_("Leave empty to count in the trigger's own registry (current trigger)."),
    )
    limit = models.PositiveIntegerField(
        null=True, blank=True, help_text=_("The most leads a member can hold. Leave empty for no limit.")
    )
    limit_stages = models.ManyToManyField(
        Stage, blank=True, related_name="+", help_text=_("Select none for all active stages of all pipelines.")
    )
    online_only = models.BooleanField(default=False)
    responsible_check = ArrayField(
        models.CharField(max_length=8, choices=Owner.choices),
        default=list,
        blank=True,
        help_text=_(
            "Gives the lead to whoever is responsible for these, in this order. Leave empty to turn the check off."
        ),
    )
    responsible_available = models.BooleanField(
        default=False, help_text=_("The responsible manager must be available. Otherwise it is enough to be active.")
    )
    responsible_count = models.BooleanField(default=False, help_text=_("Such leads count in the registry."))
    also_assign = ArrayField(
        models.CharField(max_length=16, choices=Related.choices),
        default=list,
        blank=True,
        help_text=_("Follow the lead once it is accepted; at once if nobody has to accept it."),
    )
    acceptance_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(525_600)],
        help_text=_("Leave empty if leads need no acceptance."),
    )
    acceptance_clock = models.CharField(max_length=8, choices=Clock.choices, default=Clock.WALL)
    max_attempts = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("Leave empty to try all members.")
    )
    final_step = models.CharField(
        _("finally"), max_length=8, choices=FinalStep.choices, default=Finally.WAIT.value, db_column="finally"
    )
    on_pause = models.CharField(max_length=12, choices=OnPause.choices, default=OnPause.REDISTRIBUTE)
    if_nobody = models.CharField(max_length=8, choices=IfNobody.choices, default=IfNobody.WAIT)
    duty = models.ForeignKey(
        Manager,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Gets the leads that nobody took."),
    )
    set_fields = models.JSONField(default=dict, blank=True, help_text=_('"Change field": {"taken": null}'))

    class Meta:
        verbose_name = _("trigger")
        verbose_name_plural = pgettext_lazy("plural", "triggers")
        ordering = ["stage", "priority", "id"]
        constraints = [
            *configuration_table(),
            *configuration_table(of="limit_stages", owners=("trigger",)),
            models.CheckConstraint(
                condition=~(Q(if_nobody="duty") | Q(acceptance_minutes__isnull=False, final_step="duty"))
                | Q(duty__isnull=False),
                name="trigger_names_who_is_on_duty",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Member(models.Model):
    """A manager taking part in a trigger."""

    trigger = models.ForeignKey(Trigger, on_delete=models.CASCADE, related_name="members")
    manager = models.ForeignKey(Manager, on_delete=models.PROTECT, related_name="memberships")
    coefficient = models.PositiveIntegerField(default=1, validators=[MaxValueValidator(1_000_000)])
    limit = models.PositiveIntegerField(null=True, blank=True, help_text=_("Overrides the trigger's limit."))
    schedule = models.ForeignKey(
        WorkSchedule,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Replaces the manager's own schedule in this trigger."),
    )
    position = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = pgettext_lazy("plural", "members")
        ordering = ["position", "id"]
        constraints = [
            *configuration_table(owners=("trigger",)),
            models.UniqueConstraint(fields=["trigger", "manager"], name="member_once_per_trigger"),
        ]

    def __str__(self) -> str:
        return str(self.manager)
