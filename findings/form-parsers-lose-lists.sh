#!/bin/sh
# querystring-parser 1.2.4 and nested-multipart-parser 1.6.0: lists and nested keys of ordinary web-hooks come
# out in other shapes, empty, or not at all.
# "a[]=1&a[]=2" is a dictionary with an empty key for the one and an empty list for the other;
# "leads[add][0][name]" is refused by the second; "utm=a=b" by the first. Expected: the shapes that the senders
# mean.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check querystring-parser==1.2.4 nested-multipart-parser==1.6.0
"$folder/env/bin/python" - <<'PYTHON'
from nested_multipart_parser import NestedParser
from querystring_parser import parser

def first(query):
    try:
        return parser.parse(query)
    except Exception as error:
        return type(error).__name__

def second(form):
    nested = NestedParser(form)
    return nested.validate_data if nested.is_valid() else "refused"

seen = {
    "first list": first("a[]=1&a[]=2"), "first equals sign": first("utm=a=b"),
    "second list": second({"a[]": "1"}), "second nested": second({"leads[add][0][name]": "x"}),
}
for case, value in seen.items():
    print(case, "->", value)
found = {
    "first list": {"a": {"": [1, 2]}}, "first equals sign": "MalformedQueryStringError",
    "second list": {"a": []}, "second nested": "refused",
}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
