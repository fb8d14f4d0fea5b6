"""The report of workload counts by trigger as well: one index that tells it, and what it replaces goes."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # built beside running traffic

    dependencies = [("routing", "0016_all_offers_end_after_they_begin")]

    operations = [
        # A big table takes longer than a request may.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "decision",
            models.Index(
                fields=["at"],
                include=["lead", "trigger", "chosen"],
                condition=models.Q(outcome="assigned"),
                name="decision_assigned_by_trigger",
            ),
        ),
        RemoveIndexConcurrently("decision", "decision_assigned_at"),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
