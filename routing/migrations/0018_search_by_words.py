"""Indexes that find contacts and leads by the words of their names."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models
from django.db.models import Value
from django.db.models.functions import Replace


class Migration(migrations.Migration):
    atomic = False  # built beside running traffic

    dependencies = [("routing", "0017_decisions_assigned_by_trigger")]

    operations = [
        # A big table takes longer than a request may.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "contact",
            GinIndex(
                SearchVector("name", Replace("email_key", Value("@"), Value(" ")), config="simple"),
                name="contact_by_words",
            ),
        ),
        AddIndexConcurrently(
            "lead",
            GinIndex(SearchVector("name", config="simple"), condition=~models.Q(name=""), name="lead_by_words"),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
