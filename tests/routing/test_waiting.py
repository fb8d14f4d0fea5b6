"""Leads that wait are assigned as soon as somebody can take them: best score first, then oldest."""

import pytest

from accounts.models import Manager
from accounts.services import pause_manager, resume_manager
from routing.models import Decision, Heartbeat, Lead
from routing.services import sweep as sweeping
from routing.services.stages import move_lead
from routing.services.sweep import Swept, sweep
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    fresh,
    hold,
    make_lead,
    make_manager,
    make_schedule,
    make_trigger,
    owners,
    reason,
    stage,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db

SECOND = MINUTE / 60
EARLY = MONDAY.replace(hour=7)
OPENING = MONDAY.replace(hour=9)


def test_leads_that_wait_are_assigned_in_the_first_sweep_of_the_shift():
    make_trigger(
        members=[make_manager("ann", schedule=make_schedule()), make_manager("bob", schedule=None, active=False)]
    )
    leads = take_some(3, at=EARLY)
    assert sweep(at=OPENING - MINUTE / 60) == Swept()
    assert sweep(at=OPENING) == Swept(assigned=3)
    assert owners(leads) == "AAA"
    assert {reason(lead) for lead in leads} == {"fair_share"}


def test_who_resumes_gets_what_waits():
    ann = make_manager("ann")
    make_trigger(members=[ann])
    pause_manager(ann, at=EARLY)
    lead = take(at=EARLY)
    assert sweep(at=MONDAY).assigned == 0
    resume_manager(ann, at=MONDAY)
    assert sweep(at=MONDAY).assigned == 1
    assert owners([lead]) == "A"


def test_a_pause_that_ends_by_itself_releases_what_waits():
    ann = make_manager("ann")
    make_trigger(members=[ann])
    pause_manager(ann, at=EARLY, minutes=60)
    take(at=EARLY)
    assert sweep(at=EARLY + HOUR - MINUTE / 60).assigned == 0
    assert sweep(at=EARLY + HOUR).assigned == 1


def test_room_under_a_limit_releases_what_waits():
    ann = make_manager("ann")
    held = hold(ann, 2)
    make_trigger(limit=2, members=[ann])
    leads = take_some(3)
    assert sweep(at=MONDAY).assigned == 0
    move_lead(held[0].pk, stage("sales/won").pk, at=MONDAY)
    assert sweep(at=MONDAY).assigned == 1
    assert sorted(owners(leads)) == ["-", "-", "A"]


def test_a_change_of_configuration_releases_what_waits():
    ann = make_manager("ann", active=False)
    trigger = make_trigger(limit=0, members=[ann])
    lead = take()
    ann.active = True
    ann.save()
    assert sweep(at=MONDAY).assigned == 0
    trigger.limit = 1
    trigger.save()
    assert sweep(at=MONDAY).assigned == 1
    assert owners([lead]) == "A"


def test_the_best_score_goes_first_then_the_oldest():
    ann = make_manager("ann")
    trigger = make_trigger(limit=3, members=[ann])
    facts = {"state": "waiting", "trigger": trigger}
    young = make_lead(created_at=MONDAY - HOUR, **facts)
    old = make_lead(created_at=MONDAY - DAY, **facts)
    good = make_lead(created_at=MONDAY, score=10, **facts)
    bad = make_lead(created_at=MONDAY - 2 * DAY, score=-5, **facts)
    assert sweep(at=MONDAY).assigned == 3
    assert owners([good, old, young, bad]) == "AAA-"
    order = Decision.objects.filter(outcome="assigned").order_by("id").values_list("lead", flat=True)
    assert list(order) == [good.pk, old.pk, young.pk]


def test_a_new_lead_does_not_overtake_those_that_wait():
    ann = make_manager("ann", schedule=make_schedule())
    make_trigger(limit=2, members=[ann])
    waiting = [take(at=EARLY), take(at=EARLY + MINUTE)]
    new = take(at=OPENING)  # before the sweep has come round
    assert owners([*waiting, new]) == "AA-"
    assert new.state == "waiting"


def test_with_room_for_all_those_that_wait_and_a_new_lead_are_assigned_together():
    ann = make_manager("ann", schedule=make_schedule())
    make_trigger(members=[ann])
    waiting = take(at=EARLY)
    assert owners([waiting, take(at=OPENING)]) == "AA"
    assert list(
        Decision.objects.filter(outcome="assigned").order_by("id").values_list("lead__created_at", flat=True)
    ) == [
        EARLY,
        OPENING,
    ]


def test_however_many_wait_a_new_lead_does_not_overtake_them():
    ann = make_manager("ann", schedule=make_schedule())
    make_trigger(limit=101, members=[ann])
    take_some(120, at=EARLY)
    new = take(at=OPENING)
    sweep(at=OPENING)
    assert Lead.objects.filter(responsible=ann).count() == 101
    assert fresh(new).state == "waiting"


def test_a_waiting_lead_that_one_cannot_take_does_not_stop_the_next():
    make_trigger(members=[make_manager("ann", skills={"language": ["en"]})])
    spanish, english = take(language="es"), take(language="en")
    assert owners([spanish, english]) == "-A"
    another = take(language="en")
    assert owners([spanish, another]) == "-A"


def test_a_lead_for_which_nobody_is_found_again_is_left_as_it_is():
    make_trigger(members=[make_manager("ann", skills={"language": ["en"]})])
    lead = take(language="es")
    for _ in range(3):
        sweep(at=MONDAY + DAY)
    assert Decision.objects.count() == 1
    assert fresh(lead).state == "waiting"


