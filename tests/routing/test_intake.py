"""Leads are taken: where they enter, what is refused, what came before, and one by one or all at once."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from accounts.models import Manager
from routing.exceptions import IdempotencyKeyReused, InvalidLead
from routing.models import Contact, Decision, IntakeRequest, Lead, Ledger, Source
from routing.representations import lead_documents, read_decision
from routing.services.intake import IdempotencyKey, Replayed, answer_leads, take_lead, take_leads
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    form,
    fresh,
    hold,
    make_account,
    make_manager,
    make_pipeline,
    make_registry,
    make_schedule,
    make_source,
    make_trigger,
    owners,
    take,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def sales():
    return make_pipeline()


def refused(form: dict[str, Any], **facts: Any) -> InvalidLead:
    with pytest.raises(InvalidLead) as refusal:
        take_lead(form, **{"source_id": make_source().pk, "at": MONDAY, **facts})
    assert not Lead.objects.exists()
    assert not Contact.objects.exists()
    return refusal.value


# What was sent


def test_a_lead_is_kept_as_it_was_sent(sales):
    sent = {
        "external_id": "form-18-7741",
        "name": "Demo request",
        "contact": {"name": "Ana Ruiz", "email": "Ana@Example.com", "phone": "+34 600 010 100", "chat": None},
        "company": {"name": "Ruiz SL", "domain": "www.ruiz.example"},
        "budget": Decimal("1200.00"),
        "currency": "EUR",
        "language": "es",
        "country": "ES",
        "region": None,
        "postal_code": None,
        "product": "crm",
        "tags": ["demo"],
        "utm": {"source": "google"},
        "fields": {"employees": 240},
        "comment": "…",
        "arrived_at": MONDAY - HOUR,
    }
    lead = Lead.objects.get(pk=take_lead(sent, source_id=make_source().pk, at=MONDAY).lead_id)
    for key in (
        "external_id",
        "name",
        "budget",
        "currency",
        "language",
        "country",
        "product",
        "tags",
        "utm",
        "fields",
        "comment",
    ):
        assert getattr(lead, key) == sent[key], key
    assert (lead.region, lead.postal_code) == ("", "")
    assert (lead.created_at, lead.arrived_at) == (MONDAY, MONDAY - HOUR)
    assert (lead.contact.name, lead.contact.email, lead.contact.phone) == (
        "Ana Ruiz",
        "ana@example.com",
        "+34600010100",
    )
    assert (lead.company.name, lead.company.domain_key) == ("Ruiz SL", "ruiz.example")


def test_the_answer_is_the_lead_as_it_stands(sales):
    make_trigger(members=[make_manager("ann")], **asking_acceptance())
    taken = take_lead(form(external_id="7", tags=["demo"]), source_id=make_source().pk, at=MONDAY)
    assert taken.created
    [document] = lead_documents(Lead.objects.all())
    assert taken.document == document
    assert document["state"] == "offered"
    assert document["accept_by"] == "2026-03-02T10:10:00Z"
    assert document["decision"] == {
        "trigger": "new-leads",
        "reason": "fair_share",
        "registry": "new-leads",
        "at": "2026-03-02T10:00:00Z",
    }


@pytest.mark.parametrize("facts", [{}, {"members": ["off"]}, {"on": ["moved"]}])
def test_answers_of_waiting_and_idle_leads_are_as_they_stand(sales, facts):
    members = [make_manager("ann", active="members" not in facts)]
    make_trigger(**{**facts, "members": members})
    taken = take_lead(form(company={"name": "Ruiz SL"}), source_id=make_source().pk, at=MONDAY)
    assert [taken.document] == lead_documents(Lead.objects.all())


@pytest.mark.parametrize(
    "contact",
    [
        {"email": "ana@client.example"},
        {"phone": "+34 600 010 100"},
        {"chat": "@ana"},
        {"phone": "600 010 100, after six"},  # no number we can read, and one that a person can dial
        {"email": "not an address", "phone": "+34 600 010 100"},  # a bad e-mail never loses a lead with a phone
        {"email": "ana@client.example", "phone": "12"},
    ],
)
def test_something_to_reach_the_person_by_is_enough(sales, contact):
    lead = Lead.objects.get(pk=take_lead({"contact": contact}, source_id=make_source().pk, at=MONDAY).lead_id)
    for kind in contact:
        assert lead.contact.points.get(kind=kind).text  # what was sent is not thrown away, readable or not


def test_a_bad_email_is_kept_beside_the_phone(sales):
    lead = take(contact={"email": "ana(at)client.example", "phone": "+34 600 010 100"})
    assert lead.contact.email == "ana(at)client.example"
    assert lead.contact.points.get(kind="email").key is None
    assert lead.contact.phone == "+34600010100"


def test_a_name_and_a_company_are_enough(sales):
    source = make_source()
    take_lead({"name": "Ana", "company": {"name": "Ruiz SL"}}, source_id=source.pk, at=MONDAY)
    take_lead({"contact": {"name": "Ana"}, "company": {"domain": "ruiz.example"}}, source_id=source.pk, at=MONDAY)
    assert Lead.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "pointers"),
    [
        ({}, ["/contact"]),
        ({"name": "Ana"}, ["/contact"]),
        ({"company": {"name": "Ruiz SL"}}, ["/contact"]),
        ({"contact": {"name": "Ana"}}, ["/contact"]),
        ({"contact": {"email": "nowhere"}}, ["/contact/email"]),
        ({"contact": {"email": "nowhere", "phone": "12"}}, ["/contact/email", "/contact/phone"]),
    ],
)
def test_nothing_to_reach_anybody_by_is_refused(sales, sent, pointers):
    assert [error["pointer"] for error in refused(sent).errors] == pointers


@pytest.mark.parametrize(
    ("facts", "pointer"),
    [
        ({"pipeline": "nope"}, "/pipeline"),
        ({"stage": "nope"}, "/stage"),
        ({"stage": "nope/new"}, "/pipeline"),
        ({"source": "nope"}, "/source"),
    ],
)
def test_what_does_not_exist_is_named(sales, facts, pointer):
    assert [error["pointer"] for error in refused(form(**facts)).errors] == [pointer]


def test_without_any_pipeline_a_lead_is_refused():
    assert [error["pointer"] for error in refused(form()).errors] == ["/pipeline"]


# Source


def test_a_key_of_a_source_takes_leads_of_that_source_alone(sales):
    make_source("mail")
    assert refused(form(source="mail")).errors[0]["pointer"] == "/source"
    assert take(source=make_source("landing")).source.code == "landing"


def test_a_key_without_a_source_may_name_one_in_the_lead(sales):
    make_source("mail", channel="mail")
    taken = take_lead(form(source="mail"), source_id=None, at=MONDAY)
    assert (taken.document["source"], taken.document["channel"]) == ("mail", "mail")


def test_without_any_source_it_is_the_accounts_api_source(sales):
    Source.objects.filter(code="api").delete()
    for _ in range(2):
        taken = take_lead(form(), source_id=None, at=MONDAY)
        assert (taken.document["source"], taken.document["channel"]) == ("api", "api")
    assert Source.objects.filter(code="api").count() == 1


def test_a_source_that_is_not_active_takes_nothing(sales):
    source = make_source("old", active=False)
    assert refused(form(), source_id=source.pk).errors[0]["pointer"] == "/source"


# Pipeline and stage


def test_without_a_pipeline_it_is_the_first_and_without_a_stage_its_first_open_one():
    make_pipeline("second", position=2)
    make_pipeline("first", position=1)
    lead = take()
    assert (str(lead.stage), lead.arrived_unqualified) == ("first/new", False)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"pipeline": "support"}, "support/new"),
        ({"stage": "accepted"}, "sales/accepted"),
        ({"stage": "support/accepted"}, "support/accepted"),
        ({"pipeline": "support", "stage": "accepted"}, "support/accepted"),
        ({"unqualified": True}, "sales/inbox"),
        ({"unqualified": True, "pipeline": "support"}, "support/inbox"),
    ],
)
def test_a_lead_enters_where_it_says(facts, expected):
    make_pipeline("sales"), make_pipeline("support")
    assert str(take(**facts).stage) == expected


@pytest.mark.parametrize("facts", [{"unqualified": True}, {"stage": "inbox"}])
def test_what_arrives_unqualified_is_remembered_as_such(sales, facts):
    assert take(**facts).arrived_unqualified


def test_with_the_unqualified_section_off_a_lead_enters_the_first_open_stage(sales):
    make_account(unqualified=False)
    lead = take(unqualified=True)
    assert (str(lead.stage), lead.arrived_unqualified) == ("sales/new", False)


def test_a_pipeline_without_an_unqualified_stage_takes_it_in_its_first_open_one():
    make_pipeline(stages={"first": "open", "won": "won"})
    assert str(take(unqualified=True).stage) == "sales/first"


# Sent before


def test_an_external_id_is_one_lead_of_its_source_for_ever(sales):
    source = make_source()
    first = take_lead(form(external_id="7", name="First"), source_id=source.pk, at=MONDAY)
    second = take_lead(form(external_id="7", name="Second"), source_id=source.pk, at=MONDAY + DAY)
    assert (second.created, second.lead_id, second.document) == (False, first.lead_id, first.document)
    assert Contact.objects.count() == 1
    assert take_lead(form(external_id="7"), source_id=make_source("mail").pk, at=MONDAY).created
    assert Lead.objects.count() == 2


def test_a_lead_sent_again_is_answered_as_it_stands_now(sales):
    source = make_source()
    first = take_lead(form(external_id="7"), source_id=source.pk, at=MONDAY)
    Lead.objects.update(name="Edited")
    second = take_lead(form(external_id="7"), source_id=source.pk, at=MONDAY)
    assert second.document == {**first.document, "name": "Edited"}


def test_a_lead_sent_again_is_not_distributed_again(sales):
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    source = make_source()
    for _ in range(3):
        take_lead(form(external_id="7"), source_id=source.pk, at=MONDAY)
    assert Decision.objects.count() == 1


def test_a_number_that_comes_twice_in_one_request_is_one_lead(sales):
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    forms = [form(external_id=id_) for id_ in ("1", "2", "1", "1")]
    taken = take_leads(forms, source_id=make_source().pk, at=MONDAY)
    assert [each.created for each in taken] == [True, True, False, False]
    assert taken[0].lead_id == taken[2].lead_id == taken[3].lead_id
    assert taken[0].document == taken[2].document
    assert Decision.objects.count() == 2


def test_leads_without_a_number_are_never_the_same(sales):
    source = make_source()
    for external_id in (None, "", None, ""):
        take_lead(form(external_id=external_id), source_id=source.pk, at=MONDAY)
    assert Lead.objects.count() == 4


# Idempotency


def send_once(key="k1", *, owner="source:1", route="leads", fingerprint="f1", answer="first", sent=None, at=MONDAY):
    once = IdempotencyKey(owner=owner, route=route, key=key, fingerprint=fingerprint)
    forms = [form() if sent is None else sent]
    return answer_leads(forms, source_id=make_source().pk, at=at, render=lambda results: (201, answer), once=once)


def test_the_same_request_twice_is_one_request(sales):
    send_once()
    with pytest.raises(Replayed) as again:
        send_once(answer="second", at=MONDAY + DAY)
    assert (again.value.status, again.value.answer) == (201, "first")
    assert Lead.objects.count() == 1


def test_another_body_under_the_same_key_is_refused(sales):
    send_once()
    with pytest.raises(IdempotencyKeyReused):
        send_once(fingerprint="f2")
    assert Lead.objects.count() == 1


@pytest.mark.parametrize("other", [{"key": "k2"}, {"owner": "source:2"}, {"route": "bulk"}])
def test_a_key_is_its_owners_on_its_route(sales, other):
    send_once()
    send_once(**other)
    assert Lead.objects.count() == 2


def test_nothing_is_kept_of_a_request_without_a_valid_lead(sales):
    send_once(sent={})
    assert not IntakeRequest.objects.exists()
    send_once()
    assert Lead.objects.count() == 1


def test_the_answer_is_written_from_what_was_taken(sales):
    told = []

    def render(results):
        told.extend(results)
        return 200, "all"

    kept = IdempotencyKey(owner="o", route="bulk", key="k", fingerprint="f")
    forms = [form(), {}, form()]
    taken, answer = answer_leads(forms, source_id=make_source().pk, at=MONDAY, render=render, once=kept)
    assert told == taken
    assert answer == (200, "all")
    assert IntakeRequest.objects.get().answer == "all"


# Many at once


def test_a_bad_lead_does_not_spoil_the_others(sales):
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    results = take_leads([form(), {}, form(), form(stage="nope"), form()], source_id=make_source().pk, at=MONDAY)
    assert [isinstance(each, InvalidLead) for each in results] == [False, True, False, True, False]
    leads = [Lead.objects.get(pk=each.lead_id) for each in results if not isinstance(each, InvalidLead)]
    assert owners(leads) == "ABA"


def test_no_leads_are_no_leads(sales):
    assert take_leads([], source_id=make_source().pk, at=MONDAY) == []
    assert [type(each) for each in take_leads([{}], source_id=make_source().pk, at=MONDAY)] == [InvalidLead]


def make_world(prefix, *, shared=False):
    """Make a pipeline with a team and triggers of its own; shared: the two triggers share a registry."""
    ann, bob, cid, dan = (make_manager(f"{prefix}-{name}") for name in ("ann", "bob", "cid", "dan"))
    cid.skills = {"language": ["en"]}
    cid.save()
    hold(dan, 2, in_stage=f"{prefix}/new")
    members = [(ann, 3), (bob, 2), (cid, 2), {"manager": dan, "limit": 9}]
    facts = {"limit": 25, "limit_stages": [f"{prefix}/new", f"{prefix}/accepted"]}
    if shared:
        facts["registry"] = make_registry(f"{prefix}-book")
        make_trigger(f"{prefix}-accepted", on_stage=f"{prefix}/accepted", members=members[:2], **facts)
    make_trigger(f"{prefix}-new", on_stage=f"{prefix}/new", members=members, **facts)


def outcome(prefix):
    """Return what leads came to there: winners, books and decisions, under names that do not tell where."""
    names = {id_: name[len(prefix) :] for id_, name in Manager.objects.values_list("pk", "user__email")}
    decisions = Decision.objects.filter(trigger__code__startswith=prefix).order_by("lead__external_id")
    books = Ledger.objects.filter(registry__decisions__in=decisions).distinct()
    return {
        "winners": [(d.lead.external_id, d.lead.state, names.get(d.lead.responsible_id)) for d in decisions],
        "books": [(b.turn, {names[int(id_)]: tuple(s) for id_, s in b.standings.items()}) for b in books],
        "decisions": [(d.turn, d.counted, d.reason, d.attempt, told(d, names)) for d in decisions],
    }


def told(decision, names):
    candidates, refusals, after = read_decision(decision)
    return [c._replace(manager=names[c.manager]) for c in candidates], refusals, after


def leads_for(prefix, number, *, stages):
    random = Random(7)  # the same leads, wherever they go
    return [
        form(pipeline=prefix, stage=random.choice(stages), external_id=f"{i}", language=random.choice(["es", "en"]))
        for i in range(number)
    ]


@pytest.mark.parametrize("cuts", [[70], [1, 2, 67], [35, 35]])
def test_many_at_once_are_decided_exactly_as_one_by_one(cuts):
    make_world("one"), make_world("all")
    for lead in leads_for("one", 70, stages=["new"]):
        take_lead(lead, source_id=make_source("one").pk, at=MONDAY)
    forms = iter(leads_for("all", 70, stages=["new"]))
    for size in cuts:
        take_leads([next(forms) for _ in range(size)], source_id=make_source("all").pk, at=MONDAY)
    assert outcome("one") == outcome("all")


def test_many_at_once_for_triggers_that_share_a_registry_are_decided_as_one_by_one():
    make_world("one", shared=True), make_world("all", shared=True)
    for lead in leads_for("one", 40, stages=["new", "accepted"]):
        take_lead(lead, source_id=make_source("one").pk, at=MONDAY)
    take_leads(leads_for("all", 40, stages=["new", "accepted"]), source_id=make_source("all").pk, at=MONDAY)
    assert outcome("one") == outcome("all")


def test_many_at_once_behind_waiting_ones_keep_the_order_in_which_they_were_sent():
    ann = make_manager("ann", schedule=make_schedule())
    make_trigger(limit=11, members=[ann])
    waiting = take(at=MONDAY - 3 * HOUR)
    taken = take_leads([form() for _ in range(40)], source_id=make_source().pk, at=MONDAY)
    leads = [Lead.objects.get(pk=each.lead_id) for each in taken]
    assert owners([waiting, *leads]) == "A" * 11 + "-" * 30


def test_what_is_taken_while_somebody_waits_is_answered_as_it_stands():
    ann = make_manager("ann", schedule=make_schedule())
    make_trigger(limit=1, members=[ann])
    waiting = take(at=MONDAY - 3 * HOUR)
    taken = take_lead(form(), source_id=make_source().pk, at=MONDAY + MINUTE)
    assert taken.document["state"] == "waiting"
    assert fresh(waiting).state == "assigned"
