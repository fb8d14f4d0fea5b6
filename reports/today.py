"""The first page of the admin as plain values: today's leads, waiting leads, what needs attention.

The number of queries does not depend on the number of leads, managers or triggers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Q
from django.utils.translation import gettext, ngettext, pgettext

from accounts.templatetags.moments import here
from accounts.time import periods
from accounts.time.availability import pauses_at
from routing.configuration_warnings import Stretch, coverage_gaps, faults, stand_in_of
from routing.models import ApiKey, Heartbeat, Lead, Offer, RefusedIntake, Setback, waiting_since
from routing.roster import Roster
from routing.screens.board import Board, board_of
from routing.timelines import name_of

HOUR = timedelta(hours=1)
SOON = timedelta(days=7)
MOST_SHOWN = 5
MOST_NAMES = 12

FIRST_ACCEPTANCE = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY accepted_at - created_at), count(*) FROM (
    SELECT l.created_at, min(o.closed_at) AS accepted_at
    FROM routing_lead l JOIN routing_offer o ON o.lead_id = l.id AND o.outcome = 'accepted'
    WHERE l.created_at >= %s GROUP BY l.id) accepted
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """A problem, and the page that fixes it."""

    words: str
    grave: bool
    model: str  # its list, or with an id its page: routing.trigger
    id: int | None = None
    query: str = ""  # of the list


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """What has happened today, in account time, and the current state."""

    leads: int
    leads_yesterday: int  # by this time
    board: Board
    overdue: int  # open offers
    accept_by: datetime | None  # of the open offer that runs out first
    acceptance: timedelta | None  # median, of the leads that came today
    accepted: int  # of those leads
    ready: Sequence[str]  # names
    concerns: Sequence[Concern]


def today(roster: Roster, *, at: datetime, late: timedelta) -> Today:
    """Return the state at the instant. late: the age at which the sweep or a worker counts as missing."""
    began = periods.began_at("day", at, roster.zone)
    acceptance, accepted = _first_acceptance(began)
    offers = Offer.objects.open().aggregate(overdue=Count("pk", filter=Q(accept_by__lte=at)))
    soonest = Offer.objects.open().order_by("accept_by").values_list("accept_by", flat=True).first()
    board = board_of(roster, at=at, most=MOST_SHOWN)
    return Today(
        leads=Lead.objects.filter(created_at__gte=began).count(),
        leads_yesterday=Lead.objects.filter(
            created_at__gte=began - timedelta(days=1), created_at__lt=at - timedelta(days=1)
        ).count(),
        board=board,
        overdue=offers["overdue"],
        accept_by=soonest,
        acceptance=acceptance,
        accepted=accepted,
        ready=[c.name for c in board.managers if c.state == "ready"][:MOST_NAMES],
        concerns=sorted(concerns(roster, at=at, late=late), key=lambda concern: not concern.grave),
    )


def _first_acceptance(began: datetime) -> tuple[timedelta | None, int]:
    with connection.cursor() as cursor:
        cursor.execute(FIRST_ACCEPTANCE, [began])
        median, count = cursor.fetchone()
    return median, count


# What needs attention


def concerns(roster: Roster, *, at: datetime, late: timedelta) -> Iterator[Concern]:
    yield from _machinery(at=at, late=late)
    for fault in faults(roster, at=at):
        yield Concern(words=fault.words, grave=fault.grave, model=fault.model, id=fault.id)
    yield from _leads_left_alone(at=at)
    yield from _hours_without_anybody(roster, at=at)
    yield from _keys_that_expire(at=at)


def _machinery(*, at: datetime, late: timedelta) -> Iterator[Concern]:
    """Look whether what must run runs: without the sweep nothing that is late is noticed."""
    seen = dict(Heartbeat.objects.values_list("name", "at"))
    for name, words in (
        ("sweep", gettext("The sweep is late: deadlines and waiting leads are not processed.")),
        ("worker", gettext("No worker is running: deadlines and waiting leads are not processed.")),
    ):
        if name not in seen or at - seen[name] > late:
            yield Concern(words=words, grave=True, model="routing.heartbeat")


def _leads_left_alone(*, at: datetime) -> Iterator[Concern]:
    long = Lead.objects.waiting().annotate(since=waiting_since()).filter(since__lt=at - HOUR).count()
    if long:
        words = ngettext(
            "%(count)d lead has been waiting for over an hour.",
            "%(count)d leads have been waiting for over an hour.",
            long,
        )
        yield Concern(words=words % {"count": long}, grave=True, model="routing.lead", query="state__exact=waiting")
    aside = Setback.objects.set_aside().count()
    if aside:
        words = ngettext(
            "%(count)d lead is set aside: its distribution failed repeatedly.",
            "%(count)d leads are set aside: their distribution failed repeatedly.",
            aside,
        )
        yield Concern(words=words % {"count": aside}, grave=True, model="routing.lead", query="state__exact=waiting")
    refused = RefusedIntake.objects.filter(settled_at=None).count()
    if refused:
        words = ngettext("%(count)d intake request was refused.", "%(count)d intake requests were refused.", refused)
        query = "settled_at__isempty=1"
        yield Concern(words=words % {"count": refused}, grave=False, model="routing.refusedintake", query=query)


def _hours_without_anybody(roster: Roster, *, at: datetime) -> Iterator[Concern]:
    """Look for stages whose leads wait, or go to somebody who is not at work, at some hours of the next day."""
    pauses = pauses_at(at)
    for trigger in roster.triggers.values():
        gaps = coverage_gaps(trigger, roster, pauses, at=at) if trigger.on else []
        if not gaps:
            continue
        stand_in = stand_in_of(trigger, roster)
        facts = {
            "stage": roster.stages[trigger.stage].path,
            "hours": pgettext("between times", ", ").join(_between(gap) for gap in gaps[:3]),
        }
        if stand_in is None:
            words = gettext("Nobody is on duty for %(stage)s %(hours)s.") % facts
        else:
            facts["name"] = name_of(stand_in, roster)
            words = gettext("Leads in %(stage)s go to %(name)s, who is off duty %(hours)s.") % facts
        yield Concern(words=words, grave=False, model="routing.trigger", id=trigger.id)


def _between(gap: Stretch) -> str:
    start, end = (here(instant, "D H:i") for instant in gap)
    return gettext("from %(start)s to %(end)s") % {"start": start, "end": end}


def _keys_that_expire(*, at: datetime) -> Iterator[Concern]:
    soon = ApiKey.objects.usable(at=at).filter(expires_at__lt=at + SOON).order_by("expires_at")[:MOST_SHOWN]
    for key in soon:
        words = gettext("The API key %(name)s expires within a week.") % {"name": key.name}
        yield Concern(words=words, grave=False, model="routing.apikey", id=key.pk)
