"""One person, one contact; one organisation, one company: found again however they are written."""

from zoneinfo import ZoneInfo

import pytest

from routing.intake.reading import read_lead
from routing.models import Company, Contact, Lead, PossibleDuplicate
from routing.representations import lead_documents
from routing.services.intake import take_lead, take_leads
from tests.factories import MONDAY, form, make_account, make_pipeline, make_source, take

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sales():
    return make_pipeline()


def contact(**facts):
    return take(contact=facts).contact


def company(**facts):
    return take(company=facts).company


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"email": "ana@client.example"}, {"email": " Ana@CLIENT.example "}),
        ({"email": "ana@client.example"}, {"email": "Ana Ruiz <ana@client.example>"}),
        ({"phone": "+34 600 010 100"}, {"phone": "0034 600-010-100"}),
        ({"phone": "+34 600 010 100"}, {"phone": "+34 (600) 01 01 00"}),
        ({"chat": "@ana"}, {"chat": "https://t.me/Ana"}),
    ],
)
def test_two_spellings_are_one_person(one, other):
    assert contact(**one) == contact(**other)
    assert Contact.objects.count() == 1


def test_two_people_are_two_contacts():
    assert contact(email="ana@client.example") != contact(email="eva@client.example")


def test_a_phone_without_its_country_code_is_read_as_of_the_lead_then_the_source_then_the_account():
    make_source("de", country="DE")
    german = make_source("de")
    assert take(source=german, contact={"phone": "600 010 100"}, country="ES").contact.phone == "+34600010100"
    assert take(source=german, contact={"phone": "030 901820"}).contact.phone == "+4930901820"
    make_account(country="FR")
    assert take(contact={"phone": "01 42 68 53 00"}).contact.phone == "+33142685300"
    assert take(contact={"phone": "912 345 678"}, country="PT").contact.phone == "+351912345678"


def test_a_number_of_the_leads_country_is_never_read_as_of_the_sources():
    make_source("es", country="ES")
    lead = take(source=make_source("es"), contact={"phone": "600 123 456", "email": "rui@client.example"}, country="PT")
    assert lead.contact.phone == "+351600123456"


def test_a_short_number_is_a_way_to_reach_somebody():
    assert take(contact={"phone": "7012"}, country="NU").contact.phone == "+6837012"


def test_an_email_says_more_than_a_chat_and_a_chat_more_than_a_phone():
    by_email = contact(email="ana@client.example")
    by_phone = contact(phone="+34 600 010 100")
    by_chat = contact(chat="ana")
    assert contact(email="ana@client.example", phone="+34 600 010 100", chat="ana") == by_email
    assert contact(email="new@client.example", phone="+34 600 010 100", chat="ana") == by_chat
    assert contact(email="other@client.example", phone="+34 600 010 100") == by_phone
    assert contact(phone="+34 600 000 001", chat="ana") == by_chat


def test_what_a_lead_adds_to_a_known_person_is_added():
    known = contact(email="ana@client.example")
    assert contact(email="ana@client.example", name="Ana", phone="+34 600 010 100") == known
    assert contact(phone="+34 600 010 100", chat="@ana") == known
    assert contact(chat="ana") == known
    known.refresh_from_db()
    assert (known.name, known.email, known.phone, known.chat) == ("Ana", "ana@client.example", "+34600010100", "@ana")


def sent(**facts):
    """Take a lead of this contact, and return its document."""
    return take_lead(form(contact=facts), source_id=make_source().pk, at=MONDAY).document


def texts(document, kind):
    return [point[kind] for point in document["contact"][f"{kind}s"]]


EVA = {"name": "Eva", "email": "eva.ros@client.example", "phone": "+34 600 010 101"}


def test_a_second_number_is_the_same_persons_and_the_newest_is_shown_first():
    first = sent(**EVA)
    second = sent(**EVA | {"phone": "+34 699 020 202"})
    assert first["contact"]["id"] == second["contact"]["id"]
    assert (first["matched_by"], second["matched_by"]) == ("new", "email")
    assert texts(second, "phone") == ["+34699020202", "+34600010101"]
    assert second["contact"]["phones"][1] == {
        "phone": "+34600010101",
        "source": "landing",
        "first_seen_at": "2026-03-02T10:00:00Z",
    }
    known = Contact.objects.get()
    assert (known.phone, known.email) == ("+34699020202", "eva.ros@client.example")


