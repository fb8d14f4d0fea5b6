"""JSON for the database and for answers: what the quick library does not know is written as the slow one writes it."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

import pytest

from routing.json_text import answer_as_json, rows_as_json


class Pair(NamedTuple):
    key: str
    value: int


@pytest.mark.parametrize(
    "value",
    [
        {"number": 10**40, "name": "Ана"},
        {"text": "half a pair \ud83d"},
        {1: "a key that is a number"},
        {"pair": Pair("a", 1), "nested": [Pair("b", 2)]},
        {"text": "O'Hara \\ \" \n \u2028 🙂"},
    ],
)
def test_any_value_is_written_and_read_again(value):
    for write in (rows_as_json, answer_as_json):
        assert json.loads(write(value)) == json.loads(json.dumps(value))


def test_instants_and_amounts_are_written_for_their_reader():
    value = {"at": datetime(2026, 11, 30, 9, 0, 0, 123456, tzinfo=UTC), "budget": Decimal("1200.00")}
    assert rows_as_json(value) == '{"at":"2026-11-30T09:00:00.123456+00:00","budget":"1200.00"}'
    assert answer_as_json(value) == '{"at":"2026-11-30T09:00:00.123Z","budget":"1200.00"}'
