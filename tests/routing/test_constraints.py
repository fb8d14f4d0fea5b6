"""What the database itself refuses, whoever writes; and the load that it counts."""

from collections import Counter
from datetime import date
from functools import partial
from importlib import import_module
from random import Random

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from accounts.models import Account, ConfigurationVersion, Manager, Pause, ScheduleException, User, WorkSchedule
from routing.engine import Standing
from routing.models import (
    ApiKey,
    Company,
    ContactPoint,
    Decision,
    IntakeRequest,
    Lead,
    Ledger,
    Lineup,
    Load,
    Member,
    Offer,
    PossibleDuplicate,
    Registry,
    Stage,
    Trigger,
)
from tests.factories import (
    HOUR,
    MINUTE,
    MONDAY,
    ledger,
    make_account,
    make_company,
    make_contact,
    make_lead,
    make_manager,
    make_pipeline,
    make_schedule,
    make_source,
    make_trigger,
    make_user,
    stage,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def refused():
    """Return a function that tries a write, and tells by what name the database refuses it."""

    def write_refused(write):
        with pytest.raises(IntegrityError) as refusal, transaction.atomic():
            write()
        return refusal.value.__cause__.diag.constraint_name

    return write_refused


def offer(lead, manager, trigger, **facts):
    facts = {"round": 1, "offered_at": MONDAY, "accept_by": MONDAY + HOUR, **facts}
    return Offer.objects.create(lead=lead, manager=manager, trigger=trigger, **facts)


def decision(lead, trigger, **facts):
    facts = {"at": MONDAY, "method": "fair_share", "attempt": 1, "outcome": "waiting", "reason": "nobody", **facts}
    registry = Registry.objects.get(trigger=trigger)
    nobody: dict[str, list[int]] = {"managers": [], "coefficients": [], "limits": []}
    lineup, _ = Lineup.objects.get_or_create(digest="nobody", defaults=nobody)
    facts = {"turn": 1, "counted": False, "held": [], "balances": [], "last_turns": [], **facts}
    return Decision.objects.create(lead=lead, trigger=trigger, registry=registry, lineup=lineup, **facts)


# Leads


@pytest.mark.parametrize("state", ["offered", "assigned"])
def test_an_offered_or_assigned_lead_has_an_owner(refused, state):
    assert refused(lambda: make_lead(state=state)) == "lead_has_an_owner_when_assigned"


@pytest.mark.parametrize("state", ["idle", "waiting"])
def test_a_waiting_or_idle_lead_has_none(refused, state):
    facts = {"responsible": make_manager(), "trigger": make_trigger()}
    assert refused(lambda: make_lead(state=state, **facts)) == "lead_has_an_owner_when_assigned"


def test_a_lead_in_no_known_state_is_refused(refused):
    assert refused(lambda: make_lead(state="lost")) == "lead_has_an_owner_when_assigned"


def test_a_lead_waits_for_a_trigger(refused):
    assert refused(lambda: make_lead(state="waiting")) == "lead_waits_for_a_trigger"


def test_an_external_id_stands_once_in_its_source(refused):
    make_lead(external_id="7")
    assert refused(lambda: make_lead(external_id="7")) == "lead_external_id_once_per_source"
    make_lead(external_id="7", source=make_source("mail"))
    make_lead(), make_lead()  # without a number there may be many


def test_an_owner_cannot_be_deleted_under_a_lead(refused):
    ann = make_manager()
    make_lead(state="assigned", responsible=ann)
    delete = "DELETE FROM accounts_manager; SET CONSTRAINTS ALL IMMEDIATE"
    assert "responsible" in refused(lambda: connection.cursor().execute(delete))


# Offers and decisions


def test_a_lead_has_one_open_offer(refused):
    ann, trigger, lead = make_manager(), make_trigger(), make_lead()
    first = offer(lead, ann, trigger)
    assert refused(lambda: offer(lead, make_manager("bob"), trigger)) == "offer_one_open_per_lead"
    Offer.objects.filter(pk=first.pk).update(closed_at=MONDAY, outcome="declined")
    offer(lead, ann, trigger)


@pytest.mark.parametrize("facts", [{"closed_at": MONDAY}, {"outcome": "accepted"}])
def test_a_closed_offer_has_an_outcome_and_an_open_one_has_none(refused, facts):
    ann, trigger, lead = make_manager(), make_trigger(), make_lead()
    assert refused(lambda: offer(lead, ann, trigger, **facts)) == "offer_closed_with_an_outcome"


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"accept_by": MONDAY - MINUTE}, "offer_deadline_after_start"),
        ({"closed_at": MONDAY - MINUTE, "outcome": "withdrawn"}, "offer_ends_after_it_begins"),
    ],
)
def test_an_offer_does_not_end_before_it_begins(refused, facts, name):
    ann, trigger, lead = make_manager(), make_trigger(), make_lead()
    assert refused(lambda: offer(lead, ann, trigger, **facts)) == name


