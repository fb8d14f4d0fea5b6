"""A person's export and erasure: everything of them, nothing of others, and no count or balance changed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import AuditEntry
from accounts.time import clock
from routing.audit import violations
from routing.models import (
    Activity,
    Contact,
    ContactPoint,
    ImportRow,
    IntakeRequest,
    Lead,
    LeadEvent,
    LeadExport,
    LeadImport,
    Offer,
    RefusedIntake,
    Setback,
)
from routing.personal_data.people import find, person_of
from routing.personal_data.places import journal_of
from routing.personal_data.retention import prune
from routing.personal_data.rights import erase_person, export_person
from routing.services.stages import move_lead
from tests.factories import (
    MONDAY,
    asking_acceptance,
    balances,
    make_contact,
    make_manager,
    make_pipeline,
    make_supervisor,
    make_task,
    make_trigger,
    make_user,
    stage,
    take,
)
from tests.routing.api.world import World, make_world

EMAIL, PHONE, NAME = "canary.rosa@secret.example", "+34 611 222 333", "Rosa Canary"
MARKS = ("canary", "611222333", "611 222 333", "Rosa", "kestrel")

LEAD = {
    "external_id": f"form-{EMAIL}",
    "name": f"Offer for {NAME}",
    "contact": {"name": NAME, "email": EMAIL, "phone": PHONE, "chat": "@canary_rosa"},
    "comment": f"Call {NAME} on {PHONE}",
    "fields": {"birthday": "kestrel"},
    "utm": {"term": "kestrel"},
    "tags": ["kestrel"],
    "region": "kestrel",
    "postal_code": "kestrel",
}


@pytest.fixture
def world(transactional_db) -> World:
    return make_world()


def rows_with_marks() -> list[str]:
    """Return the tables in which some row still shows the person, by reading every column of the database as text."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        for (table,) in cursor.fetchall():
            for mark in MARKS:
                escaped = "".join(rf"\x{byte:02x}" for byte in mark.encode()).replace(r"\x", "")
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" t WHERE t::text ILIKE %s OR t::text LIKE %s',
                    [f"%{mark}%", f"%{escaped}%"],
                )
                if cursor.fetchone()[0]:
                    found.append(f"{table}: {mark}")
    return found


def leave_traces(world: World) -> Lead:
    """Let the person go everywhere: taken, repeated, refused, offered, declined, moved, edited, noted."""
    api = world.api("key_a")
    taken = api.post("leads", LEAD, idempotency_key="k-1")
    assert taken.status_code == 201, taken.content
    assert api.post("leads", {**LEAD, "budget": "kestrel"}).status_code == 400
    assert api.post("leads", {"contact": {"phone": "611.222.333"}, "currency": "ducats"}).status_code == 400
    assert api.post("leads/bulk", [{**LEAD, "external_id": "other"}], idempotency_key="k-2").status_code == 200
    lead = Lead.objects.get(pk=taken.json()["id"])
    world.api().post(f"leads/{lead.pk}/decline", {"reason": f"{NAME} is my aunt"})
    make_task(lead, title=f"Call {NAME}")
    move_lead(lead.pk, world.stages["accepted"].pk, at=clock.now(), by=world.users["sue"])
    LeadEvent.objects.create(lead=lead, at=MONDAY, kind="fields_set", data={"note": NAME})
    LeadEvent.objects.create(lead=lead, at=MONDAY, kind="credited_back", data={"reason": f"{NAME} is a joke"})
    Setback.objects.create(lead=lead, error=f"cannot call {NAME}", next_try_at=MONDAY)
    batch = LeadImport.objects.create(
        file_name="leads.csv", digest="", encoding="utf-8", header=["phone", "name"], columns=["phone", "name"],
        language="en", created_at=MONDAY,
    )  # fmt: skip
    ImportRow.objects.create(batch=batch, number=2, block=1, cells=["611-22-23-33", "Rosa Canary"], outcome="refused")
    LeadExport.objects.create(at=MONDAY, kind="csv", filters={"q": EMAIL}, leads=1)
    return lead


