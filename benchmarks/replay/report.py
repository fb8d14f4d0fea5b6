"""Live through one replay in a database of its own, and print what came of it."""

from __future__ import annotations

from django.db.models import Count

from accounts.time import clock
from routing.models import Lead, Offer
from routing.roster import current

from .checks import Judgement, judge
from .database import configure, fresh_database
from .over_http import Sent, send
from .plan import Arrival, Replay
from .simulation import Lived, Simulation
from .tables import facts, table

HEADS = ("member", "coefficient", "received", "due", "difference", "worst distance", "most held")
MOST_SHOWN = 50


def live_through(replay: Replay, *, leads: int | None, http: int, database: str) -> int:
    """Return how many promises were broken. http: so many leads, the last, go through the API."""
    arrivals = replay.arrivals[:leads]
    print(f"\n=== {replay.name}: {len(arrivals)} leads, {len(replay.trigger['members'])} members\n{replay.story}\n")
    with fresh_database(database):
        configure(replay)
        violations = _live(replay, arrivals[: max(0, len(arrivals) - http)], arrivals[max(0, len(arrivals) - http) :])
    for violation in violations[:MOST_SHOWN]:
        print(f"VIOLATION {violation}")
    print(f"\n{replay.name}: {'ok' if not violations else f'{len(violations)} violations'}", flush=True)
    return len(violations)


def _live(replay: Replay, arrivals: list[Arrival], by_http: list[Arrival]) -> list[str]:
    simulation = Simulation(replay, arrivals)
    lived = simulation.run()
    numbers = {arrival.number for arrival in arrivals}
    judgement = judge(replay, expected=numbers)
    _print_members(replay, judgement, lived)
    _print_story(arrivals, judgement, lived)
    violations = [*lived.violations, *judgement.violations]
    if by_http:
        lived.violations.clear()
        sent = send(by_http)
        simulation.wait_for_duty(by_http, clock.now())
        after = judge(replay, expected=numbers | {arrival.number for arrival in by_http})
        _print_http(sent, after, waiting=len(simulation.waiting))
        violations += [*sent.violations, *lived.violations, *after.violations]
    return violations


def _print_members(replay: Replay, judgement: Judgement, lived: Lived) -> None:
    ids = {person.email: person.id for person in current().managers.values()}
    rows = []
    for member in replay.trigger["members"]:
        standing = judgement.standings[member["manager"]]
        rows.append((
            member["manager"], member["coefficient"], standing.received, f"{float(standing.due):.2f}",
            f"{float(standing.received - standing.due):+.2f}", f"{float(standing.worst):.3f}",
            lived.most_held.get(ids[member["manager"]], 0),
        ))  # fmt: skip
    print(table(HEADS, rows))


def _print_story(arrivals: list[Arrival], judgement: Judgement, lived: Lived) -> None:
    states = dict(Lead.objects.order_by().values_list("state").annotate(Count("pk")))
    offers = dict(Offer.objects.order_by().values_list("outcome").annotate(Count("pk")))
    middle, ninth, longest = judgement.waiting_times()
    waiting = states.get("waiting", 0)
    never = len(arrivals) - len(judgement.waited) - waiting
    speed, cpu = len(arrivals) / max(lived.seconds, 1e-9), 1000 * lived.cpu / max(1, len(arrivals))
    pairs = [
        ("leads in", f"{len(arrivals)}, {_span(arrivals)}"),
        ("assigned by the trigger", f"{len(judgement.waited)}; {never} were closed before"),
        ("waiting at the end", waiting),
        ("waiting times", f"median {middle:.2f} h, nine of ten within {ninth:.2f} h, longest {longest:.2f} h"),
        ("worst distance from the exact share", f"{float(judgement.worst):.3f} leads"),
        ("to somebody named", ", ".join(f"{who} {n}" for who, n in judgement.stand_ins.items()) or "none"),
        ("offers", ", ".join(f"{n} {outcome or 'open'}" for outcome, n in sorted(offers.items())) or "none"),
        ("redistributions", judgement.redistributions),
        ("decisions and sweeps", f"{judgement.decisions} and {lived.sweeps}"),
        ("speed", f"{speed:.0f} leads a second with all that became of them; {cpu:.1f} ms CPU a lead in this process"),
    ]
    print("\n" + facts(pairs), flush=True)


def _print_http(sent: Sent, after: Judgement, *, waiting: int) -> None:
    states = ", ".join(f"{count} {state}" for state, count in sorted(sent.states.items()))
    pairs = [
        ("over HTTP", f"{sent.leads} leads at {sent.leads / sent.seconds:.0f} a second, answered as: {states}"),
        ("waiting after the next three days", waiting),
        ("worst distance after it", f"{float(after.worst):.3f} leads"),
    ]
    print("\n" + facts(pairs), flush=True)


def _span(arrivals: list[Arrival]) -> str:
    return f"{arrivals[0].at:%Y-%m-%d} to {arrivals[-1].at:%Y-%m-%d}" if arrivals else "none"
