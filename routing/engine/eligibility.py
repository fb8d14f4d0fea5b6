"""Who can take a lead, and why the others cannot."""

from collections.abc import Mapping, Sequence

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


def matches(skills: Mapping[str, Sequence[str]], needs: Mapping[str, frozenset[str]]) -> bool:
    """Tell whether somebody with these skills can serve these needs.

    skills: skill -> what the manager can do; for a skill that is not named, any value fits.
    needs: skill -> the values that fit, in lower case; empty: the lead does not ask.
    """
    return all(
        not needs.get(skill) or not needs[skill].isdisjoint(map(str.casefold, has)) for skill, has in skills.items()
    )
