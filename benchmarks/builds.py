"""Builds of other commits, each with an environment, a database and a server of its own, beside this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from leadrouter.development import private_services

from .harness import Server

ROOT = Path(__file__).resolve().parent.parent

# Runs in the build, by the build's own words: every commit since the first that is measured has these four names.
PREPARE = """
import json, os, sys
import django
django.setup()
from django.test import Client
from benchmarks.harness import drop_database, make_database, serving
from benchmarks.http import Bench

def cookie(user):
    browser = Client(headers={"host": "localhost"})
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return "; ".join(f"{name}={value.value}" for name, value in browser.cookies.items())

make_database()
try:
    bench = Bench(1)
    team = [bench._manager(number) for number in range(100, 120)]
    bench.pipeline("team", team)
    bench.pipeline("other", team)
    chief = type(team[0].user).objects.create_superuser(email="chief@example.com", password=None, name="Chief")
    with serving("benchmarks.settings") as server:
        told = {"port": server.port, "key": bench.key, "manager": cookie(team[0].user), "chief": cookie(chief)}
        print(json.dumps(told), flush=True)
        sys.stdin.read()
finally:
    drop_database()
"""


@dataclass(slots=True)
class Build:
    """A build that serves: its server, a key of its API, and the sessions of a manager and of an administrator."""

    name: str
    server: Server
    key: str
    manager: str
    chief: str


@contextmanager
def running(directory: Path, name: str) -> Iterator[Build]:
    """Run the build that is in this directory, with a database that is dropped afterwards."""
    python = sys.executable if directory == ROOT else str(directory / ".venv/bin/python")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "BENCH_DATABASE": f"leadrouter_bench_{name}",
    }
    environment |= {"CACHE_URL": settings.CACHE_URL, "CELERY_BROKER_URL": settings.CELERY_BROKER_URL}
    if settings.PRIVATE:  # one PostgreSQL for all builds: each would start its own
        environment["DATABASE_URL"] = private_services.database_url()
    process = subprocess.Popen(
        [python, "-c", PREPARE], cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the build of {name} did not start")
        told = json.loads(line)
        yield Build(name, Server(told["port"], process), told["key"], told["manager"], told["chief"])
    finally:
        process.stdin.close()
        process.wait(60)


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Lend a directory with what is in that commit and its environment. The directory is kept in var/ for the next time."""
    full = subprocess.run(
        ["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    directory = ROOT / "var" / "builds" / full
    if not directory.exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory.parent) as unfinished:
            tree = Path(unfinished) / "tree"
            tree.mkdir()
            archive = subprocess.run(["git", "archive", full], cwd=ROOT, check=True, capture_output=True).stdout
            subprocess.run(["tar", "-x", "-C", tree], input=archive, check=True)
            tree.rename(directory)
    subprocess.run([directory / ".ci/venv"], check=True, stdout=subprocess.DEVNULL)
    yield directory
