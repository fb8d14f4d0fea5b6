"""Reads for decisions: the members who could take leads, with everything that the engine needs, in one statement."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from accounts.models import Manager
from accounts.time import periods
from accounts.time.availability import pauses_at

from . import engine
from .engine import Candidate, Presence, Team
from .locks import LOCK_LEDGER, LOCK_LEDGERS, ConfigurationChanged
from .models import Ledger, Load
from .policy import Roster, TriggerTerms
from .prepared_statements import Statement, array, numbers, run

# One waiting lead is looked for in the order of the index; with EXISTS, PostgreSQL would scan the table.
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
# Keyed by: are few of all managers members? must they be online?
GATHERING = {
    (few, online): Statement(
        f"gather_{few}_{online}", GATHER.format(members=MEMBERS[few], online=ONLINE[online]), **TYPES
    )
    for few in (False, True)
    for online in (False, True)
}


# The same for several triggers, a row each.
GATHER_MANY = Statement(
    "gather_many",
    """
SELECT asked.trigger, ledger.turn, ledger.reset_at, version.version,
       ledger.managers::text, ledger.balances::text, ledger.received::text, ledger.last_turns::text,
       held.managers::text, held.leads::text,
       (SELECT id FROM routing_lead WHERE state = 'waiting' AND trigger_id = asked.trigger
        ORDER BY trigger_id, score DESC, created_at, id LIMIT 1) IS NOT NULL,
       CASE WHEN asked.online THEN ARRAY (SELECT id FROM accounts_manager WHERE last_seen_at >= %(seen_since)s) END,
       ARRAY (SELECT manager_id FROM accounts_pause
        WHERE ended_at IS NULL AND started_at <= %(at)s AND (ends_at IS NULL OR ends_at > %(at)s)),
       current_setting('leadrouter.identified', true)
FROM json_to_recordset(%(triggers)s) AS asked (trigger bigint, registry bigint, stages bigint[], online boolean)
JOIN routing_ledger ledger ON ledger.registry_id = asked.registry
LEFT JOIN accounts_configurationversion version ON true
CROSS JOIN LATERAL (
    SELECT array_agg(manager_id) AS managers, array_agg(leads) AS leads FROM (
        SELECT manager_id, sum(leads) AS leads FROM routing_load
        WHERE stage_id = ANY (asked.stages) GROUP BY manager_id) one) held
""",
    triggers="json",
    seen_since="timestamptz",
    at="timestamptz",
)


class Gathered(NamedTuple):
    """What decisions by some triggers start from."""

    teams: dict[int, Team]  # by trigger; those of one registry share its ledger
    others_wait: list[int]  # triggers with leads that already wait
    identified: str | None = None  # what the statement that ran before the lock found about the leads


def gather_candidates(
    triggers: Sequence[TriggerTerms],
    roster: Roster,
    *,
    at: datetime,
    lock: bool = True,
    ahead: Statement | None = None,
    parameters: Mapping[str, object] | None = None,
) -> Gathered:
    """Return the triggers' members, with their registries' ledgers locked until the transaction ends, in one round trip.

    ahead: a statement to run before the lock, with its parameters.
    Raises ConfigurationChanged if the roster is no longer current.
    """
    common = {"at": at, "seen_since": at - timedelta(minutes=roster.account.online_minutes), **(parameters or {})}
    # The statement that reads begins when the lock is granted, so it sees all that the lock's last holder committed.
    if len(triggers) == 1:
        [trigger] = triggers
        few = 2 * len(trigger.managers) < len(roster.managers)
        [row] = run(
            ahead,
            LOCK_LEDGER if lock else None,
            GATHERING[few, trigger.online_only],
            registry=trigger.registry,
            trigger=trigger.id,
            stages=trigger.limit_stages,
            members=array(trigger.managers if few else ()),
            **common,
        )
        rows = [(trigger.id, *row)]
    else:
        asked = [
            {"trigger": r.id, "registry": r.registry, "stages": r.limit_stages, "online": r.online_only}
            for r in triggers
        ]
        registries = sorted({trigger.registry for trigger in triggers})
        rows = run(
            ahead,
            LOCK_LEDGERS if lock else None,
            GATHER_MANY,
            registries=registries,
            triggers=json.dumps(asked),
            **common,
        )
    return _read(rows, {trigger.id: trigger for trigger in triggers}, roster, at=at)


def _read(
    rows: Sequence[tuple[Any, ...]], triggers: Mapping[int, TriggerTerms], roster: Roster, *, at: datetime
) -> Gathered:
    """Read what the statement found of each trigger. Raises ConfigurationChanged."""
    ledgers: dict[int, engine.Ledger] = {}
    teams: dict[int, Team] = {}
    waited_for: list[int] = []
    for trigger, turn, reset_at, version, *arrays, others_wait, online, paused, _ in rows:
        if (version or 0) != roster.version:
            raise ConfigurationChanged
        terms = triggers[trigger]
        *columns, holders, held = numbers(*(text or "{}" for text in arrays))
        if terms.registry not in ledgers:
            ledgers[terms.registry] = _ledger(terms, roster, turn, columns, reset_at, at=at)
        presence = Presence(frozenset(paused), None if online is None else frozenset(online))
        holding = dict(zip(holders, held, strict=True))
        teams[trigger] = Team(terms, ledgers[terms.registry], holding, presence, at=at)
        if others_wait:
            waited_for.append(trigger)
    return Gathered(teams, waited_for, identified=rows[0][-1])


def _ledger(
    trigger: TriggerTerms,
    roster: Roster,
    turn: int,
    columns: Sequence[list[int]],
    reset_at: datetime | None,
    *,
    at: datetime,
) -> engine.Ledger:
    managers, balances, received, last_turns = columns
    ledger = engine.Ledger(
        registry=trigger.registry,
        turn=turn,
        managers=managers,
        balances=balances,
        received=received,
        last_turns=last_turns,
        reset_at=reset_at,
    )
    if trigger.reset != "never":
        ledger.reset(periods.began_at(trigger.reset, at, roster.zone))
    return ledger


def look(triggers: Sequence[TriggerTerms], roster: Roster, *, at: datetime) -> dict[int, tuple[int, list[Candidate]]]:
    """Return, by trigger, the next turn of its registry, and its members as candidates for a lead that needs no skill.

    For pages: without a lock, in four queries however many triggers there are.
    """
    rows = {row.pk: row for row in Ledger.objects.filter(pk__in={trigger.registry for trigger in triggers})}
    loads: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for stage, manager, leads in Load.objects.filter(leads__gt=0).values_list("stage_id", "manager_id", "leads"):
        loads[stage].append((manager, leads))
    seen_since = at - timedelta(minutes=roster.account.online_minutes)
    online = frozenset(Manager.objects.filter(last_seen_at__gte=seen_since).values_list("pk", flat=True))
    paused = pauses_at(at)
    found = {}
    for trigger in triggers:
        row = rows[trigger.registry]
        columns = (row.managers, row.balances, row.received, row.last_turns)
        ledger = _ledger(trigger, roster, row.turn, columns, row.reset_at, at=at)
        held = Counter[int]()
        for stage in trigger.limit_stages:
            held.update(dict(loads[stage]))
        presence = Presence(paused, online if trigger.online_only else None)
        found[trigger.id] = (ledger.turn + 1, Team(trigger, ledger, held, presence, at=at).candidates())
    return found
