"""The bytes of a request: read whatever the headers say, refused with the code a program can use."""

import base64
import gzip
import io
import json
import math
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadrouter import problems
from routing.api.parsers import BulkParser, LeadJSONParser
from routing.intake import bodies
from routing.intake.bodies import (
    BadBody,
    InvalidJson,
    NotAnObject,
    parse_body,
    parse_bulk,
    parse_ndjson,
)
from tests.data import data_path

LEAD = {"name": "Demo", "contact": {"name": "Иван Ÿ 🎉", "phone": "+34 600 000 000"}, "tags": ["a", "b"], "budget": 1.5}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


def refused(raw: bytes, **limits: int) -> str:
    """Return the code with which the body is refused."""
    with pytest.raises(BadBody) as refusal:
        parse_body(raw, **limits)
    return refusal.value.code


def status_of(refusal: BadBody) -> int:
    return problems.BODY_STATUSES.get(type(refusal), 400)


def parse(raw: bytes, content_type="application/json", parser=LeadJSONParser, **headers):
    request = SimpleNamespace(META={"CONTENT_LENGTH": str(len(raw)), **headers})
    return parser().parse(io.BytesIO(raw), content_type, {"request": request}), request


# Values


@given(JSON)
def test_what_json_can_say_is_read_as_json_reads_it(value):
    for ensure_ascii in (True, False):
        assert parse_body(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == value


@given(st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(raw):
    with suppress(BadBody):
        parse_body(raw)
    assert isinstance(parse_ndjson(raw), list)


def test_a_byte_order_mark_is_no_harm():
    assert parse_body(b"\xef\xbb\xbf" + json.dumps(LEAD).encode()) == LEAD


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "invalid-json"),
        (b"undefined", "invalid-json"),
        (b'{name:"Ann"}', "invalid-json"),
        (b"{'name':'Ann'}", "invalid-json"),
        (b'{"a":1,}', "invalid-json"),
        (b'{"a":1} x', "invalid-json"),
        (b'{"a":1}{"a":2}', "invalid-json"),
        (b'{"a":NaN}', "invalid-json"),
        (b'{"a":-Infinity}', "invalid-json"),
        ('{"имя":"Жанна'.encode()[:-1], "invalid-json"),
        (b'{"a":"\xff"}', "invalid-encoding"),
        (b'{"a":"\xc0\xaf"}', "invalid-encoding"),
        (b'{"a":"\xed\xa0\x80"}', "invalid-encoding"),
        (json.dumps(LEAD).encode("utf-16"), "invalid-encoding"),
        (json.dumps(LEAD).encode("utf-16-le"), "invalid-encoding"),
        (json.dumps(LEAD).encode("utf-32-be"), "invalid-encoding"),
        (b'{"a":"x\ny"}', "invalid-text"),
        (b'{"a":"x\0y"}', "invalid-text"),
        (b'{"a":["\\udc00"]}', "invalid-text"),
        (b'{"\\ud83d":1}', "invalid-text"),
        (b'"\\uD800"', "invalid-text"),
        (b'{"a":1,"a":2}', "duplicate-key"),
        (b'{"b":[{"a":1,"\\u0061":2}]}', "duplicate-key"),
        (b'{"a":1e400}', "invalid-number"),
        (b'{"a":-1e400}', "invalid-number"),
        (b'{"a":' + b"9" * 5_000 + b"}", "invalid-number"),
        (b'{"a":0.' + b"9" * 5_000 + b"}", "invalid-number"),
        (b"[" * 33 + b"]" * 33, "too-deep"),
        (b'{"a":' * 3_000 + b"0" + b"}" * 3_000, "too-deep"),
        (b"[" * 1_000_000, "too-deep"),
        (b"[" + b"0," * 1_000 + b"0]", "too-many-items"),
        (json.dumps({str(i): i for i in range(1_001)}).encode(), "too-many-keys"),
        (json.dumps([{str(i): i for i in range(600)}] * 2).encode(), "too-many-keys"),
        (b" " * (1 << 20) + b"{}", "too-large"),
    ],
)
def test_a_body_that_could_hurt_is_refused_by_name(raw, code):
    assert refused(raw) == code


