"""Room for subdivisions whose code is their name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0012_plural_names"),
    ]

    operations = [
        migrations.AlterField(
            model_name="workschedule",
            name="holiday_subdivision",
            field=models.CharField(
                blank=True, help_text="A part of the country, by its name or code: Madrid or MD.", max_length=64
            ),
        ),
    ]
