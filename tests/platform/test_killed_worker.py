"""A worker that is killed in the middle of a hand-over of thousands: real processes, real kills, nothing twice or lost."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F

from accounts.time import clock
from routing import audit
from routing.models import Decision, HandedLead, HandOver, Lead, LeadEvent
from routing.services.hand_over import AT_ONCE, hand_over
from routing.tasks import hurry_hand_over, sweep
from tests.data import REPOSITORY
from tests.factories import make_lead, make_manager, make_supervisor, make_trigger, received

from .processes import until
from .test_backup import reached

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

LEADS = 3_000
KILLS = (600, 1_500)  # leads that are done when the worker dies


@contextmanager
def worker(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the worker as operators do, with the database and the broker of the test."""
    environment = os.environ | {
        "DATABASE_URL": f"postgres:///{connection.settings_dict['NAME']}?{urlencode(reached())}",
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
        "SECRET_KEY": settings.SECRET_KEY,
    }
    command = "celery -A leadrouter.celery worker --pool threads --concurrency 2 --without-gossip --without-mingle"
    with log.open("ab") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", *command.split()], cwd=REPOSITORY, env=environment,
            stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def a_manager_with_many_leads() -> int:
    ann, *others = (make_manager(name) for name in ("ann", "bob", "cid", "eva"))
    trigger = make_trigger(members=[ann, *others])
    first = make_lead(state="assigned", responsible=ann, trigger=trigger)
    facts = {name: getattr(first, name) for name in ("source_id", "stage_id", "created_at", "arrived_at")}
    Lead.objects.bulk_create(
        Lead(state="assigned", responsible=ann, trigger=trigger, **facts) for _ in range(LEADS - 1)
    )
    return ann.pk


def ring_until(condition: Callable[[], object], *, seconds: float) -> bool:
    """Ring for sweeps as beat does, until the condition holds."""

    def ring() -> object:
        sweep.delay()
        time.sleep(0.4)
        return condition()

    return until(ring, seconds=seconds)


def others_connected() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


def test_killed_workers_leave_nothing_half_done_and_the_next_one_ends_the_hand_over(client, tmp_path):
    log = tmp_path / "worker.log"
    client.force_login(make_supervisor())
    batch = hand_over(a_manager_with_many_leads(), at=clock.now(), reason="leaves")
    hurry_hand_over(batch)
    for kill in KILLS:
        with worker(log) as process:
            assert ring_until(lambda least=kill: batch.lines.count() >= least, seconds=60), log.read_text()[-3_000:]
            time.sleep(random.random() / 5)  # anywhere in a transaction
            assert process.poll() is None
            process.kill()
            process.wait()
        assert until(lambda: not others_connected(), seconds=30), "the server has not yet noticed"
        done = batch.lines.count()
        assert kill <= done < LEADS
        assert done % AT_ONCE == 0, "a transaction is done, or nothing of it"
        assert not batch.lines.exclude(lead__responsible=F("to")).exists()
        assert Lead.objects.filter(responsible=batch.manager).count() == LEADS - done
        page = client.get(f"/admin/routing/handover/{batch.pk}/progress/").content.decode()
        assert f"{done} of {LEADS} leads" in page.replace(",", "")
    with worker(log):
        assert ring_until(lambda: HandOver.objects.get().finished_at, seconds=90), log.read_text()[-3_000:]
    assert client.get(f"/admin/routing/handover/{batch.pk}/progress/")["HX-Refresh"] == "true"
    assert Counter(HandedLead.objects.values_list("to__user__name", flat=True)) == dict.fromkeys(
        ("Bob", "Cid", "Eva"), LEADS // 3
    )
    assert received(batch.lines.first().decision.trigger) == dict.fromkeys(("Bob", "Cid", "Eva"), LEADS // 3)
    assert not batch.lines.exclude(lead__responsible=F("to")).exists()
    assert Decision.objects.count() == LEADS
    assert LeadEvent.objects.filter(kind=LeadEvent.Kind.HANDED_ALL).values("lead").distinct().count() == LEADS
    assert LeadEvent.objects.filter(kind=LeadEvent.Kind.HANDED_ALL).count() == LEADS
    assert list(audit.violations()) == []