def test_just_as_much_as_allowed_is_allowed():
    assert parse_body(b"[" * 32 + b"]" * 32)
    assert len(parse_body(json.dumps({str(i): i for i in range(1_000)}).encode())) == 1_000
    assert len(parse_body(b"[" + b"0," * 999 + b"0]")) == 1_000
    assert parse_body(b" " * ((1 << 20) - 2) + b"{}") == {}
    assert parse_body(b'{"a":' + b"9" * 300 + b"}") == {"a": int("9" * 300)}
    assert refused(b"[[]]", max_depth=1) == "too-deep"
    assert refused(b"[[]]", max_bytes=3) == "too-large"


def test_brackets_and_commas_inside_texts_do_not_count():
    value = {"a": '[{"\\' * 5_000, "b": ",:" * 5_000, "c": "\\"}
    assert parse_body(json.dumps(value).encode()) == value


def test_a_pair_of_surrogate_escapes_is_a_character():
    assert parse_body(b'{"a":"\\ud83c\\udf89\\u0416"}') == {"a": "🎉Ж"}


def test_bombs_of_a_mebibyte_are_refused_at_once():
    bombs = [
        b"[" * (1 << 20),
        b'{"a":' * 200_000,
        b'"\\' * (1 << 19),
        b"[" + b"[]," * 340_000 + b"[]]",
        b"9" * (1 << 20),
    ]
    bombs += [b'"' * (1 << 20), b'{"' * (1 << 19), b"\\" * (1 << 20), b"[]" * (1 << 19)]
    for bomb in bombs:
        started = time.process_time()
        refused(bomb)
        assert time.process_time() - started < 2  # of its own processor time; what goes back and forth takes minutes


def test_the_published_bad_bodies_get_their_class_of_answer():
    sample = json.loads(data_path("bad_inputs_sample.json").read_text("utf-8"))
    seen = 0
    for case in sample["cases"]:
        if case["path_kind"] != "intake_single" or "json" in case["body"]:
            continue
        seen += 1
        body, expected = case["body"], case["expect"]
        outcome = _outcome(_published(body))
        if isinstance(outcome, BadBody):
            assert expected["class"] != "created", case["id"]
            assert outcome.code == expected["problem"], case["id"]
            assert status_of(outcome) in expected["status"]
        else:
            assert expected["class"] != "rejected", case["id"]
            assert isinstance(outcome, dict)
    assert seen >= 11


def _outcome(raw):
    try:
        return parse(raw)[0]
    except BadBody as refusal:
        return refusal


def _published(body):
    if "base64" in body:
        return base64.b64decode(body["base64"])
    if "concat" in body:
        return "".join(text * times for text, times in body["concat"]).encode()
    return body["text"].encode()


# Headers


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "application/json", "application/json; charset=UTF-8", 'APPLICATION/JSON;charset="utf-8"', "text/plain"),
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "garbage", ";;;=", "application/xml"),
        *("charset", "text/html; charset=", "x" * 10_000, "application/json; charset=us-ascii"),
    ],
)
def test_json_is_read_whatever_content_type_says(content_type):
    raw = json.dumps(LEAD, ensure_ascii=False).encode()
    value, request = parse(raw, content_type)
    assert value == LEAD
    assert request.raw_body == raw


@pytest.mark.parametrize("charset", ["windows-1251", "cp1251", "KOI8-R", "gb18030", "iso-8859-5"])
def test_a_charset_of_old_is_read_when_declared(charset):
    lead = {"name": "Иван"}
    raw = json.dumps(lead, ensure_ascii=False).encode(charset)
    assert parse(raw, f"application/json; charset={charset}")[0] == lead


