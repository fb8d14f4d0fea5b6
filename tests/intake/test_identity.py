"""One person, many spellings: what must be the same, what must not, and what is nobody."""

import csv
import json
import subprocess
import sys
import time

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.intake.identity import (
    normalise_chat,
    normalise_domain,
    normalise_email,
    normalise_name,
    normalise_phone,
    phone_of_chat,
    read_phone,
)
from tests.data import data_path

ALL = [
    normalise_email,
    normalise_domain,
    normalise_name,
    normalise_chat,
    lambda text: normalise_phone(text, None),
    lambda text: normalise_phone(text, "ES"),
]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
NEARLY = st.text(
    st.sampled_from('aZß.İςΑ@＠<>"\\ \u200b\u0301\u0345\ud800\0-+_www()[]:/?#%mailto:IPv6.123．。٣＋09xnﬀ½ſ'),
    max_size=40,
)

# Where we take what the published verdict refuses: a line break before or behind an address was pasted, not meant.
TAKEN_ALL_THE_SAME = {"128", "141", "142", "146", "152", "154"}


def rows(name):
    with data_path(name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


# E-mail


@pytest.mark.parametrize(
    ("written", "key"),
    [
        (" Ann@Example.COM ", "ann@example.com"),
        ("Ann Lee <Ann@example.com>", "ann@example.com"),
        ('"Lee, Ann" <ann@example.com>', "ann@example.com"),
        ("<ann@example.com>", "ann@example.com"),
        ("mailto:ann@example.com?subject=Demo", "ann@example.com"),
        ("MAILTO:ann%40example.com", "ann@example.com"),
        ("\u200bann@example.com\ufeff", "ann@example.com"),
        ("ann\u00a0@ example.com", "ann@example.com"),
        ("ann＠example．com", "ann@example.com"),
        ('"ann"@example.com', "ann@example.com"),
        ('"Ann Lee"@example.com', '"ann lee"@example.com'),
        ('\u200b"ann "＠example.com', '"ann "@example.com'),
        ('" ann"@example.com', '" ann"@example.com'),
        ('"ann＠work"@example.com', "ann＠work@example.com"),
        ("o'hara+crm@example.com", "o'hara+crm@example.com"),
        ("иван@пример.рф", "иван@xn--e1afmkfd.xn--p1ai"),
        ("ИВАН@ПРИМЕР.РФ", "иван@xn--e1afmkfd.xn--p1ai"),
        ("jose\u0301@example.com", "josé@example.com"),
        ("ann@[IPv6:0:0::1]", "ann@[ipv6:::1]"),
    ],
)
def test_spellings_of_one_address_are_one(written, key):
    assert normalise_email(written) == key


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "n/a",
            "ann",
            "@",
            "ann@",
            "@example.com",
            "ann@@example.com",
            "a@x.com, b@x.com",
            "a@x.com b@x.com",
        ),
        *("ann lee@example.com", "ann@exam ple.com", "ann@-x.com", "ann@x..com", "ann@x.com.", ".ann@x.com"),
        # without what is invisible or a control character in it, it would be somebody else's address
        *('"a\u200bb"@x.com', '"a\x01b"@x.com', '"a\tb"@x.com', "a\x1fb@x.com", "a\ufffdb@x.com"),
        *("a\0@x.com", "ann@x_y.com", "ann@[1.2.3]", "ann@[fe80::1%eth0]", "ann@℀.com", "a" * 65 + "@x.com"),
        "a@" + "b." * 130 + "com",
    ],
)
def test_what_no_mail_can_reach_is_no_address(text):
    assert normalise_email(text) is None


def test_published_verdicts_on_addresses_hold():
    taken = set()
    for row in rows("email_addresses/isemail_cases.csv"):
        address, verdict = json.loads(row["address_json"]), row["suggested_intake_verdict"]
        key = normalise_email(address)
        if verdict in ("accept", "accept_unusual"):
            assert key is not None, (row["id"], address)
        elif verdict == "reject" and key is not None:
            taken.add(row["id"])
        if key is not None:
            assert normalise_email(key) == key
    assert taken == TAKEN_ALL_THE_SAME


# Phones


