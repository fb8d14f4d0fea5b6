"""Passkeys (WebAuthn): what a browser is asked, and whether what it answers is true.

Tables and arithmetic are django-otp-webauthn's; addresses, pages and script are ours. A passkey belongs to the host at
which it was made, and its answers are believed at the origin of the request alone. It never replaces the password.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.request import split_domain_port
from django_otp_webauthn.helpers import WebAuthnHelper
from django_otp_webauthn.models import WebAuthnCredential as Passkey
from webauthn.helpers.structs import UserVerificationRequirement

from ..models import User

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 300  # between a question and its answer
# Where the session keeps the question that is open.
OFFERED, ASKED = "passkey_offered", "passkey_asked"


def domain(request: HttpRequest) -> str:
    """Return the host to which a passkey belongs: that of the request, which ALLOWED_HOSTS has let in."""
    return split_domain_port(request.get_host())[0]


class RelyingParty(WebAuthnHelper):
    """This installation, as browsers and passkeys know it."""

    def get_allowed_origins(self) -> list[str]:
        return [f"{self.request.scheme}://{self.request.get_host()}"]

    def get_credential_display_name(self, user: Any) -> str:
        return str(user)

    def get_generate_authentication_options_kwargs(self, **facts: Any) -> dict[str, Any]:
        """Ask for finger, face or PIN where there is one: the password was given, so a plain key of USB will do."""
        kwargs: dict[str, Any] = super().get_generate_authentication_options_kwargs(**facts)
        return kwargs | {"user_verification": UserVerificationRequirement.PREFERRED}


def of(user: User) -> QuerySet[Passkey]:
    return Passkey.objects.filter(user=user, confirmed=True).order_by("created_at", "pk")


def offer(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return what the browser is asked to make a passkey of."""
    options, question = RelyingParty(request).register_begin(user)
    _keep(request, user, OFFERED, question)
    return dict(options)


def ask(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return what one of the user's passkeys is asked."""
    options, question = RelyingParty(request).authenticate_begin(user, require_user_verification=False)
    _keep(request, user, ASKED, question)
    return dict(options)


@transaction.atomic
def add(request: HttpRequest, user: User, *, name: str, answer: str) -> Passkey | None:
    """Keep the passkey that the browser made when it was offered; return it, or None for an answer that is not true."""
    question = _close_question(request, user, OFFERED)
    if question is None:
        return None
    passkey = _verify(lambda: RelyingParty(request).register_complete(user, question, json.loads(answer)))
    if passkey is not None:
        passkey.name = name
        passkey.save(update_fields=["name"])
    return passkey


@transaction.atomic
def answering(request: HttpRequest, user: User, answer: str) -> Passkey | None:
    """Return the user's passkey that answers what was asked; None for a wrong one. A question is answered once."""
    question = _close_question(request, user, ASKED)
    if question is None:
        return None
    passkey = _verify(lambda: RelyingParty(request).authenticate_complete(user, question, json.loads(answer)))
    return passkey if passkey is not None and passkey.confirmed else None


def _keep(request: HttpRequest, user: User, place: str, question: dict[str, Any]) -> None:
    request.session[place] = question | {"user": user.pk, "at": int(time.time())}


def _close_question(request: HttpRequest, user: User, place: str) -> dict[str, Any] | None:
    """Return the question that is open for the user in this session, and close it; None: there is none."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two who send the same answer at once take turns
    stored = type(request.session)(request.session.session_key)  # as it is now, not as it was when the request began
    question = stored.pop(place, None)
    request.session.pop(place, None)
    if question is None:
        return None
    stored.save()
    fresh = question["user"] == user.pk and 0 <= time.time() - question["at"] <= ANSWER_SECONDS
    return dict(question) if fresh else None


def _verify(complete: Callable[[], Passkey]) -> Passkey | None:
    try:
        with transaction.atomic():
            return complete()
    except (OperationalError, InterfaceError):  # of the database, not of the answer
        raise
    except Exception as error:  # a stranger's bytes lead the libraries to errors of every kind
        logger.info("passkey refused: %s", type(error).__name__, extra={"action": "passkey_refused"})
        return None
