#!/bin/sh
# price-parser 0.5.1: a budget may come out a thousand times too small, too large, or with the sign gone.
# "1.5k" is 1.5, "-5" is 5, "0,500" is 500 (half a unit where the comma is decimal, while "12,5" is 12.5), the
# "4" of "A4 1200 EUR" joins the amount, and "100% free" is 0. Expected: a refusal where it cannot be told.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check price-parser==0.5.1
"$folder/env/bin/python" - <<'PYTHON'
from price_parser import Price

seen = {text: str(Price.fromstring(text).amount) for text in ("1.5k", "-5", "0,500", "12,5", "A4 1200 EUR", "100% free")}
for text, amount in seen.items():
    print(text, "->", amount)
found = {"1.5k": "1.5", "-5": "5", "0,500": "500", "12,5": "12.5", "A4 1200 EUR": "41200", "100% free": "0"}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
