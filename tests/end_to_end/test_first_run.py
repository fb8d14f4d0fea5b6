"""The first run as README.md tells it: the demo, a key, a lead, and who got it."""

import json
import re
import shlex
from io import StringIO

import pytest
from django.core.management import call_command

from routing.demo import story
from tests.data import REPOSITORY

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def commands() -> list[list[str]]:
    """Give the words of the two commands that README.md routes a lead with: of the key, and of the lead."""
    [block] = re.findall(r"(?s)```sh\n(KEY=.*?)```", (REPOSITORY / "README.md").read_text())
    key, lead = block.replace("\\\n", " ").strip().splitlines()
    return [shlex.split(key.removeprefix("KEY=$(").removesuffix(")")), shlex.split(lead)]


def test_first_run_the_lead_of_the_readme_is_offered_as_it_says(commands, client, monkeypatch, tmp_path):
    monkeypatch.setattr(story, "DAYS", 1)  # a shorter story; who could take the lead is the same
    call_command("demo", note=tmp_path / "demo.txt", stdout=StringIO(), stderr=StringIO())
    (_python, _manage, *command), words = commands
    key = StringIO()
    call_command(*command, stdout=key, stderr=StringIO())

    answer = client.post(
        words[3].removeprefix("http://127.0.0.1:8000"), words[-1], content_type="application/json",
        headers={"Authorization": f"Bearer {key.getvalue().strip()}"},
    )  # fmt: skip

    assert answer.status_code == 201, answer.content
    lead = answer.json()
    assert (lead["name"], lead["stage"], lead["state"]) == (json.loads(words[-1])["name"], "sales/new", "offered")
    assert lead["responsible"]["email"].endswith("@example.com")
    decision = lead["decision"]
    assert (decision["trigger"], decision["reason"], decision["registry"]) == (
        "new-applications",
        "fair_share",
        "all-sales",
    )


def test_first_run_the_key_that_the_demo_printed_routes_a_lead(commands, client, monkeypatch, tmp_path):
    monkeypatch.setattr(story, "DAYS", 1)
    said = StringIO()
    call_command("demo", note=tmp_path / "demo.txt", stdout=said, stderr=StringIO())
    words = shlex.split(said.getvalue().partition("A lead, routed:")[2].replace("\\\n", " "))
    answer = client.post(
        "/api/v1/leads", words[-1], content_type="application/json", headers=dict([words[5].split(": ")])
    )
    assert (answer.status_code, answer.json()["state"]) == (201, "offered")
