"""`make audit` tells apart: no known hole, some, and a list that could not be had."""

import json
import os
import subprocess
import sys

import pytest

from tests.data import REPOSITORY

DJANGO = {"name": "django", "version": "5.2", "vulns": []}
HOLE = {"id": "PYSEC-1", "fix_versions": ["5.2.1"]}


def audited(tmp_path, answer: str):
    """Return how the audit ends, and what it says, when pip-audit answers this."""
    (tmp_path / "pip_audit.py").write_text(f"print({answer!r})\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(REPOSITORY / ".ci" / "audit")]
    ended = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout


@pytest.mark.parametrize(
    ("libraries", "status", "words"),
    [
        ([DJANGO], 0, "1 of 1 libraries looked up, 0 with known holes."),
        ([{**DJANGO, "vulns": [HOLE]}], 1, "django 5.2: PYSEC-1, mended in 5.2.1"),
        ([DJANGO, {"name": "six", "skip_reason": "not found"}], 2, "Could not be looked up: six."),
    ],
)
def test_what_was_found_is_told(tmp_path, libraries, status, words):
    ended, said = audited(tmp_path, json.dumps({"dependencies": libraries}))
    assert ended == status
    assert words in said


def test_a_list_that_cannot_be_had_is_no_clean_bill(tmp_path):
    ended, said = audited(tmp_path, "")
    assert ended == 2
    assert "nothing was audited" in said
