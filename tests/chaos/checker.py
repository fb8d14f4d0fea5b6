"""The checker: from the database and the journal alone, was every promise kept?

A table that only the chaos run has, written by a trigger on `routing_lead`, says who held which lead from when to when,
in the order of the commits (`track_commit_timestamp`). It knows nothing of decisions, so the two can be compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from .installation import Installation
from .journal import Journal

LONGEST_WAIT = timedelta(seconds=60)
LONGEST_AT_REST = timedelta(seconds=20)  # when all is calm and everything runs
FEW = 5  # cases of one fault that are shown
RECENT = 300  # transactions that may have run at the same time

LOG = """
CREATE TABLE chaos_log (
    seq bigserial PRIMARY KEY, transaction bigint NOT NULL DEFAULT txid_current(),
    snapshot text NOT NULL DEFAULT txid_current_snapshot()::text, lead uuid NOT NULL, trigger bigint,
    old_manager bigint, old_stage bigint, manager bigint, stage bigint NOT NULL, state text NOT NULL);
CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_log (lead, trigger, old_manager, old_stage, manager, stage, state)
    VALUES (NEW.id, NEW.trigger_id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.responsible_id END,
            CASE WHEN TG_OP = 'UPDATE' THEN OLD.stage_id END, NEW.responsible_id, NEW.stage_id, NEW.state);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note_insert AFTER INSERT ON routing_lead FOR EACH ROW EXECUTE FUNCTION chaos_note();
CREATE TRIGGER chaos_note_update AFTER UPDATE OF responsible_id, stage_id, state ON routing_lead FOR EACH ROW
    EXECUTE FUNCTION chaos_note();
"""
EVENTS = """
SELECT pg_xact_commit_timestamp(xmin), transaction, snapshot, lead, trigger, old_manager, old_stage, manager, stage, state
FROM chaos_log ORDER BY pg_xact_commit_timestamp(xmin), seq
"""
DECISIONS = """
SELECT d.xmin::text::bigint, d.lead_id, d.trigger_id, d.chosen_id, d.reason = d.method,
       l.limits[array_position(l.managers, d.chosen_id)]
FROM routing_decision d JOIN routing_lineup l ON l.id = d.lineup_id WHERE d.outcome = 'assigned' ORDER BY d.id
"""


@dataclass
class Event:
    """A lead came into somebody's hands, a stage or a state."""

    at: datetime  # of its commit
    transaction: int
    snapshot: str  # of the statement: xmin:xmax:what ran then
    lead: str
    trigger: int | None
    old_manager: int | None
    old_stage: int | None
    manager: int | None
    stage: int
    state: str

    def sees(self, transaction: int) -> bool:
        """Tell whether what that transaction wrote was there when this change was made."""
        _, first_unknown, running = self.snapshot.split(":")
        return transaction < int(first_unknown) and str(transaction) not in running.split(",")


@dataclass
class Verdict:
    """What the checker found: counts to show, and each broken promise."""

    figures: dict[str, object] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)

    def find(self, promise: str, cases: Iterator[str] | list[str]) -> None:
        self.faults[promise] = list(cases)

    @property
    def green(self) -> bool:
        return not any(self.faults.values())

    def lines(self) -> Iterator[str]:
        for name, figure in self.figures.items():
            yield f"  {name}: {figure}"
        for promise, cases in self.faults.items():
            yield f"  {'BROKEN' if cases else 'kept'}  {promise}: {len(cases)}"
            yield from (f"          {case}" for case in cases[:FEW])


def check(installation: Installation, journal: Journal) -> Verdict:
    """Compare database and journal. All clients have ended; the parts may run."""
    verdict = Verdict()
    events = [Event(*row) for row in installation.execute(EVENTS)]
    leads = dict(Counter(name for (name,) in installation.execute("SELECT name FROM routing_lead")))
    verdict.figures = figures(installation, journal, events)
    verdict.find("acknowledged leads lost", lost(installation, journal))
    verdict.find("acknowledged actions lost", lost_actions(installation, journal))
    verdict.find("requests whose outcome is still unknown", [f"request {n}" for n in journal.unresolved()])
    verdict.find("requests refused", [f"{n}: {t.refused}" for n, t in journal.requests.items() if t.refused])
    verdict.find("requests answered with an internal error (500)", ["500"] * journal.statuses[500])
    verdict.find("leads twice, of one key or number", twice(journal, leads))
    verdict.find("leads held by two, or changed behind somebody's back", unchained(events))
    verdict.find("leads assigned twice", assigned_twice(installation))
    verdict.find("limits overrun", overruns(installation, events))
    verdict.find("contacts that moved with a mere offer, or had two first managers", moved_too_soon(installation))
    verdict.find("offers without exactly one outcome, or ended at the wrong time", bad_offers(installation))
    verdict.find("leads that waited over 60 s while somebody was eligible", waits(installation, events))
    verdict.find("ticks of a schedule sent more than once", ticks(installation))
    verdict.find("ledger other than its replay, or rows that contradict each other", audit(installation))
    return verdict


