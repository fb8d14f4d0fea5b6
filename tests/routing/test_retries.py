"""What reads or writes in several statements is done again if another transaction was in the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Account
from routing.configuration import export_configuration
from routing.exceptions import Busy
from routing.services.hand_over import preview_hand_over
from tests.factories import MONDAY, make_account, make_lead, make_manager, make_supervisor, make_trigger

pytestmark = pytest.mark.django_db


@contextmanager
def changing_configuration(at: str, *, times: int = 100) -> Iterator[list[str]]:
    """Change the configuration before statements that contain the text; yield what it was called in turn."""
    titles: list[str] = []

    def change(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if at in str(sql) and len(titles) < times and not str(sql).startswith("UPDATE"):
            titles.append(f"Changed {len(titles) + 1}")
            with connection.cursor() as cursor:
                cursor.execute("UPDATE accounts_account SET name = %s", [titles[-1]])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(change):
        yield titles


@pytest.fixture
def sue(client):
    sue = make_supervisor()
    client.force_login(sue)
    return sue


def test_an_export_never_mixes_two_versions():
    make_account()
    with changing_configuration('FROM "routing_trigger"', times=1) as titles:
        text = export_configuration()
    assert len(titles) == 1
    assert "name: Changed 1" in text
    assert Account.objects.get().name == "Changed 1"


def test_an_export_of_a_configuration_that_keeps_changing_is_refused(client, sue):
    make_account()
    with changing_configuration('FROM "routing_trigger"'):
        with pytest.raises(Busy, match="keeps changing"):
            export_configuration()
        with pytest.raises(CommandError, match="keeps changing"):
            call_command("config", "export", "-")
        page = client.get("/admin/routing/trigger/file/download/", follow=True)
    assert "The configuration keeps changing. Try again." in page.content.decode()


def test_a_trial_is_made_again_if_the_configuration_changed_meanwhile(client, sue):
    trigger = make_trigger(members=[make_manager("ann")])
    with changing_configuration("SET TRANSACTION READ ONLY", times=1) as titles:
        page = client.post(f"/admin/routing/trigger/{trigger.pk}/try/", {"email": "eva@example.com"})
    assert len(titles) == 1
    assert page.context["outcome"].chosen == "Ann"


def test_a_trial_while_the_configuration_keeps_changing_is_refused_in_words(client, sue):
    trigger = make_trigger(members=[make_manager("ann")])
    with changing_configuration("SET TRANSACTION READ ONLY"):
        page = client.post(f"/admin/routing/trigger/{trigger.pk}/try/", {"email": "eva@example.com"})
    assert page.status_code == 200
    assert "The configuration keeps changing. Try again." in page.content.decode()


def test_a_preview_of_a_hand_over_is_made_again_if_the_configuration_changed_meanwhile():
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    lead = make_lead(state="assigned", responsible=ann, trigger=trigger)
    with changing_configuration('FROM "routing_lead"', times=1) as titles:
        [line] = preview_hand_over(ann.pk, at=MONDAY)
    assert len(titles) == 1
    assert (line.lead, line.to) == (lead, bob.pk)
