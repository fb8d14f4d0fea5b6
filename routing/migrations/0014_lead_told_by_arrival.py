"""One index that tells reports all that they ask of the leads of a range; what it replaces goes."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # built beside running traffic

    dependencies = [("routing", "0013_fill_first_instants")]

    operations = [
        # A big table takes longer than a request may.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "lead",
            models.Index(
                fields=["arrived_at"],
                include=["source", "stage", "responsible", "assigned_at", "accepted_at", "accepted_by"],
                name="lead_told_by_arrival",
            ),
        ),
        RemoveIndexConcurrently("lead", "lead_by_arrival"),
        RemoveIndexConcurrently("leadevent", "leadevent_assigned_at"),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
