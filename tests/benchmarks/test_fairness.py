"""A short working day, every day of the simulated year."""

import pytest

from benchmarks.fairness import Year, main


@pytest.mark.parametrize("seed", [1, 2])
def test_a_year_of_comings_and_goings_keeps_every_balance_within_two_leads(seed, capsys):
    assert main(["--leads-a-day", "10", "--seed", str(seed)]) == 0
    assert capsys.readouterr().out.endswith("ok\n")


def test_the_year_has_leaves_newcomers_and_full_managers():
    year = Year(leads_a_day=10, seed=1)
    year.run()
    newcomer, old = year.managers[15], year.managers[16]
    assert not newcomer.on_duty(0, 12)
    assert 0 < newcomer.received < old.received
    assert not old.on_duty(old.leave, 12)
    assert all(candidate.held <= candidate.limit for candidate in year.candidates if candidate.limit)