def figures(installation: Installation, journal: Journal, events: list[Event]) -> dict[str, object]:
    seconds = sorted(took for _, took in journal.seconds)
    states = installation.execute("SELECT state, count(*) FROM routing_lead GROUP BY 1 ORDER BY 1")
    outcomes = installation.execute(
        "SELECT coalesce(nullif(outcome, ''), 'open'), count(*) FROM routing_offer GROUP BY 1"
    )
    return {
        "requests": len(journal.requests),
        "leads acknowledged": journal.acknowledged,
        "sent without an answer (unknown), sent again": sum(told.unknown for told in journal.requests.values()),
        "answers by status": dict(sorted(journal.statuses.items())),
        "intake p50 / p99 / longest, s": [round(seconds[int(len(seconds) * q)], 3) for q in (0.5, 0.99, 0.9999)],
        "changes of leads replayed": len(events),
        "decisions": installation.value("SELECT count(*) FROM routing_decision"),
        "offers by outcome": dict(outcomes),
        "leads by state": dict(states),
    }


def lost(installation: Installation, journal: Journal) -> Iterator[str]:
    there = {(str(id_), name) for id_, name in installation.execute("SELECT id, name FROM routing_lead")}
    for number, told in journal.requests.items():
        for ids in told.ids:
            for id_, name in zip(ids, told.names, strict=True):
                if (id_, name) not in there:
                    yield f"request {number}: {name} was acknowledged as {id_}"


def lost_actions(installation: Installation, journal: Journal) -> Iterator[str]:
    accepted = {str(x) for (x,) in installation.execute("SELECT lead_id FROM routing_offer WHERE outcome = 'accepted'")}
    declined = {str(x) for (x,) in installation.execute("SELECT lead_id FROM routing_offer WHERE outcome = 'declined'")}
    events = {(str(x), kind) for x, kind in installation.execute("SELECT lead_id, kind FROM routing_leadevent")}
    happened: dict[str, Callable[[str], bool]] = {
        "accept": accepted.__contains__,
        "decline": declined.__contains__,
        "move": lambda lead: (lead, "moved") in events,
        "reassign": lambda lead: (lead, "reassigned") in events,
    }
    for lead, action, status in journal.actions:
        if not happened[action](lead):
            yield f"{action} of {lead} was answered with {status}"


def twice(journal: Journal, leads: dict[str, int]) -> Iterator[str]:
    for number, told in journal.requests.items():
        if len({tuple(ids) for ids in told.ids}) > 1:
            yield f"request {number} was told of {told.ids}"
    yield from (f"{name}: {count} leads" for name, count in leads.items() if count > 1)


def unchained(events: list[Event]) -> Iterator[str]:
    """Yield changes that did not begin where the one before had ended."""
    stands: dict[str, Event] = {}
    for event in events:
        before = stands.get(event.lead)
        known = (before.manager, before.stage) if before else (None, None)
        if known != (event.old_manager, event.old_stage):
            yield f"lead {event.lead} at {event.at}: {known} became {event.old_manager, event.old_stage}"
        stands[event.lead] = event


def assigned_twice(installation: Installation) -> Iterator[str]:
    """Yield leads with more assignments by decision than occasions: being taken, moved into a stage, let go."""
    rows = installation.execute("""
        SELECT lead.id, d.assigned, d.fired + coalesce(o.let_go, 0) FROM routing_lead lead
        JOIN (SELECT lead_id, count(*) AS assigned, count(DISTINCT trigger_id) AS fired FROM routing_decision
              WHERE outcome = 'assigned' GROUP BY 1) d ON d.lead_id = lead.id
        LEFT JOIN (SELECT lead_id, count(*) AS let_go FROM routing_offer
                   WHERE outcome IN ('declined', 'timed_out', 'withdrawn') GROUP BY 1) o ON o.lead_id = lead.id
        WHERE d.assigned > d.fired + coalesce(o.let_go, 0)""")
    yield from (f"lead {lead}: {assigned} assignments, {occasions} occasions" for lead, assigned, occasions in rows)


def limit_stages(installation: Installation) -> dict[int, set[int]]:
    active = {
        id_ for (id_,) in installation.execute("SELECT id FROM routing_stage WHERE kind IN ('unqualified', 'open')")
    }
    chosen: dict[int, set[int]] = defaultdict(set)
    for trigger, stage in installation.execute("SELECT trigger_id, stage_id FROM routing_trigger_limit_stages"):
        chosen[trigger].add(stage)
    return {id_: chosen.get(id_) or active for (id_,) in installation.execute("SELECT id FROM routing_trigger")}


