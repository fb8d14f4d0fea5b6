"""Which eligible candidate gets the lead. Each method returns its choice and the balances after it."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import accumulate
from operator import add, sub

from .values import LEAD, Candidate, Reason

Choice = tuple[int, list[int]]  # position of the chosen, balances after
REMAINDERS = 1_000  # billionths of a lead: balances this near differ by remainders of shares alone


def shares(coefficients: Sequence[int], *, turn: int) -> list[int]:
    """Split one lead by coefficient; the parts, in billionths of a lead, add up to exactly one lead.

    The coefficients are laid end to end on a line, and each share is the whole numbers its piece covers. The line is
    shifted a little each turn, so the remainders go round: over as many turns as the coefficients add up to, everybody
    gets their exact share.
    """
    total = sum(coefficients)
    shift = turn % total
    ends = [(end * LEAD + shift) // total for end in accumulate(coefficients)]
    return list(map(sub, ends, [0, *ends]))


def fair_share(eligible: Sequence[Candidate], *, turn: int) -> Choice:
    """Credit each their share of this lead; the highest balance gets it and pays one lead.

    Source: docs/rules.md, "Fair share".
    """
    credits = shares([c.coefficient for c in eligible], turn=turn)
    balances = list(map(add, [c.balance for c in eligible], credits))
    highest = max(balances) - REMAINDERS
    chosen = _longest_without(eligible, [i for i, balance in enumerate(balances) if balance > highest])
    balances[chosen] -= LEAD
    return chosen, balances


def totals(eligible: Sequence[Candidate], *, turn: int) -> Choice:
    """Choose the lowest received / coefficient since the registry's last reset."""
    return _lowest(eligible, [Fraction(c.received, c.coefficient) for c in eligible])


def least_loaded(eligible: Sequence[Candidate], *, turn: int) -> Choice:
    """Choose the lowest held / coefficient."""
    return _lowest(eligible, [Fraction(c.held, c.coefficient) for c in eligible])


def direct(eligible: Sequence[Candidate], *, turn: int) -> Choice:
    """Choose the first in the trigger's order."""
    return 0, [c.balance for c in eligible]


Method = Callable[..., Choice]
METHODS: dict[Reason, Method] = {
    Reason.FAIR_SHARE: fair_share,
    Reason.TOTALS: totals,
    Reason.LEAST_LOADED: least_loaded,
    Reason.DIRECT: direct,
}


def line(eligible: Sequence[Candidate], *, method: Reason, turn: int) -> list[int]:
    """Return positions in the order of their claims: who would get the next lead, then those after them."""
    owed = [
        c.balance + share
        for c, share in zip(eligible, shares([c.coefficient for c in eligible], turn=turn), strict=True)
    ]
    claims: dict[Reason, list[int] | list[Fraction]] = {
        Reason.FAIR_SHARE: [-balance for balance in owed],
        Reason.TOTALS: [Fraction(c.received, c.coefficient) for c in eligible],
        Reason.LEAST_LOADED: [Fraction(c.held, c.coefficient) for c in eligible],
        Reason.DIRECT: list(range(len(eligible))),
    }
    first, _ = METHODS[method](eligible, turn=turn)
    claim = claims[method]
    return sorted(range(len(eligible)), key=lambda i: (i != first, claim[i], eligible[i].last_turn))


def _lowest(eligible: Sequence[Candidate], loads: list[Fraction]) -> Choice:
    lowest = min(loads)
    best = [i for i, load in enumerate(loads) if load == lowest]
    return _longest_without(eligible, best), [c.balance for c in eligible]


def _longest_without(eligible: Sequence[Candidate], best: Sequence[int]) -> int:
    """Return who of the best has been longest without a lead; of equals, the first in the trigger's order."""
    return min(best, key=lambda i: eligible[i].last_turn)
