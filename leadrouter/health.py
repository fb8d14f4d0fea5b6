"""/healthz, /readyz and /metrics: what an operator's machines ask.

Gauges are counted in the database when they are asked for, so any web process gives the same answer. Requests are
counted by each process and added up over all of them (PROMETHEUS_MULTIPROC_DIR).
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Count, Max, Min, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from accounts.time import clock
from routing import audit
from routing.models import Decision, Heartbeat, Lead, Load, Offer, RefusedIntake, Setback, waiting_since

from . import checks
from .request_log import MAY_GO_ON

REQUESTS = Counter("leadrouter_http_requests", "HTTP requests answered.", ["method", "route", "status"])
SECONDS = Histogram("leadrouter_http_request_seconds", "Time to answer an HTTP request.", ["method", "route"])
INTAKE = Counter("leadrouter_intake_leads", "Leads received, by outcome.", ["outcome"])
OUTCOMES = ("created", "known", "refused")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
DATABASE_ERRORS = (DatabaseError, InterfaceError)


for _outcome in OUTCOMES:  # so that each is there from the first scrape
    INTAKE.labels(_outcome)


def beat(name: str) -> None:
    """Record that something which must run has run just now, by the database's clock."""
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, at=clock.now())], update_conflicts=True, unique_fields=["name"], update_fields=["at"]
    )


