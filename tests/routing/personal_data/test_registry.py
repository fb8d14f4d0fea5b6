"""Every column of text is known to the registry of personal data, or said to hold none."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Model

from accounts.models import code_validator
from routing.models import Contact, ContactPoint, Lead, PossibleDuplicate
from routing.personal_data.places import COMPANIES, IMPERSONAL, PLACES, STAFF

FREE = (models.CharField, models.TextField, models.JSONField, models.BinaryField, models.GenericIPAddressField)
# Tables of libraries in which nobody writes about people.
PROGRAMS = {"contenttypes", "django_celery_beat", "auth"}


def columns_of_text(model: type[Model]) -> Iterator[str]:
    """Yield the columns in which anything could be written: texts without choices, and files."""
    for column in model._meta.concrete_fields:
        base = column.base_field if isinstance(column, ArrayField) else column
        if isinstance(base, models.FileField) or (
            isinstance(base, FREE) and not base.choices and code_validator not in base.validators
        ):
            yield column.name


def unclassified(models_: list[type[Model]]) -> list[str]:
    known: dict[type[Model], set[str]] = {}
    for place in PLACES:
        known.setdefault(place.model, set()).update(place.emptied)
    for table in (STAFF, COMPANIES, IMPERSONAL):
        for model, names in table.items():
            known.setdefault(model, set()).update(names)
    return [
        f"{model._meta.label}.{name}"
        for model in models_
        for name in columns_of_text(model)
        if name not in known.get(model, set()) and name != "id"
    ]


def test_every_column_of_text_is_in_the_registry_or_said_to_be_impersonal():
    tables = [model for model in apps.get_models() if model._meta.managed and not model._meta.proxy]
    ours = [model for model in tables if model._meta.app_label not in PROGRAMS]
    missing = unclassified(ours)
    assert not missing, f"say in routing/personal_data/places.py whose data these may hold: {missing}"


def test_a_model_with_a_personal_field_that_is_not_registered_is_found():
    class Note(Model):
        text = models.TextField()
        kind = models.CharField(max_length=3, choices=[("a", "a")])

        class Meta:
            app_label = "routing"
            managed = False

        def __str__(self) -> str:
            return self.text

    try:
        assert unclassified([Note]) == ["routing.Note.text"]
    finally:
        del apps.all_models["routing"]["note"]
        apps.clear_cache()


def test_the_registry_names_only_columns_that_are_there():
    for place in PLACES:
        for name in place.emptied:
            place.model._meta.get_field(name)
    for table in (STAFF, COMPANIES, IMPERSONAL):
        for model, names in table.items():
            for name in names:
                assert model._meta.get_field(name), (model, name)


def test_what_identifies_a_person_is_in_the_registry():
    emptied = {(place.model, name) for place in PLACES for name in place.emptied}
    assert {(Contact, name) for name in ("name", "email", "other_emails", "phone", "chat")} <= emptied
    assert {(Lead, name) for name in ("name", "comment", "fields", "utm", "as_sent", "also_sent")} <= emptied
    assert {place.model for place in PLACES if place.deleted} >= {ContactPoint, PossibleDuplicate}
