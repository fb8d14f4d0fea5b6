"""Phones, e-mails and chats of a contact: seen, found, added, corrected, removed, and chosen to be shown first."""

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse

from routing.exceptions import Conflict, NotFound
from routing.models import Contact, ContactPoint, Lead
from routing.personal_data.people import find
from routing.personal_data.rights import erase_person, export_person
from routing.services.contact_points import add_point, choose_main, correct_point, remove_point
from tests.admin_pages import filled
from tests.factories import (
    DAY,
    MONDAY,
    make_account,
    make_contact,
    make_manager,
    make_pipeline,
    make_supervisor,
    make_trigger,
    take,
)

EVA = {"name": "Eva", "email": "eva@client.example", "phone": "+34 600 010 101"}


@pytest.fixture
def eva(db):
    make_pipeline()
    return take(contact=EVA).contact


@pytest.fixture
def sue(client, eva):
    client.force_login(make_supervisor())
    return client


def texts(contact, kind):
    return [point.text for point in contact.points.filter(kind=kind).best_first()]


def point(contact, text):
    return contact.points.get(text=text).pk


# The services

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_added_is_a_key_and_shown_first(eva):
    add_point(eva.pk, "phone", "+34 699 020 202 ext. 7", at=MONDAY + DAY)
    eva.refresh_from_db()
    assert (eva.phone, eva.phone_extension) == ("+34699020202", "7")
    assert texts(eva, "phone") == ["+34699020202", "+34600010101"]
    assert take(contact={"phone": "+34 699 020 202 x7"}).contact == eva


def test_a_main_one_is_shown_first_whatever_comes(eva):
    choose_main(eva.pk, point(eva, "+34600010101"))
    take(contact=EVA | {"phone": "+34 699 020 202"}, at=MONDAY + DAY)
    eva.refresh_from_db()
    assert eva.phone == "+34600010101"
    choose_main(eva.pk, point(eva, "+34699020202"))
    eva.refresh_from_db()
    assert eva.phone == "+34699020202"
    assert eva.points.filter(main=True).count() == 1


def test_a_corrected_one_is_known_by_its_new_form_only(eva):
    correct_point(eva.pk, point(eva, "eva@client.example"), " Eva.Ros@Client.example")
    assert take(contact={"email": "eva.ros@client.example"}).contact == eva
    assert take(contact={"email": "eva@client.example"}).contact != eva


def test_a_removed_one_is_nobodys(eva):
    remove_point(eva.pk, point(eva, "+34600010101"))
    eva.refresh_from_db()
    assert eva.phone == ""
    assert take(contact={"phone": EVA["phone"]}).contact != eva


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("email", "bea@client.example", "Another contact already has this."),
        ("email", "eva@client.example", "The contact already has this."),
        ("email", "no address", "Mail cannot reach this address."),
        ("phone", "12", "Include the country code"),
        ("chat", "-", "Nobody can be reached"),
    ],
)
def test_what_is_no_way_to_reach_this_person_is_refused_and_changes_nothing(eva, kind, text, said):
    make_contact("bea@client.example")
    before = list(ContactPoint.objects.values_list("text", flat=True))
    with pytest.raises(Conflict, match=said):
        add_point(eva.pk, kind, text, at=MONDAY)
    assert list(ContactPoint.objects.values_list("text", flat=True)) == before


def test_one_of_another_contact_is_not_touched(eva):
    bea = make_contact("bea@client.example")
    for change in (remove_point, choose_main):
        with pytest.raises(NotFound):
            change(eva.pk, point(bea, "bea@client.example"))
    with pytest.raises(NotFound):
        correct_point(eva.pk, point(bea, "bea@client.example"), "x@client.example")


# The supervisor's pages


def save(client, contact, rows, **changes):
    """Send the contact's page with these rows changed: number of the row → its columns; -1 adds one."""
    address = f"/admin/routing/contact/{contact.pk}/change/"
    data = filled(client, address) | changes
    total = int(
        data["points-TOTAL_FORMS"][0] if isinstance(data["points-TOTAL_FORMS"], list) else data["points-TOTAL_FORMS"]
    )
    for number, columns in rows.items():
        if number == -1:
            number, data["points-TOTAL_FORMS"] = total, total + 1
        data |= {f"points-{number}-{name}": value for name, value in columns.items()}
    return client.post(address, data)


