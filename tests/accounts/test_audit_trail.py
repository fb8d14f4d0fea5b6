"""The audit trail: what is written down by itself, and that nobody rewrites it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from accounts.history import audit_trail
from accounts.models import AuditEntry
from accounts.time import clock
from routing.models import ApiKey
from tests.admin_pages import save
from tests.factories import make_manager, make_source, make_supervisor, make_user

pytestmark = pytest.mark.django_db


def entries(action: str, **facts) -> list[AuditEntry]:
    return list(AuditEntry.objects.filter(action=action, **facts).order_by("id"))


@pytest.mark.parametrize(
    "statement", ["UPDATE accounts_auditentry SET facts = '{}'", "DELETE FROM accounts_auditentry"]
)
def test_nobody_changes_or_removes_an_entry_not_even_by_sql(statement):
    audit_trail.note(AuditEntry.Action.EXPORTED, at=clock.now(), about="routing_contact:1")
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert len(entries("exported")) == 1


def test_an_entry_of_long_ago_may_be_removed_but_not_changed():
    audit_trail.note(AuditEntry.Action.EXPORTED, at=clock.now() - timedelta(days=91))
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEntry.objects.update(facts={"rewritten": True})
    assert AuditEntry.objects.filter(action="exported").delete()[0] == 1


def test_a_change_of_rights_in_the_admin_is_noted_with_who_made_it(client):
    root, ann = make_user("root", is_staff=True, is_superuser=True), make_manager().user
    supervisors = Group.objects.get(name="Supervisors")
    client.force_login(root)
    save(client, f"/admin/accounts/user/{ann.pk}/change/", is_staff="on", groups=[str(supervisors.pk)])
    (entry,) = entries("rights", about=f"accounts_user:{ann.pk}")
    assert (entry.by, entry.facts) == (root, {"is_staff": [False, True], "done": "update"})
    joined = entries("rights", about__startswith="accounts_user_groups", by=root)
    assert {"user_id": [None, ann.pk], "group_id": [None, supervisors.pk], "done": "insert"} in [
        e.facts for e in joined
    ]


def test_rights_given_by_hand_in_the_database_are_noted_too():
    ann = make_manager().user
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET is_superuser = true WHERE id = %s", [ann.pk])
    (entry,) = entries("rights", about=f"accounts_user:{ann.pk}")
    assert (entry.by_id, entry.facts["is_superuser"], entry.origin) == (None, [False, True], "leadrouter")


def test_a_password_that_is_set_is_noted_and_not_shown():
    ann = make_manager().user
    ann.set_password("unguessable-1")
    ann.save()
    (entry,) = entries("password")
    assert entry.facts == {"password": "set", "done": "update"}


def test_keys_made_and_revoked_are_noted_without_their_secret(client, capsys):
    sue, source = make_supervisor(), make_source()
    client.force_login(sue)
    call_command("apikey", "Landing form", "--source", source.code)
    secret = capsys.readouterr().out.strip()
    key = ApiKey.objects.get()
    client.post("/admin/routing/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    made, revoked = entries("key", about=f"routing_apikey:{key.pk}")
    assert made.facts["source_id"] == [None, source.pk]
    assert (revoked.by, list(revoked.facts)) == (sue, ["done", "revoked_at"])
    written = str([made.facts, revoked.facts])
    assert secret not in written
    assert key.digest not in written


def test_administrators_look_at_the_trail_and_supervisors_do_not(client):
    audit_trail.note(AuditEntry.Action.EXPORTED, at=clock.now(), about="routing_contact:1")
    client.force_login(make_supervisor())
    assert client.get("/admin/accounts/auditentry/").status_code == 403
    client.force_login(make_user("adam", group="Administrators", is_staff=True))
    page = client.get("/admin/accounts/auditentry/")
    assert "routing_contact:1" in page.content.decode()
    assert client.get("/admin/accounts/auditentry/add/").status_code == 403
