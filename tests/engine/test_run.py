"""Leads one after the other: what decisions share, and that many at once are as many one by one."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from routing.engine import LEAD, Candidate, LeadFacts, Reason, decide, run

from .teams import MONDAY, STAGE, Person, Terms, case_of, fold, ledger_of, team_of
from .test_decision import methods, teams

OTHER = STAGE + 1


def decided(cases, all_terms, *, together):
    """Return the verdicts on the cases; not together: each alone, with what the one before left."""
    ledgers = {}
    for terms in all_terms:
        ledgers.setdefault(terms.registry, ledger_of(terms.candidates, registry=terms.registry))
    made = {terms.id: team_of(terms, ledgers[terms.registry]) for terms in all_terms}
    if together:
        return run(cases, made, at=MONDAY)
    verdicts = []
    held = {(t.id, c.manager): c.held for t in all_terms for c in t.candidates}
    owners = {}
    for case in cases:
        made = {}
        for terms in all_terms:
            terms.candidates = [c._replace(held=held[terms.id, c.manager]) for c in terms.candidates]
            made[terms.id] = team_of(terms, ledgers[terms.registry])
        now = {kind: owners.get((kind, getattr(case, kind)), owner) for kind, owner in case.owners.items()}
        alone = case_of(case.terms, **{**facts_of(case), "owners": now})
        [verdict] = run([alone], made, at=MONDAY)
        verdicts.append(verdict)
        for terms in all_terms:  # as the database counts
            for manager, change in ((case.responsible, -1), (verdict.manager, 1)):
                if (terms.id, manager) in held and case.stage in terms.limit_stages:
                    held[terms.id, manager] = max(0, held[terms.id, manager] + change)
        if verdict.manager is not None and verdict.accept_by is None:
            nobodys = {kind for kind in case.terms.responsible_check if now.get(kind) is None}
            follow = {kind for kind in ("contact", "company") if kind in {*case.terms.also_assign, *nobodys}}
            owners |= {(kind, getattr(case, kind)): verdict.manager for kind in follow if getattr(case, kind)}
    return verdicts


def facts_of(case):
    names = ("id", "stage", "contact", "company", "owners", "responsible", "attempt", "tried", "facts", "waited")
    return {name: getattr(case, name) for name in names}


def told(verdicts):
    return [(v.case.id, v.manager, v.turn, v.counted, v.decision, v.candidates) for v in verdicts]


@st.composite
def worlds(draw):
    """Some triggers over some registries, with members in common, and leads that come by them in any order."""
    managers = list(range(5))
    all_terms = []
    shared = draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    for number, registry in enumerate(shared, 1):
        chosen = draw(st.lists(st.sampled_from(managers), unique=True, max_size=5))
        candidates = [
            Candidate(
                manager=m,
                coefficient=draw(st.integers(0, 3)),
                limit=draw(st.none() | st.integers(0, 6)),
                held=draw(st.integers(0, 2)),
                unavailable=draw(st.sampled_from([None, None, None, Reason.OFF_DUTY])),
                matches=draw(st.sampled_from([True, True, True, False])),
            )
            for m in chosen
        ]
        all_terms.append(
            Terms(
                candidates=candidates,
                id=number,
                registry=registry,
                method=draw(methods),
                limit_stages=draw(st.sampled_from([(STAGE,), (OTHER,), (STAGE, OTHER)])),
                responsible_check=draw(st.sampled_from([(), ("contact",), ("contact", "company")])),
                responsible_count=draw(st.booleans()),
                also_assign=draw(st.sampled_from([(), ("contact",), ("contact", "company")])),
                if_nobody=draw(st.sampled_from(["wait", "duty"])),
                final_step=draw(st.sampled_from(["wait", "keep", "restart"])),
                max_attempts=draw(st.sampled_from([None, 1])),
                minutes=draw(st.sampled_from([None, 10])),
                duty=0,
                strangers={m: Person() for m in managers if m not in chosen},
            )
        )
    # A manager holds as many leads whoever asks, where the same stages are counted.
    held = {(m, s): draw(st.integers(0, 2)) for m in managers for s in (STAGE, OTHER)}
    for terms in all_terms:
        terms.candidates = [
            c._replace(held=sum(held[c.manager, s] for s in terms.limit_stages)) for c in terms.candidates
        ]
    cases = []
    for _ in range(draw(st.integers(0, 12))):
        terms = draw(st.sampled_from(all_terms))
        contact = draw(st.none() | st.integers(1, 2))
        cases.append(
            case_of(
                terms,
                stage=draw(st.sampled_from([STAGE, OTHER])),
                contact=contact and UUID(int=contact),
                company=draw(st.none() | st.just(UUID(int=9))),
                owners={kind: draw(st.none() | st.sampled_from(managers)) for kind in ("contact", "company")},
                responsible=draw(st.none() | st.sampled_from(managers)),
                attempt=draw(st.integers(0, 1)),
                tried=frozenset(draw(st.lists(st.sampled_from(managers), max_size=2))),
                facts=draw(st.sampled_from([LeadFacts(), LeadFacts(language="some")])),
                waited=draw(st.booleans()),
            )
        )
    return all_terms, cases


@given(worlds())
def test_many_leads_by_many_triggers_are_decided_as_one_by_one(world):
    all_terms, cases = world
    together = told(decided(cases, all_terms, together=True))
    assert together == told(decided(cases, all_terms, together=False))


@given(team=teams, method=methods)
def test_the_first_of_many_is_decided_as_if_it_were_the_only_one(team, method):
    decisions = fold(team, 3, method=method, turn=5)
    eligible = [c for c in team if not c.tried]
    assert not eligible or len(eligible) < len(team) or decisions[0] == decide(team, method=method, turn=5)


@given(team=teams, method=methods)
def test_many_leads_never_go_past_a_limit(team, method):
    held = [c.held for c in team]
    for decision in fold(team, 30, method=method):
        if decision.chosen is not None:
            held[decision.chosen] += 1
            limit = team[decision.chosen].limit
            assert limit is None or held[decision.chosen] <= limit


def after(candidate, *, stage=STAGE, **facts):
    """Return the only candidate as they stand after a lead."""
    terms = Terms(candidates=[candidate], **facts)
    team = team_of(terms, ledger_of([candidate], turn=3))
    run([case_of(terms, stage=stage)], {terms.id: team}, at=MONDAY)
    [c] = team.candidates()
    return c.held, c.received, c.last_turn


def test_after_a_lead_in_a_stage_that_no_limit_counts_everybody_holds_as_much_as_before():
    assert after(Candidate(manager=1, limit=1), stage=OTHER) == (0, 1, 4)
    assert after(Candidate(manager=1, limit=1)) == (1, 1, 4)


def test_after_a_lead_that_did_not_count_nobody_has_had_a_turn():
    busy = Candidate(manager=1, received=2, last_turn=3, unavailable=Reason.OFF_DUTY)
    assert after(busy, if_nobody="duty", duty=1) == (1, 2, 3)


def test_a_lead_that_goes_on_leaves_whom_it_had():
    terms = Terms(candidates=[Candidate(manager=1, held=1, limit=1), Candidate(manager=2)], method=Reason.DIRECT)
    team = team_of(terms, ledger_of(terms.candidates))
    verdicts = run([case_of(terms, responsible=1), case_of(terms)], {terms.id: team}, at=MONDAY)
    assert [v.manager for v in verdicts] == [1, 2]  # full again with the first of them


def test_triggers_with_one_registry_share_its_turns_and_those_of_one_manager_the_limit():
    ann = Candidate(manager=1, limit=2)
    one, two = (Terms(candidates=[ann, Candidate(manager=2)], id=i, registry=1) for i in (1, 2))
    ledger = ledger_of(one.candidates)
    made = {t.id: team_of(t, ledger) for t in (one, two)}
    verdicts = run([case_of(t) for t in (one, two) * 4], made, at=MONDAY)
    assert [v.turn for v in verdicts] == list(range(1, 9))
    assert [v.manager for v in verdicts] == [1, 2, 1, 2, 2, 2, 2, 2]
    assert sum(ledger.balances) == 0
    assert ledger.balances[0] < LEAD


def test_who_gets_a_lead_is_the_owner_for_those_after_it():
    contact = UUID(int=7)
    first = Terms(candidates=[Candidate(manager=1)], id=1, also_assign=("contact",))
    second = Terms(
        candidates=[Candidate(manager=2)], id=2, registry=2, responsible_check=("contact",), strangers={1: Person()}
    )
    made = {t.id: team_of(t, ledger_of(t.candidates, registry=t.registry)) for t in (first, second)}
    cases = [case_of(t, contact=contact, owners={"contact": None}) for t in (first, second)]
    verdicts = run(cases, made, at=MONDAY)
    assert [(v.manager, v.decision.reason) for v in verdicts] == [(1, Reason.FAIR_SHARE), (1, Reason.RESPONSIBLE)]


def both_of_one_contact(first, *, owner=None):
    """Return who gets two leads of a contact: by these terms, and by a trigger of others that checks the responsible."""
    contact = UUID(int=7)
    second = Terms(
        candidates=[Candidate(manager=2)], id=2, registry=2, responsible_check=("contact",), strangers={1: Person()}
    )
    made = {t.id: team_of(t, ledger_of(t.candidates, registry=t.registry)) for t in (first, second)}
    cases = [case_of(t, contact=contact, owners={"contact": owner}) for t in (first, second)]
    return [v.manager for v in run(cases, made, at=MONDAY)]


def test_who_has_a_lead_on_offer_is_not_yet_the_owner():
    terms = {"candidates": [Candidate(manager=1)], "id": 1, "also_assign": ("contact",)}
    assert both_of_one_contact(Terms(**terms)) == [1, 1]
    assert both_of_one_contact(Terms(minutes=10, **terms)) == [1, 2]


def test_where_a_trigger_looks_the_first_who_gets_a_lead_for_good_is_the_owner():
    terms = {"candidates": [Candidate(manager=1)], "id": 1}
    assert both_of_one_contact(Terms(**terms)) == [1, 2]
    assert both_of_one_contact(Terms(responsible_check=("contact",), **terms)) == [1, 1]
    assert both_of_one_contact(Terms(responsible_check=("contact",), minutes=10, **terms)) == [1, 2]
