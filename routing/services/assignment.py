"""Record decisions: one statement for each table, however many leads."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import AutoField, BigAutoField, Model
from django.utils.translation import gettext

from accounts.models import Manager, User
from routing import engine
from routing.engine import LEAD, Candidate, Case, Reason, Standing, Terms, Verdict
from routing.exceptions import Conflict, NotFound
from routing.json_text import rows_as_json
from routing.locks import LOCK_MANAGERS, in_transaction, lock_leads
from routing.models import Adjustment, Decision, Lead, LeadEvent, Ledger, Lineup, Offer, Registry
from routing.prepared_statements import Statement, array, run_later
from routing.representations import replay
from routing.roster import Roster, TriggerTerms

from .distribution import Distributed

Columns = Mapping[str, str]  # name -> PostgreSQL type
Held = tuple[tuple[Any, ...], ...]  # by a line-up: all of Lineup.COLUMNS
MOST_LINEUPS = 200  # of a trigger that a process remembers


def _columns(model: type[Model], *names: str) -> Columns:
    """Return the columns of a table with their types. names: which; none: all except a serial primary key."""
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField | BigAutoField)]
    types = {str(field.column): str(field.db_type(connection)) for field in fields}
    return {name: types[name] for name in names or types}


def _records(parameter: str, columns: Columns) -> str:
    return f"json_to_recordset(%({parameter})s) AS r ({', '.join(f'{name} {kind}' for name, kind in columns.items())})"


def _insert(parameter: str, model: type[Model], *names: str) -> Statement:
    columns = _columns(model, *names)
    into, values = ", ".join(columns), ", ".join(f"r.{name}" for name in columns)
    text = f"INSERT INTO {model._meta.db_table} ({into}) SELECT {values} FROM {_records(parameter, columns)}"  # nosec B608  # of the columns of models
    return Statement(f"insert_{parameter}", text, **{parameter: "json"})


INSERT_LEADS = _insert("new_leads", Lead)
INSERT_DECISIONS = _insert("decisions", Decision)
INSERT_OFFERS = _insert("offers", Offer)
INSERT_EVENTS = _insert("events", LeadEvent)
STATE = _columns(Lead, "state", "responsible_id", "trigger_id", "round", "attempt")
UPDATE_LEADS = Statement(
    "update_leads",
    f"UPDATE routing_lead lead SET ({', '.join(STATE)}) = ({', '.join(f'r.{name}' for name in STATE)}), "
    "assigned_at = least(lead.assigned_at, r.assigned_at) "  # keeps the first; least() ignores NULL
    f"FROM {_records('leads', {**_columns(Lead, 'id', 'assigned_at'), **STATE})} WHERE lead.id = r.id",  # nosec B608  # of the columns of models
    leads="json",
)
# Besides the balances, one decision changes one place only; with a thousand members this halves what is written.
UPDATE_PLACE = Statement(
    "update_place",
    "UPDATE routing_ledger SET turn = %(turn)s, balances = %(balances)s, last_turns[%(place)s] = %(turn)s,"
    " received[%(place)s] = received[%(place)s] + 1 WHERE registry_id = %(registry)s",
    registry="bigint",
    turn="bigint",
    place="integer",
    balances="bigint[]",
)
UPDATE_LEDGER = Statement(
    "update_ledger",
    "UPDATE routing_ledger SET turn = %(turn)s, managers = %(ids)s, balances = %(balances)s, received = %(received)s,"
    " last_turns = %(last_turns)s, reset_at = %(reset_at)s WHERE registry_id = %(registry)s",
    registry="bigint",
    turn="bigint",
    ids="bigint[]",
    balances="bigint[]",
    received="integer[]",
    last_turns="bigint[]",
    reset_at="timestamptz",
)
UPDATE_LEDGERS = Statement(
    "update_ledgers",
    "UPDATE routing_ledger ledger SET turn = r.turn, managers = r.ids, balances = r.balances, received = r.received,"
    " last_turns = r.last_turns, reset_at = r.reset_at"
    " FROM json_to_recordset(%(ledgers)s) AS r (registry bigint, turn bigint, ids bigint[], balances bigint[],"
    " received integer[], last_turns bigint[], reset_at timestamptz) WHERE ledger.registry_id = r.registry",
    ledgers="json",
)
CHECK_LIMITS = Statement("check_limits", "SELECT leadrouter_check_limits(%(limits)s)", limits="jsonb")


def record(
    distributed: Distributed,
    roster: Roster,
    *,
    at: datetime,
    new: Mapping[object, dict[str, Any]] | None = None,
) -> None:
    """Write the decisions: leads, decisions, offers, ledgers, and the responsible of related objects.

    As many statements for ten triggers as for one. They go out with the next statement, or with the commit: that ends
    the locks of the registries soonest.

    new: rows of leads that do not exist yet, by id. A waiting lead that still nobody can take is not written.
    """
    new = new or {}
    told = [v for v in distributed.verdicts if v.manager is not None or not v.case.waited]
    ledgers = [ledger for ledger in distributed.ledgers if ledger.changed]
    states = {v.case.id: state_of(v, at=at) for v in told}
    limits = _limits(told)
    rows = {
        "new_leads": [{**new[id_], **state} for id_, state in states.items() if id_ in new],
        "leads": [{"id": id_, **state} for id_, state in states.items() if id_ not in new],
        "decisions": _decisions(told, roster, at=at),
        "offers": [_offer(v, at=at) for v in told if v.accept_by],
    }
    statements = [
        LOCK_MANAGERS if limits else None,
        INSERT_LEADS if rows["new_leads"] else None,
        UPDATE_LEADS if rows["leads"] else None,
        INSERT_DECISIONS if rows["decisions"] else None,
        INSERT_OFFERS if rows["offers"] else None,
        _update_of(ledgers),
        CHECK_LIMITS if limits else None,
    ]
    parameters = {
        **{key: rows_as_json(value) for key, value in rows.items() if value},
        **(
            {"managers": sorted({limit["manager"] for limit in limits}), "limits": rows_as_json(limits)}
            if limits
            else {}
        ),
        **_ledgers(ledgers),
    }
    if told:
        run_later(*statements, **parameters)
    follow((_gain(v.case, v.manager) for v in told if v.manager is not None and v.accept_by is None), at=at)


class Gain(NamedTuple):
    """A lead that a manager got for good: assigned without an offer. What is accepted, the database sees (migration 0031)."""

    lead: UUID
    manager: int
    contact: UUID | None
    company: UUID | None
    takes: Collection[str]  # Trigger.Related: what follows the lead
    claims: Collection[str]  # Trigger.Owner: of what the manager becomes responsible if nobody is
    firm: bool = True  # takes leads along that somebody has for good


def _gain(case: Case, manager: int) -> Gain:
    takes, claims = case.terms.also_assign, engine.claims(case)
    return Gain(case.id, manager, case.contact, case.company, takes, claims, firm=case.terms.minutes is None)


FOLLOW = Statement(
    "follow",
    "SELECT leadrouter_follow(%(got)s, %(kinds)s, %(at)s, %(by)s)",
    got="json",
    kinds="text[]",
    at="timestamptz",
    by="bigint",
)


def follow(gains: Iterable[Gain], *, at: datetime, by: User | None = None) -> None:
    """Make managers responsible for what follows the leads that they got. Of several leads of a contact the last decides.

    This is no distribution: no trigger runs and no limit applies.
    """
    got = [gain for gain in gains if gain.takes or gain.claims]
    if got:
        kinds = sorted({kind for gain in got for kind in (*gain.takes, *gain.claims)})
        run_later(FOLLOW, got=rows_as_json([gain._asdict() for gain in got]), kinds=kinds, at=at, by=by and by.pk)


def _update_of(ledgers: Sequence[engine.Ledger]) -> Statement | None:
    if len(ledgers) > 1:
        return UPDATE_LEDGERS
    return (UPDATE_LEDGER if ledgers[0].place is None else UPDATE_PLACE) if ledgers else None


def _ledgers(ledgers: Sequence[engine.Ledger]) -> dict[str, Any]:
    """Return the parameters of that statement."""
    rows = [
        {
            "registry": ledger.registry,
            "turn": ledger.turn,
            "ids": array(ledger.managers),
            "balances": array(ledger.balances),
            "received": array(ledger.received),
            "last_turns": array(ledger.last_turns),
            "reset_at": ledger.reset_at,
        }
        for ledger in ledgers
    ]
    if len(rows) != 1:
        return {"ledgers": rows_as_json(rows)} if rows else {}
    place = ledgers[0].place
    return rows[0] if place is None else {**rows[0], "place": place + 1}  # PostgreSQL counts from 1


def insert_leads(rows: Iterable[dict[str, Any]]) -> None:
    """Write leads that no trigger distributes."""
    run_later(INSERT_LEADS, new_leads=rows_as_json(list(rows)))


def insert_events(rows: Iterable[dict[str, Any]]) -> None:
    """Write events into the histories of leads."""
    run_later(INSERT_EVENTS, events=rows_as_json(list(rows)))


def change_of_fields(fields: Mapping[str, object], trigger: TriggerTerms) -> dict[str, Any] | None:
    """Return what the history says about fields that the trigger sets; None: nothing changes."""
    before = {name: fields.get(name) for name in trigger.set_fields}
    return None if before == trigger.set_fields else {"trigger": trigger.code, "from": before, "to": trigger.set_fields}


def state_of(verdict: Verdict, *, at: datetime) -> dict[str, Any]:
    """Return the columns of the lead that the verdict sets."""
    if verdict.manager is None:
        state = Lead.State.WAITING
    else:
        state = Lead.State.OFFERED if verdict.accept_by else Lead.State.ASSIGNED
    return {
        "state": state.value,
        "responsible_id": verdict.manager,
        "trigger_id": verdict.case.terms.id,
        "round": verdict.case.round,
        "attempt": verdict.case.attempt + (verdict.accept_by is not None),
        "assigned_at": None if verdict.manager is None else at,
    }


def _decisions(verdicts: Sequence[Verdict], roster: Roster, *, at: datetime) -> list[dict[str, Any]]:
    rows = [_decision(v, roster.triggers[v.case.terms.id], at=at) for v in verdicts]
    lineups = _lineups([(row["trigger_id"], row["lineup_id"]) for row in rows], roster)
    for row in rows:
        row["lineup_id"] = lineups[row["lineup_id"]]
    return rows


def _decision(verdict: Verdict, trigger: TriggerTerms, *, at: datetime) -> dict[str, Any]:
    """Return the row with the content of its line-up in place of the line-up's number."""
    # All columns in one pass: there may be a thousand candidates.
    seen = list(zip(*verdict.candidates, strict=True)) or [()] * len(Candidate._fields)
    managers, coefficients, limits, held, balances, received, last_turns, *_ = seen
    return {
        "lead_id": verdict.case.id,
        "trigger_id": trigger.id,
        "registry_id": trigger.registry,
        "at": at,
        "method": trigger.method.value,
        "attempt": verdict.case.attempt + 1,
        "outcome": "waiting" if verdict.manager is None else "assigned",
        "chosen_id": verdict.manager,
        "reason": verdict.decision.reason.value,
        "turn": verdict.turn,
        "counted": verdict.counted,
        "version": trigger.version,
        "lineup_id": (managers, coefficients, limits),
        # What the decision saw of the candidates, as columns; the part that never changes is their line-up.
        "held": array(held),
        "balances": array(balances),
        "received": array(received) if trigger.method is Reason.TOTALS else None,
        "last_turns": array(last_turns),
        "refusals": {place: refusal for place, refusal in enumerate(verdict.decision.refusals) if refusal},
    }


