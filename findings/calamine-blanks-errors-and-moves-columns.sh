#!/bin/sh
# python-calamine 0.9.1: an error such as #N/A is read as an empty text, and a sheet that begins in column B
# loses its empty first column and rows.
# A failed look-up cannot be told from an empty cell, and a column or row number no longer names the cell that a
# person sees; only one of the two has a switch, which keeps the rows and columns. Expected: the error by its
# name, and places kept.
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
book.active["B3"], book.active["C3"] = "#N/A", "Ana"
file = io.BytesIO()
book.save(file)
sheet = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(file.getvalue())).get_sheet_by_index(0)
seen = (book.active["B3"].value, sheet.to_python(), sheet.to_python(skip_empty_area=False))
print(*seen, sep="\n")
found = ("#N/A", [["", "Ana"]], [["", "", ""], ["", "", ""], ["", "", "Ana"]])

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
