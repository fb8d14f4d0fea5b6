"""Many at once, over real connections: nothing twice, nothing lost, no limit overrun, the ledger exact.

Each promise is tested with its guard, and once more without it: the checker must turn red then, else it is blind.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, connections, transaction

from accounts.models import Manager, User
from accounts.time import clock
from routing import audit, candidates, locks
from routing.engine import LEAD, Reason
from routing.exceptions import Conflict, Refused
from routing.models import (
    Contact,
    ContactPoint,
    Decision,
    Lead,
    Ledger,
    Load,
    Member,
    Offer,
    Pipeline,
    PossibleDuplicate,
    Source,
    Stage,
    Trigger,
)
from routing.prepared_statements import Statement, run
from routing.services.intake import IdempotencyKey, Replayed, answer_leads, take_lead
from routing.services.merging import merge_contacts, undo_merge
from routing.services.stages import move_lead
from routing.services.sweep import sweep
from tests.effort import by_night

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MEET = import_module("routing.migrations.0040_one_index_tells")


def at_once(work: Callable[[int], object], *, times: int, clients: int) -> list[object]:
    """Run the work so many times from so many threads, each with a connection of its own; raise the first error."""
    start = threading.Barrier(clients)

    def client(number: int) -> list[object]:
        with connection.cursor() as cursor:  # these tests ask what comes out, not how fast: the machine may be busy
            cursor.execute("SET lock_timeout = '60s'; SET statement_timeout = '60s'")
        start.wait(60)
        try:
            return [work(n) for n in range(number, times, clients)]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(clients) as pool:
        return [result for results in pool.map(client, range(clients)) for result in results]


@pytest.fixture
def team() -> dict[str, object]:
    """Twelve managers, two pipelines with a trigger each that count in registries of their own."""
    managers = [Manager.objects.create(user=User.objects.create(email=f"m{n:02}@example.com")) for n in range(12)]
    stages = {}
    for code in ("sales", "service"):
        pipeline = Pipeline.objects.create(code=code, title=code)
        for position, (name, kind) in enumerate((("new", "open"), ("accepted", "open"), ("won", "won"))):
            stages[f"{code}/{name}"] = Stage.objects.create(pipeline=pipeline, code=name, kind=kind, position=position)
    triggers = [
        Trigger.objects.create(code=code, stage=stages[f"{code}/new"], on=["created"]) for code in ("sales", "service")
    ]
    source = Source.objects.create(code="form", title="Form", channel="site", double_click=False)
    return {"managers": managers, "stages": stages, "triggers": triggers, "source": source}


def join(trigger: Trigger, managers: list[Manager], *, limits: list[int | None], coefficients: list[int]) -> None:
    for position, manager in enumerate(managers):
        Member.objects.create(
            trigger=trigger,
            manager=manager,
            position=position,
            limit=limits[position % len(limits)],
            coefficient=coefficients[position % len(coefficients)],
        )


def send(number: int, team: dict[str, object], *, pipeline: str = "sales") -> Lead:
    source: Source = team["source"]
    form = {"external_id": f"n{number}", "pipeline": pipeline, "contact": {"email": f"p{number}@example.com"}}
    return take_lead(form, source_id=source.pk, at=clock.now()).lead_id


def overruns() -> list[object]:
    """Return who holds more than a limit allows, of all triggers they are members of."""
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT m.manager_id, m."limit", sum(l.leads) FROM routing_member m JOIN routing_load l USING (manager_id)
            JOIN routing_stage s ON s.id = l.stage_id AND s.kind = 'open'
            GROUP BY m.id, m.manager_id, m."limit" HAVING sum(l.leads) > m."limit" """)
        return cursor.fetchall()


