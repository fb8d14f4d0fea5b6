"""A simulated year of fair share, by the engine alone: `python -m benchmarks.fairness [--leads-a-day N] [--seed N]`.

Twenty managers with coefficients 1 to 3: fourteen in two 2/2 crews, four by office hours, two always there. Everybody
takes two weeks off once, three arrive in the course of the year, five may hold only a few leads. Leads come at random
instants of the day and are closed after some days. A second book runs beside it, in which everybody is always eligible.

Prints the worst balance anybody ever had, how far the always eligible were from their exact share, and how many leads
who came back or came new got beyond their share in the two weeks after.
"""

from __future__ import annotations

import argparse
import heapq
import random
import sys
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

from routing.engine import LEAD, Candidate, Decision, Reason, decide, refusal

DAYS = 365
HOLIDAY = 14  # days off, and days for which who comes back is watched


def entered(candidates: list[Candidate], decision: Decision, *, turn: int, held: bool) -> list[Candidate]:
    """Return the candidates as they stand after a decision that counts; held: until the lead is closed."""
    following = [c._replace(balance=balance) for c, balance in zip(candidates, decision.balances, strict=True)]
    chosen = following[decision.chosen or 0]
    following[decision.chosen or 0] = chosen._replace(
        held=chosen.held + held, received=chosen.received + 1, last_turn=turn
    )
    return following


@dataclass
class Manager:
    """One of the twenty, and what became of them."""

    id: int
    coefficient: int
    shift: str  # first, second (crew of 2/2), office, always
    leave: int  # first day of two weeks off
    joins: int = 0  # day
    limit: int | None = None
    received: int = 0
    due: Fraction = Fraction(0)
    worst_balance: float = 0.0
    surplus: float = 0.0  # leads beyond the share in the two weeks after coming back, or after joining
    watch: tuple[int, int, Fraction] | None = None  # until which day, received, due when it began
    closings: deque[float] = field(default_factory=deque)

    def on_duty(self, day: int, hour: float) -> bool:
        if day < self.joins or self.leave <= day < self.leave + HOLIDAY:
            return False
        match self.shift:
            case "first" | "second":
                return (day % 4 < 2) == (self.shift == "first") and 9 <= hour < 21
            case "office":
                return day % 7 < 5 and 9 <= hour < 18
        return True


def team(chance: random.Random) -> list[Manager]:
    shifts = ["first"] * 7 + ["second"] * 7 + ["office"] * 4 + ["always"] * 2
    return [
        Manager(
            id=n,
            coefficient=1 + n % 3,
            shift=shift,
            leave=chance.randrange(30, DAYS - 2 * HOLIDAY - 30),
            joins={3: 90, 10: 180, 15: 270}.get(n, 0),
            limit=6 if n % 4 == 1 else None,
        )
        for n, shift in enumerate(shifts)
    ]


class Year:
    def __init__(self, leads_a_day: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.managers = team(self.chance)
        self.candidates = [Candidate(m.id, m.coefficient, m.limit) for m in self.managers]
        self.level = [Candidate(m.id, m.coefficient) for m in self.managers]  # the book of the always eligible
        self.leads_a_day = leads_a_day
        self.open: list[tuple[float, int]] = []  # closes when, held by whom
        self.turn = self.leads = self.nobody = 0
        self.worst_level = 0.0

    def run(self) -> None:
        for day in range(DAYS):
            self.look_after_returners(day)
            for hour in sorted(self.chance.uniform(0, 24) for _ in range(self.leads_a_day)):
                self.leads += 1
                self.one_lead(day, hour)
                self.one_level_lead()

    def one_lead(self, day: int, hour: float) -> None:
        now = day * 24 + hour
        while self.open and self.open[0][0] <= now:
            _, who = heapq.heappop(self.open)
            self.candidates[who] = self.candidates[who]._replace(held=self.candidates[who].held - 1)
        self.candidates = [
            c._replace(unavailable=None if m.on_duty(day, hour) else Reason.OFF_DUTY)
            for c, m in zip(self.candidates, self.managers, strict=True)
        ]
        decision = decide(self.candidates, method=Reason.FAIR_SHARE, turn=self.turn + 1)
        if decision.chosen is None:
            self.nobody += 1
            return
        self.turn += 1
        eligible = [m for m, c in zip(self.managers, self.candidates, strict=True) if refusal(c) is None]
        total = sum(m.coefficient for m in eligible)
        for m in eligible:
            m.due += Fraction(m.coefficient, total)
        self.managers[decision.chosen].received += 1
        self.candidates = entered(self.candidates, decision, turn=self.turn, held=True)
        heapq.heappush(self.open, (now + self.chance.expovariate(1 / 48), decision.chosen))
        for m, c in zip(self.managers, self.candidates, strict=True):
            m.worst_balance = max(m.worst_balance, abs(c.balance) / LEAD)

    def one_level_lead(self) -> None:
        """Decide in the other book, where share after so many leads is a product and needs no sum."""
        decision = decide(self.level, method=Reason.FAIR_SHARE, turn=self.leads)
        self.level = entered(self.level, decision, turn=self.leads, held=False)
        total = sum(c.coefficient for c in self.level)
        self.worst_level = max(
            self.worst_level, *(abs(c.received - self.leads * c.coefficient / total) for c in self.level)
        )

    def look_after_returners(self, day: int) -> None:
        for m in self.managers:
            if m.watch and day >= m.watch[0]:
                m.surplus = max(m.surplus, float(m.received - m.watch[1] - (m.due - m.watch[2])))
                m.watch = None
            if day == m.leave + HOLIDAY or (m.joins and day == m.joins):
                m.watch = (day + HOLIDAY, m.received, m.due)

    def distance(self) -> float:
        """Return how far anybody's balance is from what they received and what was due by exact fractions."""
        pairs = zip(self.managers, self.candidates, strict=True)
        return max(abs(c.balance / LEAD - float(m.due - m.received)) for m, c in pairs)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fairness")
    parser.add_argument("--leads-a-day", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    year = Year(options.leads_a_day, options.seed)
    year.run()
    print(f"{'manager':>7}  {'shift':<7}  coefficient  limit  joins  received       due  worst balance  surplus")
    for m in year.managers:
        print(
            f"{m.id:>7}  {m.shift:<7}  {m.coefficient:>11}  {m.limit or '-':>5}  {m.joins or '-':>5}  {m.received:>8}"
            f"  {float(m.due):>8.2f}  {m.worst_balance:>13.3f}  {m.surplus:>+7.2f}"
        )
    worst = max(m.worst_balance for m in year.managers)
    surplus = max(m.surplus for m in year.managers)
    total = sum(c.balance for c in year.candidates)
    print(f"\n{year.leads} leads, {year.turn} distributed, {year.nobody} came when nobody could take one")
    print(f"worst balance                              {worst:.3f} leads (bound 2)")
    print(f"worst distance of the always eligible      {year.worst_level:.3f} leads")
    print(f"most a returner or newcomer got beyond it  {surplus:+.2f} leads in {HOLIDAY} days")
    print(f"balances add up to                         {total}")
    print(f"drift from exact fractions                 {year.distance():.2e} leads")
    good = worst < 2 and year.worst_level < 2 and surplus < 3 and total == 0 and year.distance() < 1e-4
    print("ok" if good else "NOT within the bounds")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
