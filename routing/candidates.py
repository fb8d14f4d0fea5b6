"""Reads for a decision: who could take a lead, with all that the engine asks of them, in one statement."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any

from accounts import periods
from accounts.availability import pauses_at
from accounts.models import Manager

from .engine import Candidate, Reason
from .locks import LOCK_LEDGER, Moved
from .models import Ledger, Load, Standing
from .roster import Roster, Rule
from .statements import Statement, array, numbers, run

# The order by which one waiting lead is looked for is that of its index: EXISTS would scan the table instead.
GATHER = """
SELECT ledger.turn, ledger.reset_at, version.version,
       ledger.managers::text, ledger.balances::text, ledger.received::text, ledger.last_turns::text,
       held.managers::text, held.leads::text,
       (SELECT id FROM routing_lead WHERE state = 'waiting' AND trigger_id = %(trigger)s
        ORDER BY trigger_id, score DESC, created_at, id LIMIT 1) IS NOT NULL,
       {online}, ARRAY (SELECT manager_id FROM accounts_pause
        WHERE ended_at IS NULL AND started_at <= %(at)s AND (ends_at IS NULL OR ends_at > %(at)s)),
       current_setting('leadrouter.identified', true)
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
    "at": "timestamptz",
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
    """A registry's ledger while its lock is held: its managers, and side by side where each stands."""

    registry: int
    turn: int  # of the last decision that counted
    managers: list[int]
    balances: list[int]
    received: list[int]
    last_turns: list[int]
    reset_at: datetime | None
    others_wait: bool  # leads of the trigger that came before
    paused: Collection[int]  # who is on a pause
    online: Collection[int] | None  # who is online; None: the trigger does not ask
    identified: str | None = None  # what was run ahead of the lock has found of the leads
    places: dict[int, int] = field(init=False)  # manager -> place in the lists
    changed: bool = field(default=False, init=False)
    place: int | None = field(default=None, init=False)  # the only one whose leads changed; None: more, or none did

    def __post_init__(self) -> None:
        self.places = dict(zip(self.managers, range(len(self.managers)), strict=True))

    def standing(self, manager: int) -> Standing:
        place = self.places.get(manager)
        return (
            Standing()
            if place is None
            else Standing(self.balances[place], self.received[place], self.last_turns[place])
        )

    def columns(self, managers: list[int]) -> tuple[list[int], ...]:
        """Return balances, received and last turns of these managers, in their order."""
        count = len(managers)
        if self.managers[:count] == managers:  # as a rule: the book of a trigger is written in the trigger's order
            return self.balances[:count], self.received[:count], self.last_turns[:count]
        standings = list(map(self.standing, managers))
        return [s.balance for s in standings], [s.received for s in standings], [s.last_turn for s in standings]

    def enter(self, managers: list[int], balances: list[int], *, chosen: int, turn: int) -> None:
        """Write down a decision that counts: the balances after it, and who got the lead."""
        if self.managers[: len(managers)] == managers:
            self.balances[: len(managers)] = balances
        else:
            for manager, balance in zip(managers, balances, strict=True):
                if balance or manager in self.places:
                    self.balances[self._place(manager)] = balance
        place = self._place(chosen)
        self.place = place if not self.changed else None
        self.changed = True
        self.received[place] += 1
        self.last_turns[place] = self.turn = turn

    def _place(self, manager: int) -> int:
        if manager not in self.places:
            self.changed = True
            self.places[manager] = len(self.managers)
            self.managers.append(manager)
            for column in (self.balances, self.received, self.last_turns):
                column.append(0)
        return self.places[manager]


Gathered = tuple[Book, list[Candidate]]


def gather_candidates(
    rule: Rule,
    roster: Roster,
    *,
    at: datetime,
    lock: bool = True,
    ahead: Statement | None = None,
    parameters: Mapping[str, object] | None = None,
) -> Gathered:
    """Return the registry's ledger, locked until the transaction ends, and the trigger's members as candidates.

    ahead: what is to be run before the lock, with its parameters, in the same round trip.
    Raises Moved when the configuration is no longer that of the roster.
    """
    few = 2 * len(rule.managers) < len(roster.people)
    [row] = run(
        ahead,
        LOCK_LEDGER if lock else None,
        # It begins when the lock is granted, so it sees all that the lock's last holder committed.
        GATHERING[few, rule.online_only],
        registry=rule.registry,
        trigger=rule.id,
        stages=rule.limit_stages,
        members=array(rule.managers if few else ()),
        seen_since=at - timedelta(minutes=roster.account.online_minutes),
        **{"at": at, **(parameters or {})},
    )
    book, held = _read(row, rule, roster)
    if rule.reset != "never":
        _reset(book, rule, roster, at=at)
    return book, _candidates(rule, book, held, at=at)


