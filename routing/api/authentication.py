"""Who calls, and when: a key or a session becomes a Caller, by one statement a request; a user's key takes two."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.functional import SimpleLazyObject
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from accounts.models import User
from accounts.security import second_factor
from accounts.services import mark_online
from routing.models import ApiKey
from routing.prepared_statements import Statement, run, run_first

ALL_SCOPES = frozenset(ApiKey.Scope.values)
SUPERVISING_GROUPS = ["Supervisors", "Administrators"]  # made by a migration of accounts
LONGEST_KEY = 200
PREFIX = slice(3, 15)  # of `lr_PREFIX_SECRET`

# What a request needs to know beside its caller: the instant and the version of the configuration.
NOW = "now.at, coalesce((SELECT version FROM accounts_configurationversion), 0)"
CLOCK = "CROSS JOIN (SELECT clock_timestamp() AS at OFFSET 0) now"
BY_PREFIX = Statement(
    "by_prefix",
    f"""
SELECT {NOW}, k.id, k.digest, k.scopes, k.source_id, k.user_id, k.requests_per_minute,
    k.last_used_at IS NULL OR k.last_used_at < now.at - interval '1 minute',
    k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now.at) AND coalesce(s.active, true)
FROM routing_apikey k
{CLOCK}
LEFT JOIN routing_source s ON s.id = k.source_id
WHERE k.prefix = %(prefix)s
""",  # nosec B608  # its parts are the constants above
    prefix="text",
)
BY_USER = Statement(
    "by_user",
    f"""
SELECT {NOW}, m.id,
    m.id IS NOT NULL AND (m.last_seen_at IS NULL OR m.last_seen_at < now.at - interval '30 seconds'),
    u.is_superuser OR EXISTS (
        SELECT FROM accounts_user_groups member JOIN auth_group g ON g.id = member.group_id
        WHERE member.user_id = u.id AND g.name = ANY (%(groups)s)),
    u.is_active
FROM accounts_user u
{CLOCK}
LEFT JOIN accounts_manager m ON m.user_id = u.id
WHERE u.id = %(user)s
""",  # nosec B608  # its parts are the constants above
    user="bigint",
    groups="text[]",
)
# A row that another request is marking right now is left to it: nobody waits for a time of last use.
MARK_USED = """
UPDATE routing_apikey SET last_used_at = %(at)s WHERE id = (
    SELECT id FROM routing_apikey
    WHERE id = %(key)s AND (last_used_at IS NULL OR last_used_at < %(at)s - interval '1 minute')
    FOR NO KEY UPDATE SKIP LOCKED)
"""
NO_DIGEST = "0" * 64  # compared if there is no such key, so that the answer takes as long


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a request, what they may do, and when it came."""

    at: datetime  # the database's clock
    version: int  # of the configuration
    scopes: frozenset[str]
    sees_everything: bool  # the account's key, or a supervisor
    key_id: int | None = None  # None: a session
    key_limit: int | None = None  # requests a minute; None: as the settings say
    source_id: int | None = None  # of the key
    user_id: int | None = None  # of the key or the session
    manager_id: int | None = None  # of that user

    @property
    def owner(self) -> str:
        """Return the owner of idempotency keys, as ApiKey.owner does."""
        if self.source_id:
            return f"source:{self.source_id}"
        return f"user:{self.user_id}" if self.user_id else "account"

    @property
    def user(self) -> User | None:
        """Return the row of the user, to record who did something."""
        return User.objects.get(pk=self.user_id) if self.user_id else None


class KeyUser:
    """`request.user` for a key that belongs to no user: without a row, with the rights of the account or of a source."""

    is_authenticated = True
    is_active = True
    is_anonymous = is_staff = is_superuser = False
    pk = id = None

    def __init__(self, *, may_everything: bool) -> None:
        self.may_everything = may_everything

    def has_perm(self, permission: str, obj: object = None) -> bool:
        return self.may_everything

    def has_perms(self, permissions: list[str], obj: object = None) -> bool:
        return self.may_everything


class ApiKeyAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer KEY`, or `X-Api-Key: KEY`."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        presented = key_of(request)
        if presented is None:
            return None
        row = self._row(presented)
        digest = hashlib.sha256(presented.encode("utf-8", "surrogatepass")).hexdigest()
        known = hmac.compare_digest(digest.encode(), (row[3] if row else NO_DIGEST).encode())
        if row is None or not known or not row[-1]:
            raise exceptions.AuthenticationFailed
        at, version, key_id, _, scopes, source_id, user_id, limit, unused, _ = row
        manager_id, unseen, supervises = None, False, source_id is None
        if user_id:  # a key of a source, as most are, spares this statement
            rows = run(BY_USER, user=user_id, groups=SUPERVISING_GROUPS)
            if not rows or not rows[0][-1]:  # gone just now, or deactivated
                raise exceptions.AuthenticationFailed
            *_, manager_id, unseen, supervises, _ = rows[0]
        caller = Caller(
            at=at,
            version=version,
            scopes=frozenset(scopes),
            sees_everything=supervises,
            key_id=key_id,
            key_limit=limit,
            source_id=source_id,
            user_id=user_id,
            manager_id=manager_id,
        )
        if unused:
            with connection.cursor() as cursor:
                cursor.execute(MARK_USED, {"at": at, "key": key_id})
        if unseen and manager_id:
            mark_online(manager_id, at=at)
        user = (
            SimpleLazyObject(lambda: User.objects.get(pk=user_id))
            if user_id
            else KeyUser(may_everything=source_id is None)
        )
        return user, caller

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _row(self, presented: str) -> tuple[Any, ...] | None:
        # A key of another shape is looked up too, so that it takes as long as a wrong one.
        fits = (
            len(presented) <= LONGEST_KEY
            and presented.isascii()
            and presented.startswith("lr_")
            and presented.isprintable()
        )
        rows = run_first(BY_PREFIX, prefix=presented[PREFIX] if fits else "")
        return rows[0] if rows else None


class SessionAuthentication(authentication.SessionAuthentication):
    """The session of the pages, with its CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        if second_factor.is_missing(user):
            raise exceptions.AuthenticationFailed
        rows = run(BY_USER, user=user.pk, groups=SUPERVISING_GROUPS)
        if not rows:
            raise exceptions.AuthenticationFailed
        at, version, manager_id, unseen, supervises, _ = rows[0]
        if unseen and manager_id:
            mark_online(manager_id, at=at)
        caller = Caller(
            at=at,
            version=version,
            scopes=ALL_SCOPES,
            sees_everything=supervises,
            user_id=user.pk,
            manager_id=manager_id,
        )
        return user, caller


def key_of(request: Request) -> str | None:
    """Return the key that the request presents; None: it presents none. An empty key is a key, and a wrong one."""
    scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return str(key.strip())
    other = request.META.get("HTTP_X_API_KEY")
    return None if other is None else str(other.strip())


def caller_of(request: Request) -> Caller:
    """Return who sends the request. HasScope has made sure that there is somebody."""
    caller: Any = request.auth
    assert isinstance(caller, Caller)
    return caller
