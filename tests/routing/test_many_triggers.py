"""One request whose leads come by several triggers: decided as one by one, in as many statements as by one."""

import re
from random import Random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from accounts.models import Manager
from routing import audit
from routing.models import Decision, Lead, Ledger
from routing.representations import read_decision
from routing.services.intake import take_lead, take_leads
from tests.effort import by_night
from tests.factories import (
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    form,
    make_account,
    make_manager,
    make_pipeline,
    make_registry,
    make_source,
    make_trigger,
    take,
)

STATEMENT = re.compile(r"(?:^|; )(?=EXECUTE |SELECT |INSERT |UPDATE |BEGIN|COMMIT|SAVEPOINT|RELEASE)")
OPEN = {f"s{number}": "open" for number in range(10)}


def make_team(triggers, *, managers=3, shared=False, **facts):
    """Make a pipeline with a trigger on each of its first stages, over the same managers."""
    make_account()
    make_pipeline("sales", stages=OPEN)
    team = [make_manager(f"m{number}") for number in range(managers)]
    registry = make_registry() if shared else None
    for number in range(triggers):
        make_trigger(f"t{number}", on_stage=f"sales/s{number}", members=team, registry=registry, **facts)


def forms_for(triggers, number):
    return [form(pipeline="sales", stage=f"s{n % triggers}", external_id=f"{n}") for n in range(number)]


def statements(triggers, leads, **facts):
    """Return how many statements a request takes whose leads alternate between so many triggers, once all is planned."""
    make_team(triggers, **facts)
    source = make_source().pk
    for _ in range(2):
        take_leads([{**each, "external_id": None} for each in forms_for(triggers, leads)], source_id=source, at=MONDAY)
    with CaptureQueriesContext(connection) as queries:
        taken = take_leads(forms_for(triggers, leads), source_id=source, at=MONDAY)
    assert Decision.objects.filter(lead__in=[each.lead_id for each in taken]).count() == leads
    return sum(len(STATEMENT.findall(query["sql"])) for query in queries)


USUAL = {
    (): 10,
    ("shared",): 10,
    ("also_assign", "limit"): 13,
}  # statements of a request whose leads come by one trigger


@pytest.mark.django_db
@pytest.mark.parametrize("facts", [{}, {"shared": True}, {"limit": 500, "also_assign": ["contact", "contact_leads"]}])
@pytest.mark.parametrize("triggers", [1, 2, 5, 10])
def test_the_number_of_statements_does_not_grow_with_triggers(triggers, facts):
    assert statements(triggers, 40, **facts) == USUAL[tuple(sorted(facts))]


@pytest.fixture
def waiting(db):
    make_team(5, limit=1, managers=1)
    take(pipeline="sales", stage="s0", at=MONDAY - 3 * HOUR)
    first = [take(pipeline="sales", stage=f"s{n}", at=MONDAY - 2 * HOUR) for n in range(5)]
    assert {lead.state for lead in first} == {"waiting"}
    return first


def test_a_request_for_several_triggers_looks_after_those_that_wait_for_each(waiting):
    Lead.objects.filter(state="assigned").delete()
    taken = take_leads(forms_for(5, 10), source_id=make_source().pk, at=MONDAY)
    states = dict(Lead.objects.values_list("pk", "state"))
    assert [states[lead.pk] for lead in waiting] == ["assigned", "waiting", "waiting", "waiting", "waiting"]
    assert {states[each.lead_id] for each in taken} == {"waiting"}


def told(prefix):
    """Return what the decisions came to in one of two installations, under names that do not tell which."""
    names = dict(Manager.objects.values_list("pk", "user__name"))
    rows = Decision.objects.filter(trigger__code__startswith=prefix).order_by("id").select_related("lineup", "lead")
    found = []
    for row in rows:
        candidates, refusals, after = read_decision(row)
        seen = [c._replace(manager=names[c.manager].removeprefix(prefix.title())) for c in candidates]
        lead = row.lead.external_id
        found.append((row.trigger.code.removeprefix(prefix), lead, row.turn, row.reason, seen, refusals, after))
    return found


def make_world(prefix, seed):
    """Make an installation by chance: triggers over shared or own registries, limits that stages share, coefficients."""
    random = Random(seed)
    make_pipeline(prefix, stages={f"s{n}": "open" for n in range(4)})
    team = [make_manager(f"{prefix}{n}") for n in range(4)]
    registries = [make_registry(f"{prefix}{n}", accounting=random.choice(["fair_share", "totals"])) for n in range(2)]
    for number in range(4):
        members = [
            {"manager": m, "coefficient": random.randint(0, 3), "limit": random.choice([None, 3, 6])}
            for m in random.sample(team, random.randint(1, 4))
        ]
        facts = asking_acceptance(30) if random.random() < 0.3 else {}
        make_trigger(
            f"{prefix}{number}",
            on_stage=f"{prefix}/s{number}",
            members=members,
            registry=random.choice([None, *registries]),
            method=random.choice(["fair_share", "least_loaded", "direct"]),
            limit_stages=random.choice([[], [f"{prefix}/s0", f"{prefix}/s{number}"]]),
            responsible_check=random.choice([[], ["contact"]]),
            responsible_count=random.random() < 0.5,
            also_assign=random.choice([[], ["contact"]]),
            **facts,
        )


class TestAsOneByOne(TestCase):
    @settings(max_examples=by_night(25, by_day=8), suppress_health_check=list(HealthCheck))
    @given(
        seed=st.integers(0, 10**6), order=st.lists(st.integers(0, 3), min_size=1, max_size=16), cut=st.integers(0, 16)
    )
    def test_leads_by_many_triggers_are_decided_as_one_by_one(self, seed, order, cut):
        make_account()
        for prefix in ("one", "all"):
            make_world(prefix, seed)
        random = Random(seed)
        people = [f"p{random.randint(0, 5)}" for _ in order]
        sent = {
            prefix: [
                {
                    "pipeline": prefix,
                    "stage": f"s{stage}",
                    "external_id": f"{n}",
                    "contact": {"email": f"{person}@{prefix}.example"},
                }
                for n, (stage, person) in enumerate(zip(order, people, strict=True))
            ]
            for prefix in ("one", "all")
        }
        for each in sent["one"]:
            take_lead(each, source_id=make_source("one").pk, at=MONDAY + MINUTE)
        for part in (sent["all"][:cut], sent["all"][cut:]):
            if part:
                take_leads(part, source_id=make_source("all").pk, at=MONDAY + MINUTE)
        assert told("one") == told("all")
        assert list(audit.violations()) == []
        books = [
            sorted(
                (row.turn, sorted(row.balances))
                for row in Ledger.objects.filter(registry__decisions__in=some).distinct()
            )
            for some in (Decision.objects.filter(trigger__code__startswith=prefix) for prefix in ("one", "all"))
        ]
        assert books[0] == books[1]
