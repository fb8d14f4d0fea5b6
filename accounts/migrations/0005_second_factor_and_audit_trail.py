"""The second factor, sessions that can be ended, and the audit trail, which the database itself writes and guards."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Rows are only added. After 90 days the retention job may remove them; nothing ever changes one.
APPEND_ONLY = """
CREATE FUNCTION leadrouter_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < clock_timestamp() - interval '90 days' THEN RETURN OLD; END IF;
    RAISE EXCEPTION 'the audit trail is only added to' USING ERRCODE = 'LR002';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON accounts_auditentry
    FOR EACH ROW EXECUTE FUNCTION leadrouter_append_only();
"""
NO_APPEND_ONLY = """
DROP TRIGGER append_only ON accounts_auditentry;
DROP FUNCTION leadrouter_append_only();
"""

# audit(action, columns to note …): one entry a row, whoever changed it: the admin, a command, SQL by hand. A password
# is named, never shown. The door may have said who acts (accounts/history/changes.py).
AUDIT = """
CREATE FUNCTION leadrouter_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := '{}'; after jsonb := '{}'; facts jsonb; id text;
BEGIN
    IF TG_OP <> 'INSERT' THEN before := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN after := to_jsonb(NEW); END IF;
    id := coalesce(after ->> 'id', before ->> 'id');
    SELECT coalesce(jsonb_object_agg(c, jsonb_build_array(before -> c, after -> c)), '{}') INTO facts
    FROM unnest(TG_ARGV[1:]) AS c WHERE before -> c IS DISTINCT FROM after -> c;
    IF facts ? 'password' THEN facts := facts || '{"password": "set"}'; END IF;
    INSERT INTO accounts_auditentry (at, action, by_id, about, facts, origin) VALUES (
        clock_timestamp(), TG_ARGV[0], nullif(current_setting('leadrouter.actor', true), '')::bigint,
        TG_TABLE_NAME || ':' || id, facts || jsonb_build_object('done', lower(TG_OP)),
        left(coalesce(current_setting('application_name', true), ''), 63));
    RETURN NULL;
END $$;
CREATE TRIGGER audit_rights AFTER UPDATE ON accounts_user FOR EACH ROW
    WHEN ((OLD.is_active, OLD.is_staff, OLD.is_superuser) IS DISTINCT FROM (NEW.is_active, NEW.is_staff, NEW.is_superuser))
    EXECUTE FUNCTION leadrouter_audit('rights', 'is_active', 'is_staff', 'is_superuser');
CREATE TRIGGER audit_staff AFTER INSERT ON accounts_user FOR EACH ROW WHEN (NEW.is_staff OR NEW.is_superuser)
    EXECUTE FUNCTION leadrouter_audit('rights', 'is_active', 'is_staff', 'is_superuser');
CREATE TRIGGER audit_password AFTER UPDATE ON accounts_user FOR EACH ROW
    WHEN (OLD.password IS DISTINCT FROM NEW.password) EXECUTE FUNCTION leadrouter_audit('password', 'password');
CREATE TRIGGER audit_rights AFTER INSERT OR DELETE ON accounts_user_groups FOR EACH ROW
    EXECUTE FUNCTION leadrouter_audit('rights', 'user_id', 'group_id');
CREATE TRIGGER audit_rights AFTER INSERT OR DELETE ON accounts_user_user_permissions FOR EACH ROW
    EXECUTE FUNCTION leadrouter_audit('rights', 'user_id', 'permission_id');
CREATE TRIGGER audit_rights AFTER INSERT OR DELETE ON auth_group_permissions FOR EACH ROW
    EXECUTE FUNCTION leadrouter_audit('rights', 'group_id', 'permission_id');
"""
NO_AUDIT = """
DROP TRIGGER audit_rights ON auth_group_permissions;
DROP TRIGGER audit_rights ON accounts_user_user_permissions;
DROP TRIGGER audit_rights ON accounts_user_groups;
DROP TRIGGER audit_password ON accounts_user;
DROP TRIGGER audit_staff ON accounts_user;
DROP TRIGGER audit_rights ON accounts_user;
DROP FUNCTION leadrouter_audit();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_configuration_change"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AddField(
            model_name="account",
            name="second_factor",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Who may use the admin sets up an authenticator app before anything else.",
                verbose_name="second factor for staff",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="sessions_ended",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="Number of times all sessions were ended. Each session stores the number it began with.",
            ),
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("rights", "permissions changed"),
                            ("password", "password set"),
                            ("key", "API key created or changed"),
                            ("second_factor", "second factor turned on or off"),
                            ("sessions_ended", "signed out everywhere"),
                            ("exported", "data exported"),
                            ("erased", "person erased"),
                            ("configured", "configuration imported"),
                            ("pruned", "old rows removed"),
                            ("backed_up", "backup made"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "about",
                    models.CharField(blank=True, help_text="Table and id, for example accounts_user:5", max_length=100),
                ),
                ("facts", models.JSONField(default=dict, help_text="Ids and counts; no names, e-mails or phones")),
                (
                    "origin",
                    models.CharField(blank=True, help_text="Program name that the database reports", max_length=63),
                ),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit trail",
                "ordering": ["-at", "-id"],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, NO_APPEND_ONLY),
        migrations.RunSQL(AUDIT, NO_AUDIT),
    ]
