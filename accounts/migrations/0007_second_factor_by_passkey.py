"""What the account's demand of a second factor is explained by; no column changes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_calendars_to_subscribe_to"),
    ]

    operations = [
        migrations.AlterField(
            model_name="account",
            name="second_factor",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Everybody who can use the admin must first set up a passkey or an authenticator app.",
                verbose_name="second factor for staff",
            ),
        ),
    ]
