"""What a lead needs and what a manager can do, brought to tokens: who has one of a need's tokens serves it.

A value is its own token, as `comparable` writes it. Languages and regions have wider ones, too, so that `es` serves `es-MX`,
and a region of Spain a lead that names Spain alone. A token that ends in `*` stands for what lies within.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path

from .text import comparable

Tokens = Mapping[str, frozenset[str]]  # by skill

ANYWHERE = "*"  # of regions that do not say of which country they are

# Typed for "I say nothing". "No" and "na" are a language and a country.
_NOTHING = frozenset(
    [
        *("n/a", "n.a.", "n/d", "n.d.", "nil", "none", "null", "undefined", "unknown", "unspecified"),
        *("not applicable", "not available", "not set", "not specified", "und"),
        *("desconocido", "desconocida", "ninguno", "ninguna", "no aplica", "no especificado", "sin especificar"),
        *("desconhecido", "desconhecida", "nenhum", "nenhuma", "não especificado", "não informado", "não se aplica"),
        *("не задано", "не определено", "не указан", "не указана", "не указано", "неизвестно", "нет"),
    ]
)
# What senders write for a language, though it is the code of a country or of another region.
_LANGUAGES = {"ua": "uk", "cz": "cs", "kz": "kk"}
_LOCALES = {"es-la": "es-419", "ar-ar": "ar"}
_LATIN_AMERICA = frozenset(
    [
        *("ar", "bo", "br", "bz", "cl", "co", "cr", "cu", "do", "ec", "gt", "hn", "mx", "ni", "pa", "pe", "pr", "py"),
        *("sv", "uy", "ve"),
    ]
)
_REGION_CODE = re.compile(r"([a-z]{2})-[a-z0-9]{1,3}")


def says_nothing(value: str) -> bool:
    """value: as `comparable` returns it."""
    if value[:1].isalnum():  # as nearly all begin
        return value in _NOTHING
    return all(unicodedata.category(sign)[0] in "PZ" or sign in "+=~|<>" for sign in value)


def tokens_asked(asked: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Return the tokens of what a lead asks for. asked: by skill, both in any spelling."""
    needs = _by_skill(asked, lambda skill, value: _asked_language(value) if skill == "language" else [value])
    if country := needs.get("country"):
        within = [f"{code}-*" for code in country]
        needs["region"] = needs["region"] | country if "region" in needs else frozenset([*country, *within, ANYWHERE])
    return needs


def tokens_served(skills: Mapping[str, Iterable[str]]) -> dict[str, frozenset[str]]:
    """Return the tokens of what a manager can do. skills: by skill, both in any spelling."""
    wider: dict[str, Callable[[str], list[str]]] = {"language": _served_language, "region": _served_region}
    return _by_skill(skills, lambda skill, value: wider[skill](value) if skill in wider else [value])


def _by_skill(
    texts: Mapping[str, Iterable[str]], tokens_of: Callable[[str, str], Iterable[str]]
) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for text, values in texts.items():
        skill = comparable(text)
        tokens = [token for value in values for token in tokens_of(skill, comparable(value))]
        found[skill] = found.get(skill, frozenset()).union(tokens)
    return found


# Languages


def _asked_language(value: str) -> list[str]:
    tag = language_tag(value)
    return [tag, *(f"{wider}-*" for wider in _wider(tag))]


def _served_language(value: str) -> list[str]:
    tag = language_tag(value)
    return [tag, *_wider(tag), f"{tag}-*"]


@lru_cache(maxsize=1024)
def language_tag(value: str) -> str:
    """Return the tag in its usual form and in lower case; what is no tag as it is. value: as `comparable` returns it."""
    import langcodes  # 70 ms at its first use

    written = value.partition(".")[0].partition("@")[0].replace("_", "-")  # es_ES.UTF-8
    language, dash, rest = written.partition("-")
    tag = f"{_LANGUAGES.get(language, language)}{dash}{rest}"
    try:
        return str(langcodes.standardize_tag(_LOCALES.get(tag, tag))).lower()
    except ValueError:
        return value


def _wider(tag: str) -> list[str]:
    """Return the ranges around a tag: of es-MX Spanish, and that of Latin America."""
    parts = tag.split("-")
    ranges = ["-".join(parts[:length]) for length in range(1, len(parts))]
    return [*ranges, f"{parts[0]}-419"] if parts[-1] in _LATIN_AMERICA and len(parts) == 2 else ranges


# Regions


@lru_cache(maxsize=1024)
def _served_region(value: str) -> list[str]:
    """Return the region, and in which countries it may be: a lead that names only its country is somewhere there."""
    code = _REGION_CODE.fullmatch(value)
    if code and code[1] in _countries():
        return [value, f"{code[1]}-*"]
    if value in _countries():
        return [value, *(f"{country}-*" for country in _countries_with_region()[value])]
    return [value, ANYWHERE]


@cache
def _countries() -> frozenset[str]:
    import phonenumbers

    return frozenset(map(str.lower, phonenumbers.SUPPORTED_REGIONS))


@cache
def _countries_with_region() -> dict[str, list[str]]:
    """Return, by the code of a country, the countries that have a region of the same code: Madrid is MD, and Moldova."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (Path(__file__).parent / "region_codes.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, *regions = line.lower().split()
            for region in regions:
                found[region].append(country)
    return found
