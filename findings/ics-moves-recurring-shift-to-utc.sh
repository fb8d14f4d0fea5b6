#!/bin/sh
# ics 0.7.3: reading a calendar and writing it again moves a repeating event by an hour after the next clock
# change, and names a calendar that does not exist.
# A shift at 09:00 in Madrid, daily, comes out as 07:00 UTC, daily: its zone is gone while its rule is kept. The
# scale is written as GEORGIAN. Expected: TZID kept, CALSCALE:GREGORIAN.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check ics==0.7.3
"$folder/env/bin/python" - <<'PYTHON'
import ics

TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//shift//EN
BEGIN:VEVENT
UID:shift@example.com
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Madrid:20260701T090000
DTEND;TZID=Europe/Madrid:20260701T170000
RRULE:FREQ=DAILY
SUMMARY:Shift
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
lines = ics.Calendar(TEXT).serialize().splitlines()
seen = [line for line in lines if line.startswith(("DTSTART", "RRULE", "CALSCALE"))]
print(*seen, sep="\n")
found = ["CALSCALE:GEORGIAN", "RRULE:FREQ=DAILY", "DTSTART:20260701T070000Z"]

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
