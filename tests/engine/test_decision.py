"""One run of a trigger on one lead."""

from hypothesis import given
from hypothesis import strategies as st

from routing.engine import LEAD, METHODS, Candidate, Reason, assign, decide, nobody, refusal

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
