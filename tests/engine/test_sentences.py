"""Triggers in words."""

import pytest

from routing.wording.sentences import TriggerFacts, details, headline

NEW = {"stage": "Sales", "on": ["created"], "method": "fair_share"}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (
            {"coefficients": (1, 1, 2, 1, 1), "minutes": 10, "max_attempts": 3, "final_step": "duty", "duty": "Eva"},
            "New leads in Sales go to 5 managers by coefficient; "
            "if not accepted within 10 minutes, they go to the next manager, up to 3 attempts, then to Eva.",
        ),
        ({}, "New leads in Sales go to all active managers in equal shares."),
        ({"coefficients": (4, 4)}, "New leads in Sales go to 2 managers in equal shares."),
        ({"coefficients": (1,), "on": ["moved"]}, "Leads moved into Sales go to 1 manager in equal shares."),
        (
            {"on": ["created", "moved"], "method": "least_loaded"},
            "Leads created in or moved into Sales go to all active managers by fewest leads held.",
        ),
        (
            {"method": "direct", "minutes": 1, "clock": "working", "final_step": "keep"},
            "New leads in Sales go to all active managers in order: the first available manager gets the lead; "
            "if not accepted within 1 working minute, they go to the next manager, then they stay with the last manager.",
        ),
        (
            {"when": ["the language is es", "the budget is at least 1,000"]},
            "New leads in Sales go to all active managers in equal shares; "
            "only if the language is es and the budget is at least 1,000.",
        ),
        ({"on": []}, "Turned off: no event runs it."),
    ],
)
def test_a_trigger_is_told_in_one_sentence(facts, sentence):
    assert headline(TriggerFacts(**{**NEW, **facts})) == sentence


def test_the_rest_is_told_a_sentence_each():
    told = TriggerFacts(
        **NEW, online_only=True, limit=1, responsible_check=["company", "contact"], if_nobody="duty", duty="Eva"
    )
    assert details(told) == [
        "A lead from a known company, or else a known contact, goes to the manager responsible for it.",
        "Only managers who are online take part.",
        "Nobody holds more than 1 lead.",
        "If nobody is available, they go to Eva.",
    ]
