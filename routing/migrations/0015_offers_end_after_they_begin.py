"""No offer ends before it began, from now on; 0016 mends those of before."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("routing", "0014_lead_told_by_arrival")]

    operations = [
        AddConstraintNotValid(
            "offer",
            models.CheckConstraint(
                condition=models.Q(closed_at=None) | models.Q(closed_at__gte=models.F("offered_at")),
                name="offer_ends_after_it_begins",
            ),
        ),
    ]