@pytest.mark.django_db(transaction=True)
def test_erasure_leaves_nothing_of_the_person_anywhere_and_every_count_as_it_was(world):
    lead = leave_traces(world)
    other = world.api("key_a").post("leads", {"contact": {"name": "Otto", "email": "otto@other.example"}}).json()
    assert {place.split(":")[0] for place in rows_with_marks()} >= {
        "routing_contact", "routing_lead", "routing_task", "routing_offer", "routing_intakerequest",
        "routing_refusedintake", "routing_leadevent", "routing_setback", "routing_importrow", "routing_leadexport",
    }  # fmt: skip
    before = counted(world)
    erased = erase_person(find(email=EMAIL.upper()), at=clock.now())
    assert rows_with_marks() == []
    assert counted(world) == before
    assert list(violations()) == []
    assert erased["routing.Lead"] == 2
    assert Contact.objects.get(email="otto@other.example").name == "Otto"
    assert world.api("key_a").get(f"leads/{other['id']}").json()["contact"]["name"] == "Otto"
    assert world.api("key_a").get(f"leads/{lead.pk}").json()["contact"]["email"] in (None, "")


@pytest.mark.django_db(transaction=True)
def test_a_number_that_somebody_else_sent_after_their_lead_is_erased_with_its_owner(world):
    world.api("key_a").post("leads", LEAD)
    known = world.sources["landing"]
    known.known = "event"
    known.save()
    otto = {"name": "Otto", "email": "otto@other.example"}
    for number, contact in enumerate((otto, otto | {"phone": PHONE}, otto | {"chat": "@Canary_Rosa"}, otto)):
        answer = world.api("key_a").post("leads", {"contact": contact, "comment": str(number)})
        assert answer.status_code in (200, 201)
    erase_person(find(email=EMAIL), at=clock.now())
    assert rows_with_marks() == []
    kept = Activity.objects.order_by("created_at").values_list("data__comment", "as_sent")
    assert list(kept) == [("1", None), ("2", None), ("3", {"contact": otto, "company": None})]


def counted(world: World) -> object:
    assert world.trigger is not None
    assert world.trigger.registry is not None
    return (
        Lead.objects.count(),
        sorted(Lead.objects.values_list("pk", "state", "stage", "responsible", "score")),
        sorted(Offer.objects.values_list("pk", "outcome", "closed_at")),
        balances(world.trigger.registry),
    )


@pytest.mark.django_db(transaction=True)
def test_the_same_request_and_number_after_erasure_is_no_new_lead(world):
    leave_traces(world)
    erase_person(find(email=EMAIL), at=clock.now())
    leads = Lead.objects.count()
    again = world.api("key_a").post("leads", LEAD, idempotency_key="k-1")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert Lead.objects.count() == leads
    assert IntakeRequest.objects.get(key="k-1").answer == '{"erased": true}'


@pytest.mark.django_db
def test_an_export_has_everything_of_the_person_and_nothing_of_others():
    world = make_world()
    world.api("key_a").post("leads", LEAD, idempotency_key="k-1")
    world.api("key_a").post("leads", {"contact": {"name": "Otto", "email": "otto@other.example"}})
    world.api("key_a").post("leads", {**LEAD, "budget": "much"})
    document = json.dumps(export_person(find(phone="611222333 ", email=EMAIL), at=clock.now()), default=str)
    for mark in MARKS:
        assert mark in document
    assert "much" in document, "what was refused is kept, and so exported"
    assert "otto" not in document.lower()
    assert AuditEntry.objects.get(action="exported").facts == {"contacts": 1}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        b'{"contact": {"email": "Canary.Rosa@SECRET.example"}}',
        b'{"phone": "0034-611-22-23-33"}',
        "phone=(611) 222 333 \xff".encode("latin-1"),
        '{"chat": "@рита_канарейка"}'.encode(),
    ],
)
def test_the_journal_is_searched_as_people_write(body):
    contact = make_contact(EMAIL, phone="+34611222333", chat="@рита_канарейка")
    RefusedIntake.objects.create(at=MONDAY, code="x", problem={}, body=body, size=len(body))
    kept = RefusedIntake.objects.create(at=MONDAY, code="x", problem={}, body=b'{"phone": "+34 699 000 000"}', size=9)
    erase = person_of([contact])
    assert [row.pk for row in journal_of(erase)] == [kept.pk - 1]


@pytest.mark.django_db
def test_the_command_exports_and_asks_before_it_erases(capsys, monkeypatch):
    stage()
    take(contact={"name": NAME, "email": EMAIL})
    call_command("person", "export", "--email", EMAIL)
    assert json.loads(capsys.readouterr().out)["places"]["routing.Contact"][0]["name"] == NAME
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(CommandError):
        call_command("person", "erase", "--email", EMAIL)
    assert Contact.objects.filter(name=NAME).exists()
    with pytest.raises(CommandError, match="Name the person"):
        call_command("person", "export")


