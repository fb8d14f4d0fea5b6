"""The doctor: what it looks at, how it says what is wrong, and how it ends."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.time import clock
from leadrouter import doctor, health
from routing.models import Heartbeat
from tests.factories import hold, make_manager, make_trigger, take

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def a_sound_installation(settings):
    settings.HTTPS = True
    settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    health.beat("sweep")
    health.beat("worker")


def states(**options: bool) -> dict[str, str]:
    worst = {"ok": 0, "warning": 1, "error": 2}
    found: dict[str, str] = {}
    for finding in doctor.examine(**options):
        found[finding.about] = max(found.get(finding.about, "ok"), finding.state, key=worst.__getitem__)
        assert finding.state == "ok" or finding.mend, f"{finding.says}: and how is it mended?"
    return found


def test_a_sound_installation_is_well():
    make_trigger(members=[make_manager()])
    take()
    found = states(full=True)
    assert {about for about, state in found.items() if state == "error"} == set()
    assert {
        "settings",
        "time zones",
        "database",
        "migrations",
        "clock",
        "worker",
        "sweep",
        "promises",
        "broker",
    } <= set(found)


def test_each_part_that_fails_is_named(settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    Heartbeat.objects.filter(name="sweep").update(at=clock.now() - timedelta(minutes=5))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    found = states()
    assert {about for about, state in found.items() if state == "error"} == {"broker", "sweep", "database"}


def test_debug_and_plain_http_are_told(settings):
    settings.DEBUG, settings.HTTPS = True, False
    assert states()["settings"] == "error"


def test_a_load_that_is_wrong_is_found_at_once_and_who_holds_too_many_is_named():
    ann = make_manager()
    make_trigger(members=[{"manager": ann, "limit": 1}])
    hold(ann, 3)
    assert states()["limits of managers"] == "warning"
    with connection.cursor() as cursor:
        cursor.execute("UPDATE routing_load SET leads = 7")
    assert states()["promises"] == "error"


def test_the_command_ends_with_1_when_something_is_wrong(capsys, settings):
    with pytest.raises(SystemExit) as end:
        call_command("doctor", "--json")
    assert end.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert {"state", "findings"} == document.keys()
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(SystemExit) as end:
        call_command("doctor")
    assert end.value.code == 1
    assert "✗ broker" in capsys.readouterr().out
