"""Which tables are configuration, as their models say; and each recorded change knows the version that it made."""

from importlib import import_module

from django.db import migrations, models

import accounts.history.configuration_tables

versioned = import_module("accounts.migrations.0002_configuration_version")
recorded = import_module("accounts.migrations.0004_configuration_change")

# As in 0004, and the version: that of the statement's own transaction, for a `Versioned` table takes it before the rows.
RECORD = """
CREATE OR REPLACE FUNCTION leadrouter_record_change() RETURNS trigger LANGUAGE plpgsql AS $$
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
        (at, by_id, way, model, row_id, name, owner_model, owner_id, action, before, after, version)
    VALUES (
        clock_timestamp(), nullif(current_setting('leadrouter.actor', true), '')::bigint,
        left(coalesce(current_setting('leadrouter.way', true), ''), 200), TG_ARGV[0], (whole ->> 'id')::bigint,
        left(coalesce(nullif(whole ->> 'title', ''), nullif(whole ->> 'name', ''), whole ->> 'code', whole ->> 'email', ''), 200),
        coalesce(owner, ''), owner_id, CASE TG_OP WHEN 'INSERT' THEN 'added' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
        before, after, (SELECT version FROM accounts_configurationversion));
    RETURN NULL;
END $$;
"""
RECORD_WITHOUT_VERSION = recorded.RECORD.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
# What the lines of the models replace, for who goes back.
BY_HAND = "; ".join(
    operation.sql
    for operation in [*versioned.Migration.operations, *recorded.Migration.operations]
    if isinstance(operation, migrations.RunSQL) and operation.sql.startswith("CREATE TRIGGER")
    if "accounts_pause" not in operation.sql
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_second_factor_by_passkey"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, BY_HAND),
        migrations.RunSQL(migrations.RunSQL.noop, RECORD_WITHOUT_VERSION),
        migrations.AddField(
            model_name="configurationchange",
            name="version",
            field=models.BigIntegerField(
                help_text="The configuration version that the change made. Empty if not known", null=True
            ),
        ),
        migrations.AddIndex(
            model_name="configurationchange",
            index=models.Index(fields=["version"], name="configurationchange_by_version"),
        ),
        migrations.RunSQL(RECORD, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="account",
            constraint=accounts.history.configuration_tables.Versioned(name="accounts_account_versioned"),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=accounts.history.configuration_tables.Recorded(name="accounts_account_recorded"),
        ),
        migrations.AddConstraint(
            model_name="manager",
            constraint=accounts.history.configuration_tables.Versioned(
                columns=("user", "active", "schedule", "offset", "time_zone", "skills"),
                name="accounts_manager_versioned",
            ),
        ),
        migrations.AddConstraint(
            model_name="manager",
            constraint=accounts.history.configuration_tables.Recorded(
                columns=("user", "active", "schedule", "offset", "time_zone", "skills"),
                name="accounts_manager_recorded",
                omitted=("last_seen_at",),
            ),
        ),
        migrations.AddConstraint(
            model_name="scheduleexception",
            constraint=accounts.history.configuration_tables.Versioned(name="accounts_scheduleexception_versioned"),
        ),
        migrations.AddConstraint(
            model_name="scheduleexception",
            constraint=accounts.history.configuration_tables.Recorded(
                name="accounts_scheduleexception_recorded", owners=("manager", "schedule")
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=accounts.history.configuration_tables.Versioned(
                columns=("email", "name"), name="accounts_user_versioned"
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=accounts.history.configuration_tables.Recorded(
                columns=("email", "name", "is_active", "is_staff", "is_superuser"),
                name="accounts_user_recorded",
                omitted=("password", "last_login", "language", "date_joined", "sessions_ended"),
            ),
        ),
        migrations.AddConstraint(
            model_name="workschedule",
            constraint=accounts.history.configuration_tables.Versioned(name="accounts_workschedule_versioned"),
        ),
        migrations.AddConstraint(
            model_name="workschedule",
            constraint=accounts.history.configuration_tables.Recorded(name="accounts_workschedule_recorded"),
        ),
    ]