class Holdings:
    """Who holds how many leads in which stage, as the log is replayed."""

    def __init__(self) -> None:
        self.held: Counter[tuple[int, int]] = Counter()

    def enter(self, event: Event) -> None:
        if event.old_manager is not None and event.old_stage is not None:
            self.held[event.old_manager, event.old_stage] -= 1
        if event.manager is not None:
            self.held[event.manager, event.stage] += 1

    def of(self, manager: int, stages: set[int]) -> int:
        return sum(self.held[manager, stage] for stage in stages)


def transactions(events: list[Event]) -> Iterator[list[Event]]:
    """Yield the changes of each transaction together, in the order of the commits."""
    together: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        together[event.transaction].append(event)
    yield from sorted(together.values(), key=lambda rows: rows[0].at)


def overruns(installation: Installation, events: list[Event]) -> Iterator[str]:
    """Yield assignments by distribution's own choice after which the chosen held more than the limit allows.

    A lead given without a limit (by hand, to an old customer's manager, by a trigger that has none) may come in at any
    time: one that was not there yet when the choice was made is as if it had come after it.
    """
    stages = limit_stages(installation)
    decided: dict[int, list[Any]] = defaultdict(list)
    for transaction, *decision in installation.execute(DECISIONS):
        decided[transaction].append(decision)
    holdings, recent = Holdings(), deque[list[Event]](maxlen=RECENT)
    for together in transactions(events):
        for event in together:
            holdings.enter(event)
        decisions = decided.get(together[0].transaction, [])
        besides = Counter(chosen for _, _, chosen, by_choice, _ in decisions if not by_choice)
        for lead, trigger, chosen, by_choice, limit in decisions:
            held = holdings.of(chosen, stages[trigger]) - besides[chosen]
            if by_choice and limit is not None and held > limit:
                held -= unseen_gains(chosen, together[0], recent)
                if held > limit:
                    yield f"lead {lead} at {together[0].at}: manager {chosen} then held {held} of {limit}"
        recent.append(together)


def unseen_gains(manager: int, event: Event, recent: Iterable[list[Event]]) -> int:
    others = [e for together in recent for e in together if not event.sees(e.transaction)]
    return sum((e.manager == manager) - (e.old_manager == manager) for e in others if e.manager != e.old_manager)


def moved_too_soon(installation: Installation) -> Iterator[str]:
    """Yield what followed a lead that was only on offer, and contacts for which two managers became the first."""
    offered = installation.execute("""
        SELECT e.lead_id, e.data FROM routing_leadevent e JOIN routing_offer made
        ON made.lead_id = e.lead_id AND made.offered_at = e.at AND made.manager_id = (e.data ->> 'to')::bigint
        WHERE e.kind = 'handed_along' AND NOT EXISTS (
            SELECT FROM routing_offer taken WHERE taken.lead_id = e.lead_id AND taken.outcome = 'accepted'
            AND taken.closed_at = e.at AND taken.manager_id = made.manager_id)""")
    yield from (f"lead {lead} was on offer: {data}" for lead, data in offered)
    firsts = installation.execute("""
        SELECT data ->> 'id', array_agg(data ->> 'to') AS firsts FROM routing_leadevent
        WHERE kind = 'handed_along' AND data ->> 'object' = 'contact' AND data ->> 'from' IS NULL
        GROUP BY 1 HAVING count(*) > 1""")
    yield from (f"contact {contact}: first were {managers}" for contact, managers in firsts)


def bad_offers(installation: Installation) -> Iterator[str]:
    """Yield offers that have no outcome though it is due, two at once, an end before or long after their time."""
    faults = {
        "closed without an outcome, or open with one": "(closed_at IS NULL) <> (outcome = '')",
        "ended before its time": "outcome = 'timed_out' AND closed_at < accept_by",
        "accepted after its time": "outcome = 'accepted' AND closed_at >= accept_by",
        "overdue for over 3 minutes": "outcome = 'timed_out' AND closed_at > accept_by + interval '3 minutes'",
        "overdue though all is calm": "closed_at IS NULL AND accept_by < clock_timestamp() - interval '20 seconds'",
    }
    for fault, condition in faults.items():
        rows = installation.execute(f"SELECT id, accept_by, closed_at, outcome FROM routing_offer WHERE {condition}")
        yield from (f"offer {row[0]} {fault}: {row[1:]}" for row in rows)
    double = installation.execute("""
        SELECT a.id, b.id FROM routing_offer a JOIN routing_offer b ON a.lead_id = b.lead_id AND a.id < b.id
        WHERE a.closed_at IS NULL OR b.offered_at < a.offered_at""")
    yield from (f"offers {a} and {b} of one lead overlap" for a, b in double)


