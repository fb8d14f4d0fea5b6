"""The configuration file in the admin: down, up, tried, taken."""

import time

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from accounts.models import Account, ConfigurationChange, Manager, User
from routing.configuration import export_configuration
from routing.models import Trigger
from tests.admin_pages import messages
from tests.factories import make_manager, make_supervisor, make_trigger, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/routing/trigger/file/"


@pytest.fixture
def sue(client):
    sue = make_supervisor()
    client.force_login(sue)
    return sue


@pytest.fixture
def trigger():
    return make_trigger(members=[make_manager("ann")])


def send(client, text: str | bytes, **more):
    body = text if isinstance(text, bytes) else text.encode()
    return client.post(PAGE, {"file": SimpleUploadedFile("team.yaml", body), **more})


def confirm(client, tried, **changes):
    return client.post(PAGE, {name: str(value) for name, value in tried.context["confirm"].initial.items()} | changes)


def test_what_is_downloaded_changes_nothing_when_uploaded(client, sue, trigger):
    response = client.get(f"{PAGE}download/")
    assert response["Content-Disposition"] == 'attachment; filename="leadrouter.yaml"'
    tried = send(client, response.content)
    assert not tried.context["report"].changes
    assert "Import it" not in tried.content.decode()


def test_a_file_is_tried_and_written_only_when_confirmed(client, sue, trigger):
    text = export_configuration().replace("priority: 10", "priority: 4")
    tried = send(client, text)
    assert [(c.action, c.key) for c in tried.context["report"].changes] == [("change", "new-leads")]
    assert Trigger.objects.get().priority == 10
    taken = confirm(client, tried)
    assert taken.status_code == 302
    assert "Imported: 1" in messages(taken)
    assert Trigger.objects.get().priority == 4
    change = ConfigurationChange.objects.get(model="routing.trigger", action="changed")
    assert (change.by, change.way) == (sue, "file team.yaml")


def test_what_a_file_would_change_is_told_in_the_readers_language(client, sue, trigger):
    User.objects.update(language="es")
    page = send(client, export_configuration().replace("priority: 10", "priority: 4")).content.decode()
    with translation.override("es"):
        assert f"{Trigger._meta.verbose_name} new-leads" in page


def test_what_changed_meanwhile_is_shown_before_it_is_taken(client, sue, trigger):
    tried = send(client, export_configuration().replace("priority: 10", "priority: 4"))
    Trigger.objects.update(priority=7)
    again = confirm(client, tried)
    assert "changed in the meantime" in again.content.decode()
    assert again.context["report"].changes[0].fields["priority"] == (7, 4)
    assert Trigger.objects.get().priority == 7
    confirm(client, again)
    assert Trigger.objects.get().priority == 4


def test_every_fault_is_shown_with_its_place_and_nothing_is_written(client, sue, trigger):
    page = send(client, "triggers: [{code: x, stage: sales/nowhere}, {code: y}]").content.decode()
    assert "triggers[0].stage" in page
    assert Trigger.objects.count() == 1


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b"", b"x" * (1024 * 1024 + 1), b"[", b"\x00"])
def test_what_is_no_configuration_is_refused(client, sue, body):
    response = send(client, body)
    assert response.status_code == 200
    assert "report" not in response.context


def test_nobody_does_by_a_file_what_they_may_not_do_by_pages(client, sue):
    Account.get()
    tried = send(client, "version: 1\naccount: {name: Mine}")
    assert tried.context["refused"] == ["change account"] or tried.context["refused"] == ["change account "]
    assert "Import it" not in tried.content.decode()
    assert confirm(client, tried).status_code == 403
    assert Account.get().name == "Leadrouter"
    client.force_login(make_user("visitor", is_staff=True))
    assert client.get(PAGE).status_code == client.get(f"{PAGE}download/").status_code == 403


def test_new_managers_are_shown_with_their_links(client, sue):
    tried = send(client, "version: 1\nmanagers: [{email: new@example.com, name: New}]")
    taken = confirm(client, tried)
    assert Manager.objects.get().user.email == "new@example.com"
    assert "/invitation/" in messages(taken)


def test_of_many_faults_the_first_are_shown_and_how_many_follow(client, sue):
    rows = ", ".join(f'{{email: "x{n}", name: 1}}' for n in range(20_000))
    began = time.process_time()
    page = send(client, f"version: 1\nmanagers: [{rows}]\n")
    assert time.process_time() - began < 10
    text = page.content.decode()
    assert text.count("<code>managers[") == 100
    assert "and 19,900 more" in text
    assert "team.yaml has 20000 errors. Nothing was changed." in text
