"""Who can take a lead, and the reason for everybody who cannot."""

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

    skills: skill -> what the manager can do; a skill the manager does not name, they have without limit.
    needs: skill -> what would do, in lower case; empty: the lead does not say.
    """
    return all(
        not needs.get(skill) or not needs[skill].isdisjoint(map(str.casefold, has)) for skill, has in skills.items()
    )
