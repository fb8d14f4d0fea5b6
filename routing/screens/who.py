"""Who a lead is from, for pages and files: what is known of the contact, and what came with the lead where it differs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.utils.translation import gettext, gettext_lazy, pgettext

from routing.intake import identity
from routing.models import Lead
from routing.representations import Point
from routing.wording.said import sent_text

TELEGRAM = re.compile(r"@?([A-Za-z][A-Za-z0-9_]{4,31})")
SENT = {  # what of a contact and a company is kept as it came, with its title
    ("contact", "name"): gettext_lazy("Name as sent"),
    ("contact", "email"): gettext_lazy("E-mail as sent"),
    ("contact", "phone"): gettext_lazy("Phone as sent"),
    ("contact", "chat"): gettext_lazy("Chat as sent"),
    ("company", "name"): gettext_lazy("Company as sent"),
    ("company", "domain"): gettext_lazy("Domain as sent"),
}
LEAST_DIGITS = 5  # of a number that cannot be read, and that a person may dial


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A phone, e-mail or chat, as it is shown and opened."""

    kind: str
    text: str
    address: str  # "tel:…", "mailto:…", of a page; "" where there is none
    valid: bool
    shared: bool
    main: bool
    source: str | None
    first_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Something that came with a lead and that the known contact or company does not show."""

    label: str
    text: str
    valid: bool


def reaches(points: Sequence[Point]) -> tuple[Reach, ...]:
    """Return how the contact is reached, phones first."""
    order = ("phone", "email", "chat")
    return tuple(_reach(point) for kind in order for point in points if point.kind == kind)


def _reach(point: Point) -> Reach:
    return Reach(
        kind=point.kind,
        text=with_extension(point.text, point.extension),
        address=_address(point),
        valid=point.valid or point.kind == "chat",
        shared=point.shared,
        main=point.main,
        source=point.source,
        first_seen_at=point.first_seen_at,
    )


def with_extension(phone: str, extension: str) -> str:
    return gettext("%(phone)s ext. %(extension)s") % {"phone": phone, "extension": extension} if extension else phone


def _address(point: Point) -> str:
    if point.kind == "phone":
        if point.valid:
            return f"tel:{point.text};ext={point.extension}" if point.extension else f"tel:{point.text}"
        digits = re.sub(r"[^\d+]", "", point.text)
        return f"tel:{digits}" if sum(map(str.isdigit, digits)) >= LEAST_DIGITS else ""
    if point.kind == "email":
        return f"mailto:{point.text}" if point.valid else ""
    return chat_address(point.text)


def chat_address(handle: str) -> str:
    """Return the page on which to write to somebody, or "": a handle of Telegram, or an address as it is."""
    if handle.lower().startswith(("https://", "http://")):
        return handle
    telegram = TELEGRAM.fullmatch(handle.strip())
    return f"https://t.me/{telegram[1]}" if telegram else ""


def sent_beside(lead: Lead, points: Sequence[Point]) -> tuple[Sent, ...]:
    """Return what came with the lead and differs from what is known. lead: joined with contact and company."""
    as_sent = cast(Mapping[str, Any], lead.as_sent or {})
    unreadable = as_sent.get("unreadable", ())
    return tuple(
        Sent(label=str(label), text=text, valid=field not in unreadable)
        for (whose, field), label in SENT.items()
        if (text := sent_text(as_sent, whose, field)) and not _is_shown(lead, whose, field, text, points)
    )


def _is_shown(lead: Lead, whose: str, field: str, text: str, points: Sequence[Point]) -> bool:
    if field == "name":
        known = getattr(lead, whose)
        return known is not None and identity.normalise_name(known.name) == identity.normalise_name(text)
    if field == "domain":
        domain = lead.company.domain if lead.company else ""
        return domain == text or identity.normalise_domain(domain) == identity.normalise_domain(text) is not None
    return any(point.kind == field and _is_one(field, point, text) for point in points)


def _is_one(kind: str, point: Point, text: str) -> bool:
    if not point.valid or point.text == text:
        return point.text == text
    if kind == "email":
        return identity.normalise_email(text) == point.text
    if kind == "chat":
        return identity.normalise_chat(text) == identity.normalise_chat(point.text)
    number, extension = identity.read_phone(point.text, None), re.sub(r"\D", "", point.extension)
    dialled = re.sub(r"\D", "", text)
    return number is not None and dialled[: len(dialled) - len(extension)][-9:] == number.number[1:][-9:]


def matched_words(lead: Lead) -> str:
    """Say how the lead's contact was found, and what of the lead identifies nobody."""
    found = {
        "email": gettext("Found by the e-mail address"),
        "chat": gettext("Found by the chat handle"),
        "phone": gettext("Found by the phone number"),
        "new": pgettext("contact", "New contact"),
    }.get(lead.matched_by, "")
    return ". ".join(filter(None, [found, *placeholder_words(lead)]))


# Why something that came with a lead was compared with nothing.
NOBODY = {
    "mail_provider": gettext_lazy("“%(text)s” belongs to a mail provider and identifies no company"),
    "social_network": gettext_lazy("“%(text)s” is a site that many use and identifies no company"),
    "company": gettext_lazy("“%(text)s” is no name of a company"),
    "mailbox": gettext_lazy("“%(text)s” is the mailbox of a company and identifies no person"),
    "email": gettext_lazy("“%(text)s” is a test address and identifies nobody"),
    "phone": gettext_lazy("“%(text)s” is a test number and identifies nobody"),
    "chat": gettext_lazy("“%(text)s” identifies nobody"),
}


def placeholder_words(lead: Lead) -> list[str]:
    """Say what of the lead identifies nobody."""
    sent = cast(Mapping[str, Any], lead.as_sent or {})
    return [
        str(NOBODY[kind] % {"text": sent_text(sent, *field.split("."))})
        for field, kind in sent.get("nobody", {}).items()
    ]
