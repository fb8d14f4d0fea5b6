"""Write routing/intake/region_codes.txt anew from the package `holidays`: python -m leadrouter.development.region_codes"""

from __future__ import annotations

from pathlib import Path

import holidays
import phonenumbers

TARGET = Path(__file__).resolve().parents[2] / "routing" / "intake" / "region_codes.txt"
HEAD = """\
# Codes of regions that are codes of countries, too, behind the country whose regions they are.
# By leadrouter/development/region_codes.py.
"""


def region_codes() -> str:
    """Return the text of the file."""
    countries = phonenumbers.SUPPORTED_REGIONS
    parts = {
        country: sorted(countries.intersection(regions))
        for country, regions in holidays.list_supported_countries(include_aliases=False).items()
        if country in countries
    }
    return HEAD + "".join(f"{' '.join([country, *codes])}\n" for country, codes in sorted(parts.items()) if codes)


if __name__ == "__main__":
    TARGET.write_text(region_codes(), encoding="utf-8")
