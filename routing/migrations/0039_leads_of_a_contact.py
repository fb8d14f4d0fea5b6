"""The leads of a contact by their arrival: what a person sent about the same time is found however much they sent."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # beside running traffic

    dependencies = [("routing", "0038_activities")]

    operations = [
        AddIndexConcurrently(
            model_name="lead", index=models.Index(fields=["contact", "arrived_at"], name="lead_of_a_contact")
        ),
        migrations.AlterField(
            model_name="lead",
            name="contact",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="leads",
                to="routing.contact",
            ),
        ),
    ]
