"""Who can take a lead, and the first reason why somebody cannot."""

from itertools import product

import pytest

from routing.engine import Candidate, Reason, matches, refusal

AVAILABILITY = [Reason.INACTIVE, Reason.PAUSED, Reason.OFF_DUTY, Reason.OFFLINE]
# In the order in which they are asked: what brings each about, and what does not.
FACTS = [
    ("unavailable", None, AVAILABILITY),
    ("coefficient", 3, [0]),
    ("matches", True, [False]),
    ("held", 4, [5, 6]),
    ("tried", False, [True]),
]
REASONS = [None, Reason.COEFFICIENT_ZERO, Reason.NO_MATCH, Reason.AT_LIMIT, Reason.ALREADY_TRIED]


@pytest.mark.parametrize("values", list(product(*([good, *bad] for _, good, bad in FACTS))))
def test_of_all_combinations_the_first_reason_wins(values):
    facts = dict(zip((name for name, *_ in FACTS), values, strict=True))
    wrong = [i for i, (value, (_, good, _)) in enumerate(zip(values, FACTS, strict=True)) if value != good]
    expected = None if not wrong else values[0] if wrong[0] == 0 else REASONS[wrong[0]]
    assert refusal(Candidate(manager=1, limit=5, **facts)) is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"held": 9, "limit": 10}, None),
        ({"held": 10, "limit": 10}, Reason.AT_LIMIT),
        ({"held": 11, "limit": 10}, Reason.AT_LIMIT),  # a limit that was lowered
        ({"held": 0, "limit": 0}, Reason.AT_LIMIT),
        ({"held": 10_000, "limit": None}, None),
        ({"unavailable": Reason.PAUSED, "coefficient": 0}, Reason.PAUSED),
    ],
)
def test_refusal_names_the_first_reason(facts, expected):
    assert refusal(Candidate(manager=1, **facts)) is expected


def test_reasons_stand_in_the_order_in_which_they_are_asked():
    assert [str(reason) for reason in Reason][:8] == [
        "inactive",
        "paused",
        "off_duty",
        "offline",
        "coefficient_zero",
        "no_match",
        "at_limit",
        "already_tried",
    ]


@pytest.mark.parametrize(
    ("skills", "needs", "expected"),
    [
        ({}, {"language": {"es"}}, True),  # names no languages: any
        ({"language": ["es", "en"]}, {"language": {"es"}}, True),
        ({"language": ["ES"]}, {"language": {"es"}}, True),
        ({"language": ["en"]}, {"language": {"es"}}, False),
        ({"language": ["en"]}, {"language": set()}, True),  # the lead does not say
        ({"language": ["en"]}, {}, True),
        ({"language": []}, {"language": {"es"}}, False),  # names none: serves none
        ({"language": ["es"], "region": ["ES"]}, {"language": {"es"}, "region": {"md", "es"}}, True),
        ({"language": ["es"], "region": ["FR"]}, {"language": {"es"}, "region": {"md", "es"}}, False),
        ({"language": ["es"]}, {"product": {"crm"}}, True),
    ],
)
def test_who_names_a_skill_serves_what_they_name(skills, needs, expected):
    assert matches(skills, {skill: frozenset(values) for skill, values in needs.items()}) is expected
