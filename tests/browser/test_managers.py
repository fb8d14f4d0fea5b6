"""Managers in front of a browser: the list, the team's calendar, the end of a job."""

from __future__ import annotations

import pytest

from tests.factories import (
    make_account,
    make_company,
    make_manager,
    make_schedule,
    make_supervisor,
    make_trigger,
    stage,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize(
    ("phone", "dark"), [(True, False), (False, False), (False, True)], ids=["phone", "desktop", "dark"]
)
def test_the_team_is_seen_at_a_glance_and_somebody_leaves(visit, phone, dark):
    make_account(time_zone="Europe/Madrid")
    stage()
    office = make_schedule()
    nights = make_schedule("nights", cycle=[["09:00-21:00"], ["21:00-09:00"], [], []])
    ann, bob = make_manager("ann", schedule=office), make_manager("bob", schedule=nights)
    make_manager("eva", schedule=nights, offset=2, active=not phone)
    make_trigger(members=[{"manager": ann, "limit": 20}, {"manager": bob}])
    make_company(responsible=ann)
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open("/admin/accounts/manager/")
    visitor.assert_well_made("managers")
    page.get_by_role("link", name="Team calendar").last.click()
    page.get_by_role("heading", name="When nobody is on duty").wait_for()
    visitor.assert_well_made("team-calendar")
    page.get_by_role("link", name="Week after").click()
    page.get_by_label("Of", exact=True).select_option("trigger:new-leads")
    page.get_by_role("button", name="Show", exact=True).click()
    page = visitor.open(f"/admin/accounts/manager/{ann.pk}/change/")
    page.get_by_role("link", name="Leaves…").click()
    page.locator("#id_successor").select_option(str(bob.pk))
    page.locator("#id_related").select_option("replace")
    visitor.assert_well_made("leaves")
    page.get_by_role("button", name="Do this").click()
    page.get_by_text("no longer gets leads").first.wait_for()
    ann.refresh_from_db()
    assert not ann.active
