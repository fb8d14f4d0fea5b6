"""Public holidays of countries and their subdivisions, as dates.

The `holidays` package knows them. Importing it takes up to a second, so that it is imported by whoever first asks.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

# Outside of these years the rules are guesses; nothing that people are shown lies there.
FIRST_YEAR, LAST_YEAR = 1970, 2100
COMPARED = range(2024, 2030)  # years in which a part is compared with its country; elections come every fourth


class BadHoliday(ValueError):
    """There are no holidays to follow under this country or subdivision; the message says what to write instead."""


class Holiday(NamedTuple):
    """A public holiday, and where it is."""

    day: date
    name: str
    place: str


def countries() -> list[str]:
    """Return the two-letter codes (ISO 3166-1) of the countries whose holidays are known, sorted."""
    return sorted(_parts_by_country())


def subdivisions(country: str) -> list[str]:
    """Return the codes of the country's subdivisions with holidays of their own. Raises BadHoliday."""
    check_country(country, None)
    return [part for part in _parts_by_country()[country] if _has_its_own(country, part)]


def subdivision_names(country: str) -> dict[str, str]:
    """Return the subdivisions with holidays of their own, each with its name where it has another one. Raises BadHoliday."""
    names = {code: name for name, code in reversed(_aliases(country).items())}
    return {code: names.get(code, code) for code in subdivisions(country)}


def subdivision_code(country: str, text: str) -> str:
    """Return the code of the subdivision, which may be written by its name, in any case. Raises BadHoliday."""
    check_country(country, None)
    known = {_plain(part): part for part in _parts_by_country()[country]}
    known |= {_plain(name): code for name, code in _aliases(country).items() if code in known.values()}
    code = known.get(_plain(text), text.strip())
    check_country(country, code or None)
    return code


def check_country(country: str, subdivision: str | None = None) -> None:
    """Raise BadHoliday unless the country, and the code of the subdivision where one is given, are known, and the
    subdivision has holidays of its own."""
    known = _parts_by_country()
    if not isinstance(country, str) or country not in known:
        raise BadHoliday(f"no public holidays are known for the country {_quote(country)}; {_country_advice(country)}")
    if not subdivision:
        return
    if subdivision not in known[country]:
        raise BadHoliday(
            f"{country} has no subdivision {_quote(subdivision)}; {_subdivision_advice(country, subdivision)}"
        )
    if not _has_its_own(country, subdivision):
        raise BadHoliday(
            f"{_quote(subdivision)} has the same public holidays as the whole of {country}; leave the subdivision empty"
        )


@lru_cache(maxsize=256)
def holiday_of_a_part(country: str, year: int) -> Holiday | None:
    """Return a public holiday of a part of the country that the country as a whole has not; None: there is none. One that
    many parts have comes first. Raises BadHoliday."""
    parts: dict[date, list[str]] = {}
    for part in subdivisions(country):
        for day in public_holidays(country, part, year) - public_holidays(country, None, year):
            parts.setdefault(day, []).append(part)
    if not parts:
        return None
    day = max(sorted(parts), key=lambda day: len(parts[day]))
    place = parts[day][0]
    return Holiday(day, str(_calendar(country, place, year)[day]), subdivision_names(country)[place])


def moved_until(country: str) -> int | None:
    """Return the last year for which it is known which working days the country moves; None: it moves none.

    Governments announce them year by year. Raises BadHoliday.
    """
    check_country(country, None)
    calendar = _calendar(country, None, FIRST_YEAR)
    if not calendar.has_substituted_holidays:
        return None
    moved = (getattr(calendar, name) for name in dir(calendar) if name.startswith("special_") and "holidays" in name)
    return max((year for days in moved if isinstance(days, dict) for year in days if _moves(days[year])), default=None)


def working_weekends(country: str, first: date, last: date) -> list[date]:
    """Return the Saturdays and Sundays on which the country works because a day off was moved. Raises BadHoliday."""
    check_country(country, None)
    calendar = _calendar(country, None, range(first.year - 1, last.year + 2))
    return sorted(day for day in calendar.weekend_workdays if first <= day <= last)


@lru_cache(maxsize=1024)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """Return the dates of the year that are public holidays there, substitute days off included.

    Raises BadHoliday. What is no longer offered is still followed where it is stored. A year outside 1970..2100 has none.
    Working weekends to which a day off was moved are extra shifts of the schedule.
    """
    if country not in _followed() or (subdivision and subdivision not in _followed()[country]):
        check_country(country, subdivision)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return frozenset()
    return frozenset(day for day in _calendar(country, subdivision, year) if day.year == year)


def _calendar(country: str, subdivision: str | None, years: int | range) -> Any:
    import holidays

    return holidays.country_holidays(country, subdiv=subdivision or None, years=years, observed=True)


@lru_cache(maxsize=1)
def _parts_by_country() -> dict[str, tuple[str, ...]]:
    import holidays

    # Aliases are three letters, and UK beside GB; one country has one code here.
    known = holidays.list_supported_countries(include_aliases=False)
    return {code: tuple(parts) for code, parts in known.items() if len(code) == 2}


@lru_cache(maxsize=1)
def _followed() -> dict[str, tuple[str, ...]]:
    import holidays

    return {code: tuple(parts) for code, parts in holidays.list_supported_countries().items() if len(code) == 2}


@lru_cache(maxsize=300)
def _aliases(country: str) -> dict[str, str]:
    """Return the names of the country's subdivisions: name → code."""
    import holidays

    return dict(getattr(holidays.country_holidays(country), "subdivisions_aliases", {}))


@lru_cache(maxsize=4096)
def _has_its_own(country: str, part: str) -> bool:
    """Tell whether the part has other public holidays than the country: zones of school holidays, for example, have not."""
    return any(public_holidays(country, part, year) != public_holidays(country, None, year) for year in COMPARED)


def _moves(days: Any) -> bool:
    """Tell whether days of the package's tables are moved: a day off, and the one that is worked instead."""
    return any(isinstance(day, tuple) and len(day) > 3 for day in ((days,) if isinstance(days[0], int) else days))


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _country_advice(country: object) -> str:
    code = country.strip().upper() if isinstance(country, str) else ""
    code = {"UK": "GB"}.get(code, code)
    if code in _parts_by_country():
        return f'write it as "{code}"'
    return "use its two letters of ISO 3166, for example ES"


def _subdivision_advice(country: str, subdivision: object) -> str:
    parts = subdivisions(country)
    if not parts:
        return "leave it empty"
    if isinstance(subdivision, str):
        bare = subdivision.strip().upper().removeprefix(f"{country}-")
        if bare in parts:
            return f'write it as "{bare}"'
    return f"use one of {', '.join(parts)}"


def _quote(value: object) -> str:
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return f'"{text}"' if len(text) <= 40 else f'"{text[:40]}…"'
