"""The settings as a production would have them, each in a process of its own."""

import os
import subprocess
import sys

from django.conf import settings

from tests.data import REPOSITORY

PRODUCTION = {
    "DATABASE_URL": "postgres://u:p@db.example.com/leads",
    "REDIS_URL": "redis://:secret@redis.example.com:6379/0",
    "SECRET_KEY": "k" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "HTTPS": "true",
    "ALLOWED_HOSTS": "leads.example.com",
}


def ask(expression: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Evaluate an expression over settings loaded in a clean environment."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LEADROUTER_VAR") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", f"import leadrouter.settings as s; print({expression})"],
        cwd=REPOSITORY, env=clean | environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_database_without_a_secret_key_does_not_start():
    answer = ask("1", DATABASE_URL="postgres://u:p@db.example.com/leads")
    assert answer.returncode != 0
    assert "SECRET_KEY" in answer.stderr


def test_a_given_database_is_used_as_it_is_with_our_time_limits():
    answer = ask("s.DATABASES['default']['ENGINE'], s.DATABASES['default']['OPTIONS']['options']", **PRODUCTION)
    assert "leadrouter.postgresql " in answer.stdout, answer.stderr
    assert "lock_timeout=2000" in answer.stdout
    assert "statement_timeout=10000" in answer.stdout


def test_pgbouncer_gets_no_options_it_would_refuse():
    answer = ask("'options' in s.DATABASES['default']['OPTIONS']", **PRODUCTION, DATABASE_PGBOUNCER="true")
    assert answer.stdout.strip() == "False", answer.stderr


def test_cache_and_broker_are_apart_in_one_redis():
    answer = ask("s.CACHE_URL, s.CELERY_BROKER_URL", **PRODUCTION)
    assert "redis://:secret@redis.example.com:6379/1" in answer.stdout, answer.stderr
    assert "redis://:secret@redis.example.com:6379/2" in answer.stdout


def test_a_secret_may_be_a_file(tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    environment = {name: value for name, value in PRODUCTION.items() if name != "SECRET_KEY"}
    answer = ask("s.SECRET_KEY", **environment, SECRET_KEY_FILE=str(tmp_path / "key"))
    assert answer.stdout == "from a file\n", answer.stderr


def test_nothing_is_started_by_reading_the_settings(tmp_path):
    answer = ask("s.DATABASES['default']['ENGINE']", LEADROUTER_VAR=str(tmp_path / "var"))
    assert answer.stdout.strip() == "leadrouter.development.private_postgresql", answer.stderr
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["secret_key"]
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_jobs_are_a_doorbell():
    assert settings.CELERY_TASK_ACKS_LATE
    assert settings.CELERY_TASK_IGNORE_RESULT
    assert settings.CELERY_WORKER_PREFETCH_MULTIPLIER == 1
    assert settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"] > settings.CELERY_TASK_TIME_LIMIT
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert isinstance(entry["schedule"], int), "an interval: what depends on no time zone"
        assert entry["options"]["expire_seconds"] > entry["schedule"]


def test_the_app_is_the_one_celery_is_set_up_for():
    from celery import current_app

    assert current_app.main == "leadrouter"
    assert current_app.conf.timezone == "UTC"
    assert "leadrouter.worker_heartbeat" in current_app.tasks
