"""What identifies nobody in this account, beside the list that comes with the program (routing/intake/placeholders.py)."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.history.configuration_tables import configuration_table
from routing.intake import placeholders


class Placeholder(models.Model):
    """A value that identifies nobody, or that does, though the list says otherwise."""

    class Kind(models.TextChoices):
        MAIL_PROVIDER = "mail_provider", _("domain of a mail provider")
        SOCIAL_NETWORK = "social_network", _("domain of a site that many use, such as a social network")
        COMPANY = "company", _("name that is no company's")
        MAILBOX = "mailbox", _("mailbox of a company, such as info@")
        EMAIL = "email", _("e-mail address")
        PHONE = "phone", _("phone number")
        CHAT = "chat", _("chat handle")

    kind = models.CharField(max_length=16, choices=Kind.choices)
    value = models.CharField(
        max_length=500,
        help_text=_("Spelling does not matter: case, accents, “www.” and dots in a mailbox make no difference."),
    )
    identifies = models.BooleanField(
        _("identifies somebody after all"),
        default=False,
        help_text=_("Tick this for a value that the built-in list has, but that one person or company uses here."),
    )

    class Meta:
        verbose_name = _("value that identifies nobody")
        verbose_name_plural = _("values that identify nobody")
        ordering = ["kind", "value"]
        constraints = [
            *configuration_table(),
            models.UniqueConstraint(
                fields=["kind", "value"],
                name="placeholder_once",
                violation_error_message=_("This value is on the list already."),
            ),
        ]

    def __str__(self) -> str:
        return self.value

    def clean(self) -> None:
        """Bring the value into the form that it is compared by."""
        if self.kind not in self.Kind.values or not self.value:
            return  # each field has said so
        value = placeholders.read_value(placeholders.PlaceholderKind(self.kind), self.value)
        if value is None:
            raise ValidationError({"value": UNREADABLE[self.Kind(self.kind)]})
        self.value = value


# What is wrong with a value that nothing could ever equal.
UNREADABLE = {
    Placeholder.Kind.MAIL_PROVIDER: _("Write a domain: mail.example."),
    Placeholder.Kind.SOCIAL_NETWORK: _("Write a domain: mail.example."),
    Placeholder.Kind.COMPANY: _("Write a name with a letter, a digit or a sign."),
    Placeholder.Kind.MAILBOX: _("Write the part before the @: info."),
    Placeholder.Kind.EMAIL: _("Mail cannot reach this address."),
    Placeholder.Kind.PHONE: _("Include the country code: +34 910 000 333."),
    Placeholder.Kind.CHAT: _("Nobody can be reached by this handle."),
}
