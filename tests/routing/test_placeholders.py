"""What identifies nobody is kept, and joins nobody: to a contact, a company, a manager or a possible duplicate."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts.history.changes import describe_changes
from accounts.models import ConfigurationChange
from routing.configuration import BadConfiguration, configuration_document, import_configuration
from routing.models import Company, Contact, ContactPoint, Lead, Placeholder, PossibleDuplicate
from routing.representations import lead_documents
from routing.roster import current, rosters_of
from routing.screens import dry_run
from routing.screens.who import matched_words
from routing.services.contact_points import add_point, remove_point
from routing.services.duplicates import look_for_duplicates
from routing.services.imports import keep_table, same_people
from routing.services.intake import take_lead
from routing.spreadsheets.reading import read_table
from tests.admin_pages import filled
from tests.factories import (
    MONDAY,
    form,
    make_company,
    make_contact,
    make_manager,
    make_pipeline,
    make_source,
    make_supervisor,
    make_trigger,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sales():
    return make_pipeline()


def sent(**facts):
    """Take a lead, and return its document."""
    return take_lead(form(**facts), source_id=make_source().pk, at=MONDAY).document


SHARED = [
    ("email", "info@ruiz.example", "mailbox"),
    ("email", "Test@test.com", "email"),
    ("phone", "+34 600 000 000", "phone"),
    ("chat", "@username", "chat"),
    ("chat", "wa.me/34600000000", "phone"),
]


@pytest.mark.parametrize(("field", "text", "kind"), SHARED)
def test_strangers_with_one_placeholder_are_contacts_of_their_own(field, text, kind):
    eva, tom, nameless = (sent(contact={"name": name, field: text}) for name in ("Eva", "Tom", ""))
    assert len({lead["contact"]["id"] for lead in (eva, tom, nameless)}) == 3
    for lead, name in ((eva, "Eva"), (tom, "Tom"), (nameless, "")):
        assert (lead["matched_by"], lead["shares_with"], lead["contact"]["name"]) == ("new", [], name)
        assert lead["placeholders"] == [{"field": f"contact.{field}", "kind": kind}]
        assert lead["as_sent"]["contact"] == {"name": name, field: text}
        assert lead["contact"][field]  # kept, and shown
        assert lead["contact"].get(f"{field}_valid", True) is True
    assert not PossibleDuplicate.objects.exists()
    assert not ContactPoint.objects.filter(shared=False).exists()


@pytest.mark.parametrize(("field", "text", "kind"), SHARED)
def test_the_answer_says_what_is_stored(field, text, kind):
    lead = sent(contact={"name": "Eva", field: text, "email" if field != "email" else "phone": "+34 600 010 101"})
    assert lead_documents(Lead.objects.all()) == [lead]


def test_a_true_key_beside_a_placeholder_still_says_who_it_is():
    eva = sent(contact={"name": "Eva", "email": "eva@client.example", "phone": "+34 600 000 000"})
    again = sent(contact={"email": "eva@client.example", "phone": "+34 600 000 000"})
    assert (again["contact"]["id"], again["matched_by"]) == (eva["contact"]["id"], "email")
    assert len(again["contact"]["phones"]) == 1
    by_phone = sent(contact={"name": "Eva", "email": "info@ruiz.example", "phone": "+34 600 010 101"})
    known = sent(contact={"name": "Eva", "email": "info@ruiz.example", "phone": "+34 600 010 101"})
    assert (known["contact"]["id"], known["matched_by"]) == (by_phone["contact"]["id"], "phone")
    assert known["contact"]["id"] != eva["contact"]["id"]


def test_a_placeholder_hides_no_true_number_of_a_known_contact():
    sent(contact={"email": "eva@client.example", "phone": "+34 600 010 101"})
    lead = sent(contact={"email": "eva@client.example", "phone": "+34 666 666 666"})
    assert (lead["contact"]["phone"], len(lead["contact"]["phones"])) == ("+34600010101", 1)
    assert lead["as_sent"]["contact"]["phone"] == "+34 666 666 666"
    only = sent(contact={"email": "tom@client.example"})
    lead = sent(contact={"email": "tom@client.example", "phone": "+34 666 666 666"})
    assert (lead["contact"]["id"], lead["contact"]["phone"]) == (only["contact"]["id"], "+34666666666")
    assert ContactPoint.objects.get(key="+34666666666").shared is True


def test_contacts_from_before_keep_their_placeholders_and_are_found_by_them_no_more():
    old = make_contact("info@ruiz.example", phone="+34600000000")
    assert Contact.objects.get() == old
    lead = sent(contact={"email": "info@ruiz.example", "phone": "+34 600 000 000"})
    assert (lead["contact"]["id"] == str(old.pk), lead["matched_by"], lead["shares_with"]) == (False, "new", [])
    assert [point.shared for point in old.points.all()] == [False, False]
    remove_point(old.pk, old.points.get(kind="email").pk)  # its key goes to the next, and finds nobody there either
    assert sent(contact={"email": "info@ruiz.example"})["matched_by"] == "new"


@pytest.mark.parametrize("name", ["-----", "n/a", "aaa", "Sin empresa", "нет", "não tenho"])
def test_a_name_that_says_nothing_makes_nobody_a_colleague(name):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_company(name, responsible=ann)  # from before
    make_trigger(members=[ann, bob], limit=6, responsible_check=["contact", "company"])
    leads = [sent(company={"name": name}) for _ in range(12)]
    assert [lead["company"] for lead in leads] == [None] * 12
    assert {lead["as_sent"]["company"]["name"] for lead in leads} == {name}
    assert leads[0]["placeholders"] == [{"field": "company.name", "kind": "company"}]
    held = [lead["responsible"]["email"] for lead in leads if lead["responsible"]]
    assert sorted(held) == ["ann@example.com"] * 6 + ["bob@example.com"] * 6
    assert Company.objects.count() == 1


@pytest.mark.parametrize(
    ("domain", "kind"), [("gmail.com", "mail_provider"), ("https://www.facebook.com/ruiz", "social_network")]
)
def test_a_domain_of_many_gives_nobody_to_who_is_no_member(domain, kind):
    ann, max_ = make_manager("ann"), make_manager("max")
    make_company("Old", domain=domain, domain_key=current_domain(domain), responsible=max_)
    make_trigger(members=[ann], responsible_check=["company"])
    leads = [sent(company={"domain": domain}) for _ in range(3)]
    assert [(lead["company"], lead["responsible"]["email"]) for lead in leads] == [(None, "ann@example.com")] * 3
    assert leads[0]["placeholders"] == [{"field": "company.domain", "kind": kind}]
    one, other = (sent(company={"name": name, "domain": domain})["company"] for name in ("Ruiz SL", "Gomez SL"))
    assert (one["name"], other["name"]) == ("Ruiz SL", "Gomez SL")
    assert sent(company={"name": "ruiz sl", "domain": domain})["company"]["id"] == one["id"]  # known by its name
    found = sent(company={"name": "Ruiz SL", "domain": "ruiz.example"})["company"]
    assert (found["id"], found["domain"]) == (one["id"], "ruiz.example")


def current_domain(domain):
    return "gmail.com" if "gmail" in domain else "facebook.com"


def test_a_known_domain_beside_a_name_that_says_nothing_is_the_company():
    known = make_company(domain="ruiz.example", domain_key="ruiz.example")
    assert sent(company={"name": "-----", "domain": "ruiz.example"})["company"]["id"] == str(known.pk)


def test_a_mailbox_tells_the_company_that_is_known_by_its_domain():
    ann, bob = make_manager("ann"), make_manager("bob")
    known = make_company(domain="ruiz.example", domain_key="ruiz.example", responsible=bob)
    make_trigger(members=[ann], responsible_check=["contact", "company"])
    leads = [sent(contact={"name": name, "email": "info@ruiz.example"}) for name in ("Eva", "Tom")]
    assert {lead["company"]["id"] for lead in leads} == {str(known.pk)}
    assert {lead["responsible"]["email"] for lead in leads} == {"bob@example.com"}
    assert len({lead["contact"]["id"] for lead in leads}) == 2
    assert sent(contact={"email": "info@gomez.example"})["company"] is None  # and makes none
    named = sent(contact={"email": "info@ruiz.example"}, company={"name": "Client SL"})
    assert named["company"]["name"] == "Client SL"
    Company.objects.filter(pk=known.pk).update(domain_key="gmail.com")  # from before
    assert sent(contact={"email": "info@gmail.com"})["company"] is None


def test_what_identifies_nobody_is_found_by_a_search_for_its_words():
    take(company={"name": "Sin empresa", "domain": "gmail.com"})
    assert Lead.objects.get().also_sent == "Sin empresa gmail.com"


def test_the_lead_says_why_nobody_was_found():
    lead = take(contact={"name": "Eva", "email": "info@ruiz.example"}, company={"name": "-----", "domain": "gmail.com"})
    assert matched_words(lead) == (
        "New contact. “info@ruiz.example” is the mailbox of a company and identifies no person. “-----” is no name of a "
        "company. “gmail.com” belongs to a mail provider and identifies no company"
    )
    assert matched_words(take(contact={"email": "tom@client.example"})) == "New contact"


def test_people_alike_in_placeholders_alone_are_no_possible_duplicates():
    """Names that may be one person's, and nothing else that says something."""
    for number, name in enumerate(("Rosa Gómez", "Rosa Gamez")):
        contact = {"name": name, "email": "atencion@ruiz.example", "phone": "+34 600 000 000", "chat": "@username"}
        sent(contact=contact, company={"name": "Sin empresa", "domain": f"c{number}.example"})
    while look_for_duplicates(at=MONDAY):
        pass
    assert not PossibleDuplicate.objects.exists()
    for name in ("Eva Ros Pla", "Eva Ros Plá"):  # a company is enough
        sent(contact={"name": name}, company={"name": "Ruiz SL"})
    while look_for_duplicates(at=MONDAY):
        pass
    assert PossibleDuplicate.objects.get().reasons == ["same_name", "same_company"]