def worst_distance(registry_id: int) -> float:
    """Return by how many leads anybody was ever away from their exact share, over all prefixes of the decisions."""
    owed: Counter[int] = Counter()
    worst = 0.0
    for row in Decision.objects.filter(registry=registry_id, counted=True).order_by("turn").select_related("lineup"):
        refused = row.refusals
        eligible = [
            (m, c)
            for i, (m, c) in enumerate(zip(row.lineup.managers, row.lineup.coefficients, strict=True))
            if str(i) not in refused
        ]
        total = sum(c for _, c in eligible)
        for manager, coefficient in eligible:
            owed[manager] += coefficient / total
        owed[row.chosen_id] -= 1
        worst = max(worst, *map(abs, owed.values()))
    return worst


def repeat(key: str, team: dict[str, object]) -> tuple[str, str]:
    """Send the request of this Idempotency-Key, perhaps again; return the key and the lead that it was told of."""
    once = IdempotencyKey(owner="account", route="lead", key=key, fingerprint="f")
    form = {"contact": {"email": f"{key}@example.com"}}
    try:
        _, (_, answer) = answer_leads(
            [form],
            source_id=team["source"].pk,
            at=clock.now(),
            render=lambda results: (201, str(results[0].lead_id)),
            once=once,
        )
        return key, answer
    except Replayed as replayed:
        return key, replayed.answer


@contextmanager
def without_constraint(table: str, name: str, constraint: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {table} CASCADE")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {constraint}")


