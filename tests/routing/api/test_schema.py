"""The schema, its browser, and that it says of every door what the door does."""

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from rest_framework import serializers

from routing.api import serializers as shapes
from routing.api.schema import LEAD_SENT
from routing.api.urls import PLACES

from .world import LEAD, World


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    answer = Client().get("/api/schema/")
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json"
    document: dict[str, Any] = json.loads(answer.content)
    return document


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, item in schema["paths"].items() for method, operation in item.items()]


def test_the_schema_is_valid_and_without_warnings() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", stdout=StringIO())


def test_every_door_is_in_the_schema_once_and_without_its_last_slash(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    described = {(path, method.upper()) for path, method, _ in operations(schema)}
    doors = {
        ("/api/v1/" + re.sub(r"<.*?:(.*?)>", r"{\1}", place), method)
        for place, view in PLACES.items()
        for method in view.scopes
    }
    assert doors <= described
    assert not [path for path, _ in described if path.endswith("/")]


def test_every_operation_has_an_example_a_key_and_its_refusals(schema: dict[str, Any]) -> None:
    for path, _method, operation in operations(schema):
        if not path.startswith(("/api/v1/leads", "/api/v1/managers")):
            continue
        assert {"bearer": []} in operation["security"]
        assert {"400", "401", "403", "503"} <= operation["responses"].keys()
        for status, response in operation["responses"].items():
            kind = "application/json" if status < "300" else "application/problem+json"
            assert list(response["content"]) == [kind]
            assert {"example", "examples"} & response["content"][kind].keys(), (path, status)
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["examples"], path
    assert schema["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_the_example_of_the_schema_is_taken(world: World, schema: dict[str, Any]) -> None:
    answer = world.api("key_a").post("leads", LEAD_SENT)
    assert answer.status_code == 201
    described = schema["components"]["schemas"]["Lead"]["properties"]
    assert set(answer.json()) == set(described) - {"accept_link"}  # of reading


@pytest.mark.parametrize("path", ["/api/schema", "/api/schema/", "/api/schema/?format=yaml", "/api/docs", "/api/docs/"])
def test_schema_and_browser_open_for_everybody(path: str) -> None:
    assert Client().get(path).status_code == 200


def test_the_browser_needs_no_network_and_no_inline_script() -> None:
    for path in ("/api/docs/", "/api/docs/?script="):
        page = Client().get(path).content.decode()
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
        for script in re.findall(r"<script(.*?)>(.*?)</script>", page, re.DOTALL):
            assert "src=" in script[0]
            assert not script[1].strip()
        assert " style=" not in page


def test_no_door_sets_what_is_not_the_senders() -> None:
    """The fields that may come in, spelled out: a new one is a decision, not an accident."""
    allowed = {
        "LeadIn": "external_id source unqualified pipeline stage name contact company budget currency language country "
        "region postal_code product tags utm fields comment arrived_at",
        "ContactIn": "name email phone chat",
        "CompanyIn": "name domain",
        "MoveIn": "stage reason",
        "ReassignIn": "manager count also reason",
        "CreditBackIn": "reason",
        "HandOverIn": "to stages also reason preview",
        "MergeIn": "contact",
        "DeclineIn": "reason",
        "PauseIn": "minutes reason",
    }
    forms = {
        name: form
        for name, form in vars(shapes).items()
        if isinstance(form, type) and issubclass(form, shapes.In) and form is not shapes.In
    }
    assert {name: set(form().fields) for name, form in forms.items()} == {n: set(f.split()) for n, f in allowed.items()}
    assert not issubclass(shapes.LeadIn, serializers.ModelSerializer)


def test_an_unknown_address_is_a_problem_document(world: World) -> None:
    for path in ("nope", "leads/x/nope", "managers/x", "leads//", "%00"):
        assert world.api().get(path).status_code == 404
        assert world.api().post(path, LEAD).status_code == 404


def test_the_documentation_names_every_address() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    for place, view in PLACES.items():
        for method in view.scopes:
            address = "/api/v1/" + place.replace("<str:lead_id>", "{id}").replace("<email:email>", "{email}")
            for name in ("hand_over_id", "contact_id", "merge_id"):
                address = address.replace(f"<str:{name}>", "{id}")
            assert f"`{method} {address}`" in page
