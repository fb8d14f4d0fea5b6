"""The reports, as people see them: in both widths, light and dark."""

from datetime import UTC, datetime

import pytest

from accounts.services import pause_manager
from reports import catalogue
from routing.models import Source
from routing.services.offers import accept_offer, decline_offer
from routing.services.stages import move_lead
from tests.factories import (
    DAY,
    HOUR,
    MINUTE,
    MONDAY,
    asking_acceptance,
    make_account,
    make_lead,
    make_manager,
    make_registry,
    make_source,
    make_supervisor,
    make_trigger,
    stage,
    take,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop-light", "phone-dark"])
COUNTS = {"site": 13, "phone": 8, "mail": 4, "api": 10, "chat": 8}


@LOOKS
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


@pytest.fixture
def busy_week() -> None:
    """Let a week pass in which everything happens: shares, limits, declines, time-outs, wins, and a queue at its end."""
    make_account(time_zone="Europe/Madrid")
    people = [make_manager(name) for name in ("ann", "bob", "eva", "kim", "lee")]
    members = [{"manager": m, "coefficient": 1 + n % 3, "limit": 10 + 6 * n} for n, m in enumerate(people)]
    make_trigger(members=members, registry=make_registry(title="All sales"), **asking_acceptance(), max_attempts=3)
    sources = [make_source(code, channel=channel) for code, channel in (("landing", "site"), ("hotline", "phone"))]
    for day in range(7):
        for hour in range(8, 17):
            _an_hour(MONDAY + day * DAY + (hour - 10) * HOUR, sources[hour % 2], day * 9 + hour)
    for manager in people:
        pause_manager(manager, at=MONDAY + 7 * DAY)
    for _ in range(4):
        take(at=MONDAY + 7 * DAY)


def _an_hour(at: datetime, source: Source, number: int) -> None:
    lead = take(at=at, source=source)
    if not lead.responsible_id:
        return
    if number % 5 == 0:
        lead = decline_offer(lead.pk, at=at + 2 * MINUTE, reason="on a call")
    if lead.state == "offered" and number % 7:
        accept_offer(lead.pk, at=at + (3 + number % 6) * MINUTE)
        if number % 3:
            move_lead(lead.pk, stage("sales/won" if number % 4 else "sales/lost").pk, at=at + HOUR)


@LOOKS
def test_each_report_over_a_range_is_well_made(visit, busy_week, phone, dark):
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    for report in catalogue.RANGED:
        page = visitor.open(f"/reports/{report.code}/?first=2026-03-02&last=2026-03-09")
        page.get_by_role("heading", name=str(report.title), level=1).wait_for()
        assert page.locator("table.numbers tbody tr").count() > 0, report.code
        hidden = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length"
        assert page.locator(".chart .scroll").evaluate_all(hidden) == 0, report.code  # the values stand at the end
        visitor.assert_well_made(f"report-{report.code}")


def test_a_report_is_narrowed_and_taken_home_by_mouse(visit, busy_week):
    visitor = visit(user=make_supervisor())
    page = visitor.open("/reports/")
    page.get_by_role("link", name="Response times").click()
    page.get_by_label("From", exact=True).fill("2026-03-02")
    page.get_by_label("To", exact=True).fill("2026-03-09")
    page.get_by_label("Manager").select_option(label="Ann")
    page.get_by_label("Target, minutes").fill("5")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("region", name="By manager").get_by_role("rowheader", name="Ann").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV: By manager").click()
    assert download.value.suggested_filename == "response-managers.csv"