def test_rows_of_a_file_with_one_placeholder_are_not_of_one_person():
    text = (
        b"name,email,phone\nEva,info@ruiz.example,+34 600 000 000\nTom,info@ruiz.example,+34600000000\n"
        b"Ana,ana@client.example,\n,Ana@client.example,\n"
    )
    batch = keep_table(read_table(text), text, file_name="leads.csv", at=MONDAY, by=None, language="en")
    assert [(person.known_by, len(person.rows)) for person in same_people(batch, None)] == [("ana@client.example", 2)]


def test_a_trial_takes_a_placeholder_for_nobody():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_contact("info@ruiz.example", phone="+34600000000", responsible=bob)
    make_company(domain="gmail.com", domain_key="gmail.com", responsible=bob)
    trigger = make_trigger(members=[ann], responsible_check=["contact", "company"])
    sample = {"email": "info@ruiz.example", "phone": "+34 600 000 000", "domain": "gmail.com"}
    roster = current()
    assert dry_run.try_on(roster.triggers[trigger.pk], roster, sample, at=MONDAY).chosen == "Ann"
    true = {"email": "bea@client.example"}
    make_contact("bea@client.example", responsible=bob)
    assert dry_run.try_on(roster.triggers[trigger.pk], roster, true, at=MONDAY).chosen == "Bob"


