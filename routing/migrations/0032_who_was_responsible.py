"""Find the events that tell who was responsible for a contact or company."""

import django.db.models.fields.json
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("routing", "0031_follow_at_acceptance")]

    operations = [
        AddIndexConcurrently(
            model_name="leadevent",
            index=models.Index(
                django.db.models.fields.json.KT("data__id"),
                models.F("at"),
                condition=models.Q(("kind", "handed_along")),
                name="event_by_what_went_along",
            ),
        ),
    ]
