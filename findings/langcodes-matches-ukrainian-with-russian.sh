#!/bin/sh
# langcodes 3.5.1: the closest match of Ukrainian is Russian, of Catalan and Basque Spanish, within the distance
# that the library accepts by default.
# The distances (20 to 24, below the default limit of 25) are CLDR's fall-backs for user interfaces, not of what
# a person speaks; Kazakh has no match. Expected: no match without being asked for fall-backs.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check langcodes==3.5.1 language-data==1.4.0
"$folder/env/bin/python" - <<'PYTHON'
import langcodes

seen = {
    tag: langcodes.closest_match(tag, offered)
    for tag, offered in {"uk": ["ru", "en"], "ca": ["es", "en"], "eu": ["es", "fr"], "kk": ["ru", "en"]}.items()
}
for tag, match in seen.items():
    print(tag, "->", *match)
found = {"uk": ("ru", 24), "ca": ("es", 20), "eu": ("es", 20), "kk": ("und", 1000)}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