def _lineups(wanted: Sequence[tuple[int, Held]], roster: Roster) -> dict[Held, int]:
    """Return the ids of the line-ups with exactly this content, creating those that are new. wanted: each with its trigger."""
    found = {columns: roster.triggers[trigger].lineups.get(columns) for trigger, columns in wanted}
    missing = [columns for columns, known in found.items() if known is None]
    if missing:
        values = [dict(zip(Lineup.COLUMNS, map(list, columns), strict=True)) for columns in missing]
        digests = [Lineup.digest_of(each) for each in values]
        stored = _find_lineups(digests)
        new = [Lineup(digest=d, **v) for d, v in zip(digests, values, strict=True) if d not in stored]
        if new:
            Lineup.objects.bulk_create(new, ignore_conflicts=True)
            stored = _find_lineups(digests)
        found |= {columns: stored[digest] for columns, digest in zip(missing, digests, strict=True)}

        def keep() -> None:
            for trigger, columns in wanted:
                known = roster.triggers[trigger].lineups
                if len(known) >= MOST_LINEUPS:  # computed coefficients: each decision may have a line-up of its own
                    known.clear()
                known[columns] = lineups[columns]

        transaction.on_commit(keep)  # before the commit, they may be rolled back
    lineups = {columns: number for columns, number in found.items() if number is not None}
    return lineups


