"""A manager's shifts as a calendar that phones and mail programs subscribe to, at an address only they know.

The address holds the manager and a number, signed; nothing secret is stored. A new number ends all addresses before it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core import signing
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from icalendar import Calendar, Event

from ..models import Account, Manager
from ..people.names import in_one_line
from . import clock
from .availability import load_people

PAST, AHEAD = timedelta(days=28), timedelta(days=182)
SIGNER = signing.Signer(salt="accounts.time.feeds")


def feed_path(manager: Manager) -> str:
    """Return the path of the manager's calendar, for as long as they do not ask for a new one."""
    return reverse("calendar", args=[SIGNER.sign(f"{manager.pk}.{manager.calendar_number}")])


def renew_feed(manager: Manager) -> None:
    """Give the manager's calendar a new address; who has the old one sees nothing any more."""
    Manager.objects.filter(pk=manager.pk).update(calendar_number=F("calendar_number") + 1)
    manager.refresh_from_db(fields=["calendar_number"])


def manager_of_feed(token: str) -> Manager | None:
    """Return the manager whose address this is; None: of nobody, or not any more."""
    try:
        manager_id, number = SIGNER.unsign(token).split(".")
    except (signing.BadSignature, ValueError):
        return None
    found = Manager.objects.select_related("user").filter(pk=manager_id, calendar_number=number)
    return found.filter(active=True, user__is_active=True).first()


def calendar_of(manager: Manager, *, at: datetime) -> bytes:
    """Return the shifts of the last four weeks and the next half year, as instants: right across every clock change."""
    person = load_people(Account.get())[manager.pk]
    calendar = Calendar()
    calendar.add("prodid", "-//Leadrouter//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", _("Shifts of %(name)s") % {"name": in_one_line(str(manager))})
    calendar.add("refresh-interval;value=duration", "PT1H")
    for start, end in person.duty.stretches(at - PAST, at + AHEAD) if manager.schedule_id else []:
        event = Event()
        event.add("uid", f"{manager.pk}-{start:%Y%m%dT%H%M%SZ}@leadrouter")
        event.add("dtstamp", at)
        event.add("dtstart", start)
        event.add("dtend", end)
        event.add("summary", _("On duty"))
        event.add("transp", "TRANSPARENT")  # being on duty does not make somebody busy
        calendar.add_component(event)
    found: bytes = calendar.to_ical()
    return found


@require_safe
def calendar(request: HttpRequest, token: str) -> HttpResponse:
    """Answer whoever knows the address with the shifts of its manager."""
    manager = manager_of_feed(token)
    if manager is None:
        raise Http404
    headers = {"Content-Disposition": 'inline; filename="shifts.ics"', "Cache-Control": "private, max-age=900"}
    return HttpResponse(
        calendar_of(manager, at=clock.now()), content_type="text/calendar; charset=utf-8", headers=headers
    )
