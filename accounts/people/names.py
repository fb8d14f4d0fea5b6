"""A name or a title is one line of letters: what would break a list, a calendar, a heading or a terminal is refused.

Refused are control characters (category Cc: line breaks, tabs, escape, next line) and the separators of lines and
paragraphs (U+2028, U+2029). What visitors send is cleaned of them at the door instead: no lead is lost over its name.
"""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def unseen_sign(text: str) -> str | None:
    """Return the first sign that no name may hold, as U+000A; None: there is none."""
    found = _UNSEEN.search(text)
    return found and f"U+{ord(found[0]):04X}"


def refuse_unseen_signs(text: str) -> None:
    """Raise ValidationError when the text is not one line of letters."""
    sign = unseen_sign(str(text))
    if sign:
        raise ValidationError(
            _("Write it in one line, without control characters: remove %(sign)s."),
            code="unseen",
            params={"sign": sign},
        )


def in_one_line(text: str) -> str:
    """Return the text for a place that has one line, whatever an older version stored."""
    return re.sub(f"{_UNSEEN.pattern}+", " ", text)


class NameField(models.CharField):
    """A name or a title. To the database and to migrations it is a CharField."""

    default_validators = [refuse_unseen_signs]

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class LoginField(models.EmailField):
    """An e-mail that stands for a name where there is none; quoted ones could hold any sign."""

    default_validators = [*models.EmailField.default_validators, refuse_unseen_signs]

    def deconstruct(self) -> Any:
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.EmailField", args, kwargs
