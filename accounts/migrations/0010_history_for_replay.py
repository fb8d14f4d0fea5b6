"""When managers were online is kept: a trigger of the database writes it whenever one is seen."""

import django.db.models.deletion
from django.db import migrations, models

# Somebody seen again within the minutes for which they are online prolongs the time that runs; else another one begins.
ONLINE = """
CREATE FUNCTION leadrouter_keep_online() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    minutes integer := coalesce((SELECT online_minutes FROM accounts_account), 5);
BEGIN
    UPDATE accounts_onlinetime SET seen_at = greatest(seen_at, NEW.last_seen_at)
    WHERE seen_at >= NEW.last_seen_at - make_interval(mins => minutes) AND id = (
        SELECT id FROM accounts_onlinetime WHERE manager_id = NEW.id ORDER BY began_at DESC LIMIT 1);
    IF FOUND THEN RETURN NULL; END IF;
    INSERT INTO accounts_onlinetime (manager_id, began_at, seen_at)
    VALUES (NEW.id, NEW.last_seen_at, NEW.last_seen_at) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_online AFTER INSERT OR UPDATE OF last_seen_at ON accounts_manager FOR EACH ROW
    WHEN (NEW.last_seen_at IS NOT NULL) EXECUTE FUNCTION leadrouter_keep_online();
"""
NO_ONLINE = "DROP TRIGGER keep_online ON accounts_manager; DROP FUNCTION leadrouter_keep_online()"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_pauses_are_no_configuration"),
    ]

    operations = [
        migrations.CreateModel(
            name="OnlineTime",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("began_at", models.DateTimeField()),
                ("seen_at", models.DateTimeField()),
                (
                    "manager",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="online_times",
                        to="accounts.manager",
                    ),
                ),
            ],
            options={
                "verbose_name": "online time",
                "ordering": ["-began_at"],
                "constraints": [
                    models.UniqueConstraint(fields=("manager", "began_at"), name="onlinetime_begins_once"),
                    models.CheckConstraint(
                        condition=models.Q(("seen_at__gte", models.F("began_at"))),
                        name="onlinetime_ends_after_it_begins",
                    ),
                ],
            },
        ),
        migrations.RunSQL(ONLINE, NO_ONLINE),
    ]
