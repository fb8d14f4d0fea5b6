"""Indexes that answer reports over a range without reading the tables."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # built beside running traffic

    dependencies = [("routing", "0009_key_limits_and_erasure")]

    operations = [
        # A big table takes longer than a request may.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "decision",
            models.Index(
                fields=["registry", "lineup", "at", "turn"],
                include=["chosen", "method"],
                condition=models.Q(counted=True),
                name="decision_counted_by_lineup",
            ),
        ),
        AddIndexConcurrently(
            "decision",
            models.Index(
                fields=["at"],
                include=["lead", "chosen"],
                condition=models.Q(outcome="assigned"),
                name="decision_assigned_at",
            ),
        ),
        AddIndexConcurrently(
            "lead",
            models.Index(
                fields=["arrived_at"], include=["id", "source", "stage", "responsible"], name="lead_by_arrival"
            ),
        ),
        AddIndexConcurrently(
            "leadevent",
            models.Index(
                fields=["at"],
                include=["lead"],
                condition=models.Q(kind__in=["reassigned", "handed_over"]),
                name="leadevent_assigned_at",
            ),
        ),
        AddIndexConcurrently(
            "offer",
            models.Index(
                fields=["offered_at"],
                include=["lead", "manager", "trigger", "outcome", "closed_at"],
                name="offer_by_time",
            ),
        ),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
