"""Public holidays of countries and their subdivisions, as dates.

The `holidays` package knows them. Importing it takes up to a second, so that it is imported by whoever first asks.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

# Outside of these years the rules are guesses; nothing that people are shown lies there.
FIRST_YEAR, LAST_YEAR = 1970, 2100


class BadHoliday(ValueError):
    """There are no holidays to follow under this country or subdivision; the message says what to write instead."""


def countries() -> list[str]:
    """Return the two-letter codes (ISO 3166-1) of the countries whose holidays are known, sorted."""
    return sorted(_subdivisions_by_country())


def subdivisions(country: str) -> list[str]:
    """Return the codes of the country's subdivisions with holidays of their own. Raises BadHoliday."""
    check_country(country, None)
    return list(_subdivisions_by_country()[country])


def check_country(country: str, subdivision: str | None = None) -> None:
    """Raise BadHoliday unless the country, and the subdivision where one is given, are known."""
    known = _subdivisions_by_country()
    if not isinstance(country, str) or country not in known:
        raise BadHoliday(f"no public holidays are known for the country {_shown(country)}; {_mended_country(country)}")
    if subdivision and subdivision not in known[country]:
        raise BadHoliday(
            f"{country} has no subdivision {_shown(subdivision)}; {_mended_subdivision(country, subdivision)}"
        )


@lru_cache(maxsize=1024)
def public_holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """Return the dates of the year that are public holidays there, substitute days off included.

    Raises BadHoliday. A year outside 1970..2100 has none. Working Saturdays to which a day off was moved are not known
    here: they are extra shifts of the schedule.
    """
    check_country(country, subdivision)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return frozenset()
    import holidays

    found = holidays.country_holidays(country, subdiv=subdivision or None, years=year, observed=True)
    return frozenset(day for day in found if day.year == year)


@lru_cache(maxsize=1)
def _subdivisions_by_country() -> dict[str, tuple[str, ...]]:
    import holidays

    # The package lists three-letter aliases as well; one country has one code here.
    return {code: tuple(parts) for code, parts in holidays.list_supported_countries().items() if len(code) == 2}


def _mended_country(country: object) -> str:
    if isinstance(country, str) and country.strip().upper() in _subdivisions_by_country():
        return f'write it as "{country.strip().upper()}"'
    return "use its two letters of ISO 3166, for example ES"


def _mended_subdivision(country: str, subdivision: object) -> str:
    parts = _subdivisions_by_country()[country]
    if not parts:
        return "leave it empty"
    if isinstance(subdivision, str):
        bare = subdivision.strip().upper().removeprefix(f"{country}-")
        if bare in parts:
            return f'write it as "{bare}"'
    return f"use one of {', '.join(parts)}"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) and value.isprintable() else repr(value)
    return f'"{text}"' if len(text) <= 40 else f'"{text[:40]}…"'
