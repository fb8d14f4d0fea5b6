"""Public holidays: known countries, refusals that help, and four countries against their official calendars."""

import csv
import subprocess
import sys
from datetime import date
from functools import cache
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection

from accounts.models import WorkSchedule
from accounts.time.holidays import (
    BadHoliday,
    Holiday,
    check_country,
    countries,
    holiday_of_a_part,
    moved_until,
    public_holidays,
    subdivision_code,
    subdivision_names,
    subdivisions,
    working_weekends,
)
from tests.data import REPOSITORY, data_path
from tests.factories import make_schedule

# Where the `holidays` package and the published calendars part. The package has days off that were decreed or moved
# during the year, which the calendars of Kazakhstan and Uzbekistan do not show. Listed so that an upgrade of the
# package that changes anything is noticed.
OFF_BUT_UNKNOWN = {"KZ": {date(2024, 12, 17)}}
HOLIDAY_BUT_WORKED = {
    "BY": {"2025-01-06"},
    "KZ": {
        "2022-05-10", "2024-03-25", "2024-05-08", "2024-07-08", "2024-10-25", "2025-01-03", "2025-03-10", "2025-03-24",
        "2025-03-25", "2025-06-06", "2025-07-07", "2025-09-01", "2025-10-27",
    },
    "UZ": {
        "2022-01-03", "2022-01-04", "2022-03-22", "2022-03-23", "2022-05-02", "2022-05-03", "2022-05-04", "2022-07-11",
        "2022-07-12", "2022-09-02", "2023-01-02", "2023-01-03", "2023-03-20", "2023-03-22", "2023-04-21", "2023-04-24",
        "2023-06-28", "2023-06-29", "2023-06-30", "2023-10-02", "2024-01-02", "2024-03-22", "2024-04-10", "2024-04-11",
        "2024-04-12", "2024-06-17", "2024-06-18", "2024-09-02", "2024-09-03", "2024-12-09", "2024-12-30", "2024-12-31",
        "2025-01-02", "2025-03-10", "2025-03-31", "2025-06-06", "2025-12-31",
    },
}  # fmt: skip

# On these dates, whatever the weekday, the law of the country is the same every year.
STATUTORY = {
    "RU": ["01-01", "01-02", "01-07", "02-23", "03-08", "05-01", "05-09", "06-12", "11-04"],
    "BY": ["01-01", "01-02", "01-07", "03-08", "05-01", "05-09", "07-03", "11-07", "12-25"],
    "KZ": ["01-01", "01-02", "01-07", "03-08", "03-21", "03-22", "03-23", "05-01", "05-07", "05-09", "07-06", "08-30",
           "10-25", "12-16"],
    "UZ": ["01-01", "03-08", "03-21", "05-09", "09-01", "10-01", "12-08"],
}  # fmt: skip


@cache
def known(country: str) -> set[date]:
    return {day for year in range(2022, 2026) for day in public_holidays(country, None, year)}


