"""What the fields of our models are called on pages: the words of their names, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.db.models import Field
from django.utils.translation import pgettext_lazy

CONTEXT = "field"
OURS = ("accounts", "routing")


def fields_named_by_code() -> Iterator[Field]:
    """Return the fields without a name of their own: `accept_by` is "accept by"."""
    for app in OURS:
        for model in apps.get_app_config(app).get_models():
            for field in model._meta.get_fields():
                if isinstance(field, Field) and field._verbose_name is None:  # type: ignore[attr-defined]  # the stubs do not know it
                    yield field


def translate() -> None:
    """Give each its name in the language of whoever reads; migrations do not know of it."""
    for field in fields_named_by_code():
        field.verbose_name = pgettext_lazy(CONTEXT, str(field.verbose_name))


def texts() -> list[str]:
    return sorted({field.name.replace("_", " ") for field in fields_named_by_code()})