class RequestMetrics:
    """Count requests and their time by route, never by path: a path holds ids, and there is no end of them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        if MAY_GO_ON in request.META:  # only a head: the request itself comes with its body
            return response
        method = request.method if request.method in METHODS else "other"
        match = request.resolver_match
        route = match.route if match else "none"
        SECONDS.labels(method, route).observe(time.perf_counter() - started)
        REQUESTS.labels(method, route, response.status_code).inc()
        for outcome, leads in getattr(response, "intake", {}).items():
            INTAKE.labels(outcome).inc(leads)
        return response


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the process is alive. It asks nobody else: a restart mends no database."""
    return JsonResponse({"status": "alive"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer whether leads are taken and distributed in time, and if not, which part is to blame."""
    parts = {"database": check_database(), "broker": check_broker()}
    if parts["database"]["ok"]:
        parts |= check_heartbeats()
    ready = all(part["ok"] for part in parts.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "checks": parts}, status=200 if ready else 503)


def check_database() -> dict[str, Any]:
    try:
        weakened = checks.unsafe_settings()
    except DATABASE_ERRORS as error:
        return {"ok": False, "error": type(error).__name__}
    return {"ok": not weakened} | ({"weakened": weakened} if weakened else {})


def check_broker() -> dict[str, Any]:
    address = settings.CELERY_BROKER_URL
    if address.startswith("redis+socket://"):  # Celery's spelling of a Unix socket; the client's own is another
        address = address.replace("redis+socket://", "unix://").replace("virtual_host=", "db=")
    try:
        with redis.Redis.from_url(address, socket_connect_timeout=1, socket_timeout=1, retry=None) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        return {"ok": False, "error": type(error).__name__}
    return {"ok": True}


def check_heartbeats() -> dict[str, dict[str, Any]]:
    """Judge the age of the worker's last sign and of the last sweep."""
    limits = {"worker": settings.READY_WORKER_SECONDS, "sweep": settings.READY_SWEEP_SECONDS}
    try:
        ages = heartbeat_ages(at=clock.now())
    except DATABASE_ERRORS as error:
        return {name: {"ok": False, "error": type(error).__name__} for name in limits}
    return {
        name: {"ok": name in ages and ages[name] <= limit, "age_seconds": ages.get(name), "limit_seconds": limit}
        for name, limit in limits.items()
    }


def heartbeat_ages(*, at: datetime) -> dict[str, float]:
    """Return the seconds since each sign of life, by its name."""
    return {name: round((at - seen).total_seconds(), 3) for name, seen in Heartbeat.objects.values_list("name", "at")}


class DatabaseCollector:
    """The gauges that are facts of the database."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("leadrouter_database_up", "1 when the database answered this scrape.")
        try:
            with transaction.atomic():  # one connection, and a broken statement leaves it usable
                facts = list(self.facts(at=clock.now()))
        except DATABASE_ERRORS:
            connection.close()
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from facts

    def describe(self) -> list[Metric]:
        return []  # else the registry would ask the database as soon as the collector is registered

    def facts(self, *, at: datetime) -> Iterator[Metric]:
        yield from self.of_leads(at=at)
        yield from self.of_the_sweep(at=at)
        yield from self.of_promises()

    def of_leads(self, *, at: datetime) -> Iterator[Metric]:
        """Count by what has an index or is counted already: a scrape must cost the same among ten million leads."""
        waiting = (
            Lead.objects.waiting().annotate(waits=waiting_since()).aggregate(number=Count("*"), since=Min("waits"))
        )
        offered = Offer.objects.open().count()
        held = Load.objects.aggregate(leads=Sum("leads"))["leads"] or 0
        leads = GaugeMetricFamily("leadrouter_leads", "Leads in each distribution state.", labels=["state"])
        for state, number in (("waiting", waiting["number"]), ("offered", offered), ("assigned", held - offered)):
            leads.add_metric([state], number)
        yield leads
        age = (at - waiting["since"]).total_seconds() if waiting["since"] else 0
        yield GaugeMetricFamily(
            "leadrouter_oldest_waiting_seconds", "How long the longest-waiting lead has been waiting.", value=age
        )
        yield GaugeMetricFamily(
            "leadrouter_leads_set_aside",
            "Leads set aside because their distribution failed too often.",
            value=Setback.objects.set_aside().count(),
        )
        yield GaugeMetricFamily("leadrouter_offers_open", "Open offers.", value=offered)
        overdue = Offer.objects.overdue(at=at).count()
        yield GaugeMetricFamily("leadrouter_offers_overdue", "Open offers past their deadline.", value=overdue)
        last = Decision.objects.aggregate(last=Max("pk"))["last"] or 0
        yield CounterMetricFamily("leadrouter_decisions", "Runs of a trigger on a lead.", value=last)
        unsettled = RefusedIntake.objects.filter(settled_at=None).count()
        yield GaugeMetricFamily("leadrouter_journal_unsettled", "Refused leads that are not settled.", value=unsettled)

    def of_the_sweep(self, *, at: datetime) -> Iterator[Metric]:
        ages = GaugeMetricFamily(
            "leadrouter_heartbeat_age_seconds", "Seconds since the last heartbeat of each.", labels=["name"]
        )
        for name, seconds in heartbeat_ages(at=at).items():
            ages.add_metric([name], seconds)
        yield ages
        took = Heartbeat.objects.filter(name="sweep").values_list("took_seconds", flat=True).first() or 0
        yield GaugeMetricFamily("leadrouter_sweep_seconds", "How long the last sweep took.", value=took)

    def of_promises(self) -> Iterator[Metric]:
        """Count what must not be, as far as it is found fast; `manage.py doctor --full` looks everywhere."""
        broken = audit.count_broken_sums()
        yield GaugeMetricFamily("leadrouter_ledger_violations", "Ledgers that do not add up.", value=broken)
        over = sum(1 for _ in audit.over_limits())
        yield GaugeMetricFamily("leadrouter_limit_violations", "Managers who hold more than a limit.", value=over)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format; with METRICS_TOKEN set only to who brings it."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
            return HttpResponse(
                "a bearer token is required\n",
                status=401,
                headers={"WWW-Authenticate": "Bearer"},
                content_type="text/plain",
            )
    registry = CollectorRegistry()
    registry.register(DatabaseCollector())
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)
    else:
        for counted in (REQUESTS, SECONDS, INTAKE):
            registry.register(counted)
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