@pytest.mark.parametrize(
    ("raw", "content_type", "status", "code"),
    [
        (b"name=Ann&phone=1", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b"--x\r\nContent-Disposition: form-data", "multipart/form-data; boundary=x", 415, "unsupported-media-type"),
        (b"name=Ann", "text/plain", 400, "invalid-json"),
        (b"{}", "application/json; charset=klingon", 415, "unsupported-media-type"),
        (b"{}", "application/json; charset=zip", 415, "unsupported-media-type"),
        (b"{}", "application/json; charset=unicode_escape", 415, "unsupported-media-type"),
        ("{}".encode("utf-16"), "application/json; charset=utf-16", 400, "invalid-encoding"),
        (b'{"a":"\x81"}', "application/json; charset=gb18030", 400, "invalid-encoding"),
        (b"[]", "application/json", 400, "not-an-object"),
        (b"5", "application/json", 400, "not-an-object"),
        (b"null", "application/json", 400, "not-an-object"),
        (b"<lead/>", "application/xml", 400, "invalid-json"),
    ],
)
def test_what_is_not_json_is_refused_with_a_reason(raw, content_type, status, code):
    with pytest.raises(BadBody) as refusal:
        parse(raw, content_type)
    assert (status_of(refusal.value), refusal.value.code) == (status, code)


def test_compressed_bodies_are_refused_unopened():
    with pytest.raises(BadBody) as refusal:
        parse(gzip.compress(b"{}"), HTTP_CONTENT_ENCODING="gzip")
    assert status_of(refusal.value) == 415


def test_a_large_body_is_refused_by_its_announcement_and_by_its_length():
    stream = io.BytesIO(b"x" * 100)
    for length in (str((1 << 20) + 1), "9" * 5_000, "-1", "²"):
        request = SimpleNamespace(META={"CONTENT_LENGTH": length})
        with pytest.raises(BadBody) as refusal:
            LeadJSONParser().parse(stream, "application/json", {"request": request})
        assert status_of(refusal.value) == 413
    assert stream.tell() == 0  # not a byte was read
    with pytest.raises(BadBody) as refusal:
        LeadJSONParser().parse(io.BytesIO(b" " * ((1 << 20) + 1)), "application/json", {})
    assert status_of(refusal.value) == 413


# Many leads


def codes(items):
    return [item.code if isinstance(item, BadBody) else item for item in items]


def test_one_bad_lead_of_a_list_does_not_spoil_the_others():
    raw = b'[{"n":1}, 5, {"n":2,"n":3}, {"n":[1e999]}, {"n":{"m":NaN}}, {"n":"\\ud800"}, [], null, {"n":4}]'
    assert codes(parse_bulk(raw)) == [
        {"n": 1},
        "not-an-object",
        "duplicate-key",
        "invalid-number",
        "invalid-json",
        "invalid-text",
        "not-an-object",
        "not-an-object",
        {"n": 4},
    ]


def test_a_crowded_lead_of_a_list_is_refused_alone():
    crowded = {str(number): 0 for number in range(1_001)}
    items = parse_bulk(json.dumps([crowded, {"n": 1}, {"n": [0] * 1_001}]).encode())
    assert codes(items) == ["too-many-keys", {"n": 1}, "too-many-items"]


def test_one_bad_line_does_not_spoil_the_others():
    raw = b'\xef\xbb\xbf{"n":1}\r\n\r\n  \n{"n":\n5\n{"n":"\xff"}\n' + b'{"n":' * 40 + b'\n{"n":2}'
    expected = [{"n": 1}, "invalid-json", "not-an-object", "invalid-encoding", "too-deep", {"n": 2}]
    assert codes(parse_bulk(raw, ndjson=True)) == codes(parse_bulk(raw)) == codes(parse_ndjson(raw)) == expected


def test_lines_are_known_by_their_header_or_by_their_look():
    raw = b'{"n":1}\n{"n":2}\n'
    for content_type in ("application/x-ndjson", "application/jsonl; charset=utf-8", "application/json", ""):
        assert parse(raw, content_type, BulkParser)[0] == [{"n": 1}, {"n": 2}]
    assert parse(b'["n"]', "application/x-ndjson", BulkParser)[0][0].code == "not-an-object"


