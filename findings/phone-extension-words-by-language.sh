#!/bin/sh
# phonenumbers 9.0.43: which words open an extension depends on the language, and the unknown ones spoil the
# number.
# "int", "anexo" and the Russian "доб." are understood; the French "poste" and the Portuguese "ramal" are read
# as digits of the number, which becomes invalid; the longer Italian "interno" makes it too long. Expected:
# either all of these office words, or none.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
"$folder/env/bin/python" - <<'PYTHON'
import phonenumbers

seen = {}
for word in ("int", "anexo", "доб.", "poste", "ramal", "interno"):
    try:
        number = phonenumbers.parse(f"+34910000333 {word} 12")
        seen[word] = (number.extension, phonenumbers.is_valid_number(number))
    except phonenumbers.NumberParseException as error:
        seen[word] = (str(error), False)
    print(word, "->", *seen[word])
found = {
    "int": ("12", True),
    "anexo": ("12", True),
    "доб.": ("12", True),
    "poste": (None, False),
    "ramal": (None, False),
    "interno": ("(4) The string supplied is too long to be a phone number.", False),
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