def test_either_of_two_numbers_and_addresses_finds_the_person():
    eva = contact(**EVA)
    contact(**EVA | {"phone": "+34 699 020 202"})
    contact(name="Eva", email="eva@home.example", phone="+34 699 020 202")
    for key in (
        {"email": "eva@home.example"},
        {"email": EVA["email"]},
        {"phone": "+34 699 020 202"},
        {"phone": EVA["phone"]},
    ):
        assert contact(**key) == eva


def test_what_was_sent_is_kept_exactly_beside_what_is_known():
    sent(**EVA)
    other = {
        "name": " Éva  Ros ",
        "email": "Eva.Ros@CLIENT.example",
        "phone": 34699020202,
        "chat": None,
        "age": {"of": 41},
    }
    read = read_lead({"contact": other}, at=MONDAY, zone=ZoneInfo("UTC"))
    lead = take_lead(read, source_id=make_source().pk, at=MONDAY).document
    assert lead["contact"]["name"] == "Eva"
    assert texts(lead, "phone") == ["+34699020202", "+34600010101"]
    assert lead["as_sent"] == {"contact": other, "company": None}
    assert lead_documents(Lead.objects.filter(pk=lead["id"])) == [lead]


def test_the_company_is_kept_as_sent_too():
    company(name="Ruiz SL", domain="ruiz.example")
    taken = take_lead(
        form(company={"name": "Ruiz Hermanos", "domain": "RUIZ.example"}), source_id=make_source().pk, at=MONDAY
    )
    assert taken.document["company"]["name"] == "Ruiz SL"
    assert taken.document["as_sent"]["company"] == {"name": "Ruiz Hermanos", "domain": "RUIZ.example"}


@pytest.mark.parametrize("odd", ["a\x00b", "\u202ecod", "\ud800"])
def test_whatever_stands_in_a_field_that_nobody_asked_for_the_lead_is_taken(odd):
    form_ = form(contact={"email": "ana@client.example"})
    form_["as_sent"] = {"contact": {**form_["contact"], "odd": odd}, "company": None}
    taken = take_lead(form_, source_id=make_source().pk, at=MONDAY)
    kept = Lead.objects.get(pk=taken.lead_id).as_sent["contact"]
    assert kept == {"email": "ana@client.example"} | ({} if odd == "\ud800" else {"odd": odd})


def test_a_name_that_cannot_be_the_same_persons_makes_a_contact_who_shares_the_number():
    rosa = contact(name="Rosa", phone="+34 600 010 100")
    tom = sent(name="Tom", email="tom@client.example", phone="+34 600 010 100")
    assert tom["contact"]["id"] != str(rosa.pk)
    assert tom["matched_by"] == "new"
    assert tom["shares_with"] == [{"id": str(rosa.pk), "name": "Rosa"}]
    assert tom["contact"]["phones"][0]["shared"] is True
    assert lead_documents(Lead.objects.filter(pk=tom["id"])) == [tom]
    assert contact(phone="+34 600 010 100") == rosa  # the number stays hers
    assert not PossibleDuplicate.objects.exists()


def test_who_shares_a_number_is_known_again_by_name_and_number():
    contact(name="Rosa", phone="+34 600 010 100")
    tom = contact(name="Tom", email="tom@client.example", phone="+34 600 010 100")
    again = sent(name="tom", phone="+34 600 010 100")
    assert again["contact"]["id"] == str(tom.pk)
    assert again["matched_by"] == "phone"
    assert [person["name"] for person in again["shares_with"]] == ["Rosa"]
    assert sent(name="Tom", email="tom@client.example", phone="+34 600 010 100")["matched_by"] == "email"
    assert not PossibleDuplicate.objects.exists()
    third = sent(name="Uma", phone="+34 600 010 100")
    assert third["matched_by"] == "new"
    assert Contact.objects.count() == 3


