"""Who can take a lead, and why the others cannot."""

from routing.intake.skills import Tokens

from .values import Candidate, Reason


def refusal(candidate: Candidate) -> Reason | None:
    """Return the first reason why the candidate cannot take the lead, or None.

    Source: docs/rules.md, "Who is eligible".
    """
    if candidate.unavailable is not None:
        return candidate.unavailable
    if candidate.coefficient == 0:
        return Reason.COEFFICIENT_ZERO
    if not candidate.matches:
        return Reason.NO_MATCH
    if candidate.limit is not None and candidate.held >= candidate.limit:
        return Reason.AT_LIMIT
    if candidate.tried:
        return Reason.ALREADY_TRIED
    return None


def matches(skills: Tokens, needs: Tokens) -> bool:
    """Tell whether somebody with these skills can serve these needs.

    skills: what the manager can do; for a skill that is not named, any value fits.
    needs: what the lead asks for; a skill that is not named is not asked for.
    """
    return all(skill not in needs or not needs[skill].isdisjoint(has) for skill, has in skills.items())
