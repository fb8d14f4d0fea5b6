"""How long each report takes with a million stored leads of one year: the row `reports` of the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client

from accounts.models import Account, Manager, User
from accounts.time import clock
from reports import catalogue
from routing.models import Lineup, Member, Pipeline, Registry, Source, Stage, Trigger

from .harness import database_cpu, median

MANAGERS, SOURCES = 20, 10
CHANNELS = ("site", "phone", "mail", "api", "chat")

# As intake would have left them: every lead assigned a minute after it came, offered, and nine of ten accepted.
LEADS = """
INSERT INTO routing_lead (id, source_id, name, stage_id, state, responsible_id, score, currency, language, country, region,
    postal_code, product, tags, utm, fields, comment, arrived_unqualified, arrived_at, created_at, trigger_id, round, attempt,
    assigned_at, accepted_at, accepted_by_id)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, (%(sources)s)[1 + n %% %(source_count)s], 'Stored',
    (%(stages)s)[1 + (n / 20) %% 10], 'assigned', (%(managers)s)[1 + n %% %(manager_count)s], 0, '', '', '', '', '', '',
    '{}', '{}', '{"plan": "gold"}', 'Please call in the morning.', (n / 7) %% 10 < 7, at, at, %(trigger)s, 1, 1,
    at + interval '1 minute', accepted_at, CASE WHEN accepted_at IS NOT NULL THEN (%(managers)s)[1 + n %% %(manager_count)s] END
FROM generate_series(1, %(leads)s) n,
    LATERAL (SELECT now() - interval '365 days' * (1 - n::float8 / %(leads)s) AS at) moment,
    LATERAL (SELECT CASE WHEN random() < 0.9 THEN at + interval '1 minute' + interval '10 minutes' * random() END AS accepted_at) answer
"""
DECISIONS = """
INSERT INTO routing_decision (lead_id, at, trigger_id, registry_id, method, attempt, outcome, chosen_id, reason, turn, counted,
    lineup_id, held, balances, last_turns, refusals)
SELECT id, assigned_at, %(trigger)s, %(registry)s, 'fair_share', 1, 'assigned', responsible_id,
    'fair_share', row_number() OVER (ORDER BY created_at), true, %(lineup)s, %(held)s, %(balances)s, %(managers)s,
    '{"1": "off_duty", "3": "off_duty"}'
FROM routing_lead ORDER BY created_at
"""
# What the trigger of the table would have counted row by row.
LOADS = """
INSERT INTO routing_load (manager_id, stage_id, leads)
SELECT responsible_id, stage_id, count(*) FROM routing_lead GROUP BY 1, 2
"""
OFFERS = """
INSERT INTO routing_offer (lead_id, manager_id, trigger_id, round, offered_at, accept_by, closed_at, outcome, reason)
SELECT id, responsible_id, %(trigger)s, 1, assigned_at, assigned_at + interval '10 minutes',
    coalesce(accepted_at, assigned_at + interval '10 minutes' * random()),
    CASE WHEN accepted_at IS NOT NULL THEN 'accepted' WHEN random() < 0.5 THEN 'declined' ELSE 'timed_out' END, ''
FROM routing_lead ORDER BY created_at
"""


LEADS_STORED = 1_000_000
DAYS = (30, 92)


def measure(rounds: int, leads: int = LEADS_STORED) -> Iterator[tuple[str, float, float]]:
    """Yield each page and its range with the seconds it takes a supervisor, and the processor's of them."""
    fill(leads)
    client = Client(SERVER_NAME="localhost")
    client.force_login(User.objects.create_superuser("root@example.com"))
    today = clock.now().date()
    questions = [(report.code, f"/reports/{report.code}/?") for report in catalogue.RANGED]
    questions.append(("response in working time", "/reports/response/?clock=working&"))
    for days in DAYS:
        for name, path in questions:
            asked = f"{path}first={today - timedelta(days=days - 1)}&last={today}"
            yield f"{name}, {days} days", *_asked(client, asked, rounds)
    yield "sources, a month", *_asked(client, "/reports/sources/?period=month", rounds)


def _asked(client: Client, path: str, rounds: int) -> tuple[float, float]:
    client.get(path)  # the first reads what later ones find in memory
    seconds, busy = [], []
    for _ in range(rounds):
        started, used = time.perf_counter(), time.process_time() + database_cpu()
        assert client.get(path).status_code == 200, path
        seconds.append(time.perf_counter() - started)
        busy.append(time.process_time() + database_cpu() - used)
    return median(seconds), median(busy)


def fill(leads: int) -> None:
    """Write so many leads of the last year, with their decisions and offers."""
    Account.objects.create(pk=1, time_zone="Europe/Madrid")
    managers = [_manager(n) for n in range(MANAGERS)]
    sources = [
        Source.objects.create(code=f"s{n}", title=f"Source {n}", channel=CHANNELS[n % 5]) for n in range(SOURCES)
    ]
    stages = _stages()
    registry = Registry.objects.create(code="all-sales", title="All sales")
    trigger = Trigger.objects.create(
        code="new-leads", stage=stages["new"], on=["created"], registry=registry, acceptance_minutes=10
    )
    Member.objects.bulk_create(Member(trigger=trigger, manager=m, position=n) for n, m in enumerate(managers))
    ids = [manager.pk for manager in managers]
    lineup = Lineup.objects.create(digest="stored", managers=ids, coefficients=[1] * MANAGERS, limits=[None] * MANAGERS)
    parameters: dict[str, Any] = {
        "leads": leads,
        "managers": ids,
        "manager_count": MANAGERS,
        "sources": [source.pk for source in sources],
        "source_count": SOURCES,
        "stages": [stages[code].pk for code in ("won", "won", *["lost"] * 6, "new", "accepted")],
        "trigger": trigger.pk,
        "registry": registry.pk,
        "lineup": lineup.pk,
        "held": [5] * MANAGERS,
        "balances": [0] * MANAGERS,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("ALTER TABLE routing_lead DISABLE TRIGGER USER")
        for statement in (LEADS, LOADS, DECISIONS, OFFERS):
            cursor.execute(statement, parameters)
        cursor.execute("ALTER TABLE routing_lead ENABLE TRIGGER USER")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _manager(number: int) -> Manager:
    return Manager.objects.create(user=User.objects.create(email=f"m{number}@example.com", name=f"Manager {number}"))


def _stages() -> dict[str, Stage]:
    pipeline = Pipeline.objects.create(code="sales", title="Sales")
    kinds = {"inbox": "unqualified", "new": "open", "accepted": "open", "won": "won", "lost": "lost"}
    return {
        code: Stage.objects.create(pipeline=pipeline, code=code, kind=kind, position=position)
        for position, (code, kind) in enumerate(kinds.items())
    }
