#!/bin/sh
# simple-salesforce 1.12.10: format_soql makes a query that Salesforce refuses of an empty list, takes a time
# without a zone for UTC, and cannot quote a decimal.
# IN () is no SOQL; the amount of a deal as Decimal raises ValueError though int and float pass. Expected: an
# error for the first two, a number for the third.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check simple-salesforce==1.12.10
"$folder/env/bin/python" - <<'PYTHON'
from datetime import datetime
from decimal import Decimal

from simple_salesforce import format_soql

def text(value):
    try:
        return format_soql("{}", value)
    except Exception as error:
        return type(error).__name__

seen = [text([]), text(datetime(2026, 3, 2, 10)), text(Decimal("1.50")), text(1.5)]
print(*seen, sep="\n")
found = ["()", "2026-03-02T10:00:00+00:00", "ValueError", "1.5"]

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