class Eligible:
    """Since when, without a break, some member of each trigger could take a lead."""

    def __init__(self, installation: Installation, holdings: Holdings) -> None:
        self.holdings, self.stages = holdings, limit_stages(installation)
        self.paused: Counter[int] = Counter()
        self.since: dict[int, datetime | None] = {}
        self.members: dict[int, list[tuple[int, int | None]]] = defaultdict(list)
        rows = installation.execute("""
            SELECT t.id, m.manager_id, coalesce(m."limit", t."limit") FROM routing_trigger t
            JOIN routing_member m ON m.trigger_id = t.id""")
        for trigger, manager, limit in rows:
            self.members[trigger].append((manager, limit))

    def look(self, at: datetime) -> None:
        for trigger, members in self.members.items():
            if not any(self._could(manager, limit, trigger) for manager, limit in members):
                self.since[trigger] = None
            elif self.since.get(trigger) is None:
                self.since[trigger] = at

    def _could(self, manager: int, limit: int | None, trigger: int) -> bool:
        if self.paused[manager]:
            return False
        return limit is None or self.holdings.of(manager, self.stages[trigger]) < limit


class Waiting:
    """The leads that wait as the log is replayed, and how long each has waited while somebody was eligible."""

    def __init__(self, eligible: Eligible) -> None:
        self.eligible = eligible
        self.leads: dict[str, Event] = {}

    def enter(self, event: Event) -> str | None:
        """Follow a lead; return the fault of the one that waited too long until now."""
        before = self.leads.pop(event.lead, None)
        if event.state == "waiting":
            self.leads[event.lead] = event
        return self.late(before, self.eligible.since.get(before.trigger or 0), event.at) if before else None

    def look(self, at: datetime) -> list[str]:
        """See who is eligible now; return the faults of triggers for which nobody is any more."""
        before = dict(self.eligible.since)
        self.eligible.look(at)
        ended = {t: since for t, since in before.items() if since and self.eligible.since[t] is None}
        return self._late_ones(ended, at)

    def rest(self, at: datetime) -> list[str]:
        return self._late_ones(self.eligible.since, at, longest=LONGEST_AT_REST)

    def _late_ones(self, since: Mapping[int, datetime | None], at: datetime, **longest: timedelta) -> list[str]:
        found = [self.late(e, since.get(e.trigger or 0), at, **longest) for e in self.leads.values()] if since else []
        return [fault for fault in found if fault]

    @staticmethod
    def late(event: Event, since: datetime | None, at: datetime, longest: timedelta = LONGEST_WAIT) -> str | None:
        if since is None or at - max(since, event.at) <= longest:
            return None
        return f"lead {event.lead} waited {at - max(since, event.at)} until {at}"


def waits(installation: Installation, events: list[Event]) -> Iterator[str]:
    """Yield leads that waited too long while somebody was eligible all the time, by replaying leads and pauses."""
    [(end,)] = installation.execute("SELECT clock_timestamp()")
    agenda: list[tuple[datetime, int, Any]] = [(group[0].at, 0, group) for group in transactions(events)]
    for manager, start, stop in installation.execute(
        "SELECT manager_id, started_at, coalesce(ended_at, ends_at) FROM accounts_pause"
    ):
        agenda += [(start, 1, (manager, 1)), *([(stop, 1, (manager, -1))] if stop and stop < end else [])]
    holdings = Holdings()
    waiting = Waiting(Eligible(installation, holdings))
    for at, kind, what in sorted(agenda, key=lambda entry: entry[:2]):
        if kind == 0:
            yield from filter(None, map(waiting.enter, what))
            for event in what:
                holdings.enter(event)
        else:
            manager, step = what
            waiting.eligible.paused[manager] += step
        yield from waiting.look(at)
    yield from waiting.rest(end)


def ticks(installation: Installation) -> Iterator[str]:
    """Yield schedules of which more ticks were sent than there was time for."""
    rows = installation.execute("""
        SELECT p.name, p.total_run_count, i.every,
               extract(epoch FROM clock_timestamp() - (SELECT min(applied) FROM django_migrations))
        FROM django_celery_beat_periodictask p JOIN django_celery_beat_intervalschedule i ON i.id = p.interval_id""")
    for name, runs, every, seconds in rows:
        if runs > float(seconds) / (0.9 * every) + 1:
            yield f"{name}: {runs} in {seconds:.0f} s"


AUDIT = "from routing.audit import violations; print(*violations(), sep='\\n')"


def audit(installation: Installation) -> list[str]:
    return [line for line in installation.manage("shell", "--no-imports", "-c", AUDIT).splitlines() if line.strip()]
