"""Who can take a lead, and the first reason why somebody cannot."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadrouter.development import region_codes
from routing.engine import Candidate, LeadFacts, Reason, matches, refusal
from routing.intake.skills import tokens_served

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
    ("skills", "lead", "expected"),
    [
        ({}, {"language": "es"}, True),  # names no languages: any
        ({"language": ["es", "en"]}, {"language": "es"}, True),
        ({"language": ["en"]}, {"language": "es"}, False),
        ({"language": ["en"]}, {}, True),  # the lead does not say
        ({"language": []}, {"language": "es"}, False),  # names none: serves none
        ({"language": ["es"]}, {"product": "crm"}, True),
        ({"language": ["es"], "region": ["ES"]}, {"language": "es", "region": "Madrid", "country": "ES"}, True),
        ({"language": ["es"], "region": ["FR"]}, {"language": "es", "region": "Madrid", "country": "ES"}, False),
        ({"plan": ["gold"]}, {"fields": {"plan": ["silver", "gold"]}}, True),  # any of a list
        ({"plan": ["gold"]}, {"fields": {"plan": {"name": "silver"}}}, True),  # nested: not compared
    ],
)
def test_who_names_a_skill_serves_what_they_name(skills, lead, expected):
    assert serves(skills, lead) is expected


def serves(skills, lead):
    return matches(tokens_served(skills), LeadFacts.of(lead).needs)


SPELLINGS = ["es ", " ES", "es\n", "\u00a0es", "e\u200bs"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_blanks_and_case_make_no_difference(spelling):
    assert serves({"language": ["es"]}, {"language": spelling})
    assert serves({"language": [spelling]}, {"language": "es"})
    assert not serves({"language": [spelling]}, {"language": "en"})


@pytest.mark.parametrize(
    ("skill", "one", "other"),
    [
        ("product", "GTX  Pro", "gtx pro"),
        ("product", "GTX Pro\n", "GTX Pro"),
        ("postal_code", "08001 ", "08001"),
        ("product", "Cafe\u0301", "CAFÉ"),
        ("product", "STRASSE", "Straße"),
        ("region", "Comunidad  de Madrid", "comunidad de madrid"),
        ("plan", "gold ", "Gold"),
    ],
)
def test_two_spellings_are_one_value_on_both_sides(skill, one, other):
    for has, asks in ((one, other), (other, one)):
        lead = {"fields": {skill: asks}} if skill == "plan" else {skill: asks}
        assert serves({skill: [has]}, lead)
        assert not serves({skill: ["something else"]}, lead)


def test_the_name_of_a_skill_is_compared_like_its_values():
    assert not serves({" Plan": ["gold"]}, {"fields": {"plan ": "silver"}})
    assert serves({" Plan": ["gold"]}, {"fields": {"PLAN": "gold"}})


@pytest.mark.parametrize(
    "nothing", ["-", "—", "n/a", " N/A ", "...", "?", "none", "null", "нет", "não informado", "Ninguno", ""]
)
def test_what_says_nothing_is_no_need(nothing):
    assert serves({"product": ["crm"]}, {"product": nothing})
    assert serves({"plan": ["gold"]}, {"fields": {"plan": nothing}})
    assert not serves({"plan": ["gold"]}, {"fields": {"plan": [nothing, "silver"]}})
    assert LeadFacts.of({"product": nothing, "fields": {"plan": nothing}}).asked == {}


@pytest.mark.parametrize(("skill", "value"), [("language", "no"), ("country", "NA"), ("product", "C++")])
def test_short_values_that_say_something_are_needs(skill, value):
    assert not serves({skill: ["other"]}, {skill: value})
    assert serves({skill: [value.lower()]}, {skill: value})


def test_custom_fields_ask_where_the_leads_own_field_says_nothing():
    speaks_spanish = {"language": ["es"]}
    assert not serves(speaks_spanish, {"fields": {"language": "en"}})
    assert not serves(speaks_spanish, {"language": "n/a", "fields": {"Language": "en"}})
    assert serves(speaks_spanish, {"language": "es", "fields": {"language": "en"}})
    assert not serves({"product": ["crm"]}, {"product": "", "fields": {"product": "mail"}})


@pytest.mark.parametrize(
    ("has", "lead", "expected"),
    [
        (["Madrid"], {"country": "ES"}, True),  # Madrid is somewhere
        (["MD"], {"country": "ES"}, True),  # Madrid, not Moldova
        (["CA", "OR"], {"country": "US"}, True),  # California, not Canada
        (["ES-MD"], {"country": "ES"}, True),
        (["es"], {"country": "ES"}, True),
        (["FR"], {"country": "ES"}, False),
        (["FR-IDF"], {"country": "ES"}, False),
        (["FR", "Madrid"], {"country": "ES"}, True),
        (["Madrid"], {"country": "ES", "region": "-"}, True),
        (["Madrid"], {"country": "ES", "region": "Barcelona"}, False),
        (["Madrid"], {"region": "madrid "}, True),
        (["FR"], {}, True),
    ],
)
def test_a_lead_without_a_region_may_be_anywhere_in_its_country(has, lead, expected):
    assert serves({"region": has}, lead) is expected


@pytest.mark.parametrize(
    ("speaks", "lead", "expected"),
    [
        ("es", "es-MX", True),
        ("pt-BR", "pt", True),
        ("pt-BR", "pt-PT", False),
        ("es", "es_ES.UTF-8", True),
        ("zh", "zh-Hant-TW", True),
        ("zh-Hant", "zh_hant_tw", True),
        ("es", "es_LA", True),  # Latin America's, not that of Laos
        ("es-419", "es_LA", True),
        ("es-419", "es-MX", True),
        ("es-MX", "es_LA", True),
        ("es-ES", "es_LA", False),
        ("es-419", "es-ES", False),
        ("lo", "es_LA", False),
        ("ar", "ar_AR", True),
        ("ar-EG", "ar_AR", True),
        ("es-AR", "ar_AR", False),
        *(("uk", spelling, True) for spelling in ("ua", "UA", "ua-UA", "uk-UA", "uk")),
        ("cs", "cz", True),
        ("kk", "kz", True),
        ("ua", "uk", True),
        ("es", "spa", True),
        ("he", "iw", True),
        ("ru", "uk", False),  # nobody's other language is inferred
        ("ru", "ua", False),
        ("ru", "be", False),
        ("ru", "kk", False),
        ("pt", "es", False),
        ("es", "español", False),
        ("Español", "ESPAÑOL ", True),
        ("e", "es", False),
        ("en", "eng lish", False),
    ],
)
def test_languages_match_by_range_and_by_what_senders_mean(speaks, lead, expected):
    assert serves({"language": [speaks]}, {"language": lead}) is expected


@given(st.text(max_size=40))
def test_any_text_is_a_language_that_it_serves_itself(text):
    assert serves({"language": [text]}, {"language": text})


def test_region_codes_are_those_of_the_package():
    assert region_codes.TARGET.read_text(encoding="utf-8") == region_codes.region_codes()
