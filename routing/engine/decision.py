"""One run of a trigger on one lead. Start reading here.

Values in, a value out: no database, clock, randomness or settings. The caller brings the facts and the instant.
"""

from collections.abc import Sequence

from .eligibility import refusal
from .selection import METHODS
from .values import LEAD, Candidate, Decision, Reason


def decide(candidates: Sequence[Candidate], *, method: Reason, turn: int) -> Decision:
    """Choose one of the candidates, and say why each of the others could not be chosen."""
    refusals = list(map(refusal, candidates))
    if candidates and not any(refusals):  # as a rule
        chosen, balances = METHODS[method](candidates, turn=turn)
        return Decision(chosen=chosen, reason=method, refusals=refusals, balances=balances)
    positions = [i for i, reason in enumerate(refusals) if reason is None]
    if not positions:
        return nobody(candidates)
    chosen, after = METHODS[method]([candidates[i] for i in positions], turn=turn)
    balances = [c.balance for c in candidates]
    for position, balance in zip(positions, after, strict=True):
        balances[position] = balance
    return Decision(chosen=positions[chosen], reason=method, refusals=refusals, balances=balances)


def nobody(candidates: Sequence[Candidate], reason: Reason = Reason.NOBODY) -> Decision:
    """Choose nobody, for a reason that lies in the lead: no attempts left, or other leads ahead."""
    return Decision(
        chosen=None,
        reason=reason,
        refusals=[refusal(c) for c in candidates],
        balances=[c.balance for c in candidates],
    )


def assign(
    candidates: Sequence[Candidate], *, chosen: int, reason: Reason, count: bool, method: Reason, turn: int
) -> Decision:
    """Choose a candidate without asking the method: the responsible, or the duty manager.

    count: whether the lead counts in the registry. Then the eligible are credited as usual, and this one pays.
    """
    refusals = [refusal(c) for c in candidates]
    balances = [c.balance for c in candidates]
    if count and method is Reason.FAIR_SHARE:
        free = decide(candidates, method=method, turn=turn)
        if free.chosen is not None:
            balances = list(free.balances)
            balances[free.chosen] += LEAD
            balances[chosen] -= LEAD
    return Decision(chosen=chosen, reason=reason, refusals=refusals, balances=balances)
