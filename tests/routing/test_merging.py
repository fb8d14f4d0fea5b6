"""Two contacts are made one by people, with all that they have, and the merge is undone within 30 days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import Manager
from routing.exceptions import Conflict, Gone, NotFound
from routing.models import (
    Company,
    Contact,
    ContactPoint,
    ContactTraits,
    Lead,
    LeadEvent,
    Merge,
    Offer,
    PossibleDuplicate,
    Task,
)
from routing.personal_data import retention
from routing.personal_data.people import find, person_of
from routing.personal_data.rights import erase_person, export_person
from routing.services import merging
from routing.services.contact_points import remove_point
from routing.services.duplicates import look_for_duplicates
from tests.factories import (
    DAY,
    HOUR,
    MONDAY,
    asking_acceptance,
    make_company,
    make_contact,
    make_lead,
    make_manager,
    make_supervisor,
    make_task,
    make_trigger,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sue(db: None) -> Any:
    return make_supervisor()


def merge(kept: Contact, merged: Contact, *, at: datetime = MONDAY, **options: Any) -> Merge:
    return merging.merge_contacts(kept.pk, merged.pk, at=at, **options)


def everything() -> dict[str, list[Any]]:
    """Return all that a merge may change, as it stands."""
    columns = {
        Contact: ("id", "name", "email", "phone", "chat", "other_emails", "company", "responsible", "created_at"),
        ContactPoint: (
            "id",
            "contact",
            "kind",
            "text",
            "extension",
            "key",
            "shared",
            "main",
            "source",
            "first_seen_at",
        ),
        Lead: ("id", "contact", "company", "also_sent", "shares_with", "responsible", "state", "stage"),
        PossibleDuplicate: ("one", "other", "reasons", "found_at", "dismissed_at"),
        Task: ("id", "lead", "responsible"),
        Offer: ("id", "lead", "manager", "closed_at"),
    }
    return {
        model.__name__: sorted(model._default_manager.values_list(*names), key=str) for model, names in columns.items()
    }


def two_of_one(**facts: Any) -> tuple[Contact, Contact]:
    """Make Rosa, and once more Rosa under another name, each with a lead, a phone and an e-mail."""
    make_trigger(members=[make_manager("ann"), make_manager("bob")], **facts)
    rosa = take(contact={"name": "Rosa Gómez", "email": "rosa@client.example", "phone": "+34600111222"}).contact
    again = take(contact={"name": "GOMEZ R.", "email": "r.g@work.example", "phone": "+34600333444"}).contact
    assert rosa is not None
    assert again is not None
    return rosa, again


def test_all_that_the_one_has_is_the_others() -> None:
    rosa, again = two_of_one(**asking_acceptance())
    lead = Lead.objects.get(contact=again)
    make_task(lead)
    merge(rosa, again)
    rosa.refresh_from_db()
    assert not Contact.objects.filter(pk=again.pk).exists()
    assert (rosa.name, rosa.email, rosa.other_emails) == ("Rosa Gómez", "r.g@work.example", "rosa@client.example")
    assert Lead.objects.filter(contact=rosa).count() == 2
    assert lead.tasks.count() == 1
    assert Offer.objects.open().filter(lead=lead).exists()  # who has it on offer still has
    assert rosa.points.filter(shared=False).count() == 4
    for known in ({"email": "r.g@work.example"}, {"phone": "+34600333444"}):
        assert take(contact=known).contact == rosa
    assert "GOMEZ R." in Lead.objects.get(pk=lead.pk).also_sent  # found by the name that it came under
    assert [event.kind for event in lead.events.all()] == ["merged"]


def test_an_undone_merge_leaves_everything_as_it_was() -> None:
    rosa, again = two_of_one()
    third = make_contact("third@client.example", name="Rosa", phone="+34600999888")
    Contact.objects.filter(pk=again.pk).update(
        company=make_company(), responsible=Manager.objects.get(user__name="Bob")
    )
    ContactPoint.objects.filter(contact=again, kind="email").update(main=True)
    ContactPoint.objects.filter(contact=rosa, kind="email").update(main=True)
    for contact in (rosa, again):
        ContactPoint.objects.create(contact=contact, kind="phone", text="call my sister", first_seen_at=MONDAY)
    ContactPoint.objects.create(
        contact=rosa,
        kind="phone",
        text="+34600333444",
        key="+34600333444",
        shared=True,
        main=True,
        first_seen_at=MONDAY,
    )
    Lead.objects.filter(contact=rosa).update(shares_with=[again.pk, third.pk])
    Lead.objects.filter(contact=again).update(shares_with=[rosa.pk])
    make_lead(contact=third, shares_with=[again.pk])
    for one, dismissed in ((rosa, None), (third, MONDAY)):
        pair = sorted([one.pk, again.pk])
        PossibleDuplicate.objects.create(
            one_id=pair[0], other_id=pair[1], reasons=["same_name"], found_at=MONDAY, dismissed_at=dismissed
        )
    merging.show_points(again.pk)
    merging.show_points(rosa.pk)
    before = everything()
    done = merge(rosa, again)
    assert everything() != before
    assert Lead.objects.get(contact=third).shares_with == [rosa.pk]
    assert not Lead.objects.filter(contact=rosa, shares_with__contains=[rosa.pk]).exists()
    assert rosa.points.filter(main=True, kind="phone").get().key == "+34600333444"
    assert PossibleDuplicate.objects.get().dismissed_at == MONDAY
    undone = merging.undo_merge(done.pk, at=MONDAY + HOUR)
    assert everything() == before
    assert undone.undone_at == MONDAY + HOUR
    assert undone.moved == {}


def test_what_is_empty_is_filled_and_what_differs_stays() -> None:
    ann, bob = make_manager("ann"), make_manager("bob")
    rosa = make_contact("rosa@client.example", name="", responsible=ann, created_at=MONDAY)
    again = make_contact(
        "again@client.example", name="Rosa", responsible=bob, company=make_company(), created_at=MONDAY - DAY
    )
    done = merge(rosa, again)
    rosa.refresh_from_db()
    assert (rosa.name, rosa.responsible, rosa.company, rosa.created_at) == ("Rosa", ann, again.company, MONDAY - DAY)
    Contact.objects.filter(pk=rosa.pk).update(name="Rosa Gómez")  # later, by somebody else
    merging.undo_merge(done.pk, at=MONDAY)
    rosa.refresh_from_db()
    assert (rosa.name, rosa.company, rosa.created_at) == ("Rosa Gómez", None, MONDAY)
    assert Contact.objects.get(pk=again.pk).responsible == bob


def test_what_came_after_the_merge_stays_where_it_is() -> None:
    rosa, again = two_of_one()
    done = merge(rosa, again)
    later = take(contact={"email": "r.g@work.example", "chat": "@rosa"}, at=MONDAY + HOUR)
    other = make_contact("other@client.example")
    lead = Lead.objects.get(contact=rosa, also_sent__contains="GOMEZ")
    Lead.objects.filter(pk=lead.pk).update(contact=other)  # somebody gave it to another contact
    remove_point(rosa.pk, rosa.points.get(text="+34600333444").pk)
    merging.undo_merge(done.pk, at=MONDAY + DAY)
    later.refresh_from_db()
    lead.refresh_from_db()
    assert (later.contact, lead.contact) == (rosa, other)
    assert not ContactPoint.objects.filter(text="+34600333444").exists()
    assert ContactPoint.objects.get(kind="chat").contact == rosa
    assert ContactPoint.objects.get(text="r.g@work.example").contact_id == again.pk


def test_a_number_that_both_had_is_again_of_both_and_the_key_of_one() -> None:
    rosa, again = two_of_one()
    ContactPoint.objects.create(
        contact=again, kind="phone", text="+34600111222", key="+34600111222", shared=True, first_seen_at=MONDAY
    )
    done = merge(rosa, again)
    assert ContactPoint.objects.filter(key="+34600111222").count() == 1
    merging.undo_merge(done.pk, at=MONDAY)
    points = ContactPoint.objects.filter(key="+34600111222")
    assert {point.contact_id: point.shared for point in points} == {rosa.pk: False, again.pk: True}


def test_one_who_was_merged_is_merged_on_and_undone_in_reverse() -> None:
    rosa, again = two_of_one()
    third = make_contact("third@client.example")
    before = everything()
    first = merge(rosa, again)
    second = merge(third, rosa)
    assert merging.successor(again.pk) == merging.successor(rosa.pk) == third.pk
    with pytest.raises(Conflict, match="undo that first"):
        merging.undo_merge(first.pk, at=MONDAY)
    merging.undo_merge(second.pk, at=MONDAY)
    assert merging.successor(again.pk) == rosa.pk
    merging.undo_merge(first.pk, at=MONDAY)
    assert everything() == before


def test_what_cannot_be_merged_is_refused_and_changes_nothing() -> None:
    rosa, again = two_of_one()
    third = make_contact("third@client.example")
    merge(rosa, again)
    before = everything()
    for kept, merged, error in (
        (rosa.pk, rosa.pk, Conflict),
        (rosa.pk, uuid4(), NotFound),
        (uuid4(), rosa.pk, NotFound),
        (third.pk, again.pk, Conflict),
        (again.pk, third.pk, Conflict),
    ):
        with pytest.raises(error):
            merging.merge_contacts(kept, merged, at=MONDAY)
    assert everything() == before
    with pytest.raises(Gone, match=str(rosa.pk)):
        merging.find_contact(again.pk)


def test_a_merge_is_undone_once_and_within_thirty_days() -> None:
    rosa, again = two_of_one()
    done = merge(rosa, again)
    with pytest.raises(Conflict, match="30 days"):
        merging.undo_merge(done.pk, at=MONDAY + Merge.UNDONE_WITHIN)
    merging.undo_merge(done.pk, at=MONDAY + Merge.UNDONE_WITHIN - timedelta(seconds=1))
    with pytest.raises(Conflict, match="already undone"):
        merging.undo_merge(done.pk, at=MONDAY)
    with pytest.raises(NotFound):
        merging.undo_merge(uuid4(), at=MONDAY)
    assert merge(rosa, again).pk != done.pk


def test_erasure_and_export_know_who_was_merged_away() -> None:
    rosa, again = two_of_one()
    done = merge(rosa, again)
    person = find(contact=again.pk)
    assert person.contacts == (rosa.pk,)
    assert "GOMEZ R." in str(export_person(person, at=MONDAY))
    erase_person(person, at=MONDAY)
    assert "GOMEZ R." not in str(export_person(person_of([rosa]), at=MONDAY))
    with pytest.raises(Conflict, match="erased"):
        merging.undo_merge(done.pk, at=MONDAY)
    assert not Contact.objects.filter(pk=again.pk).exists()


def test_what_moved_is_forgotten_when_it_can_no_longer_be_undone() -> None:
    rosa, again = two_of_one()
    done = merge(rosa, again)
    retention.prune(at=MONDAY + Merge.UNDONE_WITHIN)
    done.refresh_from_db()
    assert done.moved != {}
    removed = retention.prune(at=MONDAY + Merge.UNDONE_WITHIN + HOUR)
    done.refresh_from_db()
    assert removed["merges that can no longer be undone"] == 1
    assert done.moved == {}
    assert merging.successor(again.pk) == rosa.pk


def test_after_merge_and_undo_the_search_looks_at_both_again() -> None:
    rosa, again = two_of_one()
    while look_for_duplicates(at=MONDAY):
        pass
    done = merge(rosa, again)
    while look_for_duplicates(at=MONDAY):
        pass
    assert ContactTraits.objects.filter(stale=False).values_list("contact", flat=True).get() == rosa.pk
    merging.undo_merge(done.pk, at=MONDAY)
    assert set(ContactTraits.objects.filter(stale=True).values_list("contact", flat=True)) == {rosa.pk, again.pk}


def test_who_merged_and_who_undid_it_is_told_in_the_stories_of_the_leads(sue: Any) -> None:
    rosa, again = two_of_one()
    done = merge(rosa, again, by=sue)
    merging.undo_merge(done.pk, at=MONDAY, by=sue)
    events = LeadEvent.objects.filter(lead__contact=again)
    assert [(event.kind, event.by) for event in events] == [("merged", sue), ("separated", sue)]
    assert not LeadEvent.objects.filter(lead__contact=rosa).exists()
    done.refresh_from_db()
    assert (done.by, done.undone_by) == (sue, sue)


def test_a_dismissed_pair_is_dismissed_once(sue: Any) -> None:
    rosa, again = two_of_one()
    one, other = sorted([rosa.pk, again.pk])
    pair = PossibleDuplicate.objects.create(one_id=one, other_id=other, reasons=["same_name"], found_at=MONDAY)
    merging.dismiss_duplicate(pair.pk, at=MONDAY, by=sue)
    with pytest.raises(NotFound):
        merging.dismiss_duplicate(pair.pk, at=MONDAY)
    pair.refresh_from_db()
    assert (pair.dismissed_at, pair.dismissed_by) == (MONDAY, sue)


def test_rows_that_the_contact_referred_to_and_are_gone_do_not_stop_an_undoing() -> None:
    rosa, again = two_of_one()
    Contact.objects.filter(pk=again.pk).update(company=make_company())
    Contact.objects.filter(pk=rosa.pk).update(company=make_company("Other"))
    done = merge(rosa, again)
    Company.objects.filter(name="Ruiz SL").delete()
    merging.undo_merge(done.pk, at=MONDAY)
    assert Contact.objects.get(pk=again.pk).company is None


def test_the_page_tells_the_history_of_the_contact_that_it_was_merged(client: Any, sue: Any) -> None:
    rosa, again = two_of_one()
    one, other = sorted([rosa.pk, again.pk])
    pair = PossibleDuplicate.objects.create(one_id=one, other_id=other, reasons=["same_name"], found_at=MONDAY)
    client.force_login(sue)
    answer = client.post(
        f"/admin/routing/possibleduplicate/{pair.pk}/merge/", {"kept": "left" if one == rosa.pk else "right"}
    )
    assert answer.status_code == 302
    assert client.post(f"{answer.headers['Location'].removesuffix('change/')}undo/").status_code == 302
    page = client.get(f"/admin/routing/contact/{rosa.pk}/history/").content.decode()
    assert "Added merge “GOMEZ R.”" in page
    assert "Added merge undone" in page
