"""What goes along with a lead: contact, company, tasks, and other leads of theirs."""

import pytest

from accounts.models import Manager
from routing.models import Decision, Lead, LeadEvent, Task
from routing.services.intake import take_leads
from routing.services.offers import decline_offer
from routing.services.stages import move_lead
from routing.services.sweep import Swept, sweep
from tests.factories import (
    DAY,
    MONDAY,
    asking_acceptance,
    form,
    fresh,
    make_company,
    make_contact,
    make_lead,
    make_manager,
    make_source,
    make_task,
    make_trigger,
    outcomes,
    owners,
    stage,
    take,
)

pytestmark = pytest.mark.django_db

ALL = ["contact", "company", "tasks", "contact_leads", "company_leads"]
ANA, RUIZ = {"email": "ana@client.example"}, {"name": "Ruiz SL"}


@pytest.fixture
def world():
    """Return somebody known, with leads and tasks; Max looks after all of it."""
    other = make_manager("max")
    company = make_company(responsible=other)
    contact = make_contact(responsible=other, company=company)
    hers = {"state": "assigned", "responsible": other}
    world = {
        "contact": contact,
        "company": company,
        "hers": make_lead(contact=contact, **hers),
        "colleagues": make_lead(company=company, **hers),
        "won": make_lead(contact=contact, company=company, in_stage="sales/won", **hers),
        "strangers": make_lead(**hers),
    }
    return world


def whose(rows):
    return "".join(row.responsible.user.name[0] if row.responsible else "-" for row in rows)


def taken(also_assign):
    make_trigger(members=[make_manager("ann")], also_assign=also_assign)
    return take(contact=ANA, company=RUIZ)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("contact", {"contact"}),
        ("company", {"company"}),
        ("contact_leads", {"hers"}),
        ("company_leads", {"colleagues"}),
    ],
)
def test_each_kind_is_handed_over_where_it_is_ticked_and_nothing_else(world, kind, changed):
    lead = taken([kind])
    for row in world.values():
        row.refresh_from_db()
    assert {name for name, row in world.items() if row.responsible == lead.responsible} == changed
    assert all(row.responsible.user.name == "Max" for name, row in world.items() if name not in changed)


def test_nothing_ticked_nothing_is_handed_over(world):
    taken([])
    for row in world.values():
        row.refresh_from_db()
    assert whose(world.values()) == "MMMMMM"


def test_open_tasks_of_the_lead_go_along():
    bob = make_manager("bob")
    make_trigger(on_stage="sales/accepted", members=[make_manager("ann")], also_assign=["tasks"])
    lead = make_lead()
    open_task = make_task(lead, responsible=bob)
    unowned = make_task(lead)
    done = make_task(lead, responsible=bob, done_at=MONDAY)
    another = make_task(make_lead(), responsible=bob)
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY)
    tasks = Task.objects.in_bulk()
    assert whose(tasks[task.pk] for task in (open_task, unowned, done, another)) == "AABB"


def test_handing_over_fires_no_trigger_and_knows_no_limit(world):
    ann = make_manager("ann")
    make_trigger(members=[{"manager": ann, "limit": 1}], also_assign=ALL)
    take(contact=ANA, company=RUIZ)
    assert Decision.objects.count() == 1
    assert Lead.objects.filter(responsible=ann).count() == 3
    assert fresh(world["hers"]).state == "assigned"


def test_a_hand_over_is_written_in_the_leads_story(world):
    lead = taken(["contact_leads"])
    event = LeadEvent.objects.get()
    assert (event.lead, event.kind) == (world["hers"], "handed_over")
    before = Manager.objects.get(user__name="Max")
    assert event.data == {"with": str(lead.pk), "from": before.pk, "to": lead.responsible.pk}


def test_who_had_the_contact_the_company_and_the_tasks_before_is_written_in_the_leads_story(world):
    bob = make_manager("bob")
    make_trigger(on_stage="sales/accepted", members=[make_manager("ann")], also_assign=["contact", "company", "tasks"])
    lead = make_lead(contact=world["contact"], company=world["company"])
    task = make_task(lead, responsible=bob)
    ann = move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY).responsible
    before = Manager.objects.get(user__name="Max")
    events = LeadEvent.objects.filter(lead=lead, kind="handed_along")
    assert [(e.at, e.data["object"], e.data["id"], e.data["from"], e.data["to"]) for e in events] == [
        (MONDAY, "contact", str(world["contact"].pk), before.pk, ann.pk),
        (MONDAY, "company", str(world["company"].pk), before.pk, ann.pk),
        (MONDAY, "task", task.pk, bob.pk, ann.pk),
    ]


def test_what_stays_with_whom_it_was_is_no_hand_over():
    ann = make_manager("ann")
    make_trigger(members=[ann], also_assign=ALL)
    make_contact(responsible=ann)
    take(contact=ANA)
    assert not LeadEvent.objects.exists()


def test_leads_that_waited_or_were_idle_are_handed_over_as_well():
    contact = make_contact()
    idle = make_lead(contact=contact)
    trigger = make_trigger(members=[make_manager("ann")], also_assign=["contact_leads"])
    waiting = make_lead(contact=contact, state="waiting", trigger=trigger, in_stage="sales/accepted", score=-1)
    take(contact=ANA)
    assert (fresh(idle).state, fresh(waiting).state) == ("assigned", "assigned")
    assert owners([idle, waiting]) == "AA"


def test_open_offers_of_related_leads_are_withdrawn():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], also_assign=["contact_leads"], **asking_acceptance())
    first = take(contact=ANA)
    second = take(contact=ANA)
    assert owners([first, second]) == "BB"
    assert (fresh(first).state, outcomes(first)) == ("assigned", ["withdrawn"])
    assert (fresh(second).state, outcomes(second)) == ("offered", [""])
    assert sweep(at=MONDAY + DAY) == Swept(expired=1)
    assert outcomes(first) == ["withdrawn"]


def test_redistributed_everything_goes_along_again(world):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], also_assign=ALL, **asking_acceptance())
    lead = take(contact=ANA, company=RUIZ)
    decline_offer(lead.pk, at=MONDAY)
    for row in world.values():
        row.refresh_from_db()
    assert whose(world[name] for name in ("contact", "company", "hers", "colleagues")) == "BBBB"


def test_a_lead_without_contact_or_company_takes_nobody_elses_along():
    company = make_company("Other SL")
    bystander = make_lead(company=company)
    make_trigger(members=[make_manager("ann")], also_assign=ALL)
    take(contact={"phone": "+34 600 000 001"})
    assert owners([bystander]) == "-"


def test_leads_of_one_person_in_one_request_end_with_one_manager():
    make_trigger(members=[make_manager("ann"), make_manager("bob")], also_assign=["contact", "contact_leads"])
    forms = [form(contact=ANA) for _ in range(3)]
    leads = [each.lead_id for each in take_leads(forms, source_id=make_source().pk, at=MONDAY)]
    rows = Lead.objects.in_bulk(leads)
    names = {rows[id_].responsible.user.name for id_ in leads}
    assert names == {rows[leads[-1]].contact.responsible.user.name}


def test_nobody_found_nothing_is_handed_over(world):
    make_trigger(members=[make_manager("ann", active=False)], also_assign=ALL)
    take(contact=ANA, company=RUIZ)
    for row in world.values():
        row.refresh_from_db()
    assert whose(world.values()) == "MMMMMM"
