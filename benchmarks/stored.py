"""Leads as intake would have left them, written by sets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection

from routing.models import Lineup, Registry, Source, Stage, Trigger

CHUNK = 100_000  # leads in one transaction

# An id of version 7 of the lead's instant: rows stand at the end of every index, as those of intake do.
ID = """
CREATE OR REPLACE FUNCTION pg_temp.stored_id(kind text, n bigint, at timestamptz) RETURNS uuid IMMUTABLE LANGUAGE sql AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || left(md5(kind || n), 3) || '8'
        || right(md5(kind || n), 15))::uuid
$$
"""
# Twenty seconds from one lead to the next, the last one now. One lead of twenty is held still, the others were won.
LEADS = """
WITH contact AS (
    INSERT INTO routing_contact (id, name, email, phone, chat, created_at)
    SELECT pg_temp.stored_id('contact', n, at), 'Stored', 's' || n || '@example.org', '+4930' || n, '', at
    FROM (SELECT n, now() - (%(total)s - n) * interval '20 seconds' AS at FROM generate_series(%(first)s, %(last)s) n) one
    RETURNING id, email, phone, created_at
)
INSERT INTO routing_contactpoint (contact_id, kind, text, key, shared, main, source_id, first_seen_at)
SELECT id, kind, text, text, false, false, %(source)s, created_at
FROM contact CROSS JOIN LATERAL (VALUES ('email', email), ('phone', phone)) AS v (kind, text);
INSERT INTO routing_lead (id, source_id, external_id, name, contact_id, stage_id, state, responsible_id, score, currency, language,
    country, region, postal_code, product, tags, utm, fields, comment, arrived_unqualified, arrived_at, created_at,
    trigger_id, round, attempt, assigned_at)
SELECT pg_temp.stored_id('lead', n, at), %(source)s, 'stored-' || n, 'Demo request', pg_temp.stored_id('contact', n, at),
    CASE WHEN n %% 20 = 0 THEN %(open)s ELSE %(won)s END, 'assigned',
    (%(managers)s)[1 + n / 20 %% array_length(%(managers)s, 1)], 0, 'EUR', 'es', 'ES', '', '', 'crm', '{demo}',
    '{"source": "google"}', '{"employees": 240}', 'Please call in the morning.', false, at, at, %(trigger)s, 1, 0, at
FROM (SELECT n, now() - (%(total)s - n) * interval '20 seconds' AS at FROM generate_series(%(first)s, %(last)s) n) one;
INSERT INTO routing_decision (lead_id, at, trigger_id, registry_id, method, attempt, outcome, chosen_id, reason, turn, counted,
    lineup_id, held, balances, last_turns, refusals)
SELECT pg_temp.stored_id('lead', n, at), at, %(trigger)s, %(registry)s, 'fair_share', 1, 'assigned',
    (%(managers)s)[1 + n / 20 %% array_length(%(managers)s, 1)], 'fair_share', 0, false, %(lineup)s, %(managers)s, %(managers)s,
    %(managers)s, '{}'
FROM (SELECT n, now() - (%(total)s - n) * interval '20 seconds' AS at FROM generate_series(%(first)s, %(last)s) n) one
"""
# What the database's own triggers would have counted.
LOADS = """
INSERT INTO routing_load (manager_id, stage_id, leads)
SELECT responsible_id, stage_id, count(*) FROM routing_lead WHERE responsible_id IS NOT NULL GROUP BY 1, 2
ON CONFLICT (stage_id, manager_id) DO UPDATE SET leads = EXCLUDED.leads
"""
INDEXES = """
SELECT index.relname, pg_get_indexdef(index.oid)
FROM pg_index JOIN pg_class index ON index.oid = indexrelid JOIN pg_class indexed ON indexed.oid = indrelid
WHERE indexed.relname = ANY(%s) AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


@contextmanager
def without_indexes(*tables: str) -> Iterator[None]:
    """Build the indexes of the tables once, at the end, instead of row by row; constraints keep theirs."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(INDEXES, [list(tables)])
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        try:
            yield
        finally:
            cursor.execute("SET maintenance_work_mem = '256MB'")
            for _name, definition in indexes:
                cursor.execute(definition)
            cursor.execute("RESET maintenance_work_mem")


def fill(first: int, last: int, *, total: int, source: Source, trigger: Trigger, managers: Sequence[int]) -> None:
    """Store the leads first..last of so many. Needs a role that is a superuser."""
    stages = {stage.code: stage.pk for stage in Stage.objects.filter(pipeline=trigger.stage.pipeline)}
    columns = {"managers": managers, "coefficients": [1] * len(managers), "limits": [None] * len(managers)}
    parameters = {
        "total": total,
        "source": source.pk,
        "open": stages["accepted"],
        "won": stages["won"],
        "managers": list(managers),
        "trigger": trigger.pk,
        "registry": Registry.objects.get(trigger=trigger).pk,
        "lineup": Lineup.objects.get_or_create(digest=f"stored {trigger.pk}", defaults=columns)[0].pk,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "SET session_replication_role = replica"
        )  # foreign keys hold by construction; loads follow below
        cursor.execute(ID)
        for start in range(first, last + 1, CHUNK):
            cursor.execute(LEADS, {**parameters, "first": start, "last": min(start + CHUNK - 1, last)})
        cursor.execute("SET session_replication_role = origin")
        cursor.execute(LOADS)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
