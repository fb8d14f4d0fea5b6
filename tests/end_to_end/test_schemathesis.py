"""The API against its own schema: whatever fits it, and whatever does not, is answered as the schema says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from leadrouter.wsgi import application
from routing.intake import text
from tests.routing.api.world import World, make_world

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
COMMON: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
    "database": None,
    "derandomize": True,
}


@pytest.fixture
def one_connection(db: None) -> Iterator[None]:
    """Keep the connection of the test, as Django's own client does: its transaction holds the world."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(one_connection: None) -> World:
    return make_world()


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx: Any, value: Any) -> bytes:
    """Write generated values as lines."""
    values = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(each).encode() for each in values)


schema = schemathesis.openapi.from_wsgi("/api/schema/", application).include(path_regex="^/api/v1/")


def check(case: Any, world: World) -> None:
    # Known things in the path, now and then: else every answer would be 404.
    if "email" in case.path_parameters and len(str(case.path_parameters["email"])) % 2:
        case.path_parameters["email"] = "ann@example.com"
    answer = case.call(headers={"Authorization": f"Bearer {world.keys['account']}"})
    assert "html" not in str(answer.headers.get("content-type"))
    excused = shrinks(case) or refused_in_lines(answer)
    case.validate_response(answer, checks=[c for c in CHECKS if c is not negative_data_rejection or not excused])


def refused_in_lines(answer: Any) -> bool:
    """Tell whether this is the answer of a bulk that refuses: it does so line by line, and is itself a 200."""
    if answer.status_code != 200 or "json" not in str(answer.headers.get("content-type")):
        return False
    document = answer.json()
    lines = document.get("results", []) if isinstance(document, dict) else []
    return any("error" in line for line in lines if isinstance(line, dict))


def shrinks(case: Any) -> bool:
    """Tell whether a text loses characters before it is measured: one that was made too long may fit then."""
    try:
        return isinstance(case.body, dict | list) and text.clean_json(case.body) != case.body
    except text.BadText:
        return False


@schema.parametrize()
@settings(max_examples=8, **COMMON)
def test_every_operation_keeps_to_the_schema(case: Any, world: World) -> None:
    check(case, world)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@schema.parametrize()
@settings(max_examples=1_000, **COMMON)
def test_every_operation_keeps_to_the_schema_a_thousand_times(case: Any, world: World) -> None:
    check(case, world)
