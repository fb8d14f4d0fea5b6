"""The configuration as a file, in front of a browser: taken home, tried, and taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from routing.models import Trigger
from tests.factories import make_manager, make_supervisor, make_trigger

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PAGE = "/admin/routing/trigger/file/"


@pytest.mark.parametrize(("phone", "dark"), [(False, False), (True, True)], ids=["desktop-light", "phone-dark"])
def test_a_configuration_is_downloaded_tried_and_taken(visit, phone, dark, tmp_path):
    make_trigger(members=[make_manager("ann"), make_manager("bob")])
    visitor = visit(user=make_supervisor(), phone=phone, dark=dark)
    page = visitor.open(PAGE)
    visitor.assert_well_made("configuration")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    file = tmp_path / "team.yaml"
    download.value.save_as(file)
    _send(page, file)
    page.get_by_text("Nothing. The configuration already matches the file.").wait_for()
    _write(file, "priority: 10", "priority: 4")
    _send(page, file)
    page.get_by_role("heading", name="What team.yaml would change").wait_for()
    visitor.assert_well_made("configuration-tried")
    assert Trigger.objects.get().priority == 10  # so far it was only looked at
    page.get_by_role("button", name="Import it").click()
    page.get_by_text("Imported: 1").wait_for()
    assert Trigger.objects.get().priority == 4


def test_a_file_with_a_fault_changes_nothing_and_says_where(visit, tmp_path):
    make_trigger(members=[make_manager("ann")])
    visitor = visit(user=make_supervisor())
    page = visitor.open(PAGE)
    file = tmp_path / "team.yaml"
    file.write_text(
        "version: 1\ntriggers: [{code: new-leads, stage: sales/new, members: [{manager: nobody@example.com}]}]\n"
    )
    _send(page, file)
    page.get_by_text("triggers[0].members[0].manager").wait_for()
    visitor.assert_well_made("configuration-fault")
    assert Trigger.objects.get().members.count() == 1


def _send(page, file: Path) -> None:
    page.locator("#id_file").set_input_files(file)
    page.locator("form[enctype] button").first.click()


def _write(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