@pytest.mark.django_db(transaction=True)
def test_what_identifies_nobody_names_nobody_to_erase():
    make_pipeline()
    one, two = (take(contact={"name": name, "email": "info@client.example"}).contact for name in ("Rosa", "Tom"))
    for what in ("export", "erase"):
        with pytest.raises(CommandError, match="--contact") as refused:
            call_command("person", what, "--email", "info@client.example", "--yes")
        assert f"{one.pk} Rosa" in str(refused.value)
        assert f"{two.pk} Tom" in str(refused.value)
    call_command("person", "erase", "--contact", str(one.pk), "--yes")
    assert not ContactPoint.objects.filter(contact=one).exists()
    assert ContactPoint.objects.filter(contact=two, text="info@client.example").exists()


def test_the_admin_erases_after_a_page_that_asks_for_a_word(client, world):
    leave_traces(world)
    contact = Contact.objects.get(email=EMAIL)
    client.force_login(make_user("adam", group="Administrators", is_staff=True))
    chosen = {"action": "erase", "_selected_action": [str(contact.pk)]}
    page = client.post("/admin/routing/contact/", chosen)
    assert "They have 2 leads" in page.content.decode()
    client.post("/admin/routing/contact/", chosen | {"confirm": "yes"})
    assert Contact.objects.filter(pk=contact.pk, email=EMAIL).exists()
    export = client.post("/admin/routing/contact/", chosen | {"action": "export_person"})
    assert export.json()["places"]["routing.Contact"][0]["email"] == EMAIL
    client.post("/admin/routing/contact/", chosen | {"confirm": "erase"})
    assert rows_with_marks() == []
    assert AuditEntry.objects.get(action="erased").about == f"routing_contact:{contact.pk}"


@pytest.mark.django_db
def test_a_supervisor_neither_exports_nor_erases(client):
    stage()
    take(contact={"name": NAME, "email": EMAIL})
    client.force_login(make_supervisor())
    for action in ("erase", "export_person"):
        chosen = {"action": action, "_selected_action": [str(Contact.objects.get().pk)], "confirm": "erase"}
        client.post("/admin/routing/contact/", chosen)
    assert Contact.objects.get().name == NAME
    assert not AuditEntry.objects.filter(action__in=["erased", "exported"]).exists()


# Retention


def make_old_rows(number: int, *, days: int) -> None:
    at = clock.now() - timedelta(days=days)
    RefusedIntake.objects.bulk_create(
        RefusedIntake(at=at, code="x", problem={}, body=b"", size=0) for _ in range(number)
    )
    IntakeRequest.objects.bulk_create(
        IntakeRequest(owner="account", route="lead", key=f"{days}-{n}", fingerprint="", created_at=at)
        for n in range(number)
    )


@pytest.mark.django_db
def test_rows_go_when_they_were_kept_long_enough_and_no_sooner(settings, monkeypatch):
    monkeypatch.setattr("routing.personal_data.retention.BATCH", 3)
    make_old_rows(10, days=31)
    make_old_rows(2, days=29)
    removed = prune(at=clock.now())
    assert removed == {"intake journal": 10, "idempotency keys": 10}
    assert (RefusedIntake.objects.count(), IntakeRequest.objects.count()) == (2, 2)
    assert prune(at=clock.now()) == {}
    settings.RETENTION = settings.RETENTION | {"JOURNAL_DAYS": 0, "IDEMPOTENCY_DAYS": 1}
    assert prune(at=clock.now()) == {"idempotency keys": 2}, "29 days are more than the seven that a key lives at least"
    assert RefusedIntake.objects.count() == 2


@pytest.mark.django_db
def test_a_run_of_retention_ends_in_time_and_the_next_goes_on(monkeypatch):
    make_old_rows(10, days=31)
    assert prune(at=clock.now(), seconds=0) == {}
    assert prune(at=clock.now())["intake journal"] == 10


@pytest.mark.django_db(transaction=True)
def test_people_are_forgotten_when_nothing_was_heard_for_long_and_nothing_is_under_way(settings):
    settings.RETENTION = settings.RETENTION | {"PERSON_DAYS": 365}
    ann = make_manager()
    make_trigger(members=[ann], **asking_acceptance())
    old = take(at=clock.now() - timedelta(days=400), contact={"name": "Old", "email": "old@client.example"})
    take(at=clock.now() - timedelta(days=400), contact={"name": "Open", "email": "open@client.example"})
    take(at=clock.now(), contact={"name": "New", "email": "new@client.example"})
    move_lead(old.pk, stage("sales/lost").pk, at=clock.now())
    assert prune(at=clock.now()) == {"people": 1}
    assert sorted(Contact.objects.values_list("name", flat=True)) == ["", "New", "Open"]
    assert prune(at=clock.now()) == {}