def test_an_offer_that_ended_before_it_began_is_mended():
    """What migration 0016 does before it holds all offers to the constraint."""
    ann, trigger, lead = make_manager(), make_trigger(), make_lead()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE routing_offer DROP CONSTRAINT offer_ends_after_it_begins")
        wrong = offer(lead, ann, trigger, closed_at=MONDAY - MINUTE, outcome="withdrawn")
        right = offer(lead, ann, trigger, closed_at=MONDAY + MINUTE, outcome="accepted")
        cursor.execute(import_module("routing.migrations.0016_all_offers_end_after_they_begin").MEND)
    ends = dict(Offer.objects.values_list("pk", "closed_at"))
    assert ends == {wrong.pk: MONDAY, right.pk: MONDAY + MINUTE}


@pytest.mark.parametrize(
    "facts", [{"outcome": "assigned"}, {"outcome": "waiting", "chosen": True}, {"outcome": "lost"}]
)
def test_a_decision_is_for_somebody_or_the_lead_waits(refused, facts):
    ann, trigger, lead = make_manager(), make_trigger(), make_lead()
    facts = {**facts, "chosen": ann if facts.get("chosen") else None}
    assert refused(lambda: decision(lead, trigger, **facts)) == "decision_assigned_to_somebody"


def test_a_turn_is_taken_once_in_a_registry(refused):
    trigger, lead = make_trigger(), make_lead()
    facts = {"turn": 5, "counted": True, "outcome": "assigned", "chosen": make_manager()}
    decision(lead, trigger, **facts)
    assert refused(lambda: decision(lead, trigger, **facts)) == "decision_turn_once_per_registry"
    decision(lead, trigger, **{**facts, "counted": False})
    decision(lead, make_trigger("another"), **facts)


# Registries


def write(standings, added=0):
    Ledger.objects.update(added=added, **columns_of(standings))


def columns_of(standings):
    book = Ledger()
    book.standings = {manager: Standing(*values) for manager, values in standings.items()}
    return {key: getattr(book, key) for key in ("managers", "balances", "received", "last_turns")}


@pytest.mark.parametrize("standings", [{1: (1, 0, 0)}, {1: (5, 1, 1), 2: (-4, 0, 0)}])
def test_a_ledger_adds_up(refused, standings):
    trigger = make_trigger()
    assert refused(lambda: write(standings)) == "ledger_adds_up"
    balanced = {**standings, 9: (-1, 3, 3)}
    write(balanced)
    assert ledger(trigger).standings == balanced


def test_a_ledger_may_hold_what_was_added_on_purpose(refused):
    make_trigger()
    write({1: (7, 0, 0)}, added=7)
    assert refused(lambda: Ledger.objects.update(added=8)) == "ledger_adds_up"


@pytest.mark.parametrize("column", ["managers", "received", "last_turns"])
def test_the_columns_of_a_ledger_stand_side_by_side(refused, column):
    make_trigger()
    assert refused(lambda: Ledger.objects.update(**{column: [1]})) == "ledger_side_by_side"


def test_a_registry_has_a_code_or_is_a_triggers_own(refused):
    trigger = make_trigger()
    assert refused(lambda: Registry.objects.create()) == "registry_has_a_code_or_a_trigger"
    Registry.objects.filter(trigger=trigger).delete()
    assert refused(lambda: Registry.objects.create(code="both", trigger=trigger)) == "registry_has_a_code_or_a_trigger"


def test_a_registry_has_its_ledger_from_birth():
    assert Registry.objects.create(code="new").ledger.standings == {}
    assert make_trigger().own_registry.ledger.turn == 0


# Configuration


def test_a_manager_is_a_member_once(refused):
    ann = make_manager()
    trigger = make_trigger(members=[ann])
    assert refused(lambda: Member.objects.create(trigger=trigger, manager=ann)) == "member_once_per_trigger"


@pytest.mark.parametrize("facts", [{"if_nobody": "duty"}, {"acceptance_minutes": 5, "final_step": "duty"}])
def test_a_trigger_that_asks_for_duty_names_who(refused, facts):
    make_pipeline()
    assert refused(lambda: make_trigger(**facts)) == "trigger_names_who_is_on_duty"
    make_trigger(duty=make_manager(), **facts)


def test_negative_weights_and_limits_are_refused(refused):
    trigger, ann = make_trigger(), make_manager()
    for facts in ({"coefficient": -1}, {"limit": -1}):
        assert refused(lambda facts=facts: Member.objects.create(trigger=trigger, manager=ann, **facts))
    assert refused(lambda: Trigger.objects.update(limit=-1))


