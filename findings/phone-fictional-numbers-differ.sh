#!/bin/sh
# phonenumbers 9.0.43: the numbers that regulators reserve for films and examples are valid in one country and
# not in the next.
# A demonstration with Australian, French or US example numbers passes the validity check, and the same
# demonstration with British ones fails it. Expected: one rule for all reserved ranges.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
"$folder/env/bin/python" - <<'PYTHON'
import phonenumbers

seen = {}
for country, text in {
    "US": "+1 202-555-0123", "AU": "+61 491 570 156", "FR": "+33 1 99 00 12 34",
    "GB mobile": "+44 7700 900123", "GB fixed": "+44 1632 960123",
}.items():
    seen[country] = phonenumbers.is_valid_number(phonenumbers.parse(text))
    print(country, text, "->", "valid" if seen[country] else "not valid")
found = {"US": True, "AU": True, "FR": True, "GB mobile": False, "GB fixed": False}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
