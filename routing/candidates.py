"""Reads for a decision: who could take a lead, with all that the engine asks of them, in one statement."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import periods

from .engine import Candidate, Reason
from .locks import LOCK_LEDGER, Moved
from .roster import Roster, Rule
from .statements import Statement, run

Standing = list[int]  # [balance in billionths, received, turn of the last lead]

GATHER = """
SELECT ledger.turn, ledger.standings::text, ledger.reset_at, version.version,
       (SELECT json_object_agg(manager_id, leads)::text FROM (
            SELECT manager_id, sum(leads) AS leads FROM routing_load
            WHERE stage_id = ANY (%(stages)s) {members} GROUP BY manager_id) held),
       EXISTS (SELECT FROM routing_lead WHERE state = 'waiting' AND trigger_id = %(trigger)s),
       {online}
FROM routing_ledger ledger LEFT JOIN accounts_configurationversion version ON true
WHERE ledger.registry_id = %(registry)s
"""
MEMBERS = {False: "", True: "AND manager_id = ANY (%(members)s)"}
ONLINE = {
    False: "NULL",
    True: "ARRAY (SELECT id FROM accounts_manager WHERE id = ANY (%(members)s) AND last_seen_at >= %(seen_since)s)",
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


@dataclass(slots=True, kw_only=True)
class Book:
    """A registry's ledger while its lock is held."""

    registry: int
    turn: int  # of the last decision that counted
    standings: dict[str, Standing]  # by manager id
    reset_at: datetime | None
    others_wait: bool  # leads of the trigger that came before

    def standing(self, manager: int) -> Standing:
        return self.standings.get(str(manager)) or [0, 0, 0]


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
    turn, standings, reset_at, version, held, others_wait, online = row
    if (version or 0) != roster.version:
        raise Moved
    book = Book(
        registry=rule.registry, turn=turn, standings=json.loads(standings), reset_at=reset_at, others_wait=others_wait
    )
    if rule.reset != "never":
        _reset(book, rule, roster, at=at)
    return book, _candidates(rule, book, json.loads(held) if held else {}, online, at=at)


def _candidates(
    rule: Rule, book: Book, held: Mapping[str, int], online: list[int] | None, *, at: datetime
) -> list[Candidate]:
    unavailable = rule.unavailable(at)
    if online is not None:
        unavailable = [
            reason or (None if member.manager in online else Reason.OFFLINE)
            for member, reason in zip(rule.members, unavailable)
        ]
    standings, new, none = book.standings, [0, 0, 0], 0
    candidates = []
    for (manager, coefficient, limit, _), reason in zip(rule.members, unavailable):
        key = str(manager)
        balance, received, last_turn = standings.get(key, new)
        candidates.append(
            Candidate(manager, coefficient, limit, held.get(key, none), balance, received, last_turn, reason)
        )
    return candidates


def _reset(book: Book, rule: Rule, roster: Roster, *, at: datetime) -> None:
    began_at = periods.began_at(rule.reset, at, roster.zone)
    if book.reset_at is None or book.reset_at < began_at:
        book.reset_at = began_at
        book.standings = {manager: [balance, 0, last] for manager, (balance, _, last) in book.standings.items()}
