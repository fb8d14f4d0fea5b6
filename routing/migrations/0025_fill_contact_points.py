"""Fill in the phones, e-mails and chats that contacts have: a thousand contacts at a time, each time for good."""

from django.db import migrations, transaction

AT_ONCE = 1_000
NIL = "00000000-0000-0000-0000-000000000000"

# What processes wrote meanwhile, or a run before this, is no obstacle. Two numbers that are one today are shared.
FILL = """
WITH contact AS (
    SELECT * FROM routing_contact WHERE id > %(after)s ORDER BY id LIMIT %(at_once)s
), point AS (
    SELECT contact.id, contact.created_at, v.kind, v.text, leadrouter_point_key(v.kind, v.key) AS key,
        (SELECT source_id FROM routing_lead WHERE contact_id = contact.id ORDER BY created_at LIMIT 1) AS source
    FROM contact CROSS JOIN LATERAL (VALUES ('email', contact.email, contact.email_key),
        ('chat', contact.chat, contact.chat_key), ('phone', contact.phone, contact.phone_key)) AS v (kind, text, key)
    WHERE v.text <> '' OR v.key IS NOT NULL
), ours AS (
    INSERT INTO routing_contactpoint (contact_id, kind, text, key, shared, main, source_id, first_seen_at)
    SELECT id, kind, coalesce(nullif(text, ''), key), key, false, false, source, created_at FROM point
    WHERE NOT EXISTS (SELECT FROM routing_contactpoint p WHERE p.contact_id = point.id AND p.kind = point.kind)
    ORDER BY kind, key ON CONFLICT DO NOTHING RETURNING contact_id, kind
), shared AS (
    INSERT INTO routing_contactpoint (contact_id, kind, text, key, shared, main, source_id, first_seen_at)
    SELECT id, kind, coalesce(nullif(text, ''), key), key, true, false, source, created_at FROM point
    WHERE key IS NOT NULL AND (id, kind) NOT IN (SELECT contact_id, kind FROM ours)
      AND NOT EXISTS (SELECT FROM routing_contactpoint p WHERE p.contact_id = point.id AND p.kind = point.kind)
    ON CONFLICT DO NOTHING
)
SELECT id FROM contact ORDER BY id DESC LIMIT 1
"""


def fill(apps, schema_editor):
    connection, after = schema_editor.connection, NIL
    while after:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(FILL, {"after": after, "at_once": AT_ONCE})
            [after] = cursor.fetchone() or [None]


class Migration(migrations.Migration):
    atomic = False  # each thousand by itself, beside running traffic

    dependencies = [("routing", "0024_contact_points")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
