"""Letters that tell a person what was changed of how they sign in, so that a stranger's change does not stay unseen.

A letter is a row, written along with the change; the worker sends it. It holds no link and no secret.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import models
from django.db.models import F
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Account, Letter, User
from ..time import schedules

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 200
RUN_SECONDS = 30.0  # of one job; what is left goes with the next
LONGEST_WAIT = timedelta(hours=6)
MOST_TRIES = 20  # some three days


class LetterKind(models.TextChoices):
    """What a letter tells; the label is its subject."""

    APP = "app", gettext_lazy("A new authenticator app was set up")
    PASSKEY_ADDED = "passkey_added", gettext_lazy("A passkey was added")
    PASSKEY_REMOVED = "passkey_removed", gettext_lazy("A passkey was removed")
    FACTOR_OFF = "factor_off", gettext_lazy("Your second factor was turned off")
    CODES = "codes", gettext_lazy("New recovery codes were created")
    PASSWORD = "password", gettext_lazy("Your password was changed")
    EMAIL = "email", gettext_lazy("Your e-mail address was changed")
    KEY = "key", gettext_lazy("An API key was created")
    SESSIONS = "sessions", gettext_lazy("You were signed out everywhere")
    WRONG_CODES = "wrong_codes", gettext_lazy("Wrong codes were entered in your name")


def tell(user: User, kind: LetterKind, *, at: datetime, by: Any = None, to: str = "", detail: str = "") -> None:
    """Write the user a letter. by: who did it; to: another address than the user's; detail: a line of what it was."""
    with translation.override(_language(user)):
        paragraphs = [
            _("Hello %(name)s,") % {"name": user},
            f"{kind.label}: {_moment(at)}{_author(user, by)}." + (f"\n{detail}" if detail else ""),
            _advice(kind),
            _("You get this e-mail because it is about how you sign in to Leadrouter."),
        ]
        subject = f"Leadrouter: {kind.label}"
    Letter.objects.create(to=to or user.email, subject=subject, body="\n\n".join(paragraphs) + "\n", due_at=at)


def _language(user: User) -> str:
    known = dict(settings.LANGUAGES)
    return user.language if user.language in known else settings.LANGUAGE_CODE


def _moment(at: datetime) -> str:
    zone = schedules.zone(Account.get().time_zone)
    with timezone.override(zone):
        return f"{date_format(timezone.localtime(at), 'DATETIME_FORMAT')} ({zone.key})"


def _author(user: User, by: Any) -> str:
    if by is None:
        return ""
    return ", " + (_("from one of your sessions") if by.pk == user.pk else _("by %(who)s") % {"who": by.email})


def _advice(kind: LetterKind) -> str:
    if kind is LetterKind.WRONG_CODES:
        return _(
            "If this was not you, somebody knows your password or uses one of your sessions. "
            "Tell an administrator at once. Until you have a new password, each wrong code "
            "makes the next attempt wait longer."
        )
    return _(
        "If you did not do this or ask for it, tell an administrator at once: they can sign you out everywhere, turn off "
        "the second factor and give you a new password."
    )


def send_due(*, at: datetime) -> int:
    """Send the letters that are due; return how many went. Tries are counted before they are made."""
    sent, began = 0, time.monotonic()
    for letter in Letter.objects.filter(due_at__lte=at).order_by("due_at", "pk")[:MOST_AT_ONCE]:
        if time.monotonic() - began > RUN_SECONDS:
            break
        wait = min(timedelta(minutes=1) * 2**letter.tries, LONGEST_WAIT)
        claimed = Letter.objects.filter(pk=letter.pk, tries=letter.tries).update(tries=F("tries") + 1, due_at=at + wait)
        if claimed:
            sent += _send(letter)
    return sent


def _send(letter: Letter) -> bool:
    try:
        send_mail(letter.subject, letter.body, None, [letter.to])
    except Exception as error:  # of sockets, of TLS, of the mail server: none of them may stop the other letters
        given_up = letter.tries + 1 >= MOST_TRIES
        facts = {"action": "letter_given_up" if given_up else "letter_failed"}
        logger.warning("letter %s not sent: %s", letter.pk, type(error).__name__, extra=facts)
        if not given_up:
            return False
    else:
        given_up = False
    letter.delete()
    return not given_up
