#!/bin/sh
# vobject 0.9.9: the contact card of an older phone cannot be read when a line break falls inside a Cyrillic
# letter.
# vCard 2.1 quotes names as quoted-printable, whose soft break ("=" at the end of a line) may stand between the
# two bytes of a letter. Each line is decoded alone. Expected: the name Иван, as with the break elsewhere.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check vobject==0.9.9
"$folder/env/bin/python" - <<'PYTHON'
import vobject

def name(folded):
    card = "BEGIN:VCARD\r\nVERSION:2.1\r\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:" + folded + "\r\nEND:VCARD\r\n"
    try:
        return vobject.readOne(card).fn.value
    except Exception as error:
        return type(error).__name__

seen = {"in one line": name("=D0=98=D0=B2=D0=B0=D0=BD"), "inside a letter": name("=D0=98=D0=\r\n=B2=D0=B0=D0=BD")}
for where, value in seen.items():
    print(where, "->", value)
found = {"in one line": "Иван", "inside a letter": "UnicodeDecodeError"}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
