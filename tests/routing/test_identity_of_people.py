"""One person, one contact; one organisation, one company: found again however they are written."""

import pytest

from routing.models import Company, Contact
from routing.services.intake import take_leads
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
        ({"phone": "+34 600 000 000"}, {"phone": "0034 600-000-000"}),
        ({"phone": "+34 600 000 000"}, {"phone": "+34 (600) 00 00 00"}),
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
    assert take(source=german, contact={"phone": "600 000 000"}, country="ES").contact.phone_key == "+34600000000"
    assert take(source=german, contact={"phone": "030 901820"}).contact.phone_key == "+4930901820"
    make_account(country="FR")
    assert take(contact={"phone": "01 42 68 53 00"}).contact.phone_key == "+33142685300"
    assert take(contact={"phone": "912 345 678"}, country="PT").contact.phone_key == "+351912345678"


def test_a_number_of_the_leads_country_is_never_read_as_of_the_sources():
    make_source("es", country="ES")
    lead = take(source=make_source("es"), contact={"phone": "600 123 456", "email": "rui@client.example"}, country="PT")
    assert lead.contact.phone_key == "+351600123456"


def test_a_short_number_is_a_way_to_reach_somebody():
    assert take(contact={"phone": "7012"}, country="NU").contact.phone_key == "+6837012"


def test_an_email_says_more_than_a_phone_and_a_phone_more_than_a_chat():
    by_email = contact(email="ana@client.example")
    by_phone = contact(phone="+34 600 000 000")
    by_chat = contact(chat="ana")
    assert contact(email="ana@client.example", phone="+34 600 000 000", chat="ana") == by_email
    assert contact(email="new@client.example", phone="+34 600 000 000", chat="ana") == by_phone
    assert contact(phone="+34 600 000 001", chat="ana") == by_chat


def test_what_a_lead_adds_to_a_known_person_is_added():
    known = contact(email="ana@client.example")
    assert contact(email="ana@client.example", name="Ana", phone="+34 600 000 000") == known
    assert contact(phone="+34 600 000 000", chat="@ana") == known
    assert contact(chat="ana") == known
    known.refresh_from_db()
    assert (known.name, known.email, known.phone, known.chat) == ("Ana", "ana@client.example", "+34600000000", "@ana")


def test_what_is_known_of_a_person_is_not_overwritten():
    known = contact(email="ana@client.example", name="Ana", phone="+34 600 000 000")
    contact(email="ana@client.example", name="Anna", phone="+34 600 000 001")
    known.refresh_from_db()
    assert (known.name, known.phone) == ("Ana", "+34600000000")


def test_an_address_that_is_somebody_elses_stays_theirs():
    ana = contact(email="ana@client.example")
    eva = contact(phone="+34 600 000 000", name="Eva")
    assert contact(email="ana@client.example", phone="+34 600 000 000") == ana
    ana.refresh_from_db()
    assert ana.phone_key is None
    assert contact(phone="+34 600 000 000") == eva


def test_an_address_that_is_somebody_elses_does_not_keep_out_what_else_is_new():
    ana = contact(email="ana@client.example")
    contact(phone="+34 600 000 000")
    contact(email="ana@client.example", phone="+34 600 000 000", name="Ana", chat="ana")
    ana.refresh_from_db()
    assert (ana.name, ana.chat_key) == ("Ana", "ana")


def test_a_person_with_a_bad_email_is_found_by_phone():
    known = contact(phone="+34 600 000 000")
    assert contact(email="nowhere", phone="+34 600 000 000") == known
    known.refresh_from_db()
    assert known.email_key is None


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
    forms = [form(contact=ana, company={"name": "Ruiz SL"}), form(), form(contact={**ana, "phone": "+34 600 000 000"})]
    taken = take_leads(forms, source_id=make_source().pk, at=MONDAY)
    assert taken[0].document["contact"]["id"] == taken[2].document["contact"]["id"]
    assert taken[2].document["contact"]["phone"] == "+34600000000"
    assert Contact.objects.count() == 2
