"""Empty the keys in contacts' own columns, which nothing reads any more: a thousand at a time, each time for good.

The columns themselves go with the next release: processes from before still name them.
"""

from django.db import migrations, transaction

AT_ONCE = 1_000
NIL = "00000000-0000-0000-0000-000000000000"
EMPTY = """
WITH contact AS (
    SELECT id FROM routing_contact WHERE id > %(after)s ORDER BY id LIMIT %(at_once)s FOR NO KEY UPDATE
), emptied AS (
    UPDATE routing_contact c SET email_key = NULL, phone_key = NULL, chat_key = NULL FROM contact
    WHERE c.id = contact.id AND (c.email_key IS NOT NULL OR c.phone_key IS NOT NULL OR c.chat_key IS NOT NULL)
)
SELECT id FROM contact ORDER BY id DESC LIMIT 1
"""


def empty(apps, schema_editor):
    connection, after = schema_editor.connection, NIL
    while after:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(EMPTY, {"after": after, "at_once": AT_ONCE})
            [after] = cursor.fetchone() or [None]


class Migration(migrations.Migration):
    atomic = False  # each thousand by itself, beside running traffic

    dependencies = [("routing", "0027_search_by_what_was_sent")]

    operations = [
        migrations.RunPython(empty, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField("contact", name) for name in ("email_key", "phone_key", "chat_key")
            ]
        ),
    ]
