#!/bin/sh
# Python's email.policy.default against imap-tools 1.16.0: a sender's long name has a blank inside a word.
# Mailers split a long encoded name into several encoded words; the blank between them is no part of the text
# (RFC 2047, 6.2). In a display name the standard library (3.11) keeps it, in a subject it does not. Expected:
# no blank.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check imap-tools==1.16.0
"$folder/env/bin/python" - <<'PYTHON'
import email
import email.policy
import sys

from imap_tools import MailMessage

parts = "=?utf-8?B?0JDQu9C10Lo=?= =?utf-8?B?0YHQsNC90LTRgA==?="
raw = f"From: {parts} <a@example.com>\r\nSubject: {parts}\r\n\r\ntext".encode()
message = email.message_from_bytes(raw, policy=email.policy.default)
name = message["from"].addresses[0].display_name
seen = (name, str(message["subject"]), MailMessage([(b"1 (UID 1 FLAGS ())", raw)]).from_values.name)
print("Python", sys.version.split()[0], *seen)
found = ("Алек сандр", "Александр", "Александр")

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
