"""Open deadlines by working time follow days off and hours that change."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.services import pause_manager
from routing.models import LeadEvent, Member, Offer, Trigger
from routing.roster import current
from routing.services import deadlines
from routing.services.deadlines import follow_working_time
from routing.services.offers import accept_offer, close_offers
from routing.services.sweep import sweep
from routing.timelines import timeline
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    make_contact,
    make_exception,
    make_manager,
    make_schedule,
    make_trigger,
    open_offer,
    outcomes,
    take,
)

pytestmark = pytest.mark.django_db

EVENING = MONDAY.replace(hour=17, minute=50)
TUESDAY, WEDNESDAY, THURSDAY = (MONDAY.replace(hour=9, minute=20) + n * DAY for n in (1, 2, 3))


@pytest.fixture
def office():
    return make_schedule()  # 09:00-18:00


@pytest.fixture
def ann(office):
    return make_manager("ann", schedule=office)


@pytest.fixture
def lead(ann):
    """Return a lead that is on offer to Ann for half an hour of her working time, until Tuesday 09:20."""
    make_trigger(members=[ann], **asking_acceptance(30, acceptance_clock="working"))
    lead = take(at=EVENING)
    assert open_offer(lead).accept_by == TUESDAY
    return lead


def test_a_day_off_moves_the_deadline_and_its_removal_moves_it_back(ann, lead):
    off = make_exception(ann, on=TUESDAY.date())
    sweep(at=EVENING + MINUTE)
    assert open_offer(lead).accept_by == WEDNESDAY
    off.last_day = WEDNESDAY.date()
    off.save()
    sweep(at=EVENING + 2 * MINUTE)
    assert open_offer(lead).accept_by == THURSDAY
    off.delete()
    sweep(at=EVENING + 3 * MINUTE)
    assert open_offer(lead).accept_by == TUESDAY


def test_the_leads_story_tells_it_with_both_instants(ann, lead):
    make_exception(ann, on=TUESDAY.date())
    sweep(at=EVENING + MINUTE)
    event = LeadEvent.objects.get()
    assert (event.lead, event.kind, event.at, event.by) == (lead, "deadline_moved", EVENING + MINUTE, None)
    assert event.data == {"manager": ann.pk, "from": TUESDAY.isoformat(), "to": WEDNESDAY.isoformat()}
    told = timeline(lead, current(), zone=ZoneInfo("UTC"))[-1]
    assert told.words == (
        "The working time of Ann changed: the lead is to be accepted by Wed 4 Mar, 09:20, no longer by Tue 3 Mar, 09:20."
    )


def test_what_did_not_change_is_told_once_and_moves_nothing(ann, lead):
    make_exception(ann, on=TUESDAY.date())
    assert (follow_working_time(at=EVENING), follow_working_time(at=EVENING)) == (1, 0)
    make_exception(ann, on=TUESDAY.date() + 30 * DAY)
    assert follow_working_time(at=EVENING) == 0
    assert LeadEvent.objects.count() == 1


def test_an_offer_that_the_day_off_keeps_open_does_not_time_out(ann, lead):
    make_exception(ann, on=TUESDAY.date())
    sweep(at=TUESDAY)  # the first one since
    assert (outcomes(lead), open_offer(lead).accept_by) == ([""], WEDNESDAY)
    sweep(at=WEDNESDAY)
    assert outcomes(lead) == ["timed_out"]


@pytest.mark.parametrize("what", ["hours", "schedule's day off", "other schedule", "zone", "member's schedule"])
def test_whatever_changes_the_working_time(ann, office, lead, what):
    if what == "hours":
        office.weekly = {day: ["08:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
        office.save()
    elif what == "schedule's day off":
        make_exception(office, on=TUESDAY.date())
    elif what == "other schedule":
        ann.schedule = make_schedule("late", weekly={"tue": ["12:00-20:00"]})
        ann.save()
    elif what == "zone":
        ann.time_zone = "Europe/Madrid"  # an hour ahead of the account
        ann.save()
    else:
        Member.objects.update(schedule=make_schedule("late", weekly={"tue": ["12:00-20:00"]}))
        Trigger.objects.get().save()
    sweep(at=EVENING)
    assert (
        open_offer(lead).accept_by
        == {
            "hours": TUESDAY - HOUR,
            "schedule's day off": WEDNESDAY,
            "other schedule": TUESDAY.replace(hour=12, minute=30),
            "zone": TUESDAY.replace(hour=8, minute=30),
            "member's schedule": TUESDAY.replace(hour=12, minute=30),
        }[what]
    )


def test_a_time_that_would_be_over_by_now_counts_anew_but_ends_no_later(ann, office):
    off = make_exception(ann, on=MONDAY.date(), to=TUESDAY.date())
    make_trigger(members=[], **asking_acceptance(30, acceptance_clock="working"))
    Trigger.objects.update(responsible_check=["contact"])
    make_contact(responsible=ann)
    lead = take(at=MONDAY, contact={"email": "ana@client.example"})
    assert open_offer(lead).accept_by == WEDNESDAY + 10 * MINUTE
    off.delete()
    now = MONDAY + 3 * HOUR  # by her hours it would have ended at 10:30
    assert follow_working_time(at=now) == 1
    assert open_offer(lead).accept_by == now + 30 * MINUTE
    assert follow_working_time(at=now + 5 * MINUTE) == 0  # and that is where it ends
    assert open_offer(lead).accept_by == now + 30 * MINUTE


def test_minutes_that_a_trigger_asks_for_since_are_for_later_offers(ann, lead):
    Trigger.objects.update(acceptance_minutes=60)
    make_exception(ann, on=TUESDAY.date())
    sweep(at=EVENING)
    assert open_offer(lead).accept_by == WEDNESDAY


def test_the_wall_clock_knows_no_days_off(ann):
    make_trigger(members=[ann], **asking_acceptance(60 * 24))
    lead = take(at=MONDAY)
    make_exception(ann, on=TUESDAY.date())
    sweep(at=MONDAY)
    assert open_offer(lead).accept_by == MONDAY + DAY
    Trigger.objects.update(acceptance_clock="working")  # for later offers
    make_exception(ann, on=WEDNESDAY.date())
    sweep(at=MONDAY)
    assert open_offer(lead).accept_by == MONDAY + DAY


def test_a_pause_moves_no_deadline(ann, lead):
    Trigger.objects.update(on_pause="keep")
    pause_manager(ann, at=EVENING, minutes=600)
    sweep(at=EVENING)
    assert open_offer(lead).accept_by == TUESDAY


def test_offers_that_ended_stay_as_they_are(ann, lead):
    accept_offer(lead.pk, at=EVENING)
    make_exception(ann, on=TUESDAY.date())
    sweep(at=EVENING)
    assert Offer.objects.get().accept_by == TUESDAY
    assert not LeadEvent.objects.exists()


def test_a_sweep_that_saw_it_overdue_leaves_an_offer_whose_deadline_moved_meanwhile(ann, lead):
    offer = open_offer(lead)
    make_exception(ann, on=TUESDAY.date())
    follow_working_time(at=TUESDAY)
    assert close_offers([offer.pk], Offer.Outcome.TIMED_OUT, at=TUESDAY) == 0
    assert outcomes(lead) == [""]


def test_an_offer_committed_a_little_after_the_change_is_found_and_later_nobody_looks(
    ann, lead, django_assert_num_queries
):
    make_exception(ann, on=TUESDAY.date())
    offers = Offer.objects.filter(closed_at=None)
    offers.update(trigger=make_trigger("elsewhere"))  # nothing to see yet
    assert follow_working_time(at=EVENING) == 0
    offers.update(trigger=Trigger.objects.get(code="new-leads"))
    deadlines._followed = (current().version, EVENING)
    assert follow_working_time(at=EVENING + timedelta(seconds=59)) == 1
    with django_assert_num_queries(1):  # the version
        follow_working_time(at=EVENING + 2 * MINUTE)


def test_statements_do_not_grow_with_the_offers(ann, django_assert_max_num_queries):
    make_trigger(members=[ann], **asking_acceptance(30, acceptance_clock="working"))
    leads = [take(at=EVENING) for _ in range(12)]
    make_exception(ann, on=TUESDAY.date())
    current()
    with django_assert_max_num_queries(10):
        assert follow_working_time(at=EVENING) == 12
    assert {open_offer(lead).accept_by for lead in leads} == {WEDNESDAY}
