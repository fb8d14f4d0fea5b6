"""What the search for possible duplicates of people knows of each contact, how far it has come; and merges."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .crm import Contact
from .identifiers import PublicId


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


class MergeQuerySet(models.QuerySet["Merge"]):
    def standing(self) -> MergeQuerySet:
        return self.filter(undone_at=None)


class Merge(models.Model):
    """Two contacts made one: the row of the one is gone, and all that it had is the other's."""

    UNDONE_WITHIN = timedelta(days=30)

    id = PublicId()
    kept = models.UUIDField(help_text=_("The contact that stayed"))
    merged = models.UUIDField(help_text=_("The contact that is no longer there"))
    # Whoever has it all now: the one that stayed, or whom that was merged into since.
    holder = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="merges", verbose_name=_("contact"))
    at = models.DateTimeField()
    by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(
        "accounts.User", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    # What moved, and how it was before; empty where it can no longer be undone.
    moved = models.JSONField(default=dict, blank=True, editable=False)

    objects = MergeQuerySet.as_manager()

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = pgettext_lazy("plural", "merges")
        ordering = ["-at", "-id"]
        constraints = [
            # A contact is merged into one at most.
            models.UniqueConstraint(fields=["merged"], condition=Q(undone_at=None), name="merge_once"),
            models.CheckConstraint(condition=~Q(kept=F("merged")), name="merge_of_two"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"

    def may_be_undone(self, *, at: datetime) -> bool:
        return bool(self.moved) and self.undone_at is None and at < self.at + self.UNDONE_WITHIN
