"""How long duty takes to work out: `python -m benchmarks.schedules`.

Warm is a duty that was asked before, as the processes keep them; cold is one made from its texts and asked for the
first time. Prints microseconds, and the part of the budget that was used: one answer in 50 µs, 500 managers at one
instant in 25 ms, a cold duty in 1 ms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from time import perf_counter

from accounts.time.schedules import WEEKDAYS, Chart, DayException, Duty, Shift, parse_cycle, parse_weekly

AT = datetime(2026, 3, 3, 10, 30, tzinfo=UTC)
ZONES = ("Europe/Madrid", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago")
OFFICE = parse_weekly({day: ["09:00-13:00", "14:00-18:00"] for day in WEEKDAYS[:5]})
START = date(2026, 1, 5)
LEAVE = DayException(date(2026, 3, 1), date(2026, 6, 30), off=True)
SATURDAYS = [
    DayException(day, day, off=False, extra=(Shift(600, 840),))
    for day in (date(2026, 1, 3) + timedelta(weeks=week) for week in range(50))
]

CHARTS: dict[str, Callable[[str, int], Duty]] = {
    "office hours": lambda zone, _: Duty(zone, OFFICE),
    "2/2": lambda zone, offset: Duty(zone, _cycle(["09:00-21:00"], ["09:00-21:00"], [], []), offset),
    "day, night, two off": lambda zone, offset: Duty(zone, _cycle(["08:00-20:00"], ["20:00-08:00"], [], []), offset),
    "50 extra Saturdays": lambda zone, _: Duty(zone, OFFICE, schedule_exceptions=SATURDAYS),
    "four months of leave": lambda zone, _: Duty(zone, OFFICE, manager_exceptions=[LEAVE]),
    "no schedule": lambda zone, _: Duty(zone, None),
    "24/7 in two shifts": lambda zone, _: Duty(
        zone, parse_weekly({d: ["08:00-20:00", "20:00-08:00"] for d in WEEKDAYS})
    ),
    "never": lambda zone, _: Duty(zone, parse_weekly({})),
}


def _cycle(*days: list[str]) -> Chart:
    return parse_cycle(START, days)


def microseconds(run: Callable[[], object], times: int) -> float:
    """Return the best of five rounds, in µs for one run: what others do on the machine only ever adds."""
    rounds = []
    for _ in range(5):
        begun = perf_counter()
        for _ in range(times):
            run()
        rounds.append((perf_counter() - begun) / times * 1e6)
    return min(rounds)


def first_answer(make: Callable[[str, int], Duty]) -> object:
    """Make a duty and ask it; the chart's texts are parsed too, as they are when rows are read."""
    return make(ZONES[0], 0).state(AT)


def main() -> int:
    """Print the table; the exit code is 1 when a budget is exceeded."""
    print(f"{'chart':22}{'on_duty':>9}{'next_change':>13}{'state':>8}{'cold':>9}   µs")
    slowest_warm, colds = 0.0, []
    for name, make in CHARTS.items():
        duty = make(ZONES[0], 0)
        duty.state(AT)
        warm = [
            microseconds(lambda duty=duty: duty.on_duty(AT), 5000),  # type: ignore[misc]
            microseconds(lambda duty=duty: duty.next_change(AT), 5000),  # type: ignore[misc]
            microseconds(lambda duty=duty: duty.state(AT), 5000),  # type: ignore[misc]
        ]
        colds.append(microseconds(lambda make=make: first_answer(make), 50))  # type: ignore[misc]
        slowest_warm = max(slowest_warm, *warm)
        print(f"{name:22}{warm[0]:9.2f}{warm[1]:13.2f}{warm[2]:8.2f}{colds[-1]:9.1f}")
    makes = list(CHARTS.values())
    cold = microseconds(lambda: [duty.state(AT) for duty in crowd_of(makes)], 1)
    crowd = crowd_of(makes)
    for duty in crowd:
        duty.state(AT)
    together = microseconds(lambda: [duty.state(AT) for duty in crowd], 10)
    passing = year_of_minutes(crowd[0])
    typical = sorted(colds)[len(colds) // 2]
    print(f"500 managers at one instant: {together / 1000:.2f} ms warm, {cold / 1000:.2f} ms cold")
    print(f"one manager every ten minutes of a year: {passing:.2f} µs each")
    budgets = {"one answer": slowest_warm / 50, "500 managers": together / 25_000, "cold, typical": typical / 1000}
    for name, ratio in budgets.items():
        print(f"{name}: {ratio:.1%} of the budget")
    return int(max(budgets.values()) > 1)


def crowd_of(makes: list[Callable[[str, int], Duty]]) -> list[Duty]:
    """Return 500 managers: office hours, crews of two charts, in five zones."""
    return [makes[number % 3](ZONES[number % len(ZONES)], number) for number in range(500)]


def year_of_minutes(duty: Duty) -> float:
    """Return µs for one state while time goes by, windows run out and are made anew."""
    instants = [AT + timedelta(minutes=10 * step) for step in range(365 * 144)]
    begun = perf_counter()
    for at in instants:
        duty.state(at)
    return (perf_counter() - begun) / len(instants) * 1e6


if __name__ == "__main__":
    sys.exit(main())
