"""What the search for possible duplicates of people knows of each contact, and how far it has come."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .crm import Contact


class ContactTraits(models.Model):
    """What is compared of a contact, made of its name, its phones and e-mails and its leads. Who changes these marks it stale."""

    contact = models.OneToOneField(Contact, on_delete=models.CASCADE, primary_key=True, related_name="traits")
    traits = models.JSONField()  # lists of words, postal codes, dates of birth …, as they are compared
    keys = ArrayField(models.BigIntegerField())  # contacts are compared if they have one of these in common
    leads = models.PositiveIntegerField()  # how many there were when this was made
    version = models.PositiveSmallIntegerField()  # of what is compared
    stale = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name = _("traits of a contact")
        verbose_name_plural = _("traits of contacts")
        indexes = [
            # Written once, then read at once: what waits in a list beside the index would be read through each time.
            GinIndex(fields=["keys"], name="contacttraits_by_key", fastupdate=False),
            models.Index(fields=["contact"], condition=Q(stale=True), name="contacttraits_stale"),
        ]

    def __str__(self) -> str:
        return str(self.contact)


class DuplicateSearch(models.Model):
    """How far the search for possible duplicates has come: one row, which who searches has locked."""

    seen_until = models.DateTimeField()  # leads that came before have been looked at
    looked_at = models.DateTimeField(null=True)  # when somebody last found contacts to look at
    all_seen_at = models.DateTimeField(null=True)  # when all contacts were last looked through

    class Meta:
        verbose_name = _("search for possible duplicates")
        verbose_name_plural = _("searches for possible duplicates")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="duplicatesearch_is_one")]

    def __str__(self) -> str:
        return f"{self.seen_until:%Y-%m-%d %H:%M}"
