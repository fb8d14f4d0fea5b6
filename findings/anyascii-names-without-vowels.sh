#!/bin/sh
# anyascii 0.3.3: Arabic and Hebrew names come out without their vowels.
# It writes any script in ASCII, so names in two scripts seem comparable by edit distance. "محمد" becomes "mhmd", three
# edits from "Mohamed"; a Greek or Cyrillic name is as close as one would hope.
# Expected: a reading of the name. Compare the consonants where a script writes no vowels.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check anyascii==0.3.3
"$folder/env/bin/python" - <<'PYTHON'
from anyascii import anyascii

seen = [anyascii(name) for name in ("محمد", "דניאל", "Νίκος", "Наталья")]
print(*seen)
found = ["mhmd", "dny'l", "Nikos", "Natal'ya"]

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
