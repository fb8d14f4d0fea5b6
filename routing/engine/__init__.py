"""The heart: who gets a lead, and why. Pure; the standard library only. Start reading in decision.py, then run.py."""

from .decision import assign, decide, nobody
from .eligibility import matches, refusal
from .facts import LeadFacts
from .ledger import Ledger, Standing
from .redistribution import Finally, NeverOnDuty, accept_by, attempts_left
from .run import Case, Presence, Team, Terms, Verdict, claims, deadline, run, waits
from .selection import METHODS, REMAINDERS, line, shares
from .values import LEAD, Candidate, Decision, Reason

__all__ = [
    "LEAD",
    "METHODS",
    "REMAINDERS",
    "Candidate",
    "Case",
    "Decision",
    "Finally",
    "LeadFacts",
    "Ledger",
    "NeverOnDuty",
    "Presence",
    "Reason",
    "Standing",
    "Team",
    "Terms",
    "Verdict",
    "accept_by",
    "assign",
    "attempts_left",
    "claims",
    "deadline",
    "decide",
    "line",
    "matches",
    "nobody",
    "refusal",
    "run",
    "shares",
    "waits",
]