@pytest.mark.parametrize(
    ("written", "country", "key"),
    [
        ("8 (800) 555-35-35 ", "RU", "+78005553535"),
        ("+34 600 000 000", None, "+34600000000"),
        ("600 000 000", "es", "+34600000000"),
        ("600 000 000", None, None),
        ("600 000 000", "", None),
        ("600 000 000", "XX", None),
        ("+1 202-555-0143 ext. 7", None, "+12025550143"),
        ("tel:+1-202-555-0143;ext=7", None, "+12025550143"),
        ("0044 20 7946 0018", None, "+442079460018"),
        ("００４４ 20 7946 0018", "", "+442079460018"),
        ("0044 20 7946 0018", "US", None),  # dialled so nowhere in America: the writer's number, not ours to guess
        ("+٧٩١٢٣٤٥٦٧٨٩", None, "+79123456789"),
        ("+7\u200b912\u00a0345\u201167\u201189", None, "+79123456789"),
        ("", "ES", None),
        # a note behind the number is no part of it
        ("+49 30 123456 privat", None, "+4930123456"),
        ("+49 30 123456 (Fax)", None, "+4930123456"),
        ("+49 30 123456 App. 12", None, "+4930123456"),
        ("+43 1 234567 DW 12", None, "+431234567"),
        ("+34 910 000 333 poste 12", None, "+34910000333"),
        ("+34 910 000 333 interno 12", None, "+34910000333"),
        ("+34 910 000 333 casa", None, "+34910000333"),
        ("+7 495 123-45-67 вн. 12", None, "+74951234567"),
        ("+7 495 123-45-67 доб. 12", None, "+74951234567"),
        ("+7 (999) 123-45-67 (WhatsApp)", None, "+79991234567"),
        ("+1 800 FLOWERS", None, "+18003569377"),
        # with the country but without a plus; as dialled in Russia and Kazakhstan
        ("5531988887777", "ES", "+5531988887777"),
        ("79991234567", None, "+79991234567"),
        ("447946095812", "ES", "+447946095812"),
        ("8 999 123-45-67", None, "+79991234567"),
        ("8 701 123 45 67", "ES", "+77011234567"),
        ("912 345 678", "PT", "+351912345678"),
        # as it was dialled before the numbering plan changed
        ("+52 1 55 1234 5678", None, "+525512345678"),
        ("044 55 1234 5678", "MX", "+525512345678"),
        ("+55 11 6123 4567", None, "+5511961234567"),
        ("11 6123-4567", "BR", "+5511961234567"),
        ("011 15 2345-6789", "AR", "+5491123456789"),
        ("+229 97 12 34 56", None, "+2290197123456"),
        ("+8 912 345 67 89", None, "+79123456789"),
        ("+34(0)600 123 456", None, "+34600123456"),
        # short, and whole
        ("7012", "NU", "+6837012"),
        ("+690 3101", None, "+6903101"),
        # nobody's number
        ("123456789012345", "ES", None),
        ("8 8", None, None),
    ],
)
def test_spellings_of_one_number_are_one(written, country, key):
    assert normalise_phone(written, country) == key


def test_every_published_spelling_gives_the_true_number_or_none():
    for row in rows("phones/phone_variants.csv"):
        key = normalise_phone(row["raw_input"], row["default_region"])
        assert key == (row["true_e164"] if row["libphonenumber_verdict"] == "valid" else None), row
        if key is not None:
            assert normalise_phone(key, None) == normalise_phone(key, row["default_region"]) == key


def test_the_extension_of_every_published_spelling_is_read():
    told = [row for row in rows("phones/phone_variants.csv") if row["libphonenumber_verdict"] == "valid"]
    wrong = [
        row
        for row in told
        if read_phone(row["raw_input"], row["default_region"]).extension != row["expected_extension"]
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("note", "extension"),
    [
        *(
            (f" {word} 12", "12")
            for word in [
                "ext",
                "ext.",
                "Ext:",
                "extension",
                "extensión",
                "extensão",
                "x",
                "X",
                "х",
                "доб.",
                "доб",
                "добавочный",
                "вн.",
            ]
        ),
        *(
            (f" {word} 12", "12")
            for word in [
                "внутр.",
                "int.",
                "interno",
                "anexo",
                "ramal",
                "poste",
                "wewn.",
                "linka",
                "tst.",
                "DW",
                "Durchwahl",
            ]
        ),
        *((f" {word} 12", "12") for word in ["App.", "Apparat", "Nst.", "Klappe"]),
        *((note, "12") for note in ("x12", " (ext. 12)", ", доб.12", ";ext=12", " #12", ",12", ",,12#", " ext.１２")),
        (" ext. 0012", "0012"),
        *((note, "") for note in ("", " privat", " (Fax)", " casa", " or 654321", " ext", " next 12")),
    ],
)
def test_an_extension_is_read_apart(note, extension):
    assert read_phone(f"+34 910 000 333{note}", None) == ("+34910000333", extension)


def test_the_same_number_with_another_extension_is_another_key():
    keys = {read_phone(f"+34 910 000 333{note}", None).key for note in ("", " ext. 12", " доб. 12", " x13")}
    assert keys == {"+34910000333", "+34910000333;ext=12", "+34910000333;ext=13"}


@pytest.mark.parametrize("written", ["+54 9 11 2345-6789", "+54 11 2345-6789", "011 15 2345-6789", "11 2345 6789"])
def test_argentina_with_and_without_the_nine_is_one_key(written):
    assert read_phone(written, "AR").key == "+541123456789"


