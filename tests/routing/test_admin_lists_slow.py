"""Every list of the admin, and its first page, with 100,000 leads: how many queries, and how long beside an almost empty one."""

from __future__ import annotations

import time

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import clock
from accounts.models import User
from tests.factories import asking_acceptance, make_manager, make_trigger, take

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
LEADS = 100_000
MOST_QUERIES = 12
OURS = [m for m in admin.site._registry if m._meta.app_label in ("accounts", "routing")]

# As many leads, contacts, decisions, offers and events as there would be, made from the one that there is.
FILL = """
INSERT INTO routing_contact (id, name, email, phone, chat, email_key, created_at)
SELECT gen_random_uuid(), 'Client ' || n, 'c' || n || '@client.example', '', '', 'c' || n || '@client.example',
       %(at)s - n * interval '1 minute' FROM generate_series(1, %(leads)s) n;
CREATE TEMPORARY TABLE made ON COMMIT DROP AS SELECT gen_random_uuid() AS id, c.id AS contact_id, c.created_at
FROM routing_contact c WHERE c.id <> (SELECT contact_id FROM routing_lead WHERE id = %(lead)s);
"""


def columns_of(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'"
            " ORDER BY ordinal_position",
            [table],
        )
        return [row[0] for row in cursor.fetchall()]


def copy_of(table: str, given: dict[str, str], left_out: tuple[str, ...] = ()) -> str:
    """Return the statement that copies the first lead's row of the table for every lead made."""
    columns = [c for c in columns_of(table) if c not in left_out]
    chosen = ", ".join(given.get(c, f't."{c}"') for c in columns)
    names = ", ".join(f'"{c}"' for c in columns)
    key = "id" if table == "routing_lead" else "lead_id"
    return f"INSERT INTO {table} ({names}) SELECT {chosen} FROM made, {table} t WHERE t.{key} = %(lead)s"


def fill(lead) -> None:
    with connection.cursor() as cursor:
        facts = {"leads": LEADS, "lead": lead.pk, "at": lead.created_at}
        cursor.execute(FILL, facts)
        new = {"id": "made.id", "contact_id": "made.contact_id", "created_at": "made.created_at"}
        cursor.execute(copy_of("routing_lead", {**new, "external_id": "NULL"}), facts)
        of_lead = {"lead_id": "made.id", "at": "made.created_at"}
        cursor.execute(copy_of("routing_decision", {**of_lead, "counted": "false"}, ("id",)), facts)
        closed = {"lead_id": "made.id", "closed_at": "t.accept_by", "outcome": "'accepted'"}
        cursor.execute(copy_of("routing_offer", closed, ("id",)), facts)
        cursor.execute("ANALYZE")


def addresses() -> list[str]:
    lists = [f"/admin/{m._meta.app_label}/{m._meta.model_name}/" for m in OURS]
    return ["/admin/", *lists, "/admin/routing/lead/?state__exact=waiting", "/admin/routing/lead/?q=c77@client.example"]


def measured(client) -> dict[str, tuple[int, float]]:
    """Return of each page how many queries it takes and its best time of three, in milliseconds."""
    found = {}
    for address in addresses():
        client.get(address, follow=True)
        times = []
        for _ in range(3):
            with CaptureQueriesContext(connection) as queries:
                began = time.perf_counter()
                assert client.get(address).status_code in (200, 302), address
                times.append(1000 * (time.perf_counter() - began))
        found[address] = len(queries), min(times)
    return found


def test_lists_are_as_quick_with_a_hundred_thousand_leads_as_with_one(client, capsys):
    client.force_login(User.objects.create_superuser("root@example.com"))
    make_trigger(members=[make_manager("ann")], **asking_acceptance(10**5))
    lead = take(at=clock.now())
    few = measured(client)
    fill(lead)
    many = measured(client)
    with capsys.disabled():
        print()
        for address, (queries, milliseconds) in many.items():
            print(
                f"{address:<45} {queries:>3} queries {few[address][1]:>7.0f} ms with 1 {milliseconds:>7.0f} ms with 100,000"
            )
    wrong = {a: q for a, (q, _) in many.items() if q > (MOST_QUERIES if a != "/admin/" else 40)}
    assert not wrong
    # A page that reads the table takes many times as long; what a machine is busy with does not.
    slow = {a: (few[a][1], ms) for a, (_, ms) in many.items() if ms > 20 * few[a][1] + 500}
    assert not slow
