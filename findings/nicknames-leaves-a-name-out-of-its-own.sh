#!/bin/sh
# nicknames 1.0.1: the canonical names of "alexander" do not hold "alexander", and "robert" is a nickname of "bill".
# To share a canonical name looks like a way to ask whether two first names can be one person's. Alexander and Alex
# share none, because the list of Alexander leaves Alexander out; and Robert is found for Bill, although Bill is William.
# Expected: a name counts among its own canonical names. Ask for direct relations only.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check nicknames==1.0.1
"$folder/env/bin/python" - <<'PYTHON'
import warnings

warnings.simplefilter("ignore")
from nicknames import NickNamer

names = NickNamer()
seen = (
    sorted(names.canonicals_of("alexander")),
    "alexander" in names.canonicals_of("alex"),
    "robert" in names.nicknames_of("bill"),
)
print("canonicals of alexander:", seen[0])
print("alexander is a canonical of alex:", seen[1], "· robert is a nickname of bill:", seen[2])
found = (["alexandria"], True, True)

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
