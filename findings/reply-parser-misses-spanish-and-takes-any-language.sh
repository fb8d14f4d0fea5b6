#!/bin/sh
# mail-parser-reply 1.36: Spanish is among its languages, yet the line that Gmail writes above a quotation stays
# in the customer's text; a language that it does not have is accepted without an error.
# Its Spanish pattern asks for two blanks before "escribió". Russian is taken for a language and nothing is cut.
# Expected: the reply alone for Spanish, an error for Russian.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check mail-parser-reply==1.36
"$folder/env/bin/python" - <<'PYTHON'
from mailparser_reply import EmailReplyParser

LETTERS = {
    "en": "Hello\n\nOn Mon, Mar 2, 2026 at 10:00 AM Bob <bob@example.com> wrote:\n> hi",
    "es": "Hola\n\nEl lun, 2 mar 2026 a las 10:00, Bob (<bob@example.com>) escribió:\n> hi",
    "ru": "Привет\n\nпн, 2 мар. 2026 г. в 10:00, Bob <bob@example.com>:\n> hi",
}
seen = {language: "2026" not in EmailReplyParser(languages=[language]).parse_reply(text) for language, text in LETTERS.items()}
for language, answer in seen.items():
    print(language, "->", "cut" if answer else "not cut")
found = {"en": True, "es": False, "ru": False}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
