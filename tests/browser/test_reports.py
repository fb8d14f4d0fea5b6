"""The reports, as people see them: in both widths, light and dark."""

from datetime import UTC, datetime

import pytest

from tests.factories import make_account, make_lead, make_source, make_supervisor

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
WIDTHS = pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
COUNTS = {"site": 13, "phone": 8, "mail": 4, "api": 10, "chat": 8}


@LOOKS
@WIDTHS
def test_the_ring_of_sources_is_well_made(visit, phone, dark):
    make_account(time_zone="Europe/Madrid")
    for channel, count in COUNTS.items():
        source = make_source(channel, channel=channel)
        for _ in range(count):
            make_lead(source=source, arrived_at=datetime(2026, 3, 2, 9, tzinfo=UTC), arrived_unqualified=True)
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    visitor.open("/reports/")
    visitor.assert_well_made("reports")
    page = visitor.open("/reports/sources/?period=day&date=2026-03-04")
    page.get_by_role("link", name="Week").click()
    page.get_by_role("cell", name="13", exact=True).wait_for()
    visitor.assert_well_made("sources")
    page.get_by_role("link", name="Earlier").click()
    page.get_by_text("No leads arrived").wait_for()
