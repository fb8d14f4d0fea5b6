#!/bin/sh
# standardwebhooks 1.1.0: two equal instants in two zones get two different signatures.
# sign() puts UTC in the place of the zone that a time has instead of converting it, so 11:00 in Madrid is
# signed as 11:00 UTC. The header that is made of the same value carries the right second, and every receiver
# refuses the message. Expected: one instant, one signature.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0 tzdata==2026.6
"$folder/env/bin/python" - <<'PYTHON'
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from standardwebhooks.webhooks import Webhook

hook = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
madrid = datetime(2026, 3, 2, 11, tzinfo=ZoneInfo("Europe/Madrid"))
utc = madrid.astimezone(timezone.utc)
seen = {"equal instants": madrid == utc, "equal signatures": hook.sign("m", madrid, "{}") == hook.sign("m", utc, "{}")}
print(seen)
found = {"equal instants": True, "equal signatures": False}

print("as found" if seen == found else f"changed: expected {found!r}")
raise SystemExit(seen != found)
PYTHON
