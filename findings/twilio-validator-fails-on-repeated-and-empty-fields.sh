#!/bin/sh
# twilio 9.13.0: the request validator raises a TypeError for a form field that is there twice, or has no value.
# A dictionary of lists is what parse_qs and most frameworks hand over; the validator joins or concatenates what
# is in it. An answer of 500 makes the sender try again. Expected: the documented sorting of repeated values, or
# False.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check twilio==9.13.0
"$folder/env/bin/python" - <<'PYTHON'
from twilio.request_validator import RequestValidator

def sign(form):
    try:
        return type(RequestValidator("0" * 32).compute_signature("https://example.com/in", form)).__name__
    except Exception as error:
        return type(error).__name__

seen = {"text": sign({"Body": "hi"}), "list": sign({"MediaUrl": ["b", "a"]}), "none": sign({"Body": None})}
print(seen)
found = {"text": "str", "list": "TypeError", "none": "TypeError"}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
