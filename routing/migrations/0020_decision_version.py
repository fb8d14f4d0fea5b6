"""A decision says which version of the configuration decided."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0019_configuration_tables"),
    ]

    operations = [
        migrations.AddField(
            model_name="decision",
            name="version",
            field=models.BigIntegerField(
                help_text="The configuration version that decided. Empty if not known", null=True
            ),
        ),
    ]
