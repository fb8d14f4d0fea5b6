"""Invitations: a link by which somebody without a password sets one."""

from __future__ import annotations

from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from ..models import User


def invitation_path(user: User) -> str:
    """Return the path of the page; it works once, and for as long as PASSWORD_RESET_TIMEOUT says."""
    return reverse(
        "invitation", args=[urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]
    )


def user_of_invitation(uidb64: str, token: str) -> User | None:
    """Return whose link it is, or None when it is wrong, used or too old."""
    try:
        pk = int(urlsafe_base64_decode(uidb64))
    except ValueError:
        return None
    user = User.objects.filter(pk=pk, is_active=True).first() if 0 < pk < 2**63 else None
    return user if user is not None and default_token_generator.check_token(user, token) else None
