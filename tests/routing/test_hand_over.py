"""All of a manager's leads handed over at once: previewed, done, undone within a day."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Manager
from routing import audit
from routing.engine import LEAD
from routing.exceptions import Conflict, NotFound
from routing.models import Adjustment, Decision, HandedLead, HandOver, Lead, LeadEvent, Offer, Task, new_id
from routing.services import hand_over as service
from routing.services.assignment import reassign
from routing.services.hand_over import continue_hand_over, hand_over, preview_hand_over, undo_hand_over
from routing.services.offers import accept_offer
from routing.services.stages import move_lead
from routing.services.sweep import sweep
from tests.factories import (
    DAY,
    HOUR,
    MONDAY,
    asking_acceptance,
    balances,
    fresh,
    hold,
    make_company,
    make_contact,
    make_lead,
    make_manager,
    make_registry,
    make_supervisor,
    make_task,
    make_trigger,
    outcomes,
    owners,
    received,
    stage,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann():
    return make_manager("ann")


@pytest.fixture
def bob():
    return make_manager("bob")


@pytest.fixture
def cid():
    return make_manager("cid")


def given(batch):
    """Return who got how many leads of the batch, by name; "-" stayed."""
    return Counter(line.to.user.name if line.to else "-" for line in batch.lines.select_related("to__user"))


def hold_by(trigger, manager, leads, **facts):
    return [make_lead(state="assigned", responsible=manager, trigger=trigger, **facts) for _ in range(leads)]


def test_the_trigger_shares_them_among_its_other_members(ann, bob, cid):
    trigger = make_trigger(members=[(ann, 1), (bob, 40), (cid, 60)], **asking_acceptance())
    leads = hold_by(trigger, ann, 10)
    batch = hand_over(ann.pk, at=MONDAY, reason="leaves")
    assert given(batch) == {"Bob": 4, "Cid": 6}
    assert batch.finished_at == MONDAY
    assert {(fresh(lead).state, fresh(lead).round) for lead in leads} == {("assigned", 2)}  # nobody is asked to accept
    assert not Offer.objects.exists()


def test_a_preview_says_what_the_hand_over_does_and_writes_nothing(ann, bob, cid):
    book = make_registry()
    first = make_trigger(registry=book, members=[ann, {"manager": bob, "limit": 7}, cid])
    second = make_trigger("second", on_stage="service/new", registry=book, members=[ann, bob, cid], limit=9)
    hold_by(first, ann, 6)
    hold_by(second, ann, 6, in_stage="service/new")
    before = (balances(book), Lead.objects.count(), LeadEvent.objects.count())
    lines = preview_hand_over(ann.pk, at=MONDAY)
    assert (balances(book), Lead.objects.count(), LeadEvent.objects.count()) == before
    assert not Decision.objects.exists()
    assert not HandOver.objects.exists()
    batch = hand_over(ann.pk, at=MONDAY)
    done = {line.lead_id: (line.to_id, line.why) for line in batch.lines.all()}
    assert {line.lead.pk: (line.to, line.why) for line in lines} == done
    assert len(done) == 12


def test_it_counts_as_any_distribution_does(ann, bob, cid):
    trigger = make_trigger(members=[ann, bob, cid])
    hold_by(trigger, ann, 4)
    hand_over(ann.pk, at=MONDAY)
    assert balances(trigger) == {"Bob": 0, "Cid": 0}
    assert received(trigger) == {"Bob": 2, "Cid": 2}
    assert list(audit.violations()) == []


def test_all_may_go_to_one_person_and_count_nowhere(ann, bob):
    trigger = make_trigger(members=[ann, bob], limit=1)
    leads = take_some(2)
    hold(ann, 3)
    before = balances(trigger)
    batch = hand_over(ann.pk, at=MONDAY, to=bob.pk)
    assert given(batch) == {"Bob": 4}
    assert (owners(leads), balances(trigger)) == ("BB", before)


def test_limits_skills_and_pauses_hold_and_what_nobody_can_take_stays(ann, bob):
    trigger = make_trigger(members=[ann, {"manager": bob, "limit": 2}])
    hold_by(trigger, ann, 3)
    hold(ann)  # a stage with a trigger: it decides, whoever gave Ann the lead
    batch = hand_over(ann.pk, at=MONDAY)
    assert given(batch) == {"Bob": 2, "-": 2}
    assert set(batch.lines.filter(to=None).values_list("why", flat=True)) == {"nobody"}


def test_the_trigger_that_distributed_a_lead_last_decides_where_its_stage_has_none(ann, bob):
    trigger = make_trigger(members=[ann, bob])
    worked = hold_by(trigger, ann, 1, in_stage="sales/accepted")
    by_hand = hold(ann, in_stage="sales/accepted")
    batch = hand_over(ann.pk, at=MONDAY)
    assert owners(worked + by_hand) == "BA"
    assert list(batch.lines.filter(to=None).values_list("why", flat=True)) == ["no_trigger"]


def test_closed_leads_and_other_stages_stay(ann, bob):
    won = hold(ann, in_stage="sales/won")
    new, accepted = hold(ann), hold(ann, in_stage="sales/accepted")
    hand_over(ann.pk, at=MONDAY, to=bob.pk, stages=[stage("sales/accepted").pk])
    assert owners(won + new + accepted) == "AAB"


def test_an_open_offer_is_withdrawn_and_one_that_nobody_can_take_stays_open(ann, bob):
    make_trigger(members=[ann, {"manager": bob, "limit": 1}], **asking_acceptance())
    leads = take_some(3)  # Ann, Bob, Ann
    assert owners(leads) == "ABA"
    hand_over(ann.pk, at=MONDAY)
    assert owners(leads) == "ABA"
    assert outcomes(leads[0]) == [""]
    accept_offer(leads[1].pk, at=MONDAY)
    move_lead(leads[1].pk, stage("sales/won").pk, at=MONDAY)
    hand_over(ann.pk, at=MONDAY)
    assert sorted(owners([leads[0], leads[2]])) == ["A", "B"]
    assert list(audit.violations()) == []


def test_an_old_customer_goes_to_whose_they_are(ann, bob, cid):
    trigger = make_trigger(members=[ann, bob], responsible_check=["contact"])
    contact = make_contact(responsible=cid)
    [lead] = hold_by(trigger, ann, 1, contact=contact)
    batch = hand_over(ann.pk, at=MONDAY)
    assert (owners([lead]), batch.lines.get().why) == ("C", "responsible")


def test_tasks_contact_and_company_go_along_where_they_are_the_managers(ann, bob):
    contact, company = make_contact(responsible=ann), make_company(responsible=ann)
    lead = make_lead(state="assigned", responsible=ann, contact=contact, company=company)
    mine, done, other = (
        make_task(lead, responsible=ann),
        make_task(lead, responsible=ann, done_at=MONDAY),
        make_task(lead),
    )
    batch = hand_over(ann.pk, at=MONDAY, to=bob.pk, also=["tasks", "contact", "company"], by=make_supervisor())
    for row in (contact, company, mine, done, other):
        row.refresh_from_db()
    assert (contact.responsible, company.responsible, mine.responsible) == (bob, bob, bob)
    assert (done.responsible, other.responsible) == (ann, None)
    assert LeadEvent.objects.filter(lead=lead, kind="handed_along").count() == 3
    undo_hand_over(batch.pk, at=MONDAY)
    for row in (contact, company, mine):
        row.refresh_from_db()
    assert (contact.responsible, company.responsible, mine.responsible) == (ann, ann, ann)


def test_nothing_goes_along_that_was_not_asked_for(ann, bob):
    contact = make_contact(responsible=ann)
    make_lead(state="assigned", responsible=ann, contact=contact)
    hand_over(ann.pk, at=MONDAY, to=bob.pk)
    contact.refresh_from_db()
    assert contact.responsible == ann


def test_it_is_written_in_the_leads_story(ann, bob):
    sue = make_supervisor()
    [lead] = hold(ann)
    batch = hand_over(ann.pk, at=MONDAY, to=bob.pk, by=sue, reason="leaves")
    undo_hand_over(batch.pk, at=MONDAY + HOUR, by=sue)
    handed, back = LeadEvent.objects.filter(lead=lead)
    assert (handed.kind, handed.by, handed.data["reason"]) == ("handed_all", sue, "leaves")
    assert (handed.data["from"], handed.data["to"]) == (ann.pk, bob.pk)
    assert (back.kind, back.at, back.data["from"], back.data["to"]) == ("handed_back", MONDAY + HOUR, bob.pk, ann.pk)


def test_undone_everybody_stands_as_before(ann, bob, cid):
    trigger = make_trigger(members=[ann, (bob, 1), (cid, 3)])
    take_some(7)
    before = balances(trigger), received(trigger), Counter(Lead.objects.values_list("responsible", flat=True))
    batch = hand_over(ann.pk, at=MONDAY)
    assert balances(trigger) != before[0]
    undone = undo_hand_over(batch.pk, at=MONDAY + DAY - HOUR)
    assert undone.undone_at == MONDAY + DAY - HOUR
    after = balances(trigger), received(trigger), Counter(Lead.objects.values_list("responsible", flat=True))
    assert after == before
    assert sum(Adjustment.objects.filter(kind="undone").values_list("amount", flat=True)) == 0
    assert list(audit.violations()) == []


def test_leads_that_moved_on_are_left_where_they_are(ann, bob, cid):
    leads = hold(ann, 4)
    batch = hand_over(ann.pk, at=MONDAY, to=bob.pk)
    reassign(leads[0].pk, cid.pk, at=MONDAY)
    move_lead(leads[1].pk, stage("sales/accepted").pk, at=MONDAY)
    undo_hand_over(batch.pk, at=MONDAY)
    assert owners(leads) == "CBAA"
    assert Counter(batch.lines.values_list("undone", flat=True)) == {"left": 2, "back": 2}


def test_it_is_undone_once_within_a_day_and_to_who_is_active(ann, bob):
    hold(ann)
    batch = hand_over(ann.pk, at=MONDAY, to=bob.pk)
    with pytest.raises(Conflict):
        undo_hand_over(batch.pk, at=MONDAY + DAY)
    Manager.objects.filter(pk=ann.pk).update(active=False)
    with pytest.raises(Conflict):
        undo_hand_over(batch.pk, at=MONDAY)
    Manager.objects.filter(pk=ann.pk).update(active=True)
    undo_hand_over(batch.pk, at=MONDAY)
    with pytest.raises(Conflict):
        undo_hand_over(batch.pk, at=MONDAY)
    with pytest.raises(NotFound):
        undo_hand_over(new_id(), at=MONDAY)


@pytest.mark.parametrize("whom", ["ann", "inactive"])
def test_leads_go_to_somebody_else_who_is_active(ann, whom):
    to = ann if whom == "ann" else make_manager("eve", active=False)
    for service_ in (hand_over, preview_hand_over):
        with pytest.raises(Conflict):
            service_(ann.pk, at=MONDAY, to=to.pk)
    assert not HandOver.objects.exists()


def test_who_left_already_is_relieved_as_well(ann, bob):
    Manager.objects.filter(pk=ann.pk).update(active=False)
    hold(ann, 2)
    assert given(hand_over(ann.pk, at=MONDAY, to=bob.pk)) == {"Bob": 2}


def test_many_leads_go_in_transactions_of_their_own_by_the_worker(ann, bob, cid, monkeypatch):
    monkeypatch.setattr(service, "AT_ONCE", 3)
    trigger = make_trigger(members=[ann, bob, cid])
    hold_by(trigger, ann, 8)
    batch = hand_over(ann.pk, at=MONDAY)
    assert (batch.lines.count(), batch.leads, batch.is_running) == (3, 8, True)
    lines = preview_hand_over(ann.pk, at=MONDAY)
    assert continue_hand_over(batch.pk, at=MONDAY + HOUR)
    sweep(at=MONDAY + HOUR)
    assert HandOver.objects.get().finished_at == MONDAY + HOUR
    assert not continue_hand_over(batch.pk, at=MONDAY + HOUR)
    assert given(batch) == {"Bob": 4, "Cid": 4}
    assert {x.lead.pk: x.to for x in lines} == dict(HandedLead.objects.order_by("id").values_list("lead", "to")[3:8])
    assert list(audit.violations()) == []
    undone = undo_hand_over(batch.pk, at=MONDAY + HOUR)
    assert (Lead.objects.filter(responsible=ann).count(), undone.is_running) == (3, True)
    with pytest.raises(Conflict):
        undo_hand_over(batch.pk, at=MONDAY + HOUR)
    sweep(at=MONDAY + 2 * HOUR)
    assert Lead.objects.filter(responsible=ann).count() == 8
    assert HandOver.objects.get().undone_at == MONDAY + 2 * HOUR
    assert balances(trigger) == {"Bob": 0, "Cid": 0}


def test_a_worker_that_is_killed_leaves_nothing_half_done_and_the_next_goes_on(ann, bob, monkeypatch):
    class Killed(BaseException):
        pass

    monkeypatch.setattr(service, "AT_ONCE", 2)
    trigger = make_trigger(members=[ann, bob])
    hold_by(trigger, ann, 6)
    batch = hand_over(ann.pk, at=MONDAY)
    with monkeypatch.context() as patch:
        patch.setattr(LeadEvent.objects, "bulk_create", raising(Killed))
        with pytest.raises(Killed):
            continue_hand_over(batch.pk, at=MONDAY)
    assert (batch.lines.count(), Lead.objects.filter(responsible=bob).count()) == (2, 2)
    sweep(at=MONDAY)
    assert given(batch) == {"Bob": 6}
    assert Decision.objects.filter(chosen=bob).count() == 6
    assert LeadEvent.objects.filter(kind=LeadEvent.Kind.HANDED_ALL).count() == 6


def raising(error):
    def broken(*args, **kwargs):
        raise error

    return broken


def test_a_lead_that_fails_stays_and_the_others_go(ann, bob, monkeypatch):
    monkeypatch.setattr(service, "AT_ONCE", 2)
    trigger = make_trigger(members=[ann, bob])
    leads = hold_by(trigger, ann, 6)
    batch = hand_over(ann.pk, at=MONDAY)
    bad = Lead.objects.filter(responsible=ann).best_first()[1]
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION bad_lead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.id = '{bad.pk}' THEN RAISE EXCEPTION 'bad'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER bad_lead BEFORE UPDATE ON routing_lead FOR EACH ROW EXECUTE FUNCTION bad_lead()"
        )
    sweep(at=MONDAY)
    sweep(at=MONDAY)
    assert given(batch) == {"Bob": 5, "-": 1}
    assert HandedLead.objects.get(to=None).why == "failed"
    assert (fresh(bad).responsible, len(leads), HandOver.objects.get().is_running) == (ann, 6, False)


def test_leads_stay_when_the_one_who_should_get_them_leaves_meanwhile(ann, bob, monkeypatch):
    monkeypatch.setattr(service, "AT_ONCE", 2)
    hold(ann, 5)
    batch = hand_over(ann.pk, at=MONDAY, to=bob.pk)
    Manager.objects.filter(pk=bob.pk).update(active=False)
    sweep(at=MONDAY)
    assert given(batch) == {"Bob": 2}
    assert Lead.objects.filter(responsible=ann).count() == 3
    assert not HandOver.objects.get().is_running


def test_statements_do_not_grow_with_the_leads(ann, bob):
    trigger, counted = make_trigger(members=[ann, bob]), []
    for hours, number in enumerate((2, 2, 20)):  # the first plans what the others run
        Lead.objects.update(responsible=bob)
        for lead in hold_by(trigger, ann, number):
            lead.contact = make_contact(email=f"{lead.pk}@client.example", responsible=ann)
            lead.company = make_company(str(lead.pk), responsible=ann)
            lead.save()
            make_task(lead, responsible=ann)
        at = MONDAY + hours * HOUR
        with CaptureQueriesContext(connection) as doing:
            batch = hand_over(ann.pk, at=at, also=["tasks", "contact", "company"])
        assert LeadEvent.objects.filter(kind=LeadEvent.Kind.HANDED_ALONG, at=at).count() == 3 * number
        with CaptureQueriesContext(connection) as undoing:
            undo_hand_over(batch.pk, at=at)
        assert Task.objects.filter(responsible=ann).count() == number
        assert list(audit.violations()) == []
        counted.append((len(doing), len(undoing)))
        Task.objects.all().delete()
    assert counted[1] == counted[2]


def test_duty_takes_what_nobody_can_where_the_trigger_says_so(ann, bob):
    boss = make_manager("dora")
    trigger = make_trigger(members=[ann, bob], limit=1, if_nobody="duty", duty=boss)
    hold_by(trigger, ann, 2)
    assert given(hand_over(ann.pk, at=MONDAY)) == {"Bob": 1, "Dora": 1}
    hold_by(trigger, boss, 1)
    assert given(hand_over(boss.pk, at=MONDAY)) == {"Ann": 1, "-": 1}


def test_one_lead_taken_again_counts_for_who_had_it(ann):
    """The unit of all this: a turn taken back is a whole lead."""
    trigger = make_trigger(members=[ann, make_manager("bob")])
    lead = take()
    assert balances(trigger) == {"Ann": -LEAD // 2, "Bob": LEAD // 2}
    batch = hand_over(ann.pk, at=MONDAY)
    assert balances(trigger) == {"Ann": -LEAD // 2, "Bob": LEAD // 2}
    assert owners([lead]) == "B"
    undo_hand_over(batch.pk, at=MONDAY)
    assert balances(trigger) == {"Ann": -LEAD // 2, "Bob": LEAD // 2}


# Contacts that nobody was responsible for


@pytest.mark.parametrize("chosen", [True, False], ids=["to one manager", "by the trigger"])
def test_who_gets_the_first_lead_of_a_contact_for_good_becomes_responsible_and_undone_the_other_is(ann, bob, chosen):
    make_trigger(members=[ann, bob], responsible_check=["contact"], **asking_acceptance())
    lead = take(contact={"email": "ana@client.example"})
    assert (owners([lead]), lead.contact.responsible) == ("A", None)
    batch = hand_over(ann.pk, at=MONDAY + HOUR, to=bob.pk if chosen else None)
    assert fresh(lead).contact.responsible == bob
    assert batch.lines.get().along == {"contact": [str(lead.contact_id)]}
    undo_hand_over(batch.pk, at=MONDAY + 2 * HOUR)
    assert (fresh(lead).responsible, fresh(lead).contact.responsible) == (ann, ann)
    events = LeadEvent.objects.filter(kind="handed_along").order_by("id")
    assert [(e.data["from"], e.data["to"]) for e in events] == [(None, bob.pk), (bob.pk, ann.pk)]
