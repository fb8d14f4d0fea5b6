#!/bin/sh
# phonenumbers 9.0.43: the time zone of a number may lie in another country, or in another continent.
# Algiers is given Europe/Paris, Casablanca Atlantic/Canary, Tripoli Europe/Bucharest (an hour or two apart for
# half a year), and a Kazakh mobile may be in Kamchatka. Expected: zones of the number's own country.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
"$folder/env/bin/python" - <<'PYTHON'
from phonenumbers import parse, timezone

seen = {}
for place, text in {
    "Algiers": "+213 21 12 34 56", "Casablanca": "+212 522 12 34 56", "Tripoli": "+218 21 123 4567",
    "Managua": "+505 2222 1234", "Kaliningrad": "+7 401 212 3456",
}.items():
    seen[place] = timezone.time_zones_for_number(parse(text))
    print(place, text, "->", *seen[place])
seen["Kazakh mobile in Kamchatka"] = "Asia/Kamchatka" in timezone.time_zones_for_number(parse("+7 701 123 4567"))
print("a Kazakh mobile may be in Asia/Kamchatka:", seen["Kazakh mobile in Kamchatka"])
found = {
    "Algiers": ("Europe/Paris",), "Casablanca": ("Atlantic/Canary",), "Tripoli": ("Europe/Bucharest",),
    "Managua": ("America/Chicago",), "Kaliningrad": ("Europe/Bucharest",), "Kazakh mobile in Kamchatka": True,
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
