"""What a text may hold: cleaned where it is prose, refused where it identifies something."""

import json
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.intake.text import BadText, clean, clean_json, refuse_controls
from tests.data import data_path

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("sent", "one_line", "many_lines"),
    [
        ("Ann Lee", "Ann Lee", "Ann Lee"),
        ("a\0b", "ab", "ab"),
        ("Ann\nLee", "Ann Lee", "Ann\nLee"),
        ("Ann\r\nLee", "Ann Lee", "Ann\nLee"),
        ("Ann\rLee", "Ann Lee", "Ann\nLee"),
        ("a\tb", "a b", "a\tb"),
        ("Riga\x0b\x0c", "Riga  ", "Riga\n\n"),
        ("Ann\u2028Lee\u2029", "Ann Lee ", "Ann\u2028Lee\u2029"),
        ("bell\a esc\x1b[31m del\x7f c1\x9b", "bell esc[31m del c1", "bell esc[31m del c1"),
        ("Jose\u0301", "José", "José"),
        ("e\0\u0301", "é", "é"),  # what stood between two characters must not keep them apart
        (
            "\u202eevil\u2066 ‍👩‍💻 \ufeff",
            "\u202eevil\u2066 ‍👩‍💻 \ufeff",
            "\u202eevil\u2066 ‍👩‍💻 \ufeff",
        ),  # kept: pages isolate it
        ("  blanks  ", "  blanks  ", "  blanks  "),
    ],
)
def test_only_what_is_documented_is_removed(sent, one_line, many_lines):
    assert clean(sent, multiline=False) == one_line
    assert clean(sent, multiline=True) == many_lines


@pytest.mark.parametrize("text", ["\udc00", "a\ud800b", "\ude00\ud83d", "\x00\ud800"])
def test_half_a_surrogate_pair_is_refused_and_never_replaced(text):
    for refuse in (
        lambda: clean(text, multiline=True),
        lambda: clean(text, multiline=False),
        lambda: refuse_controls(text),
    ):
        with pytest.raises(BadText) as refusal:
            refuse()
        assert refusal.value.code == "invalid-text"


@pytest.mark.parametrize(
    "text", ["a\0", "a\n", "\tа", "a\x7f", "a\x85", "a\u2028b", "a\u2029", "ключ\r\nSet-Cookie: a"]
)
def test_what_identifies_is_refused_and_not_cleaned(text):
    with pytest.raises(BadText):
        refuse_controls(text)


def test_what_identifies_is_kept_to_the_letter():
    assert refuse_controls("Jose\u0301 ﬁ \u200b") == "Jose\u0301 ﬁ \u200b"


@given(ANY_TEXT, st.booleans())
def test_a_clean_text_is_clean_whatever_it_was(text, multiline):
    try:
        cleaned = clean(text, multiline=multiline)
    except BadText:
        assert any("\ud800" <= character <= "\udfff" for character in text)
        return
    allowed = "\n\t" if multiline else ""
    assert all(unicodedata.category(character) != "Cc" or character in allowed for character in cleaned)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert clean(cleaned, multiline=multiline) == cleaned
    cleaned.encode()


@given(JSON_VALUES)
def test_cleaning_a_value_twice_is_cleaning_it_once(value):
    try:
        cleaned = clean_json(value)
    except BadText:  # two names that differ in what is invisible, as below
        return
    assert clean_json(cleaned) == cleaned
    assert "\\u0000" not in json.dumps(cleaned).replace("\\\\", "")


def test_texts_are_found_however_deep_and_named_by_their_pointer():
    assert clean_json({"tags": [{"t\0": "a\0"}], "n": 1, "x": None}) == {"tags": [{"t": "a"}], "n": 1, "x": None}
    with pytest.raises(BadText) as refusal:
        clean_json({"fields": [{"a/b~c": ["ok", "\ud800"]}]})
    assert refusal.value.pointer == "/fields/0/a~1b~0c/1"
    with pytest.raises(BadText) as refusal:
        clean_json({"fields": {"\ud800": 1}})
    assert refusal.value.pointer == "/fields"


def test_no_value_is_lost_to_keys_that_become_one():
    with pytest.raises(BadText) as refusal:
        clean_json({"fields": {"a": 1, "a\0": 2}})
    assert refusal.value.pointer == "/fields/a"


def test_a_key_is_not_too_long_however_deep():
    assert clean_json({"k" * 200: [{"é" * 200: 1}]}) == {"k" * 200: [{"é" * 200: 1}]}
    for key in ("k" * 201, "k" * 300_000):
        with pytest.raises(BadText) as refusal:
            clean_json({"plan": [1, {"a/b": {"ok": 1, key: 2}}]})
        assert (refusal.value.code, refusal.value.pointer) == ("too-long", "/plan/1/a~1b")
        assert refusal.value.detail == f"a key has at most 200 characters, but “{'k' * 40}…” has {len(key):,}"


def test_a_value_deeper_than_allowed_is_refused_instead_of_overflowing_the_stack():
    value: object = 0
    for _ in range(5_000):
        value = [value]
    with pytest.raises(BadText) as refusal:
        clean_json(value)
    assert refusal.value.code == "too-deep"


def test_a_tower_of_marks_is_refused_at_once():
    started = time.perf_counter()
    for marks in ("\u0301\u0323", "\u0f73", "\u0344\u0323"):  # U+0F73 is a starter that falls apart into marks
        with pytest.raises(BadText):
            clean("a" + marks * 200_000, multiline=True)
    assert time.perf_counter() - started < 3


def test_long_texts_of_all_scripts_pass():
    for text in ("ありがとう" * 50_000, "שָׁלוֹם " * 50_000, "Привет, мир! " * 50_000, "e\u0301\u0323" * 50_000):
        assert clean(text, multiline=True) == unicodedata.normalize("NFC", text)


def test_naughty_strings_are_kept_or_refused():
    for text in json.loads(data_path("naughty_strings/blns.json").read_text("utf-8")):
        kept = "".join(c for c in text if unicodedata.category(c) != "Cc" or c in "\n\t")
        if not any(c in text for c in "\r\x0b\x0c\x85"):
            assert clean(text, multiline=True) == unicodedata.normalize("NFC", kept)
