"""Migrations beside a running program: they wait for a lock for a moment only, and try again."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from leadrouter.management.commands import upgrade

pytestmark = pytest.mark.django_db


class NoLock(Exception):
    pgcode = "55P03"


def refusing(times: int, calls: list[int], code: str = "55P03"):
    def migrate(*_: object, **__: object) -> None:
        calls.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone()[0] == "1500ms"
        if len(calls) <= times:
            cause = NoLock()
            cause.pgcode = code
            raise OperationalError("canceling statement due to lock timeout") from cause

    return migrate


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(upgrade.time, "sleep", lambda _: None)
    monkeypatch.setattr(upgrade.connection, "close", lambda: None)


def test_a_migration_that_finds_no_lock_is_tried_again(monkeypatch, quick):
    calls: list[int] = []
    monkeypatch.setattr(upgrade, "call_command", refusing(2, calls))
    call_command("upgrade", "--lock-timeout", "1500")
    assert len(calls) == 3


def test_it_gives_up_in_words_after_so_many_tries(monkeypatch, quick):
    calls: list[int] = []
    monkeypatch.setattr(upgrade, "call_command", refusing(99, calls))
    with pytest.raises(CommandError, match="Nothing is half done"):
        call_command("upgrade", "--lock-timeout", "1500", "--tries", "4")
    assert len(calls) == 4


def test_another_fault_is_not_hidden(monkeypatch, quick):
    monkeypatch.setattr(upgrade, "call_command", refusing(1, [], "53100"))
    with pytest.raises(OperationalError):
        call_command("upgrade", "--lock-timeout", "1500")
