"""What happens when the disk of PostgreSQL is full: nothing is acknowledged that is not kept, and all goes on when there is room."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from leadrouter.development import private_services

from .processes import House, free_port, house, running, status

pytestmark = pytest.mark.slow

CONFIGURATION = Path(__file__).parents[1] / "chaos" / "configuration.yaml"
KEEP = """
import time
from leadrouter.development import private_services
private_services.use("postgresql", "redis")
print("up", flush=True)
time.sleep(600)
"""
MOVE = """
import sys, psycopg2
from leadrouter.development import private_services as services
services.use("postgresql")
connection = psycopg2.connect(host=str(services.sockets_folder()), user="leadrouter", dbname="postgres")
connection.autocommit = True
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLESPACE small LOCATION '%s'" % sys.argv[1])
    cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'leadrouter'")
    cursor.execute("ALTER DATABASE leadrouter SET TABLESPACE small")
connection.close()
"""


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Give a disk of 60 MiB that PostgreSQL may write to."""
    folder = Path("/tmp") / f"leadrouter-small-{os.getpid()}"
    folder.mkdir(mode=0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", folder], capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("nothing can be mounted here")
    try:
        space = folder / "space"
        space.mkdir(mode=0o700)
        if (user := private_services.service_user()) is not None:
            shutil.chown(space, user)
        yield space
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


@pytest.fixture
def home() -> Iterator[House]:
    with house() as home:
        yield home


def bulk(port: int, key: str, number: int) -> tuple[int, list[str]]:
    """Send 100 leads; return the status, and the ids of those that were acknowledged."""
    leads = [
        {
            "pipeline": "sales",
            "external_id": f"{number}-{n}",
            "comment": "x" * 3_000,
            "contact": {"email": f"p{number}-{n}@example.com"},
        }
        for n in range(100)
    ]
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/leads/bulk", json.dumps(leads), headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
    if answer.status != 200:
        return answer.status, []
    return 200, [result["lead"]["id"] for result in document["results"] if result.get("lead")]


def test_on_a_full_disk_nothing_is_acknowledged_and_with_room_all_goes_on(home, small_disk):
    keep = home.start("-c", KEEP)
    try:
        assert keep.stdout.readline() == "up\n"
        done = home.run("-c", MOVE, str(small_disk))
        assert done.returncode == 0, done.stdout
        home.run("manage.py", "migrate", "-v0")
        home.run("manage.py", "config", "import", str(CONFIGURATION))
        key = home.run("manage.py", "apikey", "Form", "--scope", "intake").stdout.split()[-1]
        filler, port = small_disk.parent / "filler", free_port()
        with running(home, port=port):
            free = shutil.disk_usage(small_disk).free
            filler.write_bytes(bytes(max(0, free - 3 * 2**20)))
            acknowledged, refusals = set[str](), []
            for number in range(60):
                code, ids = bulk(port, key, number)
                acknowledged |= set(ids)
                if code != 200:
                    refusals.append(code)
                if len(refusals) > 2:
                    break
            assert set(refusals) == {507}
            assert status(f"http://127.0.0.1:{port}/healthz") == 200
            filler.unlink()
            assert bulk(port, key, 1_000)[0] == 200
            kept = home.sql("SELECT string_agg(id::text, ' ') FROM routing_lead")
            assert acknowledged <= set(kept.split())
            assert home.run("manage.py", "doctor", "--full").stdout.count("error") == 0
    finally:
        keep.kill()
        keep.communicate(timeout=10)
