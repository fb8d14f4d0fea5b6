"""The first page of the admin, as a supervisor sees it on a working day."""

from __future__ import annotations

import pytest

from accounts.time import clock
from routing.services.offers import accept_offer
from tests.effort import by_night
from tests.factories import (
    HOUR,
    MINUTE,
    asking_acceptance,
    make_account,
    make_lead,
    make_manager,
    make_source,
    make_supervisor,
    make_trigger,
    stage,
    take,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COUNTS = {"site": 5, "phone": 4, "mail": 3, "api": 2, "chat": 1}


def a_working_day() -> None:
    """Let leads come by all channels, be accepted, be on offer, and wait."""
    make_account(time_zone="Europe/Madrid")
    now = clock.now()
    for channel, count in COUNTS.items():
        for _ in range(count):
            facts = {"source": make_source(channel, channel=channel), "in_stage": "sales/inbox"}
            make_lead(arrived_at=now, created_at=now, arrived_unqualified=True, **facts)
    stage("partners/new")
    make_trigger(members=[make_manager("ann"), make_manager("bob")], limit=3, **asking_acceptance(30))
    make_trigger("partner-leads", on_stage="partners/new", members=[make_manager("eva", active=False)])
    lead = take(at=now - 3 * MINUTE)
    accept_offer(lead.pk, at=now - MINUTE)
    take(at=now)
    take(at=now - 2 * HOUR, pipeline="partners")


@pytest.mark.parametrize(
    ("phone", "dark"),
    by_night([(True, True), (False, False), (True, False), (False, True)], by_day=[(True, True), (False, False)]),
)
def test_the_first_page_of_the_admin_is_well_made(visit, phone, dark):
    a_working_day()
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open("/admin/")
    page.get_by_role("img", name="Sources").or_(page.locator("svg")).first.wait_for()
    page.get_by_text("partner-leads: Eva is a member but not active.").wait_for()
    visitor.assert_well_made("dashboard")
