"""One run of a trigger on one lead."""

from hypothesis import given
from hypothesis import strategies as st

from routing.engine import LEAD, METHODS, Candidate, Reason, after, assign, decide, fold, nobody, refusal

AVAILABILITY = [None, None, None, Reason.INACTIVE, Reason.PAUSED, Reason.OFF_DUTY, Reason.OFFLINE]
candidate = st.builds(
    Candidate,
    manager=st.just(0),
    coefficient=st.integers(0, 100),
    limit=st.none() | st.integers(0, 5),
    held=st.integers(0, 5),
    balance=st.integers(-2 * LEAD, 2 * LEAD),
    received=st.integers(0, 30),
    last_turn=st.integers(0, 99),
    unavailable=st.sampled_from(AVAILABILITY),
    matches=st.sampled_from([True, True, False]),
    tried=st.sampled_from([False, False, True]),
)
teams = st.lists(candidate, max_size=12).map(lambda team: [c._replace(manager=i) for i, c in enumerate(team)])
methods = st.sampled_from(list(METHODS))
turns = st.integers(1, 10**12)


@given(team=teams, method=methods, turn=turns)
def test_a_lead_goes_to_somebody_eligible_if_there_is_one(team, method, turn):
    decision = decide(team, method=method, turn=turn)
    eligible = [i for i, c in enumerate(team) if refusal(c) is None]
    if eligible:
        assert decision.chosen in eligible
        assert decision.reason is method
    else:
        assert decision.chosen is None
        assert decision.reason is Reason.NOBODY


@given(team=teams, method=methods, turn=turns)
def test_everybody_has_a_verdict(team, method, turn):
    decision = decide(team, method=method, turn=turn)
    assert list(decision.refusals) == [refusal(c) for c in team]
    assert len(decision.balances) == len(team)


@given(team=teams, method=methods, turn=turns)
def test_deciding_twice_is_deciding_the_same(team, method, turn):
    assert decide(team, method=method, turn=turn) == decide(list(team), method=method, turn=turn)


@given(team=teams, method=methods, turn=turns)
def test_a_decision_keeps_the_sum_of_balances(team, method, turn):
    assert sum(decide(team, method=method, turn=turn).balances) == sum(c.balance for c in team)


@given(team=teams, method=methods, turn=turns)
def test_a_decision_changes_no_balance_of_who_was_not_eligible(team, method, turn):
    decision = decide(team, method=method, turn=turn)
    for c, why_not, balance in zip(team, decision.refusals, decision.balances, strict=True):
        assert why_not is None or balance == c.balance


@given(team=teams)
def test_nobody_is_a_decision_that_leaves_all_as_it_was(team):
    decision = nobody(team)
    assert (decision.chosen, decision.reason) == (None, Reason.NOBODY)
    assert list(decision.balances) == [c.balance for c in team]
    assert list(decision.refusals) == [refusal(c) for c in team]


@given(team=teams.filter(bool), data=st.data(), method=methods, turn=turns, count=st.booleans())
def test_a_lead_for_somebody_named_keeps_the_sum_of_balances(team, data, method, turn, count):
    chosen = data.draw(st.integers(0, len(team) - 1))
    decision = assign(team, chosen=chosen, reason=Reason.RESPONSIBLE, count=count, method=method, turn=turn)
    assert decision.chosen == chosen
    assert decision.reason is Reason.RESPONSIBLE
    assert list(decision.refusals) == [refusal(c) for c in team]
    assert sum(decision.balances) == sum(c.balance for c in team)


@given(team=teams.filter(bool), method=methods, turn=turns)
def test_a_lead_that_does_not_count_costs_nobody_a_turn(team, method, turn):
    decision = assign(team, chosen=0, reason=Reason.RESPONSIBLE, count=False, method=method, turn=turn)
    assert list(decision.balances) == [c.balance for c in team]


def test_a_lead_that_counts_credits_the_eligible_and_the_named_one_pays():
    team = [Candidate(manager=1), Candidate(manager=2), Candidate(manager=3, unavailable=Reason.OFF_DUTY)]
    decision = assign(team, chosen=2, reason=Reason.RESPONSIBLE, count=True, method=Reason.FAIR_SHARE, turn=2)
    assert decision.balances == [LEAD // 2, LEAD // 2, -LEAD]


@given(team=teams, method=methods, leads=st.integers(0, 20))
def test_many_leads_are_decided_as_one_after_the_other(team, method, leads):
    folded = list(fold(team, leads, method=method, turn=1))
    for turn, together in enumerate(folded, 1):
        single = decide(team, method=method, turn=turn)
        assert single == together
        team = after(team, single, turn=turn, held=True)


@given(team=teams, method=methods)
def test_many_leads_never_go_past_a_limit(team, method):
    for turn, decision in enumerate(fold(team, 30, method=method, turn=1), 1):
        team = after(team, decision, turn=turn, held=True)
        for c, why_not in zip(team, decision.refusals, strict=True):
            assert c.limit is None or c.held <= c.limit or why_not is not None


def test_after_a_lead_in_a_stage_that_no_limit_counts_everybody_holds_as_much_as_before():
    team = [Candidate(manager=1, limit=1)]
    decision = decide(team, method=Reason.FAIR_SHARE, turn=4)
    [c] = after(team, decision, turn=4, held=False)
    assert (c.held, c.received, c.last_turn) == (0, 1, 4)


def test_after_a_lead_that_did_not_count_nobody_has_had_a_turn():
    team = [Candidate(manager=1, received=2, last_turn=3)]
    decision = assign(team, chosen=0, reason=Reason.DUTY, count=False, method=Reason.FAIR_SHARE, turn=9)
    [c] = after(team, decision, turn=9, held=True, count=False)
    assert (c.held, c.received, c.last_turn) == (1, 2, 3)
