"""Nothing that opens anything is ever in a log, a metric, a trace or an error mail.

Each secret that stands in an address goes into paths, unknown paths, queries and referrers, and each is answered with 200,
400, 403, 404, 405 and 500, under the logging of the settings as a process has it.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import pytest
from axes.models import AccessAttempt
from django.conf import settings as configured
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.people.invitations import invitation_path
from accounts.time import clock, feeds
from accounts.time.feeds import feed_path
from leadrouter.request_log import asked, mask
from routing.links import accept_path
from routing.models import ApiKey, Offer
from tests.data import REPOSITORY
from tests.effort import by_night
from tests.factories import asking_acceptance, make_manager, make_trigger, make_user, take

pytestmark = pytest.mark.django_db


class Broken(RuntimeError):
    """A bug that tells all it knows."""


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Return what is written under the logging of the settings, at its most talkative."""
    stream = io.StringIO()
    talkative: dict[str, Any] = deepcopy(configured.LOGGING)
    talkative["handlers"]["stderr"]["stream"] = stream
    for facts in (talkative["root"], *talkative["loggers"].values()):
        facts["level"] = "DEBUG"
    talkative["loggers"]["django.template"] = {"level": "INFO"}  # tells of each variable that is not there
    logging.config.dictConfig(talkative)
    yield stream
    logging.config.dictConfig(configured.LOGGING)
    asked.set(None)


@pytest.fixture
def secrets(settings) -> dict[str, str]:
    """Return an address, or a key, of each kind that opens something, all of them working."""
    settings.METRICS_TOKEN = "metrics-canary-0123456789"
    ann = make_manager("ann")
    make_trigger(members=[ann], **asking_acceptance(10))
    key = ApiKey(name="x", scopes=["read"])
    whole = key.renew()
    key.save()
    signed_in = Client()
    signed_in.force_login(make_user("sue", is_staff=True))
    return {
        "invitation": invitation_path(ann.user),
        "new password": invitation_path(make_user("bob", password="unguessable-1")),
        "calendar": feed_path(ann),
        "accept": accept_path(offered(ann)),
        "key": whole,
        "session": signed_in.session.session_key,
        "metrics": settings.METRICS_TOKEN,
    }


def offered(manager: Any) -> Offer:
    take(at=clock.now())
    return Offer.objects.get(manager=manager)


METHODS = ("GET", "POST", "DELETE")
KINDS = ("invitation", "new password", "calendar", "accept", "key", "session", "metrics")


def openers(secret: str) -> set[str]:
    """Return what must not be read anywhere: the secret, and each of its parts that nobody could guess."""
    parts = {part for part in re.split(r"[/:]", secret.removesuffix(".ics")) if len(part) >= 20}
    return parts | {quote(part) for part in parts} | {secret} - {""}


def asks(client: Client, secret: str) -> Iterator[Any]:
    """Yield the answers to everything that somebody could do with a secret, well meant or mistaken."""
    bare = secret.strip("/")
    own = f"/{bare}" + ("/" if secret.endswith("/") else "")
    elsewhere = ("/nowhere/", "/invitation/", "/calendar/", "/accept/", "/api/v1/nowhere/", "/api/v1/leads/", "/admin/")
    paths = [own, f"{own}/", f"{own}x", own.replace(":", "%3A"), *(f"{start}{bare}" for start in elsewhere)]
    paths += [f"/admin/accounts/user/{quote(bare, safe='')}/change/", f"/static/{bare}", f"/me/leads/{bare}/"]
    queries = [f"/?next={quote(secret)}", f"/healthz?key={secret}", f"/admin/?q={secret}", f"/nowhere?x={secret}"]
    queries += [f"/api/v1/leads?{bare}", f"/reports?token={secret}", f"/metrics?token={secret}"]
    referrer = {"referer": f"https://testserver/{bare}"}
    for path in (*paths, *queries):
        # 200, 302, 403 (no token of the form), 404, 405
        for method in by_night(METHODS, by_day=METHODS if path in paths[:4] else METHODS[:1]):
            yield client.generic(method, path)
        yield client.get(path, headers={"host": "evil.example"})  # 400
        yield client.get(path, headers=referrer)
    for path in ("/", "/sign-out/", "/nowhere", "/api/v1/nowhere", "/admin/", "/language/", "/second-factor/"):
        yield client.post(path, headers=referrer, secure=True)  # Django names the referrer of a form it refuses
        yield client.post(path, headers={"referer": f"https://evil.example/{bare}?{bare}"}, secure=True)
        yield client.get(path, headers={"authorization": f"Bearer {secret}", "x-api-key": bare})
    client.post("/", {"username": "ann@example.com", "password": "wrong"})
    yield client.get(f"/admin/routing/lead/?created_at__gte={quote(bare)}%00")


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_in_the_log_or_the_metrics_whatever_is_done_with_it(kind, secrets, written, settings):
    settings.LOG_REQUESTS = True
    settings.ADMINS = [("Root", "root@example.com")]
    settings.SIGN_INS_PER_MINUTE = 0
    secret = secrets[kind]
    both = by_night(KINDS, by_day=KINDS[::3])
    seen = {answer.status_code for who in clients()[: 1 + (kind in both)] for answer in asks(who, secret)}
    assert {302, 400, 403, 404, 405} <= seen
    assert_silent(secret, written)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bug_that_tells_everything_tells_no_secret(kind, secrets, written, settings, monkeypatch):
    settings.LOG_REQUESTS = True
    settings.ADMINS = [("Root", "root@example.com")]
    secret = secrets[kind]
    bare = secret.strip("/")

    def breaks(request: Any, *args: Any, **kwargs: Any) -> Any:
        logging.getLogger("of.a.library").error("%s %s", request.get_full_path(), request.headers.get("Referer"))
        logging.getLogger("of.a.library").warning(
            "with facts", extra={"facts": {"args": [args, kwargs], "path": request.path}}
        )
        raise Broken(f"{args} {kwargs} {request.build_absolute_uri()} {request.headers.get('Referer')} {secret}")

    monkeypatch.setattr(feeds, "manager_of_feed", lambda token: breaks(asked.get(), token))
    monkeypatch.setattr("accounts.views.user_of_invitation", lambda *args: breaks(asked.get(), *args))
    monkeypatch.setattr("accounts.views.SignIn.get", lambda self, request, *a, **k: breaks(request, *a, **k))
    client = Client(raise_request_exception=False)
    own = secret if secret.startswith("/") else f"/calendar/{secret}.ics"
    statuses = [client.get(path).status_code for path in (f"/calendar/{bare}.ics", f"/invitation/MQ/{bare}/", own)]
    statuses += [client.get(f"/?next={quote(secret)}", headers={"referer": f"http://testserver/{bare}"}).status_code]
    assert 500 in statuses
    assert "Broken" in written.getvalue(), "the crash itself is told"
    assert_silent(secret, written)


