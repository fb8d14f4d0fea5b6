"""Names of zones: which are offered, what stands behind a time, and whose rules they follow."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.utils import translation

from accounts.time.date_words import date_words
from accounts.time.instants import SHARED_NAMES, zone_name
from accounts.time.schedules import zone_names
from tests.admin_pages import errors, save
from tests.data import REPOSITORY
from tests.factories import make_account, make_user


def name(zone: str, at: str) -> str:
    return zone_name(datetime.fromisoformat(at).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)))


@pytest.mark.parametrize(
    ("language", "form", "words"),
    [
        ("en", "D j M", "Mon 30 Nov"),
        ("ru", "D j M", "пн 30 ноя"),
        ("ru", "j E", "30 ноября"),
        ("pt-br", "D j M", "seg 30 nov"),
        ("es", "D j M", "lun 30 nov"),
    ],
)
def test_days_and_months_have_capitals_in_english_alone(language, form, words):
    with translation.override(language):
        assert date_words(date(2026, 11, 30), form) == words


def test_abbreviations_are_not_offered():
    offered = set(zone_names())
    assert not offered & {
        "EST",
        "MST",
        "HST",
        "EST5EDT",
        "CST6CDT",
        "MST7MDT",
        "PST8PDT",
        "CET",
        "MET",
        "EET",
        "WET",
        "GMT",
        "PRC",
    }
    assert {"UTC", "Europe/Madrid", "America/New_York", "Asia/Tokyo"} <= offered


@pytest.mark.django_db
def test_an_abbreviation_is_refused_but_for_who_has_it(client):
    client.force_login(make_user("root", is_staff=True, is_superuser=True))
    account = make_account(time_zone="Europe/Madrid")
    address = f"/admin/accounts/account/{account.pk}/change/"
    assert "does not name a place" in str(errors(save(client, address, time_zone="EST")))
    make_account(time_zone="EST")
    assert save(client, address, name="Ours").status_code == 302


@pytest.mark.parametrize(
    ("zone", "at", "expected"),
    [
        ("Europe/Madrid", "2026-03-02T10:00", "CET"),
        ("Europe/Madrid", "2026-07-02T10:00", "CEST"),
        ("UTC", "2026-03-02T10:00", "UTC"),
        ("America/Chicago", "2026-03-02T10:00", "Chicago"),
        ("America/Chicago", "2026-07-02T10:00", "Chicago"),
        ("Asia/Shanghai", "2026-03-02T10:00", "Shanghai"),
        ("America/Los_Angeles", "2026-03-02T10:00", "Los Angeles"),
        ("Asia/Manila", "2026-03-02T10:00", "Manila"),
        ("Asia/Kolkata", "2026-03-02T10:00", "Kolkata"),
        ("America/Indiana/Knox", "2026-03-02T10:00", "Knox"),
        ("US/Central", "2026-03-02T10:00", "UTC−6"),
        ("America/Sao_Paulo", "2026-03-02T10:00", "UTC−3"),
        ("Asia/Kathmandu", "2026-03-02T10:00", "UTC+5:45"),
        ("America/Chicago", "2026-11-01T06:30", "UTC−5"),  # half past one, the first time
        ("America/Chicago", "2026-11-01T07:30", "UTC−6"),
    ],
)
def test_behind_a_time_stands_what_only_one_place_can_mean(zone, at, expected):
    assert name(zone, at) == expected


def test_no_abbreviation_means_two_times():
    meant: dict[str, set[object]] = {}
    for zone in available_timezones() - {"Factory"}:
        for month in range(1, 13):
            there = datetime(2026, month, 1, tzinfo=ZoneInfo(zone))
            meant.setdefault(there.tzname() or "", set()).add(there.utcoffset())
    shared = {name for name, offsets in meant.items() if name.isalpha() and len(offsets) > 1}
    assert shared <= SHARED_NAMES
    assert {"CST", "PST"} <= shared


def test_the_rules_of_zones_are_those_of_the_package_whatever_the_machine_has(tmp_path):
    """The pure modules are imported without Django's settings, too."""
    (tmp_path / "Europe").mkdir()
    tokyo = files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo")
    (tmp_path / "Europe" / "Madrid").write_bytes(tokyo.read_bytes())
    program = (
        "from datetime import datetime\nfrom accounts.time import schedules\n"
        "print(datetime(2026, 7, 1, tzinfo=schedules.zone('Europe/Madrid')).utcoffset())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=os.environ | {"PYTHONTZPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == "2:00:00"
