"""Where leads come from: sources, API keys, requests answered before, and what could not become a lead."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.history.configuration_tables import Recorded, configuration_table
from accounts.models import code_validator
from accounts.people.names import NameField


class Source(models.Model):
    """A form, a phone line, a mailbox, an integration, a chat."""

    class Channel(models.TextChoices):
        SITE = "site", _("from site")
        PHONE = "phone", _("phone")
        MAIL = "mail", _("mail")
        API = "api", _("API")
        CHAT = "chat", _("chat")

    class Known(models.TextChoices):
        LEAD = "lead", _("a lead of its own")
        EVENT = "event", _("an activity of the open lead")

    code = models.CharField(max_length=63, unique=True, validators=[code_validator])
    title = NameField(max_length=200)
    channel = models.CharField(max_length=8, choices=Channel.choices)
    active = models.BooleanField(default=True, help_text=_("Leads from an inactive source are refused."))
    country = models.CharField(
        _("default country"),
        max_length=2,
        blank=True,
        help_text=_("Used for phone numbers without a country code. Leave empty to use the account's."),
    )
    double_click = models.BooleanField(
        _("double clicks are one lead"),
        default=True,
        db_default=True,
        help_text=_("The same person, product and text within 10 minutes is one lead."),
    )
    known = models.CharField(
        _("what known persons send"),
        max_length=5,
        choices=[("", _("by the channel: mail an activity, others a lead")), *Known.choices],
        blank=True,
        db_default="",
        help_text=_("What becomes of it while the person has an open lead, within the account's repeat hours."),
    )

    class Meta:
        verbose_name = _("source")
        verbose_name_plural = pgettext_lazy("plural", "sources")
        ordering = ["code"]
        constraints = [*configuration_table()]

    def __str__(self) -> str:
        return self.title

    @property
    def takes_activities(self) -> bool:
        """Tell whether what a known person sends is an activity of their open lead."""
        return self.known == self.Known.EVENT or (not self.known and self.channel == self.Channel.MAIL)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def usable(self, *, at: datetime) -> ApiKeyQuerySet:
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at), revoked_at=None)


class ApiKey(models.Model):
    """A bearer key of a source, of a user, or of the account. It is shown once and stored as a hash."""

    class Scope(models.TextChoices):
        INTAKE = "intake", _("send leads")
        READ = "read", _("read")
        MANAGE = "manage", _("move and reassign leads, pause managers")

    name = NameField(max_length=200)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False, help_text=_("SHA-256 of the key, in hexadecimal."))
    source = models.ForeignKey(Source, on_delete=models.PROTECT, null=True, blank=True, related_name="keys")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="keys"
    )
    scopes = ArrayField(models.CharField(max_length=8, choices=Scope.choices))
    requests_per_minute = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text=_("Requests allowed per minute. 0: no limit. Empty: the default from the settings."),
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = pgettext_lazy("plural", "API keys")
        ordering = ["name"]
        constraints = [
            # A key that is used says so in its row: that is no change, and must cost intake nothing.
            Recorded(
                columns=(
                    *("name", "prefix", "source", "user", "scopes", "requests_per_minute"),
                    *("expires_at", "revoked_at"),
                ),
                omitted=("digest", "last_used_at"),
            ),
            models.CheckConstraint(condition=Q(source=None) | Q(user=None), name="apikey_of_one"),
        ]

    def __str__(self) -> str:
        return f"{self.name} (lr_{self.prefix}_…)"

    @staticmethod
    def digest_of(key: str) -> str:
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()

    def renew(self) -> str:
        """Give the row a new secret and return the whole key, `lr_PREFIX_SECRET`; it cannot be read again."""
        self.prefix = secrets.token_hex(6)
        key = f"lr_{self.prefix}_{secrets.token_urlsafe(32)}"
        self.digest = self.digest_of(key)
        return key

    @property
    def owner(self) -> str:
        """Return whose idempotency keys and leads this key shares: the source's, the user's, or the account's."""
        if self.source_id:
            return f"source:{self.source_id}"
        return f"user:{self.user_id}" if self.user_id else "account"


class IntakeRequest(models.Model):
    """A request that was answered under an Idempotency-Key, with its answer; written in the transaction of its leads."""

    owner = models.CharField(max_length=32, help_text=_("ApiKey.owner"))
    route = models.CharField(max_length=8, help_text=_("lead or bulk"))
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text=_("SHA-256 of the body as canonical JSON"))
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.TextField(default="", help_text=_("The body of the first answer, as JSON"))
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = _("intake request")
        verbose_name_plural = pgettext_lazy("plural", "intake requests")
        constraints = [
            # The same key twice is one request: the second sender waits on this index for the first.
            models.UniqueConstraint(fields=["owner", "route", "key"], name="intakerequest_once"),
        ]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"


class RefusedIntake(models.Model):
    """An authenticated body that could not become a lead: a refused lead is a lost sale as well, so it is kept."""

    at = models.DateTimeField(db_index=True)
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+")
    source = models.ForeignKey(Source, on_delete=models.SET_NULL, null=True, related_name="+")
    code = models.CharField(max_length=64)
    problem = models.JSONField(help_text=_("The answer that was sent"))
    content_type = models.CharField(max_length=200, blank=True)
    body = models.BinaryField(help_text=_("As received, cut after 64 KiB"))
    size = models.PositiveIntegerField(help_text=_("Size of the whole body in bytes"))
    settled_at = models.DateTimeField(null=True, blank=True, help_text=_("When a supervisor settled it"))

    class Meta:
        verbose_name = _("refused intake")
        verbose_name_plural = _("intake journal")
        ordering = ["-at"]
        indexes = [models.Index(fields=["-at"], condition=Q(settled_at=None), name="refusedintake_unsettled")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.code}"

    @property
    def text(self) -> str:
        return bytes(self.body).decode("utf-8", "replace")
