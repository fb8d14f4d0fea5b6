#!/bin/sh
# svix 2.9.1: verify() of a correct signature returns None, where it returned the parsed body before 2.0 and the
# twin library standardwebhooks returns it still.
# Code written as `event = hook.verify(body, headers)` goes on with None. Expected: the body.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check svix==2.9.1
"$folder/env/bin/python" - <<'PYTHON'
from datetime import datetime, timezone

from svix.webhooks import Webhook

hook, now, body = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), datetime.now(timezone.utc), '{"type": "lead"}'
headers = {"svix-id": "msg_1", "svix-timestamp": str(int(now.timestamp())), "svix-signature": hook.sign("msg_1", now, body)}
seen = hook.verify(body, headers)
print("verify ->", seen)
found = None

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
