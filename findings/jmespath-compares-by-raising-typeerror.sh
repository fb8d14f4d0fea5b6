#!/bin/sh
# jmespath 1.1.0: a comparison of a number with a number that came as text raises a bare TypeError, which is
# none of the library's own errors.
# By the specification an ordering of anything but two numbers is null. Form values are texts, so `num > `9``
# fails for "10", past an `except JMESPathError`; two texts are ordered as texts, so "10" < "9" holds. Expected:
# null for both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check jmespath==1.1.0
"$folder/env/bin/python" - <<'PYTHON'
import jmespath
from jmespath.exceptions import JMESPathError

def ask(expression, data):
    try:
        return jmespath.search(expression, data)
    except JMESPathError as error:
        return "JMESPathError"
    except Exception as error:
        return type(error).__name__

form = {"num": "10", "least": "9", "blank": None}
seen = {expression: ask(expression, form) for expression in ("num > `9`", "num < least", "blank > `9`")}
for expression, value in seen.items():
    print(expression, "->", value)
found = {"num > `9`": "TypeError", "num < least": True, "blank > `9`": None}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
