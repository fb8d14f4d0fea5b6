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
                help_text="Who may use the admin sets up a passkey or an authenticator app before anything else.",
                verbose_name="second factor for staff",
            ),
        ),
    ]
