#!/bin/sh
# zipcodes 3.0.0: a military post code is a real, active ZIP code in the state "AE", at latitude 0, with an
# empty time zone.
# Rules by time zone then compare with an empty text, and the point lies in the Gulf of Guinea. Expected: null,
# or no place.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check zipcodes==3.0.0
"$folder/env/bin/python" - <<'PYTHON'
import zipcodes

(place,) = zipcodes.matching("09001")
seen = tuple(place[key] for key in ("state", "active", "timezone", "lat", "long"))
print("09001 ->", *map(repr, seen))
found = ("AE", True, "", "0", "0")

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