def _read(row: tuple[Any, ...], rule: Rule, roster: Roster) -> tuple[Book, dict[int, int]]:
    """Return the book, and by manager the leads that count for the limit. Raises Moved."""
    (
        turn,
        reset_at,
        version,
        managers,
        balances,
        received,
        last_turns,
        holders,
        held,
        others_wait,
        online,
        paused,
        found,
    ) = row
    if (version or 0) != roster.version:
        raise Moved
    managers, balances, received, last_turns, holders, held = numbers(
        managers, balances, received, last_turns, holders or "{}", held or "{}"
    )
    book = Book(
        registry=rule.registry,
        turn=turn,
        managers=managers,
        balances=balances,
        received=received,
        last_turns=last_turns,
        reset_at=reset_at,
        others_wait=others_wait,
        paused=frozenset(paused),
        online=None if online is None else frozenset(online),
        identified=found,
    )
    return book, dict(zip(holders, held, strict=True))


def look(rules: Sequence[Rule], roster: Roster, *, at: datetime) -> dict[int, tuple[int, list[Candidate]]]:
    """Return, by trigger, the next turn of its registry and its members as a lead that asks for nothing would find them.

    For pages: without a lock, in four queries however many triggers there are.
    """
    ledgers = {ledger.pk: ledger for ledger in Ledger.objects.filter(pk__in={rule.registry for rule in rules})}
    loads: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for stage, manager, leads in Load.objects.filter(leads__gt=0).values_list("stage_id", "manager_id", "leads"):
        loads[stage].append((manager, leads))
    seen_since = at - timedelta(minutes=roster.account.online_minutes)
    online = frozenset(Manager.objects.filter(last_seen_at__gte=seen_since).values_list("pk", flat=True))
    paused = pauses_at(at)
    found = {}
    for rule in rules:
        book = _book(ledgers[rule.registry], paused=paused, online=online if rule.online_only else None)
        if rule.reset != "never":
            _reset(book, rule, roster, at=at)
        held = Counter[int]()
        for stage in rule.limit_stages:
            held.update(dict(loads[stage]))
        found[rule.id] = (book.turn + 1, _candidates(rule, book, held, at=at))
    return found


def _book(ledger: Ledger, *, paused: Collection[int], online: Collection[int] | None) -> Book:
    return Book(
        registry=ledger.pk,
        turn=ledger.turn,
        managers=ledger.managers,
        balances=ledger.balances,
        received=ledger.received,
        last_turns=ledger.last_turns,
        reset_at=ledger.reset_at,
        others_wait=False,
        paused=paused,
        online=online,
    )


def _candidates(rule: Rule, book: Book, held: Mapping[int, int], *, at: datetime) -> list[Candidate]:
    unavailable = rule.unavailable(at)
    if book.paused:
        unavailable = [
            Reason.PAUSED if manager in book.paused and reason is not Reason.INACTIVE else reason
            for manager, reason in zip(rule.managers, unavailable, strict=True)
        ]
    if book.online is not None:
        unavailable = [
            reason or (None if manager in book.online else Reason.OFFLINE)
            for manager, reason in zip(rule.managers, unavailable, strict=True)
        ]
    holding = map(held.get, rule.managers, repeat(0))
    history = book.columns(rule.managers)
    return Candidate.from_columns(rule.managers, rule.coefficients, rule.limits, holding, *history, unavailable)


def _reset(book: Book, rule: Rule, roster: Roster, *, at: datetime) -> None:
    began_at = periods.began_at(rule.reset, at, roster.zone)
    if book.reset_at is None or book.reset_at < began_at:
        book.reset_at = began_at
        book.received = [0] * len(book.managers)
        book.changed = True
