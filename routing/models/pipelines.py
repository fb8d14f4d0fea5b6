"""Pipelines and their stages."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.history.configuration_tables import configuration_table
from accounts.models import code_validator
from accounts.people.names import NameField


class Pipeline(models.Model):
    """A way that leads take; the first one takes the leads that name none."""

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    title = NameField(max_length=200)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("pipeline")
        verbose_name_plural = pgettext_lazy("plural", "pipelines")
        ordering = ["position", "id"]
        constraints = [*configuration_table()]

    def __str__(self) -> str:
        return self.title


class StageQuerySet(models.QuerySet["Stage"]):
    def active(self) -> StageQuerySet:
        return self.filter(kind__in=Stage.ACTIVE)


class Stage(models.Model):
    """A step of a pipeline in which leads stand."""

    class Kind(models.TextChoices):
        UNQUALIFIED = "unqualified", _("unqualified")
        OPEN = "open", _("open")
        WON = "won", _("won")
        LOST = "lost", _("lost")

    ACTIVE = (Kind.UNQUALIFIED, Kind.OPEN)

    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="stages")
    code = models.CharField(max_length=63, validators=[code_validator])
    title = NameField(max_length=200, blank=True)
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.OPEN)
    position = models.PositiveSmallIntegerField(default=0)

    objects = StageQuerySet.as_manager()

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = pgettext_lazy("plural", "stages")
        ordering = ["pipeline", "position", "id"]
        constraints = [
            *configuration_table(owners=("pipeline",)),
            models.UniqueConstraint(fields=["pipeline", "code"], name="stage_code_once_per_pipeline"),
            models.UniqueConstraint(
                fields=["pipeline"], condition=Q(kind="unqualified"), name="stage_one_unqualified_per_pipeline"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pipeline.code}/{self.code}"