@contextmanager
def without_lock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take away the lock of the registry, and the constraint that would catch two who take the same turn."""
    look = Statement("look", "SELECT FROM routing_ledger WHERE registry_id = %(registry)s", registry="bigint")
    monkeypatch.setattr(candidates, "LOCK_LEDGER", look)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX decision_turn_once_per_registry")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE routing_decision CASCADE")
            cursor.execute(
                "CREATE UNIQUE INDEX decision_turn_once_per_registry"
                " ON routing_decision (registry_id, turn) WHERE counted"
            )


@pytest.mark.thorough
def test_thousands_of_leads_from_64_clients_are_shared_exactly(team):
    leads = by_night(5_000, by_day=1_000)
    limits = [None, leads // 20, leads // 10, leads * 3 // 25]
    join(team["triggers"][0], team["managers"], limits=limits, coefficients=[1, 2, 3])
    at_once(lambda n: send(n, team), times=leads, clients=64)
    registry = team["triggers"][0].own_registry.pk
    assert overruns() == []
    assert Load.objects.filter(leads=leads // 20).count() == 3  # some limits were reached, and none was passed
    assert Counter(Lead.objects.values_list("state", flat=True)) == {"assigned": leads}
    assert Decision.objects.count() == leads
    assert worst_distance(registry) < 2
    assert list(audit.violations(decisions=False)) == []
    ledger = Ledger.objects.get(pk=registry)
    assert all(abs(balance) < 2 * LEAD for balance, *_ in ledger.standings.values())
    assert ledger.turn == leads


def test_without_the_lock_the_same_test_is_red(team, monkeypatch):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1, 2, 3])
    with without_lock(monkeypatch):
        at_once(lambda n: send(n, team), times=1_000, clients=32)
        assert list(audit.violations(decisions=False)) != []
        assert worst_distance(team["triggers"][0].own_registry.pk) >= 2


@pytest.mark.thorough
def test_no_limit_is_overrun_across_registries_while_leads_come_move_and_close(team):
    for trigger in team["triggers"]:
        join(trigger, team["managers"], limits=[1, 3, 10, 25, 40], coefficients=[1, 2])
    seen: list[object] = []
    stages = team["stages"]

    def work(n: int) -> None:
        pipeline = ("sales", "service")[n % 2]
        lead = send(n, team, pipeline=pipeline)
        dice = random.Random(n).random()
        if not Lead.objects.filter(pk=lead, state="assigned").exists():
            dice += 0.7  # who moves a lead that waits takes it out of distribution
        try:
            if dice < 0.3:
                move_lead(lead, stages[f"{pipeline}/accepted"].pk, at=clock.now())
            elif dice < 0.7:
                move_lead(lead, stages[f"{pipeline}/won"].pk, at=clock.now())
            elif dice < 0.72:
                sweep(at=clock.now())
        except Refused:
            pass
        if n % 10 == 0:
            seen.extend(overruns())

    at_once(work, times=by_night(1_500, by_day=200), clients=32)
    seen.extend(overruns())
    assert seen == []
    assert list(audit.violations()) == []
    assert Lead.objects.filter(state="idle", stage__kind="open").count() == 0
    # Who waits, waits because all are full, not because somebody was forgotten.
    sweep(at=clock.now())
    if Lead.objects.waiting().exists():
        full = {m.manager_id for m in Member.objects.filter(trigger=team["triggers"][0]) if _held(m) >= m.limit}
        assert len(full) == len(team["managers"])


def _held(member: Member) -> int:
    return Lead.objects.active().filter(responsible=member.manager_id).count()


def test_without_the_last_check_two_registries_overrun_a_limit(team, monkeypatch):
    for trigger in team["triggers"]:
        join(trigger, team["managers"][:6], limits=[20], coefficients=[1])
    monkeypatch.setattr("routing.services.assignment._limits", lambda *_: [])
    for turn in range(5):  # it is a matter of moments: each turn comes to the limit once
        Member.objects.update(limit=20 * (turn + 1))
        at_once(
            lambda n, turn=turn: send(400 * turn + n, team, pipeline=("sales", "service")[n % 2]), times=400, clients=32
        )
        if overruns():
            return
    pytest.fail("nobody held more than the limit")


@pytest.mark.thorough
def test_the_same_request_from_32_clients_is_one_lead(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    keys, repeats = 40, by_night(50, by_day=8)
    answers = at_once(lambda n: repeat(f"k{n % keys}", team), times=keys * repeats, clients=32)
    assert len(answers) == keys * repeats
    assert len(set(answers)) == keys  # every repetition was told the first answer
    assert Lead.objects.count() == keys
    assert Decision.objects.count() == keys


def test_without_the_index_the_same_request_is_many_leads(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    with without_constraint("routing_intakerequest", "intakerequest_once", "UNIQUE (owner, route, key)"):
        at_once(lambda n: repeat(f"k{n % 5}", team), times=100, clients=20)
        assert Lead.objects.count() > 5


def test_the_same_number_from_one_source_is_one_lead(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    leads = at_once(lambda n: send(n % 20, team), times=200, clients=32)
    assert len(set(leads)) == Lead.objects.count() == 20


def test_one_person_who_comes_many_times_at_once_is_one_contact(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])

    def work(n: int) -> None:
        form = {"contact": {"email": f"p{n % 5}@example.com"}, "company": {"name": f"Firm {n % 5}"}}
        take_lead(form, source_id=team["source"].pk, at=clock.now())

    at_once(work, times=150, clients=32)
    contacts = {
        (lead.contact.email, lead.company.name, lead.contact_id, lead.company_id)
        for lead in Lead.objects.select_related("contact", "company")
    }
    assert len(contacts) == 5
    assert Lead.objects.count() == 150


def come(team, **contact) -> Lead:
    taken = take_lead({"contact": contact}, source_id=team["source"].pk, at=clock.now())
    return Lead.objects.get(pk=taken.lead_id)


@pytest.mark.thorough
def test_a_new_person_who_comes_from_everywhere_at_once_is_one_contact_with_all_they_gave(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    ways = ({"email": "eva@example.com"}, {"phone": "+34600010101"}, {"chat": "@eva"}, {"chat": "wa.me/34600010101"})
    everything = {"name": "Eva", "email": "eva@example.com", "phone": "+34 600 010 101", "chat": "@eva"}
    for _ in range(by_night(10, by_day=3)):
        ContactPoint.objects.all().delete()
        Lead.objects.update(contact=None)
        leads = at_once(lambda n: come(team, **everything), times=32, clients=32)
        assert len({lead.contact_id for lead in leads}) == 1
        assert Counter(lead.matched_by for lead in leads) == {"new": 1, "email": 31}
    assert {come(team, **way).contact_id for way in ways} == {leads[0].contact_id}


@pytest.mark.thorough
def test_people_who_share_a_number_and_come_at_once_are_a_contact_each_and_the_number_is_of_one(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    names = ["Rosa", "Tom", "Uma", "Zoe"]
    for turn in range(by_night(10, by_day=3)):
        number = f"+3460123{turn:04}"

        def work(n: int, number: str = number, turn: int = turn) -> Lead:
            name = names[n % 4]
            return come(team, name=name, phone=number, email=f"{name}{turn}@example.com" if n % 8 < 4 else None)

        leads = at_once(work, times=32, clients=32)
        people = {name: {lead.contact_id for n, lead in enumerate(leads) if names[n % 4] == name} for name in names}
        assert all(len(ids) == 1 for ids in people.values()), people
        assert len(set.union(*people.values())) == 4
        points = ContactPoint.objects.filter(kind="phone", key=number)
        assert Counter(points.values_list("shared", flat=True)) == {False: 1, True: 3}
        owner = points.get(shared=False).contact
        for lead in leads:
            assert lead.shares_with == ([] if lead.contact_id == owner.pk else [owner.pk])
        assert come(team, phone=number).contact_id == owner.pk
    assert not PossibleDuplicate.objects.exists()


@pytest.mark.thorough
def test_two_known_people_who_give_the_same_new_number_at_once_are_proposed_as_one(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    turns = by_night(20, by_day=5)
    for turn in range(turns):
        ana, bea = (come(team, email=f"{name}{turn}@example.com").contact_id for name in ("ana", "bea"))
        number = f"+3460123{turn:04}"
        leads = at_once(
            lambda n, turn=turn, number=number: come(
                team, email=f"{('ana', 'bea')[n]}{turn}@example.com", phone=number
            ),
            times=2,
            clients=2,
        )
        owner = ContactPoint.objects.get(kind="phone", key=number).contact_id
        assert [lead.contact_id for lead in leads] == [ana, bea]
        assert sorted(map(len, (lead.shares_with for lead in leads))) == [0, 1]
        pair = PossibleDuplicate.objects.latest("pk")
        assert {pair.one_id, pair.other_id} == {ana, bea}
        assert owner in {ana, bea}
    assert PossibleDuplicate.objects.count() == turns


def test_a_lead_that_comes_while_its_contact_is_merged_is_the_one_that_stays(team):
    """By e-mail, phone and chat of the one that is merged away; each lead is taken, and none is nobody's."""
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    for turn in range(by_night(20, by_day=5)):
        keys = {"email": f"b{turn}@example.com", "phone": f"+3460001{turn:04}", "chat": f"@b{turn}"}
        kept = come(team, name="Ana", email=f"a{turn}@example.com").contact_id
        merged = come(team, name="Ana", **keys).contact_id

        def work(
            n: int, turn: int = turn, kept: UUID = kept, merged: UUID = merged, keys: dict[str, str] = keys
        ) -> object:
            if n == 3:
                return merge_contacts(kept, merged, at=clock.now())
            kind = list(keys)[n % 3]
            return come(team, **{kind: keys[kind], **({"phone": f"+3460002{turn:02}{n:02}"} if n == 6 else {})})

        leads = [lead for lead in at_once(work, times=8, clients=8) if isinstance(lead, Lead)]
        assert len(leads) == 7
        assert set(Lead.objects.filter(pk__in=[lead.pk for lead in leads]).values_list("contact", flat=True)) == {kept}
        assert not ContactPoint.objects.filter(contact=merged).exists()
        assert not Contact.objects.filter(pk=merged).exists()


