"""A new contact's phones, e-mails and chats meet another's by one index, so only that one is asked before they are written."""

from importlib import import_module

from django.db import migrations

WRITTEN = "WHERE v.text <> '' ON CONFLICT DO NOTHING;"
BY_KEY = "WHERE v.text <> '' ON CONFLICT (kind, key) WHERE NOT shared DO NOTHING;"
BEFORE = import_module("routing.migrations.0036_placeholders").MEET.replace("CREATE", "CREATE OR REPLACE", 1)


class Migration(migrations.Migration):
    dependencies = [("routing", "0039_leads_of_a_contact")]

    operations = [migrations.RunSQL(BEFORE.replace(WRITTEN, BY_KEY), BEFORE)]
