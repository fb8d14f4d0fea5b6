"""Contacts who may be one person are found in the worker and proposed with reasons; nobody is merged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from benchmarks.febrl import FIELDS, measure, read_records, store
from leadrouter.celery import app
from routing.models import Contact, ContactTraits, DuplicateSearch, Lead, PossibleDuplicate
from routing.personal_data.people import person_of
from routing.personal_data.rights import erase_person
from routing.services import duplicates
from routing.services.duplicates import is_searching, look_for_duplicates
from routing.tasks import find_duplicates
from tests.data import data_path
from tests.factories import DAY, HOUR, MINUTE, MONDAY, make_company, make_contact, stage, take

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _stage() -> None:
    stage("sales/new")


def come(name: str, email: str, *, at: datetime = MONDAY, **facts: Any) -> Contact:
    contact = take(contact={"name": name, "email": email}, at=at, **facts).contact
    assert contact is not None
    return contact


def look(*, at: datetime = MONDAY, **options: Any) -> int:
    """Look until nobody is left; return how many contacts were looked at."""
    looks = iter(lambda: look_for_duplicates(at=at, **options), None)
    return sum(each.contacts for each in looks)


def proposals() -> list[tuple[list[str], list[str]]]:
    rows = PossibleDuplicate.objects.open().order_by("id").select_related("one", "other")
    return [(sorted((row.one.name, row.other.name)), row.reasons) for row in rows]


ROSA = (["GOMEZ ROSA", "Rosa Gómez"], ["same_name", "same_postal_code"])


def test_two_who_may_be_one_are_proposed_with_the_reasons_and_not_merged() -> None:
    come("Rosa Gómez", "rosa@client.example", postal_code="28013")
    come("Tom Weber", "tom@client.example", postal_code="28013")
    come("GOMEZ ROSA", "r.g@work.example", postal_code="28013")
    assert look() == 3
    assert proposals() == [ROSA]
    assert Contact.objects.count() == 3
    assert look(at=MONDAY + MINUTE) == 0


@pytest.mark.parametrize("place", ["Calle Mayor 17", ""])
def test_two_keys_that_say_little_are_needed_where_nothing_else_is_in_common(place: str) -> None:
    born = {"date_of_birth": "1980-02-03", "address": place}
    come("Ana Gonzalez", "one@client.example", fields=born)
    come("Ana Gomzalez", "other@work.example", fields={**born, "date_of_birth": "1980-02-08"})
    look()
    reasons = ["similar_name", "similar_birth_date", "similar_address"]
    assert proposals() == ([(["Ana Gomzalez", "Ana Gonzalez"], reasons)] if place else [])


def test_who_comes_later_is_compared_with_who_was_there() -> None:
    come("Rosa Gómez", "rosa@client.example", postal_code="28013")
    look()
    come("GOMEZ ROSA", "r.g@work.example", postal_code="28013", at=MONDAY + HOUR)
    assert look(at=MONDAY + HOUR) == 1
    assert proposals() == [ROSA]


def test_looks_of_one_contact_each_find_what_a_look_at_all_finds() -> None:
    come("Rosa Gómez", "rosa@client.example", postal_code="28013")
    come("GOMEZ ROSA", "r.g@work.example", postal_code="28013")
    assert look(most=1) == 2
    assert proposals() == [ROSA]


def test_a_lead_that_is_committed_late_is_still_looked_at() -> None:
    look()
    look(at=MONDAY + MINUTE)
    come("Rosa Gómez", "rosa@client.example", at=MONDAY)  # began before the last look
    assert look(at=MONDAY + 2 * MINUTE) == 1


def test_contacts_that_no_lead_leads_to_are_looked_at_once_a_day() -> None:
    look()
    make_contact("ana@client.example")
    assert look(at=MONDAY + HOUR) == 0
    assert look(at=MONDAY + DAY) == 1


def test_what_a_known_person_sends_later_counts() -> None:
    come("Rosa Gómez", "rosa@client.example", postal_code="28013")
    come("GOMEZ ROSA", "r.g@work.example")
    look()
    assert proposals() == [(ROSA[0], ["same_name"])]
    come("Rosa Gomez", "r.g@work.example", postal_code="28013", at=MONDAY + HOUR)
    assert look(at=MONDAY + HOUR) == 1
    assert proposals() == [ROSA]


@pytest.mark.parametrize("change", ["name", "company", "lead"])
def test_who_is_edited_is_looked_at_again_and_what_is_no_longer_alike_is_no_longer_proposed(change: str) -> None:
    rosa = come("Rosa Gómez", "rosa@client.example", postal_code="28013")
    come("GOMEZ ROSA", "r.g@work.example", postal_code="28013")
    look()
    assert len(proposals()) == 1
    if change == "name":
        Contact.objects.filter(pk=rosa.pk).update(name="Emma Brown")
    elif change == "lead":
        Lead.objects.filter(contact=rosa).update(postal_code="08001")
    else:
        Contact.objects.filter(pk=rosa.pk).update(company=make_company())
    assert look() == 1
    assert proposals() == ([ROSA] if change == "company" else [])


def test_a_dismissed_pair_is_not_proposed_again() -> None:
    rosa = come("Rosa Gómez", "rosa@client.example", postal_code="28013")
    come("GOMEZ ROSA", "r.g@work.example", postal_code="28013")
    look()
    PossibleDuplicate.objects.update(dismissed_at=MONDAY)
    for name in ("Emma Brown", "Rosa Gómez"):
        Contact.objects.filter(pk=rosa.pk).update(name=name)
        assert look() == 1
        assert proposals() == []
    assert PossibleDuplicate.objects.count() == 1


def test_what_a_lead_said_of_two_contacts_stays_however_little_they_are_alike() -> None:
    take(contact={"name": "Rosa", "email": "rosa@client.example"})
    take(contact={"name": "Tom", "phone": "+34600111222"})
    take(contact={"email": "rosa@client.example", "phone": "+34600111222"})
    look()
    assert proposals() == [(["Rosa", "Tom"], ["shared_phone"])]


def test_a_mistyped_name_on_a_shared_number_is_proposed() -> None:
    take(contact={"name": "Rosa Gomez", "phone": "+34600111222"})
    take(contact={"name": "Rosa Gonez", "email": "r@client.example", "phone": "+34600111222"})
    look()
    assert proposals() == [(["Rosa Gomez", "Rosa Gonez"], ["similar_name", "shared_phone"])]


def test_what_too_many_have_finds_nobody() -> None:
    for number in range(duplicates.CROWD + 1):
        come("Rosa Gómez", f"r{number}@client.example", postal_code="28013")
    look()
    assert proposals() == []


def test_an_erased_person_leaves_nothing_to_compare() -> None:
    rosa = come("Rosa Gómez", "rosa@client.example", postal_code="28013")
    come("GOMEZ ROSA", "r.g@work.example", postal_code="28013")
    look()
    erase_person.__wrapped__(person_of([rosa]), at=MONDAY)
    assert not PossibleDuplicate.objects.exists()
    assert not ContactTraits.objects.filter(contact=rosa).exists()
    look(at=MONDAY + DAY)
    assert ContactTraits.objects.get(contact=rosa).keys == []
    assert proposals() == []


def test_the_job_goes_on_until_nobody_is_left_and_a_tick_leaves_alone_who_is_at_it(monkeypatch: Any) -> None:
    rung: list[tuple[bool, ...]] = []
    job = app.tasks[find_duplicates.name]
    monkeypatch.setattr(type(job), "delay", lambda self, *arguments: rung.append(arguments))
    monkeypatch.setattr("routing.tasks.clock.now", lambda: MONDAY)
    monkeypatch.setattr(
        "routing.tasks.look_for_duplicates", lambda *, at: look_for_duplicates.__wrapped__(at=at, most=1)
    )
    for number in range(3):
        come(f"Rosa {number}", f"r{number}@client.example")
    find_duplicates()
    assert is_searching(at=MONDAY)
    find_duplicates()
    assert rung == [(True,)]
    assert ContactTraits.objects.count() == 1
    for _ in range(3):
        find_duplicates(True)
    assert rung == [(True,)] * 3
    assert ContactTraits.objects.count() == 3
    assert DuplicateSearch.objects.get().all_seen_at == MONDAY


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("fields", [FIELDS, ("date_of_birth",)], ids=["address", "no address"])
def test_published_duplicates_are_found(number: int, fields: tuple[str, ...]) -> None:
    records = read_records(data_path(f"febrl/dataset{number}.csv"))[: 5_000 if number == 1 else 1_500]
    ids = store(records, at=MONDAY, fields=fields)
    look()
    figures = measure(ids, records)
    assert figures.precision >= 0.98
    assert figures.recall >= 0.80
