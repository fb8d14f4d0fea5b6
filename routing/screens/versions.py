"""Which version of a page stands in the database: one statement tells whether what the page shows has changed.

Of each row that a page shows it reads where PostgreSQL keeps it (`xmin`, `ctid`), which every update changes, and of figures
the figures. What time alone changes is compared beside it. Read before the page, a version is never newer than the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from django.utils.translation import get_language

from accounts.models import Manager
from accounts.people.preferences import zone_beside
from accounts.time import periods

from ..prepared_statements import Statement, array, run
from ..roster import Roster, TriggerTerms
from .desk import HEARD_SINCE, LATEST_DECISIONS, zone_of

PAUSES_DRAWN = timedelta(days=15)  # the desk draws this week and the next

# A lead with the person and the company that are shown with it.
LEAD = "lead.xmin, lead.ctid, contact.xmin, contact.ctid, company.xmin, company.ctid"
PEOPLE = """LEFT JOIN routing_contact contact ON contact.id = lead.contact_id
            LEFT JOIN routing_company company ON company.id = lead.company_id"""
# What the desk shows of them beside: all phones, e-mails and chats, and others who have one of these.
REACHES = """(SELECT string_agg(concat_ws(' ', point.xmin, point.ctid), ',' ORDER BY point.id)
              FROM routing_contactpoint point WHERE point.contact_id = lead.contact_id),
             (SELECT string_agg(concat_ws(' ', other.xmin, other.ctid), ',' ORDER BY other.id)
              FROM routing_contact other WHERE other.id = ANY (lead.shares_with))"""
RUNNING_PAUSES = """
SELECT string_agg(concat_ws(' ', xmin, ctid), ',' ORDER BY id) FROM accounts_pause
WHERE ended_at IS NULL AND started_at <= %(at)s AND (ends_at IS NULL OR ends_at > %(at)s)"""


def _statement(name: str, parts: Iterable[str], **types: str) -> Statement:
    told = ", ".join(f"coalesce(({part}), '')" for part in parts)
    return Statement(name, f"SELECT md5(concat_ws('|', {told}))", **types)


DESK = _statement(
    "desk_version",
    [
        RUNNING_PAUSES,
        """SELECT string_agg(concat_ws(' ', xmin, ctid), ',' ORDER BY id) FROM accounts_pause
        WHERE manager_id = %(manager)s AND (ended_at IS NULL OR ended_at > %(drawn_since)s)""",
        """SELECT string_agg(concat_ws(' ', xmin, ctid), ',' ORDER BY registry_id) FROM routing_ledger
        WHERE registry_id = ANY (%(registries)s)""",
        """SELECT string_agg(concat_ws(' ', stage_id, manager_id, leads), ',' ORDER BY stage_id, manager_id) FROM routing_load
        WHERE leads > 0 AND manager_id = ANY (%(members)s)""",
        """SELECT string_agg(id::text, ',' ORDER BY id) FROM accounts_manager
        WHERE id = ANY (%(online)s) AND last_seen_at >= %(seen_since)s""",
        f"""SELECT string_agg(concat_ws(' ', offer.id, offer.accept_by, offer.accept_by > %(at)s, {LEAD}, {REACHES}), ',' ORDER BY offer.id)
        FROM routing_offer offer JOIN routing_lead lead ON lead.id = offer.lead_id {PEOPLE}
        WHERE offer.manager_id = %(manager)s AND offer.closed_at IS NULL""",  # nosec B608  # of the names above
        f"""SELECT string_agg(concat_ws(' ', {LEAD}, {REACHES}), ',' ORDER BY lead.id)
        FROM (SELECT lead.xmin, lead.ctid, lead.id, lead.contact_id, lead.company_id, lead.shares_with FROM routing_lead lead
              WHERE lead.responsible_id = %(manager)s AND lead.state = 'assigned' AND lead.stage_id = ANY (%(stages)s)
              ORDER BY lead.created_at DESC, lead.id DESC LIMIT %(leads)s) lead {PEOPLE}""",  # nosec B608  # of the names above
        f"""SELECT string_agg(concat_ws(' ', activity.id, {LEAD}), ',' ORDER BY activity.id)
        FROM routing_activity activity JOIN routing_lead lead ON lead.id = activity.lead_id {PEOPLE}
        WHERE lead.responsible_id = %(manager)s AND lead.stage_id = ANY (%(stages)s) AND activity.created_at >= %(heard_since)s
          AND activity.kind <> 'repeat'""",  # nosec B608  # of the names above
        f"""SELECT string_agg(concat_ws(' ', decision.id, {LEAD}), ',' ORDER BY decision.id)
        FROM (SELECT id, lead_id FROM (SELECT id, lead_id, trigger_id, chosen_id FROM routing_decision
                                       ORDER BY id DESC LIMIT {LATEST_DECISIONS}) latest
              WHERE trigger_id = ANY (%(triggers)s) OR chosen_id = %(manager)s
              ORDER BY id DESC LIMIT %(decisions)s) decision
        JOIN routing_lead lead ON lead.id = decision.lead_id {PEOPLE}""",  # nosec B608  # of the names above
    ],
    at="timestamptz",
    manager="bigint",
    drawn_since="timestamptz",
    heard_since="timestamptz",
    registries="bigint[]",
    members="bigint[]",
    online="bigint[]",
    seen_since="timestamptz",
    stages="bigint[]",
    leads="integer",
    triggers="bigint[]",
    decisions="integer",
)

# A decision or offer of today may be committed after one with a higher id, so they are counted; an offer is closed once.
BOARD = _statement(
    "board_version",
    [
        RUNNING_PAUSES,
        """SELECT string_agg(concat_ws(' ', id, floor(extract(epoch FROM %(at)s - last_seen_at) / 60),
                                      last_seen_at >= %(seen_since)s), ',' ORDER BY id) FROM accounts_manager""",
        """SELECT string_agg(concat_ws(' ', stage_id, manager_id, leads), ',' ORDER BY stage_id, manager_id) FROM routing_load
        WHERE leads > 0""",
        "SELECT count(*)::text FROM routing_decision WHERE at >= %(today)s AND outcome = 'assigned'",
        "SELECT count(*)::text FROM routing_offer WHERE offered_at >= %(today)s",
        "SELECT string_agg(id::text, ',' ORDER BY id) FROM routing_offer WHERE closed_at IS NULL",
        f"""SELECT string_agg(concat_ws(' ', offer.id, offer.accept_by, offer.accept_by > %(at)s, {LEAD}), ',' ORDER BY offer.id)
        FROM (SELECT id, lead_id, accept_by FROM routing_offer WHERE closed_at IS NULL
              ORDER BY accept_by, id LIMIT %(most)s) offer
        JOIN routing_lead lead ON lead.id = offer.lead_id {PEOPLE}""",  # nosec B608  # of the names above
        "SELECT count(*)::text FROM routing_lead WHERE state = 'waiting'",
        f"""SELECT string_agg(concat_ws(' ', floor(extract(epoch FROM %(at)s - coalesce(
                (SELECT max(at) FROM routing_decision WHERE lead_id = lead.id), lead.created_at)) / 60), {LEAD}), ','
            ORDER BY lead.id)
        FROM (SELECT lead.xmin, lead.ctid, lead.id, lead.contact_id, lead.company_id, lead.created_at FROM routing_lead lead
              WHERE lead.state = 'waiting' ORDER BY lead.score DESC, lead.created_at, lead.id LIMIT %(most)s) lead {PEOPLE}""",  # nosec B608  # of the names above
    ],
    at="timestamptz",
    seen_since="timestamptz",
    today="timestamptz",
    most="integer",
)


def desk_version(manager: Manager, roster: Roster, *, at: datetime, leads: int, decisions: int) -> str:
    """Return what changes when anything changes that `desk_of` shows. manager: joined with user and schedule."""
    triggers = [trigger for trigger in roster.triggers.values() if manager.pk in trigger.managers]
    members = {manager.pk, *(member for trigger in triggers for member in trigger.managers)}
    [[rows]] = run(
        DESK,
        at=at,
        manager=manager.pk,
        drawn_since=at - PAUSES_DRAWN,
        heard_since=at - HEARD_SINCE,
        registries=array({trigger.registry for trigger in triggers}),
        members=array(members),
        online=array({member for trigger in triggers if trigger.online_only for member in trigger.managers}),
        seen_since=_online_since(roster, at=at),
        stages=array(roster.active_stages),
        leads=leads,
        triggers=array(trigger.id for trigger in triggers),
        decisions=decisions + 1,
    )
    zone = zone_of(manager, roster)
    drawn = at.replace(minute=at.minute // 10 * 10, second=0, microsecond=0)  # as the agenda draws it
    on_duty = roster.managers[manager.pk].duty.on_duty(at)
    time = (drawn, at.astimezone(zone).date(), at.astimezone(roster.zone).date(), on_duty, _duties(triggers, at=at))
    return _digest(rows, roster, leads, decisions, time)


def board_version(roster: Roster, *, at: datetime, most: int) -> str:
    """Return what changes when anything changes that `board_of` shows."""
    today = periods.began_at("day", at, roster.zone)
    [[rows]] = run(BOARD, at=at, seen_since=_online_since(roster, at=at), today=today, most=most)
    return _digest(rows, roster, most, today, _on_duty(roster, at=at), _duties(roster.triggers.values(), at=at))


def _online_since(roster: Roster, *, at: datetime) -> datetime:
    return at - timedelta(minutes=roster.account.online_minutes)


def _duties(triggers: Iterable[TriggerTerms], *, at: datetime) -> str:
    """Return which members of triggers are off duty."""
    return " ".join("".join("-" if reason else "+" for reason in trigger.unavailable(at)) for trigger in triggers)


_known: tuple[int, datetime, datetime, str] | None = None  # version, from, until, who is on duty


def _on_duty(roster: Roster, *, at: datetime) -> str:
    """Return which managers are on duty; kept until the first of them comes or goes."""
    global _known
    known = _known
    if known is None or known[0] != roster.version or not known[1] <= at < known[2]:
        managers = roster.managers.values()
        changes = [manager.duty.next_change(at) for manager in managers]
        until = min(filter(None, changes), default=datetime.max.replace(tzinfo=UTC))
        text = "".join("+" if manager.duty.on_duty(at) else "-" for manager in managers)
        known = _known = (roster.version, at, until, text)
    return known[3]


def _digest(*facts: object) -> str:
    """Return a digest of the facts and of what the reader's page depends on. facts: the roster stands for its version."""
    told = [fact.version if isinstance(fact, Roster) else fact for fact in facts]
    return hashlib.sha256(repr((get_language(), str(zone_beside()), told)).encode()).hexdigest()[:16]
