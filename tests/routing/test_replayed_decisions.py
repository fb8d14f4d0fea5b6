"""A decision can be explained and repeated: the engine, run again on what is stored, gives the same answer."""

from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest

from accounts.services import mark_online, pause_manager, resume_manager
from routing.exceptions import Refused
from routing.models import Adjustment, Decision, Lead, Ledger, Offer, Stage
from routing.representations import decision_documents, read_decision, replay
from routing.services.assignment import credit_back, reassign
from routing.services.intake import take_leads
from routing.services.offers import accept_offer, decline_offer, give_back_offers
from routing.services.stages import move_lead
from routing.services.sweep import sweep
from tests.effort import by_night
from tests.factories import (
    MONDAY,
    asking_acceptance,
    form,
    make_contact,
    make_manager,
    make_registry,
    make_schedule,
    make_source,
    make_trigger,
    stage,
    take,
)

pytestmark = pytest.mark.django_db

LEAD = 1_000_000_000


def assert_decided_again():
    """Run the engine on every stored decision; all of it must come out as it stands there."""
    decisions = list(Decision.objects.order_by("id"))
    for row in decisions:
        again, (candidates, refusals, after) = replay(row), read_decision(row)
        chosen = None if again.chosen is None else candidates[again.chosen].manager
        assert (chosen, again.reason.value) == (row.chosen_id, row.reason)
        assert list(again.refusals) == refusals
        assert list(again.balances) == after
    return decisions


def replayed(registry):
    """Return the balances that the stored decisions and adjustments of a registry add up to."""
    balances = {}
    for row in Decision.objects.filter(registry=registry, counted=True):
        candidates, _, after = read_decision(row)
        for c, balance in zip(candidates, after, strict=True):
            balances[c.manager] = balances.get(c.manager, 0) + balance - c.balance
    for row in Adjustment.objects.filter(registry=registry):
        balances[row.manager_id] = balances.get(row.manager_id, 0) + row.amount
    return {manager: balance for manager, balance in balances.items() if balance}


FINALLY = ["duty", "keep", "restart", "wait"]


def make_world(seed, method):
    """Make a team with shifts, skills and limits, and triggers of every kind."""
    random = Random(seed)
    shifts = [
        None,
        make_schedule("early", weekly={"mon": ["06:00-14:00"]}),
        make_schedule("late", weekly={"mon": ["12:00-22:00"]}),
    ]
    team = [make_manager(f"m{i}", schedule=random.choice(shifts)) for i in range(7)]
    team[1].skills = {"language": ["es"]}
    team[1].save()
    make_contact("c0@client.example", responsible=team[5])
    book = make_registry(
        "book", accounting=random.choice(["fair_share", "totals"]), refund_missed=random.random() < 0.5
    )
    for i, code in enumerate(["new", "accepted"]):
        members = [
            {"manager": m, "coefficient": random.choice([0, 1, 2, 5]), "limit": random.choice([None, 3, 8])}
            for m in random.sample(team[:6], 5)
        ]
        facts = asking_acceptance(
            random.choice([5, 20]), max_attempts=random.choice([None, 2]), final_step=random.choice(FINALLY)
        )
        make_trigger(
            f"on-{code}",
            on_stage=f"sales/{code}",
            method=method,
            members=members,
            registry=random.choice([book, None]),
            duty=team[6],
            if_nobody=random.choice(["wait", "duty"]),
            responsible_check=random.choice([[], ["contact", "company"]]),
            responsible_count=random.random() < 0.5,
            also_assign=random.choice([[], ["contact", "contact_leads"]]),
            online_only=i == 1 and random.random() < 0.3,
            **(facts if random.random() < 0.8 else {}),
        )
    return random, team


def anything(random, team, at):
    """Do one thing that may happen in a day; a refusal is an answer like another."""
    lead = Lead.objects.order_by("?").first()
    match random.randrange(9):
        case 0 | 1:
            contacts = [{"email": f"c{random.randrange(12)}@client.example"} for _ in range(random.choice([1, 1, 4]))]
            forms = [form(contact=contact, language=random.choice(["es", "en", ""])) for contact in contacts]
            take_leads(forms, source_id=make_source().pk, at=at)
        case 2:
            sweep(at=at)
        case 3 if lead:
            accept_offer(lead.pk, at=at)
        case 4 if lead:
            decline_offer(lead.pk, at=at)
        case 5 if lead:
            move_lead(lead.pk, random.choice(Stage.objects.all()).pk, at=at)
        case 6 if lead:
            reassign(lead.pk, random.choice(team).pk, at=at, count=random.random() < 0.5)
        case 7 if lead:
            credit_back(lead.pk, at=at)
        case 8:
            manager = random.choice(team)
            mark_online(manager.pk, at=at)
            if random.random() < 0.5:
                pause_manager(manager, at=at, minutes=30)
                give_back_offers(manager.pk, at=at)
            else:
                resume_manager(manager, at=at)


