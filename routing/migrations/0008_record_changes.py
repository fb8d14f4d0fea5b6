"""Sources, keys, pipelines, registries and triggers are configuration: each change is written down (accounts, 0004)."""

from django.db import migrations

TABLES = {
    "routing_source": ("routing.source", "{}"),
    "routing_apikey": ("routing.apikey", "{digest,last_used_at}"),
    "routing_pipeline": ("routing.pipeline", "{}"),
    "routing_stage": ("routing.stage", "{}", "pipeline_id=routing.pipeline"),
    "routing_registry": ("routing.registry", "{}", "trigger_id=routing.trigger"),
    "routing_trigger": ("routing.trigger", "{}"),
    "routing_member": ("routing.member", "{}", "trigger_id=routing.trigger"),
    "routing_trigger_limit_stages": ("routing.trigger_limit_stages", "{}", "trigger_id=routing.trigger"),
}


def record(table, arguments):
    given = ", ".join(f"'{argument}'" for argument in arguments)
    # A key that is used says so in its row: that is no change, and must cost intake nothing.
    columns = (
        "UPDATE OF name, prefix, source_id, user_id, scopes, expires_at, revoked_at"
        if table == "routing_apikey"
        else "UPDATE"
    )
    return migrations.RunSQL(
        f"CREATE TRIGGER record_change AFTER INSERT OR {columns} OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION leadrouter_record_change({given})",
        f"DROP TRIGGER record_change ON {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("routing", "0007_hand_overs"), ("accounts", "0004_configuration_change")]

    operations = [record(table, arguments) for table, arguments in TABLES.items()]