def clients() -> list[Client]:
    root = Client(enforce_csrf_checks=True, raise_request_exception=False)
    root.force_login(User.objects.create_superuser("root@example.com"))
    return [Client(enforce_csrf_checks=True, raise_request_exception=False), root]


def assert_silent(secret: str, written: io.StringIO) -> None:
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert lines
    leaks = [line for line in lines if any(part in json.dumps(line, ensure_ascii=False) for part in openers(secret))]
    assert not leaks, leaks[:3]
    assert "Logging error" not in written.getvalue()
    metrics = Client().get("/metrics", headers={"authorization": f"Bearer {configured.METRICS_TOKEN}"})
    assert metrics.status_code == 200
    kept = metrics.content.decode() + repr(list(AccessAttempt.objects.values()))
    assert not [part for part in openers(secret) if part in kept]
    assert mail.outbox == []


def test_django_mails_nobody_what_went_wrong():
    logging.config.dictConfig(configured.LOGGING)
    assert logging.getLogger("django").handlers == []
    assert configured.ADMINS == []


def test_a_line_still_says_what_it_was_about(written):
    Client().get("/nowhere/at/all")
    ann = make_manager("ann")
    Client().get(feed_path(ann)[:-5] + "x.ics")
    said = [json.loads(line)["event"] for line in written.getvalue().splitlines() if "Not Found" in line]
    assert said == ["Not Found: [no route]", "Not Found: [calendar/<str:token>.ics]"]


@pytest.mark.parametrize(
    "text",
    [
        "GET /invitation/MQ/d2x1ab-0123456789abcdef0123456789abcdef/ HTTP/1.1",
        "to /x/calendar/1.0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.ics",
        "bad value 1.0:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "bad value 1.0%3AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "d2x1ab-0123456789abcdef0123456789abcdef",
        "Cookie: __Host-sessionid=abcdefabcdefabcdef; csrftoken=zyxwvutsrq",
        "?token=abcdefgh&x=1",
        "password=abcdefgh",
    ],
)
def test_what_looks_like_a_secret_is_masked_outside_of_requests_too(text):
    kept = mask(text)
    for piece in ("0123456789abcdef", "AAAAAAAA", "abcdef", "zyxw"):
        assert piece not in kept


@pytest.mark.parametrize(
    "text",
    [
        "lead 0199b6f2-7d3c-7e41-8a52-0123456789ab assigned to 5",
        "manager 12: paused until 2026-03-02T10:00:00Z",
        "refused: offer_closed",
        'File "/srv/leadrouter/accounts/people/invitations.py", line 12, in user_of_invitation',
    ],
)
def test_what_is_no_secret_stays(text):
    assert mask(text) == text


def test_no_server_or_proxy_of_ours_writes_addresses():
    entry = (REPOSITORY / "ops" / "entrypoint.sh").read_text() + (
        REPOSITORY / "leadrouter" / "development" / "servers.py"
    ).read_text()
    assert "access-log" not in entry
    proxy = (REPOSITORY / "ops" / "Caddyfile").read_text()
    assert "request>uri delete" in proxy
    assert "request>headers delete" in proxy
    assert not re.search(r"(?m)^\tlog\b(?!.*\{)", proxy)


def test_no_library_of_traces_is_there():
    locked = (REPOSITORY / "requirements.txt").read_text().lower()
    assert not [name for name in ("opentelemetry", "sentry", "ddtrace", "newrelic", "elastic-apm") if name in locked]