METHODS = ["fair_share", "totals", "least_loaded", "direct"]


@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(by_night(3, by_day=1)))
def test_whatever_happens_every_decision_can_be_repeated(method, seed):
    random, team = make_world(seed, method)
    for step in range(50):
        with suppress(Refused):
            anything(random, team, MONDAY + timedelta(minutes=3 * step))
    assert len(assert_decided_again()) > 10
    for ledger in Ledger.objects.all():
        standings = {int(id_): balance for id_, (balance, _, _) in ledger.standings.items() if balance}
        assert standings == replayed(ledger.registry_id)
        turns = Decision.objects.filter(registry=ledger.registry_id, counted=True).order_by("id")
        assert list(turns.values_list("turn", flat=True)) == list(range(1, ledger.turn + 1))
    assert not Lead.objects.filter(state="offered").exclude(pk__in=Offer.objects.open().values("lead")).exists()
    assert not Offer.objects.open().exclude(lead__state="offered").exists()


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("method", METHODS)
def test_thousands_of_decisions_can_be_repeated_a_quarter_by_each_method(method):
    wanted = by_night(2_500, by_day=500)
    random, team = make_world(METHODS.index(method), method)
    at, source = MONDAY - timedelta(hours=3), make_source().pk
    while Decision.objects.count() < wanted:
        at += timedelta(minutes=4)
        contacts = [{"email": f"c{random.randrange(500)}@client.example"} for _ in range(60)]
        take_leads([form(contact=c, language=random.choice(["es", ""])) for c in contacts], source_id=source, at=at)
        for _ in range(10):
            with suppress(Refused):
                anything(random, team, at)
        sweep(at=at)
        # Most are done with by the next quarter of an hour: there is room under the limits again.
        done = list(Lead.objects.exclude(state="offered").order_by("?").values_list("pk", flat=True)[:60])
        Lead.objects.filter(pk__in=done).update(stage=stage("sales/lost"), state="idle", trigger=None, responsible=None)
    assert len(assert_decided_again()) >= wanted


def test_every_way_to_a_manager_can_be_repeated():
    ann, bob, dora = make_manager("ann"), make_manager("bob"), make_manager("dora")
    make_contact("ana@client.example", responsible=bob)
    facts = {"members": [(ann, 2), (bob, 1)], "duty": dora, "responsible_check": ["contact"]}
    make_trigger(**facts, **asking_acceptance(final_step="duty"))
    make_trigger("keeps", on_stage="sales/accepted", **facts, **asking_acceptance(final_step="keep"))
    make_trigger(
        "waits", on_stage="sales/inbox", members=[ann], responsible_count=True, **asking_acceptance(max_attempts=1)
    )
    take(contact={"email": "ana@client.example"})
    for code in ("new", "accepted", "inbox"):
        lead = take(stage=code)
        while Offer.objects.open().filter(lead=lead).exists():
            decline_offer(lead.pk, at=MONDAY)
    reasons = {row.reason for row in assert_decided_again()}
    assert reasons == {"fair_share", "responsible", "duty", "keep", "nobody"}


def test_a_decision_is_shown_with_everybody_who_could_have_had_it():
    ann, bob = make_manager("ann"), make_manager("bob", active=False)
    make_trigger(limit=3, members=[(ann, 40), (bob, 60)])
    take()
    [document] = decision_documents(Decision.objects.select_related("trigger", "registry"))
    assert document == {
        "at": "2026-03-02T10:00:00Z",
        "trigger": "new-leads",
        "registry": "new-leads",
        "method": "fair_share",
        "attempt": 1,
        "outcome": "assigned",
        "chosen": "ann@example.com",
        "reason": "fair_share",
        "candidates": [
            {
                "manager": "ann@example.com",
                "eligible": True,
                "reason": None,
                "coefficient": 40,
                "held": 0,
                "limit": 3,
                "balance_before": 0,
                "balance_after": 0,
            },
            {
                "manager": "bob@example.com",
                "eligible": False,
                "reason": "inactive",
                "coefficient": 60,
                "held": 0,
                "limit": 3,
                "balance_before": 0,
                "balance_after": 0,
            },
        ],
    }
