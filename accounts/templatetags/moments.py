"""Instants as people read them: in their own zone, and where it is another, in the account's beside it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from accounts.people.preferences import zone_beside, zones_read_in
from accounts.time.date_words import date_words
from accounts.time.instants import zone_name

register = template.Library()


@register.simple_tag
def moment(at: datetime | None, form: str = "SHORT_DATETIME_FORMAT") -> str | SafeString:
    """Show the instant with its zone; "" for none. form: a date format, such as H:i."""
    if at is None:
        return ""
    own, account = _by_reader(at, form), _by_account(at, form)
    if not account:
        return format_html('<time datetime="{}">{}</time>', at.isoformat(), own)
    return format_html('<time datetime="{}">{} <small>({})</small></time>', at.isoformat(), own, account)


def in_words(at: datetime, form: str = "SHORT_DATETIME_FORMAT") -> str:
    """Return what `moment` shows as plain text, for sentences."""
    own, account = _by_reader(at, form), _by_account(at, form)
    return f"{own} ({account})" if account else own


register.filter("date_words", date_words)


@register.filter
def here(at: datetime | None, form: str = "SHORT_DATETIME_FORMAT") -> str:
    """Show the instant in plain words, without the name of the zone of a page that names it; "" for none."""
    if at is None:
        return ""
    own, account = date_words(timezone.localtime(at), form), _by_account(at, form)
    return f"{own} ({account})" if account else own


def _by_reader(at: datetime, form: str) -> str:
    zones = zones_read_in.get()
    return in_zone(at, zones.own if zones else ZoneInfo("UTC"), form)


def _by_account(at: datetime, form: str) -> str:
    """Return the instant in the account's zone; "" where the reader's is the same."""
    beside = zone_beside()
    return in_zone(at, beside, form) if beside else ""


def in_zone(at: datetime, zone: ZoneInfo, form: str) -> str:
    there = at.astimezone(zone)
    return f"{date_words(there, form)} {zone_name(there)}"


@register.filter
def duration(span: timedelta | None) -> str:
    """Show a length of time by its largest units: 2 h 5 min, 45 s."""
    if span is None:
        return "–"
    seconds = max(0, round(span.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return _("%(days)d d %(hours)d h") % {"days": days, "hours": hours}
    if hours:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)d min") % {"minutes": minutes}
    return _("%(seconds)d s") % {"seconds": seconds}


@register.filter
def minutes(count: int) -> str:
    """Show a number of minutes by its largest units."""
    return duration(timedelta(minutes=count))
