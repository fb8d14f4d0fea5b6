#!/bin/sh
# holidays 0.109: Ukraine has no public holidays from 2023 on, not even New Year's Day.
# Under martial law no day off is granted, and the library takes the law at its word; 2022 still has the winter
# ones. A work calendar that follows UA is silently a calendar without holidays. Expected: the holidays, or a
# warning.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check holidays==0.109
"$folder/env/bin/python" - <<'PYTHON'
import holidays

seen = {year: len(holidays.country_holidays("UA", years=year)) for year in (2021, 2022, 2023, 2026)}
for year, number in seen.items():
    print(year, "->", number, "holidays")
found = {2021: 19, 2022: 5, 2023: 0, 2026: 0}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
