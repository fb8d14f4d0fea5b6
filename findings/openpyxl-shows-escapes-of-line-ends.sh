#!/bin/sh
# openpyxl 3.1.5: "_x000D_" stands in the text of cells that others read as a line end.
# Workbooks write a control character as _xHHHH_ (ECMA-376, ST_Xstring); exports of CRMs are full of _x000D_.
# openpyxl does not decode it when it reads, and does not protect a text such as "_x0041_" when it writes: other
# readers show "A". Expected: decoded and escaped, as python-calamine reads it.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check openpyxl==3.1.5 python-calamine==0.9.1
"$folder/env/bin/python" - <<'PYTHON'
import io

import openpyxl
import python_calamine

book = openpyxl.Workbook()
for text in ("first_x000D_second", "_x0041_"):
    book.active.append([text])
file = io.BytesIO()
book.save(file)
mine = [row[0].value for row in openpyxl.load_workbook(io.BytesIO(file.getvalue())).active.rows]
other = [row[0] for row in python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(file.getvalue())).get_sheet_by_index(0).to_python()]
seen = (mine, other)
print("openpyxl", mine, "python-calamine", other)
found = (["first_x000D_second", "_x0041_"], ["first\rsecond", "A"])

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
