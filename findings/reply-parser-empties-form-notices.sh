#!/bin/sh
# email-reply-parser 0.5.12: a form notice by mail that begins with "From:" has no reply text at all.
# The lines "From: name, Phone: number" of a web form look like the header block of a forwarded letter, so the
# whole letter counts as quoted. Expected: the text, since nothing else is in it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check email-reply-parser==0.5.12
"$folder/env/bin/python" - <<'PYTHON'
from email_reply_parser import EmailReplyParser

seen = (
    EmailReplyParser.parse_reply("From: Ana Ruiz\nPhone: +34 600 000 000\nMessage: Please call"),
    EmailReplyParser.parse_reply("Name: Ana Ruiz\nPhone: +34 600 000 000\nMessage: Please call"),
)
print(*map(repr, seen), sep="\n")
found = ("", "Name: Ana Ruiz\nPhone: +34 600 000 000\nMessage: Please call")

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
