"""docs/security.md names tests: they exist, and no threat is left out."""

from __future__ import annotations

import ast
import re

import pytest

from tests.data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", PAGE)))


@pytest.mark.parametrize("number", range(1, 1 + len(re.findall(r"(?m)^\| A\d+ ", PAGE))))
def test_every_threat_has_a_row_with_a_defence_and_a_test(number):
    (row,) = re.findall(rf"(?m)^\| A{number} \|(.*)$", PAGE)
    cells = [cell.strip() for cell in row.split(" | ")]
    assert all(cells[:3])
    assert "`tests/" in row or "`make " in row or "not there" in row


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda part: part)
def test_every_test_that_is_named_exists(file, name):
    tree = ast.parse((REPOSITORY / file).read_text(encoding="utf-8"))
    assert not name or name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_what_runs_in_production_is_pinned():
    entries = (REPOSITORY / "requirements.txt").read_text().replace("\\\n", " ").splitlines()
    assert len(entries) > 50
    assert [
        entry
        for entry in entries
        if not re.fullmatch(r"[\w-]+==\S+( ; [^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+", entry)
    ] == []


def test_what_is_installed_is_compared_with_its_digest():
    script = (REPOSITORY / ".ci" / "venv").read_text()
    image = (REPOSITORY / "Dockerfile").read_text()
    for text in (script, image):
        installs = re.findall(r"install\b[^\n]* -r \S*requirements\.txt", text)
        assert installs
        assert [line for line in installs if "--require-hashes" not in line] == []