def test_processes_from_before_find_contacts_as_they_did():
    known = make_contact("info@ruiz.example")
    ask = (
        "SELECT met FROM leadrouter_meet(gen_random_uuid(), 'Eva', 'info@ruiz.example', 'info@ruiz.example', '', NULL, '', NULL,"
        " '', NULL, NULL, NULL, NULL, NULL, %s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(ask, [MONDAY])
        assert cursor.fetchone() == (known.pk,)


def test_two_contacts_may_be_given_one_mailbox_by_hand():
    one, other = make_contact("ana@client.example"), make_contact("eva@client.example")
    for contact in (one, other):
        add_point(contact.pk, "email", "info@ruiz.example", at=MONDAY)
    assert list(ContactPoint.objects.filter(key="info@ruiz.example").values_list("shared", flat=True)) == [True] * 2


@pytest.mark.django_db(transaction=True)
def test_strangers_at_the_same_moment_are_strangers():
    source = make_source().pk

    def send(number):
        try:
            contact = {"name": f"N{number}", "phone": "+34 600 000 000", "email": "info@ruiz.example"}
            return take_lead(form(contact=contact), source_id=source, at=MONDAY).document["contact"]["id"]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(24)))) == 24
    assert not ContactPoint.objects.filter(shared=False).exists()


# The account's own list


def test_the_account_adds_to_the_list_and_takes_from_it():
    Placeholder.objects.create(kind="mail_provider", value="coworking.example")
    Placeholder.objects.create(kind="email", value="info@ruiz.example", identifies=True)
    assert sent(company={"domain": "coworking.example"})["company"] is None
    first, second = (sent(contact={"email": "info@ruiz.example"}) for _ in range(2))
    assert (second["matched_by"], second["contact"]["id"]) == ("email", first["contact"]["id"])
    Placeholder.objects.all().delete()
    assert sent(company={"domain": "coworking.example"})["company"]
    assert sent(contact={"email": "info@ruiz.example"})["matched_by"] == "new"


