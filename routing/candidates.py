"""Reads for a decision: who could take a lead, with all that the engine asks of them, in one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import periods

from .engine import Candidate, Reason
from .locks import LOCK_LEDGER, Moved
from .models import Standing
from .roster import Roster, Rule
from .statements import Statement, numbers, run

# The order by which one waiting lead is looked for is that of its index: EXISTS would scan the table instead.
GATHER = """
SELECT ledger.turn, ledger.reset_at, version.version,
       ledger.managers::text, ledger.balances::text, ledger.received::text, ledger.last_turns::text,
       held.managers::text, held.leads::text,
       (SELECT id FROM routing_lead WHERE state = 'waiting' AND trigger_id = %(trigger)s
        ORDER BY trigger_id, score DESC, created_at, id LIMIT 1) IS NOT NULL,
       {online}
FROM routing_ledger ledger LEFT JOIN accounts_configurationversion version ON true, (
    SELECT array_agg(manager_id) AS managers, array_agg(leads) AS leads FROM (
        SELECT manager_id, sum(leads) AS leads FROM routing_load
        WHERE stage_id = ANY (%(stages)s) {members} GROUP BY manager_id) one) held
WHERE ledger.registry_id = %(registry)s
"""
MEMBERS = {False: "", True: "AND manager_id = ANY (%(members)s)"}
ONLINE = {
    False: "NULL",
    True: "ARRAY (SELECT id FROM accounts_manager WHERE last_seen_at >= %(seen_since)s)",
}
TYPES = {
    "registry": "bigint",
    "trigger": "bigint",
    "stages": "bigint[]",
    "members": "bigint[]",
    "seen_since": "timestamptz",
}
# By whether few of all managers are members, and whether they must be online.
GATHERING = {
    (few, online): Statement(
        f"gather_{few}_{online}", GATHER.format(members=MEMBERS[few], online=ONLINE[online]), **TYPES
    )
    for few in (False, True)
    for online in (False, True)
}


NEW = Standing()


@dataclass(slots=True, kw_only=True)
class Book:
    """A registry's ledger while its lock is held."""

    registry: int
    turn: int  # of the last decision that counted
    standings: dict[int, Standing]  # by manager
    reset_at: datetime | None
    others_wait: bool  # leads of the trigger that came before
    online: list[int] | None  # who is online; None: the trigger does not ask

    def standing(self, manager: int) -> Standing:
        return self.standings.get(manager, NEW)


def gather_candidates(rule: Rule, roster: Roster, *, at: datetime, lock: bool = True) -> tuple[Book, list[Candidate]]:
    """Return the registry's ledger, locked until the transaction ends, and the trigger's members as candidates.

    Raises Moved when the configuration is no longer that of the roster.
    """
    ids = [member.manager for member in rule.members]
    [row] = run(
        LOCK_LEDGER if lock else None,
        # It begins when the lock is granted, so it sees all that the lock's last holder committed.
        GATHERING[2 * len(ids) < len(roster.people), rule.online_only],
        registry=rule.registry,
        trigger=rule.id,
        stages=rule.limit_stages,
        members=ids,
        seen_since=at - timedelta(minutes=roster.account.online_minutes),
    )
    turn, reset_at, version, managers, balances, received, last_turns, holders, held, others_wait, online = row
    if (version or 0) != roster.version:
        raise Moved
    standings = map(Standing, numbers(balances), numbers(received), numbers(last_turns))
    book = Book(
        registry=rule.registry,
        turn=turn,
        standings=dict(zip(numbers(managers), standings, strict=True)),
        reset_at=reset_at,
        others_wait=others_wait,
        online=online,
    )
    if rule.reset != "never":
        _reset(book, rule, roster, at=at)
    holding = dict(zip(numbers(holders), numbers(held), strict=True)) if holders else {}
    return book, _candidates(rule, book, holding, at=at)


def _candidates(rule: Rule, book: Book, held: Mapping[int, int], *, at: datetime) -> list[Candidate]:
    unavailable = rule.unavailable(at)
    if book.online is not None:
        unavailable = [
            reason or (None if member.manager in book.online else Reason.OFFLINE)
            for member, reason in zip(rule.members, unavailable, strict=True)
        ]
    return [
        Candidate(manager, coefficient, limit, held.get(manager, 0), *book.standing(manager), reason)
        for (manager, coefficient, limit, _), reason in zip(rule.members, unavailable, strict=True)
    ]


def _reset(book: Book, rule: Rule, roster: Roster, *, at: datetime) -> None:
    began_at = periods.began_at(rule.reset, at, roster.zone)
    if book.reset_at is None or book.reset_at < began_at:
        book.reset_at = began_at
        book.standings = {manager: standing._replace(received=0) for manager, standing in book.standings.items()}