@pytest.mark.parametrize("name", ["Rosa", "R. Gómez", "rosa  gomez", "Роза", ""])
def test_a_name_that_can_be_the_same_persons_adds_the_address(name):
    rosa = contact(name="Rosa Gómez", phone="+34 600 010 100")
    assert contact(name=name, email="rosa@client.example", phone="+34 600 010 100") == rosa
    assert contact(email="rosa@client.example") == rosa


def test_an_address_of_one_with_the_number_of_another_proposes_the_pair_and_moves_nothing():
    ana = contact(name="Ana", email="ana@client.example")
    bea = contact(name="Bea", phone="+34 600 010 100")
    for _ in range(2):
        lead = sent(name="Ana", email="ana@client.example", phone="+34 600 010 100")
        assert (lead["contact"]["id"], lead["matched_by"]) == (str(ana.pk), "email")
        assert lead["shares_with"] == [{"id": str(bea.pk), "name": "Bea"}]
        assert lead["contact"]["phones"] == []
        assert lead["as_sent"]["contact"]["phone"] == "+34 600 010 100"
    pair = PossibleDuplicate.objects.get()
    assert {pair.one, pair.other} == {ana, bea}
    assert pair.reasons == ["shared_phone"]
    assert contact(phone="+34 600 010 100") == bea


def test_an_address_that_is_somebody_elses_does_not_keep_out_what_else_is_new():
    ana = contact(email="ana@client.example")
    contact(phone="+34 600 010 100")
    contact(email="ana@client.example", phone="+34 600 010 100", name="Ana", chat="ana")
    ana.refresh_from_db()
    assert (ana.name, ana.chat) == ("Ana", "ana")


def test_a_person_with_a_bad_email_is_found_by_phone():
    known = contact(phone="+34 600 010 100")
    lead = sent(email="nowhere", phone="+34 600 010 100")
    assert lead["contact"]["id"] == str(known.pk)
    assert (lead["contact"]["email"], lead["contact"]["email_valid"]) == ("nowhere", False)
    assert lead["as_sent"]["contact"] == {"email": "nowhere", "phone": "+34 600 010 100", "email_valid": False}
    assert contact(email="nowhere", name="Somebody else", chat="else") != known


def test_what_cannot_be_read_is_kept_and_marked_beside_a_good_key():
    lead = sent(email="ana@client.example", phone="call me: 12 34 (evenings)")
    assert lead["contact"]["phone"] == "call me: 12 34 (evenings)"
    assert (lead["contact"]["phone_valid"], lead["contact"]["email_valid"]) == (False, True)
    assert lead["as_sent"]["contact"]["phone_valid"] is False
    assert "email_valid" not in lead["as_sent"]["contact"]
    later = sent(email="ana@client.example", phone="+34 600 010 100")
    assert texts(later, "phone") == ["+34600010100", "call me: 12 34 (evenings)"]
    assert later["contact"]["phone_valid"] is True
    again = sent(email="ana@client.example", phone="12")
    assert texts(again, "phone") == texts(later, "phone")  # it is kept on the lead
    assert again["as_sent"]["contact"] == {"email": "ana@client.example", "phone": "12", "phone_valid": False}


def test_an_extension_is_kept_apart_and_another_extension_is_another_person():
    front = sent(name="Ana", phone="+34 910 000 333 ext. 12")
    assert (front["contact"]["phone"], front["contact"]["phone_extension"]) == ("+34910000333", "12")
    assert front["contact"]["phones"][0]["phone_extension"] == "12"
    assert sent(phone="910 000 333, доб. 12", name="Ana")["matched_by"] == "new"  # of no country
    assert sent(phone="+34 910000333 x12")["contact"]["id"] == front["contact"]["id"]
    assert sent(phone="+34 910000333 x13")["matched_by"] == "new"
    assert sent(phone="+34 910000333")["contact"]["phone_extension"] is None


