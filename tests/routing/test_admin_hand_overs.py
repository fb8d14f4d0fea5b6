"""Hand-overs in the admin: the button, the preview, the batch, and undoing it."""

import pytest

from accounts.time import clock
from routing.models import HandOver, Lead
from routing.services import hand_over as service
from routing.services.sweep import sweep
from tests.admin_pages import filled, messages
from tests.factories import hold, make_lead, make_manager, make_supervisor, make_trigger, make_user, owners

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return make_manager("ann")


@pytest.fixture
def bob():
    return make_manager("bob")


@pytest.fixture
def leads(ann, bob):
    make_trigger(members=[ann, {"manager": bob, "limit": 2}])
    return hold(ann, 3)


@pytest.fixture
def sue(client):
    sue = make_supervisor()
    client.force_login(sue)
    return sue


def address(ann):
    return f"/admin/routing/handover/of/{ann.pk}/"


def test_a_managers_page_has_the_button(client, sue, ann):
    assert address(ann) in client.get(f"/admin/accounts/manager/{ann.pk}/change/").content.decode()


def test_a_preview_shows_who_would_get_what_and_the_hand_over_does_it(client, sue, ann, leads):
    asked = filled(client, address(ann))
    assert set(asked["also"]) == {"tasks", "contact", "company"}
    preview = client.post(address(ann), asked)
    assert (preview.context["counts"], preview.context["stayed"]) == ([("Bob", 2)], 1)
    assert not HandOver.objects.exists()
    done = client.post(address(ann), asked | {"confirmed": "1", "reason": "leaves"}, follow=True)
    batch = HandOver.objects.get()
    assert (batch.by, batch.reason, batch.also) == (sue, "leaves", ["company", "contact", "tasks"])
    assert owners(leads).count("B") == 2
    assert "2 leads were handed over." in messages(done) or "2 leads were handed over." in done.content.decode()
    assert done.context["counts"] == [("Bob", 2)]


def test_it_is_undone_on_its_page(client, sue, ann, leads):
    client.post(address(ann), {"confirmed": "1"})
    batch = HandOver.objects.get()
    page = f"/admin/routing/handover/{batch.pk}/change/"
    undo = f"/admin/routing/handover/{batch.pk}/undo/"
    assert undo in client.get(page).content.decode()
    Lead.objects.filter(pk=batch.lines.exclude(to=None).first().lead_id).update(responsible=make_manager("cid"))
    client.post(undo)
    assert sorted(owners(leads)) == ["A", "A", "C"]
    assert undo not in client.get(page).content.decode()
    client.post(undo)
    assert sorted(owners(leads)) == ["A", "A", "C"]


def test_a_long_one_shows_its_progress_until_the_worker_has_done_it(client, sue, ann, leads, monkeypatch):
    monkeypatch.setattr(service, "AT_ONCE", 1)
    page = client.post(address(ann), {"confirmed": "1"}, follow=True)
    batch = HandOver.objects.get()
    progress = f"/admin/routing/handover/{batch.pk}/progress/"
    assert progress in page.content.decode()
    assert "The hand-over has begun and goes on in the background." in page.content.decode()
    part = client.get(progress)
    assert (part.context["done"], part.context["total"]) == (1, 3)
    assert "1 of 3 leads" in part.content.decode()
    sweep(at=clock.now())
    assert client.get(progress)["HX-Refresh"] == "true"
    page = client.get(f"/admin/routing/handover/{batch.pk}/change/").content.decode()
    assert progress not in page
    page = client.post(f"/admin/routing/handover/{batch.pk}/undo/", follow=True).content.decode()
    assert "1 of 2 leads" in page
    sweep(at=clock.now())
    assert owners(leads) == "AAA"


def test_a_lead_without_any_trigger_is_told_as_such(client, sue):
    cid = make_manager("cid")
    make_lead(state="assigned", responsible=cid)
    assert "no trigger ever distributed it" in client.post(address(cid), {"reason": "leaves"}).content.decode()
    page = client.post(address(cid), {"confirmed": "1"}, follow=True)
    assert "no trigger ever distributed it" in page.content.decode()


def test_who_may_not_change_leads_hands_nothing_over(client, ann, leads):
    client.force_login(make_user("max", is_staff=True))
    batch = HandOver.objects.create(manager=ann, at="2026-03-02T10:00Z")
    assert client.get(address(ann)).status_code == 403
    assert client.post(address(ann), {"confirmed": "1"}).status_code == 403
    for verb in ("undo", "progress"):
        assert client.post(f"/admin/routing/handover/{batch.pk}/{verb}/").status_code == 403
    assert owners(leads) == "AAA"
