"""Which contacts may be one person, by what is known of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.intake.likeness import ENOUGH, Traits, is_weak, keys_of, likeness, traits_of


def person(
    name: str, *, postal_code: str = "", region: str = "", fields: dict[str, Any] | None = None, **facts: Any
) -> Traits:
    return traits_of(name, leads=[{"postal_code": postal_code, "region": region, "fields": fields or {}}], **facts)


def are_alike(one: Traits, other: Traits, *, rare: bool = False) -> bool:
    """Tell whether the pair is found by a key, and alike enough; the order of the two never counts."""
    there, back = likeness(one, other, rare=rare), likeness(other, one, rare=rare)
    assert there.bits == back.bits
    assert set(there.reasons) == set(back.reasons)
    return bool(set(keys_of(one)) & set(keys_of(other))) and there.bits >= ENOUGH


BORN = {"date_of_birth": "1984-05-12"}


@pytest.mark.parametrize(
    ("one", "other", "reasons"),
    [
        (person("Rosa Gómez", postal_code="28013"), person("gomez, rosa", postal_code="28 013"), {"same_name", "same_postal_code"}),
        (person("Иван Петров", postal_code="101000"), person("Petrov Ivan", postal_code="101000"), {"same_name", "same_postal_code"}),
        (person("Щербаков Юрий", companies=["Ромашка"]), person("Yuri Shcherbakov", companies=["ромашка"]), {"same_name", "same_company"}),
        (person("Rosa Gomez", postal_code="28013"), person("Rosa Gomze", postal_code="28013"), {"similar_name", "same_postal_code"}),
        (person("Rosa Gomez", postal_code="28013"), person("Rosa Gomez", postal_code="28031"), {"same_name", "similar_postal_code"}),
        (person("Pepe García", companies=["Ruiz SL"]), person("José García", companies=["Ruiz SL"]), {"similar_name", "same_company"}),
        (person("Ana Ruiz", companies=["Consultores"]), person("Ana Ruiz", companies=["Consutlores"]), {"same_name", "similar_company"}),
        (person("Ana Ruiz", fields=BORN), person("Ana Pérez", fields={"Birthday": "12.05.1984"}), {"similar_name", "same_birth_date"}),
        (person("Ana Ruiz", fields=BORN), person("Ana Riuz", fields={"dob": "12/06/1984"}), {"similar_name", "similar_birth_date"}),
        (person("Ana Ruiz", emails=["ana.ruiz@a.com"]), person("Ana Ruiz", emails=["ana.ruiz@b.com"]), {"same_name", "same_mailbox"}),
        (person("Rosa Gomez", points=["phone +34"]), person("Rosa Gonez", points=["phone +34"]), {"similar_name", "shared_phone"}),
        (
            person("Ana Ruiz", postal_code="08001", fields={"street": "Carrer de Balmes 12", "city": "Barcelona"}),
            person("Ana Vidal", postal_code="08001", fields={"address": {"line": "Carrer Balmes, 12", "town": "Barcelona"}}),
            {"similar_name", "same_postal_code", "similar_address"},  # she married
        ),
    ],
)  # fmt: skip
def test_one_person_written_twice_is_found_with_the_reasons(one: Traits, other: Traits, reasons: set[str]) -> None:
    assert are_alike(one, other)
    assert set(likeness(one, other).reasons) == reasons


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (person("Rosa Gómez", postal_code="28013"), person("Ana Ruiz", postal_code="28013")),
        (person("Rosa Gómez", companies=["Ruiz SL"]), person("Tom Weber", companies=["Ruiz SL"])),
        (person("Rosa Gómez", postal_code="28013"), person("Rosa Gómez", postal_code="08001")),
        (person("Rosa Gómez", fields=BORN), person("Rosa Gómez", fields={"date_of_birth": "1951-11-30"})),
        (person("Rosa"), person("Rosa")),
        (person("Rosa", postal_code="28013"), person("Rosa", postal_code="28013")),
        (person("", postal_code="28013", fields=BORN), person("", postal_code="28013", fields=BORN)),
        # A family at one address.
        (
            person("Luis Gómez", postal_code="28013", fields={"street": "Calle Mayor 1", "city": "Madrid"}),
            person("Rosa Gómez", postal_code="28013", fields={"street": "Calle Mayor 1", "city": "Madrid"}),
        ),
        # What says nothing of where somebody lives.
        (
            person("Luis Gómez", fields={"email_address": "form@shop.example", "ip_address": "10.0.0.1"}),
            person("Luis Pérez", fields={"email_address": "form@shop.example", "ip_address": "10.0.0.1"}),
        ),
    ],
)
def test_two_persons_are_left_alone(one: Traits, other: Traits) -> None:
    assert not are_alike(one, other)


def test_the_same_name_alone_says_enough_where_few_have_it() -> None:
    assert are_alike(person("Rosa Gómez"), person("Gómez Rosa"), rare=True)
    assert not are_alike(person("Rosa Gómez"), person("Gómez Rosa"))
    assert not are_alike(person("Rosa Gómez"), person("Rosa Gomes Vidal"), rare=True)


@pytest.mark.parametrize(
    "written", ["1984-05-12", "1984/5/12", "19840512", "12.05.1984", "05/12/1984", "12-5-1984", "1984-05-12T00:00:00Z"]
)
def test_a_date_of_birth_is_the_same_however_it_is_written(written: str) -> None:
    assert person("Ana Ruiz", fields={"Fecha de nacimiento": written}).births == ["19840512"]


def test_what_is_no_date_is_not_compared() -> None:
    assert not person(
        "Ana Ruiz", fields={"dob": "May", "birthday": "12.05", "birth": None, "nascimento": ["1984"]}
    ).births


@given(st.text(max_size=40), st.dictionaries(st.text(max_size=12), st.text(max_size=20) | st.integers() | st.none()))
def test_nothing_that_was_sent_stops_the_comparison(name: str, fields: dict[str, Any]) -> None:
    one = traits_of(
        name, leads=[{"postal_code": name[:32], "region": name, "fields": {**fields, "address": fields}}], emails=[name]
    )
    assert likeness(one, one).bits >= 0 or len(one.words) == 0
    assert keys_of(one) == keys_of(Traits(*map(list, one)))  # as they come back from where they are kept


def test_two_weak_keys_are_needed_or_one_that_says_more():
    weak = {is_weak(key) for key in keys_of(Traits(words=["ana"], births=[], places=["madrid"]))}
    strong = {is_weak(key) for key in keys_of(Traits(points=["phone +34600010101"], mailboxes=["anaruiz"]))}
    assert weak == {True}
    assert strong == {False}
