"""What a lead costs at the door."""

from typing import Any

from .world import LEAD, World


def test_a_lead_takes_a_fixed_number_of_statements(world: World, django_assert_max_num_queries: Any) -> None:
    """Caller, person, ledger and candidates, the write; two of the test's savepoint, and its line-up, not yet for good."""
    api = world.api("key_a")
    for _ in range(2):  # the statements of a first decision and of those after it are planned
        api.post("leads", LEAD)
    with django_assert_max_num_queries(7):
        assert api.post("leads", LEAD).status_code == 201
