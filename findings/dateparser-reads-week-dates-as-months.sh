#!/bin/sh
# dateparser 1.5.0: an ISO week date is read as a month, and a basic ISO date not at all.
# "2026-W10-1" (Monday, 2 March) becomes 1 October; "20260302" is None while "2026-03-02" is read; a quarter,
# "Q1 2026", becomes a day of some month. Expected: the dates of ISO 8601, or None.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check dateparser==1.5.0
"$folder/env/bin/python" - <<'PYTHON'
from datetime import datetime

import dateparser

at = {"RELATIVE_BASE": datetime(2026, 11, 30, 12)}
seen = {text: str(dateparser.parse(text, settings=at)) for text in ("2026-03-02", "20260302", "2026-W10-1", "Q1 2026")}
for text, value in seen.items():
    print(text, "->", value)
found = {
    "2026-03-02": "2026-03-02 00:00:00", "20260302": "None", "2026-W10-1": "2026-10-01 00:00:00",
    "Q1 2026": "2026-02-28 00:00:00",
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
