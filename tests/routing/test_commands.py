"""The commands: what they print for people and for programs, and how they refuse."""

import json
from datetime import date, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Pause
from accounts.time import clock
from routing.models import ApiKey, Lead, Offer, Source
from tests.factories import (
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    make_account,
    make_exception,
    make_manager,
    make_schedule,
    make_source,
    make_trigger,
    make_user,
    take,
)

pytestmark = pytest.mark.django_db


def run(*arguments: str, **options: Any) -> tuple[str, str]:
    """Return what the command writes to standard output and to standard error."""
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def refusal(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert caught.value.returncode == 1
    return str(caught.value)


# config


def test_config_exports_to_a_file_and_imports_it_again(tmp_path: Path) -> None:
    make_trigger(members=[make_manager("ann")])
    file = tmp_path / "config.yaml"
    run("config", "export", str(file))
    assert file.read_text(encoding="utf-8") == run("config", "export", "-")[0]
    assert "Nothing to change." in run("config", "import", str(file), "--prune")[0]
    assert list(tmp_path.iterdir()) == [file]


def test_config_import_prints_what_it_does_and_a_dry_run_does_not_do_it(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("version: 1\nsources: [{code: form, channel: site}]\nmanagers: [{email: ann@example.com}]\n")
    out, _ = run("config", "import", str(file), "--dry-run")
    assert "add        source form\n" in out
    assert not Source.objects.filter(code="form").exists()
    out, _ = run("config", "import", str(file))
    assert "invitation ann@example.com: /invitation/" in out
    assert Source.objects.filter(code="form").exists()


def test_config_import_lists_every_fault_and_fails(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("version: 1\nsources: [{code: form, channel: sites}, {code: mail, chanel: mail}]\n")
    assert refusal("config", "import", str(file)).splitlines() == [
        'sources[0].channel: no "sites"; did you mean "site"?',
        'sources[1].chanel: unknown; did you mean "channel"?',
        "sources[1].channel: missing; use site or phone or mail or api or chat",
        "3 errors. Nothing was changed.",
    ]


def test_config_imports_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = TextIOWrapper(BytesIO(b"version: 1\naccount: {name: Acme}\n"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert '"Acme"' in run("config", "import", "-")[0]


def test_config_says_which_file_it_cannot_open(tmp_path: Path) -> None:
    assert "No such file" in refusal("config", "import", str(tmp_path / "none.yaml"))
    assert "No such file" in refusal("config", "export", str(tmp_path / "none" / "config.yaml"))


# apikey


def test_apikey_prints_the_key_alone_and_stores_its_hash() -> None:
    out, err = run("apikey", "Landing form")
    [secret] = out.splitlines()
    assert secret not in err
    key = ApiKey.objects.get()
    assert secret.startswith(f"lr_{key.prefix}_")
    assert (key.digest, key.name, key.owner) == (ApiKey.digest_of(secret), "Landing form", "account")
    assert (key.scopes, key.expires_at) == (["intake", "read"], None)


def test_apikey_of_a_source_or_a_user_with_scopes_and_an_end() -> None:
    make_account(time_zone="Europe/Madrid")
    make_source("landing")
    make_user("sue")
    run("apikey", "one", "--source", "landing", "--scope", "intake", "--expires", "2100-01-01T00:00")
    run("apikey", "two", "--user", "Sue@example.com", "--scope", "manage,read", "--scope", "read")
    one, two = ApiKey.objects.get(name="one"), ApiKey.objects.get(name="two")
    assert (one.source.code, one.scopes, one.expires_at.isoformat()) == (
        "landing",
        ["intake"],
        "2099-12-31T23:00:00+00:00",
    )
    assert (two.user.email, two.scopes) == ("sue@example.com", ["read", "manage"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "none"], '--source: no source "none"'),
        (["--user", "nobody@example.com"], '--user: no user "nobody@example.com"'),
        (["--scope", "write"], "--scope: use intake, read, manage, not write"),
        (["--scope", ","], "--scope: use intake, read, manage"),
        (["--expires", "soon"], '--expires: "soon" is no instant; write it as 2026-03-02T09:00:00Z'),
        (["--expires", "2020-01-01"], "--expires: this time is in the past"),
    ],
)
def test_apikey_refuses_and_makes_none(arguments: list[str], message: str) -> None:
    assert refusal("apikey", "name", *arguments).startswith(message)
    assert not ApiKey.objects.exists()


# duty


def duty(*arguments: str) -> list[dict[str, Any]]:
    return json.loads(run("duty", "--json", *arguments)[0])


def test_duty_tells_programs_who_is_available_and_what_comes_next() -> None:
    make_account(time_zone="Europe/Madrid")
    office = make_schedule()  # 09:00-18:00 from Monday to Friday
    make_manager("ann", schedule=office)
    bob = make_manager("bob")
    make_manager("max", schedule=office, active=False, time_zone="America/New_York")
    Pause.objects.create(manager=bob, started_at=MONDAY - HOUR, ends_at=MONDAY + HOUR)
    assert duty("--at", "2026-03-02T10:00:00Z") == [
        {"manager": "ann@example.com", "on_duty": True, "available": True, "reason": None,
         "next_start": "2026-03-03T08:00:00Z", "next_change": "2026-03-02T17:00:00Z"},
        {"manager": "bob@example.com", "on_duty": True, "available": False, "reason": "paused",
         "next_start": None, "next_change": None},
        {"manager": "max@example.com", "on_duty": False, "available": False, "reason": "inactive",
         "next_start": "2026-03-02T14:00:00Z", "next_change": "2026-03-02T14:00:00Z"},
    ]  # fmt: skip


def test_duty_of_one_manager_at_an_instant_in_account_time() -> None:
    make_account(time_zone="Europe/Madrid")
    ann = make_manager("ann", schedule=make_schedule())
    make_manager("bob")
    make_exception(ann, on=date(2026, 3, 3))
    assert [row["on_duty"] for row in duty("--manager", "Ann@Example.com", "--at", "2026-03-02T09:00")] == [True]
    assert [row["on_duty"] for row in duty("--manager", "ann@example.com", "--at", "2026-03-02T08:59:59")] == [False]
    [day_off] = duty("--manager", "ann@example.com", "--at", "2026-03-03T12:00+01:00")
    assert (day_off["reason"], day_off["next_start"]) == ("off_duty", "2026-03-04T08:00:00Z")


def test_duty_remembers_a_pause_that_is_over() -> None:
    ann = make_manager("ann")
    Pause.objects.create(manager=ann, started_at=MONDAY, ended_at=MONDAY + HOUR)
    assert [duty("--at", (MONDAY + after).isoformat())[0]["reason"] for after in (30 * MINUTE, HOUR)] == [
        "paused",
        None,
    ]


def test_duty_is_of_now_and_of_nobody_without_managers() -> None:
    assert duty() == []
    make_manager("ann")
    assert duty()[0]["available"] is True


def test_duty_shows_people_a_table_in_their_own_time() -> None:
    make_account(time_zone="Europe/Madrid")
    make_manager("max", schedule=make_schedule(), time_zone="America/New_York")
    out, _ = run("duty", "--at", "2026-03-02T10:00:00Z")
    assert "At Mon 2026-03-02 11:00 Europe/Madrid" in out
    assert "max@example.com  no       off_duty   Mon 2026-03-02 09:00  Mon 2026-03-02 09:00  America/New_York" in out


@pytest.mark.parametrize("instant", ["yesterday", "2026-13-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00", ""])
def test_duty_refuses_what_is_no_instant(instant: str) -> None:
    make_manager("ann")
    assert "is no instant; write it as 2026-03-02T09:00:00Z" in refusal("duty", f"--at={instant}")


def test_duty_refuses_an_unknown_manager() -> None:
    assert refusal("duty", "--manager", "bob@example.com") == 'no manager "bob@example.com"'


# sweep


@pytest.mark.django_db(transaction=True)
def test_sweep_expires_overdue_offers_and_assigns_waiting_leads() -> None:
    at = clock.now() - timedelta(days=1)
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], **asking_acceptance(10))
    offered = take(at=at)
    sleeper = make_manager("max", active=False)
    make_trigger("night", on_stage="sales/accepted", members=[sleeper])
    waiting = take(at=at, stage="accepted", pipeline="sales")
    assert (offered.state, waiting.state) == ("offered", "waiting")
    sleeper.active = True
    sleeper.save()
    out, _ = run("sweep")
    assert out == "offers out of time: 1\noffers given back: 0\nwaiting leads assigned: 1\n"
    assert Lead.objects.get(pk=waiting.pk).responsible == sleeper
    assert Offer.objects.filter(lead=offered, outcome="timed_out").exists()
