#!/bin/sh
# icalendar 7.3.0 and recurring-ical-events 3.8.2: a shift of DURATION:PT8H is seven hours long in the night of
# a clock change.
# RFC 5545 (3.3.6) makes hours exact and days nominal. The end is made by adding to the wall clock, so that a
# night shift from 22:00 ends at 06:00 by the clock, an hour early. Expected: 07:00+02:00.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check icalendar==7.3.0 recurring-ical-events==3.8.2 tzdata==2026.6
"$folder/env/bin/python" - <<'PYTHON'
from datetime import timedelta, timezone

import icalendar
import recurring_ical_events

TEXT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//night//EN
BEGIN:VEVENT
UID:night@example.com
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Madrid:20260328T220000
DURATION:PT8H
SUMMARY:Night shift
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
calendar = icalendar.Calendar.from_ical(TEXT)
event = calendar.walk("VEVENT")[0]
(occurrence,) = recurring_ical_events.of(calendar).at((2026, 3, 28))
end, other = event.end, occurrence["DTEND"].dt
length = end.astimezone(timezone.utc) - event.start.astimezone(timezone.utc)
seen = (end.isoformat(), other.isoformat(), length)
print("icalendar ends", seen[0], "recurring-ical-events ends", seen[1], "length", length)
found = ("2026-03-29T06:00:00+02:00", "2026-03-29T06:00:00+02:00", timedelta(hours=7))

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
