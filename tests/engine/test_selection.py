"""Who of the eligible gets the lead: shares, balances and bounds."""

from collections import Counter
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.engine import LEAD, Candidate, Reason, decide, shares
from tests.effort import by_night

from .teams import attended, fold

FAIR = Reason.FAIR_SHARE
coefficients = st.lists(st.integers(1, 1_000_000), min_size=1, max_size=50)
small = st.lists(st.integers(1, 9), min_size=1, max_size=6)


def members(*coefficients: int) -> list[Candidate]:
    return [Candidate(manager=i, coefficient=c) for i, c in enumerate(coefficients)]


def winners(candidates: list[Candidate], leads: int, *, method: Reason = FAIR) -> str:
    """Return who got the leads, one after the other, as letters: the first candidate is A."""
    chosen = [d.chosen for d in fold(candidates, leads, method=method, turn=1)]
    return "".join("-" if i is None else chr(ord("A") + i) for i in chosen)


# Shares


@given(coefficients=coefficients, turn=st.integers(0, 10**18))
def test_the_shares_of_one_lead_add_up_to_exactly_one_lead(coefficients, turn):
    parts = shares(coefficients, turn=turn)
    assert sum(parts) == LEAD
    assert all(part >= 0 for part in parts)


@given(coefficients=coefficients, turn=st.integers(0, 10**18))
def test_a_share_is_exact_to_a_billionth(coefficients, turn):
    total = sum(coefficients)
    for part, coefficient in zip(shares(coefficients, turn=turn), coefficients, strict=True):
        assert abs(part - Fraction(coefficient * LEAD, total)) < 1


@given(coefficients=small, first=st.integers(0, 10**9))
def test_over_as_many_turns_as_the_coefficients_add_up_to_everybody_gets_the_exact_share(coefficients, first):
    total = sum(coefficients)
    turns = [shares(coefficients, turn=first + i) for i in range(total)]
    assert [sum(parts) for parts in zip(*turns, strict=True)] == [c * LEAD for c in coefficients]


def test_remainders_go_round():
    turns = [shares([1, 1, 1], turn=turn) for turn in range(3)]
    assert sorted(turns) == [
        [333_333_333, 333_333_333, 333_333_334],
        [333_333_333, 333_333_334, 333_333_333],
        [333_333_334, 333_333_333, 333_333_333],
    ]


# Fair share


def test_coefficients_40_and_60_give_2_and_4_of_6():
    assert Counter(winners(members(40, 60), 6)) == {"A": 2, "B": 4}


def test_coefficients_40_and_60_go_round_in_the_order_that_the_rules_show():
    assert winners(members(40, 60), 10) == "BABABBABAB"


def test_equal_members_take_turns_in_the_order_of_the_trigger():
    assert winners(members(1, 1, 1), 9) == "ABCABCABC"


@pytest.mark.parametrize("team", [2, 3, 7, 26])
def test_remainders_of_shares_break_no_tie(team):
    once = "".join(chr(ord("A") + i) for i in range(team))
    assert winners(members(*[1] * team), 20 * team) == once * 20


def test_the_scale_of_coefficients_does_not_matter():
    assert winners(members(2, 3), 50) == winners(members(40, 60), 50) == winners(members(400_000, 600_000), 50)


def test_an_equal_team_is_never_more_than_one_lead_apart():
    received = Counter[int]()
    for decision in fold(members(*[1] * 7), 500, method=FAIR, turn=1):
        received[decision.chosen] += 1
        assert max(received.values()) - min(received[i] for i in range(7)) <= 1


@given(coefficients=coefficients, leads=st.integers(1, 120))
def test_with_all_eligible_nobody_is_ever_two_leads_from_the_exact_share(coefficients, leads):
    total, received = sum(coefficients), Counter[int]()
    for turn, decision in enumerate(fold(members(*coefficients), leads, method=FAIR, turn=1), 1):
        received[decision.chosen] += 1
        assert all(abs(received[i] * total - turn * c) < 2 * total for i, c in enumerate(coefficients))


@settings(max_examples=by_night(50, by_day=15))
@given(coefficients=coefficients, leads=st.integers(1, 60))
def test_a_balance_is_the_share_less_what_was_received(coefficients, leads):
    total, received = sum(coefficients), Counter[int]()
    for decision in fold(members(*coefficients), leads, method=FAIR, turn=1):
        received[decision.chosen] += 1
    for i, (balance, coefficient) in enumerate(zip(decision.balances, coefficients, strict=True)):
        assert abs(Fraction(leads * coefficient, total) - received[i] - Fraction(balance, LEAD)) < Fraction(leads, LEAD)


@given(
    coefficients=st.lists(st.integers(0, 100), min_size=4, max_size=4),
    attendance=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=60),
)
def test_balances_sum_to_zero_whoever_comes_and_goes(coefficients, attendance):
    for _, candidates in attended(members(*coefficients), attendance):
        assert sum(c.balance for c in candidates) == 0


@given(attendance=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=60))
def test_who_is_away_neither_earns_nor_pays(attendance):
    before = members(1, 2, 3, 4)
    for there, (_, candidates) in zip(attendance, attended(before, attendance), strict=True):
        for was, is_now, is_there in zip(before, candidates, there, strict=True):
            assert is_there or was[3:7] == is_now[3:7]
        before = candidates


