#!/bin/sh
# holidays 0.109: a date given as text is read month first, in every country.
# Epiphany is a holiday of Spain on 6 January. Asked as a Spaniard writes it, "06/01/2026", the answer is no,
# and "01/06/2026" is yes; a day above 12 is read day first again. Expected: the order of the country, or a
# refusal of what is ambiguous.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check holidays==0.109
"$folder/env/bin/python" - <<'PYTHON'
import holidays

spain = holidays.country_holidays("ES")
seen = {text: text in spain for text in ("2026-01-06", "06/01/2026", "01/06/2026", "25/12/2026")}
for text, answer in seen.items():
    print(text, "->", answer)
found = {"2026-01-06": True, "06/01/2026": False, "01/06/2026": True, "25/12/2026": True}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
