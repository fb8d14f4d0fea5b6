"""The form of the report of sources."""

from __future__ import annotations

import datetime

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import pgettext_lazy

# Leads arrive within these years (docs/api.md, "A lead").
FIRST_DAY, LAST_DAY = datetime.date(1970, 1, 1), datetime.date(2100, 12, 31)
KNOWN_DAYS = (MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY))
PERIODS = [
    ("day", pgettext_lazy("period", "Day")),
    ("week", pgettext_lazy("period", "Week")),
    ("month", pgettext_lazy("period", "Month")),
]


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")  # what browsers expect, whatever the language


class PeriodForm(forms.Form):
    """A day, week or month, by a date in it; without a date the current one."""

    period = forms.ChoiceField(choices=PERIODS, required=False, widget=forms.HiddenInput)
    date = forms.DateField(
        required=False, widget=DayInput, validators=KNOWN_DAYS, label=pgettext_lazy("report", "Date")
    )

    def period_and_date(self, *, today: datetime.date) -> tuple[str, datetime.date]:
        """Return the period and a date in it; for a form that cannot be read, today."""
        if not self.is_valid():
            return "day", today
        return self.cleaned_data["period"] or "day", self.cleaned_data["date"] or today
