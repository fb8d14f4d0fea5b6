"""What somebody sent, as people read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from routing.intake.fields import COMPANY, CONTACT, LEAD


def sent_text(as_sent: Mapping[str, Any] | None, whose: str, field: str) -> str:
    """Return a text as it came, with control characters seen."""
    values = (as_sent or {}).get(whose)
    value = values.get(field) if isinstance(values, Mapping) else None
    return re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", str(value)).strip() if value is not None else ""


def differences(
    data: Mapping[str, Any],
    as_sent: Mapping[str, Any] | None,
    *,
    lead: Mapping[str, Any],
    lead_as_sent: Mapping[str, Any] | None,
) -> tuple[tuple[str, str], ...]:
    """Return the title and the text of each field that came and that is another than the lead's.

    data, lead: fields as JSON has them.
    """
    said = [
        (field, _in_words(value)) for field in LEAD if (value := data.get(field.name)) and value != lead.get(field.name)
    ]
    said += [
        (field, text)
        for field in CONTACT + COMPANY
        if (text := sent_text(as_sent, field.group, field.name)) != sent_text(lead_as_sent, field.group, field.name)
        and text
    ]
    return tuple((gettext(field.long_label or field.label), text) for field, text in said)


def _in_words(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_in_words(part)}" for key, part in value.items())
    return ", ".join(map(_in_words, value)) if isinstance(value, list) else str(value)
