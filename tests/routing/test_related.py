"""What goes along with a lead: contact, company, tasks, and other leads of theirs."""

import pytest

from accounts.models import Manager
from routing.models import Decision, Lead, LeadEvent, Task
from routing.services.assignment import reassign
from routing.services.intake import take_leads
from routing.services.offers import accept_offer, decline_offer
from routing.services.stages import move_lead
from routing.services.sweep import Swept, sweep
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    form,
    fresh,
    make_company,
    make_contact,
    make_lead,
    make_manager,
    make_source,
    make_supervisor,
    make_task,
    make_trigger,
    outcomes,
    owners,
    reason,
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


def test_open_offers_of_related_leads_are_withdrawn_when_the_lead_is_accepted():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], also_assign=["contact_leads"], **asking_acceptance())
    first = take(contact=ANA)
    second = take(contact=ANA)
    assert owners([first, second]) == "AB"
    accept_offer(second.pk, at=MONDAY)
    assert owners([first, second]) == "BB"
    assert (fresh(first).state, outcomes(first)) == ("assigned", ["withdrawn"])
    assert (fresh(second).state, outcomes(second)) == ("assigned", ["accepted"])
    assert sweep(at=MONDAY + DAY) == Swept()


# Where acceptance is asked


@pytest.fixture
def offered(world):
    """Return the world with a new lead of Ana's on offer to Ann, and an open task of Max's."""
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], also_assign=ALL, **asking_acceptance())
    lead = take(contact=ANA, company=RUIZ)
    before = Manager.objects.get(user__name="Max")
    return world | {"lead": lead, "task": make_task(lead, responsible=before)}


RELATED = ("contact", "company", "hers", "colleagues", "task")


def related(world):
    for row in world.values():
        row.refresh_from_db()
    return whose(world[name] for name in RELATED)


def test_an_offer_takes_nothing_along(offered):
    assert related(offered) == "MMMMM"
    assert not LeadEvent.objects.exists()


@pytest.mark.parametrize("how", ["declined", "timed out", "withdrawn"])
def test_what_ends_unaccepted_has_moved_nothing(offered, how):
    lead, bob = offered["lead"], Manager.objects.get(user__name="Bob")
    if how == "declined":
        decline_offer(lead.pk, at=MONDAY)
    elif how == "timed out":
        sweep(at=MONDAY + HOUR)
    else:
        reassign(lead.pk, bob.pk, at=MONDAY)
    assert owners([lead]) == "B"
    assert related(offered) == "MMMMM"


@pytest.mark.parametrize("how", ["page", "moved"])
def test_everything_follows_who_accepts(offered, how):
    decline_offer(offered["lead"].pk, at=MONDAY)
    if how == "page":
        accept_offer(offered["lead"].pk, at=MONDAY + MINUTE)
    else:
        move_lead(offered["lead"].pk, stage("sales/accepted").pk, at=MONDAY + MINUTE)
    assert related(offered) == "BBBBB"
    assert whose([offered["won"], offered["strangers"]]) == "MM"
    told = LeadEvent.objects.filter(kind__in=["handed_along", "handed_over"]).order_by("id")
    assert [(e.at, e.data.get("object", "lead")) for e in told] == [
        (MONDAY + MINUTE, kind) for kind in ("contact", "company", "task", "lead", "lead")
    ]


def test_leads_that_somebody_accepted_stay_where_they_are_not_ticked(world):
    make_trigger(members=[make_manager("ann")], also_assign=["contact", "company", "tasks"], **asking_acceptance())
    accept_offer(take(contact=ANA, company=RUIZ).pk, at=MONDAY)
    for row in world.values():
        row.refresh_from_db()
    assert whose(world[name] for name in ("contact", "company", "hers", "colleagues")) == "AAMM"


@pytest.mark.parametrize("step", ["keep", "duty"])
def test_a_lead_that_nobody_accepted_takes_along_no_lead_that_somebody_has(world, step):
    ann = make_manager("ann")
    waiting = make_lead(contact=world["contact"])
    make_trigger(members=[ann], also_assign=ALL, duty=ann, **asking_acceptance(final_step=step))
    lead = take(contact=ANA, company=RUIZ)
    decline_offer(lead.pk, at=MONDAY)
    for row in world.values():
        row.refresh_from_db()
    assert (fresh(lead).state, owners([lead, waiting])) == ("assigned", "AA")
    assert whose(world[name] for name in ("contact", "company", "hers", "colleagues")) == "AAMM"


def test_of_leads_of_one_person_that_are_accepted_the_last_decides():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], also_assign=["contact"], **asking_acceptance())
    contact = make_contact()
    first, second = take(contact=ANA), take(contact=ANA)
    accept_offer(second.pk, at=MONDAY)
    accept_offer(first.pk, at=MONDAY)
    contact.refresh_from_db()
    assert (owners([first, second]), whose([contact])) == ("AB", "A")


def test_accepted_by_moving_it_the_next_trigger_knows_whose_the_contact_is():
    ann, bob, cid = make_manager("ann"), make_manager("bob"), make_manager("cid")
    make_trigger(members=[ann], also_assign=["contact"], **asking_acceptance())
    make_trigger("next", on_stage="sales/accepted", members=[bob, cid], responsible_check=["contact"])
    lead = take(contact=ANA)
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY)
    assert (owners([lead]), reason(lead)) == ("A", "responsible")


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


# By hand


def test_by_hand_nothing_goes_along_that_was_not_asked_for(world):
    reassign(world["hers"].pk, make_manager("ann").pk, at=MONDAY)
    for row in world.values():
        row.refresh_from_db()
    assert whose(world.values()) == "MMAMMM"


@pytest.mark.parametrize(
    ("also", "expected"), [(["contact"], "AMM"), (["company"], "MAM"), (["tasks"], "MMA"), (ALL[:3], "AAA")]
)
def test_by_hand_contact_company_and_tasks_go_along_where_asked(world, also, expected):
    ann, sue = make_manager("ann"), make_supervisor()
    lead = make_lead(contact=world["contact"], company=world["company"])
    task = make_task(lead, responsible=Manager.objects.get(user__name="Max"))
    reassign(lead.pk, ann.pk, at=MONDAY, by=sue, also=also)
    for row in (*world.values(), task):
        row.refresh_from_db()
    assert whose([world["contact"], world["company"], task]) == expected
    assert whose([world["hers"], world["colleagues"]]) == "MM"
    told = LeadEvent.objects.filter(lead=lead, kind="handed_along").order_by("id")
    assert [(e.by, e.data["object"], e.data["to"]) for e in told] == [
        (sue, kind.removesuffix("s"), ann.pk) for kind in ALL[:3] if kind in also
    ]


def test_by_hand_twice_is_told_once_of_what_went_along(world):
    ann = make_manager("ann")
    for _ in range(2):
        reassign(world["hers"].pk, ann.pk, at=MONDAY, also=ALL[:3])
    assert LeadEvent.objects.filter(kind="handed_along").count() == 1
