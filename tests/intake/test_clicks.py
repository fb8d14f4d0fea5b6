"""What tells a double click: product and text, however they are spelled."""

import pytest

from routing.intake.clicks import click_key

LEAD = {"product": "CRM", "name": "Demo", "comment": "Please call", "fields": {"message": "We need five chairs"}}


@pytest.mark.parametrize(
    "same",
    [
        {"product": " crm "},
        {"comment": "please  CALL\n"},
        {"name": "De\u0301mo".replace("e\u0301", "e")},
        {"fields": {"message": " we need  five CHAIRS"}},
        {
            "fields": {
                **LEAD["fields"],
                "token": "f3a9",
                "seconds": 12,
                "at": "2026-11-30 10:00:05",
                "day": "30 Nov 2026",
            }
        },
        {"fields": {**LEAD["fields"], "size": "large", "agree": True, "none": None, "list": ["a", 1]}},
        {"utm": {"source": "google"}, "budget": "12.00", "tags": ["a"]},
    ],
)
def test_spelling_and_what_is_no_text_do_not_count(same):
    assert click_key({**LEAD, **same}) == click_key(LEAD)


@pytest.mark.parametrize(
    "other",
    [
        {"product": "mail"},
        {"product": ""},
        {"comment": "Please do not call"},
        {"name": "Offer"},
        {"fields": {"message": "We need six chairs"}},
        {"fields": {"answer": "We need five chairs"}},
        {"fields": {**LEAD["fields"], "more": {"deep": ["and two tables"]}}},
        {"fields": {}},
    ],
)
def test_another_text_or_product_is_another_key(other):
    assert click_key({**LEAD, **other}) != click_key(LEAD)


def test_texts_do_not_run_into_each_other():
    assert click_key({"name": "ab", "comment": "c"}) != click_key({"name": "a", "comment": "bc"})
    assert click_key({"name": "", "comment": "a"}) != click_key({"name": "a", "comment": ""})


def test_a_composed_and_a_decomposed_letter_are_one():
    assert click_key({"comment": "caf\u00e9 olé"}) == click_key({"comment": "cafe\u0301 olé"})
