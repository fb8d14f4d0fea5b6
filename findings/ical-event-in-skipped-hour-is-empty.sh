#!/bin/sh
# recurring-ical-events 3.8.2: a daily event at 02:30 lasts no time at all on the day on which the clock skips
# that hour.
# RFC 5545 (3.3.5) reads a time that does not exist by the offset before the gap. The start is left as
# 02:30+01:00, the end as 03:30+02:00: the same instant. Expected: one hour, as on the other days.
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
PRODID:-//example//daily//EN
BEGIN:VEVENT
UID:daily@example.com
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Madrid:20260328T023000
DTEND;TZID=Europe/Madrid:20260328T033000
RRULE:FREQ=DAILY;COUNT=3
SUMMARY:Daily
END:VEVENT
END:VCALENDAR
""".replace("\n", "\r\n")
seen = []
for event in recurring_ical_events.of(icalendar.Calendar.from_ical(TEXT)).between((2026, 3, 28), (2026, 3, 31)):
    start, end = event["DTSTART"].dt, event["DTEND"].dt
    seen.append(end.astimezone(timezone.utc) - start.astimezone(timezone.utc))
    print(start.isoformat(), "to", end.isoformat(), "->", seen[-1])
found = [timedelta(hours=1), timedelta(0), timedelta(hours=1)]

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
