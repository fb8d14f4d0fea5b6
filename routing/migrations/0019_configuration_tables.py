"""Which tables are configuration, as their models say."""

from importlib import import_module

from django.conf import settings
from django.db import migrations

import accounts.history.configuration_tables

versioned = import_module("routing.migrations.0002_promises")
recorded = import_module("routing.migrations.0008_record_changes")

# What the lines of the models replace, for who goes back.
BY_HAND = "; ".join(
    operation.sql for operation in [*map(versioned.watch, versioned.WATCHED), *recorded.Migration.operations]
)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_configuration_tables"),
        ("routing", "0018_search_by_words"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, BY_HAND),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=accounts.history.configuration_tables.Recorded(
                columns=(
                    "name",
                    "prefix",
                    "source",
                    "user",
                    "scopes",
                    "requests_per_minute",
                    "expires_at",
                    "revoked_at",
                ),
                name="routing_apikey_recorded",
                omitted=("digest", "last_used_at"),
            ),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=accounts.history.configuration_tables.Versioned(name="routing_member_versioned"),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=accounts.history.configuration_tables.Recorded(
                name="routing_member_recorded", owners=("trigger",)
            ),
        ),
        migrations.AddConstraint(
            model_name="pipeline",
            constraint=accounts.history.configuration_tables.Versioned(name="routing_pipeline_versioned"),
        ),
        migrations.AddConstraint(
            model_name="pipeline",
            constraint=accounts.history.configuration_tables.Recorded(name="routing_pipeline_recorded"),
        ),
        migrations.AddConstraint(
            model_name="registry",
            constraint=accounts.history.configuration_tables.Versioned(name="routing_registry_versioned"),
        ),
        migrations.AddConstraint(
            model_name="registry",
            constraint=accounts.history.configuration_tables.Recorded(
                name="routing_registry_recorded", owners=("trigger",)
            ),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=accounts.history.configuration_tables.Versioned(name="routing_source_versioned"),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=accounts.history.configuration_tables.Recorded(name="routing_source_recorded"),
        ),
        migrations.AddConstraint(
            model_name="stage",
            constraint=accounts.history.configuration_tables.Versioned(name="routing_stage_versioned"),
        ),
        migrations.AddConstraint(
            model_name="stage",
            constraint=accounts.history.configuration_tables.Recorded(
                name="routing_stage_recorded", owners=("pipeline",)
            ),
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=accounts.history.configuration_tables.Versioned(name="routing_trigger_versioned"),
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=accounts.history.configuration_tables.Recorded(name="routing_trigger_recorded"),
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=accounts.history.configuration_tables.Versioned(
                name="routing_trigger_limit_stages_versioned", of="limit_stages"
            ),
        ),
        migrations.AddConstraint(
            model_name="trigger",
            constraint=accounts.history.configuration_tables.Recorded(
                name="routing_trigger_limit_stages_recorded", of="limit_stages", owners=("trigger",)
            ),
        ),
    ]
