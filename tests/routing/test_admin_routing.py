"""The admin's pages of leads and their distribution: triggers, keys, the journal, leads and what is done to them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Manager, User
from accounts.time import clock
from routing.admin.search import contacts_found
from routing.models import (
    Adjustment,
    ApiKey,
    Contact,
    Decision,
    Lead,
    LeadEvent,
    Member,
    RefusedIntake,
    Registry,
    Trigger,
)
from routing.models.duplicates import ContactTraits, DuplicateSearch
from tests.admin_pages import errors, filled, messages, save
from tests.data import data_path
from tests.effort import by_night
from tests.factories import (
    MONDAY,
    asking_acceptance,
    balances,
    fresh,
    make_account,
    make_exception,
    make_lead,
    make_manager,
    make_registry,
    make_schedule,
    make_source,
    make_supervisor,
    make_task,
    make_trigger,
    make_user,
    outcomes,
    stage,
    take,
    take_some,
)

pytestmark = pytest.mark.django_db

LEADS, TRIGGERS, KEYS, JOURNAL = (f"/admin/routing/{name}/" for name in ("lead", "trigger", "apikey", "refusedintake"))
OURS = [model for model in admin.site._registry if model._meta.app_label in ("accounts", "routing")]


@pytest.fixture
def sue(client):
    """Sign in the supervisor."""
    sue = make_supervisor()
    client.force_login(sue)
    return sue


@pytest.fixture
def root(client):
    root = User.objects.create_superuser("root@example.com")
    client.force_login(root)
    return root


def one_of_everything():
    ann = make_manager("ann", schedule=make_schedule())
    make_exception(ann, on=MONDAY.date())
    trigger = make_trigger(members=[ann], registry=make_registry(), **asking_acceptance(10**5))
    lead = take(at=clock.now(), company={"name": "Ruiz SL", "domain": "ruiz.example"})
    make_task(lead)
    refuse()
    return trigger, lead


def refuse(body: bytes = b'{"name": "No way to reach"}', **facts):
    problem = {
        "detail": "Nobody can be reached.",
        "errors": [{"pointer": "/contact", "code": "required", "detail": "Missing."}],
    }
    facts = {
        "at": clock.now(),
        "code": "invalid-lead",
        "problem": problem,
        "body": body,
        "size": len(body),
        "source": make_source(),
        **facts,
    }
    return RefusedIntake.objects.create(**facts)


# Every page


def test_every_model_has_its_page():
    from django.apps import apps

    models = {model for label in ("accounts", "routing") for model in apps.get_app_config(label).get_models()}
    assert models - {ContactTraits, DuplicateSearch} == set(OURS)  # of those nothing is for people to read


@pytest.mark.thorough
def test_every_list_and_every_page_opens_and_takes_no_more_queries_for_more_rows(client, root):
    one_of_everything()
    wrong = []
    for model in OURS:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        rows = [
            f"{row.pk}/{page}/"
            for row in model._default_manager.all()[: by_night(3, by_day=1)]
            for page in ("change", "history")
        ]
        answers = {page: client.get(base + page, follow=not page).status_code for page in ["", "add/", *rows]}
        wrong += [
            f"{base}{page}: {status}"
            for page, status in answers.items()
            if status != 200 and (page, status) != ("add/", 403)
        ]
    for number in range(12):
        make_manager(f"m{number}")
    take_some(12, at=clock.now())
    client.get(LEADS)  # a process reads the configuration once for each version
    for model in OURS:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        with CaptureQueriesContext(connection) as queries:
            client.get(address)
        if len(queries) > 11:
            wrong.append(f"{address}: {len(queries)} queries")
    assert not wrong


@pytest.mark.parametrize(
    "name", ["decision", "offer", "adjustment", "leadevent", "ledger", "load", "intakerequest", "heartbeat"]
)
def test_facts_are_looked_at_and_never_edited(client, root, name):
    one_of_everything()
    model = next(m for m in OURS if m._meta.model_name == name)
    assert client.get(f"/admin/routing/{name}/add/").status_code == 403
    for row in model._default_manager.all()[:1]:
        assert client.post(f"/admin/routing/{name}/{row.pk}/change/", {}).status_code == 403
        assert client.post(f"/admin/routing/{name}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "query",
    ["created_at__year=99999999999", "created_at__gte=%00", "state__exact=%00", "q=%00", "p=99999999999999999999",
     "stage__id__exact=x", "id__exact=no", "e=1&created_at__year=99999999999", "created_at__year=-1", "o=x",
     "_facets=1", "responsible__id__exact=99999999999999999999999"],
)  # fmt: skip
def test_an_address_that_was_tampered_with_never_crashes(query):
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root@example.com"))
    response = client.get(f"{LEADS}?{query}")
    assert response.status_code in (200, 302, 400), query
    if response.status_code == 302:
        assert client.get(response.url).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_search_for_nothing_a_database_holds_is_answered():
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root@example.com"))
    asked = "app_label=routing&model_name=member&field_name=manager"
    assert client.get(f"/admin/autocomplete/?{asked}&term=an").status_code == 200
    assert client.get(f"/admin/autocomplete/?{asked}&term=%00").status_code == 400


# Triggers


def add_trigger(client, form=None, **facts):
    form = form or filled(client, f"{TRIGGERS}add/")
    return client.post(f"{TRIGGERS}add/", form | {"code": "new-leads", "stage": stage().pk, **facts})


def members(*rows):
    """Return the form of the members; a row is a manager and their coefficient."""
    data = {"members-TOTAL_FORMS": str(len(rows)), "members-INITIAL_FORMS": "0"}
    for number, (manager, coefficient) in enumerate(rows):
        data |= {
            f"members-{number}-manager": str(manager.pk),
            f"members-{number}-coefficient": coefficient,
            f"members-{number}-position": str(number),
        }
    return data


def test_a_new_trigger_fires_on_both_events_and_counts_in_its_own_registry(client, sue):
    ann = make_manager()
    response = add_trigger(client, **members((ann, "40")))
    assert response.status_code == 302, errors(response)
    trigger = Trigger.objects.get()
    assert (trigger.on, trigger.registry, trigger.priority) == (["created", "moved"], None, 10)
    assert Member.objects.get().coefficient == 40
    assert trigger.own_registry.label == "new-leads"


def test_saving_a_trigger_unchanged_changes_nothing(client, sue):
    ann = make_manager()
    make_trigger(
        members=[(ann, 40)], limit_stages=["sales/new"], limit=5, responsible_check=["company", "contact"],
        also_assign=["tasks"], set_fields={"taken": None},
        duty=ann, if_nobody="duty", registry=make_registry(), **asking_acceptance(),
    )  # fmt: skip
    before, member = Trigger.objects.values().get(), Member.objects.values().get()
    assert save(client, f"{TRIGGERS}{before['id']}/change/").status_code == 302
    assert Trigger.objects.values().get() == before
    assert Member.objects.values().get() == member


WRONG = [
    ({"on": []}, "on", "at least one event"),
    ({"on": ["deleted"]}, "on", "not one of"),
    ({"stage": ""}, "stage", "required"),
    ({"priority": "99999999999"}, "priority", "less than or equal"),
    ({"priority": "first"}, "priority", "whole number"),
    ({"if_nobody": "duty"}, "duty", "Choose the manager"),
    ({"acceptance_minutes": "10", "final_step": "duty"}, "duty", "Choose the manager"),
    ({"acceptance_minutes": "0"}, "acceptance_minutes", "greater than or equal"),
    ({"limit": "-1"}, "limit", "greater than or equal"),
    ({"set_fields": "[1]"}, "set_fields", "object"),
    ({"set_fields": "{"}, "set_fields", "JSON"),
    ({"set_fields": json.dumps({"a": [{"k" * 201: 1}]})}, "set_fields", "at most 200 characters"),
    ({"set_fields": json.dumps({f"{n}": n for n in range(201)})}, "set_fields", "At most 200 keys"),
    ({"code": "New leads"}, "code", "a-z"),
    ({"responsible_check": "everybody"}, "responsible_check", "not one of"),
]


def test_what_is_wrong_with_a_trigger_is_said_beside_its_field(client, sue):
    form = filled(client, f"{TRIGGERS}add/")
    for changes, field, words in WRONG:
        response = add_trigger(client, form, **changes)
        assert list(errors(response)) == [field], changes
        assert words in errors(response)[field][0]
    assert not Trigger.objects.exists()


def test_a_coefficient_that_is_no_whole_number_is_refused_beside_its_box(client, sue):
    ann, form = make_manager(), filled(client, f"{TRIGGERS}add/")
    for coefficient in ("1,5", "1.5", "-1", "1000001", "", "many"):
        response = add_trigger(client, form, **members((ann, coefficient)))
        assert list(response.context["inline_admin_formsets"][0].formset.errors[0]) == ["coefficient"], coefficient


def test_the_local_way_to_write_a_weight_is_refused_and_not_misread(client, sue):
    cases = json.loads(data_path("bad_inputs_sample.json").read_text())
    rows = (
        cases["cases"]
        if isinstance(cases.get("cases"), list)
        else [row for rows in cases.values() if isinstance(rows, list) for row in rows]
    )
    weight = next(row for row in rows if isinstance(row, dict) and row.get("id") == "BS-37")["body"]["form"]["weight"]
    response = add_trigger(client, **members((make_manager(), weight)))
    assert response.status_code == 200
    assert not Member.objects.exists()


def test_a_member_is_named_once(client, sue):
    ann = make_manager()
    response = add_trigger(client, **members((ann, "1"), (ann, "2")))
    formset = response.context["inline_admin_formsets"][0].formset
    assert list(formset.errors[1]) == ["manager"]
    assert "already a member" in formset.errors[1]["manager"][0]
    assert not Trigger.objects.exists()


def test_another_triggers_own_registry_is_not_to_be_had(client, sue):
    own = make_trigger("other").own_registry
    response = add_trigger(client, registry=own.pk)
    assert list(errors(response)) == ["registry"]
    named = make_registry()
    listed = client.get("/admin/routing/registry/").content.decode()
    assert f"/admin/routing/registry/{named.pk}/change/" in listed
    assert f"/admin/routing/registry/{own.pk}/change/" not in listed
    assert client.get(f"/admin/routing/registry/{own.pk}/change/").status_code == 200


def test_the_page_of_a_trigger_shows_where_everybody_stands(client, sue):
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    take()
    page = client.get(f"{TRIGGERS}{trigger.pk}/change/").content.decode()
    assert "0.500" in page
    assert "-0.500" in page


# Keys


def add_key(client, **facts):
    form = filled(client, f"{KEYS}add/")
    return client.post(f"{KEYS}add/", form | {"name": "Landing", **facts})


def test_a_key_is_shown_once_and_its_digest_never(client, sue):
    response = add_key(client, source=make_source().pk)
    assert response.status_code == 302, errors(response)
    key = ApiKey.objects.get()
    assert key.scopes == ["intake", "read"]
    shown = re.search(r"lr_[0-9a-f]{12}_[\w-]{43}", messages(response))
    assert shown
    assert ApiKey.digest_of(shown[0]) == key.digest
    client.get(KEYS)  # where the message is shown
    for address in (KEYS, f"{KEYS}{key.pk}/change/", f"{KEYS}{key.pk}/history/", "/admin/"):
        page = client.get(address).content.decode()
        assert shown[0] not in page
        assert key.digest not in page


@pytest.mark.parametrize("day", ["0001-01-01", "2020-01-01"])
def test_a_key_that_would_never_work_is_refused(client, sue, day):
    assert list(errors(add_key(client, expires_at_0=day, expires_at_1="00:00:00"))) == ["expires_at"]
    assert not ApiKey.objects.exists()


def test_the_figure_of_today_leads_to_the_leads_of_today(client, sue):
    make_account(time_zone="Asia/Tokyo")
    stage()
    wanted = take(at=clock.now())
    make_lead(created_at=MONDAY)
    page = client.get("/admin/").content.decode()
    [link] = re.findall(r'href="(/admin/routing/lead/\?created_at__gte=[^"]+)"', page)
    assert list(client.get(link).context["cl"].result_list) == [wanted]
    assert "<span>lead today</span>" in page


def test_saving_a_key_keeps_its_secret(client, sue):
    add_key(client)
    before = ApiKey.objects.get()
    assert (
        save(
            client, f"{KEYS}{before.pk}/change/", name="Other", digest="0" * 64, prefix="x", scopes=["intake"]
        ).status_code
        == 302
    )
    after = ApiKey.objects.get()
    assert (after.digest, after.prefix, after.name, after.scopes) == (before.digest, before.prefix, "Other", ["intake"])


def test_a_key_belongs_to_a_source_or_a_user_and_has_a_scope(client, sue):
    ann = make_manager().user
    assert list(errors(add_key(client, source=make_source().pk, user=ann.pk))) == ["user"]
    assert list(errors(add_key(client, scopes=[]))) == ["scopes"]
    assert list(errors(add_key(client, scopes=["everything"]))) == ["scopes"]
    assert add_key(client, user=ann.pk).status_code == 302


def test_a_supervisor_makes_no_key_for_somebody_above_them(client, sue):
    boss = User.objects.create_superuser("boss@example.com")
    assert list(errors(add_key(client, user=boss.pk, scopes=["manage"]))) == ["user"]
    key = ApiKey(name="Boss", user=boss, scopes=["read"])
    key.renew()
    key.save()
    assert client.post(f"{KEYS}{key.pk}/change/", {"name": "Mine", "scopes": ["manage"]}).status_code == 403


def test_a_revoked_key_stays_revoked(client, sue):
    add_key(client)
    key = ApiKey.objects.get()
    client.post(KEYS, {"action": "revoke", "_selected_action": [key.pk]})
    revoked_at = ApiKey.objects.get().revoked_at
    assert revoked_at is not None
    client.post(KEYS, {"action": "revoke", "_selected_action": [key.pk]})
    save(client, f"{KEYS}{key.pk}/change/", revoked_at_0="", revoked_at_1="")
    assert ApiKey.objects.get().revoked_at == revoked_at


# The intake journal


def test_a_refused_lead_is_mended_and_taken(client, sue):
    stage()
    refused = refuse()
    address = f"{JOURNAL}{refused.pk}/take/"
    assert "No way to reach" in client.get(f"{JOURNAL}{refused.pk}/change/").content.decode()
    assert "No way to reach" in filled(client, address)["body"][0]
    response = client.post(address, {"body": '{"name": "Reached", "contact": {"email": "ana@client.example"}}'})
    lead = Lead.objects.get()
    assert response.url == f"{LEADS}{lead.pk}/change/"
    assert (lead.name, lead.source) == ("Reached", refused.source)
    refused.refresh_from_db()
    assert refused.settled_at is not None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '{"name": "still nobody"}',
        '{"contact": {"email": 5}}',
        '{"contact": {"email": "a@b.example"}, "stage": "nowhere"}',
        "\x00",
    ],
)
def test_what_is_still_wrong_is_said_beside_the_body(client, sue, body):
    refused = refuse()
    response = client.post(f"{JOURNAL}{refused.pk}/take/", {"body": body})
    assert response.status_code == 200
    assert response.context["form"].errors["body"]
    assert not Lead.objects.exists()
    refused.refresh_from_db()
    assert refused.settled_at is None


def test_an_entry_is_settled_by_an_action(client, sue):
    refused = refuse()
    client.post(JOURNAL, {"action": "settle", "_selected_action": [refused.pk]})
    refused.refresh_from_db()
    assert refused.settled_at is not None


def test_what_a_stranger_sent_is_text_on_every_page(client, root):
    stage()
    evil = "<script>alert(1)</script>"
    refused = refuse(evil.encode(), code=evil, problem={"detail": evil, "errors": [{"pointer": evil, "detail": evil}]})
    lead = take(
        at=clock.now(),
        name=evil,
        contact={"name": evil, "email": "a@b.example", "chat": evil},
        company={"name": evil},
        comment=evil,
        tags=[evil],
        fields={evil: evil},
    )
    addresses = [
        *(LEADS, JOURNAL, "/admin/routing/contact/", "/admin/routing/company/"),
        *(f"{LEADS}{lead.pk}/{page}/" for page in ("change", "history", "act/move")),
        *(f"{JOURNAL}{refused.pk}/{page}/" for page in ("change", "take")),
        f"/admin/routing/contact/{lead.contact_id}/change/",
        "/admin/autocomplete/?app_label=routing&model_name=task&field_name=lead",
    ]
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        assert response["Content-Type"].startswith("application/json") or evil not in response.content.decode(), address


# Leads


@pytest.fixture
def offered():
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann, bob], method="direct", **asking_acceptance(10**5))
    return take(at=clock.now())


def test_the_page_of_a_lead_shows_every_candidate_and_why(client, sue):
    ann, bob = make_manager("ann"), make_manager("bob", active=False)
    make_trigger(members=[ann, (bob, 2)])
    page = client.get(f"{LEADS}{take(at=clock.now()).pk}/change/").content.decode()
    assert "Bob" in page
    assert "fair_share" in page


def test_saving_a_lead_leaves_stage_state_and_responsible_alone(client, sue, offered):
    bob = Manager.objects.get(user__name="Bob")
    forged = {
        "state": "idle",
        "responsible": str(bob.pk),
        "stage": str(stage("sales/won").pk),
        "score": "99",
        "source": "1",
        "attempt": "7",
    }
    response = save(client, f"{LEADS}{offered.pk}/change/", name="Renamed", **forged)
    assert response.status_code == 302, errors(response)
    after = fresh(offered)
    assert after.name == "Renamed"
    for column in ("state", "responsible_id", "stage_id", "score", "source_id", "attempt"):
        assert getattr(after, column) == getattr(offered, column)


def test_a_stale_page_does_not_bring_a_lead_back(client, sue, offered):
    form = filled(client, f"{LEADS}{offered.pk}/change/")
    Lead.objects.filter(pk=offered.pk).update(score=5, product="crm")
    client.post(f"{LEADS}{offered.pk}/change/", form | {"name": "Renamed", "product": "crm"})
    assert (fresh(offered).name, fresh(offered).score) == ("Renamed", 5)


def test_saving_a_lead_unchanged_changes_nothing(client, sue):
    stage()
    lead = take(
        at=clock.now(),
        tags=["a,b", "two words"],
        fields={"n": [1, None]},
        budget=None,
        comment="line\nline",
        utm={"source": "x"},
    )
    before = Lead.objects.values().get(pk=lead.pk)
    assert save(client, f"{LEADS}{lead.pk}/change/").status_code == 302
    assert Lead.objects.values().get(pk=lead.pk) == before


def test_a_lead_is_reassigned_by_the_service(client, sue, offered):
    bob = Manager.objects.get(user__name="Bob")
    address = f"{LEADS}{offered.pk}/act/reassign/"
    assert client.get(address).status_code == 200
    assert fresh(offered).responsible != bob
    response = client.post(address, {"manager": bob.pk, "count": "on", "reason": "knows them"})
    assert response.url == f"{LEADS}{offered.pk}/change/"
    assert (fresh(offered).responsible, fresh(offered).state) == (bob, "assigned")
    assert outcomes(offered) == ["withdrawn"]
    event = LeadEvent.objects.get(lead=offered)
    assert (event.by, event.data["reason"]) == (sue, "knows them")
    assert Adjustment.objects.get().kind == "by_hand"


def test_what_is_ticked_goes_along_and_the_contacts_page_tells_it(client, sue, offered):
    bob, ann = Manager.objects.get(user__name="Bob"), Manager.objects.get(user__name="Ann")
    contact = offered.contact
    Contact.objects.filter(pk=contact.pk).update(responsible=ann)
    address = f"{LEADS}{offered.pk}/act/reassign/"
    form = client.get(address).context["form"]
    assert (form.fields["also"].choices[0][0], form["also"].value()) == ("contact", None)  # nothing is ticked
    client.post(address, {"manager": bob.pk, "also": ["contact", "nonsense"]})
    contact.refresh_from_db()
    assert contact.responsible == ann
    client.post(address, {"manager": bob.pk, "also": ["contact"]})
    contact.refresh_from_db()
    assert contact.responsible == bob
    page = client.get(f"/admin/routing/contact/{contact.pk}/change/").content.decode()
    assert "Ann → Bob" in page
    assert f"{LEADS}{offered.pk}/change/" in page
    story = client.get(f"{LEADS}{offered.pk}/change/").content.decode()
    assert "The contact was also handed over to Bob." in story


def test_a_company_tells_who_became_responsible_for_it_and_who_does_not_see_it_learns_nothing(client, sue):
    ann = make_manager("ann")
    make_trigger(members=[ann], responsible_check=["company"])
    lead = take(at=clock.now(), company={"name": "Ruiz SL"})
    address = f"/admin/routing/company/{lead.company_id}/change/"
    assert "– → Ann" in client.get(address).content.decode()
    client.force_login(make_user("nobody", is_staff=True))
    assert client.get(address).status_code == 403


def test_a_lead_is_moved_by_the_service(client, sue, offered):
    response = client.post(f"{LEADS}{offered.pk}/act/move/", {"stage": stage("sales/accepted").pk})
    assert response.status_code == 302
    assert fresh(offered).stage == stage("sales/accepted")
    assert outcomes(offered) == ["accepted"]


def test_a_turn_is_given_back_once(client, sue):
    ann, bob = make_manager("ann"), make_manager("bob")
    trigger = make_trigger(members=[ann, bob])
    lead = take(at=clock.now())
    owner = lead.responsible.user.name
    before = balances(trigger)[owner]
    address = f"{LEADS}{lead.pk}/act/credit-back/"
    assert client.post(address, {"reason": ""}).context["form"].errors["reason"]
    client.post(address, {"reason": "junk"})
    assert balances(trigger)[owner] == before + 10**9
    response = client.post(address, {"reason": "junk"})
    assert "already credited back" in messages(response)
    assert balances(trigger)[owner] == before + 10**9


def test_many_leads_are_moved_at_once_and_those_that_refuse_are_named(client, sue):
    ann, bob = make_manager("ann"), make_manager("bob")
    make_trigger(members=[ann])
    leads = take_some(3, at=clock.now())
    asked = client.post(LEADS, {"action": "reassign_selected", "_selected_action": [lead.pk for lead in leads]})
    assert "these 3 leads" in asked.content.decode()
    never = make_lead(in_stage="sales/accepted", name="Never distributed")
    chosen = [lead.pk for lead in [*leads, never]]
    response = client.post(f"{LEADS}act/reassign/", {"lead": chosen, "manager": bob.pk, "count": "on"})
    assert "Reassigned: 3." in messages(response)
    assert "Never distributed" in messages(response)
    assert Lead.objects.filter(responsible=bob).count() == 3


def test_actions_are_for_those_who_may_change_leads(client, offered):
    bob = Manager.objects.get(user__name="Bob")
    viewer = make_user("viewer", is_staff=True)
    from django.contrib.auth.models import Permission

    viewer.user_permissions.set(Permission.objects.filter(codename="view_lead"))
    client.force_login(viewer)
    assert client.get(f"{LEADS}{offered.pk}/change/").status_code == 200
    for name in ("reassign", "move", "credit-back"):
        address = f"{LEADS}{offered.pk}/act/{name}/"
        assert (
            client.post(address, {"manager": bob.pk, "stage": stage("sales/won").pk, "reason": "x"}).status_code == 403
        )
    assert client.post(f"{LEADS}act/move/", {"lead": [offered.pk], "stage": stage("sales/won").pk}).status_code == 403
    assert fresh(offered).stage == offered.stage
    client.force_login(bob.user)
    assert client.post(f"{LEADS}{offered.pk}/act/move/", {"stage": stage("sales/won").pk}).status_code == 302
    assert fresh(offered).stage == offered.stage


@pytest.mark.parametrize("name", ["nothing", "%00"])
def test_an_action_that_does_not_exist_does_nothing(client, sue, offered, name):
    assert client.post(f"{LEADS}{offered.pk}/act/{name}/").status_code in (302, 404)


@pytest.mark.parametrize(
    "term",
    [
        "ana@cl",
        "Ana@Client.example",
        "+34600",
        "34 600 010",
        "ruiz",
        "form-18-7741",
        "id",
        "ana_ru",
        "@Ana_Ruiz",
        "https://t.me/ana_ruiz",
    ],
)
def test_leads_are_found_by_the_person_the_company_and_their_numbers(client, sue, term):
    stage()
    wanted = take(
        at=clock.now(),
        external_id="form-18-7741",
        contact={"email": "Ana@client.example", "phone": "+34 600 010 100", "chat": "@Ana_Ruiz"},
        company={"domain": "ruiz.example"},
    )
    take(at=clock.now(), contact={"email": "other@client.example", "phone": "+34 911 000 000"})
    found = client.get(LEADS, {"q": str(wanted.pk) if term == "id" else term}).context["cl"].result_list
    assert [lead.pk for lead in found] == [wanted.pk]


@pytest.mark.parametrize("term", ["ana@cl", "+34600", "@ana_ru"])
def test_each_way_to_find_a_person_goes_by_an_index(term):
    with CaptureQueriesContext(connection) as captured:
        contacts_found(term)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        asked = [query["sql"].removeprefix("BEGIN; ") for query in captured.captured_queries]
        [ways] = [sql for sql in asked if "routing_contact" in sql]
        cursor.execute(f"EXPLAIN {ways}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Seq Scan" not in plan, plan
        assert plan.count("Index Cond") == plan.count("Limit"), plan


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_lead_of_an_odd_year_opens(client, sue, year):
    lead = make_lead(
        arrived_at=datetime(year, 1, 1, tzinfo=UTC),
        created_at=datetime(year, 1, 1, tzinfo=UTC),
        name="",
        external_id="‮x\u2028",
    )
    assert client.get(f"{LEADS}{lead.pk}/change/").status_code == 200
    assert client.get(LEADS).status_code == 200


def test_the_list_of_leads_counts_nothing(client, sue, django_assert_max_num_queries):
    make_account()
    stage()
    take_some(3, at=clock.now())
    with django_assert_max_num_queries(11) as queries:
        client.get(LEADS)
    assert not [q for q in queries.captured_queries if "COUNT(" in q["sql"].upper()]


def test_nobody_deletes_a_lead(client, offered):
    client.force_login(make_user("al", is_staff=True, is_superuser=True))
    assert client.post(f"{LEADS}{offered.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(LEADS, {"action": "delete_selected", "_selected_action": [str(offered.pk)], "post": "yes"})
    assert Lead.objects.filter(pk=offered.pk).exists()
    assert Decision.objects.filter(lead=offered).exists()


def test_a_trigger_that_distributed_nothing_is_deleted_with_all_that_hangs_on_it(client, sue):
    trigger = make_trigger(members=[make_manager()])
    assert client.post(f"{TRIGGERS}{trigger.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Trigger.objects.exists()
    assert not Registry.objects.exists()


# People behind leads


def test_a_registry_with_decisions_is_not_deleted(client, sue):
    registry = make_registry()
    make_trigger(members=[make_manager()], registry=registry)
    take()
    client.post(f"/admin/routing/registry/{registry.pk}/delete/", {"post": "yes"})
    assert Registry.objects.filter(pk=registry.pk).exists()