@pytest.mark.parametrize("leads_away", [0, 1, 7, 100, 1_000])
@pytest.mark.parametrize("coefficient", [1, 3, 10])
def test_a_manager_back_from_holiday_is_not_flooded(leads_away, coefficient):
    team = 5
    before, back = 20, 40
    attendance = [[True] * team] * before + [[False] + [True] * (team - 1)] * leads_away + [[True] * team] * back
    chosen = [who for who, _ in attended(members(coefficient, 1, 2, 3, 4), attendance)]
    share = Fraction(coefficient, coefficient + 10)
    owed = before * share - chosen[:before].count(0)  # as they left
    for leads in range(1, back + 1):
        assert chosen[before + leads_away :][:leads].count(0) <= leads * share + owed + 1
    # Nor do they lose by it: over the time that they were there they have what is theirs.
    assert abs(chosen.count(0) - (before + back) * share) < 2


@pytest.mark.parametrize("leads_before", [1, 10, 500])
def test_a_newcomer_starts_level(leads_before):
    attendance = [[False, True, True]] * leads_before + [[True] * 3] * 30
    chosen = [who for who, _ in attended(members(1, 1, 1), attendance)][leads_before:]
    for leads in range(1, 31):
        assert leads / 3 - 1 <= chosen[:leads].count(0) <= leads / 3 + 1


SHIFTS = {
    "two crews, 2/2": lambda i, hour: (hour // 24 // 2 + i) % 2 == 0 and 9 <= hour % 24 < 21,
    "day and night": lambda i, hour: (hour // 12 + i) % 4 in (0, 1),
    "office hours and a late shift": lambda i, hour: 9 <= (hour - 4 * (i % 2)) % 24 < 18 and hour // 24 % 7 < 5,
    "lunch one after the other": lambda i, hour: 8 <= hour % 24 < 20 and hour % 24 != 11 + i % 4,
    "a week off, in turn": lambda i, hour: hour // 168 % 6 != i and 8 <= hour % 24 < 18,
}


@pytest.mark.parametrize("shifts", SHIFTS)
@pytest.mark.parametrize("seed", range(3))
def test_a_balance_stays_within_two_leads_in_ordinary_use(shifts, seed):
    random, is_on_duty = Random(seed), SHIFTS[shifts]
    candidates = members(*[random.choice([1, 1, 2, 3]) for _ in range(6)])
    for hour in range(24 * 60):
        for _ in range(random.choice([0, 1, 2])):
            # Now and then somebody pauses, or is full.
            there = [is_on_duty(i, hour) and random.random() > 0.1 for i in range(6)]
            [(_, candidates)] = attended(candidates, [there])
            assert all(-2 * LEAD < c.balance < 2 * LEAD for c in candidates)


@settings(max_examples=by_night(30, by_day=10))
@given(random=st.randoms(use_true_random=False), coefficients=st.permutations([1, 2, 3, 5, 8]))
def test_the_order_of_members_favours_nobody(random, coefficients):
    received = Counter[int]()
    for decision in fold(members(*coefficients), 190, method=FAIR, turn=random.randrange(10**6)):
        received[coefficients[decision.chosen]] += 1
    assert received == {c: 10 * c for c in coefficients}


@pytest.mark.parametrize("method", [Reason.FAIR_SHARE, Reason.TOTALS, Reason.LEAST_LOADED])
def test_of_equals_who_has_been_longest_without_a_lead_is_first(method):
    candidates = [
        Candidate(manager=1, last_turn=7),
        Candidate(manager=2, last_turn=3),
        Candidate(manager=3, last_turn=5),
    ]
    # A share of a third each: the remainder, a billionth, must not decide between equals.
    assert decide(candidates, method=method, turn=9).chosen == 1


@pytest.mark.parametrize("method", [Reason.FAIR_SHARE, Reason.TOTALS, Reason.LEAST_LOADED, Reason.DIRECT])
def test_of_those_who_never_had_a_lead_the_first_of_the_trigger_is_first(method):
    assert decide(members(1, 1, 1), method=method, turn=3).chosen == 0


# Totals, least loaded, direct


def test_totals_even_out_so_who_was_away_catches_up():
    candidates = [Candidate(manager=1, received=0), Candidate(manager=2, received=6)]
    assert winners(candidates, 10, method=Reason.TOTALS) == "AAAAAABABA"


@given(coefficients=small, received=st.lists(st.integers(0, 20), min_size=6, max_size=6))
def test_totals_choose_the_lowest_received_by_coefficient(coefficients, received):
    candidates = [
        Candidate(manager=i, coefficient=c, received=r)
        for i, (c, r) in enumerate(zip(coefficients, received, strict=False))
    ]
    chosen = decide(candidates, method=Reason.TOTALS, turn=1).chosen
    loads = [Fraction(c.received, c.coefficient) for c in candidates]
    assert loads[chosen] == min(loads)
    assert loads.index(min(loads)) == chosen


def test_totals_by_coefficient_give_each_their_part():
    assert Counter(winners(members(1, 3), 40, method=Reason.TOTALS)) == {"A": 10, "B": 30}


def test_the_least_loaded_holds_fewest_by_coefficient():
    candidates = [
        Candidate(manager=1, coefficient=1, held=3),
        Candidate(manager=2, coefficient=4, held=8),
        Candidate(manager=3, coefficient=1, held=4),
    ]
    assert decide(candidates, method=Reason.LEAST_LOADED, turn=1).chosen == 1
    assert (
        winners([Candidate(manager=1, held=0), Candidate(manager=2, held=4)], 6, method=Reason.LEAST_LOADED) == "AAAABA"
    )


def test_direct_takes_the_first_who_can():
    full = Candidate(manager=7, held=2, limit=3)
    assert winners([full, *members(1, 9)], 4, method=Reason.DIRECT) == "ABBB"


@pytest.mark.parametrize("method", [Reason.TOTALS, Reason.LEAST_LOADED, Reason.DIRECT])
def test_other_methods_leave_balances_alone(method):
    candidates = [Candidate(manager=1, balance=5), Candidate(manager=2, balance=-5)]
    assert decide(candidates, method=method, turn=1).balances == [5, -5]
