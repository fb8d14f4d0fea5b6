"""Search finds all e-mails of a contact, and what came with a lead beside what is known."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.contrib.postgres.search import SearchVector
from django.db import migrations, models
from django.db.models import Value
from django.db.models.functions import Replace


class Migration(migrations.Migration):
    atomic = False  # built beside running traffic

    dependencies = [("routing", "0026_meet_contacts")]

    operations = [
        # A big table takes longer than a request may.
        migrations.RunSQL("SET statement_timeout = 0", migrations.RunSQL.noop),
        AddIndexConcurrently(
            "contact",
            GinIndex(
                SearchVector(
                    "name",
                    Replace("email", Value("@"), Value(" ")),
                    Replace("other_emails", Value("@"), Value(" "), output_field=models.TextField()),
                    config="simple",
                ),
                name="contact_by_all_words",
            ),
        ),
        AddIndexConcurrently(
            "lead",
            GinIndex(
                SearchVector("also_sent", config="simple"), condition=~models.Q(also_sent=""), name="lead_by_words_sent"
            ),
        ),
        RemoveIndexConcurrently("contact", "contact_by_words"),
        migrations.RunSQL("RESET statement_timeout", migrations.RunSQL.noop),
    ]
