"""Offers that ended before they began, written by who had waited for a lock, are mended; then all of them are held to it."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

MEND = "UPDATE routing_offer SET closed_at = offered_at WHERE closed_at < offered_at"


class Migration(migrations.Migration):
    atomic = False  # each step by itself, beside running traffic; any of them may be run again

    dependencies = [("routing", "0015_offers_end_after_they_begin")]

    operations = [
        # A big table takes longer to read than a request may.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        migrations.RunSQL(MEND, migrations.RunSQL.noop),
        ValidateConstraint("offer", "offer_ends_after_it_begins"),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
