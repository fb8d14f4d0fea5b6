#!/bin/sh
# cleanco 2.3: what is left of a company's name without its legal form may be nothing, or another name.
# "Day Spa" loses "Spa" (Italy's SpA), "Casa SC" its "SC", and a company that is called "SA" or "Co" is left
# without a name; forms that stand in front, as in Russia and Indonesia, stay. Comparing such names joins
# strangers. Expected: never empty, and case looked at.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check cleanco==2.3
"$folder/env/bin/python" - <<'PYTHON'
from cleanco import basename

seen = {name: basename(name) for name in ("Ruiz SL", "Day Spa", "SA", "Co", "Ромашка ООО", "ООО Ромашка", "PT Acme", "Acme PT")}
for name, base in seen.items():
    print(name, "->", repr(base))
found = {
    "Ruiz SL": "Ruiz", "Day Spa": "Day", "SA": "", "Co": "", "Ромашка ООО": "Ромашка", "ООО Ромашка": "ООО Ромашка",
    "PT Acme": "PT Acme", "Acme PT": "Acme",
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
