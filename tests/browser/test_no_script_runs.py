"""What visitors of a form write is shown as they wrote it, on every page, and never becomes a part of the page."""

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from routing.models import Lead, Pipeline, RefusedIntake
from routing.services.offers import decline_offer
from tests.factories import make_task, make_user
from tests.routing.api.world import make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# A dialog if it ran; an element of this name if it only became one, which a policy would hide.
TRAP = "\"'><xss-trap></xss-trap><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}{% now %}</textarea>"


def lead() -> dict:
    return {
        "external_id": f"id {TRAP}"[:255],
        "name": f"name {TRAP}",
        "contact": {"name": f"person {TRAP}", "email": "ana@client.example", "chat": f"@x {TRAP}"},
        "company": {"name": f"firm {TRAP}", "domain": "client.example"},
        "region": TRAP,
        "postal_code": "<xss-trap>1</xss-trap>",
        "product": TRAP,
        "tags": [TRAP, "<xss-trap>"],
        "utm": {"source": TRAP, "<xss-trap>": "x"},
        "fields": {"<xss-trap>": TRAP, "deep": {"list": [TRAP]}},
        "comment": f"comment {TRAP}\n{TRAP}",
    }


def fill_the_house():
    """Write the trap wherever a visitor of a form, or a manager, may write; return who looks at it all."""
    world = make_world()
    api = world.api("key_a")
    taken = api.post("leads", lead())
    assert taken.status_code == 201, taken.content
    assert api.post("leads", {**lead(), "external_id": "2", "budget": TRAP}).status_code == 400
    api.post("leads", {**lead(), "external_id": "3", "unqualified": True})
    found = Lead.objects.get(pk=taken.json()["id"])
    decline_offer(found.pk, at=found.created_at, reason=TRAP, by=found.responsible.user)
    make_task(found, title=TRAP)
    Pipeline.objects.update(title=TRAP[:200])
    root = make_user("root", is_staff=True, is_superuser=True)
    User.objects.filter(pk=root.pk).update(name=TRAP[:200])
    root.groups.add(Group.objects.get(name="Supervisors"))
    return world, root, found


def watch(visitor) -> list[str]:
    dialogs: list[str] = []
    visitor.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    return dialogs


def look(visitor, addresses: list[str]) -> None:
    for address in addresses:
        page = visitor.open(address)
        assert page.locator("xss-trap").count() == 0, address
        assert page.locator("img[src=x]").count() == 0, address


def test_nothing_that_visitors_write_runs_or_becomes_a_part_of_a_page(visit):
    _, root, found = fill_the_house()
    refused = RefusedIntake.objects.first()
    visitor = visit(user=root)
    dialogs = watch(visitor)
    look(
        visitor,
        [
            "/admin/",
            "/admin/routing/lead/",
            f"/admin/routing/lead/{found.pk}/change/",
            f"/admin/routing/lead/{found.pk}/history/",
            f"/admin/routing/contact/{found.contact_id}/change/",
            f"/admin/routing/contact/{found.contact_id}/delete/",
            f"/admin/routing/company/{found.company_id}/change/",
            "/admin/routing/task/",
            "/admin/routing/decision/",
            "/admin/routing/offer/",
            "/admin/routing/refusedintake/",
            f"/admin/routing/refusedintake/{refused.pk}/change/",
            f"/admin/routing/refusedintake/{refused.pk}/take/",
            "/admin/routing/pipeline/",
            "/admin/search/?s=person",
            "/board/",
            "/reports/",
            "/reports/sources/",
            "/second-factor/",
        ],
    )
    assert dialogs == []


def test_nothing_runs_on_the_managers_own_page(visit):
    world, _, _ = fill_the_house()
    for name in ("ann", "bob"):
        visitor = visit(user=world.users[name])
        dialogs = watch(visitor)
        look(visitor, ["/me/"])
        assert dialogs == []


def test_the_trap_would_be_seen(visit):
    visitor = visit()
    page = visitor.open("/")
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<xss-trap></xss-trap>')")
    with pytest.raises(AssertionError):
        assert page.locator("xss-trap").count() == 0
