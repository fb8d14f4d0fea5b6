"""The heart: who gets a lead, and why. Pure; the standard library only. Start reading in decision.py."""

from .decision import after, assign, decide, fold, nobody
from .eligibility import matches, refusal
from .redistribution import Finally, NeverOnDuty, accept_by, attempts_left
from .selection import METHODS, REMAINDERS, line, shares
from .values import LEAD, Candidate, Decision, Reason

__all__ = [
    "LEAD",
    "METHODS",
    "REMAINDERS",
    "Candidate",
    "Decision",
    "Finally",
    "NeverOnDuty",
    "Reason",
    "accept_by",
    "after",
    "assign",
    "attempts_left",
    "decide",
    "fold",
    "line",
    "matches",
    "nobody",
    "refusal",
    "shares",
]
