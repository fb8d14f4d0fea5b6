#!/bin/sh
# inscriptis 2.7.6: the text of a page is decoded twice, so that what a person wrote as text turns into other
# text.
# "&amp;lt;b&amp;gt;" on a page shows "&lt;b&gt;"; the extracted text is "<b>". A letter that quotes HTML
# becomes markup again for whoever shows it. Expected: "&lt;b&gt;".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check inscriptis==2.7.6
"$folder/env/bin/python" - <<'PYTHON'
import inscriptis

seen = inscriptis.get_text("<p>write &amp;lt;b&amp;gt; here</p>").strip()
print(seen)
found = "write <b> here"

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
