"""At most L leads in stages S: what is held, what is full, and where a limit does not apply."""

import pytest

from routing.models import Lead, Load, Stage
from routing.services.intake import take_leads
from routing.services.offers import decline_offer
from routing.services.stages import move_lead
from tests.factories import (
    MONDAY,
    asking_acceptance,
    form,
    hold,
    make_manager,
    make_pipeline,
    make_registry,
    make_source,
    make_trigger,
    owners,
    refusals,
    stage,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db


def test_a_manager_at_the_limit_gets_no_more():
    make_trigger(limit=2, members=[make_manager("ann"), make_manager("bob")])
    leads = [take() for _ in range(5)]
    assert owners(leads) == "ABAB-"
    assert refusals(leads[-1]) == {"Ann": "at_limit", "Bob": "at_limit"}


def test_without_stages_a_limit_counts_all_active_stages_of_all_pipelines():
    make_pipeline("sales"), make_pipeline("support")
    ann = make_manager("ann")
    for path in ("sales/inbox", "sales/new", "support/accepted"):
        hold(ann, in_stage=path)
    for path in ("sales/won", "support/lost"):
        hold(ann, 5, in_stage=path)
    make_trigger(limit=4, members=[ann])
    assert owners([take(), take()]) == "A-"


def test_a_limit_may_count_some_stages_alone():
    ann = make_manager("ann")
    make_trigger(limit=3, limit_stages=["sales/new", "sales/won"], members=[ann])
    hold(ann, 7, in_stage="sales/accepted"), hold(ann, 2, in_stage="sales/won")
    assert owners([take(), take()]) == "A-"


def test_a_lead_in_a_stage_that_the_limit_does_not_count_takes_no_room():
    make_trigger(limit=1, limit_stages=["sales/accepted"], members=[make_manager("ann")])
    assert owners([take() for _ in range(3)]) == "AAA"


@pytest.mark.parametrize(("own", "expected"), [(1, "A--"), (3, "AAA"), (0, "---"), (None, "AA-")])
def test_a_members_own_limit_beats_the_triggers(own, expected):
    make_trigger(limit=2, members=[{"manager": make_manager("ann"), "limit": own}])
    assert owners([take() for _ in range(3)]) == expected


def test_an_offer_is_held():
    make_trigger(limit=1, members=[make_manager("ann")], **asking_acceptance())
    leads = [take(), take()]
    assert [lead.state for lead in leads] == ["offered", "waiting"]


def test_a_declined_offer_is_held_no_longer():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(limit=1, members=[ann, bob], **asking_acceptance())
    lead = take()
    decline_offer(lead.pk, at=MONDAY)
    assert owners([lead, take()]) == "BA"


def test_a_limit_holds_across_triggers_and_registries():
    ann = make_manager("ann")
    make_trigger("one", limit=3, registry=make_registry("one-book"), members=[ann])
    make_trigger("two", limit=3, on_stage="support/new", members=[ann])
    leads = [take(pipeline=pipeline) for pipeline in ("sales", "support") * 3]
    assert owners(leads) == "AAA---"


def test_in_one_request_a_limit_holds_as_well():
    make_trigger(limit=3, members=[make_manager("ann"), {"manager": make_manager("bob"), "limit": 1}])
    assert sorted(owners(take_some(9))) == sorted("AAAB-----")


def test_one_request_for_two_triggers_keeps_a_limit_that_they_share():
    ann = make_manager("ann")
    make_trigger("one", limit=3, members=[ann])
    make_trigger("two", limit=3, on_stage="support/new", members=[ann])
    forms = [form(pipeline=pipeline) for pipeline in ("sales", "support") * 4]
    take_leads(forms, source_id=make_source().pk, at=MONDAY)
    assert Lead.objects.filter(responsible=ann).count() == 3
    assert Lead.objects.waiting().count() == 5


def test_a_lead_moved_on_makes_room():
    ann = make_manager("ann")
    make_trigger(limit=1, on=["created"], members=[ann])
    first = take()
    move_lead(first.pk, stage("sales/won").pk, at=MONDAY)
    assert owners([take(), take()]) == "A-"


def test_a_manager_who_is_full_may_keep_a_lead_that_is_distributed_again():
    """The lead itself takes the room that it has."""
    ann = make_manager("ann")
    make_trigger(limit=1, members=[ann])
    make_trigger("accepted", on_stage="sales/accepted", limit=1, members=[ann])
    lead = take()
    moved = move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY)
    assert (moved.state, moved.responsible) == ("assigned", ann)


def test_lowering_a_limit_takes_nothing_away():
    ann = make_manager("ann")
    trigger = make_trigger(limit=5, members=[ann])
    leads = take_some(4)
    trigger.limit = 2
    trigger.save()
    assert owners(leads) == "AAAA"
    assert owners([take()]) == "-"


def test_the_load_follows_a_lead_through_its_life():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(on=["created"], members=[ann])
    lead = take()
    assert load() == {("Ann", "new"): 1}
    move_lead(lead.pk, stage("sales/accepted").pk, at=MONDAY)
    assert load() == {("Ann", "accepted"): 1}
    Lead.objects.filter(pk=lead.pk).update(responsible=bob, stage=Stage.objects.get(code="won"))
    assert load() == {("Bob", "won"): 1}
    lead.delete()
    assert load() == {}


def load():
    rows = Load.objects.exclude(leads=0).values_list("manager__user__name", "stage__code", "leads")
    return {(name, code): leads for name, code, leads in rows}