def _find_lineups(digests: Sequence[str]) -> dict[str, int]:
    return dict(Lineup.objects.filter(digest__in=digests).values_list("digest", "pk"))


def _offer(verdict: Verdict, *, at: datetime) -> dict[str, Any]:
    return {
        "lead_id": verdict.case.id,
        "manager_id": verdict.manager,
        "trigger_id": verdict.case.terms.id,
        "round": verdict.case.round,
        "offered_at": at,
        "accept_by": verdict.accept_by,
        "outcome": "",
        "reason": "",
    }


def _limits(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """Return how many leads managers with a limit may hold once everything is written, by trigger.

    That is the limit, and what they got otherwise than by this trigger's choice: from another one, or by their name.
    """
    limits: dict[tuple[int, int], tuple[int, Terms]] = {}  # (manager, trigger)
    chosen, got = Counter[tuple[int, int]](), Counter[int]()
    for v in verdicts:
        if v.manager is None:
            continue
        got[v.manager] += 1
        terms = v.case.terms
        limit = v.candidates[v.decision.chosen or 0].limit
        if v.decision.reason is terms.method and limit is not None:
            limits[v.manager, terms.id] = (limit, terms)
            chosen[v.manager, terms.id] += 1
    return [
        {"manager": manager, "stages": terms.limit_stages, "leads": limit + got[manager] - chosen[manager, id_]}
        for (manager, id_), (limit, terms) in sorted(limits.items(), key=lambda entry: entry[0])
    ]


@in_transaction
def reassign(
    lead_id: UUID,
    manager_id: int,
    *,
    at: datetime,
    by: User | None = None,
    count: bool = False,
    also: Collection[str] = (),
    reason: str = "",
) -> Lead:
    """Give a lead to a manager by hand; an open offer is withdrawn.

    count: the lead costs the manager a turn in the registry that distributed it last. also: HandOver.Along.
    Raises NotFound; Conflict when it should count but no trigger ever distributed it.
    """
    lead = lock_lead(lead_id)
    if not Manager.objects.filter(pk=manager_id, active=True).exists():
        raise Conflict(gettext("The manager is not active."))
    if count:
        registry = _last_registry(lead)
        _adjust(registry, manager_id, lead, Adjustment.Kind.BY_HAND, -LEAD, received=1, at=at, by=by, reason=reason)
    Offer.objects.filter(lead=lead).close(Offer.Outcome.WITHDRAWN, at=at)
    data = {"from": lead.responsible_id, "to": manager_id, "counted": count, "reason": reason}
    lead.give(manager_id, at=at)
    lead.save(update_fields=Lead.GIVEN)
    LeadEvent.objects.create(lead=lead, at=at, kind=LeadEvent.Kind.REASSIGNED, by=by, data=data)
    follow([gain_by_hand(lead, manager_id, also=also)], at=at, by=by)
    return lead


def gain_by_hand(
    lead: Lead, manager_id: int, *, also: Collection[str] = (), trigger: TriggerTerms | None = None
) -> Gain:
    """trigger: the one that would run on the lead; None: the one that distributed it."""
    looking = trigger or lead.trigger
    claims = looking.responsible_check if looking else ()
    return Gain(lead.pk, manager_id, lead.contact_id, lead.company_id, also, claims)


@in_transaction
def credit_back(lead_id: UUID, *, at: datetime, by: User | None = None, reason: str = "") -> Adjustment:
    """Give the responsible of a junk or duplicate lead the turn back: add one lead to the balance.

    Raises NotFound; Conflict when the lead did not count for its responsible, or was credited back before.
    """
    lead = lock_lead(lead_id)
    registry = _registry_of_turn(lead)
    if registry is None or lead.responsible_id is None:
        raise Conflict(gettext("This lead did not count for its responsible manager."))
    before = Adjustment.objects.filter(lead=lead, kind=Adjustment.Kind.CREDIT_BACK, manager=lead.responsible_id)
    if before.exists():
        raise Conflict(gettext("This lead was already credited back."))
    data = {"manager": lead.responsible_id, "registry": Registry.objects.get(pk=registry).label, "reason": reason}
    LeadEvent.objects.create(lead=lead, at=at, kind=LeadEvent.Kind.CREDITED_BACK, by=by, data=data)
    kind, manager = Adjustment.Kind.CREDIT_BACK, lead.responsible_id
    return _adjust(registry, manager, lead, kind, LEAD, received=-1, at=at, by=by, reason=reason)


def refund(let_go: Mapping[UUID, int], registry_id: int, *, at: datetime) -> None:
    """Give managers back the turns that they paid for leads they did not accept.

    let_go: lead -> manager. A fixed number of queries, however many leads.
    """
    last = Decision.objects.filter(lead__in=let_go, chosen__in=set(let_go.values()))
    last = last.order_by("lead_id", "chosen_id", "-id").distinct("lead_id", "chosen_id")
    decided = last.values_list("lead_id", "chosen_id", "counted")
    changes = [(manager, lead, LEAD, -1) for lead, manager, counted in decided if counted and let_go[lead] == manager]
    if changes:
        _adjust_all(registry_id, changes, Adjustment.Kind.REFUND, at=at)


def take_back_turns(decisions: Iterable[Decision], *, at: datetime, by: User | None = None) -> None:
    """Undo what counted decisions did to balances: every candidate gets back the balance from before."""
    amounts: Counter[tuple[int, int]] = Counter()  # (registry, manager) -> billionths of a lead
    received: Counter[tuple[int, int]] = Counter()
    for row in decisions:
        if row.counted and row.chosen_id:
            after = replay(row).balances
            for manager, old, new in zip(row.lineup.managers, row.balances, after, strict=True):
                amounts[row.registry_id, manager] += old - new
            received[row.registry_id, row.chosen_id] -= 1
    changes: dict[int, list[tuple[int, UUID | None, int, int]]] = defaultdict(list)
    for key in sorted(key for key in amounts if amounts[key] or received[key]):
        changes[key[0]].append((key[1], None, amounts[key], received[key]))
    for registry, of_registry in changes.items():  # in the order of their locks
        _adjust_all(registry, of_registry, Adjustment.Kind.UNDONE, at=at, by=by)


def lock_lead(lead_id: UUID) -> Lead:
    """Return the lead, locked. Raises NotFound."""
    leads = lock_leads([lead_id])
    if not leads:
        raise NotFound(gettext("No such lead."))
    return leads[0]


def _registry_of_turn(lead: Lead) -> int | None:
    """Return the registry in which the responsible paid a turn for the lead, by a decision or by hand; None: in none."""
    decided = Decision.objects.filter(lead=lead, counted=True, chosen=lead.responsible_id).order_by("-id")
    by_hand = Adjustment.objects.filter(lead=lead, kind=Adjustment.Kind.BY_HAND, manager=lead.responsible_id)
    registries = (rows.values_list("registry_id", flat=True).first() for rows in (by_hand, decided))
    return next(filter(None, registries), None)


def _last_registry(lead: Lead) -> int:
    registry = Decision.objects.filter(lead=lead).order_by("-id").values_list("registry_id", flat=True).first()
    if registry is None:
        raise Conflict(gettext("No trigger distributed this lead, so there is no registry to count it in."))
    return registry


def _adjust(
    registry_id: int,
    manager_id: int,
    lead: Lead | None,
    kind: str,
    amount: int,
    *,
    received: int,
    at: datetime,
    by: User | None = None,
    reason: str = "",
) -> Adjustment:
    """Add to a balance on purpose; in a registry of totals only what was received changes."""
    change = (manager_id, lead.pk if lead else None, amount, received)
    [adjustment] = _adjust_all(registry_id, [change], kind, at=at, by=by, reason=reason)
    return adjustment


def _adjust_all(
    registry_id: int,
    changes: Sequence[tuple[int, UUID | None, int, int]],
    kind: str,
    *,
    at: datetime,
    by: User | None = None,
    reason: str = "",
) -> list[Adjustment]:
    """Make several adjustments at once. changes: manager, lead, added to the balance, added to what was received."""
    ledger = Ledger.objects.select_for_update(of=("self",), no_key=True).select_related("registry").get(pk=registry_id)
    if ledger.registry.accounting == Registry.Accounting.TOTALS:
        changes = [(manager, lead, 0, received) for manager, lead, _, received in changes]
    standings = ledger.standings
    for manager, _, amount, received in changes:
        standing = standings.get(manager, Standing())
        standings[manager] = standing._replace(
            balance=standing.balance + amount, received=max(0, standing.received + received)
        )
    ledger.standings = standings
    ledger.added += sum(amount for _, _, amount, _ in changes)
    ledger.save(update_fields=["managers", "balances", "received", "last_turns", "added"])
    common = {"registry_id": registry_id, "kind": kind, "reason": reason, "by": by, "at": at}
    return Adjustment.objects.bulk_create(
        Adjustment(manager_id=manager, lead_id=lead, amount=amount, **common) for manager, lead, amount, _ in changes
    )
