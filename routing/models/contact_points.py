"""By what contacts are reached and known again; and pairs of contacts that may be one person."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Q, When
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .crm import Contact
from .intake import Source


class ContactPointQuerySet(models.QuerySet["ContactPoint"]):
    def best_first(self) -> ContactPointQuerySet:
        """Order as people see them: the main one, then what can be read, the newest first (leadrouter_show_points)."""
        unreadable = Case(When(key=None, then=1), default=0)
        return self.order_by("kind", "-main", unreadable, "-first_seen_at", "-id")


class ContactPoint(models.Model):
    """A phone, e-mail or chat of a contact. Its key belongs to one contact; others who gave it share it."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail")
        PHONE = "phone", pgettext_lazy("contact point", "phone")
        CHAT = "chat", pgettext_lazy("contact point", "chat")

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="points", db_index=False)
    kind = models.CharField(max_length=5, choices=Kind.choices)
    text = models.CharField(max_length=500, help_text=_("Normalized where it can be read, otherwise as it was written"))
    extension = models.CharField(max_length=8, blank=True, db_default="")
    # NULL: it cannot be read, so nobody is known by it.
    key = models.CharField(  # noqa: DJ001
        max_length=500, null=True, editable=False, db_collation="C", help_text=_("Normalized, used to compare")
    )
    shared = models.BooleanField(
        default=False, editable=False, help_text=_("Another contact has this too and owns the key")
    )
    main = models.BooleanField(default=False, help_text=_("Shown first"))
    source = models.ForeignKey(
        Source, on_delete=models.SET_NULL, null=True, blank=True, db_index=False, related_name="+", editable=False
    )
    first_seen_at = models.DateTimeField(editable=False)

    objects = ContactPointQuerySet.as_manager()

    class Meta:
        verbose_name = _("phone, e-mail or chat")
        verbose_name_plural = _("phones, e-mails and chats")
        constraints = [
            # One number or address belongs to one contact. In collation C the index also finds what begins so.
            models.UniqueConstraint(
                fields=["kind", "key"], condition=Q(shared=False), name="contact_point_of_one_contact"
            ),
            models.UniqueConstraint(fields=["contact", "kind", "key"], name="contact_point_once"),
            models.UniqueConstraint(fields=["contact", "kind"], condition=Q(main=True), name="contact_point_main_once"),
            models.CheckConstraint(condition=Q(shared=False) | Q(key__isnull=False), name="contact_point_shares_a_key"),
        ]
        indexes = [
            models.Index(fields=["kind", "key"], condition=Q(shared=True), name="contact_point_shared"),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def written(self) -> str:
        """Return it as people write it, and as it is read again."""
        return f"{self.text} ext. {self.extension}" if self.extension else self.text


class PossibleDuplicateQuerySet(models.QuerySet["PossibleDuplicate"]):
    def open(self) -> PossibleDuplicateQuerySet:
        return self.filter(dismissed_at=None)

    def of(self, contact: Any) -> PossibleDuplicateQuerySet:
        return self.filter(Q(one=contact) | Q(other=contact))


class PossibleDuplicate(models.Model):
    """Two contacts that may be one person, with the reasons; people decide."""

    one = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", db_index=False)
    other = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    reasons = ArrayField(models.CharField(max_length=32), help_text=_("Codes"))
    found_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When somebody said that they are two; never proposed again")
    )
    dismissed_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    objects = PossibleDuplicateQuerySet.as_manager()

    class Meta:
        verbose_name = _("possible duplicate")
        verbose_name_plural = _("possible duplicates")
        constraints = [
            models.UniqueConstraint(fields=["one", "other"], name="possible_duplicate_once"),
            models.CheckConstraint(condition=Q(one__lt=F("other")), name="possible_duplicate_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.one} – {self.other}"
