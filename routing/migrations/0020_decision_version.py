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
                help_text="The version of the configuration that decided; empty: not known", null=True
            ),
        ),
    ]
