"""Every change of configuration is written down by the database itself, whoever makes it: the admin, a file, SQL by hand."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# record_change(label of the model, columns to leave out, owner …): one row for each row that is changed, with the values
# that differ. An owner is `column=label`: the thing on whose page the change is looked for. The door may have said who
# acts, and by what way (accounts/history/changes.py).
RECORD = """
CREATE FUNCTION leadrouter_record_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := '{}'; after jsonb := '{}'; whole jsonb; owner text; owner_id bigint;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD) - TG_ARGV[1]::text[]; END IF;
    IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW) - TG_ARGV[1]::text[]; END IF;
    whole := before || after;
    IF TG_OP = 'UPDATE' THEN
        SELECT coalesce(jsonb_object_agg(c, before -> c), '{}'), coalesce(jsonb_object_agg(c, after -> c), '{}')
        INTO before, after FROM jsonb_object_keys(whole) AS c WHERE before -> c IS DISTINCT FROM after -> c;
        IF after = '{}' THEN RETURN NULL; END IF;
    END IF;
    SELECT split_part(o, '=', 2), (whole ->> split_part(o, '=', 1))::bigint INTO owner, owner_id
    FROM unnest(TG_ARGV[2:]) AS o WHERE whole ->> split_part(o, '=', 1) IS NOT NULL LIMIT 1;
    INSERT INTO accounts_configurationchange
        (at, by_id, way, model, row_id, name, owner_model, owner_id, action, before, after)
    VALUES (
        clock_timestamp(), nullif(current_setting('leadrouter.actor', true), '')::bigint,
        left(coalesce(current_setting('leadrouter.way', true), ''), 200), TG_ARGV[0], (whole ->> 'id')::bigint,
        left(coalesce(nullif(whole ->> 'title', ''), nullif(whole ->> 'name', ''), whole ->> 'code', whole ->> 'email', ''), 200),
        coalesce(owner, ''), owner_id, CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
        before, after);
    RETURN NULL;
END $$;
"""


def record(table: str, *arguments: str, columns: str = "") -> migrations.RunSQL:
    """Write down each change of the table's rows, or of these columns."""
    given = ", ".join(f"'{argument}'" for argument in arguments)
    update = f"UPDATE OF {columns}" if columns else "UPDATE"
    return migrations.RunSQL(
        f"CREATE TRIGGER record_change AFTER INSERT OR {update} OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION leadrouter_record_change({given})",
        f"DROP TRIGGER record_change ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_pause_reasons")]

    operations = [
        migrations.CreateModel(
            name="ConfigurationChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        db_constraint=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("way", models.CharField(help_text="Empty for the admin, or for SQL by hand", max_length=200)),
                ("model", models.CharField(help_text="For example routing.trigger", max_length=100)),
                ("row_id", models.BigIntegerField()),
                ("name", models.CharField(help_text="Name of the object at that time", max_length=200)),
                (
                    "owner_model",
                    models.CharField(
                        help_text="Object whose history page lists this change. Empty: its own page", max_length=100
                    ),
                ),
                ("owner_id", models.BigIntegerField(null=True)),
                (
                    "action",
                    models.CharField(
                        choices=[("added", "added"), ("changed", "changed"), ("removed", "removed")], max_length=8
                    ),
                ),
                ("before", models.JSONField()),
                ("after", models.JSONField()),
            ],
            options={
                "verbose_name": "configuration change",
                "verbose_name_plural": "configuration changes",
                "ordering": ["-at", "-id"],
                "indexes": [
                    models.Index(fields=["model", "row_id"], name="configurationchange_of_row"),
                    models.Index(fields=["owner_model", "owner_id"], name="configurationchange_of_owner"),
                ],
            },
        ),
        migrations.RunSQL(RECORD, "DROP FUNCTION leadrouter_record_change()"),
        record("accounts_account", "accounts.account", "{}"),
        record(
            "accounts_manager",
            "accounts.manager",
            "{last_seen_at}",
            columns='user_id, active, schedule_id, "offset", time_zone, skills',  # being seen is no change
        ),
        record("accounts_workschedule", "accounts.workschedule", "{}"),
        record(
            "accounts_scheduleexception",
            "accounts.scheduleexception",
            "{}",
            "manager_id=accounts.manager",
            "schedule_id=accounts.workschedule",
        ),
        migrations.RunSQL(
            # Of users just what is configuration; never a password.
            "CREATE TRIGGER record_change AFTER UPDATE OF email, name, is_active, is_staff, is_superuser ON accounts_user "
            "FOR EACH ROW EXECUTE FUNCTION leadrouter_record_change"
            "('accounts.user', '{password,last_login,language,date_joined,sessions_ended}')",
            "DROP TRIGGER record_change ON accounts_user",
        ),
    ]