@pytest.mark.parametrize("handle", ["+34 600 010 100", "wa.me/34600010100", "34600010100@c.us", "tel:+34600010100"])
def test_a_number_given_as_a_handle_finds_the_phones_contact_and_the_other_way_round(handle):
    known = contact(phone="+34 600 010 100")
    lead = sent(chat=handle)
    assert lead["contact"]["id"] == str(known.pk)
    assert lead["matched_by"] == "chat"
    assert contact(phone="+34 600 000 001", chat="+34 600 000 002", email="eva@client.example") == contact(
        phone="+34 600 000 002"
    )


def test_a_known_handle_says_more_than_the_number_of_another():
    ana = contact(name="Ana", chat="ana")
    bea = contact(name="Bea", phone="+34 600 010 100")
    lead = sent(name="Ana", chat="@Ana", phone="+34 600 010 100")
    assert (lead["contact"]["id"], lead["matched_by"]) == (str(ana.pk), "chat")
    assert [person["id"] for person in lead["shares_with"]] == [str(bea.pk)]
    assert PossibleDuplicate.objects.count() == 1


def test_argentina_with_and_without_the_nine_is_one_person():
    assert contact(phone="+54 9 11 2345-6789") == contact(phone="+54 11 2345-6789")
    assert Contact.objects.get().phone == "+5491123456789"


def test_names_on_one_number_are_compared_within_one_request_too():
    rosa, tom = {"name": "Rosa", "phone": "+34 600 010 100"}, {"name": "Tom", "email": "tom@client.example"}
    forms = [
        form(contact=rosa),
        form(contact=tom | {"phone": "+34 600 010 100"}),
        form(contact=tom),
        form(contact=rosa),
    ]
    taken = take_leads(forms, source_id=make_source().pk, at=MONDAY)
    ids = [each.document["contact"]["id"] for each in taken]
    assert ids[0] == ids[3] != ids[1] == ids[2]
    assert [each.document["name"] for each in taken] == [each["name"] for each in forms]


def test_a_contact_gets_the_company_that_it_comes_with():
    lead = take(contact={"email": "ana@client.example"}, company={"name": "Ruiz SL"})
    assert lead.contact.company == lead.company
    moved = take(contact={"email": "ana@client.example"}, company={"name": "Other SL"})
    assert (moved.contact.company, moved.company.name) == (lead.company, "Other SL")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "Ruiz SL"}, {"name": "  RUIZ   sl "}),
        ({"name": "Straße GmbH"}, {"name": "STRASSE GMBH"}),
        ({"domain": "ruiz.example"}, {"domain": "https://www.Ruiz.example/contact"}),
        ({"name": "Ruiz", "domain": "ruiz.example"}, {"name": "Ruiz Hermanos", "domain": "RUIZ.example"}),
        ({"name": "Ruiz SL", "domain": "ruiz.example"}, {"name": "Ruiz SL"}),
    ],
)
def test_two_spellings_are_one_company(one, other):
    assert company(**one) == company(**other)
    assert Company.objects.count() == 1


def test_two_domains_are_two_companies_though_they_have_one_name():
    assert company(name="Ruiz", domain="ruiz.example") != company(name="Ruiz", domain="ruiz2.example")


def test_a_company_known_by_name_gets_its_domain_when_it_is_told():
    known = company(name="Ruiz SL")
    assert company(name="Ruiz SL", domain="ruiz.example") == known
    known.refresh_from_db()
    assert known.domain_key == "ruiz.example"


def test_no_company_is_no_company():
    assert take().company is None
    assert take(company={"name": " "}).company is None
    assert take(company={"domain": "not a domain"}).company is None
    assert not Company.objects.exists()


def test_in_one_request_a_person_who_comes_twice_is_one():
    ana = {"email": "ana@client.example"}
    forms = [form(contact=ana, company={"name": "Ruiz SL"}), form(), form(contact={**ana, "phone": "+34 600 010 100"})]
    taken = take_leads(forms, source_id=make_source().pk, at=MONDAY)
    assert taken[0].document["contact"]["id"] == taken[2].document["contact"]["id"]
    assert taken[2].document["contact"]["phone"] == "+34600010100"
    assert Contact.objects.count() == 2
