"""What a lead was before an edit is kept; a trigger of the database writes it, whoever edits."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import routing.models.crm

# keep_edit(column …). Who edits a lead and who decides on it lock it both, so the last decision there is at an edit is the
# last that saw the lead as it was before. What erasure takes away is not kept here instead.
KEEP_EDIT = """
CREATE FUNCTION leadrouter_keep_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('leadrouter.erasing', true) = 'true' THEN RETURN NULL; END IF;
    INSERT INTO routing_leadedit (lead_id, at, by_id, last_decision, before)
    SELECT OLD.id, clock_timestamp(), nullif(current_setting('leadrouter.actor', true), '')::bigint,
        (SELECT max(id) FROM routing_decision WHERE lead_id = OLD.id), jsonb_object_agg(c, to_jsonb(OLD) -> c)
    FROM unnest(TG_ARGV) AS c WHERE to_jsonb(OLD) -> c IS DISTINCT FROM to_jsonb(NEW) -> c;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_history_for_replay"),
        ("routing", "0020_decision_version"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(KEEP_EDIT, "DROP FUNCTION leadrouter_keep_edit()"),
        migrations.CreateModel(
            name="LeadEdit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                (
                    "last_decision",
                    models.BigIntegerField(help_text="The last decision that saw the lead before the edit", null=True),
                ),
                ("before", models.JSONField(help_text="The changed columns and their previous values")),
            ],
            options={
                "verbose_name": "lead edit",
                "verbose_name_plural": "lead edits",
                "ordering": ["id"],
            },
        ),
        migrations.AddConstraint(
            model_name="lead",
            constraint=routing.models.crm.EditsKept(
                columns=(
                    "external_id",
                    "name",
                    "contact",
                    "company",
                    "score",
                    "budget",
                    "currency",
                    "language",
                    "country",
                    "region",
                    "postal_code",
                    "product",
                    "tags",
                    "utm",
                    "fields",
                    "comment",
                ),
                name="routing_lead_edits_kept",
            ),
        ),
        migrations.AddField(
            model_name="leadedit",
            name="by",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="leadedit",
            name="lead",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="edits", to="routing.lead"
            ),
        ),
    ]
