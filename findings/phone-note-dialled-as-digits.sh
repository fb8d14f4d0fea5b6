#!/bin/sh
# phonenumbers 9.0.43: a note behind a number is dialled.
# People write "(Fax)" or "privat" behind a number. The parser maps these letters to the keypad, and where the
# numbering plan has variable lengths (Germany, Austria) the result is another VALID number, of somebody else.
# Expected: the note is ignored, or the whole is refused.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
"$folder/env/bin/python" - <<'PYTHON'
import phonenumbers

seen = {}
for text in ("+49 30 123456", "+49 30 123456 (Fax)", "+49 30 123456 privat", "+43 1 234567 DW 12"):
    number = phonenumbers.parse(text)
    seen[text] = (phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), phonenumbers.is_valid_number(number))
    print(text, "->", *seen[text])
found = {
    "+49 30 123456": ("+4930123456", True),
    "+49 30 123456 (Fax)": ("+4930123456329", True),
    "+49 30 123456 privat": ("+4930123456774828", True),
    "+43 1 234567 DW 12": ("+43123456712", True),
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
