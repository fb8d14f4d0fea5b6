#!/bin/sh
# imap-tools 1.16.0: the date of a letter may be 1 January 1900, or have no zone, without a word.
# A leap second (":60", allowed by RFC 5322, 3.3) gives the year 1900. The zones "-0000" and "CET" (obsolete
# syntax, still to be read) give a naive value, others an aware one: sorting a mailbox by date raises a
# TypeError. Expected: None or the received date, and one kind of value.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check imap-tools==1.16.0
"$folder/env/bin/python" - <<'PYTHON'
from imap_tools import MailMessage

def date(text):
    raw = ("Date: " + text + "\r\n\r\ntext").encode()
    return MailMessage([(b"1 (UID 1 FLAGS ())", raw)]).date

seen = {}
for text in ("Mon, 02 Mar 2026 10:00:00 +0100", "Mon, 02 Mar 2026 10:00:60 +0000", "Mon, 02 Mar 2026 10:00:00 -0000", "Mon, 02 Mar 2026 10:00:00 CET"):
    value = date(text)
    seen[text] = (value.year, "aware" if value.tzinfo else "naive")
    print(text, "->", value)
found = {
    "Mon, 02 Mar 2026 10:00:00 +0100": (2026, "aware"),
    "Mon, 02 Mar 2026 10:00:60 +0000": (1900, "naive"),
    "Mon, 02 Mar 2026 10:00:00 -0000": (2026, "naive"),
    "Mon, 02 Mar 2026 10:00:00 CET": (2026, "naive"),
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