def test_a_supervisor_adds_corrects_removes_and_chooses(sue, eva):
    assert save(sue, eva, {-1: {"kind": "phone", "text": "+34 699 020 202 ext. 7"}}, name="Eva Ros").status_code == 302
    assert texts(eva, "phone") == ["+34699020202", "+34600010101"]
    rows = list(eva.points.best_first())
    places = {row.text: n for n, row in enumerate(rows)}
    answer = save(
        sue,
        eva,
        {places["+34600010101"]: {"main": "on"}, places["eva@client.example"]: {"text": "Eva.Ros@client.example"}},
    )
    assert answer.status_code == 302
    eva.refresh_from_db()
    assert (eva.name, eva.phone, eva.email) == ("Eva Ros", "+34600010101", "eva.ros@client.example")
    assert eva.points.get(text="+34699020202").extension == "7"  # untouched
    answer = save(sue, eva, {places["+34699020202"]: {"main": "on"}, places["+34600010101"]: {"main": ""}})
    places = {row.text: n for n, row in enumerate(eva.points.best_first())}
    assert save(sue, eva, {places["+34600010101"]: {"DELETE": "on"}}).status_code == 302
    assert texts(eva, "phone") == ["+34699020202"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"kind": "email", "text": "bea@client.example"}, "Another contact already has this."),
        ({"kind": "email", "text": "no address"}, "Mail cannot reach this address."),
        ({"kind": "phone", "text": "12"}, "Include the country code: +34 600 000 000."),
    ],
)
def test_a_supervisor_reads_what_is_wrong(sue, eva, columns, said):
    make_contact("bea@client.example")
    answer = save(sue, eva, {-1: columns})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert eva.points.count() == 2


def test_the_leads_page_shows_what_is_known_and_what_was_sent(sue, eva):
    rosa = make_contact("", name="Rosa", phone="+34600010100")
    lead = take(contact={"name": "Eva Maria", "email": EVA["email"], "phone": "+34 600 010 100", "chat": "@eva"})
    page = " ".join(sue.get(f"/admin/routing/lead/{lead.pk}/change/").content.decode().split())
    for told in (
        "Found by the e-mail address",
        "+34600010101",
        "Name as sent: Eva Maria",
        "Phone as sent: +34 600 010 100",
    ):
        assert told in page, told
    assert f'href="/admin/routing/contact/{rosa.pk}/change/">Rosa</a>' in page
    assert "Chat as sent" not in page  # it was new, and is the contact's now
    tom = take(contact={"name": "Tom", "phone": "+34 600 010 100"})
    assert "(shared)" in sue.get(f"/admin/routing/lead/{tom.pk}/change/").content.decode()
    assert "Shared with Rosa" in sue.get(f"/admin/routing/contact/{tom.contact_id}/change/").content.decode()
    odd = take(contact={"email": "eva@client.example", "phone": "no number, 12345"})
    assert "no number, 12345 (unreadable)" in sue.get(f"/admin/routing/lead/{odd.pk}/change/").content.decode()


@pytest.mark.parametrize(
    "term",
    [
        "Maria",
        "600010100",
        "+34 600 010 100",
        "34600010100",
        "eva@home.example",
        "home.example",
        "600 01 01 01",
        "Ruiz Hermanos",
        "77x5",
    ],
)
def test_search_finds_what_is_known_and_what_was_sent(sue, eva, term):
    make_account(country="ES")
    make_contact("", name="Rosa", phone="+34600010100")
    take(contact=EVA | {"email": "eva@home.example"})
    take(contact={"name": "Eva", "email": "eva@new.example", "phone": EVA["phone"]})
    take(company={"name": "Ruiz SL", "domain": "ruiz.example"})
    sent = {"name": "Eva Maria", "email": EVA["email"], "phone": "+34 600 010 100"}
    lead = take(contact=sent, company={"name": "Ruiz Hermanos", "domain": "ruiz.example"})
    other = take(contact={"email": EVA["email"], "phone": "77x5"})
    found = sue.get("/admin/routing/lead/", {"q": term}).context["cl"].result_list
    assert (other if term == "77x5" else lead) in found
    if term in ("home.example", "eva@home.example", "600 01 01 01"):
        assert eva in sue.get("/admin/routing/contact/", {"q": term}).context["cl"].result_list


# The manager's page


