"""The entry script of the image, run in a clean virtual environment by a user without rights."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data import REPOSITORY

from .processes import House, free_port, house, status, until

pytestmark = pytest.mark.slow

NOBODY = 65_534
# Those that the tests need and an installation does not.
NOT_INSTALLED = ("pytest", "playwright", "mypy", "ruff", "hypothesis", "schemathesis", "bandit")


@pytest.fixture(scope="module")
def clean_environment() -> Iterator[Path]:
    """Make a virtual environment of requirements.txt alone; skip where the packages cannot be had."""
    folder = Path(tempfile.mkdtemp(prefix="leadrouter-clean-", dir="/tmp"))
    folder.chmod(0o755)
    # A user without rights must reach the interpreter: one below /root will not do.
    base = next((path for path in (sys.executable, "/usr/bin/python3") if not _is_below_root(path)), None)
    if base is None:
        pytest.skip("every Python here is the superuser's alone")
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder / "venv")], check=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    command = (
        [uv, "pip", "install", "--quiet", "--python", str(python), "--requirement", "requirements.txt"]
        if Path(uv).exists()
        else [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "-r", "requirements.txt"]
    )
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=280, check=False)
    if done.returncode:
        shutil.rmtree(folder)
        pytest.skip(f"no packages here: {done.stderr[-300:]}")
    yield python
    shutil.rmtree(folder, ignore_errors=True)


def _is_below_root(interpreter: str) -> bool:
    return not Path(interpreter).exists() or "root" in Path(interpreter).resolve().parts


@pytest.fixture(scope="module")
def home(clean_environment: Path) -> Iterator[House]:
    with house("leadrouter-entry-") as found:
        if os.geteuid() == 0:
            os.chown(found.var.parent, NOBODY, NOBODY)
        yield found


def start(home: House, python: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(home.var.parent), "PYTHON": str(python), "LEADROUTER_VAR": str(home.var),
        "TMPDIR": str(home.var.parent), "PYTHONDONTWRITEBYTECODE": "1", "DEMO": "false", **more,
    }  # fmt: skip
    identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(
        [str(REPOSITORY / "ops" / "entrypoint.sh"), *arguments], env=environment, cwd="/", text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **identity,
    )  # fmt: skip


def run(home: House, python: Path, *arguments: str, **more: str) -> str:
    process = start(home, python, *arguments, **more)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def test_secrets_are_made_once_and_are_nobody_elses(home, clean_environment):
    folder = home.var.parent / "secrets"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    run(home, clean_environment, "secrets", SECRETS=str(folder))
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert first.keys() == {"secret_key", "database_password"}
    assert all(len(secret) >= 50 for secret in first.values())
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    run(home, clean_environment, "secrets", SECRETS=str(folder))
    assert {path.name: path.read_text() for path in folder.iterdir()} == first


def test_every_process_runs_and_ends_when_it_is_told(home, clean_environment):
    run(home, clean_environment, "release")
    port = free_port()
    web = start(home, clean_environment, "web", HOST="127.0.0.1", PORT=str(port), WEB_WORKERS="1")
    worker, beat = start(home, clean_environment, "worker"), start(home, clean_environment, "beat")
    try:
        assert until(lambda: status(f"http://127.0.0.1:{port}/healthz") == 200, seconds=120)
        assert until(lambda: status(f"http://127.0.0.1:{port}/readyz") == 200, seconds=120)
        told = run(home, clean_environment, "manage", "doctor", "--json")
        assert '"about": "sweep"' in told
    finally:
        for process in (web, worker, beat):
            process.send_signal(signal.SIGTERM)
        outputs = [process.communicate(timeout=60)[0] for process in (web, worker, beat)]
    assert [process.returncode for process in (web, worker, beat)] == [0, 0, 0], outputs


def test_the_clean_environment_has_nothing_of_the_tests(clean_environment):
    found = subprocess.run(
        [str(clean_environment), "-c", "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"]
        + [name for name in NOT_INSTALLED if name != "pytest"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == "[]"


def test_an_unknown_role_is_refused(home, clean_environment):
    process = start(home, clean_environment, "dance")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 64
    assert "usage" in output