def test_codes_stand_once(refused):
    make_pipeline(), make_trigger(), make_source(), make_schedule()
    assert refused(lambda: make_pipeline())
    assert refused(lambda: make_trigger())
    assert refused(lambda: make_schedule())
    assert (
        refused(lambda: Stage.objects.create(pipeline=stage().pipeline, code="new")) == "stage_code_once_per_pipeline"
    )


def test_a_pipeline_has_one_unqualified_stage(refused):
    sales = make_pipeline()
    write = {"pipeline": sales, "code": "second", "kind": "unqualified"}
    assert refused(lambda: Stage.objects.create(**write)) == "stage_one_unqualified_per_pipeline"


def test_there_is_one_account_and_one_version(refused):
    make_account()
    assert refused(lambda: Account.objects.create(pk=2)) == "account_only_one"
    assert refused(lambda: ConfigurationVersion.objects.create(pk=2, version=1)) == "configurationversion_only_one"


# People


def test_a_manager_is_on_one_pause_at_a_time(refused):
    ann = make_manager()
    Pause.objects.create(manager=ann, started_at=MONDAY, ended_at=MONDAY)
    Pause.objects.create(manager=ann, started_at=MONDAY)
    write = {"manager": ann, "started_at": MONDAY + HOUR}
    assert refused(lambda: Pause.objects.create(**write)) == "pause_one_open_per_manager"


def test_a_pause_ends_after_it_starts(refused):
    write = {"manager": make_manager(), "started_at": MONDAY, "ends_at": MONDAY}
    assert refused(lambda: Pause.objects.create(**write)) == "pause_ends_after_start"


def test_an_email_is_a_login_once_in_lower_case(refused):
    make_user("sue")
    assert refused(lambda: User.objects.create(email="Sue@example.com")) == "user_email_lower_case"
    assert refused(lambda: User.objects.create(email="sue@example.com"))


def test_an_exception_is_of_a_manager_or_of_a_schedule(refused):
    ann, office = make_manager(), make_schedule()
    day = {"first_day": date(2026, 3, 2), "last_day": date(2026, 3, 2)}
    both = {"manager": ann, "schedule": office}
    assert refused(lambda: ScheduleException.objects.create(**day)) == "scheduleexception_of_one"
    assert refused(lambda: ScheduleException.objects.create(**both, **day)) == "scheduleexception_of_one"
    backwards = {"manager": ann, "first_day": date(2026, 3, 2), "last_day": date(2026, 3, 1)}
    assert refused(lambda: ScheduleException.objects.create(**backwards)) == "scheduleexception_days_in_order"


def test_a_cycle_has_a_start(refused):
    write = {"code": "two-two", "kind": "cycle", "cycle_days": [[]]}
    assert refused(lambda: WorkSchedule.objects.create(**write)) == "workschedule_cycle_has_a_start"


# Contacts, companies, requests


def test_an_address_is_one_contacts(refused):
    ana = make_contact(phone="+34600010100", chat="ana")
    for key in ({"phone": "+34600010100"}, {"chat": "ana"}, {"email": "ana@client.example"}):
        made = partial(make_contact, **{"email": "", **key})
        assert refused(made) == "contact_point_of_one_contact"
    eva = make_contact("")
    add = partial(ContactPoint.objects.create, contact=eva, kind="phone", text="+34600010100", first_seen_at=MONDAY)
    add(key="+34600010100", shared=True)
    assert refused(partial(add, key="+34600010100", shared=True)) == "contact_point_once"
    assert refused(partial(add, key=None, shared=True)) == "contact_point_shares_a_key"
    add(key=None, main=True), add(key=None)
    assert refused(partial(add, key=None, main=True)) == "contact_point_main_once"
    assert ana.points.count() == 3


def test_a_number_whose_owner_loses_it_is_of_the_first_who_shares_it():
    ana, eva, uma = make_contact(phone="+34600010100"), make_contact(""), make_contact("")
    number = {"kind": "phone", "text": "+34600010100", "key": "+34600010100", "first_seen_at": MONDAY}
    for each in (eva, uma):
        ContactPoint.objects.create(contact=each, shared=True, **number)
    ana.points.filter(kind="phone").delete()
    assert dict(ContactPoint.objects.values_list("contact", "shared").filter(kind="phone")) == {
        eva.pk: False,
        uma.pk: True,
    }
    eva.points.update(key=None)
    assert uma.points.get().shared is False


def test_a_pair_is_proposed_once():
    one, other = sorted((make_contact(""), make_contact("")), key=lambda each: each.pk)
    pair = partial(PossibleDuplicate.objects.create, reasons=["shared_phone"], found_at=MONDAY)
    pair(one=one, other=other)
    for wrong in ({"one": one, "other": other}, {"one": other, "other": one}, {"one": one, "other": one}):
        with pytest.raises(IntegrityError), transaction.atomic():
            pair(**wrong)


