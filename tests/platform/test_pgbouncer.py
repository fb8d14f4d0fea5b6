"""PgBouncer in transaction mode between the program and PostgreSQL: leads are taken, assigned, swept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from routing.models import Lead
from tests.data import REPOSITORY
from tests.factories import asking_acceptance, make_manager, make_source, make_trigger

from .processes import free_port, until

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(PGBOUNCER is None, reason="There is no PgBouncer here; apt-get install pgbouncer"),
]

TAKE = """
import django; django.setup()
import threading
from django.conf import settings
from django.db import connection, connections
from accounts.time import clock
from routing.audit import violations
from routing.models import Source
from routing.services.intake import take_leads
from routing.services.sweep import sweep
assert settings.BEHIND_PGBOUNCER
source = Source.objects.get().pk
def take(thread):
    for n in range(15):
        form = {"name": f"{thread}-{n}", "contact": {"email": f"c{thread}-{n}@client.example"}}
        take_leads([form], source_id=source, at=clock.now())
    connections.close_all()
threads = [threading.Thread(target=take, args=(n,)) for n in range(6)]
[t.start() for t in threads]; [t.join() for t in threads]
sweep(at=clock.now())
with connection.cursor() as cursor:
    cursor.execute("SHOW lock_timeout")
    print(cursor.fetchone()[0], list(violations()))
"""


@pytest.fixture
def pooler(tmp_path: Path) -> Iterator[int]:
    """Run PgBouncer with two connections to the server, in transaction mode."""
    facts, port = connection.get_connection_params(), free_port()
    (tmp_path / "users").write_text(f'"{facts["user"]}" "{facts.get("password", "")}"\n')
    (tmp_path / "pgbouncer.ini").write_text(
        f"""[databases]
{facts["dbname"]} = host={facts.get("host", "localhost")} port={facts.get("port", 5432)} dbname={facts["dbname"]} user={facts["user"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {tmp_path / "users"}
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
logfile = {tmp_path / "log"}
"""
    )
    # It refuses to run as root.
    if os.geteuid() == 0:
        for path in (tmp_path, *tmp_path.parents):
            if path != Path("/") and path != Path("/tmp"):
                path.chmod(0o777)
    identity = {"user": 65_534, "group": 65_534} if os.geteuid() == 0 else {}
    process = subprocess.Popen([str(PGBOUNCER), str(tmp_path / "pgbouncer.ini")], stderr=subprocess.DEVNULL, **identity)
    log = tmp_path / "log"
    assert until(lambda: log.exists() and "listening on" in log.read_text(), seconds=30), "PgBouncer did not start"
    yield port
    process.terminate()
    process.wait(20)


def test_leads_are_taken_and_swept_through_pgbouncer_in_transaction_mode(pooler):
    facts = connection.get_connection_params()
    make_trigger(members=[make_manager("ann"), make_manager("bob")], **asking_acceptance())
    make_source()
    with connection.cursor() as cursor:  # as docs/operations.md tells: the pooler sends no options
        cursor.execute(f"ALTER ROLE {facts['user']} IN DATABASE {facts['dbname']} SET lock_timeout = '1234ms'")
    address = f"postgres://{facts['user']}:x@127.0.0.1:{pooler}/{facts['dbname']}"
    environment = os.environ | {
        "DATABASE_URL": address, "DATABASE_PGBOUNCER": "true", "SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "leadrouter.settings",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", TAKE], cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=200,
        check=False,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {facts['user']} IN DATABASE {facts['dbname']} RESET lock_timeout")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-2:] == ["1234ms", "[]"]
    assert Lead.objects.filter(state="offered").count() == 90