@pytest.fixture
def ann(client, eva):
    manager = make_manager("ann")
    client.force_login(manager.user)
    make_trigger(members=[manager])
    return manager


def test_a_manager_sees_both_numbers_and_what_was_sent(client, ann, eva):
    lead = take(contact=EVA | {"name": "Evita", "phone": "+34 910 000 333 ext. 12"}, at=MONDAY + DAY)
    for address in ("/me/", reverse("my-lead", args=[lead.pk])):
        page = client.get(address).content.decode()
        assert 'href="tel:+34910000333;ext=12"' in page
        assert "+34910000333 ext. 12" in page
        assert 'href="tel:+34600010101"' in page
        assert "Evita" in page


def test_a_manager_corrects_how_their_customer_is_reached(client, ann, eva):
    lead = take(contact=EVA)
    address = reverse("my-lead-contact", args=[lead.pk])
    number = str(point(eva, "+34600010101"))
    steps = [
        ({"do": "add", "kind": "chat", "text": "@eva"}, {"chat": ["@eva"]}),
        ({"do": "correct", "point": number, "text": "+34 600 010 102"}, {"phone": ["+34600010102"]}),
        ({"do": "add", "kind": "phone", "text": "+34 699 020 202"}, {"phone": ["+34699020202", "+34600010102"]}),
        ({"do": "main", "point": number}, {"phone": ["+34600010102", "+34699020202"]}),
        ({"do": "remove", "point": number}, {"phone": ["+34699020202"]}),
    ]
    for data, after in steps:
        assert client.post(address, data).status_code == 302, data
        for kind, expected in after.items():
            assert texts(eva, kind) == expected
    make_contact("bea@client.example")
    answer = client.post(address, {"do": "add", "kind": "email", "text": "bea@client.example"})
    assert "Another contact already has this." in answer.content.decode()
    assert client.post(address, {"do": "add", "kind": "fax", "text": "1"}).status_code == 200
    assert client.post(address, {"do": "", "text": "1"}).status_code == 404
    assert client.post(address, {"do": "remove", "point": number}).status_code == 200  # gone already, and so it says


def test_a_manager_leaves_the_customer_of_another_as_they_are(client, ann, eva):
    lead, bob = take(contact=EVA), make_manager("bob")
    address = reverse("my-lead-contact", args=[lead.pk])
    Contact.objects.filter(pk=eva.pk).update(responsible=bob)
    assert client.post(address, {"do": "add", "kind": "chat", "text": "@eva"}).status_code == 403
    assert "Edit phones" not in client.get(reverse("my-lead", args=[lead.pk])).content.decode()
    Lead.objects.filter(pk=lead.pk).update(responsible=bob)
    assert client.post(address, {"do": "add", "kind": "chat", "text": "@eva"}).status_code == 404


# People's rights


def test_an_erased_persons_numbers_are_gone_from_all_places_and_the_next_who_has_one_owns_it(eva):
    tom = take(contact={"name": "Tom", "phone": EVA["phone"], "email": "tom@client.example"})
    lead = take(contact=EVA | {"phone": "+34 699 020 202"})
    person = find(phone="+34 699 020 202")
    assert person.contacts == (eva.pk,)
    kept = export_person(person, at=MONDAY)["places"]
    assert {row["text"] for row in kept["routing.ContactPoint"]} == {
        "eva@client.example",
        "+34600010101",
        "+34699020202",
    }
    assert any(row["as_sent"] for row in kept["routing.Lead"])
    erase_person(person, at=MONDAY)
    assert not ContactPoint.objects.filter(contact=eva).exists()
    assert Lead.objects.get(pk=lead.pk).as_sent is None
    tom.refresh_from_db()
    assert (tom.as_sent, tom.shares_with) == (None, [])  # it named her number
    assert take(contact={"phone": EVA["phone"]}).contact == tom.contact


def test_a_person_is_found_by_any_of_their_extensions(eva):
    ana = take(contact={"name": "Ana", "phone": "+34 910 000 333 ext. 12"}).contact
    bea = take(contact={"name": "Bea", "phone": "+34 910 000 333 ext. 13"}).contact
    assert set(find(phone="+34 910 000 333").contacts) == {ana.pk, bea.pk}
    assert find(phone="+34 910 000 333 x13").contacts == (bea.pk,)


# From before


