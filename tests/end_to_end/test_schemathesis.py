"""The API against its own schema: whatever fits it, and whatever does not, is answered as the schema says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, settings

from leadrouter.wsgi import application
from routing.intake import text
from tests.effort import by_night
from tests.permissions import rows
from tests.routing.api.world import World, make_world

pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.timeout(3600)]
# From the table of permissions, which names all: the schema is made by whoever runs these tests, not by all who collect them.
OPERATIONS = sorted(f"{row.method} /{row.route}" for row in rows() if row.route.startswith("api/v1/"))
MINE = settings(
    max_examples=by_night(1_000, by_day=8), deadline=None, suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate], database=None, derandomize=True,
)  # fmt: skip


@contextmanager
def one_connection() -> Iterator[None]:
    """Keep the connection, as Django's own client does: the transaction of the test holds the world."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with one_connection():
        yield make_world()


@pytest.fixture(scope="module")
def tests() -> dict[str, Callable[..., None]]:
    """Return a test of each operation of the schema, as schemathesis makes it for a test of pytest."""
    # The library takes seconds to be read, and its plugin as long in each process: it is switched off in pyproject.toml.
    import schemathesis
    from schemathesis.checks import load_all_checks
    from schemathesis.generation.feedback import FeedbackSources
    from schemathesis.pytest._test_builder import build_operation_test
    from schemathesis.python._constants.orchestrator import make_constants_value_source

    load_all_checks()
    schemathesis.serializer("application/x-ndjson")(ndjson)
    with one_connection():
        schema = schemathesis.openapi.from_wsgi("/api/schema/", application).include(path_regex="^/api/v1/")
    feedback = FeedbackSources(constants_value_source=make_constants_value_source(schema))
    return {
        operation.label: build_operation_test(
            config=schema.config, operation=operation, test_func=check, given_kwargs={}, feedback=feedback
        )
        for operation in (found.ok() for found in schema.get_all_operations())
    }


def ndjson(ctx: Any, value: Any) -> bytes:
    """Write generated values as lines."""
    values = value if isinstance(value, list) else [value]
    return b"\n".join(json.dumps(each).encode() for each in values)


@MINE
def check(case: Any, world: World) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as of

    # Known things in the path, now and then: else every answer would be 404.
    if "email" in case.path_parameters and len(str(case.path_parameters["email"])) % 2:
        case.path_parameters["email"] = "ann@example.com"
    answer = case.call(headers={"Authorization": f"Bearer {world.keys['account']}"})
    assert "html" not in str(answer.headers.get("content-type"))
    checks = [
        not_a_server_error, of.status_code_conformance, of.content_type_conformance, of.response_schema_conformance,
    ]  # fmt: skip
    if not shrinks(case) and not refused_in_lines(answer):
        checks.append(of.negative_data_rejection)
    case.validate_response(answer, checks=checks)


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


def label(operation: str) -> str:
    """Return the operation as the schema writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", operation)


def test_every_operation_of_the_schema_is_tested(tests: dict[str, Callable[..., None]]) -> None:
    assert set(tests) == set(map(label, OPERATIONS))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_keeps_to_the_schema(
    operation: str, tests: dict[str, Callable[..., None]], world: World
) -> None:
    tests[label(operation)](world=world)
