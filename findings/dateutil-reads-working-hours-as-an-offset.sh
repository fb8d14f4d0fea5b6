#!/bin/sh
# python-dateutil 2.9.0.post0: the working hours "14:00-15:00" are read as two o'clock in a zone fifteen hours
# west of Greenwich.
# The end of the interval is taken for an offset from UTC (no place has −15:00), with the date of today.
# Expected: an error, since this is no instant.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check python-dateutil==2.9.0.post0
"$folder/env/bin/python" - <<'PYTHON'
from datetime import datetime

from dateutil import parser

value = parser.parse("14:00-15:00", default=datetime(2026, 3, 2))
seen = value.isoformat()
print("14:00-15:00 ->", seen)
found = "2026-03-02T14:00:00-15:00"

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
