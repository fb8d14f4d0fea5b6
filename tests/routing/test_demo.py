"""The demo: what it shows, that it is told once, and that its secrets are nobody else's."""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction

from accounts.models import Pause, User
from accounts.time import clock
from routing import audit
from routing.configuration import import_configuration
from routing.demo import CONFIGURATION, story, tell
from routing.demo.story import rows
from routing.management.commands.demo import make_ways_in
from routing.models import ApiKey, Lead, LeadEvent, Offer, Pipeline
from tests.effort import by_night

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def note(tmp_path):
    return tmp_path / "var" / "demo.txt"


@pytest.fixture
def one_day(monkeypatch):
    """Tell a shorter story where the story is not what is asked about."""
    monkeypatch.setattr(story, "DAYS", 1)


def demo(note) -> str:
    out = StringIO()
    call_command("demo", note=note, stdout=out, stderr=StringIO())
    return out.getvalue()


def states() -> set[tuple[str, str]]:
    return {
        (f"{pipeline}/{stage}", state)
        for pipeline, stage, state in Lead.objects.values_list("stage__pipeline__code", "stage__code", "state")
    }


@pytest.mark.slow
def test_the_demo_shows_leads_in_every_state_and_breaks_no_promise(note):
    demo(note)
    assert states() >= {
        ("sales/inbox", "idle"),
        ("sales/new", "offered"),
        ("sales/accepted", "assigned"),
        ("sales/won", "assigned"),
        ("sales/lost", "assigned"),
        ("partners/new", "waiting"),
    }
    unqualified = Lead.objects.filter(arrived_unqualified=True, arrived_at__gte=clock.now() - timedelta(hours=2))
    assert set(unqualified.values_list("source__channel", flat=True)) == {"site", "phone", "mail", "api", "chat"}
    assert Pause.objects.running(at=clock.now()).get().manager.user.name == "Fay"
    assert {"accepted", "timed_out", "declined", ""} <= set(Offer.objects.values_list("outcome", flat=True))
    assert LeadEvent.objects.filter(kind="reassigned").count() == 1
    assert list(audit.violations()) == []


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("hour", by_night([0, 23], by_day=[23]))
def test_the_story_ends_alike_at_any_hour_and_on_any_day(hour):
    import_configuration(CONFIGURATION.read_text())
    sue = User.objects.create_user("sue@example.com")
    at = datetime(2026, 3, 29, hour, 40, tzinfo=UTC)  # the day that loses an hour in Madrid
    assert tell(at=at, by=sue) > 180
    assert states() >= {("sales/new", "offered"), ("sales/inbox", "idle"), ("partners/new", "waiting")}
    assert not Lead.objects.filter(created_at__gt=at).exists()
    assert list(audit.violations(decisions=False)) == []


@pytest.mark.usefixtures("one_day")
def test_a_second_call_changes_nothing_and_prints_the_same_again(note):
    first = demo(note)
    before = (Lead.objects.count(), ApiKey.objects.count(), User.objects.count())
    assert demo(note) == first
    assert (Lead.objects.count(), ApiKey.objects.count(), User.objects.count()) == before


@pytest.mark.usefixtures("one_day")
def test_the_note_opens_the_doors_it_names_and_is_for_its_owner_only(note, monkeypatch):
    monkeypatch.setenv("PORT", "8123")
    printed = demo(note)
    [login, password] = re.search(r"Supervisor +(\S+) +(\S+)", printed).groups()
    user = User.objects.get(email=login)
    assert user.check_password(password)
    assert user.is_staff
    assert {group.name for group in user.groups.all()} == {"Supervisors", "Administrators"}
    key = re.search(r"lr_[0-9a-f]{12}_[\w-]+", printed).group()
    row = ApiKey.objects.get(digest=ApiKey.digest_of(key))
    assert (row.source.code, row.scopes) == ("landing", ["intake", "read", "manage"])
    assert f'curl -X POST http://127.0.0.1:8123/api/v1/leads \\\n    -H "Authorization: Bearer {key}"' in printed
    assert stat.S_IMODE(note.stat().st_mode) == 0o600


def test_no_two_demos_have_the_same_secrets(note):
    secrets = set()
    for _ in range(2):
        with transaction.atomic():
            secrets |= set(re.findall(r"[\w-]{16,}", make_ways_in()))
            transaction.set_rollback(True)
    assert len(secrets) == 6  # two passwords and a key, twice


@pytest.mark.usefixtures("one_day")
def test_a_note_of_another_database_is_not_believed(note):
    demo(note)
    note.write_text(f"Supervisor  a@example.com  x\nAPI key  lr_{'0' * 12}_{'x' * 43}\n")
    assert "changepassword admin@example.com" in demo(note)


def test_the_demo_leaves_a_configured_database_alone(note):
    Pipeline.objects.create(code="ours", title="Ours")
    with pytest.raises(CommandError, match="already configured"):
        demo(note)
    assert not note.exists()
    assert not User.objects.exists()


def test_the_extract_is_small_and_its_contacts_are_invented():
    leads = rows()
    assert 200 <= len(leads) <= 300
    assert all(lead["email"].endswith("@example.com") for lead in leads)
    assert all(re.fullmatch(r"(\+1 \d{3} 555 01\d\d)?", lead["phone"]) for lead in leads)
    assert len({lead["email"] for lead in leads}) == len(leads)
