"""/healthz, /readyz and /metrics, each asked over HTTP."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from accounts.time import clock
from leadrouter import health
from routing.models import Heartbeat


@pytest.fixture
def all_alive(db):
    health.beat("sweep")
    health.beat("worker")


def make_old(name: str, *, seconds: int) -> None:
    Heartbeat.objects.filter(name=name).update(at=clock.now() - timedelta(seconds=seconds))


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_the_process_is_alive_without_any_database(client: Client, path):
    assert client.get(path).json() == {"status": "alive"}


@pytest.mark.parametrize("path", ["/readyz", "/readyz/"])
def test_ready_when_everything_answers(client: Client, all_alive, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    assert answer.json()["status"] == "ready"
    assert set(answer.json()["checks"]) == {"database", "broker", "worker", "sweep"}


def test_a_program_that_was_never_swept_is_not_ready(client: Client, db):
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["sweep"] == {"ok": False, "age_seconds": None, "limit_seconds": 30}


@pytest.mark.parametrize("name", ["sweep", "worker"])
def test_an_old_heartbeat_makes_it_not_ready_and_is_named(client: Client, all_alive, name):
    make_old(name, seconds=31)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert [part for part, check in answer.json()["checks"].items() if not check["ok"]] == [name]


def test_a_heartbeat_is_one_row_however_often_it_beats(all_alive):
    make_old("worker", seconds=100)
    health.beat("worker")
    assert Heartbeat.objects.filter(name="worker").count() == 1
    assert health.heartbeat_ages(at=clock.now())["worker"] < 10


def test_a_broker_that_is_down_makes_it_not_ready_within_seconds(client: Client, all_alive, settings):
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"]["ok"] is False


def test_a_database_that_is_down_makes_it_not_ready_and_not_an_error(client: Client, db, monkeypatch):
    def refuse() -> dict[str, str]:
        raise health.DatabaseError("no connection")

    monkeypatch.setattr(health.checks, "unsafe_settings", refuse)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == {"ok": False, "error": "DatabaseError"}


def test_a_database_that_may_lose_leads_is_refused(client: Client, all_alive):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    assert client.get("/readyz").json()["checks"]["database"] == {
        "ok": False,
        "weakened": {"synchronous_commit": "off"},
    }
    (error,) = health.checks.durability(databases=["default"])
    assert "synchronous_commit = off" in error.msg


def test_a_database_of_default_durability_is_fine(db):
    assert health.checks.durability(databases=["default"]) == []
    assert health.checks.durability(databases=None) == []


def test_metrics_tell_of_leads_offers_decisions_and_heartbeats(client: Client, all_alive):
    text = client.get("/metrics").content.decode()
    for line in ('leadrouter_leads{state="waiting"} 0.0', "leadrouter_offers_open 0.0", "leadrouter_database_up 1.0"):
        assert line in text
    assert "leadrouter_oldest_waiting_seconds 0.0" in text
    assert "leadrouter_decisions_total 0.0" in text
    assert 'leadrouter_heartbeat_age_seconds{name="sweep"}' in text


def test_metrics_count_requests_by_route_and_not_by_path(client: Client, db):
    client.get("/healthz/")
    client.get("/no/such/page")
    text = client.get("/metrics/").content.decode()
    assert 'leadrouter_http_requests_total{method="GET",route="^healthz/?$",status="200"}' in text
    assert 'leadrouter_http_requests_total{method="GET",route="none",status="404"}' in text
    assert "/no/such/page" not in text


def test_metrics_ask_for_their_token(client: Client, db, settings):
    settings.METRICS_TOKEN = "open sesame"
    refused = client.get("/metrics", headers={"Authorization": "Bearer open"})
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
    assert client.get("/metrics", headers={"Authorization": "Bearer open sesame"}).status_code == 200


def test_metrics_say_so_when_the_database_is_down(client: Client, db, monkeypatch):
    def refuse() -> None:
        raise health.DatabaseError("no connection")

    monkeypatch.setattr(health.clock, "now", refuse)
    monkeypatch.setattr(health.connection, "close", lambda: None)
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert "leadrouter_database_up 0.0" in answer.content.decode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_they_are_only_read(client: Client, db, path):
    assert client.post(path).status_code == 405
