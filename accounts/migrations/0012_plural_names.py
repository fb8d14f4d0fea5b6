from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0011_letters"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="account",
            options={"verbose_name": "account", "verbose_name_plural": "accounts"},
        ),
        migrations.AlterModelOptions(
            name="letter",
            options={"ordering": ["due_at", "id"], "verbose_name": "letter", "verbose_name_plural": "letters"},
        ),
        migrations.AlterModelOptions(
            name="manager",
            options={"ordering": ["user__email"], "verbose_name": "manager", "verbose_name_plural": "managers"},
        ),
        migrations.AlterModelOptions(
            name="onlinetime",
            options={"ordering": ["-began_at"], "verbose_name": "online time", "verbose_name_plural": "online times"},
        ),
        migrations.AlterModelOptions(
            name="pause",
            options={"ordering": ["-started_at"], "verbose_name": "pause", "verbose_name_plural": "pauses"},
        ),
        migrations.AlterModelOptions(
            name="scheduleexception",
            options={
                "ordering": ["first_day", "last_day", "kind"],
                "verbose_name": "schedule exception",
                "verbose_name_plural": "schedule exceptions",
            },
        ),
        migrations.AlterModelOptions(
            name="user",
            options={"verbose_name": "user", "verbose_name_plural": "users"},
        ),
        migrations.AlterModelOptions(
            name="workschedule",
            options={"ordering": ["code"], "verbose_name": "work schedule", "verbose_name_plural": "work schedules"},
        ),
    ]