@pytest.mark.parametrize(
    "handle",
    [
        *("+34 600 123 456", "tel:+34600123456", "tel:+34-600-123-456", "whatsapp:+34600123456", "wa.me/34600123456"),
        *("https://wa.me/34600123456?text=Hola", "34600123456@c.us", "34600123456@s.whatsapp.net", "tel:600123456"),
        *("https://api.whatsapp.com/send?phone=34600123456&text=x", "viber://chat?number=%2B34600123456"),
        *("https://t.me/+34600123456", "34600123456:12@s.whatsapp.net"),
    ],
)
def test_a_number_given_as_a_handle_is_the_number(handle):
    assert phone_of_chat(handle, "ES") == ("+34600123456", "")
    assert normalise_chat(handle, "ES") == "+34600123456"


@pytest.mark.parametrize(
    "handle", ["600123456", "@ann34600123456", "t.me/+AbCdEf", "wa.me/message/X1", "+12", "1@c.us", "wa.me/1"]
)
def test_a_handle_is_no_number(handle):
    assert phone_of_chat(handle, "ES") is None


# The library dials the note as well, and finds no number.
READ_WITHOUT_ITS_NOTE = {"8(912)345-67-89 WhatsApp": "+79123456789"}


def test_what_people_type_instead_of_a_number_is_read_as_published():
    for row in rows("phones/awkward_inputs.csv"):
        raw = json.loads('"' + row["raw_input_json_escaped"].replace('"', '\\"') + '"')
        expected = row["e164_by_libphonenumber"] if row["valid"] == "yes" else READ_WITHOUT_ITS_NOTE.get(raw)
        assert normalise_phone(raw, row["default_region"]) == expected, row


def test_a_number_is_read_about_as_fast_as_the_library_reads_it():
    text, country = "8 (800) 555-35-35", "RU"
    read = read_phone.__wrapped__  # without its memory of numbers seen before
    library = _best(lambda: phonenumbers.is_valid_number(phonenumbers.parse(text, country)))
    assert _best(lambda: read(text, country)) < 4 * library


def test_the_library_of_places_is_never_loaded():
    code = (
        "import sys; from routing.intake import identity; assert 'phonenumbers' not in sys.modules;"
        "assert identity.normalise_phone('+34 600 000 000', None) == '+34600000000';"
        "assert not [name for name in sys.modules if 'geocoder' in name or 'geodata' in name]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# Domains, names, handles


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("https://www.Example.com:443/about?x=1#y", "example.com"),
        ("//example.com", "example.com"),
        ("http://user:secret@example.com/", "example.com"),
        ("example.com.", "example.com"),
        ("www.www.example.com", "example.com"),
        ("www.com", "www.com"),
        (" sales.example.co.uk/ ", "sales.example.co.uk"),
        ("пример.рф", "xn--e1afmkfd.xn--p1ai"),
        ("ann@example.com", "example.com"),
        ("localhost", None),
        ("192.0.2.1", None),
        ("example.com:port", None),
        ("no domain", None),
        ("", None),
        ("a..b.com", None),
        ("javascript:alert(1)", None),
    ],
)
def test_spellings_of_one_domain_are_one(written, key):
    assert normalise_domain(written) == key


def test_names_are_compared_without_width_case_and_blanks():
    assert normalise_name("  Ruiz\u00a0 SL ") == normalise_name("ＲＵＩＺ sl") == "ruiz sl"
    assert normalise_name("STRASSE") == normalise_name("Straße")
    assert normalise_name("ООО «Ромашка»") == "ооо «ромашка»"
    assert normalise_name("Ruiz SL") != normalise_name("Ruiz SA")
    assert normalise_name("a" * 100_000) == ""


def test_handles_are_compared_without_case_and_sign():
    assert {normalise_chat(text) for text in ("@Ann", "ann", " https://t.me/Ann/ ", "t.me/ann", "@ ANN")} == {"ann"}
    for nobody in ("", "@", "-", "n/a", "None", "нет", "x" * 300, "a\0b"):
        assert normalise_chat(nobody) is None


# All of them


@given(ANY_TEXT | NEARLY | st.emails() | st.emails().map(lambda e: f"X <{e.upper()}>"))
def test_the_key_of_a_key_is_the_key(text):
    for normalise in ALL:
        key = normalise(text)
        if key is not None:
            assert normalise(key) == key
            key.encode()


def test_naughty_and_endless_texts_are_read_at_once():
    texts = ["\ud800", "\0", "１" * 250, "1" * 250, "+1" * 125, "1ext" * 62, "1 ;ext=" * 35, "+" * 250, "1,;" * 80]
    texts += [text * 100_000 for text in ("a", "a@", '"', "<", "www.", "\u0301\u0323", "1", "/", "\ufdfa")]
    texts += [text * (900 // len(text)) for text in ("\u0301\u0323", "\ufdfa", "a.", '"\\', "@", "ß.", "mailto:", "İ")]
    texts += json.loads(data_path("naughty_strings/blns.json").read_text("utf-8"))
    for normalise in ALL:
        for text in texts:
            assert _seconds(lambda normalise=normalise, text=text: normalise(text)) < 0.5


def _best(work):
    return min(_seconds(lambda: [work() for _ in range(200)]) for _ in range(5))


def _seconds(work):
    started = time.process_time()
    work()
    return time.process_time() - started
