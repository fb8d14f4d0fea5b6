"""Dates in words, as they stand within a sentence."""

from __future__ import annotations

from datetime import date

from django.utils.formats import date_format
from django.utils.translation import get_language


def date_words(value: date, form: str) -> str:
    """Write the date by a format of Django's. Only English has capitals in the names of days and months."""
    text = date_format(value, form, use_l10n=True)
    return text if (get_language() or "en").startswith("en") else text.lower()
