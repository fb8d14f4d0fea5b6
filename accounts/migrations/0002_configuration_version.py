"""A change of configuration takes the next version, whoever makes it: the admin, an import, SQL by hand."""

from django.db import migrations

# The number comes from a sequence, so that it is never used twice; it stands in a row, so that it becomes visible with
# the change itself and not before.
FUNCTION = """
CREATE SEQUENCE leadrouter_configuration_version;
CREATE FUNCTION leadrouter_configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO accounts_configurationversion (id, version) VALUES (1, nextval('leadrouter_configuration_version'))
    ON CONFLICT (id) DO UPDATE SET version = nextval('leadrouter_configuration_version');
    RETURN NULL;
END $$;
"""


def watch(table: str, columns: str = "") -> migrations.RunSQL:
    """Make every change of the table, or of these columns, a change of configuration."""
    update = f"UPDATE OF {columns}" if columns else "UPDATE"
    return migrations.RunSQL(
        f"CREATE TRIGGER configuration_changed AFTER INSERT OR DELETE OR TRUNCATE OR {update} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION leadrouter_configuration_changed()",
        f"DROP TRIGGER configuration_changed ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [
        migrations.RunSQL(
            FUNCTION,
            "DROP FUNCTION leadrouter_configuration_changed(); DROP SEQUENCE leadrouter_configuration_version",
        ),
        watch("accounts_account"),
        watch("accounts_user", "email, name"),
        watch("accounts_manager", 'user_id, active, schedule_id, "offset", time_zone, skills'),
        watch("accounts_workschedule"),
        watch("accounts_scheduleexception"),
        watch("accounts_pause"),
    ]
