"""The second factor of a sign-in: passkeys, an authenticator app (TOTP, RFC 6238), and recovery codes for lost ones.

The devices are django-otp's; a recovery code is stored as a digest. Whoever turns it on has it asked at each sign-in;
the account says whether staff must.
"""

from __future__ import annotations

import hashlib
import secrets
from base64 import b32encode
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django_otp import devices_for_user
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from ..history import audit_trail
from ..models import Account, AuditEntry, User
from . import letters, passkeys

RECOVERY_CODES = 10
WRONG_CODES_TOLD = 5  # in a row; then a letter goes
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no letters that look alike


def is_on(user: User) -> bool:
    return has_app(user) or passkeys.of(user).exists()


def has_app(user: User) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def is_missing(user: Any, *, asked: bool | None = None) -> bool:
    """Tell whether the user must set up a second factor before anything else.

    user: with django-otp's is_verified; asked: whether the account asks it of staff, where that is known already.
    """
    if not user.is_authenticated or not user.is_staff or user.is_verified():
        return False
    return Account.get().second_factor if asked is None else asked


def begin(user: User) -> TOTPDevice:
    """Give the user a new secret, which counts for nothing until a code of it is confirmed."""
    with transaction.atomic():
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        return TOTPDevice.objects.create(user=user, name="app", confirmed=False)


def pending_device(user: User) -> TOTPDevice | None:
    return TOTPDevice.objects.filter(user=user, confirmed=False).first()


def readable_key(device: TOTPDevice) -> str:
    """Return the secret as one types it into an app that cannot read the picture."""
    text = b32encode(device.bin_key).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


@transaction.atomic
def confirm(user: User, code: str, *, at: datetime) -> list[str] | None:
    """Turn the second factor on, and end the user's sessions; return the recovery codes, or None for a wrong code."""
    device = TOTPDevice.objects.select_for_update().filter(user=user, confirmed=False).first()
    if device is None or not device.verify_token(_digits(code)):
        return None
    TOTPDevice.objects.filter(user=user, confirmed=True).delete()
    TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True)
    codes = _new_codes(user)
    _end_sessions(user)
    audit_trail.note(AuditEntry.Action.SECOND_FACTOR, at=at, by=user, about=f"accounts_user:{user.pk}", on=True)
    letters.tell(user, letters.LetterKind.APP, at=at, by=user)
    return codes


@transaction.atomic
def renew_codes(user: User, *, at: datetime) -> list[str]:
    """Give the user new recovery codes; those of before open nothing any more."""
    codes = _new_codes(user)
    audit_trail.note(
        AuditEntry.Action.SECOND_FACTOR,
        at=at,
        by=user,
        about=f"accounts_user:{user.pk}",
        on=True,
        new_codes=len(codes),
    )
    letters.tell(user, letters.LetterKind.CODES, at=at, by=user)
    return codes


@transaction.atomic
def add_passkey(request: HttpRequest, user: User, *, name: str, answer: str, at: datetime) -> list[str] | None:
    """Keep a new passkey of the user; return None where it is not to be believed.

    The first second factor is turned on by it: the user's sessions end, and the recovery codes are returned.
    """
    first = not is_on(user)
    if passkeys.add(request, user, name=name, answer=answer) is None:
        return None
    codes = _new_codes(user) if first else []
    if first:
        _end_sessions(user)
    _note_passkeys(user, at=at)
    letters.tell(user, letters.LetterKind.PASSKEY_ADDED, at=at, by=user, detail=name)
    return codes


def is_last(passkey: passkeys.Passkey) -> bool:
    """Tell whether without this passkey its user has no second factor."""
    user = passkey.user
    return not has_app(user) and not passkeys.of(user).exclude(pk=passkey.pk).exists()


@transaction.atomic
def remove_passkey(user: User, passkey: passkeys.Passkey, *, at: datetime) -> None:
    """Forget one of the user's passkeys, and end their sessions. With the last the second factor is off."""
    passkey.delete()
    letters.tell(user, letters.LetterKind.PASSKEY_REMOVED, at=at, by=user, detail=passkey.name)
    if not is_on(user):
        turn_off(user, at=at, by=user)
        return
    _end_sessions(user)
    _note_passkeys(user, at=at)


@transaction.atomic
def turn_off(user: User, *, at: datetime, by: User) -> None:
    """Forget the user's devices and codes, and end their sessions."""
    for device in devices_for_user(user, confirmed=None):
        device.delete()
    _end_sessions(user)
    audit_trail.note(AuditEntry.Action.SECOND_FACTOR, at=at, by=by, about=f"accounts_user:{user.pk}", on=False)
    letters.tell(user, letters.LetterKind.FACTOR_OFF, at=at, by=by)


def matching_device(user: User, code: str, *, at: datetime) -> Any:
    """Return the device of which the code is; None for a wrong one. A code works once; wrong ones slow down the next.

    The wait doubles with each wrong code and has no end: nobody guesses six digits. The person is told by letter, and a
    new password ends the wait.
    """
    code = code.replace(" ", "").replace("-", "").lower()
    kind: Any = TOTPDevice if code.isdigit() else StaticDevice
    with transaction.atomic():  # two who send the same code at once take turns
        device = kind.objects.select_for_update().filter(user=user, confirmed=True).first()
        if device is None:
            return None
        before = device.throttling_failure_count
        if device.verify_token(code if kind is TOTPDevice else _digest(user, code)):
            return device
        if before < device.throttling_failure_count == WRONG_CODES_TOLD:
            letters.tell(user, letters.LetterKind.WRONG_CODES, at=at)
        return None


def forget_wrong_codes(user: User) -> None:
    """End the wait that wrong codes have made, for who has a new password: whoever guessed knew the old one."""
    for kind in (TOTPDevice, StaticDevice):
        kind.objects.filter(user=user).update(throttling_failure_count=0, throttling_failure_timestamp=None)


def codes_left(user: User) -> int:
    return StaticToken.objects.filter(device__user=user).count()


@transaction.atomic
def end_sessions(user: User, *, at: datetime, by: User) -> None:
    """Sign the user out everywhere. Their API keys are apart, and revoked apart."""
    _end_sessions(user)
    audit_trail.note(AuditEntry.Action.SESSIONS_ENDED, at=at, by=by, about=f"accounts_user:{user.pk}")
    letters.tell(user, letters.LetterKind.SESSIONS, at=at, by=by)


def _note_passkeys(user: User, *, at: datetime) -> None:
    audit_trail.note(
        AuditEntry.Action.SECOND_FACTOR,
        at=at,
        by=user,
        about=f"accounts_user:{user.pk}",
        on=True,
        passkeys=passkeys.of(user).count(),
    )


def _end_sessions(user: User) -> None:
    User.objects.filter(pk=user.pk).update(sessions_ended=F("sessions_ended") + 1)
    user.refresh_from_db(fields=["sessions_ended"])


def _new_codes(user: User) -> list[str]:
    device = StaticDevice.objects.get_or_create(user=user, defaults={"name": "recovery codes"})[0]
    device.token_set.all().delete()  # the device stays: sessions that began with a code of it go on
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(10)) for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=device, token=_digest(user, code)) for code in codes])
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def _digest(user: User, code: str) -> str:
    """Return what is kept of a recovery code: as much of its digest as the column holds."""
    return hashlib.sha256(f"{user.pk}:{code}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _digits(code: str) -> str:
    return code.replace(" ", "")