def test_of_two_who_merge_the_same_contacts_at_once_one_does(team):
    for turn in range(by_night(10, by_day=3)):
        ana, bea, cid = (come(team, email=f"{name}{turn}@example.com").contact_id for name in ("ana", "bea", "cid"))
        ways = [(ana, bea), (bea, ana), (ana, bea), (cid, ana)]

        def work(n: int, ways: list[tuple[UUID, UUID]] = ways) -> bool:
            with suppress(Conflict):
                merge_contacts(*ways[n], at=clock.now())
                return True
            return False

        done = sum(at_once(work, times=4, clients=4))
        left = Contact.objects.filter(pk__in=[ana, bea, cid])
        assert left.count() == 3 - done
        assert Lead.objects.filter(contact__in=left).count() == 3


def test_of_two_who_undo_a_merge_at_once_one_does(team):
    for turn in range(by_night(10, by_day=3)):
        ana, bea = (come(team, email=f"{name}{turn}@example.com").contact_id for name in ("ana", "bea"))
        merge = merge_contacts(ana, bea, at=clock.now())

        def work(n: int, merge_id: UUID = merge.pk) -> bool:
            with suppress(Conflict):
                undo_merge(merge_id, at=clock.now())
                return True
            return False

        assert sum(at_once(work, times=4, clients=4)) == 1
        assert come(team, email=f"bea{turn}@example.com").contact_id == bea


