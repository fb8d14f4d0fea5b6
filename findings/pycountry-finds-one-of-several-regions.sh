#!/bin/sh
# pycountry 26.2.16: looking up a region by name gives the first of several without saying so, and a country
# search finds neighbours first.
# Limburg is a province of Belgium and of the Netherlands: lookup() answers Belgium; Córdoba answers Argentina;
# search_fuzzy("Niger") begins with Nigeria. "Turkey" is unknown since the rename, "Czech Republic" is still
# known. Expected: an error where a name is ambiguous, exact names first.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pycountry==26.2.16
"$folder/env/bin/python" - <<'PYTHON'
import pycountry

def country(name):
    try:
        return pycountry.countries.lookup(name).alpha_2
    except LookupError:
        return None

seen = {
    "Limburg": pycountry.subdivisions.lookup("Limburg").code,
    "Córdoba": pycountry.subdivisions.lookup("Córdoba").code,
    "Niger": pycountry.countries.search_fuzzy("Niger")[0].name,
    "Turkey": country("Turkey"),
    "Czech Republic": country("Czech Republic"),
}
for name, answer in seen.items():
    print(name, "->", answer)
found = {"Limburg": "BE-VLI", "Córdoba": "AR-X", "Niger": "Nigeria", "Turkey": None, "Czech Republic": "CZ"}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
