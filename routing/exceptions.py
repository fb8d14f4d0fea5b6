"""Refusals of the domain, told apart by what the caller does next. They know nothing of HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NotRequired, TypedDict


class FieldError(TypedDict):
    """One thing that is wrong in what was sent."""

    pointer: str  # JSON pointer to it, "" for the whole
    code: str  # stable, for programs
    detail: str  # a sentence, for people
    field: NotRequired[str]  # the pointer in words: "contact.email"


class Refused(Exception):
    """The domain says no. `code` is stable and for programs, the message is a sentence for people."""

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "The request was refused"

    def __init__(self, detail: str = "", *, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = list(errors)


class InvalidLead(Refused):
    """What was sent cannot become a lead. Nothing was written; `errors` names each fault."""

    code = "invalid-lead"
    title = "The lead is not valid"


class NotFound(Refused):
    """What was asked for does not exist, or the caller may not know that it does."""

    code = "not-found"
    title = "Not found"


class Gone(Refused):
    """What was asked for is no longer there; the message says what took its place."""

    code = "gone"
    title = "No longer there"


class IdempotencyKeyReused(Refused):
    """The Idempotency-Key was already used with another body. Nothing was written."""

    code = "idempotency-key-reused"
    title = "The idempotency key belongs to another request"


class OfferClosed(Refused):
    """The offer was accepted, declined or out of time before. Nothing was written."""

    code = "offer-closed"
    title = "The offer is closed"


class Conflict(Refused):
    """The thing is no longer as the caller believed. Nothing was written; look again, then decide again."""

    code = "conflict"
    title = "The current state does not allow this"


class NotAllowed(Refused):
    """The caller is known, and may not do this."""

    code = "not-allowed"
    title = "Not allowed"


class Busy(Refused):
    """The work could not be begun in time. Nothing was written; the same request may be sent again."""

    code = "busy"
    title = "Too busy at the moment"

    def __init__(self, detail: str = "", *, retry_after: int = 1, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(detail, errors=errors)
        self.retry_after = retry_after  # seconds


class Undecided(Exception):
    """The decision on a new lead failed: a bug, or data that no trigger can read. The lead can be kept all the same."""