def test_one_object_over_many_lines_is_one_lead():
    assert parse_bulk(json.dumps(LEAD, indent=2).encode()) == [LEAD]
    assert parse_bulk(b'{"n":1}') == [{"n": 1}]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"5", "not-a-list"),
        (b'"a"', "not-a-list"),
        (b"undefined", "invalid-json"),
        (b"[{},", "invalid-json"),
        (b"[" * 50, "too-deep"),
        (b"[" + b"{}," * 1_000 + b"{}]", "too-many-items"),
        (b"{}\n" * 1_001, "too-many-items"),
        (b" " * (16 << 20) + b"[]", "too-large"),
        (b"[\xff]", "invalid-encoding"),
    ],
)
def test_a_request_that_is_no_list_of_leads_is_refused_as_a_whole(raw, code):
    with pytest.raises(BadBody) as refusal:
        parse_bulk(raw)
    assert refusal.value.code == code


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"0" + b"}" * levels


@pytest.mark.parametrize(
    "deep", [nested(33), b"[" * 40 + b"]" * 40, nested(3_000), b'{"a":' + b"[" * 90_000 + b"]" * 90_000 + b"}"]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_item_nested_too_deep_is_refused_alone(deep, place):
    others = [b'{"text":"]}[{,\\"]"}', b'{"list":[[1],[{"x":2}]]}']
    items = parse_bulk(b"[ " + b" , ".join([*others[:place], deep, *others[place:]]) + b" ]")
    assert items[place].code == "too-deep"
    assert items[:place] + items[place + 1 :] == [{"text": ']}[{,"]'}, {"list": [[1], [{"x": 2}]]}]


def test_several_items_may_be_nested_too_deep_and_one_just_as_deep_as_may_be():
    items = parse_bulk(b"[" + b",".join([nested(33), nested(32), nested(34)]) + b"]")
    assert [getattr(item, "code", "taken") for item in items] == ["too-deep", "taken", "too-deep"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"[" + nested(40) + b",{", "invalid-json"),
        (b"[" + nested(40) + b"}", "invalid-json"),
        (b"[" + nested(40) + b"]]", "invalid-json"),
        (b"[{}," + b"[" * 40, "too-deep"),  # nobody knows where the item ends
        (b'[{"a":"' + b"[" * 40 + b'"},' + b"[" * 40 + b"]" * 39, "too-deep"),
    ],
)
def test_a_list_that_is_broken_besides_is_refused_as_a_whole(raw, code):
    with pytest.raises(BadBody) as refusal:
        parse_bulk(raw)
    assert refusal.value.code == code


def test_an_item_is_looked_for_among_so_many_signs_only(monkeypatch):
    monkeypatch.setattr(bodies, "MOST_TOKENS", 110)
    assert parse_bulk(b"[" + nested(40) + b",{}" * 10 + b"]")[0].code == "too-deep"
    with pytest.raises(BadBody, match="nested deeper"):
        parse_bulk(b"[" + nested(40) + b",{}" * 30 + b"]")


def test_a_thousand_leads_are_as_many_as_fit():
    assert len(parse_bulk(json.dumps([LEAD] * 1_000).encode())) == 1_000
    assert parse_bulk(b"[]") == parse_bulk(b"", ndjson=True) == []


def test_sixteen_mebibytes_of_nothing_are_read_at_once():
    for raw in (b"\n" * (16 << 20), b" \n" * (8 << 20), b"[" + b" " * ((16 << 20) - 2) + b"]"):
        assert _seconds(lambda raw=raw: parse_bulk(raw, ndjson=raw[:1] != b"[")) < 3


def test_refusals_say_nothing_of_what_was_sent():
    for raw in (b'{"secret":canary}', b'{"canary":1,"canary":2}', b'{"a":"canary\n"}', b"canary"):
        assert "canary" not in str(_outcome(raw).detail)


def test_every_refusal_is_one_kind_of_exception():
    assert issubclass(InvalidJson, BadBody)
    assert NotAnObject().code == "not-an-object"
    assert math.isfinite(parse_body(b"1e308"))


def _seconds(work):
    started = time.process_time()
    work()
    return time.process_time() - started