def test_a_lead_that_waited_is_offered_where_the_trigger_asks_for_acceptance():
    make_trigger(members=[make_manager("ann", schedule=make_schedule())], **asking_acceptance())
    lead = take(at=EARLY)
    sweep(at=OPENING)
    assert fresh(lead).state == "offered"
    assert lead.offers.get().accept_by == OPENING + 10 * MINUTE


def test_a_lead_moved_away_no_longer_waits():
    make_trigger(on=["created"], members=[make_manager("ann", active=False)])
    lead = take()
    assert move_lead(lead.pk, stage("sales/lost").pk, at=MONDAY).state == "idle"


def test_each_trigger_looks_after_its_own():
    make_trigger("one", members=[make_manager("ann", schedule=make_schedule())])
    make_trigger("two", on_stage="support/new", members=[make_manager("max", active=False)])
    leads = [take(at=EARLY, pipeline="sales"), take(at=EARLY, pipeline="support")]
    assert sweep(at=OPENING).assigned == 1
    assert owners(leads) == "A-"


def test_a_waiting_leads_old_customer_may_have_got_a_manager():
    ann = make_manager("ann", active=False)
    make_trigger(members=[ann], responsible_check=["contact"])
    lead = take()
    lead.contact.responsible = make_manager("bob")
    lead.contact.save()
    assert sweep(at=MONDAY).assigned == 1
    assert (owners([lead]), reason(lead)) == ("B", "responsible")


def test_a_sweep_tells_that_it_ran():
    sweep(at=MONDAY)
    sweep(at=MONDAY + MINUTE)
    assert Heartbeat.objects.get(name="sweep").at == MONDAY + MINUTE


def test_more_leads_than_one_transaction_holds_are_assigned_in_one_sweep():
    trigger = make_trigger(members=[make_manager("ann"), make_manager("bob")])
    template = make_lead(state="waiting", trigger=trigger)
    facts = {"source": template.source, "stage": template.stage, "trigger": trigger, "state": "waiting"}
    Lead.objects.bulk_create(Lead(created_at=MONDAY, arrived_at=MONDAY, **facts) for _ in range(600))
    assert sweep(at=MONDAY).assigned == 601
    assert not Lead.objects.waiting().exists()
    assert sorted(Lead.objects.filter(responsible__user__name=name).count() for name in ("Ann", "Bob")) == [300, 301]


def test_a_lead_that_asks_for_what_nobody_has_holds_up_no_other():
    trigger = make_trigger(members=[make_manager("ann", skills={"language": ["es"]}, active=False)])
    rare = [take(language="zh", at=EARLY) for _ in range(3)]
    usual = [take(language="es", at=OPENING) for _ in range(2)]
    Manager.objects.update(active=True)
    assert sweep(at=MONDAY).assigned == 2
    assert owners([*rare, *usual]) == "---AA"
    late = make_lead(state="waiting", trigger=trigger, language="es", score=-5)
    assert sweep(at=MONDAY).assigned == 1
    assert owners([late]) == "A"


def test_leads_that_nobody_able_can_take_are_not_looked_at_in_every_sweep(monkeypatch):
    trigger = make_trigger(members=[make_manager("ann", skills={"language": ["es"]})])
    for _ in range(5):
        make_lead(state="waiting", trigger=trigger, language="zh")
    looked_at = []
    known = sweeping.distribute
    monkeypatch.setattr(
        sweeping, "distribute", lambda cases, *a, **k: looked_at.append(len(cases)) or known(cases, *a, **k)
    )
    for seconds in (0, 5, 10, 65):
        sweep(at=MONDAY + seconds * SECOND)
    assert looked_at == [5, 5]  # the first time, and after a minute
    new = make_lead(state="waiting", trigger=trigger, language="es")
    assert sweep(at=MONDAY + 70 * SECOND).assigned == 1
    assert (owners([new]), looked_at[2:]) == ("A", [1])


def test_a_waiting_lead_is_assigned_as_soon_as_somebody_else_becomes_able(ann_without_chinese):
    trigger, lead = ann_without_chinese
    assert sweep(at=MONDAY).assigned == 0
    assert sweep(at=MONDAY).assigned == 0
    mei = make_manager("mei", skills={"language": ["zh"]})
    pause_manager(mei, at=MONDAY, minutes=10)
    trigger.members.create(manager=mei, position=1)
    assert sweep(at=MONDAY + MINUTE).assigned == 0
    assert sweep(at=MONDAY + 10 * MINUTE).assigned == 1
    assert owners([lead]) == "M"


@pytest.mark.django_db(transaction=True)  # each write a transaction of its own, by which the edit is told
def test_an_edited_lead_is_looked_at_in_the_next_sweep(ann_without_chinese):
    _, lead = ann_without_chinese
    assert sweep(at=MONDAY).assigned == 0
    Lead.objects.filter(pk=lead.pk).update(language="es")
    assert sweep(at=MONDAY).assigned == 1
    assert owners([lead]) == "A"


def test_room_under_a_limit_is_seen_whatever_was_in_vain_before():
    ann = make_manager("ann")
    trigger = make_trigger(members=[{"manager": ann, "limit": 1}])
    held = take()
    waiting = make_lead(state="waiting", trigger=trigger)
    assert sweep(at=MONDAY).assigned == 0
    move_lead(held.pk, stage("sales/won").pk, at=MONDAY)
    assert sweep(at=MONDAY).assigned == 1
    assert owners([waiting]) == "A"


@pytest.fixture
def ann_without_chinese():
    trigger = make_trigger(members=[make_manager("ann", skills={"language": ["es"]})])
    return trigger, make_lead(state="waiting", trigger=trigger, language="zh")