def test_a_name_without_a_domain_is_one_company(refused):
    make_company()
    assert refused(lambda: make_company()) == "company_name_once_without_domain"
    make_company(domain_key="ruiz.example")
    assert refused(lambda: make_company("Other", domain_key="ruiz.example"))
    assert Company.objects.count() == 2


def test_a_request_is_kept_once(refused):
    facts = {"owner": "source:1", "route": "leads", "key": "k", "fingerprint": "f", "created_at": MONDAY}
    IntakeRequest.objects.create(**facts)
    assert refused(lambda: IntakeRequest.objects.create(**facts)) == "intakerequest_once"


def test_an_api_key_is_of_a_source_or_a_user_and_not_of_both(refused):
    facts = {"name": "both", "source": make_source(), "user": make_user(), "scopes": []}
    assert refused(lambda: ApiKey.objects.create(**facts)) == "apikey_of_one"


# The load


def test_a_load_is_never_negative(refused):
    make_lead(state="assigned", responsible=make_manager())
    assert refused(lambda: Load.objects.update(leads=-1)) == "load_is_not_negative"


def counted_anew():
    rows = Lead.objects.exclude(responsible=None).values_list("responsible", "stage")
    return Counter(rows)


def counted():
    return {(m, s): n for m, s, n in Load.objects.exclude(leads=0).values_list("manager", "stage", "leads")}


@pytest.mark.parametrize("seed", range(5))
def test_the_load_equals_a_recount_whatever_is_written(seed):
    random = Random(seed)
    make_pipeline("sales"), make_pipeline("support")
    team = [make_manager(name) for name in ("ann", "bob", "max")]
    stages = list(Stage.objects.all())
    make_trigger("sales", limit=9, members=team[:2])
    for _ in range(60):
        lead = Lead.objects.order_by("?").first()
        match random.randrange(6):
            case 0:
                take(pipeline=random.choice(["sales", "support"]))
            case 1:
                make_lead(state="assigned", responsible=random.choice(team))
            case 2 if lead:
                Lead.objects.filter(pk=lead.pk).update(stage=random.choice(stages))
            case 3 if lead:
                Lead.objects.filter(pk=lead.pk).update(state="assigned", responsible=random.choice(team))
            case 4 if lead:
                Lead.objects.filter(pk=lead.pk).update(state="idle", responsible=None, stage=random.choice(stages))
            case 5 if lead and random.random() < 0.3:
                lead.delete()
    Lead.objects.filter(responsible=team[0]).update(responsible=team[2])
    assert counted() == counted_anew()
    Lead.objects.all().delete()
    assert counted() == {}


def test_the_load_follows_many_rows_in_one_statement():
    ann, bob = make_manager("ann"), make_manager("bob")
    for _ in range(10):
        make_lead(state="assigned", responsible=ann)
    Lead.objects.update(responsible=bob, stage=stage("sales/won"))
    assert counted() == {(bob.pk, stage("sales/won").pk): 10} == counted_anew()


# The version of the configuration


@pytest.mark.parametrize(
    "change",
    [
        lambda: Manager.objects.update(active=False),
        lambda: Member.objects.update(coefficient=7),
        lambda: Trigger.objects.get().limit_stages.add(Stage.objects.first()),
        lambda: WorkSchedule.objects.create(code="another"),
        lambda: Account.objects.update(time_zone="Europe/Madrid"),
        lambda: User.objects.update(name="Anna"),
        lambda: Registry.objects.update(refund_missed=True),
        lambda: Stage.objects.update(kind="open"),
    ],
)
def test_a_change_of_configuration_is_a_new_version(change):
    make_account()
    make_pipeline(stages={"new": "open", "accepted": "open"})
    make_trigger(members=[make_manager()])
    before = ConfigurationVersion.objects.get().version
    change()
    assert ConfigurationVersion.objects.get().version > before


def test_a_pause_is_no_new_version():
    make_account()
    manager = make_manager()
    before = ConfigurationVersion.objects.get().version
    Pause.objects.create(manager=manager, started_at=MONDAY)
    assert ConfigurationVersion.objects.get().version == before


def test_what_is_no_configuration_is_no_new_version():
    ann = make_manager()
    make_trigger(members=[ann])
    make_source()
    before = ConfigurationVersion.objects.get().version
    take()
    Manager.objects.update(last_seen_at=MONDAY)
    User.objects.update(last_login=MONDAY)
    assert ConfigurationVersion.objects.get().version == before


def test_a_value_that_is_too_long_is_refused_and_not_cut():
    with pytest.raises(DataError), transaction.atomic():
        make_lead(country="Spain")