@pytest.mark.parametrize(
    ("kind", "written", "stored"),
    [
        ("mail_provider", " https://WWW.Mail.Example/x", "mail.example"),
        ("mailbox", "Sales-Team@", "salesteam"),
        ("phone", "+34 910 000 333", "+34910000333"),
        ("company", "Café  Nadie", "café nadie"),
    ],
)
def test_a_value_is_stored_as_it_is_compared(kind, written, stored):
    row = Placeholder(kind=kind, value=written)
    row.full_clean()
    assert row.value == stored


def test_a_value_that_nothing_equals_is_refused_with_words():
    with pytest.raises(ValidationError, match="Include the country code"):
        Placeholder(kind="phone", value="600").full_clean()


FILE = {
    "version": 1,
    "placeholders": [
        {"kind": "company", "value": "Café Nadie"},
        {"kind": "mailbox", "value": "info", "identifies": True},
    ],
}


def test_the_file_holds_the_list():
    report = import_configuration(FILE)
    assert [str(change) for change in report.changes] == [
        "add        placeholder company café nadie",
        "add        placeholder mailbox info",
    ]
    assert configuration_document()["placeholders"] == [
        {"kind": "company", "value": "café nadie", "identifies": False},
        {"kind": "mailbox", "value": "info", "identifies": True},
    ]
    version = current().version
    assert not import_configuration(FILE).changes
    assert not import_configuration(configuration_document()).changes
    changed = {"version": 1, "placeholders": [{"kind": "mailbox", "value": "INFO", "identifies": False}]}
    assert [change.fields for change in import_configuration(changed).changes] == [{"identifies": (True, False)}]
    assert Placeholder.objects.count() == 2
    import_configuration(changed, prune=True)
    assert Placeholder.objects.get().value == "info"
    then = rosters_of([version], current())[version].placeholders
    assert (then.of_company("café nadie"), then.of_email("info@ruiz.example")) == ("company", None)
    assert current().placeholders.of_email("info@ruiz.example") == "mailbox"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"kind": "domain", "value": "x.example"}, 'placeholders[0].kind: no "domain"; use mail_provider or social'),
        ({"value": "x.example"}, "placeholders[0].kind: missing"),
        ({"kind": "company"}, "placeholders[0].value: missing"),
        ({"kind": "phone", "value": "600"}, "placeholders[0].value: Include the country code: +34 910 000 333."),
        ({"kind": "company", "value": "x" * 501}, "placeholders[0].value: Ensure this value has at most 500 char"),
    ],
)
def test_a_fault_of_the_file_says_where_it_is(entry, told):
    with pytest.raises(BadConfiguration) as refused:
        import_configuration({"version": 1, "placeholders": [entry]})
    assert str(refused.value).startswith(told)
    assert not Placeholder.objects.exists()


def test_one_value_twice_is_a_fault():
    twice = {"version": 1, "placeholders": [{"kind": "email", "value": v} for v in ("A@x.example", "a@X.example")]}
    with pytest.raises(BadConfiguration, match=r"placeholders\[1\].value: .* already, at placeholders\[0\]"):
        import_configuration(twice)


def test_a_supervisor_edits_the_list_in_the_admin():
    client = Client()
    client.force_login(make_supervisor())
    add = reverse("admin:routing_placeholder_add")
    data = filled(client, add)
    assert client.post(add, data | {"kind": "company", "value": "Café Nadie"}).status_code == 302
    row = Placeholder.objects.get()
    assert row.value == "café nadie"
    assert b"on the list already" in client.post(add, data | {"kind": "company", "value": "CAFÉ NADIE"}).content
    assert b"Write a domain" in client.post(add, data | {"kind": "mail_provider", "value": "?"}).content
    page = reverse("admin:routing_placeholder_change", args=[row.pk])
    assert client.post(page, filled(client, page) | {"identifies": "on"}).status_code == 302
    client.post(reverse("admin:routing_placeholder_delete", args=[row.pk]), {"post": "yes"})
    assert not Placeholder.objects.exists()
    changes = ConfigurationChange.objects.filter(model="routing.placeholder").order_by("id")
    assert [(each.change.action, each.thing) for each in describe_changes(changes)][::2] == [
        ("added", "café nadie"),
        ("removed", "café nadie"),
    ]
