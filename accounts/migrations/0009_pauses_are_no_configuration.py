"""A pause no longer takes the next version of the configuration: decisions read the pauses that run, as they do who is online.

It waited for whoever was changing the configuration, and had each process read all of it again.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0008_configuration_tables")]

    operations = [
        migrations.RunSQL(
            "DROP TRIGGER IF EXISTS configuration_changed ON accounts_pause",
            "CREATE TRIGGER configuration_changed AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE ON accounts_pause "
            "FOR EACH STATEMENT EXECUTE FUNCTION leadrouter_configuration_changed()",
        ),
    ]
