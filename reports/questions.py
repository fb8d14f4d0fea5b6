"""The question to a report: a range of dates, and filters."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from accounts.models import Manager
from accounts.time import periods
from routing.models import Registry, Source, Trigger

from .forms import KNOWN_DAYS, DayInput

DAYS = 30  # of the range when nobody names one
MOST_DAYS = 366
TARGET = 10  # minutes
MEASURES = [
    ("whole", pgettext_lazy("measure", "arrival to acceptance")),
    ("assigned", pgettext_lazy("measure", "arrival to assignment")),
    ("accepted", pgettext_lazy("measure", "assignment to acceptance")),
]
CLOCKS = [("wall", pgettext_lazy("clock", "wall clock")), ("working", pgettext_lazy("clock", "working time"))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that can be answered."""

    at: datetime.datetime  # now
    zone: ZoneInfo  # of the account
    first_day: datetime.date
    last_day: datetime.date
    source: int | None = None
    manager: int | None = None
    registry: int | None = None
    trigger: int | None = None
    measure: str = "whole"
    clock: str = "wall"
    target: int = TARGET  # minutes

    @property
    def start(self) -> datetime.datetime:
        return periods.midnight(self.first_day, self.zone)

    @property
    def end(self) -> datetime.datetime:
        """Return the first instant after the range."""
        return periods.midnight(self.last_day + datetime.timedelta(days=1), self.zone)


class QuestionForm(forms.Form):
    """The range and the filters of one report."""

    first = forms.DateField(label=pgettext_lazy("range", "From"), widget=DayInput, validators=KNOWN_DAYS)
    last = forms.DateField(label=pgettext_lazy("range", "To"), widget=DayInput, validators=KNOWN_DAYS)
    source = forms.ModelChoiceField(Source.objects.all(), required=False, label=pgettext_lazy("filter", "Source"))
    manager = forms.ModelChoiceField(
        Manager.objects.select_related("user"), required=False, label=pgettext_lazy("filter", "Manager")
    )
    registry = forms.ModelChoiceField(
        Registry.objects.select_related("trigger"), required=False, label=pgettext_lazy("filter", "Registry")
    )
    trigger = forms.ModelChoiceField(Trigger.objects.all(), required=False, label=pgettext_lazy("filter", "Trigger"))
    measure = forms.ChoiceField(choices=MEASURES, label=pgettext_lazy("filter", "Time from"))
    clock = forms.ChoiceField(choices=CLOCKS, label=pgettext_lazy("filter", "By"))
    target = forms.IntegerField(
        min_value=1, max_value=100_000, label=pgettext_lazy("filter", "Target, minutes"), widget=forms.NumberInput
    )

    def __init__(self, data: object, *, filters: tuple[str, ...], today: datetime.date) -> None:
        """Fields that are absent get their defaults."""
        usual = {
            "first": today - datetime.timedelta(days=DAYS - 1),
            "last": today,
            "measure": "whole",
            "clock": "wall",
            "target": TARGET,
        }
        given = {name: value for name, value in data.items() if value}  # type: ignore[attr-defined]
        super().__init__({**usual, **given})
        for name in set(self.fields) - {"first", "last", *filters}:
            del self.fields[name]

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            raise ValidationError({"last": _("The last day is before the first.")})
        if first and last and (last - first).days >= MOST_DAYS:
            raise ValidationError({"last": _("At most %(days)d days at once.") % {"days": MOST_DAYS}})
        return cleaned

    def question(self, *, at: datetime.datetime, zone: ZoneInfo) -> Question:
        facts = {
            name: getattr(value, "pk", value)
            for name, value in self.cleaned_data.items()
            if name not in ("first", "last") and value is not None
        }
        return Question(
            at=at, zone=zone, first_day=self.cleaned_data["first"], last_day=self.cleaned_data["last"], **facts
        )
