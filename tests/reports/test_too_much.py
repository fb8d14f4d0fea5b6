"""A report that takes longer than a statement may: the advice to ask for less, with 503, wherever it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from reports import catalogue
from tests.effort import by_night
from tests.factories import make_manager, make_supervisor, make_trigger, take

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ADVICE = "This took too long. Choose a shorter range, or a single source or manager."


@contextmanager
def in_the_way(limits: str) -> Iterator[None]:
    """Hold what reports read, so that they take as long as they may; limits: of this connection, as `name = value`."""
    other = connection.copy()
    try:
        with other.cursor() as cursor, connection.cursor() as ours:
            cursor.execute("BEGIN; LOCK TABLE routing_lead, routing_decision, routing_offer")
            ours.execute(f"SET {limits}")
        yield
    finally:
        other.close()
        connection.close()


@pytest.fixture
def sue(client):
    make_trigger(members=[make_manager()])
    take()
    client.force_login(make_supervisor())
    client.get("/reports/response/")  # what is kept from now on is not asked for again
    return client


CASES = [(report, suffix) for suffix in ("/", ".csv") for report in catalogue.RANGED]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("report", "suffix"), by_night(CASES, by_day=CASES[: len(catalogue.RANGED) + 1]),
    ids=lambda each: getattr(each, "code", each),
)  # fmt: skip
def test_who_asks_too_much_is_told_to_ask_less(sue, report, suffix):
    with in_the_way("statement_timeout = 400"):
        answer = sue.get(f"/reports/{report.code}{suffix}?first=2026-03-01&last=2026-03-31")
    assert answer.status_code == 503
    assert ADVICE in answer.content.decode()
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Content-Disposition" not in answer.headers
    assert 'value="2026-03-31"' in answer.content.decode()  # the form to choose a shorter range with
    assert sue.get(f"/reports/{report.code}{suffix}").status_code == 200


@pytest.mark.parametrize("suffix", ["/", ".csv"])
def test_another_fault_is_not_taken_for_it(sue, suffix):
    with in_the_way("lock_timeout = 100"), pytest.raises(OperationalError, match="lock timeout"):
        sue.get(f"/reports/response{suffix}")
