#!/bin/sh
# imap-tools 1.16.0: the subject of a letter contains the line breaks by which the sender folded it.
# Every mailer folds long headers (RFC 5322, 2.2.3); unfolding removes the CRLF. `MailMessage.subject` keeps it,
# so a subject that becomes the name of something holds a line break. Encoded subjects are unfolded. Expected:
# one line for both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check imap-tools==1.16.0
"$folder/env/bin/python" - <<'PYTHON'
from imap_tools import MailMessage

def subject(header):
    raw = ("Subject: " + header + "\r\n\r\ntext").encode()
    return MailMessage([(b"1 (UID 1 FLAGS ())", raw)]).subject

seen = (subject("A question about the delivery of\r\n the order"), subject("=?utf-8?Q?A_question_?=\r\n =?utf-8?Q?about?="))
print(*map(repr, seen), sep="\n")
found = ("A question about the delivery of\r\n the order", "A question about")

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
