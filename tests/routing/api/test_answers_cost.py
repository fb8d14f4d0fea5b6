"""What a lead costs at the door."""

from typing import Any

from .world import LEAD, World


def test_a_lead_takes_a_fixed_number_of_statements(world: World, django_assert_max_num_queries: Any) -> None:
    """Caller, person, ledger and candidates, the write; and the two of the test's savepoint."""
    api = world.api("key_a")
    api.post("leads", LEAD)
    with django_assert_max_num_queries(6):
        assert api.post("leads", LEAD).status_code == 201
