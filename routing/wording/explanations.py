"""Why a lead went where it went, in words that people read. Pure: plain values in, text out, in the active language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, ngettext, npgettext, pgettext

from accounts.time.date_words import date_words
from accounts.time.instants import zone_name

from ..engine import LEAD, METHODS, Reason

COMMA = ", "


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFacts:
    """A candidate as one decision saw them, and what the words need besides."""

    name: str
    refusal: Reason | None = None  # why they could not take the lead; None: they could
    chosen: bool = False
    coefficient: int = 1
    held: int = 0  # leads in the limit's stages
    limit: int | None = None
    owed: int = 0  # billionths of a lead, their share of this one included, before anybody paid
    received: int = 0  # leads, where totals decide
    tied: bool = False  # somebody else who could take it had as good a claim
    back_at: datetime | None = None  # end of the pause, or next start of duty
    endless: bool = False  # a pause until resumed
    lacks: str = ""  # what the lead asks for and they do not do


# Amounts and times


def amount(billionths: int) -> str:
    """Return an amount without its sign: "0.8 of a lead", "1 lead", "2.5 leads"."""
    leads = round(abs(billionths) / LEAD, 2)
    figure = number_format(leads if leads % 1 else int(leads))
    if leads < 1:
        return gettext("%(figure)s of a lead") % {"figure": figure}
    number = 2 if leads % 1 else int(leads)  # languages say a fraction of leads as they say two
    return ngettext("%(figure)s lead", "%(figure)s leads", number) % {"figure": figure}


def is_level(billionths: int) -> bool:
    """Tell whether an amount is nothing once it is rounded for people."""
    return abs(billionths) < LEAD // 200


def balance(billionths: int) -> str:
    """Return a balance in words: "owed 0.8 of a lead", "0.5 of a lead ahead", "owed nothing"."""
    if is_level(billionths):
        return pgettext("a balance", "owed nothing")
    words = pgettext("a balance", "owed %(amount)s") if billionths > 0 else pgettext("a balance", "%(amount)s ahead")
    return words % {"amount": amount(billionths)}


def moment(instant: datetime, *, at: datetime, zone: ZoneInfo, beside: ZoneInfo | None = None) -> str:
    """Return the instant as somebody at `at` would say it: "13:30", or "Tue 3 Mar, 09:00" on another day.

    beside: a zone to say it in as well, in brackets and with its name.
    """
    own = _instant_in_words(instant, at, zone)
    return (
        f"{own} ({_instant_in_words(instant, at, beside)} {zone_name(instant.astimezone(beside))})" if beside else own
    )


def _instant_in_words(instant: datetime, at: datetime, zone: ZoneInfo) -> str:
    there, here = instant.astimezone(zone), at.astimezone(zone)
    if there.date() == here.date():
        return date_format(there, "H:i")
    year = " Y" if abs((there - here).days) > 300 else ""
    return date_words(there, f"D j M{year}, H:i")


# One candidate


def why(seen: CandidateFacts, *, reason: Reason, at: datetime, zone: ZoneInfo, beside: ZoneInfo | None = None) -> str:
    """Return why the candidate got the lead, or why not. reason: of the decision."""
    if seen.chosen:
        return pgettext("a candidate", "chosen: %(why)s") % {"why": _claim(seen, reason)}
    if seen.refusal is not None:
        back = moment(seen.back_at, at=at, zone=zone, beside=beside) if seen.back_at else None
        return _refusal(seen, back=back)
    return pgettext("a candidate", "could take it: %(why)s") % {"why": _claim(seen, reason)}


def _refusal(seen: CandidateFacts, *, back: str | None) -> str:
    if seen.refusal is Reason.PAUSED and seen.endless:
        return pgettext("a candidate", "paused until resumed")
    timed = {
        Reason.PAUSED: pgettext("a candidate", "paused until %(time)s"),
        Reason.OFF_DUTY: pgettext("a candidate", "off duty, next on duty %(time)s"),
    }
    if back and seen.refusal in timed:
        return timed[seen.refusal] % {"time": back}
    if seen.refusal is Reason.AT_LIMIT and seen.limit is not None:
        return full(seen.held, seen.limit)
    if seen.refusal is Reason.NO_MATCH and seen.lacks:
        return pgettext("a candidate", "lacks a skill that the lead needs: %(skill)s") % {"skill": seen.lacks}
    return _plain(seen.refusal)


def full(held: int, limit: int) -> str:
    """Return how many leads somebody holds of those they may: "10 of 10 leads"."""
    return ngettext("%(held)d of %(limit)d lead", "%(held)d of %(limit)d leads", limit) % {"held": held, "limit": limit}


def _plain(refusal: Reason | None) -> str:
    return {
        Reason.INACTIVE: pgettext("a candidate", "not active"),
        Reason.PAUSED: pgettext("a candidate", "paused"),
        Reason.OFF_DUTY: pgettext("a candidate", "off duty"),
        Reason.OFFLINE: pgettext("a candidate", "not online"),
        Reason.COEFFICIENT_ZERO: pgettext("a candidate", "gets no leads: coefficient 0"),
        Reason.NO_MATCH: pgettext("a candidate", "lacks a skill that the lead needs"),
        Reason.AT_LIMIT: pgettext("a candidate", "at the limit"),
        Reason.ALREADY_TRIED: pgettext("a candidate", "already had this lead"),
    }[refusal or Reason.INACTIVE]


def _claim(seen: CandidateFacts, reason: Reason) -> str:
    """Return what spoke for somebody who could take the lead, or was named for it."""
    named = {
        Reason.RESPONSIBLE: pgettext("a candidate", "already responsible for the customer"),
        Reason.DUTY: pgettext("a candidate", "on duty for leads that nobody took"),
        Reason.KEEP: pgettext("a candidate", "had it last and keeps it"),
    }
    if seen.chosen and reason in named:
        return named[reason]
    ways = {
        Reason.TOTALS: _leads_received,
        Reason.LEAST_LOADED: _leads_held,
        Reason.DIRECT: lambda seen: (
            pgettext("a candidate", "first in the order")
            if seen.chosen
            else pgettext("a candidate", "later in the order")
        ),
        Reason.NOBODY: lambda _: pgettext("a candidate", "the lead had no attempts left"),
        Reason.IN_LINE: lambda _: pgettext("a candidate", "other leads came first"),
    }
    return ways.get(reason, _balance_in_words)(seen)


def _balance_in_words(seen: CandidateFacts) -> str:
    words = pgettext("a candidate", "was %(balance)s") % {"balance": balance(seen.owed)}
    return COMMA.join([words, *_patience(seen)])


def _leads_received(seen: CandidateFacts) -> str:
    words = ngettext("had received %(count)d lead", "had received %(count)d leads", seen.received)
    return COMMA.join([words % {"count": seen.received}, *_weight(seen), *_patience(seen)])


def _leads_held(seen: CandidateFacts) -> str:
    words = ngettext("held %(count)d lead", "held %(count)d leads", seen.held) % {"count": seen.held}
    return COMMA.join([words, *_weight(seen), *_patience(seen)])


def _weight(seen: CandidateFacts) -> list[str]:
    if seen.coefficient == 1:
        return []
    return [pgettext("a candidate", "coefficient %(coefficient)d") % {"coefficient": seen.coefficient}]


def _patience(seen: CandidateFacts) -> list[str]:
    return [pgettext("a candidate", "longest without a lead")] if seen.chosen and seen.tied else []


# A whole decision


def outcome(seen: Sequence[CandidateFacts], *, reason: Reason) -> str:
    """Return what a decision came to, in a sentence."""
    chosen = next((s for s in seen if s.chosen), None)
    if chosen is None:
        return _waits(seen, reason)
    able = sum(s.refusal is None for s in seen)
    if reason not in METHODS:
        return _sentence(reason) % {"name": chosen.name}
    if able == 1:
        return gettext("%(name)s got it: nobody else could take it.") % {"name": chosen.name}
    words = {
        Reason.FAIR_SHARE: gettext("%(name)s got it: owed the most of the %(count)d managers who could take it."),
        Reason.TOTALS: gettext(
            "%(name)s got it: had received the fewest leads of the %(count)d managers who could take it."
        ),
        Reason.LEAST_LOADED: gettext(
            "%(name)s got it: held the fewest leads of the %(count)d managers who could take it."
        ),
        Reason.DIRECT: gettext("%(name)s got it: first in the order of the %(count)d managers who could take it."),
    }.get(reason, gettext("%(name)s got it: first of the %(count)d managers who could take it."))
    return words % {"name": chosen.name, "count": able}


def would_be(seen: Sequence[CandidateFacts], *, reason: Reason) -> str:
    """Return what a decision would come to that nobody has made, in a sentence."""
    chosen = next((s for s in seen if s.chosen), None)
    if chosen is None:
        return _waits(seen, reason)
    if reason in METHODS and sum(s.refusal is None for s in seen) == 1:
        return gettext("%(name)s would get it: nobody else could take it.") % {"name": chosen.name}
    return gettext("%(name)s would get it: %(reason)s.") % {"name": chosen.name, "reason": in_brief(reason)}


def _sentence(reason: Reason) -> str:
    return {
        Reason.RESPONSIBLE: gettext("%(name)s got it: already responsible for the customer."),
        Reason.DUTY: gettext("%(name)s got it: on duty for leads that nobody took."),
        Reason.KEEP: gettext("%(name)s keeps it: nobody else was left to ask."),
    }.get(reason, gettext("%(name)s got it."))


def in_brief(reason: Reason) -> str:
    """Return why a lead goes where it goes, in the few words of a table."""
    return {
        Reason.FAIR_SHARE: pgettext("a reason", "fair share"),
        Reason.TOTALS: gettext("fewest received"),
        Reason.LEAST_LOADED: gettext("fewest leads held"),
        Reason.DIRECT: gettext("first available, in order"),
        Reason.RESPONSIBLE: pgettext("a candidate", "already responsible for the customer"),
        Reason.DUTY: pgettext("a candidate", "on duty for leads that nobody took"),
        Reason.BY_HAND: pgettext("a reason", "by hand"),
        Reason.NOBODY: pgettext("a reason", "nobody can take it"),
    }.get(reason, str(reason))


def _waits(seen: Sequence[CandidateFacts], reason: Reason) -> str:
    if reason is Reason.IN_LINE:
        return gettext("It waits: other leads came first.")
    if any(s.refusal is None for s in seen):
        return gettext("It waits: it has no attempts left.")
    return gettext("It waits: %(why)s.") % {"why": summarise([s.refusal for s in seen if s.refusal])}


def summarise(refusals: Collection[Reason]) -> str:
    """Return why nobody can take a lead, summed up: "2 off duty, 1 on pause"."""
    if not refusals:
        return gettext("the trigger has no members")
    counts = Counter(refusals)
    return COMMA.join(_count_in_words(refusal, counts[refusal]) for refusal in Reason if refusal in counts)


def _count_in_words(refusal: Reason, count: int) -> str:
    words = {
        Reason.INACTIVE: npgettext("managers", "%(count)d not active", "%(count)d not active", count),
        Reason.PAUSED: npgettext("managers", "%(count)d paused", "%(count)d paused", count),
        Reason.OFF_DUTY: npgettext("managers", "%(count)d off duty", "%(count)d off duty", count),
        Reason.OFFLINE: npgettext("managers", "%(count)d not online", "%(count)d not online", count),
        Reason.COEFFICIENT_ZERO: npgettext(
            "managers", "%(count)d with coefficient 0", "%(count)d with coefficient 0", count
        ),
        Reason.NO_MATCH: npgettext(
            "managers", "%(count)d lacks a skill it needs", "%(count)d lack a skill it needs", count
        ),
        Reason.AT_LIMIT: npgettext("managers", "%(count)d full", "%(count)d full", count),
        Reason.ALREADY_TRIED: npgettext("managers", "%(count)d already had it", "%(count)d already had it", count),
    }
    return words[refusal] % {"count": count}


def not_a_member(trigger: str) -> str:
    """Return why somebody was no candidate at all."""
    return gettext("not a member of the trigger %(trigger)s") % {"trigger": trigger}


# Where somebody stands


def claim(seen: CandidateFacts, *, method: Reason) -> str:
    """Return what speaks for somebody's next lead: "You are owed 0.8 of a lead"."""
    if method is Reason.TOTALS:
        words = ngettext("You have received %(count)d lead", "You have received %(count)d leads", seen.received)
        return words % {"count": seen.received}
    if method is Reason.LEAST_LOADED:
        words = ngettext("You hold %(count)d lead", "You hold %(count)d leads", seen.held)
        return words % {"count": seen.held}
    if method is Reason.DIRECT:
        return gettext("The first available manager in the list gets the lead")
    if is_level(seen.owed):
        return gettext("Your balance is zero")
    words = gettext("You are owed %(amount)s") if seen.owed > 0 else gettext("You are %(amount)s ahead")
    return words % {"amount": amount(seen.owed)}


def standing(seen: CandidateFacts, *, method: Reason, place: int | None, line: int) -> str:
    """Return where somebody stands: "You are owed 0.8 of a lead: next in line of 3."

    place: from 1, among the `line` who could take a lead now; None: they could not.
    """
    if place is None:
        return claim(seen, method=method) + pgettext("ends a sentence", ".")
    if line == 1:
        where = gettext("nobody else can take a lead now")
    elif place == 1:
        where = gettext("first of %(line)d in line") % {"line": line}
    else:
        where = gettext("number %(place)d of %(line)d in line") % {"place": place, "line": line}
    return (
        claim(seen, method=method) + pgettext("between a statement and what follows from it", ": ") + where
    ) + pgettext("ends a sentence", ".")