def days_off(country: str) -> set[date]:
    with data_path("work_calendars/days_2022_2025.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["country"] == country.lower()]
    assert len(rows) == 4 * 365 + 1
    return {date.fromisoformat(row["date"]) for row in rows if row["kind"] == "day_off"}


@pytest.mark.parametrize("country", ["RU", "BY", "KZ", "UZ"])
def test_days_off_on_weekdays_are_known_holidays(country):
    unknown = {day for day in days_off(country) if day.weekday() < 5} - known(country)
    assert unknown == OFF_BUT_UNKNOWN.get(country, set())


@pytest.mark.parametrize("country", ["RU", "BY", "KZ", "UZ"])
def test_holidays_are_days_off_in_the_official_calendar(country):
    worked = known(country) - days_off(country)
    assert {day.isoformat() for day in worked} == HOLIDAY_BUT_WORKED.get(country, set())


@pytest.mark.parametrize("country", ["RU", "BY", "KZ", "UZ"])
def test_statutory_dates_are_holidays_every_year(country):
    wanted = {date.fromisoformat(f"{year}-{day}") for year in range(2022, 2026) for day in STATUTORY[country]}
    if country == "KZ":
        wanted -= {date(2022, 10, 25)} - known("KZ")  # Republic Day became a day off again in that very year
    assert wanted - known(country) == set()


def test_a_subdivision_has_holidays_of_its_own():
    spain, madrid = public_holidays("ES", None, 2026), public_holidays("ES", "MD", 2026)
    assert date(2026, 5, 2) in madrid - spain  # the day of the Community of Madrid
    assert date(2026, 12, 25) in spain & madrid
    assert public_holidays("ES", "", 2026) == spain


def test_substitute_days_off_are_included():
    assert date(2026, 7, 3) in public_holidays("US", None, 2026)  # the 4th is a Saturday
    assert date(2021, 12, 31) in public_holidays("US", None, 2021)  # for the 1st of the year after


@pytest.mark.parametrize("year", [-1, 0, 1, 1969, 2101, 9999, 10**9])
def test_years_nobody_is_shown_have_no_holidays(year):
    assert public_holidays("ES", None, year) == frozenset()


@pytest.mark.parametrize(
    ("country", "subdivision", "advice"),
    [
        ("es", None, 'write it as "ES"'),
        (" ES ", None, 'write it as "ES"'),
        ("ESP", None, "two letters"),
        ("Spain", None, "two letters"),
        ("XX", None, "two letters"),
        ("", None, "two letters"),
        (None, None, "two letters"),
        ([], None, "two letters"),
        ("A" * 5000, None, "two letters"),
        ("ES", "md", 'write it as "MD"'),
        ("ES", "ES-MD", 'write it as "MD"'),
        ("ES", "ZZ", "use one of AN, "),
        ("KZ", "ALA", "leave it empty"),
    ],
)
def test_a_country_without_holidays_is_told_what_to_write(country, subdivision, advice):
    with pytest.raises(BadHoliday, match=advice):
        check_country(country, subdivision)
    if isinstance(country, str):
        with pytest.raises(BadHoliday):
            public_holidays(country, subdivision, 2026)


@pytest.mark.parametrize(
    ("country", "written", "code"),
    [
        ("ES", "Barcelona", "Barcelona"), ("ES", "Madrid", "MD"), ("ES", "MD", "MD"), ("ES", " catalunya ", "CT"),
        ("BR", "São Paulo Capital", "São Paulo Capital"), ("BR", "sao paulo", "SP"), ("DE", "Bayern", "BY"), ("DE", "by", "BY"),
        ("DE", "Augsburg", "Augsburg"), ("CH", "Zürich", "ZH"), ("GB", "Scotland", "SCT"), ("ES", "", ""), ("KZ", "", ""),
    ],
)  # fmt: skip
def test_a_subdivision_is_taken_by_its_name_and_kept_by_its_code(country, written, code):
    assert subdivision_code(country, written) == code
    assert public_holidays(country, code, 2026)


@pytest.mark.parametrize(
    ("country", "written", "advice"),
    [
        ("FR", "Zone A", "same public holidays as the whole of FR; leave the subdivision empty"),
        ("NL", "Noord", "leave the subdivision empty"),
        ("UK", "", 'write it as "GB"'),
        ("UK", "Scotland", 'write it as "GB"'),
        ("ES", "Toledo", "use one of AN, "),
        ("KZ", "Almaty", "leave it empty"),
    ],
)
def test_a_place_without_holidays_of_its_own_is_refused_with_the_right_word(country, written, advice):
    with pytest.raises(BadHoliday, match=advice):
        subdivision_code(country, written)


def test_only_places_with_holidays_of_their_own_are_offered():
    assert "UK" not in countries()
    assert "GB" in countries()
    assert not [part for part in subdivisions("FR") if part.startswith("Zone")]
    assert subdivisions("NL") == []
    assert subdivision_names("GB") == {"ENG": "England", "NIR": "Northern Ireland", "SCT": "Scotland", "WLS": "Wales"}
    assert subdivision_names("ES")["Barcelona"] == "Barcelona"


def test_what_was_stored_before_is_still_followed():
    assert public_holidays("UK", None, 2026) == public_holidays("GB", None, 2026)
    assert public_holidays("FR", "Zone A", 2026) == public_holidays("FR", None, 2026)


@pytest.mark.django_db
def test_what_was_stored_before_is_stored_by_the_codes_of_today():
    places = {
        "scotland": (("UK", "SCT"), ("GB", "SCT")),
        "kingdom": (("UK", ""), ("GB", "")),
        "zone": (("FR", "Zone A"), ("FR", "")),
        "madrid": (("ES", "MD"), ("ES", "MD")),
        "country-gone": (("ZZ", ""), ("ZZ", "")),  # whoever saves it next is told
        "part-gone": (("KZ", "Almaty"), ("KZ", "Almaty")),
        "none": (("", ""), ("", "")),
    }
    for code, ((country, part), _) in places.items():
        schedule = make_schedule(code)
        WorkSchedule.objects.filter(pk=schedule.pk).update(holiday_country=country, holiday_subdivision=part)
    store_codes = import_module("accounts.migrations.0014_holiday_places_by_their_codes").store_codes
    editor = SimpleNamespace(connection=connection)
    for _ in range(2):  # what is stored by its code stays
        store_codes(apps, editor)
        stored = {s.code: (s.holiday_country, s.holiday_subdivision) for s in WorkSchedule.objects.all()}
        assert stored == {code: after for code, (_, after) in places.items()}
    for code in ("scotland", "kingdom", "zone", "madrid", "none"):
        WorkSchedule.objects.get(code=code).full_clean()


def test_a_country_tells_what_its_parts_have_more():
    assert holiday_of_a_part("GB", 2026) == Holiday(date(2026, 4, 6), "Easter Monday", "England")
    assert holiday_of_a_part("KZ", 2026) is None
    assert holiday_of_a_part("NL", 2026) is None


@pytest.mark.parametrize(
    ("country", "year", "days"),
    [
        ("CN", 2026, ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]),
        ("BY", 2026, ["2026-04-25"]),
        ("HU", 2026, ["2026-01-10", "2026-08-08"]),
        ("LV", 2026, ["2026-01-17", "2026-06-27"]),
        ("VN", 2026, ["2026-08-22"]),
        ("ES", None, []),
    ],
)
def test_moved_working_days_are_known_up_to_a_year(country, year, days):
    """An upgrade of the package with new announcements changes the year."""
    assert moved_until(country) == year
    assert working_weekends(country, date(2026, 1, 1), date(2026, 12, 31)) == [date.fromisoformat(day) for day in days]


def test_every_country_offered_has_an_answer():
    codes = countries()
    assert codes == sorted(codes)
    assert {"ES", "RU", "KZ", "BY", "UZ", "US", "BR", "MX"} <= set(codes)
    assert all(len(code) == 2 for code in codes)
    for code in ("ES", "US", "KZ"):
        check_country(code)
        for part in subdivisions(code):
            check_country(code, part)


def test_the_slow_package_is_not_imported_before_somebody_asks():
    program = "import sys, accounts.time.holidays, accounts.time.schedules; sys.exit('holidays' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, timeout=60).returncode == 0
