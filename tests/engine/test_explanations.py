"""Decisions in words."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts.people.preferences import Zones, reading_in, zone_beside
from routing.engine import LEAD, METHODS, Candidate, Reason, line
from routing.wording import explanations
from routing.wording.explanations import CandidateFacts
from tests.factories import DAY, HOUR, MINUTE, MONDAY

MADRID = ZoneInfo("Europe/Madrid")  # an hour ahead of UTC in March


def why(reason=Reason.FAIR_SHARE, **facts):
    return explanations.why(CandidateFacts(name="Ann", **facts), reason=reason, at=MONDAY, zone=MADRID)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"refusal": Reason.PAUSED, "back_at": MONDAY + 150 * MINUTE}, "paused until 13:30"),
        ({"refusal": Reason.PAUSED, "endless": True}, "paused until resumed"),
        ({"refusal": Reason.PAUSED}, "paused"),
        ({"refusal": Reason.OFF_DUTY, "back_at": MONDAY + DAY - 2 * HOUR}, "off duty, next on duty Tue 3 Mar, 09:00"),
        ({"refusal": Reason.OFF_DUTY}, "off duty"),
        ({"refusal": Reason.AT_LIMIT, "held": 10, "limit": 10}, "10 of 10 leads"),
        ({"refusal": Reason.NO_MATCH, "lacks": "language fr"}, "lacks a skill that the lead needs: language fr"),
        ({"refusal": Reason.ALREADY_TRIED}, "already had this lead"),
        ({"refusal": Reason.INACTIVE}, "not active"),
        ({"chosen": True, "owed": 800_000_000}, "chosen: was owed 0.8 of a lead"),
        ({"chosen": True, "owed": 0, "tied": True}, "chosen: was owed nothing, longest without a lead"),
        ({"owed": -1_250_000_000}, "could take it: was 1.25 leads ahead"),
        ({"owed": LEAD}, "could take it: was owed 1 lead"),
        ({"reason": Reason.TOTALS, "received": 3, "coefficient": 2}, "could take it: had received 3 leads, coefficient 2"),
        ({"reason": Reason.LEAST_LOADED, "chosen": True, "held": 1}, "chosen: held 1 lead"),
        ({"reason": Reason.DIRECT, "chosen": True}, "chosen: first in the order"),
        ({"reason": Reason.DIRECT}, "could take it: later in the order"),
        (
            {"reason": Reason.RESPONSIBLE, "chosen": True, "refusal": Reason.AT_LIMIT},
            "chosen: already responsible for the customer",
        ),
        ({"reason": Reason.NOBODY}, "could take it: the lead had no attempts left"),
    ],
)  # fmt: skip
def test_a_candidate_is_told_with_the_reason_or_the_figures(facts, words):
    assert why(**facts) == words


@pytest.mark.parametrize("refusal", [r for r in Reason if r not in list(Reason)[8:]])
def test_every_reason_why_not_has_words_for_one_and_for_many(refusal):
    assert why(refusal=refusal)
    assert explanations.summarise([refusal, refusal]).startswith("2 ")


@pytest.mark.parametrize(
    ("seen", "reason", "words"),
    [
        (
            [
                CandidateFacts(name="Cid", chosen=True),
                CandidateFacts(name="Bob"),
                CandidateFacts(name="Ann", refusal=Reason.PAUSED),
            ],
            Reason.FAIR_SHARE,
            "Cid got it: owed the most of the 2 managers who could take it.",
        ),
        ([CandidateFacts(name="Cid", chosen=True)], Reason.FAIR_SHARE, "Cid got it: nobody else could take it."),
        ([CandidateFacts(name="Eva", chosen=True)], Reason.DUTY, "Eva got it: on duty for leads that nobody took."),
        (
            [
                CandidateFacts(name=n, refusal=r)
                for n, r in (("A", Reason.AT_LIMIT), ("B", Reason.PAUSED), ("C", Reason.PAUSED))
            ],
            Reason.NOBODY,
            "It waits: 2 paused, 1 full.",
        ),
        ([], Reason.NOBODY, "It waits: the trigger has no members."),
        ([CandidateFacts(name="Ann")], Reason.NOBODY, "It waits: it has no attempts left."),
        ([CandidateFacts(name="Ann")], Reason.IN_LINE, "It waits: other leads came first."),
    ],
)
def test_a_decision_is_told_in_a_sentence(seen, reason, words):
    assert explanations.outcome(seen, reason=reason) == words


@pytest.mark.parametrize(
    ("owed", "place", "line_", "words"),
    [
        (800_000_000, 1, 3, "You are owed 0.8 of a lead: first of 3 in line."),
        (-500_000_000, 3, 3, "You are 0.5 of a lead ahead: number 3 of 3 in line."),
        (0, 1, 1, "Your balance is zero: nobody else can take a lead now."),
        (800_000_000, None, 3, "You are owed 0.8 of a lead."),
    ],
)
def test_a_standing_is_told_in_a_sentence(owed, place, line_, words):
    seen = CandidateFacts(name="Ann", owed=owed)
    assert explanations.standing(seen, method=Reason.FAIR_SHARE, place=place, line=line_) == words


def test_another_year_is_told():
    assert explanations.moment(MONDAY + timedelta(days=364), at=MONDAY, zone=MADRID) == "Mon 1 Mar 2027, 11:00"


def test_a_reader_elsewhere_is_told_the_account_s_time_too():
    los_angeles = ZoneInfo("America/Los_Angeles")
    paused = CandidateFacts(name="Ann", refusal=Reason.PAUSED, back_at=MONDAY + HOUR)
    with reading_in(Zones(own=los_angeles, account=MADRID)):
        words = explanations.why(paused, reason=Reason.NOBODY, at=MONDAY, zone=los_angeles, beside=zone_beside())
    assert words == "paused until 03:00 (12:00 CET)"
    with reading_in(Zones(own=MADRID, account=MADRID)):
        assert zone_beside() is None


@pytest.mark.parametrize("method", [Reason.FAIR_SHARE, Reason.TOTALS, Reason.LEAST_LOADED, Reason.DIRECT])
def test_the_line_begins_with_whom_the_method_chooses(method):
    eligible = [
        Candidate(1, coefficient=2, held=4, received=4, balance=-LEAD // 2, last_turn=3),
        Candidate(2, coefficient=1, held=1, received=1, balance=LEAD // 4, last_turn=2),
        Candidate(3, coefficient=1, held=3, received=1, balance=LEAD // 4, last_turn=1),
    ]
    found = line(eligible, method=method, turn=4)
    assert sorted(found) == [0, 1, 2]
    assert found[0] == METHODS[method](eligible, turn=4)[0]