OLD = """
INSERT INTO routing_contact (id, name, email, phone, chat, email_key, phone_key, chat_key, created_at)
VALUES (%(id)s, %(name)s, %(email)s, %(phone)s, %(chat)s, %(email_key)s, %(phone_key)s, %(chat_key)s, %(at)s)
"""


@pytest.mark.django_db(transaction=False)  # so that the trigger is back afterwards
def test_contacts_from_before_are_filled_in():
    from importlib import import_module

    make_pipeline()
    fill = import_module("routing.migrations.0025_fill_contact_points").fill
    editor = type("Editor", (), {"connection": connection})()
    none = dict.fromkeys(("name", "email", "phone", "chat"), "") | dict.fromkeys(("email_key", "phone_key", "chat_key"))
    rows = [
        {
            "name": "Ana",
            "email": "ana@x.example",
            "email_key": "ana@x.example",
            "phone": "12",
            "chat": "@ana",
            "chat_key": "ana",
        },
        {"name": "Bea", "phone": "+5491123456789", "phone_key": "+5491123456789"},
        {"name": "Cid", "phone": "+541123456789", "phone_key": "+541123456789"},
        {"name": "Dan", "chat": "wa.me/34600010100", "chat_key": "wa.me/34600010100"},
    ]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE routing_contact DISABLE TRIGGER move_keys")
        for number, row in enumerate(rows, start=1):  # in the order of ids the first has a number for itself
            cursor.execute(OLD, none | row | {"id": f"00000000-0000-7000-8000-{number:012}", "at": MONDAY})
    for _ in range(2):  # a run before changes nothing
        fill(None, editor)
        found = ContactPoint.objects.order_by("contact__name", "kind")
        assert [(p.contact.name, p.kind, p.text, p.key, p.shared) for p in found] == [
            ("Ana", "chat", "@ana", "ana", False),
            ("Ana", "email", "ana@x.example", "ana@x.example", False),
            ("Ana", "phone", "12", None, False),
            ("Bea", "phone", "+5491123456789", "+541123456789", False),
            ("Cid", "phone", "+541123456789", "+541123456789", True),
            ("Dan", "chat", "wa.me/34600010100", "+34600010100", False),
        ]
    import_module("routing.migrations.0028_empty_old_keys").empty(None, editor)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM routing_contact WHERE email_key || phone_key || chat_key IS NOT NULL")
        assert cursor.fetchone() == (0,)


def test_processes_from_before_still_find_and_make_contacts(eva):
    ask = "SELECT (contact).id FROM (SELECT leadrouter_contact(gen_random_uuid(), %s, %s, %s, '', %s, %s, NULL, NULL, %s) AS contact) one"
    with connection.cursor() as cursor:
        cursor.execute(ask, ["Tom", "", "+34600010101", None, "+34600010101", MONDAY])
        assert cursor.fetchone() == (eva.pk,)
        cursor.execute(ask, ["Uma", "uma@x.example", "", "uma@x.example", None, MONDAY])
        [uma] = cursor.fetchone()
        cursor.execute(
            "UPDATE routing_contact SET email = 'u@x.example', email_key = 'u@x.example' WHERE id = %s", [uma]
        )
    assert take(contact={"email": "uma@x.example"}).contact_id == uma
    assert take(contact={"email": "u@x.example"}).contact_id == uma


def test_what_a_manager_edits_stands_in_the_history_of_the_contact(client, ann, eva):
    lead = take(contact=EVA, at=MONDAY + DAY)
    address = f"/me/leads/{lead.pk}/contact/"
    assert client.post(address, {"do": "add", "kind": "chat", "text": "@eva_ros"}).status_code == 302
    assert (
        client.post(address, {"do": "add", "kind": "phone", "text": "12"}).status_code == 200
    )  # refused: nothing changed
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.get_edited_object()) == (ann.user, str(eva.pk), eva)
    assert entry.get_change_message() == "Added phone, e-mail or chat “@eva_ros”."
    number = point(eva, "+34600010101")
    client.post(address, {"do": "main", "point": number})
    client.post(address, {"do": "remove", "point": number})
    told = [each.get_change_message() for each in LogEntry.objects.order_by("pk")[1:]]
    assert told == [
        "Changed text for phone, e-mail or chat “+34600010101”.",
        "Deleted phone, e-mail or chat “+34600010101”.",
    ]
