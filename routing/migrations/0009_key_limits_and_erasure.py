"""A limit of each API key, what happens to keys in the audit trail, and who may erase a person."""

from importlib import import_module

from django.db import migrations, models

AUDIT = """
CREATE TRIGGER audit_key AFTER INSERT OR DELETE ON routing_apikey FOR EACH ROW
    EXECUTE FUNCTION leadrouter_audit('key', 'source_id', 'user_id', 'scopes', 'expires_at');
CREATE TRIGGER audit_key_change AFTER UPDATE ON routing_apikey FOR EACH ROW
    WHEN ((OLD.digest, OLD.source_id, OLD.user_id, OLD.scopes, OLD.expires_at, OLD.revoked_at)
          IS DISTINCT FROM (NEW.digest, NEW.source_id, NEW.user_id, NEW.scopes, NEW.expires_at, NEW.revoked_at))
    EXECUTE FUNCTION leadrouter_audit('key', 'source_id', 'user_id', 'scopes', 'expires_at', 'revoked_at');
"""
NO_AUDIT = "DROP TRIGGER audit_key_change ON routing_apikey; DROP TRIGGER audit_key ON routing_apikey"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_second_factor_and_audit_trail"),
        ("routing", "0008_record_changes"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="requests_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Requests allowed per minute. 0: no limit. Empty: the default from the settings.",
                null=True,
            ),
        ),
        migrations.RunSQL(AUDIT, NO_AUDIT),
        migrations.AddField(
            model_name="heartbeat",
            name="took_seconds",
            field=models.FloatField(help_text="Duration of the last run", null=True),
        ),
        migrations.AlterModelOptions(
            name="contact",
            options={
                "permissions": [("erase_person", "Can export and erase a person's data")],
                "verbose_name": "contact",
            },
        ),
        # Administrators may see what is new.
        migrations.RunPython(import_module("routing.migrations.0003_roles").make_groups, migrations.RunPython.noop),
    ]