def test_without_the_index_a_number_is_of_two(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    with without_index("contact_point_of_one_contact"):
        for turn in range(20):
            with suppress(DatabaseError):  # a number of two people is more than the function expects
                at_once(lambda n, turn=turn: come(team, phone=f"+3460123{turn:04}"), times=8, clients=8)
        assert max(Counter(ContactPoint.objects.values_list("key", flat=True)).values()) > 1


@contextmanager
def without_index(name: str) -> Iterator[None]:
    """Take away a unique index that is no constraint of its table, and all that its absence let in."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name])
        [definition] = cursor.fetchone()
        cursor.execute(f"DROP INDEX {name}")
        cursor.execute(MEET.BEFORE)  # names no index
        try:
            yield
        finally:
            cursor.execute("DELETE FROM routing_contactpoint")
            cursor.execute(definition)
            cursor.execute(MEET.BEFORE.replace(MEET.WRITTEN, MEET.BY_KEY))


@pytest.mark.thorough
def test_two_sweeps_at_once_redistribute_each_offer_once(team):
    trigger = team["triggers"][0]
    Trigger.objects.filter(pk=trigger.pk).update(acceptance_minutes=1, final_step="wait")
    join(trigger, team["managers"], limits=[None], coefficients=[1])
    leads = by_night(300, by_day=100)
    for n in range(leads):
        send(n, team)
    Offer.objects.update(offered_at="2026-01-01T00:00Z", accept_by="2026-01-01T00:01Z")
    at = clock.now()
    swept = at_once(lambda _: sweep(at=at), times=4, clients=4)
    assert sum(s.expired for s in swept) == leads
    assert Counter(Offer.objects.values_list("outcome", flat=True)) == {"timed_out": leads, "": leads}
    assert Counter(Decision.objects.values_list("attempt", flat=True)) == {1: leads, 2: leads}
    again = [(o.lead_id, o.manager_id) for o in Offer.objects.all()]
    assert len(set(again)) == 2 * leads  # never the same person twice in a round
    assert list(audit.violations()) == []


def test_who_cannot_get_the_lock_keeps_the_lead_for_the_sweep(team):
    join(team["triggers"][0], team["managers"], limits=[None], coefficients=[1])
    holding, done = threading.Event(), threading.Event()
    registry = team["triggers"][0].own_registry.pk

    def hold() -> None:
        try:
            with transaction.atomic():
                run(locks.LOCK_LEDGER, registry=registry)
                holding.set()
                done.wait(30)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '200ms'")
    try:
        lead = Lead.objects.get(pk=send(1, team))
    finally:
        done.set()
        thread.join()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert lead.state == Lead.State.WAITING
    assert Decision.objects.count() == 0
    sweep(at=clock.now())
    lead.refresh_from_db()
    assert lead.state == Lead.State.ASSIGNED
    assert Decision.objects.get().reason == Reason.FAIR_SHARE
