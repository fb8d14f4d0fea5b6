#!/bin/sh
# langcodes 3.5.1: half of the country codes that people put into a language field are valid tags of quite other
# languages.
# "kr" (Korea) is Kanuri, "se" (Sweden) Northern Sami, "ee" (Estonia) Ewe, "my" Burmese, and the es_LA of
# Facebook (Latin America) Spanish of Laos, while "jp", "cz" and "ua" are not valid. Expected by whoever checks
# validity: a refusal of all of them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check langcodes==3.5.1 language-data==1.4.0
"$folder/env/bin/python" - <<'PYTHON'
from langcodes import Language, tag_is_valid

seen = {}
for tag in ("kr", "se", "ee", "es_LA", "jp", "cz", "ua"):
    seen[tag] = Language.get(tag).display_name() if tag_is_valid(tag) else None
    print(tag, "->", seen[tag])
found = {
    "kr": "Kanuri", "se": "Northern Sami", "ee": "Ewe", "es_LA": "Spanish (Laos)", "jp": None, "cz": None, "ua": None,
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
